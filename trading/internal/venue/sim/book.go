package sim

// order is what of an order most commands need: one cache line, since in a deep book each one that is
// looked up is a miss. Its id is its slot in the pool and the slot's generation, so that looking it up is
// one index.
type order struct {
	price      int64
	leaves     int64 // all that is open
	shown      int64 // what of it is visible now
	cum        int64
	generation uint32
	owner      uint32
	next, prev int32 // in its level's queue
	level      int32 // none: the slot is free
	side       Side
	ordType    OrdType
	tif        TimeInForce
	stp        STPMode
	postOnly   bool
	waiting    bool // for its trigger
	special    bool // it has terms
}

// terms are what few orders have, at the same slot in a pool of their own.
type terms struct {
	stopPx     int64
	display    int64 // most that is visible at a time; 0 is all
	expireTime int64
}

// level is the queue of all orders at one price, oldest first.
type level struct {
	price      int64
	shown      int64 // sum of what is visible
	total      int64 // sum of all that is open
	head, tail int32
	orders     int32
}

// Book is the book of one instrument.
type Book struct {
	instrument uint32
	maxOrders  int
	orders     []order
	terms      []terms // by slot; as long as orders
	freeOrders []int32
	levels     []level
	freeLevels []int32
	sides      [2]ladder // working orders: bids, asks
	stops      [2]ladder // waiting orders by StopPx: buys, sells
	best       [2]int32  // best level of each side, or none
	expiries   expiryHeap
	open       int
	lastPx     int64
	traded     bool // lastPx is set
	halted     bool
	now        int64
	events     []Event
}

// NewBook makes an empty book that holds at most maxOrders orders.
func NewBook(instrument uint32, maxOrders int) *Book {
	b := &Book{instrument: instrument, maxOrders: maxOrders, best: [2]int32{none, none}}
	for i := range b.sides {
		b.sides[i], b.stops[i] = newLadder(), newLadder()
	}
	return b
}

func sideIndex(s Side) int { return int(s - Buy) }

func (b *Book) id(slot int32) uint64 {
	return uint64(b.orders[slot].generation)<<32 | uint64(uint32(slot))
}

// find returns the slot of an open order, or none.
func (b *Book) find(id uint64) int32 {
	slot := uint32(id)
	if int(slot) >= len(b.orders) {
		return none
	}
	o := &b.orders[slot]
	if o.level == none || o.generation != uint32(id>>32) {
		return none
	}
	return int32(slot)
}

// claim takes a slot for a new order. Generations start at 1, so that no id is 0.
func (b *Book) claim() int32 {
	var slot int32
	if n := len(b.freeOrders); n > 0 {
		slot = b.freeOrders[n-1]
		b.freeOrders = b.freeOrders[:n-1]
	} else {
		b.orders, b.terms = append(b.orders, order{level: none}), append(b.terms, terms{})
		slot = int32(len(b.orders) - 1)
	}
	b.orders[slot].generation++
	b.open++
	return slot
}

func (b *Book) release(slot int32) {
	b.orders[slot].level = none
	b.freeOrders = append(b.freeOrders, slot)
	b.open--
}

// termsOf returns an order's terms, without touching the pool for one that has none.
func (b *Book) termsOf(slot int32) terms {
	if !b.orders[slot].special {
		return terms{}
	}
	return b.terms[slot]
}

// ladderOf returns the ladder that an order belongs to and its price there.
func (b *Book) ladderOf(slot int32) (*ladder, int64) {
	o := &b.orders[slot]
	if o.waiting {
		return &b.stops[sideIndex(o.side)], b.termsOf(slot).stopPx
	}
	return &b.sides[sideIndex(o.side)], o.price
}

// enqueue puts an order at the end of its level's queue.
func (b *Book) enqueue(slot int32) {
	o := &b.orders[slot]
	prices, price := b.ladderOf(slot)
	index := prices.get(price)
	if index == none {
		index = b.newLevel(price)
		prices.put(price, index)
		if !o.waiting {
			b.improve(o.side, index)
		}
	}
	o.level = index
	b.append(index, slot)
	b.levels[index].shown += o.shown
	b.levels[index].total += o.leaves
}

