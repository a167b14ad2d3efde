package sequencer

import (
	"fmt"
	"slices"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/market"
)

// asker remembers what the gate was asked.
type asker struct {
	Gate
	asked [][]engine.PretradeCheck
}

func (a *asker) Ask(checks []engine.PretradeCheck) []gate.Decision {
	a.asked = append(a.asked, slices.Clone(checks))
	return a.Gate.Ask(checks)
}

func newAsked(t *testing.T) (*bench, *asker) {
	b := newBench(t)
	a := &asker{Gate: b.gate}
	b.sequencer.gate = a
	return b, a
}

func list(name string, orders ...*engine.OrderDecision) *engine.OrderListDecision {
	l := engine.NewOrderList{ListID: name, Account: "A", ContingencyType: engine.OCO}
	for _, o := range orders {
		l.Orders = append(l.Orders, o.NewOrder)
	}
	return &engine.OrderListDecision{List: l}
}

func replace(orig, name string, qty int64) *engine.ReplaceDecision {
	return &engine.ReplaceDecision{Replace: engine.ReplaceOrder{ClOrdID: name, OrigClOrdID: orig, Account: "A", OrderQty: qty, Price: 1000, HasPrice: true}}
}

// outcomes are the acknowledgements, "name exec_type reason".
func outcomes(output Output) []string {
	var all []string
	for _, r := range output.Results {
		all = append(all, fmt.Sprintf("%s %d %d", r.Ack.ClOrdID, r.Ack.ExecType, r.Ack.CxlRejReason))
	}
	return all
}

