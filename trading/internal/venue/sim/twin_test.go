package sim

import (
	"crypto/sha256"
	"slices"
)

// twin is the naive exchange: one list of orders, searched from end to end for everything. It knows the
// rules and nothing about speed.
type twin struct {
	instrument uint32
	maxOrders  int
	orders     []*twinOrder // in order of time priority
	generation map[uint32]uint32
	free       []uint32
	slots      uint32
	lastPx     int64
	traded     bool
	halted     bool
	now        int64
	clock      int64 // counts up, gives time priority
	events     []Event
}

type twinOrder struct {
	NewOrder
	id      uint64
	leaves  int64
	shown   int64
	cum     int64
	arrived int64
	waiting bool
}

func newTwin(instrument uint32, maxOrders int) *twin {
	return &twin{instrument: instrument, maxOrders: maxOrders, generation: map[uint32]uint32{}}
}

func (t *twin) emit(e Event) {
	e.Instrument = t.instrument
	t.events = append(t.events, e)
}

func (t *twin) tick() int64 { t.clock++; return t.clock }

// queue returns the orders of a side that work (or wait), best first.
func (t *twin) queue(side Side, waiting bool) []*twinOrder {
	var queue []*twinOrder
	for _, o := range t.orders {
		if o.Side == side && o.waiting == waiting {
			queue = append(queue, o)
		}
	}
	slices.SortStableFunc(queue, func(a, c *twinOrder) int {
		pa, pc := a.Price, c.Price
		descending := side == Buy
		if waiting {
			pa, pc, descending = a.StopPx, c.StopPx, side == Sell
		}
		if pa != pc {
			if (pa > pc) == descending {
				return -1
			}
			return 1
		}
		return int(a.arrived - c.arrived)
	})
	return queue
}

func (t *twin) find(id uint64) *twinOrder {
	for _, o := range t.orders {
		if o.id == id {
			return o
		}
	}
	return nil
}

func (t *twin) drop(o *twinOrder) {
	t.orders = slices.DeleteFunc(t.orders, func(other *twinOrder) bool { return other == o })
}

func (t *twin) newID() uint64 {
	slot := t.slots
	if n := len(t.free); n > 0 {
		slot = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		t.slots++
	}
	t.generation[slot]++
	return uint64(t.generation[slot])<<32 | uint64(slot)
}

func (t *twin) end(o *twinOrder) {
	t.drop(o)
	t.free = append(t.free, uint32(o.id))
}

func (t *twin) open() int { return int(t.slots) - len(t.free) }

func (t *twin) wouldTrade(side Side, price int64) bool {
	for _, o := range t.orders {
		if o.Side == side || o.waiting {
			continue
		}
		if side == Buy && o.Price <= price || side == Sell && o.Price >= price {
			return true
		}
	}
	return false
}

func outOfRange(price int64) bool { return price > MaxPrice || price < -MaxPrice }

func (t *twin) submit(n NewOrder) []Event {
	t.events = nil
	limited, stopped := n.Type == Limit || n.Type == StopLimit, n.Type == Stop || n.Type == StopLimit
	reason := NoReason
	switch {
	case n.Side != Buy && n.Side != Sell || n.Type < 1 || n.Type > 4 || n.STP > 3 || !slices.Contains([]TimeInForce{GTC, IOC, FOK, GTD}, n.TIF):
		reason = InvalidField
	case n.PostOnly && (!limited || n.TIF == IOC || n.TIF == FOK) || n.DisplayQty < 0 || n.DisplayQty > 0 && (!limited || n.DisplayQty > n.Qty):
		reason = InvalidField
	case n.Qty <= 0 || n.Qty > MaxQty:
		reason = InvalidQty
	case limited && outOfRange(n.Price) || !limited && n.Price != 0 || stopped && outOfRange(n.StopPx) || !stopped && n.StopPx != 0:
		reason = InvalidPrice
	case n.TIF == GTD && n.ExpireTime <= t.now:
		reason = AlreadyExpired
	case t.halted:
		reason = Halted
	case t.open() >= t.maxOrders:
		reason = BookFull
	case n.PostOnly && n.Type == Limit && t.wouldTrade(n.Side, n.Price):
		reason = WouldTake
	}
	if reason != NoReason {
		t.emit(Event{Kind: Refused, Reason: reason, Price: n.Price, Qty: n.Qty})
		return t.events
	}
	o := &twinOrder{NewOrder: n, id: t.newID(), leaves: n.Qty}
	t.emit(Event{Kind: Accepted, OrderID: o.id, Price: n.Price, Qty: n.Qty, Leaves: n.Qty})
	if stopped {
		t.await(o)
	} else {
		t.work(o)
	}
	t.fire()
	return t.events
}