func (b *Book) newLevel(price int64) int32 {
	var index int32
	if n := len(b.freeLevels); n > 0 {
		index = b.freeLevels[n-1]
		b.freeLevels = b.freeLevels[:n-1]
	} else {
		b.levels = append(b.levels, level{})
		index = int32(len(b.levels) - 1)
	}
	b.levels[index] = level{price: price, head: none, tail: none}
	return index
}

// improve makes a new level the best of its side if it is.
func (b *Book) improve(side Side, index int32) {
	best := &b.best[sideIndex(side)]
	if *best == none || better(side, b.levels[index].price, b.levels[*best].price) {
		*best = index
	}
}

// better tells whether price a of a side stands before price c.
func better(side Side, a, c int64) bool {
	if side == Buy {
		return a > c
	}
	return a < c
}

func (b *Book) append(index, slot int32) {
	l, o := &b.levels[index], &b.orders[slot]
	o.next, o.prev = none, l.tail
	if l.tail == none {
		l.head = slot
	} else {
		b.orders[l.tail].next = slot
	}
	l.tail = slot
	l.orders++
}

// unlink takes an order out of its level's queue and leaves the level's sums alone.
func (b *Book) unlink(slot int32) {
	o := &b.orders[slot]
	l := &b.levels[o.level]
	if o.prev == none {
		l.head = o.next
	} else {
		b.orders[o.prev].next = o.next
	}
	if o.next == none {
		l.tail = o.prev
	} else {
		b.orders[o.next].prev = o.prev
	}
	l.orders--
}

// dequeue takes an order out of the book; its slot stays claimed.
func (b *Book) dequeue(slot int32) {
	o := &b.orders[slot]
	l := &b.levels[o.level]
	l.shown -= o.shown
	l.total -= o.leaves
	b.unlink(slot)
	if l.orders == 0 {
		b.dropLevel(slot)
	}
}

func (b *Book) dropLevel(slot int32) {
	o := &b.orders[slot]
	index := o.level
	prices, price := b.ladderOf(slot)
	prices.remove(price)
	b.freeLevels = append(b.freeLevels, index)
	if o.waiting || b.best[sideIndex(o.side)] != index {
		return
	}
	b.best[sideIndex(o.side)] = bestOf(prices, o.side)
}

func bestOf(prices *ladder, side Side) int32 {
	var index int32
	if side == Buy {
		_, index, _ = prices.highest()
	} else {
		_, index, _ = prices.lowest()
	}
	return index
}

// Best returns the best price of a side and the quantity shown there.
func (b *Book) Best(side Side) (price, qty int64, ok bool) {
	index := b.best[sideIndex(side)]
	if index == none {
		return 0, 0, false
	}
	return b.levels[index].price, b.levels[index].shown, true
}

// Levels calls visit with price, quantity shown and number of orders of up to n levels of a side, best first.
func (b *Book) Levels(side Side, n int, visit func(price, qty int64, orders int)) {
	index := b.best[sideIndex(side)]
	for ; n > 0 && index != none; n-- {
		l := &b.levels[index]
		visit(l.price, l.shown, int(l.orders))
		_, index, _ = b.sides[sideIndex(side)].after(l.price, side == Sell)
	}
}

// Orders calls visit with the id, price and shown quantity of every working order of a side, in their priority.
func (b *Book) Orders(side Side, visit func(id uint64, price, shown int64)) {
	for index := b.best[sideIndex(side)]; index != none; {
		l := &b.levels[index]
		for slot := l.head; slot != none; slot = b.orders[slot].next {
			visit(b.id(slot), l.price, b.orders[slot].shown)
		}
		_, index, _ = b.sides[sideIndex(side)].after(l.price, side == Sell)
	}
}

// Shown returns where a working order rests and what of it is shown; false for one that waits or is gone.
func (b *Book) Shown(id uint64) (side Side, price, shown int64, ok bool) {
	slot := b.find(id)
	if slot == none || b.orders[slot].waiting {
		return 0, 0, 0, false
	}
	o := &b.orders[slot]
	return o.side, o.price, o.shown, true
}

// Open returns the number of orders that rest or wait.
func (b *Book) Open() int { return b.open }

// LastPx returns the price of the last trade.
func (b *Book) LastPx() (int64, bool) { return b.lastPx, b.traded }

// ShownAt returns the quantity shown at one price of a side.
func (b *Book) ShownAt(side Side, price int64) int64 {
	index := b.sides[sideIndex(side)].get(price)
	if index == none {
		return 0
	}
	return b.levels[index].shown
}
