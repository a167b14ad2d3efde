package engine

import "fmt"

// change is one that is on its way to the venue.
type change struct {
	terms  *NewOrder // as the order will be
	byName bool      // a client asked for it; false: we did
}

// Changing is the order as a change that is on its way would make it, nil when none is; not to be changed.
func (o *Order) Changing() *NewOrder {
	if o.change == nil {
		return nil
	}
	return o.change.terms
}

// Canceling says whether a cancel is on its way to the venue, of an order that has been filled meanwhile, too.
func (o *Order) Canceling() bool { return o.pendingCancel }

// ReplaceRefusal is why the engine does not take a replace.
type ReplaceRefusal struct {
	CxlRejReason CxlRejReason
	OrdRejReason OrdRejReason // of CxlRefused
	Text         string
}

// ValidateReplace gives the order that a replace names and its terms as they would be, or why not.
func (e *Engine) ValidateReplace(r *ReplaceOrder) (*Order, NewOrder, *ReplaceRefusal) {
	order := e.OrderByName(r.Account, r.OrigClOrdID)
	_, used := e.namesOf(r.Account)[r.ClOrdID]
	no := func(reason CxlRejReason, format string, args ...any) (*Order, NewOrder, *ReplaceRefusal) {
		return order, NewOrder{}, &ReplaceRefusal{CxlRejReason: reason, Text: fmt.Sprintf(format, args...)}
	}
	switch {
	case !ValidClOrdID(r.ClOrdID):
		return no(CxlRefused, "cl_ord_id: must be 1 to 64 printable ASCII characters, got %.70q", r.ClOrdID)
	case used:
		return no(CxlDuplicateClOrdID, "cl_ord_id: %q was used before", r.ClOrdID)
	case order == nil:
		return no(CxlUnknownOrder, "orig_cl_ord_id: account %q has no order %q", r.Account, r.OrigClOrdID)
	case !order.Open():
		return no(CxlTooLate, "orig_cl_ord_id: order %q is closed", r.OrigClOrdID)
	case order.pendingCancel || order.change != nil:
		return no(CxlAlreadyPending, "orig_cl_ord_id: a cancel or replace of order %q is on its way", r.OrigClOrdID)
	}
	terms := order.replacedBy(r)
	if refusal := e.latched(&terms); refusal != nil && !order.Reduces(&terms) {
		return order, NewOrder{}, &ReplaceRefusal{CxlRefused, refusal.OrdRejReason, refusal.Text}
	}
	if refusal := order.validateReplaced(r, &terms); refusal != nil {
		return order, NewOrder{}, &ReplaceRefusal{CxlRefused, refusal.OrdRejReason, refusal.Text}
	}
	return order, terms, nil
}

func (o *Order) replacedBy(r *ReplaceOrder) NewOrder {
	terms := *o.terms
	terms.ClOrdID, terms.OrderQty = r.ClOrdID, r.OrderQty
	if r.HasPrice {
		terms.Price = r.Price
	}
	if r.HasStopPx {
		terms.StopPx = r.StopPx
	}
	return terms
}

// Reduces says whether other terms are those that stand, only of less: that always works, as a cancel does,
// whatever the trading state, and without the Risk Service. It is told once the order has less.
func (o *Order) Reduces(terms *NewOrder) bool {
	return terms.OrderQty < o.terms.OrderQty && terms.Price == o.terms.Price && terms.StopPx == o.terms.StopPx
}

// validateReplaced holds the order as it would be against its definition and what is filled of it.
func (o *Order) validateReplaced(r *ReplaceOrder, terms *NewOrder) *Refusal {
	waitsForStop := terms.HasStopPx && o.hasUnmetTrigger()
	switch {
	case r.HasPrice != terms.HasPrice:
		return refuse(RejInvalidPrice, "price: must be set for an order that has one and not otherwise")
	case r.HasStopPx != waitsForStop:
		return refuse(RejInvalidPrice, "stop_px: must be set for an order that waits for one and not otherwise")
	case r.OrderQty <= o.CumQty:
		return refuse(RejInvalidQty, "order_qty: must be above the %d that is filled, got %d", o.CumQty, r.OrderQty)
	case o.list != nil && o.list.contingencyType >= OUO && r.OrderQty != o.terms.OrderQty:
		return refuse(RejInvalidQty, "order_qty: an order of an OUO or a BRACKET keeps its %d, got %d", o.terms.OrderQty, r.OrderQty)
	case !o.waits && o.NewOrder.ExecInsts&ReduceOnly != 0 && r.OrderQty-o.CumQty > o.account.leftToReduce(o.instrument, o.NewOrder.Side, o.held, o):
		return refuse(RejReduceOnly, "order_qty: may only reduce the position, got %d", r.OrderQty)
	}
	if refusal := o.instrument.validateQty(r.OrderQty); refusal != nil && r.OrderQty != o.terms.OrderQty {
		return refusal
	}
	if o.Reduces(terms) { // Its prices were valid when they came, whatever the definition has become.
		return nil
	}
	return o.instrument.validatePrices(terms)
}

