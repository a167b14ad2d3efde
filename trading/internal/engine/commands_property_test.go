package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// desk drives an engine with random commands of every kind, and keeps beside it what risk was told of holds and
// what moved the positions.
type desk struct {
	engine  *engine.Engine
	journal *journal.Memory
	effects engine.Effects
	now     int64
	counter int
	holds   map[uint64]int64
	net     map[string]int64
	routed  map[uint64]bool
	watched map[uint64]engine.Watch // as the engine told of changes
	state   []byte
	at      uint64
}

func newDesk(t *rapid.T) *desk {
	d := &desk{engine: engine.New(), journal: journal.NewMemory(), holds: map[uint64]int64{}, net: map[string]int64{}, routed: map[uint64]bool{}, watched: map[uint64]engine.Watch{}}
	for _, id := range []string{"ACME.X", "OTHER.X"} {
		definition := definition(id, engine.Equity, 0, 0, engine.Decimal{Mantissa: 1})
		d.apply(t, &definition)
	}
	for _, account := range accountNames {
		d.apply(t, &engine.AccountOpened{Account: account, BaseCurrency: "USD"})
	}
	return d
}

func (d *desk) apply(t *rapid.T, input engine.Input) error {
	before := d.engine.StateHash()
	d.effects = engine.Effects{}
	event := engine.Event{Sequence: d.engine.Sequence() + 1, TransactTime: d.now, Input: input}
	if err := d.engine.Apply(event, &d.effects); err != nil {
		if d.engine.StateHash() != before {
			t.Fatalf("%+v was refused (%v) and changed the state", input, err)
		}
		return err
	}
	encoded, err := journal.Encode(&event)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.journal.Append(event.Sequence, [][]byte{encoded}); err != nil {
		t.Fatal(err)
	}
	d.follow(t, input)
	return nil
}

// follow does what risk and the venues do with the effects.
func (d *desk) follow(t *rapid.T, input engine.Input) {
	switch decided := input.(type) {
	case *engine.OrderDecision:
		if decided.Approved {
			d.holds[d.engine.Sequence()] = decided.NewOrder.OrderQty
		}
	case *engine.OrderListDecision:
		for i := range decided.List.Orders {
			if decided.Approved {
				d.holds[engine.OrderID(d.engine.Sequence(), i)] = decided.List.Orders[i].OrderQty
			}
		}
	case *engine.ReplaceDecision:
		if decided.Approved {
			order := d.engine.OrderByName(decided.Replace.Account, decided.Replace.ClOrdID)
			d.holds[order.OrderID] = max(d.holds[order.OrderID], decided.Replace.OrderQty-order.CumQty)
		}
	}
	for _, e := range d.effects.Pretrade {
		switch {
		case e.Restated != nil:
			d.holds[e.Restated.OrderID] = e.Restated.LeavesQty
		case e.Release != nil:
			delete(d.holds, e.Release.OrderID)
		case e.VenueReject != nil:
			delete(d.holds, e.VenueReject.OrderID)
		case e.Fill != nil:
			qty := e.Fill.LastQty
			if d.holds[e.Fill.OrderID] -= qty; d.holds[e.Fill.OrderID] <= 0 {
				delete(d.holds, e.Fill.OrderID)
			}
			if e.Fill.Side == engine.Sell {
				qty = -qty
			}
			d.net[e.Fill.Account+e.Fill.InstrumentID] += qty
		case e.Adjust != nil:
			d.net[e.Adjust.Account+e.Adjust.InstrumentID] += e.Adjust.Qty
		}
	}
	for _, route := range d.effects.Routes {
		if sent := d.routed[route.OrderID]; sent == (route.Kind == engine.RouteNew) {
			t.Fatalf("order %d: sent before: %t, and a route of kind %d", route.OrderID, sent, route.Kind)
		}
		d.routed[route.OrderID] = true
	}
}

