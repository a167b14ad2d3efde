package engine

import (
	"fmt"
	"testing"
)

// checkPosition plays fills "side qty@px" and holds "net cost realized cash" against want.
func checkPosition(t *testing.T, definition Instrument, fills [][3]int64, want string) {
	t.Helper()
	w := newWorld(t, definition)
	for n, f := range fills {
		side := Buy
		if f[0] < 0 {
			side = Sell
		}
		w.must(w.fillReport(w.order(fmt.Sprint(n), side, f[1]), f[1], f[2]))
	}
	state, _ := w.engine.Account("A")
	p := state.Positions[0]
	if got := fmt.Sprintf("%d %s %s %s", p.NetQty, p.Cost.Amount, p.RealizedPnl.Amount, state.Balances[0].Amount); got != want {
		t.Errorf("%v: got %q, want %q", fills, got, want)
	}
}

func TestAverageCost(t *testing.T) {
	s := stock("ACME.X")
	checkPosition(t, s, [][3]int64{{1, 10, 1000}, {1, 10, 2000}}, "20 300 0 700")
	checkPosition(t, s, [][3]int64{{1, 10, 1000}, {1, 10, 2000}, {-1, 5, 2000}}, "15 225 25 800")
	checkPosition(t, s, [][3]int64{{1, 10, 1000}, {-1, 10, 900}}, "0 0 -10 990")
	checkPosition(t, s, [][3]int64{{-1, 10, 1000}, {1, 4, 800}}, "-6 -60 8 1068")
	// Through zero: what closes realises, the rest opens at its own price.
	checkPosition(t, s, [][3]int64{{1, 10, 1000}, {-1, 15, 1200}}, "-5 -60 20 1080")
	// A third of 10.00 is no multiple of 10^-18: rounded half-even, and nothing is left at the end.
	checkPosition(t, s, [][3]int64{{1, 3, 333}, {-1, 1, 333}, {-1, 1, 333}, {-1, 1, 333}}, "0 0 0 1000")
	checkPosition(t, s, [][3]int64{{1, 1, 500}, {1, 2, 250}, {-1, 1, 0 + 400}},
		"2 6.666666666666666667 0.666666666666666667 994")
}

func TestFutureSettlesWhatItRealises(t *testing.T) {
	f := stock("ACME.X")
	f.Class, f.Multiplier = Future, Decimal{50, 0}
	checkPosition(t, f, [][3]int64{{1, 2, 1000}}, "2 1000 0 1000")
	checkPosition(t, f, [][3]int64{{1, 2, 1000}, {-1, 1, 1010}}, "1 500 5 1005")
	checkPosition(t, f, [][3]int64{{-1, 1, 1000}, {1, 1, 1010}}, "0 0 -5 995")
}

func TestFeesAndEquity(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	fill := w.fillReport(id, 10, 1000)
	fill.Commission = usd(t, 2)
	w.must(fill)
	check := func(want string) {
		t.Helper()
		state, _ := w.engine.Account("A")
		equity := "none"
		if state.HasEquity {
			equity = state.Equity.Amount.String()
		}
		p := state.Positions[0]
		if got := fmt.Sprintf("cash %s fees %s equity %s", state.Balances[0].Amount, p.Fees.Amount, equity); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check("cash 898 fees 2 equity none") // the position has no mark
	w.must(&Mark{InstrumentID: "ACME.X", MarkPx: 1100})
	check("cash 898 fees 2 equity 1008")
	if state, _ := w.engine.Account("A"); state.Positions[0].UnrealizedPnl.String() != "10 USD" {
		t.Errorf("unrealised: %s", state.Positions[0].UnrealizedPnl)
	}
	// A fee in another asset moves that asset; there is no rate to value it at.
	other := w.fillReport(w.order("2", Buy, 1), 1, 1000)
	other.Commission = Money{"BNB", usd(t, 1).Amount}
	w.must(other)
	state, _ := w.engine.Account("A")
	if len(state.Balances) != 2 || state.Balances[0].String() != "-1 BNB" || state.HasEquity {
		t.Errorf("after a fee in BNB: %+v", state)
	}
}

func TestFutureEquity(t *testing.T) {
	f := stock("ACME.X")
	f.Class, f.Multiplier = Future, Decimal{50, 0}
	w := newWorld(t, f)
	w.must(w.fillReport(w.order("1", Sell, 2), 2, 1000))
	w.must(&Mark{InstrumentID: "ACME.X", MarkPx: 1010})
	if state, _ := w.engine.Account("A"); state.Equity.String() != "990 USD" || state.Positions[0].UnrealizedPnl.String() != "-10 USD" {
		t.Errorf("short 2 at 10.00, marked at 10.10, 50 a point: %+v", state)
	}
}
