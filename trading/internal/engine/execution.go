package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// fill is a trade of an order, as the venue last corrected it.
type fill struct {
	execID     string
	sequence   uint64 // of the event that booked it
	qty        int64  // 0: busted
	px         int64
	commission Money
}

// revision is a bust or a correction: of a trade, or of what corrected it before. What a trade is in the
// end depends on which revisions there are, not on the order in which they came, be it before the trade.
type revision struct {
	execID       string
	refID        string
	bust         bool
	transactTime int64
	qty          int64
	px           int64
	commission   Money // without a currency: that before stays
}

// applyTrade counts a fill, also one that comes after the order closed, and one of more than was ordered:
// the venue has the last word on what was traded. Everything is computed before anything is changed.
func (e *Engine) applyTrade(event *Event, order *Order, report *VenueReport, effects *Effects) error {
	execs := e.execsAt(order.instrument)
	if _, seen := execs[report.ExecID]; seen {
		return ErrNothingNew
	}
	if err := order.checkTraded(report); err != nil {
		return err
	}
	trade := fill{report.ExecID, event.Sequence, report.LastQty, report.LastPx, report.Commission}
	trade.revise(order.revisions)
	if trade.qty == 0 {
		return ErrNothingNew // It was busted before it came.
	}
	traded := retraded{after: trade}
	if err := traded.compute(event, order); err != nil {
		return err
	}

	traded.commit(order)
	order.fills = append(order.fills, trade)
	execs[report.ExecID] = order
	order.heard(report)
	e.settle(event, order)
	effects.tell(event, PretradeEvent{Fill: &PretradeFill{
		OrderID: order.OrderID, Account: order.NewOrder.Account, InstrumentID: order.NewOrder.InstrumentID, Side: order.NewOrder.Side,
		LastQty: trade.qty, LastPx: trade.px, StrategyID: order.NewOrder.StrategyID, Cash: traded.riskCash(order),
	}})
	traded.tellFees(event, order, effects)
	effects.report(event, order, ExecutionReport{
		ExecType: ExecTrade, ExecID: report.ExecID, Text: report.Text, LastQty: trade.qty, LastPx: trade.px,
		LastLiquidityInd: report.LastLiquidityInd, Commission: trade.commission,
	})
	if !order.Open() && order.change != nil {
		effects.tellHold(event, order) // It was of the larger quantity, of which no fill can be awaited now.
	}
	e.afterFill(event, order, trade.qty, effects)
	e.positionMoved(event, order.account, order.instrument, effects)
	return nil
}

// applyRevision takes a bust or a correction. That of a trade that has not come is kept until it does.
//
// An order whose fill is busted works again for that quantity, unless the venue ended it: this is FIX's order
// state change J.1. Where the venue says that it lapsed, the order is for that much less instead.
func (e *Engine) applyRevision(event *Event, order *Order, report *VenueReport, effects *Effects) error {
	if err := e.checkRevision(order, report); err != nil {
		return err
	}
	revisions := append(slices.Clip(order.revisions), revision{
		execID: report.ExecID, refID: report.ExecRefID, bust: report.ExecType == ExecTradeCancel, transactTime: report.TransactTime,
		qty: report.LastQty, px: report.LastPx, commission: report.Commission,
	})
	tradeID, _ := origin(revisions, &revisions[len(revisions)-1])
	at := slices.IndexFunc(order.fills, func(f fill) bool { return f.execID == tradeID })
	var traded retraded
	if at >= 0 {
		trade := order.fills[at]
		trade.revise(revisions)
		traded.before, traded.after = order.fills[at], trade
		if err := traded.compute(event, order); err != nil {
			return err
		}
	}

	wasOpen := order.Open()
	if order.revisions = revisions; at >= 0 {
		traded.commit(order)
		order.fills[at] = traded.after
	}
	e.execsAt(order.instrument)[report.ExecID] = order
	if report.Lapsed {
		order.restate(func(o *NewOrder) { o.OrderQty = max(o.OrderQty-report.LastQty, 0) })
	}
	order.heard(report)
	e.settle(event, order)
	traded.tellCorrection(event, order, effects)
	if wasOpen || order.Open() {
		effects.tellHold(event, order)
	}
	effects.report(event, order, ExecutionReport{
		ExecType: report.ExecType, ExecID: report.ExecID, ExecRefID: report.ExecRefID, Text: report.Text,
		LastQty: report.LastQty, LastPx: report.LastPx, Commission: traded.after.commission,
	})
	e.afterRevision(event, order, traded.after.qty-traded.before.qty, wasOpen, effects)
	return nil
}