func (d *desk) order(t *rapid.T, side engine.Side) engine.NewOrder {
	o := engine.NewOrder{
		ClOrdID: d.name(t, "order"), Account: rapid.SampledFrom(accountNames).Draw(t, "account"), Side: side,
		InstrumentID: rapid.SampledFrom([]string{"ACME.X", "OTHER.X"}).Draw(t, "instrument"),
		OrdType:      engine.OrdType(rapid.IntRange(1, 5).Draw(t, "type")), TimeInForce: engine.TimeInForce(rapid.IntRange(1, 5).Draw(t, "tif")),
		OrderQty: rapid.Int64Range(1, 100).Draw(t, "qty"), StrategyID: rapid.SampledFrom([]string{"", "s"}).Draw(t, "strategy"),
	}
	px := rapid.Int64Range(90, 110).Draw(t, "price")
	switch o.OrdType {
	case engine.Limit:
		o.Price, o.HasPrice = px, true
	case engine.StopLimit:
		o.Price, o.HasPrice, o.StopPx, o.HasStopPx = px, true, px, true
	case engine.Stop:
		o.StopPx, o.HasStopPx = px, true
	case engine.TrailingStop:
		o.TrailingAmount = rapid.Int64Range(1, 10).Draw(t, "trailing")
	}
	if o.TimeInForce == engine.GTD {
		o.ExpireTime = d.now + rapid.Int64Range(1, 1000).Draw(t, "expires")
	}
	o.ExecInsts = engine.ExecInst(rapid.SampledFrom([]engine.ExecInst{0, 0, engine.CancelOnDisconnect, engine.ReduceOnly}).Draw(t, "insts"))
	return o
}

func (d *desk) name(t *rapid.T, kind string) string {
	// Seldom one that was used.
	if rapid.IntRange(0, 9).Draw(t, "old name") > 0 {
		d.counter++
	}
	return fmt.Sprint(kind, d.counter)
}

// anyName is that of some order, mostly a late one.
func (d *desk) anyName(t *rapid.T) string {
	return fmt.Sprint("order", d.counter-rapid.IntRange(0, 12).Draw(t, "which"))
}

func (d *desk) newOrder(t *rapid.T) {
	order := d.order(t, engine.Side(rapid.IntRange(1, 2).Draw(t, "side")))
	decision := &engine.OrderDecision{NewOrder: order, SessionID: "session", Approved: true}
	_, _, before := d.engine.Known(decision)
	if before || d.engine.Validate(&order) != nil || rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
		decision.Approved, decision.OrdRejReason, decision.RejectedBy = false, engine.RejPositionLimit, engine.ByRisk
	}
	if err := d.apply(t, decision); err != nil {
		t.Fatal(err)
	}
	if ack, same, _ := d.engine.Known(decision); !before && (!same || ack.Sequence != d.engine.Sequence()) {
		t.Fatalf("order %q is not known: %+v", order.ClOrdID, ack)
	}
}

func (d *desk) newList(t *rapid.T) {
	l := engine.NewOrderList{ListID: d.name(t, "list"), ContingencyType: engine.ContingencyType(rapid.IntRange(1, 4).Draw(t, "contingency"))}
	side := engine.Side(rapid.IntRange(1, 2).Draw(t, "side"))
	for i := range rapid.IntRange(2, 3).Draw(t, "orders") {
		o := d.order(t, side)
		if l.ContingencyType == engine.Bracket && i > 0 {
			o.Side = engine.Buy + engine.Sell - side
		}
		if i > 0 {
			o.Account, o.InstrumentID, o.OrderQty = l.Orders[0].Account, l.Orders[0].InstrumentID, l.Orders[0].OrderQty
		}
		l.Account, l.Orders = o.Account, append(l.Orders, o)
	}
	decision := &engine.OrderListDecision{List: l, SessionID: "session", Approved: true}
	for _, refusal := range d.engine.ValidateList(&l, d.now) {
		reason := engine.RejList
		if refusal != nil {
			decision.Approved, reason = false, refusal.OrdRejReason
		}
		decision.Decisions = append(decision.Decisions, engine.OrderDecision{OrdRejReason: reason, RejectedBy: engine.ByEngine})
	}
	if decision.Approved {
		decision.Decisions = nil
	}
	if err := d.apply(t, decision); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) replace(t *rapid.T) {
	account := rapid.SampledFrom(accountNames).Draw(t, "account")
	r := engine.ReplaceOrder{ClOrdID: d.name(t, "order"), OrigClOrdID: d.anyName(t), Account: account, OrderQty: rapid.Int64Range(1, 150).Draw(t, "qty")}
	if order := d.engine.OrderByName(account, r.OrigClOrdID); order != nil {
		r.Price, r.HasPrice = order.Terms().Price, order.Terms().HasPrice
		if order.Held() && order.Terms().HasStopPx {
			r.StopPx, r.HasStopPx = rapid.Int64Range(90, 110).Draw(t, "stop"), true
		}
	}
	decision := &engine.ReplaceDecision{Replace: r, Approved: true}
	if _, _, refusal := d.engine.ValidateReplace(&r); refusal != nil {
		decision = &engine.ReplaceDecision{Replace: r, CxlRejReason: refusal.CxlRejReason, RejectedBy: engine.ByEngine, Text: refusal.Text}
	}
	if err := d.apply(t, decision); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) cancel(t *rapid.T) {
	account := rapid.SampledFrom(accountNames).Draw(t, "account")
	var command engine.Input = &engine.CancelOrder{ClOrdID: d.name(t, "cancel"), OrigClOrdID: d.anyName(t), Account: account}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		command = &engine.MassCancelOrders{ClOrdID: d.name(t, "mass"), Account: account, Side: engine.Side(rapid.IntRange(0, 2).Draw(t, "side"))}
	case 1:
		command = &engine.SessionLost{SessionID: "session"}
	}
	if err := d.apply(t, command); err != nil && !errors.Is(err, engine.ErrNothingNew) {
		t.Fatalf("a cancel always has an answer: %v", err)
	}
}

