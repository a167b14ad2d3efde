package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
)

// state is an engine that lives on while what trades for it ends and starts again.
type state struct {
	t      *testing.T
	mu     sync.Mutex
	engine *engine.Engine
	told   []string // executions of the client's orders and requests, by name
}

const asked = uint64(3) // the id of the order

// newState is one with an order that was sent.
func newState(t *testing.T) *state {
	s := &state{t: t, engine: engine.New()}
	about := definition()
	s.apply(&about, &engine.AccountOpened{Account: account, BaseCurrency: "USD"}, &engine.OrderDecision{Approved: true, NewOrder: engine.NewOrder{
		ClOrdID: "a", Account: account, InstrumentID: instrument, Side: engine.Buy, OrdType: engine.Limit, TimeInForce: engine.GTC,
		OrderQty: 10, Price: 9_000, HasPrice: true,
	}})
	return s
}

func (s *state) apply(inputs ...engine.Input) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, input := range inputs {
		var effects engine.Effects
		event := engine.Event{Sequence: s.engine.Sequence() + 1, TransactTime: s.engine.Now() + 1, Input: input}
		if err := s.engine.Apply(event, &effects); err != nil && !errors.Is(err, engine.ErrNothingNew) {
			s.t.Errorf("%+v: %v", input, err)
		}
		for _, r := range effects.Reports {
			name := r.ClOrdID
			if name == "" {
				name = r.NewOrder.ClOrdID
			}
			switch r.ExecType {
			case engine.ExecReplaced, engine.ExecCancelRejected, engine.ExecCanceled:
				s.told = append(s.told, fmt.Sprint(name, " ", map[engine.ExecType]string{
					engine.ExecReplaced: "replaced", engine.ExecCancelRejected: "refused", engine.ExecCanceled: "canceled"}[r.ExecType]))
			}
		}
	}
}

func (s *state) replace() *engine.ReplaceDecision {
	return &engine.ReplaceDecision{Approved: true, Replace: engine.ReplaceOrder{
		ClOrdID: "b", OrigClOrdID: "a", Account: account, OrderQty: 6, Price: 9_000, HasPrice: true}}
}

// trade trades until the order is as it should be.
func (s *state) trade(p *process, done func(*engine.Order) bool) {
	s.t.Helper()
	v, err := Open(s.t.Context(), p.conn, Config{Account: account, Prefix: "j", Heartbeat: time.Second, Reconcile: 100 * time.Millisecond})
	if err != nil {
		s.t.Fatal(err)
	}
	v.Resume(s.engine.Order(asked))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- v.Run(ctx, func(_ context.Context, inputs []engine.Input) error { s.apply(inputs...); return nil })
	}()
	eventually(s.t, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if order := s.engine.Order(asked); !done(order) {
			return fmt.Sprintf("the order is %+v, after %v", order.LastReport, s.told)
		}
		return ""
	})
	stop()
	if err := <-ended; err != nil {
		s.t.Error(err)
	}
}

// What the venue never got before the end of a process gets its answer from the next one.
func TestRequestsThatTheVenueNeverGotAreAnswered(t *testing.T) {
	works := func(o *engine.Order) bool { return o.OrdStatus() == engine.StatusNew }
	cancel := &engine.CancelOrder{ClOrdID: "c", OrigClOrdID: "a", Account: account}
	for name, c := range map[string]struct {
		over bool // the venue has ended the order meanwhile, and we know
		want string
	}{
		"a replace and a cancel":             {false, "b replaced, b canceled"},
		"a replace of an order that is over": {true, "a canceled, b refused"},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, t.TempDir(), "")
			defer p.end(t)
			s := newState(t)
			s.trade(p, works)
			if s.apply(s.replace()); c.over {
				other := newState(t) // of the same order
				other.trade(p, works)
				other.apply(cancel)
				other.trade(p, func(o *engine.Order) bool { return !o.Open() })
				s.apply(&engine.VenueReport{Venue: "SIM", OrderID: asked, ExecType: engine.ExecCanceled})
			} else {
				s.apply(cancel)
			}
			s.trade(p, func(o *engine.Order) bool { return !o.Open() && o.Changing() == nil && !o.Canceling() })
			if got := strings.Join(s.told, ", "); got != c.want {
				t.Errorf("the client is told %q, want %q", got, c.want)
			}
		})
	}
}
