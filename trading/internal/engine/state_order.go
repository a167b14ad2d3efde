package engine

import (
	"errors"
	"fmt"
)

// walkOrders walks the orders by rising id, as walkMap would.
func (e *Engine) walkOrders(w walker) {
	n := uint64(e.orders.Len())
	walkUint(w, &n)
	if !w.reads() {
		for id, order := range e.orders.All() {
			walkUint(w, &id)
			e.walkOrder(w, order)
		}
		return
	}
	for range n {
		var id uint64
		walkUint(w, &id)
		order := &Order{LastReport: &ExecutionReport{}}
		if e.walkOrder(w, order); order.OrderID != id {
			w.fault(fmt.Errorf("%v stands under the key %v", order.OrderID, id))
		}
		if failed(w) {
			return
		}
		e.orders.Put(id, order)
	}
}

func (e *Engine) walkOrder(w walker, o *Order) {
	walkUint(w, &o.OrderID)
	walkNewOrder(w, &o.NewOrder)
	e.walkTerms(w, o)
	e.walkInstrumentOf(w, &o.instrument)
	walkString(w, &o.VenueOrderID)
	walkString(w, &o.VenueClOrdID)
	walkString(w, &o.session)
	walkInt(w, &o.came)
	walkInt(w, &o.armed)
	walkInt(w, &o.cancelAgain)
	walkInt(w, &o.CumQty)
	walkAmount(w, &o.CumNotional)
	walkSmall(w, &o.OrdRejReason)
	walkSmall(w, &o.RejectedBy)
	walkString(w, &o.Text)
	walkSlice(w, &o.CheckFailures, walkFailure)
	walkSmall(w, &o.closed)
	walkInt(w, &o.closedAt)
	walkSmall(w, &o.ended)
	for _, flag := range []*bool{&o.sent, &o.inDoubt, &o.acknowledged, &o.pendingCancel, &o.expires, &o.held, &o.waits, &o.triggered, &o.marked, &o.named} {
		walkBool(w, flag)
	}
	walkString(w, &o.cancelName)
	walkInt(w, &o.watermark)
	walkInt(w, &o.wantQty)
	walkOptional(w, &o.change, walkChange)
	walkInt(w, &o.holdPx)
	walkSlice(w, &o.fills, walkFill)
	walkSlice(w, &o.revisions, walkRevision)
	walkSlice(w, &o.restatements, walkString)
	walkReport(w, o.LastReport)
	if w.reads() && !failed(w) {
		e.completeOrder(w, o)
	}
}

// completeOrder finds what the order points to.
func (e *Engine) completeOrder(w walker, o *Order) {
	if o.account = e.accounts[o.NewOrder.Account]; o.account == nil {
		w.fault(fmt.Errorf("account: order %d is of unknown account %q", o.OrderID, o.NewOrder.Account))
		return
	}
	if _, used := o.account.names[o.NewOrder.ClOrdID]; o.named && used {
		w.fault(fmt.Errorf("cl_ord_id: order %d has the name of another, %q", o.OrderID, o.NewOrder.ClOrdID))
		return
	} else if o.named {
		o.account.names[o.NewOrder.ClOrdID] = named{order: o}
	}
	known := len(o.fills) + len(o.revisions) + len(o.restatements)
	if o.instrument == nil && (o.Open() || o.sent || known > 0) {
		w.fault(fmt.Errorf("instrument_id: order %d is open or was sent, and has none", o.OrderID))
		return
	}
	o.execIDs(func(execID string) { e.execsAt(o.instrument)[execID] = o })
	o.completeLastReport()
}

// walkTerms walks the order as it stands, if that is not as it was asked for.
func (e *Engine) walkTerms(w walker, o *Order) {
	var changed *NewOrder
	if o.terms != &o.NewOrder {
		changed = o.terms
	}
	walkOptional(w, &changed, walkNewOrder)
	if !w.reads() {
		return
	}
	if o.terms = changed; changed == nil {
		o.terms = &o.NewOrder
	}
}

func walkChange(w walker, c *change) {
	if w.reads() {
		c.terms = &NewOrder{}
	}
	walkNewOrder(w, c.terms)
	walkBool(w, &c.byName)
}