func (e *Engine) applyReplace(event *Event, decision *ReplaceDecision, effects *Effects) error {
	r := &decision.Replace
	ack := CommandAck{Account: r.Account, ClOrdID: r.ClOrdID, Sequence: event.Sequence}
	order, terms, refusal := e.ValidateReplace(r)
	switch {
	case decision.Approved && refusal != nil:
		return fmt.Errorf("approved replace is not valid: %s", refusal.Text)
	case decision.Approved:
		e.changeTo(event, order, &change{terms: &terms, byName: true}, effects)
		ack.OrderID, ack.OrdStatus, ack.ExecType = order.OrderID, order.OrdStatus(), order.LastReport.ExecType
	case decision.CxlRejReason == 0 || decision.RejectedBy == 0:
		return fmt.Errorf("cxl_rej_reason: a refused replace needs a reason and who refused, got %d and %d", decision.CxlRejReason, decision.RejectedBy)
	default:
		e.rejectRequest(event, order, r.OrigClOrdID, &ack, ExecutionReport{CxlRejReason: decision.CxlRejReason, OrdRejReason: decision.OrdRejReason,
			RejectedBy: decision.RejectedBy, Text: decision.Text, CheckFailures: decision.CheckFailures}, effects)
		if order != nil && order.change == nil { // Risk may have approved, and hold more since then.
			effects.tellHold(event, order)
		}
	}
	e.remember(event, decision, order, ack)
	effects.Ack = ack
	return nil
}

// changeTo makes a change at once in an order that we hold, and sends it on for any other.
func (e *Engine) changeTo(event *Event, order *Order, c *change, effects *Effects) {
	if !order.held {
		e.sendChange(event, order, c, effects)
		return
	}
	before := order.terms.ClOrdID
	order.terms, order.armed = c.terms, event.TransactTime
	order.holdPx, _ = e.valuationPx(order.instrument, order.terms)
	e.rewatch(order)
	effects.report(event, order, ExecutionReport{ExecType: ExecReplaced, OrigClOrdID: before})
	effects.tellHold(event, order)
}

func (e *Engine) sendChange(event *Event, order *Order, c *change, effects *Effects) {
	order.change = c
	effects.report(event, order, ExecutionReport{ExecType: ExecPendingReplace})
	effects.Routes = append(effects.Routes, Route{Kind: RouteReplace, OrderID: order.OrderID, NewOrder: c.terms, VenueOrderID: order.VenueOrderID})
	if !c.byName && c.terms.OrderQty > order.terms.OrderQty { // Nobody asked risk, which approved the list as a whole.
		effects.tellHold(event, order)
	}
}

// applyReplaced takes the venue's word that an order has other terms: a change that was asked for is done, or
// the venue made one of its own. A change that was done before fills that came first opens the order again.
func (e *Engine) applyReplaced(event *Event, order *Order, report *VenueReport, effects *Effects) error {
	if report.OrderQty < 0 {
		return fmt.Errorf("order_qty: must not be negative, got %d", report.OrderQty)
	}
	execs := e.execsAt(order.instrument)
	if _, seen := execs[report.ExecID]; seen {
		return ErrNothingNew
	}
	r := ExecutionReport{ExecType: ExecRestated, ExecID: report.ExecID, Text: report.Text}
	wasOpen := order.Open()
	terms := *order.terms
	if c := order.change; c != nil && report.ExecType == ExecReplaced {
		terms = *c.terms
		if order.change = nil; c.byName {
			r.ExecType, r.OrigClOrdID = ExecReplaced, order.terms.ClOrdID
		}
	} else if !wasOpen {
		return ErrNothingNew
	}
	if report.ExecID != "" { // Told again after a later change, it would undo that one.
		execs[report.ExecID] = order
		order.restatements = append(order.restatements, report.ExecID)
	}
	if report.OrderQty > 0 {
		terms.OrderQty = report.OrderQty
	}
	if report.HasPrice && terms.HasPrice {
		terms.Price = report.Price
	}
	order.terms = &terms
	order.heard(report)
	e.settle(event, order)
	effects.tellHold(event, order)
	effects.report(event, order, r)
	if wasOpen && order.closed == StatusFilled {
		e.afterFill(event, order, 0, effects)
	}
	e.sendWanted(event, order, effects)
	return nil
}

// applyReplaceRejected takes the venue's refusal of the change that is on its way. Of a quantity that may not
// stay as it is, the rest is canceled.
func (e *Engine) applyReplaceRejected(event *Event, order *Order, report *VenueReport, effects *Effects) {
	c := order.change
	order.change = nil
	order.nameAtVenue(report)
	effects.tellHold(event, order)
	name := ""
	if c.byName {
		name = c.terms.ClOrdID
	}
	effects.report(event, order, refusedByVenue(order, report, name))
	if !c.byName && c.terms.OrderQty < order.terms.OrderQty {
		e.requestCancel(event, order, "order_qty: the venue does not reduce it", effects)
		return
	}
	e.sendWanted(event, order, effects)
}