func (t *twin) await(o *twinOrder) {
	if t.traded && (o.Side == Buy && t.lastPx >= o.StopPx || o.Side == Sell && t.lastPx <= o.StopPx) {
		t.trigger(o)
		return
	}
	o.waiting, o.arrived = true, t.tick()
	t.orders = append(t.orders, o)
}

func (t *twin) trigger(o *twinOrder) {
	o.waiting = false
	o.Type = map[OrdType]OrdType{Stop: Market, StopLimit: Limit}[o.Type]
	t.emit(Event{Kind: Triggered, OrderID: o.id, Price: o.Price, Qty: o.leaves, Leaves: o.leaves})
	if o.PostOnly && t.wouldTrade(o.Side, o.Price) {
		t.cancel(o, WouldTake)
		return
	}
	t.work(o)
}

func (t *twin) cancel(o *twinOrder, reason Reason) {
	t.emit(Event{Kind: Canceled, Reason: reason, OrderID: o.id, Price: o.Price, Qty: o.leaves})
	t.end(o)
}

func (t *twin) fire() {
	for t.traded {
		var next *twinOrder
		if q := t.queue(Sell, true); len(q) > 0 && t.lastPx <= q[0].StopPx {
			next = q[0]
		}
		if q := t.queue(Buy, true); len(q) > 0 && t.lastPx >= q[0].StopPx {
			next = q[0]
		}
		if next == nil {
			return
		}
		t.drop(next)
		t.trigger(next)
	}
}

func (t *twin) work(o *twinOrder) {
	if o.TIF == FOK && !t.canFill(o) {
		t.cancel(o, NoLiquidity)
		return
	}
	other := Buy + Sell - o.Side
	for o.leaves > 0 && (o.Type == Market && len(t.queue(other, false)) > 0 || o.Type == Limit && t.wouldTrade(o.Side, o.Price)) {
		r := t.queue(other, false)[0]
		if o.STP != STPNone && r.Owner == o.Owner {
			if o.STP != STPCancelNewest {
				t.cancel(r, SelfTrade)
			}
			if o.STP != STPCancelOldest {
				t.cancel(o, SelfTrade)
				return
			}
			continue
		}
		qty := min(o.leaves, r.shown)
		o.leaves, o.cum = o.leaves-qty, o.cum+qty
		r.leaves, r.cum, r.shown = r.leaves-qty, r.cum+qty, r.shown-qty
		t.lastPx, t.traded = r.Price, true
		t.emit(Event{Kind: Traded, OrderID: o.id, RestingID: r.id, Price: r.Price, Qty: qty, Leaves: o.leaves, RestLeaves: r.leaves})
		if r.leaves == 0 {
			t.end(r)
		} else if r.shown == 0 {
			r.shown, r.arrived = min(r.DisplayQty, r.leaves), t.tick()
			t.emit(Event{Kind: Refreshed, OrderID: r.id, Price: r.Price, Qty: r.shown, Leaves: r.leaves})
		}
	}
	switch {
	case o.leaves == 0:
		t.end(o)
	case o.Type == Market || o.TIF == IOC || o.TIF == FOK:
		t.cancel(o, NoLiquidity)
	default:
		o.shown, o.arrived = o.leaves, t.tick()
		if o.DisplayQty > 0 {
			o.shown = min(o.DisplayQty, o.leaves)
		}
		t.orders = append(t.orders, o)
	}
}

