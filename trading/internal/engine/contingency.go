package engine

// What the orders of a list, and a position and the orders that may only reduce it, do to each other.

// afterFill does what a fill of an order means to the others of its list.
func (e *Engine) afterFill(event *Event, order *Order, qty int64, effects *Effects) {
	l := order.list
	if l == nil {
		return
	}
	switch l.contingencyType {
	case OCO:
		e.cancelOpen(event, l.others(order), "contingency_type: another order of the list was filled", effects)
	case OUO:
		for _, other := range l.others(order) {
			if other.Open() {
				e.resize(event, other, other.targetQty()-qty, effects)
			}
		}
	case OTO:
		if order == l.first() && order.closed == StatusFilled {
			for _, other := range l.others(order) {
				e.release(event, other, other.terms.OrderQty, effects)
			}
		}
	case Bracket:
		e.sizeExits(event, l, effects)
		if order != l.first() {
			e.endEntry(event, l, effects)
		}
	}
}

// sizeExits lets each exit of a bracket work for what the entry has filled, less what other exits closed.
func (e *Engine) sizeExits(event *Event, l *list, effects *Effects) {
	for _, exit := range l.others(l.first()) {
		want := l.first().CumQty
		for _, other := range l.others(l.first()) {
			if other != exit {
				want -= other.CumQty
			}
		}
		want = min(want, exit.CumQty+exit.reducible(want-exit.CumQty))
		switch {
		case !exit.Open():
		case exit.waits:
			e.release(event, exit, want, effects)
		case want != exit.targetQty():
			e.resize(event, exit, want, effects)
		}
	}
}

// endEntry cancels what of a bracket's entry still works, once an exit acts: the position is to close.
func (e *Engine) endEntry(event *Event, l *list, effects *Effects) {
	e.cancelOpen(event, l.orders[:1], "contingency_type: an exit of the bracket has begun", effects)
}

// afterClose does what the end of an order means to the others of its list: what waits for a first order
// that can no longer bring it about ends with it.
func (e *Engine) afterClose(event *Event, order *Order, effects *Effects) {
	l := order.list
	if l == nil || !l.chains() || order != l.first() || order.closed == StatusFilled {
		return
	}
	for _, other := range l.others(order) {
		if other.waits {
			e.requestCancel(event, other, "contingency_type: the first order of the list ended", effects)
		}
	}
}

// release ends the wait of an order for another one of its list. It goes to its venue, or waits for its
// trigger from now on.
func (e *Engine) release(event *Event, order *Order, qty int64, effects *Effects) {
	if !order.waits {
		return
	}
	if qty = min(qty, order.reducible(order.terms.OrderQty)); qty <= 0 {
		e.requestCancel(event, order, "exec_insts: there is no position to reduce", effects)
		return
	}
	if refusal := e.latched(order.terms); refusal != nil && !order.hasUnmetTrigger() {
		e.requestCancel(event, order, refusal.Text, effects)
		return
	}
	restated := qty != order.terms.OrderQty
	if restated {
		order.restate(func(o *NewOrder) { o.OrderQty = qty })
	}
	order.waits, order.armed = false, event.TransactTime
	e.rewatch(order)
	switch {
	case !order.hasUnmetTrigger():
		e.unhold(order)
		effects.report(event, order, ExecutionReport{ExecType: ExecPendingNew})
		effects.route(RouteNew, order)
	case restated:
		effects.report(event, order, ExecutionReport{ExecType: ExecRestated})
	}
	effects.tellHold(event, order)
}

func (o *Order) hasUnmetTrigger() bool { return o.NewOrder.hasTrigger() && !o.triggered }

// targetQty is the quantity that the order will have once everything asked for has been done.
func (o *Order) targetQty() int64 {
	switch {
	case o.wantQty != 0:
		return o.wantQty
	case o.change != nil:
		return o.change.terms.OrderQty
	}
	return o.terms.OrderQty
}

// resize changes the quantity of an order on our own account; what would leave nothing open ends it.
func (e *Engine) resize(event *Event, order *Order, qty int64, effects *Effects) {
	switch {
	case qty <= order.CumQty:
		e.requestCancel(event, order, "order_qty: nothing of it is left to do", effects)
	case order.held:
		order.restate(func(o *NewOrder) { o.OrderQty = qty })
		effects.report(event, order, ExecutionReport{ExecType: ExecRestated})
		effects.tellHold(event, order)
	default:
		order.wantQty = qty
		e.sendWanted(event, order, effects)
	}
}

// sendWanted asks the venue for the quantity that we want, one change at a time.
func (e *Engine) sendWanted(event *Event, order *Order, effects *Effects) {
	qty := order.wantQty
	if qty == 0 || !order.Open() || order.pendingCancel || order.change != nil {
		return
	}
	order.wantQty = 0
	if qty == order.terms.OrderQty {
		return
	}
	if qty <= order.CumQty {
		e.requestCancel(event, order, "order_qty: nothing of it is left to do", effects)
		return
	}
	terms := *order.terms
	terms.OrderQty = qty
	e.sendChange(event, order, &change{terms: &terms}, effects)
}

// reducible is how much of a quantity an order may work for: all of it, unless it may only reduce.
func (o *Order) reducible(qty int64) int64 {
	if o.NewOrder.ExecInsts&ReduceOnly == 0 {
		return qty
	}
	return min(qty, o.account.against(o.instrument, o.NewOrder.Side))
}

// against is the quantity of a position that an order of a side reduces.
func (a *account) against(instrument *instrument, side Side) int64 {
	net := a.netQty(instrument)
	if side == Buy {
		net = -net
	}
	return max(net, 0)
}

// leftToReduce is the quantity of a position that no other order that may only reduce it works on at the venue:
// together they may not turn it round. One that waits for its trigger has all of it, and is cut down when that
// comes.
func (a *account) leftToReduce(instrument *instrument, side Side, waits bool, except *Order) int64 {
	left := a.against(instrument, side)
	if waits {
		return left
	}
	for _, order := range a.reduceOnly.All() {
		if order != except && order.instrument == instrument && order.NewOrder.Side == side && !order.held {
			left -= order.LeavesQty()
		}
	}
	return max(left, 0)
}

// positionMoved cuts down the orders that may only reduce a position that has become smaller.
func (e *Engine) positionMoved(event *Event, account *account, instrument *instrument, effects *Effects) {
	if account.reduceOnly.Len() == 0 {
		return
	}
	for _, order := range byID(&account.reduceOnly) {
		if order.instrument != instrument || order.waits || !order.Open() {
			continue
		}
		left := account.against(instrument, order.NewOrder.Side)
		if order.targetQty()-order.CumQty > left {
			e.resize(event, order, order.CumQty+left, effects)
		}
	}
}
