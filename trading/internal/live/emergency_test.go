package live

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/market/markettest"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
)

// failingJournal answers no append while it is held, and then as it is told.
type failingJournal struct {
	*journal.Memory
	held sync.Mutex
	err  error
}

func (j *failingJournal) Append(first uint64, events [][]byte) error {
	j.held.Lock()
	defer j.held.Unlock()
	if j.err != nil {
		return j.err
	}
	return j.Memory.Append(first, events)
}

// deafVenue remembers what it is asked to cancel, and does not.
type deafVenue struct {
	router.Venue
	mu       sync.Mutex
	canceled map[uint64]int
}

func (v *deafVenue) Cancel(c router.Cancel) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.canceled[c.OrderID]++
}

func (v *deafVenue) count() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.canceled)
}

// emergency is a session with three open orders of two strategies, whose journal can fail.
func emergency(t *testing.T) (*Session, *failingJournal, *deafVenue, <-chan error) {
	t.Helper()
	f := markettest.Add(markettest.New(t, filepath.Join(t.TempDir(), "bars")), "bars.parquet", "bar", []markettest.Bar{at(10*second, 100)})
	f.Write(f.Manifest())
	dataset, err := market.Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	risk, _ := gatetest.Serve(t, gatetest.Approve)
	kept := &failingJournal{Memory: journal.NewMemory()}
	cash, err := engine.NewAmount(1_000_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Account: account, InitialCash: engine.Money{Currency: "USD", Amount: cash}, MaxVolumeShareBps: 10_000,
		RiskTimeout: 10 * time.Second}, dataset, risk, kept)
	if err != nil {
		t.Fatal(err)
	}
	venue := &deafVenue{Venue: s.Emergency.venues["XNAS"], canceled: map[uint64]int{}}
	s.Emergency.venues["XNAS"] = venue
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Gate.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &running{Session: s, t: t}
	orders := []*engine.OrderDecision{order("a", engine.GTC, 1), order("b", engine.GTC, 1), order("c", engine.GTC, 1)}
	orders[2].NewOrder.StrategyID = "other"
	for _, ack := range r.submit(orders[0], orders[1], orders[2]) {
		if ack.ExecType != engine.ExecPendingNew {
			t.Fatalf("got %+v", ack)
		}
	}
	r.expect("pending pending pending new new new")
	return s, kept, venue, done
}

func engage(scope engine.TradingScope) *engine.KillSwitchChange {
	return &engine.KillSwitchChange{Scope: scope, Engaged: true, ChangedBy: "me", Reason: "a test"}
}

// In the ordinary case the kill switch is an event like any other, and the engine cancels.
func TestKillSwitchIsJournaled(t *testing.T) {
	s, _, venue, done := emergency(t)
	result := s.EngageKillSwitch(t.Context(), engage(engine.TradingScope{StrategyID: "other"}))
	if result.Sequence == 0 || result.Err != nil || result.Ack.TotalAffectedOrders != 1 {
		t.Errorf("got %+v", result)
	}
	r := &running{Session: s, t: t}
	killed, passes := order("d", engine.GTC, 1), order("e", engine.GTC, 1)
	killed.NewOrder.StrategyID = "other"
	acks := r.submit(killed, passes)
	if acks[0].OrdRejReason != engine.RejKillSwitch || acks[1].ExecType != engine.ExecPendingNew {
		t.Errorf("got %+v", acks)
	}
	if s.Emergency.Refuses(&killed.NewOrder) {
		t.Error("still latched, though the engine has it")
	}
	if n := venue.count(); n != 1 {
		t.Errorf("%d orders were canceled, want that of the strategy", n)
	}
	select {
	case err := <-done:
		t.Errorf("the session ended: %v", err)
	default:
	}
}

