package engine

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// refusedBy is why a new order would be refused: "none", or the number of the reason and who is bound.
func (w *world) refusedBy(change func(*NewOrder)) string {
	order := NewOrder{ClOrdID: "new", Account: "A", StrategyID: "S", InstrumentID: "ACME.X", Side: Buy, OrdType: Market, TimeInForce: GTC, OrderQty: 1}
	change(&order)
	refusal := w.engine.Validate(&order)
	if refusal == nil {
		return "none"
	}
	return fmt.Sprint(refusal.OrdRejReason, " ", refusal.Text)
}

func asIs(*NewOrder) {}

func TestTradingStatesByScope(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	other := stock("ACME.Y")
	w.must(&other)
	check := func(want string, change func(*NewOrder)) {
		t.Helper()
		if got := w.refusedBy(change); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	w.must(&TradingStateChange{Scope: TradingScope{Venue: "X"}, TradingState: CancelOnly})
	check("16 trading_state: CANCEL_ONLY for venue:X", asIs)
	check("none", func(o *NewOrder) { o.InstrumentID = "ACME.Y" })
	w.must(&TradingStateChange{Scope: TradingScope{Account: "A", StrategyID: "S"}, TradingState: Halted})
	check("15 trading_state: HALTED for account:A,strategy:S", asIs)
	check("16", func(o *NewOrder) { o.StrategyID = "T" })
	// Whether an order reduces is for risk to say.
	w.must(&TradingStateChange{Scope: TradingScope{Account: "A", StrategyID: "S"}, TradingState: Reducing})
	w.must(&TradingStateChange{Scope: TradingScope{Venue: "X"}, TradingState: Active})
	check("none", asIs)
	w.must(&TradingStateChange{TradingState: Halted})
	check("15 trading_state: HALTED for firm", func(o *NewOrder) { o.InstrumentID = "ACME.Y" })
	states := w.engine.PretradeSnapshot().TradingStates
	if len(states) != 2 || states[0].Scope != (TradingScope{}) || states[1].TradingState != Reducing {
		t.Errorf("the gate is told of %+v", states)
	}
	for want, change := range map[string]*TradingStateChange{
		"trading_state: must be ACTIVE":                {TradingState: 0},
		`scope.account: unknown account "B"`:           {TradingState: Halted, Scope: TradingScope{Account: "B"}},
		`scope.instrument_id: unknown instrument "B"`:  {TradingState: Halted, Scope: TradingScope{InstrumentID: "B"}},
		`scope.venue: no instrument is of venue "ACM"`: {TradingState: Halted, Scope: TradingScope{Venue: "ACM"}},
	} {
		if err := w.try(change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

func TestKillSwitchCancelsAndLatches(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	first, second := w.order("1", Buy, 10), w.order("2", Sell, 10)
	w.must(&CancelOrder{ClOrdID: "c", OrigClOrdID: "2", Account: "A"})
	third := w.order("3", Buy, 10)
	kill := &KillSwitchChange{Scope: TradingScope{Account: "A"}, Engaged: true, ChangedBy: "me", Reason: "test"}
	w.must(kill)
	var routed []uint64
	for _, r := range w.effects.Routes {
		routed = append(routed, r.OrderID)
	}
	if want := []uint64{first, third}; fmt.Sprint(routed) != fmt.Sprint(want) {
		t.Errorf("cancels of orders %v were routed, want %v: a cancel of %d is on its way", routed, want, second)
	}
	w.check(first, "PENDING_CANCEL 0 10")
	if got := w.refusedBy(asIs); !strings.HasPrefix(got, "14 kill_switch: engaged for account:A") {
		t.Errorf("a new order: %s", got)
	}
	if w.effects.Pretrade[0].KillSwitch != kill || len(w.engine.PretradeSnapshot().KillSwitches) != 1 {
		t.Error("risk is not told")
	}
	// A cancel works all the same, and the venue's answers count.
	w.must(w.status(first, ExecCancelRejected))
	w.must(&CancelOrder{ClOrdID: "c1", OrigClOrdID: "1", Account: "A"})
	w.must(w.status(first, ExecCanceled))
	w.check(first, "CANCELED 0 0")

	release := *kill
	release.Engaged = false
	w.must(&release)
	if got := w.refusedBy(asIs); got != "none" || len(w.engine.KillSwitches()) != 0 {
		t.Errorf("after the release: %s, %v", got, w.engine.KillSwitches())
	}
	if err := w.try(&release); !errors.Is(err, ErrNothingNew) {
		t.Errorf("released again: %v", err)
	}
}

func TestNothingIsSentWhereTradingIsHalted(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	resting := w.order("1", Buy, 10)
	w.must(w.status(resting, ExecNew))
	w.must(&OrderDecision{Approved: true, NewOrder: NewOrder{ClOrdID: "2", Account: "A", InstrumentID: "ACME.X", Side: Buy,
		OrdType: Stop, TimeInForce: GTC, OrderQty: 10, StopPx: 5100, HasStopPx: true}})
	stop := w.engine.Sequence()
	w.must(&TradingStateChange{Scope: TradingScope{InstrumentID: "ACME.X"}, TradingState: Halted})
	replace := func(qty, px int64) *ReplaceRefusal {
		_, _, refusal := w.engine.ValidateReplace(&ReplaceOrder{ClOrdID: "r", OrigClOrdID: "1", Account: "A", OrderQty: qty, Price: px, HasPrice: true})
		return refusal
	}
	for _, c := range [][2]int64{{11, 5000}, {9, 5001}} {
		if refusal := replace(c[0], c[1]); refusal == nil || refusal.CxlRejReason != CxlRefused || refusal.OrdRejReason != RejStateHalted {
			t.Errorf("replaced by %d at %d: %+v, want STATE_HALTED", c[0], c[1], refusal)
		}
	}
	if refusal := replace(9, 5000); refusal != nil {
		t.Errorf("a replace that only reduces: %+v", refusal)
	}
	w.must(&Triggered{OrderID: stop, Price: 5100})
	w.check(stop, "CANCELED 0 0")
	if text := w.engine.Order(stop).LastReport.Text; len(w.effects.Routes) != 0 || text != "trading_state: HALTED for instrument:ACME.X" {
		t.Errorf("a stop that triggered: %q, and routed %+v", text, w.effects.Routes)
	}
}