// market lets the market reach some of what waits for it.
func (d *desk) market(t *rapid.T) {
	for _, w := range d.engine.Watched() {
		px := rapid.Int64Range(85, 115).Draw(t, "px")
		var input engine.Input = &engine.Watermark{OrderID: w.OrderID, Price: px}
		if w.Reached(px) {
			input = &engine.Triggered{OrderID: w.OrderID, Price: px}
		}
		if err := d.apply(t, input); err != nil && !errors.Is(err, engine.ErrNothingNew) {
			t.Fatal(err)
		}
	}
}

func (d *desk) time(t *rapid.T) {
	d.now += rapid.SampledFrom([]int64{1, 100, 100, 100, 24 * 3600e9}).Draw(t, "elapsed")
	if at, any := d.engine.NextExpiry(); any && at <= d.now {
		if err := d.apply(t, &engine.Timer{}); err != nil {
			t.Fatal(err)
		}
		if at, any := d.engine.NextExpiry(); any && at <= d.now {
			t.Fatalf("at %d something of %d has not ended", d.now, at)
		}
	}
}

// venue says something of an order that was sent, mostly of one that is open.
func (d *desk) venue(t *rapid.T) {
	order := d.engine.OrderByName(rapid.SampledFrom(accountNames).Draw(t, "account"), d.anyName(t))
	if holds := d.engine.PretradeSnapshot().Holds; len(holds) > 0 && rapid.IntRange(0, 4).Draw(t, "closed") > 0 {
		order = d.engine.Order(rapid.SampledFrom(holds).Draw(t, "hold").OrderID)
	}
	if order == nil || !d.routed[order.OrderID] {
		return
	}
	r := &engine.VenueReport{Venue: "X", OrderID: order.OrderID, ExecType: rapid.SampledFrom([]engine.ExecType{engine.ExecNew, engine.ExecTrade,
		engine.ExecTrade, engine.ExecTrade, engine.ExecReplaced, engine.ExecReplaced, engine.ExecCancelRejected, engine.ExecCanceled, engine.ExecExpired, engine.ExecRejected}).Draw(t, "exec type")}
	if r.ExecType == engine.ExecTrade {
		d.counter++
		r.ExecID, r.LastPx = fmt.Sprint(d.counter), 100
		// Mostly what is left, at times more.
		r.LastQty = rapid.Int64Range(1, max(1, order.LeavesQty())).Draw(t, "last qty") + rapid.SampledFrom([]int64{0, 0, 0, 0, 5}).Draw(t, "over")
	}
	if err := d.apply(t, r); err != nil && !errors.Is(err, engine.ErrNothingNew) {
		t.Fatal(err)
	}
}

func (d *desk) control(t *rapid.T) {
	scope := engine.TradingScope{Account: rapid.SampledFrom([]string{"", "A"}).Draw(t, "account"), StrategyID: rapid.SampledFrom([]string{"", "s"}).Draw(t, "strategy")}
	var input engine.Input
	switch rapid.IntRange(0, 3).Draw(t, "control") {
	case 0:
		input = &engine.KillSwitchChange{Scope: scope, Engaged: true}
	case 1:
		input = &engine.KillSwitchChange{Scope: scope}
	case 2:
		input = &engine.TradingStateChange{Scope: scope, TradingState: engine.TradingState(rapid.IntRange(1, 4).Draw(t, "state"))}
	default:
		input = &engine.Adjustment{Account: "A", InstrumentID: "ACME.X", Qty: rapid.Int64Range(-100, 100).Draw(t, "qty"), Price: 100}
	}
	if err := d.apply(t, input); err != nil && !errors.Is(err, engine.ErrNothingNew) {
		t.Fatal(err)
	}
}

