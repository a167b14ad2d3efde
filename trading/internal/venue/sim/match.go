package sim

// Submit handles a new order. The events are valid until the next command.
func (b *Book) Submit(n *NewOrder) []Event {
	b.events = b.events[:0]
	if reason := b.admissible(n); reason != NoReason {
		b.emit(Event{Kind: Refused, Reason: reason, Price: n.Price, Qty: n.Qty})
		return b.events
	}
	slot := b.claim()
	o := &b.orders[slot]
	*o = order{
		generation: o.generation, owner: n.Owner, side: n.Side, ordType: n.Type, tif: n.TIF, stp: n.STP, postOnly: n.PostOnly,
		price: n.Price, leaves: n.Qty, level: none,
	}
	if extra := (terms{n.StopPx, n.DisplayQty, n.ExpireTime}); extra != (terms{}) {
		o.special, b.terms[slot] = true, extra
	}
	b.emit(Event{Kind: Accepted, OrderID: b.id(slot), Price: n.Price, Qty: n.Qty, Leaves: n.Qty})
	if n.TIF == GTD {
		b.expireAt(n.ExpireTime, b.id(slot))
	}
	if n.Type == Stop || n.Type == StopLimit {
		b.await(slot)
	} else {
		b.work(slot)
	}
	b.fireStops()
	return b.events
}

func (b *Book) emit(e Event) {
	e.Instrument = b.instrument
	b.events = append(b.events, e)
}

// admissible names the first rule that a new order breaks.
func (b *Book) admissible(n *NewOrder) Reason {
	limited := n.Type == Limit || n.Type == StopLimit
	stopped := n.Type == Stop || n.Type == StopLimit
	switch {
	case n.Side != Buy && n.Side != Sell, n.Type < Market || n.Type > StopLimit, n.STP > STPCancelBoth:
		return InvalidField
	case n.TIF != GTC && n.TIF != IOC && n.TIF != FOK && n.TIF != GTD:
		return InvalidField
	case n.PostOnly && (!limited || n.TIF == IOC || n.TIF == FOK):
		return InvalidField
	case n.DisplayQty < 0, n.DisplayQty > 0 && (!limited || n.DisplayQty > n.Qty):
		return InvalidField
	case n.Qty <= 0 || n.Qty > MaxQty:
		return InvalidQty
	case limited && (n.Price < -MaxPrice || n.Price > MaxPrice), !limited && n.Price != 0:
		return InvalidPrice
	case stopped && (n.StopPx < -MaxPrice || n.StopPx > MaxPrice), !stopped && n.StopPx != 0:
		return InvalidPrice
	case n.TIF == GTD && n.ExpireTime <= b.now:
		return AlreadyExpired
	case b.halted:
		return Halted
	case b.open >= b.maxOrders:
		return BookFull
	case n.PostOnly && n.Type == Limit && b.crosses(n.Side, n.Price):
		return WouldTake
	}
	return NoReason
}

// MaxQty and MaxPrice bound what a command may carry, so that sums over a full book cannot overflow.
const (
	MaxQty   = int64(1) << 40
	MaxPrice = int64(1) << 60
)

// crosses tells whether a limit order would trade at once.
func (b *Book) crosses(side Side, price int64) bool {
	index := b.best[sideIndex(side.opposite())]
	return index != none && !better(side.opposite(), price, b.levels[index].price)
}

// await puts a stop order where it waits for its trigger, or triggers it at once.
func (b *Book) await(slot int32) {
	o := &b.orders[slot]
	if b.traded && reached(o.side, b.lastPx, b.termsOf(slot).stopPx) {
		b.trigger(slot)
		return
	}
	o.waiting = true
	b.enqueue(slot)
}

// reached tells whether a trade at last sets off a stop.
func reached(side Side, last, stopPx int64) bool {
	if side == Buy {
		return last >= stopPx
	}
	return last <= stopPx
}

// trigger turns a stop into the market or limit order that it stands for.
func (b *Book) trigger(slot int32) {
	o := &b.orders[slot]
	o.waiting = false
	if o.ordType == Stop {
		o.ordType = Market
	} else {
		o.ordType = Limit
	}
	b.emit(Event{Kind: Triggered, OrderID: b.id(slot), Price: o.price, Qty: o.leaves, Leaves: o.leaves})
	if o.postOnly && b.crosses(o.side, o.price) {
		b.cancel(slot, WouldTake)
		return
	}
	b.work(slot)
}

// fireStops triggers what the last trade reached, nearest stop first, until none is left. What a
// triggered order trades can reach further stops.
func (b *Book) fireStops() {
	for b.traded {
		slot := b.nextStop()
		if slot == none {
			return
		}
		b.dequeue(slot)
		b.trigger(slot)
	}
}

