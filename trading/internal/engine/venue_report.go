package engine

import (
	"fmt"
	"math"
)

func (e *Engine) applyVenueReport(event *Event, report *VenueReport, effects *Effects) error {
	order := e.orders[report.OrderID]
	if order == nil {
		return fmt.Errorf("order_id: unknown order %d", report.OrderID)
	}
	if order.RejectedBy == ByEngine || order.RejectedBy == ByRisk {
		return fmt.Errorf("order_id: order %d was refused and never sent", report.OrderID)
	}
	if order.held {
		return fmt.Errorf("order_id: order %d waits with us and was not sent", report.OrderID)
	}
	if venue := order.instrument.Venue(); report.Venue != venue {
		return fmt.Errorf("venue: order %d is at %q, got %q", report.OrderID, venue, report.Venue)
	}
	if report.ExecType == ExecTrade {
		return e.applyFill(event, order, report, effects)
	}
	return e.applyStatus(event, order, report, effects)
}

// applyStatus takes a report that moves no quantity.
func (e *Engine) applyStatus(event *Event, order *Order, report *VenueReport, effects *Effects) error {
	news := order.Open()
	switch report.ExecType {
	case ExecNew:
		news = news && !order.acknowledged
	case ExecReplaced, ExecRestated:
		return e.applyReplaced(event, order, report, effects)
	case ExecCancelRejected: // Also of an order that closed while the cancel was on its way.
		// A replace goes out before a cancel, never after it: so its refusal comes first.
		if order.change != nil {
			e.applyReplaceRejected(event, order, report, effects)
			return nil
		}
		news = order.pendingCancel
	case ExecCanceled, ExecExpired, ExecRejected:
	default:
		return fmt.Errorf("exec_type: a venue does not say %d", report.ExecType)
	}
	if !news {
		return ErrNothingNew
	}
	r := ExecutionReport{ExecType: report.ExecType, ExecID: report.ExecID, Text: report.Text}
	switch report.ExecType {
	case ExecNew:
		order.acknowledged = true
	case ExecCancelRejected:
		order.pendingCancel, order.expires = false, false
		r.CxlRejReason, r.RejectedBy = report.CxlRejReason, ByVenue
	case ExecCanceled:
		if order.pendingCancel = false; order.expires {
			r.ExecType = ExecExpired
			e.close(event, order, StatusExpired)
			break
		}
		e.close(event, order, StatusCanceled)
	case ExecExpired:
		e.close(event, order, StatusExpired)
	case ExecRejected:
		e.close(event, order, StatusRejected)
		order.OrdRejReason, order.RejectedBy, order.Text = RejVenue, ByVenue, report.Text
		r.OrdRejReason, r.RejectedBy = RejVenue, ByVenue
	}
	order.nameAtVenue(report)
	if !order.Open() && report.ExecType != ExecCancelRejected {
		effects.tell(event, PretradeEvent{Release: &PretradeRelease{OrderID: order.OrderID}})
	}
	effects.report(event, order, r)
	switch {
	case !order.Open():
		e.afterClose(event, order, effects)
	case report.ExecType == ExecCancelRejected:
		e.expireLater(order)
		e.sendWanted(event, order, effects)
	}
	return nil
}

// applyFill counts a fill, also one that comes after the order closed: the venue has the last word on
// what was traded. Everything is computed before anything is changed.
func (e *Engine) applyFill(event *Event, order *Order, report *VenueReport, effects *Effects) error {
	exec := execName{report.Venue, report.ExecID}
	if report.ExecID == "" {
		return fmt.Errorf("exec_id: a fill must have one")
	}
	if _, seen := e.execs[exec]; seen {
		return ErrNothingNew
	}
	if report.LastQty <= 0 {
		return fmt.Errorf("last_qty: must be positive, got %d", report.LastQty)
	}
	if err := order.instrument.checkPrice("last_px", report.LastPx); err != nil {
		return err
	}
	if order.CumQty > math.MaxInt64-report.LastQty {
		return fmt.Errorf("cum_qty: %w", ErrOverflow)
	}
	booking, err := order.account.bookFill(order, report)
	if err != nil {
		return err
	}
	notional, err := order.instrument.notional(report.LastQty, report.LastPx)
	if err != nil {
		return err
	}
	cumNotional, err := order.CumNotional.Add(notional)
	if err != nil {
		return err
	}

	booking.commit(order.account)
	e.execs[exec] = struct{}{}
	order.execs = append(order.execs, exec)
	order.CumQty, order.CumNotional, order.acknowledged = order.CumQty+report.LastQty, cumNotional, true
	order.nameAtVenue(report)
	if order.CumQty >= order.terms.OrderQty {
		e.close(event, order, StatusFilled)
	}
	effects.tell(event, PretradeEvent{Fill: &PretradeFill{
		OrderID: order.OrderID, Account: order.NewOrder.Account, InstrumentID: order.NewOrder.InstrumentID,
		Side: order.NewOrder.Side, LastQty: report.LastQty, LastPx: report.LastPx,
	}})
	effects.report(event, order, ExecutionReport{
		ExecType: ExecTrade, ExecID: report.ExecID, Text: report.Text, LastQty: report.LastQty, LastPx: report.LastPx,
		LastLiquidityInd: report.LastLiquidityInd, Commission: report.Commission,
	})
	if !order.Open() && order.change != nil {
		effects.tellHold(event, order) // It was of the larger quantity, of which no fill can be awaited now.
	}
	e.afterFill(event, order, report.LastQty, effects)
	e.positionMoved(event, order.account, order.instrument, effects)
	return nil
}

func (o *Order) nameAtVenue(report *VenueReport) {
	if report.VenueOrderID != "" {
		o.VenueOrderID = report.VenueOrderID
	}
}
