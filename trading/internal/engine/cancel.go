package engine

import (
	"fmt"
	"slices"
)

func (e *Engine) applyCancel(event *Event, cancel *CancelOrder, effects *Effects) error {
	_, same, used := e.Known(cancel)
	if same {
		return ErrNothingNew
	}
	order := e.OrderByName(cancel.Account, cancel.OrigClOrdID)
	ack := CommandAck{Account: cancel.Account, ClOrdID: cancel.ClOrdID, Sequence: event.Sequence}
	var reason CxlRejReason
	var text string
	switch {
	case order == nil:
		reason, text = CxlUnknownOrder, fmt.Sprintf("orig_cl_ord_id: account %q has no order %q", cancel.Account, cancel.OrigClOrdID)
	case used:
		reason, text = CxlDuplicateClOrdID, fmt.Sprintf("cl_ord_id: %q was used before", cancel.ClOrdID)
	case !order.Open():
		reason, text = CxlTooLate, fmt.Sprintf("orig_cl_ord_id: order %q is closed", cancel.OrigClOrdID)
	case order.pendingCancel:
		reason, text = CxlAlreadyPending, fmt.Sprintf("orig_cl_ord_id: a cancel of order %q is on its way", cancel.OrigClOrdID)
	}
	if reason != 0 {
		e.rejectRequest(event, order, cancel.OrigClOrdID, &ack, ExecutionReport{CxlRejReason: reason, RejectedBy: ByEngine, Text: text}, effects)
	} else {
		at := len(effects.Reports)
		e.requestCancel(event, order, "", effects)
		order.cancelName = cancel.ClOrdID
		ack.OrderID, ack.OrdStatus, ack.ExecType = order.OrderID, order.OrdStatus(), effects.Reports[at].ExecType
	}
	e.remember(event, cancel, order, ack)
	effects.Ack = ack
	return nil
}

// rejectRequest answers a cancel or a replace that is refused; the order, if there is one, is as it was. The report
// has the name of the request, and as the original one that of the order.
func (e *Engine) rejectRequest(event *Event, order *Order, orig string, ack *CommandAck, r ExecutionReport, effects *Effects) {
	r.ExecType, r.ClOrdID, r.OrigClOrdID = ExecCancelRejected, ack.ClOrdID, orig
	ack.ExecType, ack.OrdStatus = ExecCancelRejected, StatusRejected
	ack.CxlRejReason, ack.OrdRejReason, ack.RejectedBy, ack.Text, ack.CheckFailures = r.CxlRejReason, r.OrdRejReason, r.RejectedBy, r.Text, r.CheckFailures
	if order != nil {
		r.OrigClOrdID = order.terms.ClOrdID
		ack.OrderID, ack.OrdStatus = order.OrderID, order.OrdStatus()
		effects.report(event, order, r)
		return
	}
	account := e.account(ack.Account)
	r.Sequence, r.PrevSequence, r.TransactTime = event.Sequence, account.lastReport, event.TransactTime
	r.NewOrder, r.OrdStatus = &NewOrder{Account: ack.Account, ClOrdID: ack.ClOrdID}, StatusRejected
	account.lastReport = event.Sequence
	effects.Reports = append(effects.Reports, &r)
}

// requestCancel ends an order that we hold, and asks the venue to end any other. It says whether the order
// was open and no cancel of it on its way.
func (e *Engine) requestCancel(event *Event, order *Order, text string, effects *Effects) bool {
	switch {
	case !order.Open() || order.pendingCancel:
		return false
	case order.held:
		e.endHeld(event, order, StatusCanceled, ExecutionReport{ExecType: ExecCanceled, Text: text}, effects)
	default:
		order.pendingCancel, order.cancelName = true, ""
		effects.report(event, order, ExecutionReport{ExecType: ExecPendingCancel, Text: text})
		effects.route(RouteCancel, order)
	}
	return true
}

func (e *Engine) endHeld(event *Event, order *Order, status OrdStatus, r ExecutionReport, effects *Effects) {
	e.close(event, order, status)
	effects.tell(event, PretradeEvent{Release: &PretradeRelease{OrderID: order.OrderID}})
	effects.report(event, order, r)
	e.afterClose(event, order, effects)
}

// cancelOpen requests the cancel of orders, in their order, and says how many it reached.
func (e *Engine) cancelOpen(event *Event, orders []*Order, text string, effects *Effects) (reached uint32) {
	for _, order := range orders {
		if e.requestCancel(event, order, text, effects) {
			reached++
		}
	}
	return reached
}

func (e *Engine) applyMassCancel(event *Event, mass *MassCancelOrders, effects *Effects) error {
	_, same, used := e.Known(mass)
	if same {
		return ErrNothingNew
	}
	ack := CommandAck{Account: mass.Account, ClOrdID: mass.ClOrdID, Sequence: event.Sequence, ExecType: ExecPendingCancel}
	refused := ExecutionReport{RejectedBy: ByEngine}
	if used {
		refused.CxlRejReason, refused.Text = CxlDuplicateClOrdID, fmt.Sprintf("cl_ord_id: %q was used before", mass.ClOrdID)
	} else if refusal := e.matchesNothing(mass); refusal != nil {
		refused.CxlRejReason, refused.OrdRejReason, refused.Text = CxlRefused, refusal.OrdRejReason, refusal.Text
	}
	if refused.CxlRejReason != 0 {
		e.rejectRequest(event, nil, "", &ack, refused, effects)
	} else {
		for _, order := range e.openOrders(mass.matches) {
			if e.requestCancel(event, order, "", effects) {
				order.cancelName = mass.ClOrdID
				ack.TotalAffectedOrders++
			}
		}
	}
	e.remember(event, mass, nil, ack)
	effects.Ack = ack
	return nil
}

// matchesNothing refuses names that no order can have, so that a name that is misspelt is told of. Those of
// strategies are what orders say.
func (e *Engine) matchesNothing(mass *MassCancelOrders) *Refusal {
	if _, err := e.openAccount(mass.Account); err != nil {
		return &Refusal{RejUnknownAccount, err.Error()}
	}
	if _, known := e.instruments[mass.InstrumentID]; !known && mass.InstrumentID != "" {
		return refuse(RejUnknownInstrument, "instrument_id: unknown instrument %q", mass.InstrumentID)
	}
	return nil
}

func (m *MassCancelOrders) matches(order *Order) bool {
	o := order.terms
	return o.Account == m.Account && (m.StrategyID == "" || m.StrategyID == o.StrategyID) &&
		(m.InstrumentID == "" || m.InstrumentID == o.InstrumentID) && (m.Side == 0 || m.Side == o.Side)
}

// openOrders are those that match, as they came.
func (e *Engine) openOrders(matches func(*Order) bool) []*Order {
	var found []*Order
	for _, order := range e.open.All() {
		if matches(order) {
			found = append(found, order)
		}
	}
	slices.SortFunc(found, compareOrders)
	return found
}

func compareOrders(a, b *Order) int { return CompareOrderIDs(a.OrderID, b.OrderID) }

// byID are orders as they came.
func byID(orders *OrderMap[Order]) []*Order {
	sorted, listed := make([]*Order, 0, orders.Len()), false
	for id, order := range orders.All() {
		sorted, listed = append(sorted, order), listed || id != SequenceOf(id)
	}
	if listed { // Only their ids rise otherwise than they came.
		slices.SortFunc(sorted, compareOrders)
	}
	return sorted
}
