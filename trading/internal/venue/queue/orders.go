package queue

import (
	"cmp"
	"iter"
	"slices"

	"aetherion/trading/internal/engine"
)

// Orders is a recorded book of orders and ours among them, first in, first out at each price.
//
// An order of ours trades when its turn has come for certain: something that stands behind it in
// price-time priority was executed, or nothing is recorded before it and the other side has crossed it.
//
// The recorded orders are never fewer for what ours took of them.
type Orders struct {
	recorded map[int64]*member
	bids     fifo
	asks     fifo
	arrivals uint64
}

// fifo is the orders of a side in price-time priority, the first at the end.
type fifo struct {
	side  engine.Side
	rules Rules
	list  []*member
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
func NewOrders(rules Rules) *Orders {
	return &Orders{
		recorded: map[int64]*member{},
		bids:     fifo{side: engine.Buy, rules: rules}, asks: fifo{side: engine.Sell, rules: rules},
	}
}

// Clear empties the recorded book. Our orders stay.
func (b *Orders) Clear() {
	for _, m := range b.recorded {
		b.fifo(m.side).remove(m)
	}
	clear(b.recorded)
}

// Best is the best recorded price of a side.
func (b *Orders) Best(side engine.Side) (px int64, any bool) {
	for _, m := range slices.Backward(b.fifo(side).list) {
		if !m.ours {
			return m.px, true
		}
	}
	return 0, false
}

// Set takes what a recorded order is from now on, and whether it traded what it lost. Less of it keeps
// its place, more of it or another price does not. One that is not known was there before the recording,
// if it traded: nobody knows its place, and nothing happens.
func (b *Orders) Set(id int64, side engine.Side, px, qty int64, traded bool) []Fill {
	m := b.recorded[id]
	stays := m != nil && m.side == side && m.px == px && qty <= m.leaves
	switch {
	case stays && traded:
		return b.Execute(id, qty)
	case stays:
		return b.Reduce(id, qty)
	case qty <= 0:
		return b.Cancel(id)
	case m == nil && traded:
		return nil
	}
	return b.Add(id, side, px, qty)
}

// Add takes a recorded order that joins the book. One of a known id leaves its place, and what ours took
// of it stays taken.
func (b *Orders) Add(id int64, side engine.Side, px, qty int64) []Fill {
	joins := member{side: side, px: px, leaves: qty}
	if m := b.recorded[id]; m != nil {
		joins.taken = m.taken
		b.fifo(m.side).remove(m)
	}
	b.recorded[id] = b.join(joins)
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
	fills, leaves := b.Take(o)
	if leaves > 0 {
		b.join(member{side: o.Side, px: o.Px, leaves: leaves, ours: true, id: o.ID})
	}
	return fills
}

// Take is Submit of an order that does not stay: it says what is left instead.
func (b *Orders) Take(o Order) (fills []Fill, leaves int64) {
	taken := b.fifo(opposite(o.Side)).take(o.Px, o.Qty, func(px, qty int64) {
		fills = append(fills, Fill{OrderID: o.ID, Px: px, Qty: qty})
	})
	return fills, o.Qty - taken
}

// CanTake says whether all of an order would be taken, were it to arrive now.
func (b *Orders) CanTake(o Order) bool {
	leaves := o.Qty
	for _, available := range b.fifo(opposite(o.Side)).crossing(o.Px) {
		leaves -= min(leaves, available)
	}
	return leaves == 0
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
	qty = f.rules.lots(qty)
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
	for m, available := range f.crossing(px) {
		part := min(qty-all, available)
		m.taken += part
		all += part
		took(m.px, part)
		if all == qty {
			break
		}
	}
	return all
}

// crossing is the recorded orders that an opposite price crosses, each with what it has for ours.
func (f *fifo) crossing(px int64) iter.Seq2[*member, int64] {
	return func(yield func(*member, int64) bool) {
		for _, m := range slices.Backward(f.list) {
			if !crosses(f.side, m.px, px) {
				return
			}
			available := f.rules.lots(f.rules.share(m.leaves) - m.taken)
			if !m.ours && available > 0 && !yield(m, available) {
				return
			}
		}
	}
}

func (f *fifo) fill(o *member, qty int64) Fill {
	o.leaves -= qty
	if o.leaves == 0 {
		f.remove(o)
	}
	return Fill{OrderID: o.id, Px: o.px, Qty: qty, Maker: true}
}
