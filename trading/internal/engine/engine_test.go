package engine

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// stock has cents and whole shares, and no fees of its own: fees come with the fills.
func stock(id string) Instrument {
	return Instrument{
		InstrumentID: id, Version: 1, Class: Equity, BaseCurrency: "ACME", QuoteCurrency: "USD", PriceScale: 2,
		PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: Decimal{1, 0},
	}
}

// world is an engine under test that stamps events by itself.
type world struct {
	t       *testing.T
	engine  *Engine
	effects Effects // of the last event
	execs   int
	passed  int64 // before the next event
}

func newWorld(t *testing.T, definition Instrument) *world {
	w := &world{t: t, engine: New()}
	w.must(&definition)
	w.must(&AccountOpened{Account: "A", BaseCurrency: "USD"})
	w.must(&Adjustment{Account: "A", Cash: usd(t, 1000)})
	return w
}

func usd(t *testing.T, units int64) Money {
	amount, err := NewAmount(units, 0)
	if err != nil {
		t.Fatal(err)
	}
	return Money{"USD", amount}
}

func (w *world) try(input Input) error {
	w.effects = Effects{}
	passed := w.passed
	w.passed = 0
	return w.engine.Apply(Event{Sequence: w.engine.Sequence() + 1, TransactTime: w.engine.Now() + 1 + passed, Input: input}, &w.effects)
}

// later lets time pass before the next event.
func (w *world) later(ns int64) { w.passed = ns }

func (w *world) must(input Input) {
	w.t.Helper()
	if err := w.try(input); err != nil {
		w.t.Fatalf("%+v: %v", input, err)
	}
}

// order gives the id of a limit order that the gate approved.
func (w *world) order(name string, side Side, qty int64) uint64 {
	w.t.Helper()
	w.must(&OrderDecision{Approved: true, NewOrder: NewOrder{ClOrdID: name, Account: "A", InstrumentID: "ACME.X", Side: side,
		OrdType: Limit, TimeInForce: GTC, OrderQty: qty, Price: 5000, HasPrice: true}})
	return w.engine.Sequence()
}

func (w *world) fillReport(id uint64, qty, px int64) *VenueReport {
	w.execs++
	return &VenueReport{Venue: "X", OrderID: id, ExecType: ExecTrade, ExecID: fmt.Sprint(w.execs), LastQty: qty, LastPx: px}
}

func (w *world) status(id uint64, execType ExecType) *VenueReport {
	return &VenueReport{Venue: "X", OrderID: id, ExecType: execType, VenueOrderID: "V1"}
}

// check holds the order, as the last report gives it, against "status cum leaves".
func (w *world) check(id uint64, want string) {
	w.t.Helper()
	o := w.engine.Order(id)
	got := fmt.Sprintf("%s %d %d", statusNames[o.OrdStatus()], o.CumQty, o.LeavesQty())
	if got != want {
		w.t.Errorf("order %d is %q, want %q", id, got, want)
	}
	if r := o.LastReport; r.OrdStatus != o.OrdStatus() || r.CumQty != o.CumQty || r.LeavesQty != o.LeavesQty() {
		w.t.Errorf("the last report of order %d says otherwise: %+v", id, r)
	}
}

