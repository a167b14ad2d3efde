package queue

import (
	"cmp"
	"slices"

	"aetherion/trading/internal/engine"
)

// Orders is a recorded book of orders and ours among them, first in, first out at each price.
//
// An order of ours trades when its turn has come for certain: something that stands behind it in
// price-time priority was executed, or nothing is recorded before it and the other side has crossed it.
type Orders struct {
	recorded map[int64]*member
	bids     fifo
	asks     fifo
	arrivals uint64
}

// fifo is the orders of a side in price-time priority, the first at the end.
type fifo struct {
	side engine.Side
	list []*member
}

// member is an order in the book.
type member struct {
	side    engine.Side
	px      int64
	leaves  int64
	taken   int64 // of a recorded order by ours: it trades with us once
	arrival uint64
	ours    bool
	id      uint64 // of ours
}

// NewOrders is an empty book.
func NewOrders() *Orders {
	return &Orders{recorded: map[int64]*member{}, bids: fifo{side: engine.Buy}, asks: fifo{side: engine.Sell}}
}

// Add takes a recorded order that joins the book; one of a known id takes its place, at the end.
func (b *Orders) Add(id int64, side engine.Side, px, qty int64) []Fill {
	b.Cancel(id)
	m := b.join(member{side: side, px: px, leaves: qty})
	b.recorded[id] = m
	return b.crossed()
}

// Cancel takes a recorded order out without a trade. An order from before the recording is not known,
// and nothing happens.
func (b *Orders) Cancel(id int64) []Fill {
	m := b.recorded[id]
	if m == nil {
		return nil
	}
	delete(b.recorded, id)
	b.fifo(m.side).remove(m)
	return b.crossed()
}

// Reduce leaves a recorded order less than it had, in its place, without a trade.
func (b *Orders) Reduce(id, leaves int64) []Fill {
	m := b.recorded[id]
	if m == nil {
		return nil
	}
	if leaves <= 0 {
		return b.Cancel(id)
	}
	m.leaves = leaves
	return b.crossed()
}

// Execute takes a recorded order that traded and has so much left. Ours that stand before it would have
// traded first, up to what it traded.
func (b *Orders) Execute(id, leaves int64) []Fill {
	m := b.recorded[id]
	if m == nil || leaves >= m.leaves {
		return b.Reduce(id, leaves)
	}
	fills := b.fifo(m.side).fillBefore(m, m.leaves-leaves)
	return append(fills, b.Reduce(id, leaves)...)
}

// Submit takes an order of ours: what it crosses it takes from the recorded orders, of each once, and the
// rest joins behind all that stand at its price.
func (b *Orders) Submit(o Order) []Fill {
	var fills []Fill
	leaves := o.Qty - b.fifo(opposite(o.Side)).take(o.Px, o.Qty, func(px, qty int64) {
		fills = append(fills, Fill{OrderID: o.ID, Px: px, Qty: qty})
	})
	if leaves > 0 {
		b.join(member{side: o.Side, px: o.Px, leaves: leaves, ours: true, id: o.ID})
	}
	return fills
}

// CancelOurs takes an order of ours out, and says whether it was there.
func (b *Orders) CancelOurs(id uint64) bool {
	for _, side := range []*fifo{&b.bids, &b.asks} {
		for _, m := range side.list {
			if m.ours && m.id == id {
				side.remove(m)
				return true
			}
		}
	}
	return false
}

func (b *Orders) join(m member) *member {
	b.arrivals++
	m.arrival = b.arrivals
	b.fifo(m.side).insert(&m)
	return &m
}

// crossed fills ours that are first in their side and that the other side has crossed.
func (b *Orders) crossed() []Fill {
	fills := b.bids.fillCrossed(&b.asks)
	return append(fills, b.asks.fillCrossed(&b.bids)...)
}

func (b *Orders) fifo(side engine.Side) *fifo {
	if side == engine.Buy {
		return &b.bids
	}
	return &b.asks
}

// place is where a member is, or would be.
func (f *fifo) place(m *member) int {
	index, _ := slices.BinarySearchFunc(f.list, m, func(a, b *member) int {
		switch {
		case better(f.side, a.px, b.px):
			return 1
		case better(f.side, b.px, a.px):
			return -1
		}
		return cmp.Compare(b.arrival, a.arrival)
	})
	return index
}

func (f *fifo) insert(m *member) { f.list = slices.Insert(f.list, f.place(m), m) }

func (f *fifo) remove(m *member) {
	i := f.place(m)
	f.list = slices.Delete(f.list, i, i+1)
}

// fillBefore fills ours that stand before a member, first come first, from a quantity.
func (f *fifo) fillBefore(m *member, qty int64) (fills []Fill) {
	for _, o := range slices.Backward(slices.Clone(f.list[f.place(m)+1:])) {
		if o.ours && qty > 0 {
			part := min(qty, o.leaves)
			qty -= part
			fills = append(fills, f.fill(o, part))
		}
	}
	return fills
}

// fillCrossed fills ours at the front from the recorded orders that cross them.
func (f *fifo) fillCrossed(against *fifo) (fills []Fill) {
	for len(f.list) > 0 && f.list[len(f.list)-1].ours {
		o := f.list[len(f.list)-1]
		part := against.take(o.px, o.leaves, func(_, _ int64) {})
		if part == 0 {
			break
		}
		fills = append(fills, f.fill(o, part))
		if o.leaves > 0 {
			break
		}
	}
	return fills
}

// take takes from the recorded orders that an opposite price crosses, and says how much of the quantity.
func (f *fifo) take(px, qty int64, took func(px, qty int64)) (all int64) {
	for _, m := range slices.Backward(f.list) {
		if all == qty || !crosses(f.side, m.px, px) {
			break
		}
		if part := min(qty-all, m.leaves-m.taken); !m.ours && part > 0 {
			m.taken += part
			all += part
			took(m.px, part)
		}
	}
	return all
}

func (f *fifo) fill(o *member, qty int64) Fill {
	o.leaves -= qty
	if o.leaves == 0 {
		f.remove(o)
	}
	return Fill{OrderID: o.id, Px: o.px, Qty: qty, Maker: true}
}