// afterRevision does what a fill that became larger or smaller means to others. What a bust took from the fills
// of a list's order is not given back to the others: that would be more than was approved.
func (e *Engine) afterRevision(event *Event, order *Order, more int64, wasOpen bool, effects *Effects) {
	closed := wasOpen && !order.Open()
	switch l := order.list; {
	case more > 0 || closed && order.closed == StatusFilled:
		e.afterFill(event, order, max(more, 0), effects)
	case closed:
		e.afterClose(event, order, effects)
	case more < 0 && l != nil && l.contingencyType == Bracket && order == l.first():
		e.sizeExits(event, l, effects)
	}
	e.positionMoved(event, order.account, order.instrument, effects)
}

func (o *Order) checkTraded(report *VenueReport) error {
	if report.ExecID == "" {
		return fmt.Errorf("exec_id: a fill must have one")
	}
	if report.LastQty <= 0 {
		return fmt.Errorf("last_qty: must be positive, got %d", report.LastQty)
	}
	if report.Commission.Currency == "" && report.Commission.Amount != (Amount{}) {
		return fmt.Errorf("commission: %s has no currency", report.Commission.Amount)
	}
	return o.instrument.checkPrice("last_px", report.LastPx)
}

func (e *Engine) checkRevision(order *Order, report *VenueReport) error {
	execs := e.execsAt(order.instrument)
	if _, seen := execs[report.ExecID]; seen {
		return ErrNothingNew
	}
	if report.ExecID == "" || report.ExecRefID == "" || report.ExecID == report.ExecRefID {
		return fmt.Errorf("exec_id, exec_ref_id: must be set and differ, got %q and %q", report.ExecID, report.ExecRefID)
	}
	if of := execs[report.ExecRefID]; of != nil && of != order {
		return fmt.Errorf("exec_ref_id: %q is of order %d", report.ExecRefID, of.OrderID)
	}
	switch {
	case report.ExecType == ExecTradeCorrect:
		return order.checkTraded(report)
	case report.Lapsed && report.LastQty <= 0:
		return fmt.Errorf("last_qty: must be positive where it lapses, got %d", report.LastQty)
	}
	return nil
}

// origin is the trade that a revision goes back to, and over how many steps.
func origin(revisions []revision, r *revision) (tradeID string, steps int) {
	// Revisions that name each other in a ring go back to nothing; the bound ends them.
	for steps = 1; steps <= len(revisions); steps++ {
		at := slices.IndexFunc(revisions, func(earlier revision) bool { return earlier.execID == r.refID })
		if at < 0 {
			return r.refID, steps
		}
		r = &revisions[at]
	}
	return "", steps
}

// revise makes of a trade what its revisions say: that of the most steps counts, of several with as many the
// latest. A bust is final.
func (f *fill) revise(revisions []revision) {
	type step struct {
		*revision
		steps int
	}
	var all []step
	for i := range revisions {
		if tradeID, steps := origin(revisions, &revisions[i]); tradeID == f.execID {
			all = append(all, step{&revisions[i], steps})
		}
	}
	slices.SortFunc(all, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.steps, b.steps), cmp.Compare(a.transactTime, b.transactTime), cmp.Compare(a.execID, b.execID))
	})
	bust := false
	for _, r := range all {
		if bust = bust || r.bust; r.bust {
			continue
		}
		f.qty, f.px = r.qty, r.px
		if r.commission.Currency != "" {
			f.commission = r.commission
		}
	}
	if bust {
		f.qty, f.px, f.commission = 0, 0, Money{}
	}
}

// retraded is what it means that a trade is another one than before; neither is one without quantity.
type retraded struct {
	before, after fill
	booking       booking
	otherFees     [2]Money // in other currencies than the quote currency, as cash that comes in
	cumQty        int64
	cumNotional   Amount
}

