package engine

import (
	"cmp"
	"fmt"
	"math/bits"
)

// Order is an order and where it is.
type Order struct {
	NewOrder      NewOrder // as it was asked for
	OrderID       uint64
	VenueOrderID  string
	VenueClOrdID  string // of an order that did not come from us: its name at the venue
	CumQty        int64
	CumNotional   Amount
	OrdRejReason  OrdRejReason
	RejectedBy    RejectedBy
	Text          string
	CheckFailures []CheckFailure
	LastReport    *ExecutionReport // not to be changed: others have it

	// terms are the order as it stands. Reports point to them: they are replaced whole, and never changed.
	terms         *NewOrder
	account       *account
	instrument    *instrument // nil for an order refused because of it
	session       string      // that sent it
	closed        OrdStatus   // 0 while it works
	ended         OrdStatus   // how the venue or we ended it, also when it is filled
	closedAt      int64
	sent          bool // to the venue, or about to be
	acknowledged  bool // by the venue
	inDoubt       bool // whether the venue has it
	pendingCancel bool
	cancelName    string   // of the request to cancel that is on its way; empty: it is our own
	expires       bool     // its time is over: the cancel that is on its way ends it as expired
	cancelAgain   int64    // when that cancel is tried again, after the venue refused it
	held          bool     // by us: it waits for its trigger, or for another order of its list
	waits         bool     // for another order of its list
	triggered     bool     // what it waited for in the market has come
	change        *change  // that is on its way to the venue
	wantQty       int64    // that its list or the position leaves it; 0: its own
	marked        bool     // a trailing stop has seen a price
	watermark     int64    // the best that it saw
	list          *list    // nil: none
	came          int64    // when it did
	armed         int64    // since when it waits for its trigger, as that stands
	named         bool     // the name that it came with finds it
	names         []string // those of requests that concerned it
	holdPx        int64    // what it counts at for risk unless it has a limit price: that moves with the market
	fills         []fill
	revisions     []revision
	restatements  []string // exec ids of changes that the venue told of
	forgotten     bool
}

// Terms are the order as it stands; not to be changed.
func (o *Order) Terms() *NewOrder { return o.terms }

// Open says whether the order still works.
func (o *Order) Open() bool { return o.closed == 0 }

// Held says whether the order waits with us, and not at its venue.
func (o *Order) Held() bool { return o.held }

// OrdStatus is where the order is.
func (o *Order) OrdStatus() OrdStatus {
	switch {
	case o.closed != 0:
		return o.closed
	case o.pendingCancel:
		return StatusPendingCancel
	case o.change != nil:
		return StatusPendingReplace
	case o.held:
		return StatusSuspended
	case o.inDoubt:
		return StatusInDoubt
	case o.CumQty > 0:
		return StatusPartiallyFilled
	case o.acknowledged:
		return StatusNew
	}
	return StatusPendingNew
}

// LeavesQty is the quantity still open.
func (o *Order) LeavesQty() int64 {
	if !o.Open() {
		return 0
	}
	return o.terms.OrderQty - o.CumQty
}

// Outcome is the answer to the command that brought the order, also when it comes again.
func (o *Order) Outcome() CommandAck {
	ack := CommandAck{
		Account: o.NewOrder.Account, ClOrdID: o.NewOrder.ClOrdID, Sequence: SequenceOf(o.OrderID), OrderID: o.OrderID,
		OrdStatus: o.OrdStatus(), ExecType: ExecPendingNew,
	}
	switch {
	case o.RejectedBy == ByEngine || o.RejectedBy == ByRisk:
		ack.ExecType = ExecRejected
		ack.OrdRejReason, ack.RejectedBy, ack.Text, ack.CheckFailures = o.OrdRejReason, o.RejectedBy, o.Text, o.CheckFailures
	case o.NewOrder.hasTrigger() || o.list.holds(o):
		ack.ExecType = ExecSuspended
	}
	return ack
}

// hasTrigger says whether an order waits for a price of the market before it is sent.
func (o *NewOrder) hasTrigger() bool { return o.OrdType >= Stop }

// AtVenue is the order as a venue gets it: what the engine does itself is left out.
func (o *NewOrder) AtVenue() NewOrder {
	sent := *o
	switch o.OrdType {
	case Stop, TrailingStop:
		sent.OrdType = Market
	case StopLimit:
		sent.OrdType = Limit
	}
	if o.TimeInForce == GTD {
		sent.TimeInForce = GTC
	}
	sent.StopPx, sent.HasStopPx, sent.ExpireTime, sent.TrailingAmount, sent.TrailingBps = 0, false, 0, 0, 0
	sent.ExecInsts &= PostOnly
	return sent
}

// The id of the order at index i of a list is the list's sequence + i * 2^56, that of a plain order its sequence.
const indexShift = 56

// OrderID is the id of an order by the event that brought it.
func OrderID(sequence uint64, index int) uint64 { return sequence + uint64(index)<<indexShift }

// SequenceOf is the sequence of the event that brought an order.
func SequenceOf(orderID uint64) uint64 { return orderID & (1<<indexShift - 1) }

// orderKey sorts ids as the orders came: by sequence, and in a list by index.
func orderKey(orderID uint64) uint64 { return bits.RotateLeft64(orderID, 64-indexShift) }