// canFill walks whole price levels, as the rule does.
func (t *twin) canFill(o *twinOrder) bool {
	want := o.leaves
	queue := t.queue(Buy+Sell-o.Side, false)
	for i := 0; i < len(queue); {
		price := queue[i].Price
		if o.Type == Limit && (o.Side == Buy && price > o.Price || o.Side == Sell && price < o.Price) {
			return false
		}
		own := false
		for ; i < len(queue) && queue[i].Price == price; i++ {
			if o.STP != STPNone && queue[i].Owner == o.Owner {
				own = true
				continue
			}
			want -= queue[i].leaves
		}
		if own && o.STP != STPCancelOldest {
			return false
		}
		if want <= 0 {
			return true
		}
	}
	return false
}

func (t *twin) request(id uint64, owner uint32) (*twinOrder, Reason) {
	t.events = nil
	o := t.find(id)
	if o == nil {
		return nil, UnknownOrder
	}
	if o.Owner != owner {
		return nil, WrongOwner
	}
	return o, NoReason
}

func (t *twin) cancelByOwner(id uint64, owner uint32) []Event {
	o, reason := t.request(id, owner)
	if reason != NoReason {
		t.emit(Event{Kind: Refused, Reason: reason, OrderID: id})
		return t.events
	}
	t.cancel(o, ByRequest)
	return t.events
}

func (t *twin) replace(r Replace, owner uint32) []Event {
	o, reason := t.request(r.OrderID, owner)
	if reason == NoReason {
		switch {
		case r.Qty <= 0 || r.Qty > MaxQty:
			reason = InvalidQty
		case r.Qty <= o.cum:
			reason = TooLateToReduce
		case (o.Type == Limit || o.Type == StopLimit) && outOfRange(r.Price) || o.waiting && outOfRange(r.StopPx):
			reason = InvalidPrice
		case t.halted:
			reason = Halted
		case o.PostOnly && !o.waiting && t.wouldTrade(o.Side, r.Price):
			reason = WouldTake
		}
	}
	if reason != NoReason {
		t.emit(Event{Kind: Refused, Reason: reason, OrderID: r.OrderID, Price: r.Price, Qty: r.Qty})
		return t.events
	}
	leaves := r.Qty - o.cum
	keeps := !o.waiting && r.Price == o.Price && leaves <= o.leaves
	if o.Type != Stop {
		o.Price = r.Price
	}
	o.leaves = leaves
	t.emit(Event{Kind: Replaced, OrderID: o.id, Price: o.Price, Qty: leaves, Leaves: leaves})
	switch {
	case keeps:
		o.shown = min(o.shown, leaves)
	case o.waiting:
		t.drop(o)
		o.StopPx, o.waiting = r.StopPx, false
		t.await(o)
	default:
		t.drop(o)
		t.work(o)
	}
	t.fire()
	return t.events
}

func (t *twin) setHalted(halted bool) []Event {
	t.events = nil
	if t.halted != halted {
		t.halted = halted
		t.emit(Event{Kind: StateChanged})
	}
	return t.events
}

func (t *twin) advance(now int64) []Event {
	t.events = nil
	t.now = max(t.now, now)
	var due []*twinOrder
	for _, o := range t.orders {
		if o.TIF == GTD && o.ExpireTime <= t.now {
			due = append(due, o)
		}
	}
	slices.SortFunc(due, func(a, c *twinOrder) int {
		if a.ExpireTime != c.ExpireTime {
			return int(a.ExpireTime - c.ExpireTime)
		}
		if a.id < c.id {
			return -1
		}
		return 1
	})
	for _, o := range due {
		t.emit(Event{Kind: Expired, OrderID: o.id, Price: o.Price, Qty: o.leaves})
		t.end(o)
	}
	return t.events
}

func (t *twin) hash() [sha256.Size]byte {
	sum := sha256.New()
	var flags int64
	if t.traded {
		flags |= 1
	}
	if t.halted {
		flags |= 2
	}
	write(sum, int64(t.instrument), t.now, t.lastPx, flags, int64(len(t.orders)))
	for _, side := range []Side{Buy, Sell} {
		for _, waiting := range []bool{false, true} {
			for _, o := range t.queue(side, waiting) {
				write(sum, int64(o.id), int64(o.Owner), int64(o.Side), int64(o.Type), int64(o.TIF), int64(o.STP),
					o.Price, o.StopPx, o.leaves, o.shown, o.DisplayQty, o.cum, o.ExpireTime)
			}
		}
	}
	return [sha256.Size]byte(sum.Sum(nil))
}
