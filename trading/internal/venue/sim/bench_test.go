package sim

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// market is what the benchmark's flow needs of a book.
type market interface {
	rest(side Side, qty, price int64) uint64
	cancel(id uint64)
	take(side Side, qty int64)
	open() int
}

type engine struct{ *Book }

func (e engine) rest(side Side, qty, price int64) uint64 {
	return e.Submit(&NewOrder{Owner: 1, Side: side, Type: Limit, TIF: GTC, Qty: qty, Price: price})[0].OrderID
}
func (e engine) cancel(id uint64) { e.Cancel(id, 1) }
func (e engine) take(side Side, qty int64) {
	e.Submit(&NewOrder{Owner: 2, Side: side, Type: Market, TIF: IOC, Qty: qty})
}
func (e engine) open() int { return e.Open() }

// floor is the least that a price-time book can do: an array of prices known beforehand, linked lists,
// no ids to verify, no order types, no events but a count.
type floor struct {
	levels [2][floorPrices]struct{ head, tail int32 }
	best   [2]int
	orders []floorOrder
	free   []int32
	events int
	size   int
}

type floorOrder struct {
	qty, price int64
	next, prev int32
	side       uint8
	live       bool
}

const (
	floorPrices = 2048
	floorMiddle = 6_000_000
)

func newFloor() *floor {
	f := &floor{best: [2]int{-1, floorPrices}}
	for s := range f.levels {
		for i := range f.levels[s] {
			f.levels[s][i].head, f.levels[s][i].tail = none, none
		}
	}
	return f
}

func (f *floor) rest(side Side, qty, price int64) uint64 {
	slot := int32(len(f.orders))
	if n := len(f.free); n > 0 {
		slot = f.free[n-1]
		f.free = f.free[:n-1]
	} else {
		f.orders = append(f.orders, floorOrder{})
	}
	s, p := uint8(side-Buy), int(price-floorMiddle+floorPrices/2)
	l := &f.levels[s][p]
	f.orders[slot] = floorOrder{qty: qty, price: int64(p), next: none, prev: l.tail, side: s, live: true}
	if l.tail == none {
		l.head = slot
	} else {
		f.orders[l.tail].next = slot
	}
	l.tail = slot
	if s == 0 && p > f.best[0] || s == 1 && p < f.best[1] {
		f.best[s] = p
	}
	f.events++
	f.size++
	return uint64(slot)
}

func (f *floor) cancel(id uint64) {
	o := &f.orders[id]
	if !o.live {
		return
	}
	l := &f.levels[o.side][o.price]
	if o.prev == none {
		l.head = o.next
	} else {
		f.orders[o.prev].next = o.next
	}
	if o.next == none {
		l.tail = o.prev
	} else {
		f.orders[o.next].prev = o.prev
	}
	o.live = false
	f.free = append(f.free, int32(id))
	f.events++
	f.size--
	f.settle(int(o.side))
}

// settle moves the best price past levels that have become empty.
func (f *floor) settle(s int) {
	step := 1
	if s == 0 {
		step = -1
	}
	for f.best[s] >= 0 && f.best[s] < floorPrices && f.levels[s][f.best[s]].head == none {
		f.best[s] += step
	}
}

func (f *floor) take(side Side, qty int64) {
	s := int(side.opposite() - Buy)
	for qty > 0 && f.best[s] >= 0 && f.best[s] < floorPrices {
		slot := f.levels[s][f.best[s]].head
		o := &f.orders[slot]
		n := min(qty, o.qty)
		o.qty, qty = o.qty-n, qty-n
		f.events++
		if o.qty == 0 {
			f.cancel(uint64(slot))
		}
	}
}

func (f *floor) open() int { return f.size }

// flow is a repeating mix of what an exchange sees: 45 % new limit orders near the touch, 40 % cancels
// and 15 % orders that trade, with about `resting` orders in the book all the time.
type flow struct {
	r      *rand.Rand
	book   market
	live   []uint64
	target int
}

func newFlow(book market, resting int) *flow {
	f := &flow{r: rand.New(rand.NewPCG(1, 1)), book: book, target: resting}
	for len(f.live) < resting {
		f.rest()
	}
	return f
}

// rest adds an order within a thousand ticks of the middle; larger books are deeper at each price.
func (f *flow) rest() {
	side, distance := Side(1+f.r.IntN(2)), 1+f.r.Int64N(1000)
	if side == Buy {
		distance = -distance
	}
	f.live = append(f.live, f.book.rest(side, 1+f.r.Int64N(100), floorMiddle+distance))
}

func (f *flow) command() {
	switch r := f.r.IntN(100); {
	case len(f.live) < f.target || r < 45:
		f.rest()
	case r < 85 || f.book.open() < f.target/2:
		i := f.r.IntN(len(f.live))
		f.book.cancel(f.live[i])
		f.live[i] = f.live[len(f.live)-1]
		f.live = f.live[:len(f.live)-1]
	default:
		f.book.take(Side(1+f.r.IntN(2)), 1+f.r.Int64N(100))
	}
}

// BenchmarkMatching runs the flow on the engine and on the floor, by number of resting orders.
func BenchmarkMatching(b *testing.B) {
	for _, resting := range []int{10, 1_000, 100_000, 1_000_000} {
		for _, name := range []string{"engine", "floor"} {
			b.Run(fmt.Sprintf("%s/resting=%d", name, resting), func(b *testing.B) {
				var book market = newFloor()
				if name == "engine" {
					book = engine{NewBook(0, 4<<20)}
				}
				f := newFlow(book, resting)
				for range 2 * resting {
					f.command()
				}
				open := book.open()
				b.ReportAllocs()
				b.ResetTimer()
				b.ReportMetric(float64(open), "open") // bench/c/book.c has to say the same
				for range b.N {
					f.command()
				}
			})
		}
	}
}
