package engine

import (
	"errors"
	"fmt"
)

// ErrUnknownOrder says that a venue speaks of an order that the engine does not know, or no longer knows. It
// is for a person to look at, and no reason to stop.
var ErrUnknownOrder = errors.New("unknown order")

// applyVenueReport takes what a venue says of an order. Where the order is follows from what was said, and
// not from when: the reports of an order may come in any order, and more than once.
func (e *Engine) applyVenueReport(event *Event, report *VenueReport, effects *Effects) error {
	order := e.orders.Get(report.OrderID)
	if order == nil {
		return fmt.Errorf("order_id: %w %d", ErrUnknownOrder, report.OrderID)
	}
	if !order.sent {
		return fmt.Errorf("order_id: order %d was never sent", report.OrderID)
	}
	if venue := order.instrument.Venue(); report.Venue != venue {
		return fmt.Errorf("venue: order %d is at %q, got %q", report.OrderID, venue, report.Venue)
	}
	switch report.ExecType {
	case ExecTrade:
		return e.applyTrade(event, order, report, effects)
	case ExecTradeCancel, ExecTradeCorrect:
		return e.applyRevision(event, order, report, effects)
	case ExecNew:
		return e.applyNews(event, order, report, &order.acknowledged, effects)
	case ExecTriggered:
		return e.applyNews(event, order, report, &order.triggered, effects)
	case ExecReplaced, ExecRestated:
		return e.applyReplaced(event, order, report, effects)
	case ExecCancelRejected:
		return e.applyCancelRejected(event, order, report, effects)
	case ExecCanceled:
		return e.applyEnd(event, order, report, StatusCanceled, effects)
	case ExecExpired:
		return e.applyEnd(event, order, report, StatusExpired, effects)
	case ExecRejected:
		return e.applyEnd(event, order, report, StatusRejected, effects)
	}
	return fmt.Errorf("exec_type: a venue does not say %d", report.ExecType)
}

// applyNews takes what a venue says once of an order that works, and that moves nothing.
func (e *Engine) applyNews(event *Event, order *Order, report *VenueReport, known *bool, effects *Effects) error {
	if !order.Open() || *known {
		return ErrNothingNew
	}
	*known = true
	order.heard(report)
	effects.report(event, order, ExecutionReport{ExecType: report.ExecType, ExecID: report.ExecID, Text: report.Text})
	return nil
}

// heard takes what a report says besides its own matter: that the venue has the order, and its name there.
func (o *Order) heard(report *VenueReport) {
	o.acknowledged, o.inDoubt = true, false
	o.nameAtVenue(report)
}

func (o *Order) nameAtVenue(report *VenueReport) {
	if report.VenueOrderID != "" {
		o.VenueOrderID = report.VenueOrderID
	}
}

// applyCancelRejected leaves the order as it is, be it closed while the cancel was on its way. It settles no
// doubt: a venue refuses to cancel also what it does not know yet.
func (e *Engine) applyCancelRejected(event *Event, order *Order, report *VenueReport, effects *Effects) error {
	if order.change != nil { // A replace goes out before a cancel, never after it: so its refusal comes first.
		e.applyReplaceRejected(event, order, report, effects)
		return nil
	}
	if !order.pendingCancel {
		return ErrNothingNew
	}
	r := refusedByVenue(order, report, order.cancelName)
	if order.expires {
		order.cancelAgain = event.TransactTime + cancelAgainAfter
	}
	order.pendingCancel, order.cancelName, order.expires = false, "", false
	effects.report(event, order, r)
	if order.Open() {
		e.expireLater(order)
		e.sendWanted(event, order, effects)
	}
	return nil
}

// refusedByVenue tells of a cancel or a replace by the name of who asked for it; one without a name is our own.
func refusedByVenue(order *Order, report *VenueReport, name string) ExecutionReport {
	r := ExecutionReport{ExecType: ExecCancelRejected, ExecID: report.ExecID, Text: report.Text,
		CxlRejReason: report.CxlRejReason, RejectedBy: ByVenue, ClOrdID: name}
	if name != "" {
		r.OrigClOrdID = order.terms.ClOrdID
	}
	return r
}

// applyEnd ends an order, once. One that is filled stays so; it only does not work again when a fill of it is
// busted.
func (e *Engine) applyEnd(event *Event, order *Order, report *VenueReport, status OrdStatus, effects *Effects) error {
	if order.ended != 0 {
		return ErrNothingNew
	}
	r := ExecutionReport{ExecType: report.ExecType, ExecID: report.ExecID, Text: report.Text}
	if order.expires && status == StatusCanceled { // That is what it was canceled for.
		r.ExecType, status = ExecExpired, StatusExpired
	}
	wasOpen := order.Open()
	order.ended, order.pendingCancel = status, false
	order.heard(report)
	e.settle(event, order)
	if status == StatusRejected {
		order.OrdRejReason, order.RejectedBy, order.Text = RejVenue, ByVenue, report.Text
		r.OrdRejReason, r.RejectedBy = RejVenue, ByVenue
	}
	switch {
	case !wasOpen:
	case status == StatusRejected:
		effects.tell(event, PretradeEvent{VenueReject: &PretradeVenueReject{OrderID: order.OrderID}})
	default:
		effects.tell(event, PretradeEvent{Release: &PretradeRelease{OrderID: order.OrderID}})
	}
	effects.report(event, order, r)
	e.afterClose(event, order, effects)
	return nil
}

// settle closes an order that is filled or was ended, and opens one that is neither any more. Filled goes
// before any other end, as in FIX. Of an order whose fills all lapsed nothing is left to be filled.
func (e *Engine) settle(event *Event, order *Order) {
	status := order.ended
	switch done := order.CumQty >= order.terms.OrderQty; {
	case done && order.CumQty > 0:
		status = StatusFilled
	case done && status == 0:
		status = StatusCanceled
	}
	switch {
	case status == order.closed:
	case status != 0:
		e.close(event, order, status)
	default:
		order.closed, order.closedAt = 0, 0
		e.index(order)
	}
}