var statusNames = []string{"?", "PENDING_NEW", "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "REJECTED", "EXPIRED", "PENDING_CANCEL", "PENDING_REPLACE", "SUSPENDED", "IN_DOUBT"}

func TestOrderLifeCycle(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	w.check(id, "PENDING_NEW 0 10")
	w.must(w.status(id, ExecNew))
	w.check(id, "NEW 0 10")
	w.must(w.fillReport(id, 4, 5000))
	w.check(id, "PARTIALLY_FILLED 4 6")
	w.must(&CancelOrder{ClOrdID: "c", OrigClOrdID: "1", Account: "A"})
	w.check(id, "PENDING_CANCEL 4 6")
	w.must(w.fillReport(id, 1, 5000))
	w.check(id, "PENDING_CANCEL 5 5")
	w.must(w.status(id, ExecCancelRejected))
	w.check(id, "PARTIALLY_FILLED 5 5")
	w.must(&CancelOrder{ClOrdID: "c2", OrigClOrdID: "1", Account: "A"})
	w.must(w.status(id, ExecCanceled))
	w.check(id, "CANCELED 5 0")
	if len(w.effects.Pretrade) != 1 || w.effects.Pretrade[0].Release == nil || w.effects.Pretrade[0].Release.OrderID != id {
		t.Errorf("a cancel must release the hold, told %+v", w.effects.Pretrade)
	}
	// A fill that the venue made before the cancel and told after it counts all the same.
	w.must(w.fillReport(id, 2, 5000))
	w.check(id, "CANCELED 7 0")
	w.must(w.fillReport(id, 3, 5000))
	w.check(id, "FILLED 10 0")
	if state, _ := w.engine.Account("A"); state.Positions[0].NetQty != 10 || state.Balances[0].String() != "500 USD" {
		t.Errorf("after 10 at 50.00 of 1000 USD: %+v", state)
	}
}

func TestOrderEndings(t *testing.T) {
	for _, c := range []struct {
		execType ExecType
		want     string
	}{{ExecRejected, "REJECTED 0 0"}, {ExecExpired, "EXPIRED 0 0"}, {ExecCanceled, "CANCELED 0 0"}} {
		w := newWorld(t, stock("ACME.X"))
		id := w.order("1", Sell, 10)
		w.must(w.status(id, c.execType))
		w.check(id, c.want)
		if w.engine.OpenOrders() != 0 {
			t.Errorf("%s: %d orders are open", c.want, w.engine.OpenOrders())
		}
		for _, late := range []ExecType{ExecNew, ExecCanceled, ExecExpired, ExecRejected, ExecCancelRejected} {
			if err := w.try(w.status(id, late)); !errors.Is(err, ErrNothingNew) {
				t.Errorf("%s: exec type %d after the end: %v, want ErrNothingNew", c.want, late, err)
			}
		}
	}
}

func TestCancelThatCrossesTheFillIsAnswered(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	w.must(&CancelOrder{ClOrdID: "c", OrigClOrdID: "1", Account: "A"})
	w.must(w.fillReport(id, 10, 5000))
	w.must(w.status(id, ExecCancelRejected))
	w.check(id, "FILLED 10 0")
	if len(w.effects.Pretrade) != 0 {
		t.Errorf("risk was told %+v of a refused cancel", w.effects.Pretrade)
	}
}

func TestFillsAreCountedOnce(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	fill := w.fillReport(id, 4, 5000)
	w.must(fill)
	before := w.engine.StateHash()
	if err := w.try(fill); !errors.Is(err, ErrNothingNew) {
		t.Fatalf("the same fill again: %v, want ErrNothingNew", err)
	}
	if w.engine.StateHash() != before {
		t.Error("a repeated fill changed the state")
	}
	w.check(id, "PARTIALLY_FILLED 4 6")
}

func TestCancelsThatAreRefused(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id, requests := w.order("1", Buy, 10), 0
	refused := func(orig string, want CxlRejReason) {
		t.Helper()
		requests++
		w.must(&CancelOrder{ClOrdID: fmt.Sprint("again ", requests), OrigClOrdID: orig, Account: "A"})
		r := w.effects.Reports[0]
		if r.ExecType != ExecCancelRejected || r.CxlRejReason != want || r.RejectedBy != ByEngine || len(w.effects.Routes) != 0 {
			t.Errorf("cancel of %q: %+v, want reason %d and nothing routed", orig, r, want)
		}
	}
	refused("2", CxlUnknownOrder)
	w.must(&CancelOrder{ClOrdID: "c", OrigClOrdID: "1", Account: "A"})
	refused("1", CxlAlreadyPending)
	w.must(w.status(id, ExecCanceled))
	refused("1", CxlTooLate)
}

func TestReportsOfAnAccountAreChained(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	last := uint64(0)
	for n := range 5 {
		w.order(fmt.Sprint(n), Buy, 1)
		w.must(&Mark{InstrumentID: "ACME.X", MarkPx: 5000 + int64(n)}) // has no report, and no place in the chain
		o := w.engine.OrderByName("A", fmt.Sprint(n))
		if o.LastReport.PrevSequence != last {
			t.Errorf("report %d names %d before it, want %d", o.LastReport.Sequence, o.LastReport.PrevSequence, last)
		}
		last = o.LastReport.Sequence
	}
}

func TestInvalidEventsChangeNothing(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	id := w.order("1", Buy, 10)
	w.must(&Adjustment{Account: "A", InstrumentID: "ACME.X", Qty: math.MaxInt64 - 5, Price: 0})
	before := w.engine.StateHash()
	huge, _ := NewAmount(math.MaxInt64, 0)
	noVenue := w.fillReport(id, 1, 5000)
	noVenue.Venue = "Y"
	noExec := w.fillReport(id, 1, 5000)
	noExec.ExecID = ""
	wrongVersion := stock("ACME.X")
	rescaled := stock("ACME.X")
	rescaled.Version, rescaled.PriceScale = 2, 3
	for name, c := range map[string]struct {
		input Input
		want  string
	}{
		"unknown order":       {w.status(99, ExecNew), "order_id: unknown order 99"},
		"other venue":         {noVenue, `venue: order 4 is at "X", got "Y"`},
		"fill without id":     {noExec, "exec_id"},
		"zero fill":           {w.fillReport(id, 0, 5000), "last_qty: must be positive, got 0"},
		"negative price":      {w.fillReport(id, 1, -1), "last_px: must be positive, got -1"},
		"position overflow":   {w.fillReport(id, 6, 5000), "net_qty"},
		"cash overflow":       {&Adjustment{Account: "A", Cash: Money{"USD", huge}}, "overflow"},
		"fee without unit":    {&VenueReport{Venue: "X", OrderID: id, ExecType: ExecTrade, ExecID: "f", LastQty: 1, LastPx: 1, Commission: Money{"", huge}}, "has no currency"},
		"unknown account":     {&Adjustment{Account: "B", Cash: usd(t, 1)}, `account: unknown account "B"`},
		"unknown instrument":  {&Mark{InstrumentID: "B", MarkPx: 1}, `instrument_id: unknown instrument "B"`},
		"mark of zero":        {&Mark{InstrumentID: "ACME.X", MarkPx: 0}, "mark_px: must be positive, got 0"},
		"second opening":      {&AccountOpened{Account: "A", BaseCurrency: "USD"}, `account: "A" is open already`},
		"version again":       {&wrongVersion, "version: must be 2, got 1"},
		"other scale":         {&rescaled, "may not change"},
		"limits out of turn":  {&LimitChange{RiskLimits: RiskLimits{Version: 2}}, "expected_version: must be 0, the version in force, got 1"},
		"name taken":          {&OrderDecision{Approved: true, NewOrder: NewOrder{ClOrdID: "1", Account: "A"}}, `cl_ord_id: "1" was used before`},
		"approved invalid":    {&OrderDecision{Approved: true, NewOrder: NewOrder{ClOrdID: "2", Account: "A"}}, "side: must be BUY or SELL"},
		"refused for nothing": {&OrderDecision{NewOrder: NewOrder{ClOrdID: "2", Account: "A"}}, "ord_rej_reason"},
		"nothing":             {nil, "input: unknown type"},
	} {
		err := w.try(c.input)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, c.want)
		}
		if len(w.effects.Reports)+len(w.effects.Routes)+len(w.effects.Pretrade) != 0 {
			t.Errorf("%s: has effects %+v", name, w.effects)
		}
		if w.engine.StateHash() != before {
			t.Fatalf("%s: changed the state", name)
		}
	}
	for _, event := range []Event{
		{Sequence: w.engine.Sequence(), TransactTime: w.engine.Now(), Input: &Mark{InstrumentID: "ACME.X", MarkPx: 1}},
		{Sequence: w.engine.Sequence() + 1, TransactTime: w.engine.Now() - 1, Input: &Mark{InstrumentID: "ACME.X", MarkPx: 1}},
	} {
		if err := w.engine.Apply(event, &w.effects); err == nil {
			t.Errorf("sequence %d at %d was taken", event.Sequence, event.TransactTime)
		}
	}
}