func (b *Book) nextStop() int32 {
	if price, index, ok := b.stops[0].lowest(); ok && b.lastPx >= price {
		return b.levels[index].head
	}
	if price, index, ok := b.stops[1].highest(); ok && b.lastPx <= price {
		return b.levels[index].head
	}
	return none
}

// work trades an order that is in no queue as far as it goes, then rests or cancels what is left.
func (b *Book) work(slot int32) {
	o := &b.orders[slot]
	if o.tif == FOK && !b.canFill(o) {
		b.cancel(slot, NoLiquidity)
		return
	}
	reason := b.take(slot)
	switch {
	case o.leaves == 0:
		b.release(slot)
	case reason != NoReason:
		b.cancel(slot, reason)
	case o.ordType == Market || o.tif == IOC || o.tif == FOK:
		b.cancel(slot, NoLiquidity)
	default:
		o.shown = b.shownOf(slot)
		b.enqueue(slot)
	}
}

func (b *Book) shownOf(slot int32) int64 {
	leaves := b.orders[slot].leaves
	if display := b.termsOf(slot).display; display > 0 {
		return min(display, leaves)
	}
	return leaves
}

// cancel ends an order that is in no queue.
func (b *Book) cancel(slot int32, reason Reason) {
	o := &b.orders[slot]
	b.emit(Event{Kind: Canceled, Reason: reason, OrderID: b.id(slot), Price: o.price, Qty: o.leaves})
	b.release(slot)
}

// take trades an order against the other side until it is filled, its price is passed, or self-trade
// prevention stops it (the reason then).
func (b *Book) take(slot int32) Reason {
	o := &b.orders[slot]
	other := sideIndex(o.side.opposite())
	for o.leaves > 0 {
		index := b.best[other]
		if index == none || o.ordType == Limit && !b.crosses(o.side, o.price) {
			return NoReason
		}
		resting := b.levels[index].head
		if o.stp != STPNone && b.orders[resting].owner == o.owner {
			if o.stp != STPCancelNewest {
				b.dequeue(resting)
				b.cancel(resting, SelfTrade)
			}
			if o.stp != STPCancelOldest {
				return SelfTrade
			}
			continue
		}
		b.trade(slot, resting)
	}
	return NoReason
}

// trade matches an order with the one at the head of the best level.
func (b *Book) trade(slot, resting int32) {
	o, r := &b.orders[slot], &b.orders[resting]
	l := &b.levels[r.level]
	qty := min(o.leaves, r.shown)
	o.leaves -= qty
	o.cum += qty
	r.leaves -= qty
	r.shown -= qty
	r.cum += qty
	l.shown -= qty
	l.total -= qty
	b.lastPx, b.traded = l.price, true
	b.emit(Event{
		Kind: Traded, OrderID: b.id(slot), RestingID: b.id(resting), Price: l.price, Qty: qty, Leaves: o.leaves, RestLeaves: r.leaves,
	})
	switch {
	case r.leaves == 0:
		b.dequeue(resting)
		b.release(resting)
	case r.shown == 0:
		b.refresh(resting)
	}
}

// refresh shows the next part of an iceberg, at the end of the queue.
func (b *Book) refresh(slot int32) {
	o := &b.orders[slot]
	b.unlink(slot)
	o.shown = b.shownOf(slot)
	b.append(o.level, slot)
	b.levels[o.level].shown += o.shown
	b.emit(Event{Kind: Refreshed, OrderID: b.id(slot), Price: o.price, Qty: o.shown, Leaves: o.leaves})
}

// canFill tells whether a fill-or-kill order would fill. Where it would meet an order of its own owner
// that ends it, the answer is no, even when strangers' orders behind would do: the careful answer.
func (b *Book) canFill(o *order) bool {
	want := o.leaves
	other := o.side.opposite()
	for index := b.best[sideIndex(other)]; index != none; {
		l := &b.levels[index]
		if o.ordType == Limit && better(other, o.price, l.price) {
			return false
		}
		open, own := b.strangers(l, o)
		want -= open
		if own && o.stp != STPCancelOldest {
			return false
		}
		if want <= 0 {
			return true
		}
		_, index, _ = b.sides[sideIndex(other)].after(l.price, other == Sell)
	}
	return false
}

// strangers returns what is open at a level to an order, and whether self-trade prevention keeps it
// from some of it.
func (b *Book) strangers(l *level, o *order) (open int64, own bool) {
	if o.stp == STPNone {
		return l.total, false
	}
	for slot := l.head; slot != none; slot = b.orders[slot].next {
		if b.orders[slot].owner == o.owner {
			own = true
			continue
		}
		open += b.orders[slot].leaves
	}
	return open, own
}