// While the disk does not answer, the cancels go out all the same, and what is new is refused.
func TestKillSwitchWithoutTheJournal(t *testing.T) {
	for _, fails := range []bool{false, true} {
		s, kept, venue, done := emergency(t)
		kept.held.Lock()
		stuck, err := s.Sequencer.Enqueue(t.Context(), []engine.Input{order("stuck", engine.GTC, 1)})
		if err != nil {
			t.Fatal(err)
		}
		ctx, giveUp := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer giveUp()
		result := s.EngageKillSwitch(ctx, engage(engine.TradingScope{Account: account}))
		if result.Sequence != 0 || result.Ack.TotalAffectedOrders != 3 || venue.count() != 3 {
			t.Errorf("got %+v with %d orders canceled, want all three and no sequence", result, venue.count())
		}
		if new, other := order("x", engine.GTC, 1), (engine.NewOrder{Account: "other", InstrumentID: aaa}); !s.Emergency.Refuses(&new.NewOrder) || s.Emergency.Refuses(&other) {
			t.Error("the latch binds another scope than the kill switch")
		}
		if !s.Emergency.Refuses(&engine.NewOrder{Account: account}) {
			t.Error("a replace passes the latch")
		}
		if !fails {
			// The disk is back: the journal gets what it missed, and the engine refuses from then on.
			kept.held.Unlock()
			if results := <-stuck; results[0].Ack.ExecType != engine.ExecPendingNew {
				t.Errorf("got %+v", results[0])
			}
			r := &running{Session: s, t: t}
			for s.Emergency.Refuses(&engine.NewOrder{Account: account}) {
				time.Sleep(time.Millisecond)
			}
			if acks := r.submit(order("y", engine.GTC, 1)); acks[0].OrdRejReason != engine.RejKillSwitch {
				t.Errorf("got %+v", acks)
			}
			continue
		}
		kept.err = errors.New("the disk is gone")
		kept.held.Unlock()
		if err := <-done; !errors.Is(err, kept.err) {
			t.Errorf("the session ended with %v", err)
		}
		// The sequencer is gone for good. The kill switch is not.
		if result := s.EngageKillSwitch(t.Context(), engage(engine.TradingScope{})); result.Sequence != 0 || result.Ack.TotalAffectedOrders != 3 {
			t.Errorf("got %+v", result)
		}
		if !s.Emergency.Refuses(&engine.NewOrder{Account: "other", InstrumentID: aaa}) {
			t.Error("the latch is gone")
		}
	}
}

// Ten thousand open orders take no longer than a few milliseconds to cancel: nothing in the way waits.
func BenchmarkEmergencyCancel(b *testing.B) {
	venue := newInbox()
	e := newEmergency(map[string]router.Venue{"XNAS": venue})
	for id := range uint64(10_000) {
		e.working.Put(id, &working{venue: "XNAS", order: &engine.NewOrder{Account: account, InstrumentID: aaa}})
	}
	for b.Loop() {
		if e.cancel(engine.TradingScope{}) != 10_000 {
			b.Fatal("not all")
		}
		venue.take()
	}
}

// log is what was logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func logged(t *testing.T) *log {
	l, before := &log{}, slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(l, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return l
}

// A journal that is only slow has the kill switch, and nobody is told otherwise.
func TestKillSwitchWithASlowJournal(t *testing.T) {
	s, kept, venue, _ := emergency(t)
	l := logged(t)
	kept.held.Lock()
	answered := make(chan sequencer.Result)
	go func() { answered <- s.EngageKillSwitch(t.Context(), engage(engine.TradingScope{Account: account})) }()
	for venue.count() < 3 { // The cancels do not wait for it.
		time.Sleep(time.Millisecond)
	}
	kept.held.Unlock()
	if result := <-answered; result.Sequence == 0 || result.Err != nil || result.Ack.TotalAffectedOrders != 3 {
		t.Errorf("got %+v", result)
	}
	if text := l.String(); strings.Contains(text, "kill switch") {
		t.Errorf("logged %s", text)
	}
	kept.held.Lock()
	ctx, giveUp := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer giveUp()
	s.EngageKillSwitch(ctx, engage(engine.TradingScope{}))
	kept.held.Unlock()
	if text := l.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "orders were canceled without the journal") {
		t.Errorf("logged %q, want that the journal does not have it", text)
	}
}