func (d *desk) snapshot(t *rapid.T) {
	var state bytes.Buffer
	if err := d.engine.WriteState(&state); err != nil {
		t.Fatal(err)
	}
	d.state, d.at = state.Bytes(), d.engine.Sequence()
}

// check holds the engine against what it told.
func (d *desk) check(t *rapid.T) {
	snapshot := d.engine.PretradeSnapshot()
	for _, h := range snapshot.Holds {
		order := d.engine.Order(h.OrderID)
		if order.Terms().OrderQty != order.CumQty+order.LeavesQty() || order.LeavesQty() <= 0 || !order.Open() {
			t.Fatalf("order %d: order_qty %d, cum_qty %d, leaves_qty %d", h.OrderID, order.Terms().OrderQty, order.CumQty, order.LeavesQty())
		}
		if d.holds[h.OrderID] != h.LeavesQty {
			t.Fatalf("order %d (%s): risk was told to hold %d, a snapshot says %d", h.OrderID, status(order.OrdStatus()), d.holds[h.OrderID], h.LeavesQty)
		}
	}
	if len(d.holds) != len(snapshot.Holds) || len(snapshot.Holds) != d.engine.OpenOrders() {
		t.Fatalf("risk holds %d orders, a snapshot %d, the engine has %d open", len(d.holds), len(snapshot.Holds), d.engine.OpenOrders())
	}
	d.checkWatched(t)
	for _, name := range accountNames {
		account, _ := d.engine.Account(name)
		for _, p := range account.Positions {
			if d.net[name+p.InstrumentID] != p.NetQty {
				t.Fatalf("position of %s in %s is %d, fills and adjustments are %d", name, p.InstrumentID, p.NetQty, d.net[name+p.InstrumentID])
			}
		}
	}
}

// checkWatched: what was told of changes is what waits for the market. A trailing stop moves without being told of.
func (d *desk) checkWatched(t *rapid.T) {
	changed, gone := d.engine.Rewatched()
	for _, w := range changed {
		d.watched[w.OrderID] = w
	}
	for _, id := range gone {
		delete(d.watched, id)
	}
	all := d.engine.Watched()
	for _, w := range all {
		if told, known := d.watched[w.OrderID]; !known || w.Trailing == nil && told != w {
			t.Fatalf("order %d waits as %+v, told was %+v", w.OrderID, w, told)
		}
	}
	if len(all) != len(d.watched) {
		t.Fatalf("%d orders wait, told was of %d", len(all), len(d.watched))
	}
}

func (d *desk) replay(t *rapid.T, e *engine.Engine, from uint64) {
	var effects engine.Effects
	err := d.journal.ReadFrom(from, func(_ uint64, encoded []byte) error {
		event, err := journal.Decode(encoded)
		if err != nil {
			return err
		}
		effects.Reset()
		return e.Apply(event, &effects)
	})
	if err != nil || e.StateHash() != d.engine.StateHash() {
		t.Fatalf("replay from %d: %v, same state: %t", from, err, e.StateHash() == d.engine.StateHash())
	}
}

// Whatever is asked and whatever venues and the market say: quantities add up, risk holds what is open, positions
// are fills and adjustments, an order is sent once, and the journal gives the same state again.
func TestEveryCommandKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk(t)
		step := func(f func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) { f(t); d.check(t) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"order": step(d.newOrder), "another order": step(d.newOrder), "list": step(d.newList), "another list": step(d.newList),
			"replace": step(d.replace), "another replace": step(d.replace), "cancel": step(d.cancel), "market": step(d.market), "time": step(d.time),
			"venue": step(d.venue), "venue again": step(d.venue), "venue once more": step(d.venue), "control": step(d.control), "snapshot": d.snapshot,
		})
		d.replay(t, engine.New(), 1)
		if d.state != nil {
			restored, err := engine.ReadState(d.state)
			if err != nil {
				t.Fatal(err)
			}
			d.replay(t, restored, d.at+1)
		}
	})
}