func (t *retraded) compute(event *Event, o *Order) error {
	t.cumQty, t.cumNotional = o.CumQty, o.CumNotional
	if t.before == t.after {
		return nil
	}
	if o.CumQty-t.before.qty > math.MaxInt64-t.after.qty {
		return fmt.Errorf("cum_qty: %w", ErrOverflow)
	}
	t.cumQty += t.after.qty - t.before.qty
	undone, err := o.instrument.notional(t.before.qty, t.before.px)
	if err != nil {
		return err
	}
	done, err := o.instrument.notional(t.after.qty, t.after.px)
	if err != nil {
		return err
	}
	if t.cumNotional, err = t.cumNotional.less(undone, done); err != nil {
		return err
	}
	after := o.move(event, &t.after)
	if t.before.qty == 0 {
		err = t.booking.book(o.account, o.instrument, &after)
	} else {
		err = t.booking.rebook(o.account, o.instrument, o.move(event, &t.before), after)
	}
	if err != nil {
		return err
	}
	return t.pay(o)
}

// move is what a fill does to the position. A fee in another currency than the quote currency is not of it.
func (o *Order) move(event *Event, f *fill) move {
	m := move{sequence: f.sequence, time: event.TransactTime, strategy: o.NewOrder.StrategyID, qty: f.qty, px: f.px}
	if o.NewOrder.Side == Sell {
		m.qty = -m.qty
	}
	if f.commission.Currency == o.instrument.QuoteCurrency {
		m.fee = f.commission.Amount
	}
	return m
}

// pay moves the cash: of the quote currency, and of those of other fees.
func (t *retraded) pay(o *Order) error {
	if err := t.booking.payFills(o.account); err != nil {
		return err
	}
	quote := o.instrument.QuoteCurrency
	if fee := t.before.commission; fee.Currency != quote {
		t.otherFees[0] = fee
	}
	if fee := t.after.commission; fee.Currency != quote {
		var err error
		if fee.Amount, err = fee.Amount.Neg(); err != nil {
			return err
		}
		t.otherFees[1] = fee
	}
	for _, fee := range t.otherFees {
		if err := t.booking.addCash(o.account, fee); err != nil {
			return err
		}
	}
	return nil
}

func (t *retraded) commit(o *Order) {
	t.booking.commit(o.account)
	o.CumQty, o.CumNotional = t.cumQty, t.cumNotional
}

func (t *retraded) riskCash(o *Order) Money {
	return Money{o.instrument.QuoteCurrency, t.booking.riskCash}
}

// tellFees tells of fees in other currencies: as of corrections that move cash alone, for they are a loss, while
// cash that is paid out is none.
func (t *retraded) tellFees(event *Event, o *Order, effects *Effects) {
	for _, fee := range t.otherFees {
		if fee.Amount != (Amount{}) {
			effects.tell(event, PretradeEvent{Correction: o.correction(0, fee)})
		}
	}
}

func (o *Order) correction(qty int64, cash Money) *PretradeCorrection {
	return &PretradeCorrection{OrderID: o.OrderID, Account: o.NewOrder.Account, InstrumentID: o.NewOrder.InstrumentID,
		StrategyID: o.NewOrder.StrategyID, Qty: qty, Cash: cash}
}

func (t *retraded) tellCorrection(event *Event, o *Order, effects *Effects) {
	if t.before == t.after {
		return
	}
	qty := t.after.qty - t.before.qty
	if o.NewOrder.Side == Sell {
		qty = -qty
	}
	effects.tell(event, PretradeEvent{Correction: o.correction(qty, t.riskCash(o))})
	t.tellFees(event, o, effects)
}

// execs finds the order that an event of a venue was of, by its exec id, so that none counts twice.
type execs map[string]*Order

// execsAt are those of an instrument's venue.
func (e *Engine) execsAt(i *instrument) execs {
	if i.execs == nil {
		venue := i.Venue()
		if e.execs[venue] == nil {
			e.execs[venue] = execs{}
		}
		i.execs = e.execs[venue]
	}
	return i.execs
}

// execIDs calls yield with those that the order is found by.
func (o *Order) execIDs(yield func(string)) {
	for i := range o.fills {
		yield(o.fills[i].execID)
	}
	for i := range o.revisions {
		yield(o.revisions[i].execID)
	}
	for _, execID := range o.restatements {
		yield(execID)
	}
}

func walkFill(w walker, f *fill) {
	walkString(w, &f.execID)
	walkUint(w, &f.sequence)
	walkInt(w, &f.qty)
	walkInt(w, &f.px)
	walkMoney(w, &f.commission)
}

func walkRevision(w walker, r *revision) {
	walkString(w, &r.execID)
	walkString(w, &r.refID)
	walkBool(w, &r.bust)
	walkInt(w, &r.transactTime)
	walkInt(w, &r.qty)
	walkInt(w, &r.px)
	walkMoney(w, &r.commission)
}