// CompareOrderIDs tells which of two orders came first.
func CompareOrderIDs(a, b uint64) int { return cmp.Compare(orderKey(a), orderKey(b)) }

// ValidClOrdID says whether an id is 1 to 64 printable ASCII characters.
func ValidClOrdID(id string) bool {
	if len(id) == 0 || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

func (e *Engine) applyDecision(event *Event, decision *OrderDecision, effects *Effects) error {
	if decision.Approved {
		if _, used := e.namesOf(decision.NewOrder.Account)[decision.NewOrder.ClOrdID]; used {
			return fmt.Errorf("cl_ord_id: %q was used before", decision.NewOrder.ClOrdID)
		}
		if refusal := e.ValidateAt(&decision.NewOrder, event.TransactTime); refusal != nil {
			return fmt.Errorf("approved order is not valid: %s", refusal.Text)
		}
	} else if err := decision.checkRefused(); err != nil {
		return err
	}
	order := e.newOrder(event, event.Sequence, &decision.NewOrder, decision.SessionID)
	if decision.Approved {
		e.admit(event, order, effects)
	} else {
		e.refuseOrder(event, order, decision, effects)
	}
	effects.Ack = order.Outcome()
	return nil
}

func (d *OrderDecision) checkRefused() error {
	if d.OrdRejReason == 0 || d.RejectedBy == 0 {
		return fmt.Errorf("ord_rej_reason: a refused order needs a reason and who refused, got %d and %d", d.OrdRejReason, d.RejectedBy)
	}
	return nil
}

func (e *Engine) newOrder(event *Event, id uint64, asked *NewOrder, session string) *Order {
	order := &Order{
		NewOrder: *asked, OrderID: id, session: session, came: event.TransactTime, armed: event.TransactTime,
		account: e.account(asked.Account), instrument: e.instruments[asked.InstrumentID],
	}
	order.terms = &order.NewOrder
	e.orders.Put(id, order)
	order.account.orders = append(order.account.orders, order)
	// A refused second use of a name leaves the name to its first.
	if _, taken := order.account.names[asked.ClOrdID]; !taken && ValidClOrdID(asked.ClOrdID) {
		order.account.names[asked.ClOrdID], order.named = named{order: order}, true
	}
	return order
}

// admit lets an approved order work: at its venue, or with us until what it waits for has come.
func (e *Engine) admit(event *Event, order *Order, effects *Effects) {
	order.waits = order.list.holds(order)
	order.held = order.waits || order.NewOrder.hasTrigger()
	order.holdPx, _ = e.valuationPx(order.instrument, order.terms)
	if e.index(order); order.held {
		effects.report(event, order, ExecutionReport{ExecType: ExecSuspended})
		return
	}
	effects.report(event, order, ExecutionReport{ExecType: ExecPendingNew})
	effects.route(RouteNew, order)
}

// index adds an open order to what follows from the open orders.
func (e *Engine) index(order *Order) {
	e.open.Put(order.OrderID, order)
	if order.held {
		e.held.Put(order.OrderID, order)
		e.rewatch(order)
	}
	if order.NewOrder.ExecInsts&ReduceOnly != 0 {
		order.account.reduceOnly.Put(order.OrderID, order)
	}
	e.expireLater(order)
}

// unhold takes an order from those that wait with us.
func (e *Engine) unhold(order *Order) {
	if order.held {
		order.held, order.waits = false, false
		e.held.Delete(order.OrderID)
		e.rewatch(order)
	}
}

func (e *Engine) refuseOrder(event *Event, order *Order, decision *OrderDecision, effects *Effects) {
	order.OrdRejReason, order.RejectedBy = decision.OrdRejReason, decision.RejectedBy
	order.Text, order.CheckFailures = decision.Text, decision.CheckFailures
	e.close(event, order, StatusRejected)
	effects.report(event, order, ExecutionReport{ExecType: ExecRejected, OrdRejReason: order.OrdRejReason,
		RejectedBy: order.RejectedBy, Text: order.Text, CheckFailures: order.CheckFailures})
}

// close ends an order. Its report and what follows for others, afterClose, are the caller's.
func (e *Engine) close(event *Event, order *Order, status OrdStatus) {
	e.open.Delete(order.OrderID)
	if order.closed, order.closedAt = status, event.TransactTime; status != StatusFilled {
		order.ended = status
	}
	order.wantQty = 0
	e.unhold(order)
	order.account.reduceOnly.Delete(order.OrderID)
	e.forgetLater(forgettable{at: event.TransactTime, order: order})
}

// restate puts other terms in the place of those that stand.
func (o *Order) restate(change func(*NewOrder)) {
	terms := *o.terms
	change(&terms)
	o.terms = &terms
}

func (e *Effects) route(kind RouteKind, order *Order) {
	order.sent = true
	e.Routes = append(e.Routes, Route{Kind: kind, OrderID: order.OrderID, NewOrder: order.terms, VenueOrderID: order.VenueOrderID})
}

// report completes a report with where the order is now, and adds it.
func (e *Effects) report(event *Event, order *Order, r ExecutionReport) {
	r.Sequence, r.PrevSequence, r.TransactTime = event.Sequence, order.account.lastReport, event.TransactTime
	order.account.lastReport = event.Sequence
	order.LastReport = &r
	order.completeLastReport()
	order.LastReport.OrdStatus = order.OrdStatus()
	e.Reports = append(e.Reports, order.LastReport)
}
