package sim

// Cancel ends an open order of its owner.
func (b *Book) Cancel(id uint64, owner uint32) []Event {
	b.events = b.events[:0]
	slot := b.find(id)
	if reason := b.owned(slot, owner); reason != NoReason {
		b.emit(Event{Kind: Refused, Reason: reason, OrderID: id})
		return b.events
	}
	b.dequeue(slot)
	b.cancel(slot, ByRequest)
	return b.events
}

func (b *Book) owned(slot int32, owner uint32) Reason {
	if slot == none {
		return UnknownOrder
	}
	if b.orders[slot].owner != owner {
		return WrongOwner
	}
	return NoReason
}

// Replace changes quantity, price or trigger of an open order of its owner. A lower quantity at the same
// price keeps the order's place in the queue; anything else goes to the end, and trades if it crosses.
func (b *Book) Replace(r *Replace, owner uint32) []Event {
	b.events = b.events[:0]
	slot := b.find(r.OrderID)
	reason := b.owned(slot, owner)
	if reason == NoReason {
		reason = b.replaceable(&b.orders[slot], r)
	}
	if reason != NoReason {
		b.emit(Event{Kind: Refused, Reason: reason, OrderID: r.OrderID, Price: r.Price, Qty: r.Qty})
		return b.events
	}
	o := &b.orders[slot]
	leaves := r.Qty - o.cum
	if o.waiting {
		b.replaceStop(slot, r, leaves)
	} else if r.Price == o.price && leaves <= o.leaves {
		b.reduce(slot, leaves)
	} else {
		b.dequeue(slot)
		o.price, o.leaves = r.Price, leaves
		b.replaced(slot)
		b.work(slot)
	}
	b.fireStops()
	return b.events
}

func (b *Book) replaceable(o *order, r *Replace) Reason {
	limited := o.ordType == Limit || o.ordType == StopLimit
	switch {
	case r.Qty <= 0 || r.Qty > MaxQty:
		return InvalidQty
	case r.Qty <= o.cum:
		return TooLateToReduce
	case limited && (r.Price < -MaxPrice || r.Price > MaxPrice):
		return InvalidPrice
	case o.waiting && (r.StopPx < -MaxPrice || r.StopPx > MaxPrice):
		return InvalidPrice
	case b.halted:
		return Halted
	case o.postOnly && !o.waiting && b.crosses(o.side, r.Price):
		return WouldTake
	}
	return NoReason
}

func (b *Book) replaced(slot int32) {
	o := &b.orders[slot]
	b.emit(Event{Kind: Replaced, OrderID: b.id(slot), Price: o.price, Qty: o.leaves, Leaves: o.leaves})
}

// reduce lowers what is open and keeps the place; of an iceberg the hidden part goes first.
func (b *Book) reduce(slot int32, leaves int64) {
	o := &b.orders[slot]
	l := &b.levels[o.level]
	shown := min(o.shown, leaves)
	l.total -= o.leaves - leaves
	l.shown -= o.shown - shown
	o.leaves, o.shown = leaves, shown
	b.replaced(slot)
}

func (b *Book) replaceStop(slot int32, r *Replace, leaves int64) {
	o := &b.orders[slot]
	b.dequeue(slot)
	if o.ordType == StopLimit {
		o.price = r.Price
	}
	t := b.termsOf(slot)
	t.stopPx = r.StopPx
	b.terms[slot], o.special = t, true
	o.leaves, o.waiting = leaves, false
	b.replaced(slot)
	b.await(slot)
}

// SetHalted stops or resumes trading. While halted, orders are refused and cancels work.
func (b *Book) SetHalted(halted bool) []Event {
	b.events = b.events[:0]
	if b.halted != halted {
		b.halted = halted
		b.emit(Event{Kind: StateChanged})
	}
	return b.events
}

// Advance moves the book's time on and ends the orders whose ExpireTime has come, earliest first, by id
// where equal. Time that is not later does nothing.
func (b *Book) Advance(now int64) []Event {
	b.events = b.events[:0]
	b.now = max(b.now, now)
	for {
		expireTime, id, ok := b.expiries.peek()
		if !ok || expireTime > b.now {
			return b.events
		}
		b.expiries.pop()
		slot := b.find(id)
		if slot == none {
			continue
		}
		o := &b.orders[slot]
		b.dequeue(slot)
		b.emit(Event{Kind: Expired, OrderID: id, Price: o.price, Qty: o.leaves})
		b.release(slot)
	}
}

// expireAt notes when an order ends. Entries of orders that ended otherwise are swept out before they
// outnumber the open ones, so that the heap stays as small as the book.
func (b *Book) expireAt(time int64, id uint64) {
	if len(b.expiries.entries) > 2*b.open+1024 {
		b.expiries.keep(func(id uint64) bool { return b.find(id) != none })
	}
	b.expiries.push(time, id)
}