func walkNewOrder(w walker, o *NewOrder) {
	walkString(w, &o.ClOrdID)
	walkString(w, &o.Account)
	walkString(w, &o.StrategyID)
	walkString(w, &o.InstrumentID)
	walkSmall(w, &o.Side)
	walkSmall(w, &o.OrdType)
	walkSmall(w, &o.TimeInForce)
	walkInt(w, &o.OrderQty)
	walkBool(w, &o.HasPrice)
	walkInt(w, &o.Price)
	walkBool(w, &o.HasStopPx)
	walkInt(w, &o.StopPx)
	walkInt(w, &o.DisplayQty)
	walkInt(w, &o.ExpireTime)
	walkSmall(w, &o.ExecInsts)
	walkSmall(w, &o.STP)
	walkInt(w, &o.TrailingAmount)
	walkSmall(w, &o.TrailingBps)
}

func walkFailure(w walker, f *CheckFailure) {
	walkSmall(w, &f.OrdRejReason)
	walkString(w, &f.Scope)
	walkString(w, &f.RiskLimit)
	walkString(w, &f.Value)
}

// walkReport walks what the order itself does not hold.
func walkReport(w walker, r *ExecutionReport) {
	walkUint(w, &r.Sequence)
	walkUint(w, &r.PrevSequence)
	walkInt(w, &r.TransactTime)
	walkString(w, &r.ExecID)
	walkSmall(w, &r.ExecType)
	walkSmall(w, &r.OrdStatus)
	walkInt(w, &r.LastQty)
	walkInt(w, &r.LastPx)
	walkSmall(w, &r.LastLiquidityInd)
	walkMoney(w, &r.Commission)
	walkSmall(w, &r.CxlRejReason)
	walkSmall(w, &r.RejectedBy)
	walkString(w, &r.Text)
	walkSmall(w, &r.OrdRejReason)
	walkSlice(w, &r.CheckFailures, walkFailure)
	walkString(w, &r.ExecRefID)
	walkString(w, &r.ClOrdID)
	walkString(w, &r.OrigClOrdID)
}

// completeLastReport adds what the order holds. Nothing of it changes without a report.
func (o *Order) completeLastReport() {
	r := o.LastReport
	r.NewOrder, r.OrderID, r.VenueOrderID = o.terms, o.OrderID, o.VenueOrderID
	r.CumQty, r.LeavesQty = o.CumQty, o.LeavesQty()
	r.StopPx, r.HasStopPx = o.stopPx()
	if o.list != nil {
		r.ListID, r.ContingencyType = o.list.listID, o.list.contingencyType
	}
	if o.instrument != nil {
		r.CumNotional = Money{o.instrument.QuoteCurrency, o.CumNotional}
		r.AvgPx = o.instrument.averagePrice(o.CumNotional, o.CumQty)
	}
}

// walkOrderOf walks a reference to an order; none is 0.
func (e *Engine) walkOrderOf(w walker, order **Order) {
	var id uint64
	if *order != nil {
		id = (*order).OrderID
	}
	if walkUint(w, &id); w.reads() && id != 0 {
		if *order = e.orders.Get(id); *order == nil {
			w.fault(fmt.Errorf("order_id: unknown order %d", id))
		}
	}
}

// walkLists walks what the orders of the lists do not hold themselves.
func (e *Engine) walkLists(w walker) {
	var lists []*list
	if !w.reads() {
		for _, order := range byID(&e.orders) {
			if l := order.list; l != nil && order == l.first() {
				lists = append(lists, l)
			}
		}
	}
	walkSlice(w, &lists, func(w walker, value **list) {
		if w.reads() {
			*value = &list{}
		}
		l := *value
		walkUint(w, &l.sequence)
		walkString(w, &l.listID)
		walkSmall(w, &l.contingencyType)
		walkBool(w, &l.approved)
		walkBool(w, &l.named)
		walkSlice(w, &l.orders, e.walkOrderOf)
		if w.reads() && !failed(w) {
			l.adopt(w)
		}
	})
}

// adopt tells the orders of a list that was read that they belong to it.
func (l *list) adopt(w walker) {
	if len(l.orders) == 0 {
		w.fault(errors.New("a list has no orders"))
		return
	}
	for _, order := range l.orders {
		if order == nil || order.list != nil || order.account != l.orders[0].account {
			w.fault(fmt.Errorf("list %d: its orders are not its own", l.sequence))
			return
		}
		order.list = l
		order.completeLastReport()
	}
}
