package sequencer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/router"
)

// running is a bench whose sequencer runs until the test ends.
type running struct {
	*bench
	live    *Live
	stop    context.CancelFunc
	run     chan error
	reports []*engine.ExecutionReport // of the sequencer's goroutine until it has stopped
	routes  []router.Route
}

func newRunning(t testing.TB, send func([]router.Route) []engine.Input) *running {
	r := &running{bench: newBench(t), run: make(chan error, 1)}
	if send == nil {
		send = func(routes []router.Route) []engine.Input { r.routes = append(r.routes, routes...); return nil }
	}
	r.live = NewLive(r.sequencer, send, func(reports []*engine.ExecutionReport) { r.reports = append(r.reports, reports...) })
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.run <- r.live.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-r.live.Stopped() })
	return r
}

func TestLiveAnswersEveryClientInItsOrder(t *testing.T) {
	r := newRunning(t, nil)
	const clients, each = 8, 50
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			last := uint64(0)
			for n := range each {
				name := fmt.Sprintf("%d-%d", client, n)
				results, err := r.live.Submit(t.Context(), order(name, 100), cancel(name))
				if err != nil {
					t.Error(err)
					return
				}
				if results[0].Ack.ClOrdID != name || results[1].Ack.ExecType != engine.ExecPendingCancel || results[0].Sequence <= last {
					t.Errorf("%s: %+v", name, results)
				}
				last = results[1].Sequence
			}
		})
	}
	wait.Wait()
	var open int
	if err := r.live.Query(t.Context(), func(e *engine.Engine) { open = e.OpenOrders() }); err != nil || open != clients*each {
		t.Errorf("%d open orders, %v, want %d", open, err, clients*each)
	}
	r.stop()
	if err := <-r.run; err != nil {
		t.Error(err)
	}
	for n := range r.reports {
		if n > 0 && r.reports[n].PrevSequence != r.reports[n-1].Sequence {
			t.Fatalf("report %d does not follow %d", r.reports[n].Sequence, r.reports[n-1].Sequence)
		}
	}
	if len(r.reports) != 2*clients*each || len(r.routes) != 2*clients*each {
		t.Errorf("%d reports and %d routes, want %d", len(r.reports), len(r.routes), 2*clients*each)
	}
}

func TestOrderWithoutAVenueIsRefusedByIt(t *testing.T) {
	r := newRunning(t, router.New(nil).Send)
	if _, err := r.live.Submit(t.Context(), order("1", 100)); err != nil {
		t.Fatal(err)
	}
	err := r.live.Query(t.Context(), func(e *engine.Engine) {
		o := e.OrderByName("A", "1")
		if o.OrdStatus() != engine.StatusRejected || o.RejectedBy != engine.ByVenue || o.Text != `venue: "X" is not connected` {
			t.Errorf("got %+v", o)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAfterTheEndNobodyWaits(t *testing.T) {
	r := newRunning(t, nil)
	full := errors.New("disk full")
	r.sequencer.journal = brokenJournal{full}
	if _, err := r.live.Submit(t.Context(), order("1", 100)); !errors.Is(err, ErrStopped) {
		t.Errorf("a submit that could not be journaled: %v, want ErrStopped", err)
	}
	if err := <-r.run; !errors.Is(err, full) {
		t.Errorf("Run: %v, want %v", err, full)
	}
	if _, err := r.live.Submit(t.Context(), order("2", 100)); !errors.Is(err, ErrStopped) {
		t.Errorf("a submit after the end: %v, want ErrStopped", err)
	}
	if err := r.live.Query(t.Context(), func(*engine.Engine) {}); !errors.Is(err, ErrStopped) {
		t.Errorf("a query after the end: %v, want ErrStopped", err)
	}
}

// Who asks may leave, but not while what they gave to read is being written.
func TestAQuestionThatWasLeftIsNotReadBehindItsBack(t *testing.T) {
	r := newRunning(t, nil)
	ctx, leave := context.WithCancel(t.Context())
	read := 0
	if err := r.live.Query(ctx, func(*engine.Engine) {
		leave()
		time.Sleep(20 * time.Millisecond)
		read++
	}); err != nil || read != 1 {
		t.Errorf("read %d times: %v", read, err)
	}
	block, blocked := make(chan struct{}), make(chan struct{})
	go func() { _ = r.live.Query(t.Context(), func(*engine.Engine) { close(blocked); <-block }) }()
	<-blocked
	ctx, leave = context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, leave)
	if err := r.live.Query(ctx, func(*engine.Engine) { read++ }); !errors.Is(err, context.Canceled) {
		t.Errorf("it was left, but: %v", err)
	}
	close(block)
	if err := r.live.Query(t.Context(), func(*engine.Engine) {}); err != nil || read != 1 {
		t.Errorf("read %d times after it was left (%v)", read, err)
	}
}

func TestTooManyInputsAtOnce(t *testing.T) {
	r := newRunning(t, nil)
	if _, err := r.live.Enqueue(t.Context(), make([]engine.Input, maxBatch+1)); err == nil {
		t.Error("a batch without bound was taken")
	}
}

// The time of an order is over also when nobody asks for anything.
func TestLiveEndsOrdersWhoseTimeIsOver(t *testing.T) {
	r := newRunning(t, nil)
	gtd := order("1", 100)
	gtd.NewOrder.TimeInForce, gtd.NewOrder.ExpireTime = engine.GTD, 1000
	gtd.NewOrder.OrdType, gtd.NewOrder.StopPx, gtd.NewOrder.HasStopPx = engine.StopLimit, 1000, true
	if _, err := r.live.Submit(t.Context(), gtd); err != nil {
		t.Fatal(err)
	}
	status := func() (status engine.OrdStatus) {
		if err := r.live.Query(t.Context(), func(e *engine.Engine) { status = e.OrderByName("A", "1").OrdStatus() }); err != nil {
			t.Fatal(err)
		}
		return status
	}
	if got := status(); got != engine.StatusSuspended {
		t.Fatalf("before its time the order is %d, want SUSPENDED", got)
	}
	// The clock belongs to the sequencer's goroutine.
	if err := r.live.Query(t.Context(), func(*engine.Engine) { r.clock.Set(1000) }); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); status() != engine.StatusExpired; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the order is %d, want EXPIRED", status())
		}
	}
}