func TestRefusedOrdersAreKept(t *testing.T) {
	w := newWorld(t, stock("ACME.X"))
	refused := &OrderDecision{NewOrder: NewOrder{ClOrdID: "1", Account: "nobody"}, OrdRejReason: RejUnknownAccount, RejectedBy: ByEngine, Text: "no"}
	w.must(refused)
	first := w.engine.OrderByName("nobody", "1")
	if first == nil || first.OrdStatus() != StatusRejected || first.Outcome().ExecType != ExecRejected || first.Outcome().Text != "no" {
		t.Fatalf("got %+v", first)
	}
	refused.OrdRejReason = RejDuplicateOrder
	w.must(refused)
	if w.engine.OrderByName("nobody", "1") != first || w.engine.Order(w.engine.Sequence()).OrdRejReason != RejDuplicateOrder {
		t.Error("a refused second use must be kept, and leave the name to the first")
	}
	var ids []uint64
	w.engine.Orders("nobody", first.OrderID-1, func(o *Order) bool { ids = append(ids, o.OrderID); return true })
	if len(ids) != 2 || ids[0] != first.OrderID || ids[1] != first.OrderID+1 {
		t.Errorf("orders of the account: %v", ids)
	}
	if err := w.try(w.fillReport(first.OrderID, 1, 1)); err == nil {
		t.Error("an order that was never sent cannot be filled")
	}
}

// A refusal says what people say, whatever the scale of the instrument.
func TestRefusalsNameDecimals(t *testing.T) {
	for want, c := range map[string]struct {
		value int64
		scale uint32
	}{
		"0": {0, 8}, "7": {7, 0}, "-7": {-7, 0}, "0.001": {100_000, 8}, "0.00000005": {5, 8}, "-0.05": {-5, 2}, "12.5": {1250, 2}, "100": {10_000, 2},
		"-92233720368.54775808": {math.MinInt64, 8},
	} {
		if got := decimalText(c.value, c.scale); got != want {
			t.Errorf("%d of scale %d is %q, want %q", c.value, c.scale, got, want)
		}
	}
	definition := stock("ACME.X")
	definition.PriceIncrement, definition.QtyScale, definition.QtyIncrement = 5, 3, 100
	w := newWorld(t, definition)
	order := NewOrder{ClOrdID: "1", Account: "A", InstrumentID: "ACME.X", Side: Buy, OrdType: Limit, TimeInForce: GTC, OrderQty: 150, Price: 5000, HasPrice: true}
	if got := w.engine.Validate(&order); got == nil || got.Text != "order_qty: must be a multiple of 0.1, got 0.15" {
		t.Errorf("quantity: %+v", got)
	}
	order.OrderQty, order.Price = 100, 5003
	if got := w.engine.Validate(&order); got == nil || got.Text != "price: must be a multiple of 0.05, got 50.03" {
		t.Errorf("price: %+v", got)
	}
}
