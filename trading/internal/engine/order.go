package engine

import "fmt"

// Order is an order and where it is.
type Order struct {
	NewOrder      NewOrder
	OrderID       uint64
	VenueOrderID  string
	CumQty        int64
	CumNotional   Amount
	OrdRejReason  OrdRejReason
	RejectedBy    RejectedBy
	Text          string
	CheckFailures []CheckFailure
	LastReport    ExecutionReport

	account       *account
	instrument    *instrument // nil for an order refused because of it
	closed        OrdStatus   // 0 while it works
	acknowledged  bool        // by the venue
	pendingCancel bool
}

// Open says whether the order still works.
func (o *Order) Open() bool { return o.closed == 0 }

// OrdStatus is where the order is.
func (o *Order) OrdStatus() OrdStatus {
	switch {
	case o.closed != 0:
		return o.closed
	case o.pendingCancel:
		return StatusPendingCancel
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
	return o.NewOrder.OrderQty - o.CumQty
}

// Outcome is the answer to the command that brought the order, also when it comes again.
func (o *Order) Outcome() CommandAck {
	ack := CommandAck{
		Account: o.NewOrder.Account, ClOrdID: o.NewOrder.ClOrdID, Sequence: o.OrderID, OrderID: o.OrderID,
		OrdStatus: o.OrdStatus(), ExecType: ExecPendingNew,
	}
	if o.RejectedBy == ByEngine || o.RejectedBy == ByRisk {
		ack.ExecType = ExecRejected
		ack.OrdRejReason, ack.RejectedBy, ack.Text, ack.CheckFailures = o.OrdRejReason, o.RejectedBy, o.Text, o.CheckFailures
	}
	return ack
}

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
	name := orderName{decision.NewOrder.Account, decision.NewOrder.ClOrdID}
	before := e.names[name]
	if decision.Approved {
		if err := e.checkApproved(decision, before); err != nil {
			return err
		}
	} else if decision.OrdRejReason == 0 || decision.RejectedBy == 0 {
		return fmt.Errorf("ord_rej_reason: a refused order needs a reason and who refused, got %d and %d",
			decision.OrdRejReason, decision.RejectedBy)
	}
	order := &Order{
		NewOrder: decision.NewOrder, OrderID: event.Sequence,
		account: e.account(name.account), instrument: e.instruments[decision.NewOrder.InstrumentID],
	}
	e.orders[order.OrderID] = order
	order.account.orders = append(order.account.orders, order)
	// A refused second use of a name leaves the name to its first order.
	if before == nil && ValidClOrdID(name.clOrdID) {
		e.names[name] = order
	}
	if !decision.Approved {
		order.closed = StatusRejected
		order.OrdRejReason, order.RejectedBy = decision.OrdRejReason, decision.RejectedBy
		order.Text, order.CheckFailures = decision.Text, decision.CheckFailures
		effects.report(event, order, ExecutionReport{ExecType: ExecRejected, OrdRejReason: order.OrdRejReason,
			RejectedBy: order.RejectedBy, Text: order.Text, CheckFailures: order.CheckFailures})
		return nil
	}
	e.open[order.OrderID] = order
	effects.report(event, order, ExecutionReport{ExecType: ExecPendingNew})
	effects.Routes = append(effects.Routes, Route{OrderID: order.OrderID, NewOrder: &order.NewOrder})
	return nil
}

// checkApproved holds what the sequencer has checked already, so that a journal that says otherwise
// is refused and not believed.
func (e *Engine) checkApproved(decision *OrderDecision, before *Order) error {
	if before != nil {
		return fmt.Errorf("cl_ord_id: %q is the name of order %d", before.NewOrder.ClOrdID, before.OrderID)
	}
	if refusal := e.Validate(&decision.NewOrder); refusal != nil {
		return fmt.Errorf("approved order is not valid: %s", refusal.Text)
	}
	return nil
}

func (e *Engine) applyCancel(event *Event, cancel *CancelOrder, effects *Effects) {
	order := e.names[orderName{cancel.Account, cancel.OrigClOrdID}]
	if order == nil {
		e.rejectUnknownCancel(event, cancel, effects)
		return
	}
	var reason CxlRejReason
	var text string
	switch {
	case !order.Open():
		reason, text = CxlTooLate, fmt.Sprintf("orig_cl_ord_id: order %q is closed", cancel.OrigClOrdID)
	case order.pendingCancel:
		reason, text = CxlAlreadyPending, fmt.Sprintf("orig_cl_ord_id: a cancel of order %q is on its way", cancel.OrigClOrdID)
	}
	if reason != 0 {
		effects.report(event, order, ExecutionReport{ExecType: ExecCancelRejected, CxlRejReason: reason, RejectedBy: ByEngine, Text: text})
		return
	}
	order.pendingCancel = true
	effects.report(event, order, ExecutionReport{ExecType: ExecPendingCancel})
	effects.Routes = append(effects.Routes,
		Route{OrderID: order.OrderID, NewOrder: &order.NewOrder, VenueOrderID: order.VenueOrderID, Cancel: true})
}

func (e *Engine) rejectUnknownCancel(event *Event, cancel *CancelOrder, effects *Effects) {
	account := e.account(cancel.Account)
	effects.Reports = append(effects.Reports, ExecutionReport{
		Sequence: event.Sequence, PrevSequence: account.lastReport, TransactTime: event.TransactTime,
		NewOrder: &NewOrder{Account: cancel.Account, ClOrdID: cancel.OrigClOrdID},
		ExecType: ExecCancelRejected, OrdStatus: StatusRejected, CxlRejReason: CxlUnknownOrder, RejectedBy: ByEngine,
		Text: fmt.Sprintf("orig_cl_ord_id: account %q has no order %q", cancel.Account, cancel.OrigClOrdID),
	})
	account.lastReport = event.Sequence
}

// report completes a report with where the order is now, and adds it.
func (e *Effects) report(event *Event, order *Order, r ExecutionReport) {
	r.Sequence, r.PrevSequence, r.TransactTime = event.Sequence, order.account.lastReport, event.TransactTime
	r.NewOrder, r.OrderID, r.VenueOrderID = &order.NewOrder, order.OrderID, order.VenueOrderID
	r.OrdStatus, r.CumQty, r.LeavesQty = order.OrdStatus(), order.CumQty, order.LeavesQty()
	if order.instrument != nil {
		r.CumNotional = Money{order.instrument.QuoteCurrency, order.CumNotional}
		r.AvgPx = order.instrument.averagePrice(order.CumNotional, order.CumQty)
	}
	order.account.lastReport = event.Sequence
	order.LastReport = r
	e.Reports = append(e.Reports, r)
}
