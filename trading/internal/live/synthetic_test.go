package live

import (
	"context"
	"errors"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/flow"
)

const btc = "BTCUSD.SIM"

// synthetic opens a session in a market without data on the journal, hands it to do, and closes all.
func synthetic(t *testing.T, path string, do func(*running)) {
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
	s, err := New(Config{
		Account: account, InitialCash: engine.Money{Currency: "USD", Amount: cash}, RiskTimeout: 10 * time.Second,
		Synthetic: &flow.Config{Markets: flow.Markets(), Seed: 1},
	}, nil, risk, kept)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if err := s.Gate.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(&running{Session: s, t: t})
	stop()
	if err := errors.Join(<-done, s.Close(), kept.Close()); err != nil {
		t.Fatal(err)
	}
}

// quoted waits for a quote of BTCUSD with both sides.
func (r *running) quoted() market.Row {
	r.t.Helper()
	rows := r.Replay.Subscribe(4096)
	defer rows.Close()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case batch := <-rows.Rows:
			for i := range batch {
				if row := batch[i]; row.Kind == market.Quote && row.Instrument == 1 && row.HasBid && row.HasAsk {
					if row.BidPx >= row.AskPx {
						r.t.Fatalf("crossed: %+v", row)
					}
					return row
				}
			}
		case <-deadline:
			r.t.Fatal("no quotes in ten seconds")
		}
	}
}

func (r *running) state() (s engine.AccountState) {
	r.t.Helper()
	if err := r.Sequencer.Query(r.t.Context(), func(e *engine.Engine) { s, _ = e.Account(account) }); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func limit(name string, side engine.Side, qty, price int64) engine.Input {
	return &engine.OrderDecision{NewOrder: engine.NewOrder{
		ClOrdID: name, Account: account, InstrumentID: btc, Side: side, OrdType: engine.Limit, TimeInForce: engine.GTC,
		OrderQty: qty, Price: price, HasPrice: true,
	}}
}

// An order that crosses fills, one that rests works until its cancel; after a restart the position is there
// to be sold, the order that rested is gone, and what the new exchange reports is told from the old one's.
func TestASyntheticMarketTradesAndRestarts(t *testing.T) {
	path := t.TempDir()
	synthetic(t, path, func(r *running) {
		ask := r.quoted().AskPx
		r.submit(limit("buy", engine.Buy, 1, ask+60_000))
		r.expect("pending new trade")
		r.submit(limit("rests", engine.Buy, 1, 100))
		r.expect("pending new trade pending new")
		r.submit(&engine.CancelOrder{Account: account, ClOrdID: "cancel", OrigClOrdID: "rests"})
		r.expect("pending new trade pending new pending-cancel canceled")
		r.submit(limit("lost", engine.Buy, 1, 100))
		r.expect("pending new trade pending new pending-cancel canceled pending new")
		if held := r.state().Positions; len(held) != 1 || held[0].NetQty != 1 {
			t.Errorf("held %+v, want 1", held)
		}
	})
	synthetic(t, path, func(r *running) {
		before := "pending new trade pending new pending-cancel canceled pending new canceled"
		r.expect(before)
		bid := r.quoted().BidPx
		r.submit(limit("sell", engine.Sell, 1, bid-60_000))
		r.expect(before + " pending new trade")
		if held := r.state().Positions; len(held) != 1 || held[0].NetQty != 0 {
			t.Errorf("held %+v, want none", held)
		}
		// It has nothing left to sell, and nothing is lent.
		r.submit(limit("short", engine.Sell, 1, bid))
		r.expect(before + " pending new trade pending rejected")
	})
}