func TestOrdersListsAndReplacesAreOneQuestion(t *testing.T) {
	b, a := newAsked(t)
	b.process(order("a", 100))
	a.asked = nil
	output := b.process(order("b", 100), list("l", order("l1", 100), order("l2", 200)), replace("a", "a2", 150), cancel("b"), order("c", 100))
	var asked []string
	for _, checks := range a.asked {
		for _, c := range checks {
			asked = append(asked, fmt.Sprintf("%d of %d, list of %d, replaces %t: %s", c.OrderID>>56, c.OrderID&(1<<56-1), c.ListOrders, c.Replaces, c.NewOrder.ClOrdID))
		}
	}
	want := []string{
		"0 of 5, list of 0, replaces false: b", "0 of 6, list of 2, replaces false: l1", "1 of 6, list of 0, replaces false: l2",
		"0 of 4, list of 0, replaces true: a2", "0 of 9, list of 0, replaces false: c",
	}
	if len(a.asked) != 1 || !slices.Equal(asked, want) {
		t.Errorf("%d questions: %q, want one: %q", len(a.asked), asked, want)
	}
	if got, want := outcomes(output), []string{"b 1 0", "l 1 0", "a2 13 0", "cancel b 7 0", "c 1 0"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	var sent []uint64
	for _, r := range output.Routes {
		switch {
		case r.Cancel != nil:
			sent = append(sent, r.Cancel.OrderID)
		case r.Replace != nil:
			sent = append(sent, r.Replace.Approved.OrderID())
		default:
			sent = append(sent, r.Approved.OrderID())
		}
	}
	if want := []uint64{5, 6, 6 + 1<<56, 4, 5, 9}; !slices.Equal(sent, want) {
		t.Errorf("sent %d, want %d", sent, want)
	}
}

func TestCommandsOfOneBatchMeetEachOther(t *testing.T) {
	for name, c := range map[string]struct {
		inputs []engine.Input
		want   []string
	}{
		"a replace follows its order": {[]engine.Input{order("a", 100), replace("a", "b", 150)}, []string{"a 1 0", "b 13 0"}},
		"two replaces of one order":   {[]engine.Input{order("a", 100), replace("a", "b", 150), replace("a", "c", 160)}, []string{"a 1 0", "b 13 0", "c 8 3"}},
		"a replace after a cancel":    {[]engine.Input{order("a", 100), order("x", 100), cancel("a"), replace("a", "b", 150)}, []string{"a 1 0", "x 1 0", "cancel a 7 0", "b 8 3"}},
		"a cancel after a replace":    {[]engine.Input{order("a", 100), replace("a", "b", 150), cancel("b")}, []string{"a 1 0", "b 13 0", "cancel b 7 0"}},
		"the same replace twice":      {[]engine.Input{order("a", 100), replace("a", "b", 150), replace("a", "b", 150)}, []string{"a 1 0", "b 13 0", "b 13 0"}},
		"the same list twice":         {[]engine.Input{list("l", order("a", 100), order("b", 100)), list("l", order("a", 100), order("b", 100))}, []string{"l 1 0", "l 1 0"}},
		"a mass cancel in between":    {[]engine.Input{order("a", 100), &engine.MassCancelOrders{ClOrdID: "m", Account: "A"}, order("b", 100)}, []string{"a 1 0", "m 7 0", "b 1 0"}},
	} {
		b := newBench(t)
		if got := outcomes(b.process(c.inputs...)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What the engine was told of an order since its replace was put into the run: the order is as it was.
func TestReplaceOfAnOrderThatARunCancels(t *testing.T) {
	b := newBench(t)
	b.process(order("a", 100))
	output := b.process(cancel("a"), replace("a", "b", 150))
	if got, want := outcomes(output), []string{"cancel a 7 0", "b 8 3"}; !slices.Equal(got, want) || len(output.Routes) != 1 {
		t.Errorf("%q and %d routes, want %q and the cancel", got, len(output.Routes), want)
	}
}

func TestAListMayReduceWhatTheOrdersBeforeItLeave(t *testing.T) {
	b := newBench(t)
	b.process(&engine.Adjustment{Account: "A", InstrumentID: "ACME.X", Qty: 100, Price: 1000, Reason: "held"})
	reduce := func(name string) *engine.OrderDecision {
		o := order(name, 60)
		o.NewOrder.Side, o.NewOrder.ExecInsts = engine.Sell, engine.ReduceOnly
		return o
	}
	output := b.process(reduce("a"), list("l", reduce("l1"), reduce("l2")))
	if ack := output.Results[1].Ack; ack.OrdRejReason != engine.RejReduceOnly || ack.RejectedBy != engine.ByEngine {
		t.Errorf("refused for %d by %d, want %d by %d", ack.OrdRejReason, ack.RejectedBy, engine.RejReduceOnly, engine.ByEngine)
	}
}

func TestOrdersOfARequestAreAddedUp(t *testing.T) {
	b, a := newAsked(t)
	b.sampler.Observe(&market.Row{Kind: market.Trade, TradePx: 1000})
	atMarket := order("c", 100)
	atMarket.NewOrder.OrdType, atMarket.NewOrder.Price, atMarket.NewOrder.HasPrice = engine.Market, 0, false
	if _, err := b.sequencer.Process([]engine.Input{order("a", 100), order("b", 200), atMarket}, []engine.Input{order("d", 100)}); err != nil {
		t.Fatal(err)
	}
	for i, check := range a.asked[0] {
		orders, notional := uint32(3), "400000" // 400 at 10.00, in the smallest unit
		if i == 3 {
			orders, notional = 0, ""
		}
		got := ""
		if check.BatchNotional != nil {
			whole := check.BatchNotional.Mantissa
			for range check.BatchNotional.Scale - 2 {
				whole /= 10
			}
			got = fmt.Sprint(whole)
		}
		if check.BatchOrders != orders || got != notional {
			t.Errorf("%s: %d orders worth %s cents, want %d worth %s", check.NewOrder.ClOrdID, check.BatchOrders, got, orders, notional)
		}
	}
}

// An approval is a type that only the gate makes: a decision alone lets nothing out.
func TestDecisionWithoutAnApprovalSendsNothing(t *testing.T) {
	b := newBench(t)
	b.sequencer.gate = pretender{}
	output := b.process(order("a", 100))
	if output.Results[0].Ack.ExecType != engine.ExecPendingNew || len(output.Routes) != 1 || output.Routes[0].Approved != (gate.Approved{}) {
		t.Errorf("%+v, want a route that approves nothing", output.Routes)
	}
}

type pretender struct{}

func (pretender) Ask(checks []engine.PretradeCheck) []gate.Decision {
	decisions := make([]gate.Decision, len(checks))
	for i := range checks {
		decisions[i].OrderDecision = &engine.OrderDecision{Approved: true}
	}
	return decisions
}

func (pretender) Tell([]engine.PretradeEvent) {}

// The market is watched for what waits, after a restart too.
func TestWhatWaitsIsWatched(t *testing.T) {
	b := newBench(t)
	stop := order("s", 100)
	stop.NewOrder.OrdType, stop.NewOrder.Price, stop.NewOrder.HasPrice = engine.TrailingStop, 0, false
	stop.NewOrder.Side, stop.NewOrder.TrailingAmount = engine.Sell, 50
	b.process(stop)
	b.process(b.sampler.Observe(&market.Row{Kind: market.Trade, TradePx: 1000})...)
	restarted := NewSampler([]string{"ACME.X"})
	New(b.clock, b.engine, b.gate, b.journal, restarted)
	for _, s := range []*Sampler{b.sampler, restarted} {
		if seen := s.Observe(&market.Row{Kind: market.Trade, TradePx: 951}); len(seen) != 0 {
			t.Errorf("951 is above the trigger of 950, got %+v", seen[0])
		}
		seen := s.Observe(&market.Row{Kind: market.Trade, TradePx: 950, MdSequence: 7})
		if want := (engine.Triggered{OrderID: 4, MDSequence: 7, Price: 950}); len(seen) != 1 || *seen[0].(*engine.Triggered) != want {
			t.Errorf("got %+v, want %+v", seen, want)
		}
		if again := s.Observe(&market.Row{Kind: market.Trade, TradePx: 940}); len(again) != 0 {
			t.Errorf("a trigger was told twice: %+v", again)
		}
	}
}

func TestTheFinestRowsTrigger(t *testing.T) {
	quote := market.Row{Kind: market.Quote, HasBid: true, BidPx: 90, HasAsk: true, AskPx: 110}
	traded := market.Row{Kind: market.BookOrder, BookPx: 90, BookFlags: market.BookTraded}
	for name, c := range map[string]struct {
		rows []market.Row
		side engine.Side
		want string
	}{
		"a bar":                     {[]market.Row{{Kind: market.Bar, OpenPx: 100, LowPx: 90, HighPx: 100}}, engine.Sell, "90"},
		"a bar that opens beyond":   {[]market.Row{{Kind: market.Bar, OpenPx: 85, LowPx: 80, HighPx: 85}}, engine.Sell, "85"},
		"the bid":                   {[]market.Row{quote}, engine.Sell, "90"},
		"not the ask":               {[]market.Row{{Kind: market.Quote, HasAsk: true, AskPx: 80}}, engine.Sell, ""},
		"the ask":                   {[]market.Row{quote}, engine.Buy, "110"},
		"no quote after a trade":    {[]market.Row{{Kind: market.Trade, TradePx: 100}, quote}, engine.Sell, ""},
		"no bar after a quote":      {[]market.Row{{Kind: market.Quote, HasBid: true, BidPx: 100}, {Kind: market.Bar, LowPx: 80}}, engine.Sell, ""},
		"an empty quote is no news": {[]market.Row{{Kind: market.Quote}, {Kind: market.Bar, OpenPx: 100, LowPx: 90}}, engine.Sell, "90"},
		"a recorded order's trade":  {[]market.Row{traded}, engine.Sell, "90"},
		"an order that came":        {[]market.Row{{Kind: market.BookOrder, BookPx: 90}}, engine.Sell, ""},
	} {
		s := NewSampler([]string{"I.X"})
		s.Watch([]engine.Watch{{OrderID: 1, InstrumentID: "I.X", Side: c.side, StopPx: map[engine.Side]int64{engine.Sell: 90, engine.Buy: 110}[c.side], HasStopPx: true}}, nil)
		got := ""
		for i := range c.rows {
			for _, input := range s.Observe(&c.rows[i]) {
				got += fmt.Sprint(input.(*engine.Triggered).Price)
			}
		}
		if got != c.want {
			t.Errorf("%s: triggered at %q, want %q", name, got, c.want)
		}
	}
}
