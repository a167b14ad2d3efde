package live

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/market/markettest"
)

// life is one process on a journal: what it did, and what it left.
type life struct {
	account  engine.AccountState
	reports  []*engine.ExecutionReport
	sequence uint64
	hash     [32]byte
}

// live opens a session on the journal, hands it to do, stops it and closes all.
func live(t *testing.T, dataset *market.Dataset, path string, do func(*running)) life {
	return liveWith(t, dataset, path, 0, do)
}

func liveWith(t *testing.T, dataset *market.Dataset, path string, latency time.Duration, do func(*running)) (l life) {
	t.Helper()
	kept, err := journal.Open(path, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	risk, _ := gatetest.Serve(t, gatetest.Approve)
	cash, err := engine.NewAmount(1_000_000, 0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Account: account, InitialCash: engine.Money{Currency: "USD", Amount: cash}, MaxVolumeShareBps: 10_000, OrderLatency: latency,
		RiskTimeout: 10_000_000_000}, dataset, risk, kept)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if err := s.Gate.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &running{Session: s, t: t}
	do(r)
	if err := s.Sequencer.Query(t.Context(), func(e *engine.Engine) {
		l.account, _ = e.Account(account)
		l.sequence, l.hash = e.Sequence(), e.StateHash()
	}); err != nil {
		t.Fatal(err)
	}
	l.reports = reportsOf(s)
	stop()
	if err := errors.Join(<-done, s.Close(), kept.Close()); err != nil {
		t.Fatal(err)
	}
	return l
}

// A second process goes on where the first one ended: the same account, the same reports to resume
// from, the market after what was seen; orders of the venue that died with the first are canceled.
func TestASessionGoesOnWhereItsJournalEnds(t *testing.T) {
	f := markettest.Add(markettest.New(t, filepath.Join(t.TempDir(), "bars")), "bars.parquet", "bar", []markettest.Bar{
		at(10*second, 100), at(20*second, 101), at(30*second, 102), at(40*second, 103), at(50*second, 104), at(60*second, 105)})
	f.Write(f.Manifest())
	dataset, err := market.Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal")
	first := live(t, dataset, path, func(r *running) {
		r.step()
		r.submit(order("a", engine.GTC, 200), order("rests", engine.GTC, 1))
		r.step()
		r.step()
		r.expect("pending pending new new trade")
	})
	second := live(t, dataset, path, func(r *running) {
		reports := r.expect("pending pending new new trade canceled")
		if last := reports[5]; last.NewOrder.ClOrdID != "rests" || last.PrevSequence != reports[4].Sequence {
			t.Errorf("the order that rested: %+v", last)
		}
		again := r.submit(order("a", engine.GTC, 200))
		if again[0].OrderID != reports[0].OrderID || again[0].OrdStatus != engine.StatusFilled {
			t.Errorf("the same order again: %+v, want the outcome of order %d", again[0], reports[0].OrderID)
		}
		r.submit(order("b", engine.GTC, 200))
		r.step()
		r.step()
		fill := r.expect("pending pending new new trade canceled pending new trade")[8]
		if fill.ExecID == reports[4].ExecID || fill.TransactTime <= reports[4].TransactTime {
			t.Errorf("the fill after the restart: %+v", fill)
		}
	})
	if got, want := second.account.Positions[0].NetQty, 2*first.account.Positions[0].NetQty; got != want {
		t.Errorf("position is %d, want %d", got, want)
	}
	if second.account.Sequence <= first.sequence {
		t.Errorf("sequence %d does not go on after %d", second.account.Sequence, first.sequence)
	}
	third := live(t, dataset, path, func(*running) {})
	if third.hash != second.hash || len(third.reports) != len(second.reports) {
		t.Errorf("a start without anything to do changed the state: sequence %d, then %d", second.sequence, third.sequence)
	}
}

// A process ends when it has triggered a stop and its venue has not said that it has it: the next one sends it,
// once. What still waits goes on waiting, a trailing stop from the best price that it saw.
func TestTriggeredStopIsSentOnceAfterARestart(t *testing.T) {
	f := markettest.Add(markettest.New(t, filepath.Join(t.TempDir(), "bars")), "bars.parquet", "bar", []markettest.Bar{
		at(10*second, 100), at(20*second, 120), at(30*second, 119), at(40*second, 119), at(50*second, 111), at(60*second, 111), at(70*second, 111)})
	f.Write(f.Manifest())
	dataset, err := market.Open(f.Dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "journal")
	stop, trail := order("stop", engine.GTC, 0), order("trail", engine.GTC, 0)
	for _, o := range []*engine.NewOrder{&stop.NewOrder, &trail.NewOrder} {
		o.HasPrice, o.Price = false, 0
	}
	stop.NewOrder.OrdType, stop.NewOrder.StopPx, stop.NewOrder.HasStopPx = engine.Stop, 119, true
	trail.NewOrder.OrdType, trail.NewOrder.Side, trail.NewOrder.TrailingAmount = engine.TrailingStop, engine.Sell, 5
	liveWith(t, dataset, path, 24*time.Hour, func(r *running) {
		r.step()
		r.submit(stop, trail)
		r.step()
		r.step()
		r.expect("suspended suspended triggered")
	})
	l := live(t, dataset, path, func(r *running) {
		r.step()
		r.step()
		r.step()
		r.step()
		r.expect("suspended suspended triggered new trade triggered new trade")
	})
	live(t, dataset, path, func(r *running) { r.expect("suspended suspended triggered new trade triggered new trade") })
	if len(l.account.Positions) != 1 || l.account.Positions[0].NetQty != 0 {
		t.Errorf("positions %+v, want what was bought to be sold", l.account.Positions)
	}
}
