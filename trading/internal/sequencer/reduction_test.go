package sequencer

import (
	"slices"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/router"
)

// silent is a gate whose Risk Service does not answer. It hears what it is told.
type silent struct {
	asked int
	told  []engine.PretradeEvent
}

func (s *silent) Ask(checks []engine.PretradeCheck) []gate.Decision {
	s.asked += len(checks)
	decisions := make([]gate.Decision, len(checks))
	for i := range checks {
		decisions[i].OrderDecision = &engine.OrderDecision{OrdRejReason: engine.RejRiskUnavailable, RejectedBy: engine.ByRisk}
	}
	return decisions
}

func (s *silent) Tell(events []engine.PretradeEvent) { s.told = append(s.told, events...) }

// A replace that only lowers the quantity needs nobody's leave: it goes out whatever has failed or been
// stopped, and the Risk Service is told once the order has less.
func TestReductionsAlwaysWork(t *testing.T) {
	for name, stop := range map[string]engine.Input{
		"nothing":       nil,
		"halted":        &engine.TradingStateChange{TradingState: engine.Halted, ChangedBy: "me", Reason: "test"},
		"cancel only":   &engine.TradingStateChange{TradingState: engine.CancelOnly, ChangedBy: "me", Reason: "test"},
		"a kill switch": &engine.KillSwitchChange{Engaged: true, ChangedBy: "me", Reason: "test"},
	} {
		b := newBench(t)
		b.process(order("a", 100))
		b.process(&engine.VenueReport{Venue: "X", OrderID: 4, ExecType: engine.ExecNew})
		risk := &silent{}
		b.sequencer.gate = risk
		if stop != nil {
			b.process(stop)
		}
		if order := b.engine.Order(4); order.OrdStatus() == engine.StatusPendingCancel { // The venue did not cancel it.
			b.process(&engine.VenueReport{Venue: "X", OrderID: 4, ExecType: engine.ExecCancelRejected, CxlRejReason: engine.CxlVenue})
		}
		risk.told = nil
		output := b.process(replace("a", "less", 60))
		if got, want := outcomes(output), []string{"less 13 0"}; !slices.Equal(got, want) || risk.asked != 0 || len(risk.told) != 0 {
			t.Fatalf("%s: got %q after %d questions, told %+v; want %q without any", name, got, risk.asked, risk.told, want)
		}
		sent := output.Routes[0].Replace
		if sent == nil || sent.Approved.OrderID() != 4 || sent.Approved.NewOrder().OrderQty != 60 {
			t.Errorf("%s: sent %+v, want order 4 with 60", name, output.Routes)
		}
		b.process(&engine.VenueReport{Venue: "X", OrderID: 4, ExecType: engine.ExecReplaced, OrderQty: 60})
		if len(risk.told) != 1 || risk.told[0].Restated == nil || risk.told[0].Restated.LeavesQty != 60 {
			t.Errorf("%s: told %+v, want that 60 are held", name, risk.told)
		}
		for _, more := range []*engine.ReplaceDecision{replace("less", "more", 61), replace("less", "same", 60), replace("less", "elsewhere", 40)} {
			if more.Replace.ClOrdID == "elsewhere" {
				more.Replace.Price = 1005
			}
			if ack := b.process(more).Results[0].Ack; ack.ExecType != engine.ExecCancelRejected || ack.OrdRejReason == 0 {
				t.Errorf("%s: %s passes without risk: %+v", name, more.Replace.ClOrdID, ack)
			}
		}
	}
}

// By how much a replace reduces depends on the commands before it in its batch.
func TestAReductionMeetsTheCommandsBeforeIt(t *testing.T) {
	held := func() *engine.OrderDecision {
		o := order("a", 100)
		o.NewOrder.OrdType, o.NewOrder.Price, o.NewOrder.HasPrice = engine.Stop, 0, false
		o.NewOrder.StopPx, o.NewOrder.HasStopPx = 1100, true
		return o
	}
	change := func(name string, qty int64) *engine.ReplaceDecision {
		return &engine.ReplaceDecision{Replace: engine.ReplaceOrder{ClOrdID: name, OrigClOrdID: "a", Account: "A", OrderQty: qty, StopPx: 1100, HasStopPx: true}}
	}
	b, a := newAsked(t)
	b.process(held())
	a.asked = nil
	output := b.process(change("b", 50), change("c", 80), change("d", 40), cancel("a"), change("e", 20))
	if got, want := outcomes(output), []string{"b 9 0", "c 9 0", "d 9 0", "cancel a 4 0", "e 8 1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var asked []string
	for _, checks := range a.asked {
		for _, c := range checks {
			asked = append(asked, c.NewOrder.ClOrdID)
		}
	}
	if want := []string{"c"}; !slices.Equal(asked, want) {
		t.Errorf("risk was asked about %q, want %q: 80 are more than the 50 before it", asked, want)
	}
}

// What a venue lacks it lacks for reductions too.
func TestAReductionNeedsAVenueThatReplaces(t *testing.T) {
	b := newBench(t)
	b.process(order("a", 100))
	b.sequencer.AskVenues(func(string) (router.Capabilities, bool) { return router.Capabilities{}, true })
	if ack := b.process(replace("a", "b", 50)).Results[0].Ack; ack.Text != "replace_order: the venue replaces no orders" {
		t.Errorf("got %+v", ack)
	}
}
