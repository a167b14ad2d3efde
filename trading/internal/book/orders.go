package book

import (
	"fmt"
	"math"

	"aetherion/trading/internal/engine"
)

// Order is one order of an L3 book.
type Order struct {
	ID      int64
	Side    engine.Side
	Px, Qty int64
}

// Orders is an L3 book: orders by the venue's id, first come first at each price, and the L2 book that they make.
// It may be crossed: venues add an order that takes before they delete what it took.
type Orders struct {
	book   Book
	byID   map[int64]*node
	queues map[queueKey]*queue
}

type queueKey struct {
	side engine.Side
	px   int64
}

type queue struct{ first, last *node }

type node struct {
	Order
	before, after *node
}

// NewOrders is an empty book.
func NewOrders() *Orders {
	return &Orders{byID: make(map[int64]*node), queues: make(map[queueKey]*queue)}
}

// Book is the L2 book of the orders; it is not to be changed.
func (o *Orders) Book() *Book { return &o.book }

// Len is the number of orders.
func (o *Orders) Len() int { return len(o.byID) }

// Order finds an order.
func (o *Orders) Order(id int64) (Order, bool) {
	if n := o.byID[id]; n != nil {
		return n.Order, true
	}
	return Order{}, false
}

// At appends the orders at a price, first in priority first.
func (o *Orders) At(to []Order, side engine.Side, px int64) []Order {
	q := o.queues[queueKey{side, px}]
	if q == nil {
		return to
	}
	for n := q.first; n != nil; n = n.after {
		to = append(to, n.Order)
	}
	return to
}

// Add puts an order behind those at its price.
func (o *Orders) Add(order Order) error {
	switch {
	case order.Side != engine.Buy && order.Side != engine.Sell:
		return fmt.Errorf("side: must be buy or sell, got %d of order %d", order.Side, order.ID)
	case order.Qty <= 0:
		return fmt.Errorf("qty: must be positive, got %d of order %d", order.Qty, order.ID)
	case o.byID[order.ID] != nil:
		return fmt.Errorf("order_id: must be new, got %d twice", order.ID)
	case o.book.Qty(order.Side, order.Px) > math.MaxInt64-order.Qty:
		return fmt.Errorf("qty: must keep the level within 64 bits, got %d of order %d", order.Qty, order.ID)
	}
	n := &node{Order: order}
	o.byID[order.ID] = n
	o.link(n)
	return nil
}

// Modify gives an order another price or quantity; 0 deletes it. It keeps its place only where the price stays and the
// quantity does not grow.
func (o *Orders) Modify(id, px, qty int64) error {
	n := o.byID[id]
	switch {
	case n == nil:
		return fmt.Errorf("order_id: must be in the book, got %d", id)
	case qty < 0:
		return fmt.Errorf("qty: must not be negative, got %d of order %d", qty, id)
	case qty == 0:
		return o.Delete(id)
	}
	if px == n.Px && qty <= n.Qty {
		o.add(n.Side, px, qty-n.Qty)
		n.Qty = qty
		return nil
	}
	changed := n.Order
	changed.Px, changed.Qty = px, qty
	old := n.Order
	_ = o.Delete(id) // it is there
	if err := o.Add(changed); err != nil {
		return fmt.Errorf("modify of order %d at %d, which is now deleted: %w", id, old.Px, err)
	}
	return nil
}

// Delete takes an order out.
func (o *Orders) Delete(id int64) error {
	n := o.byID[id]
	if n == nil {
		return fmt.Errorf("order_id: must be in the book, got %d", id)
	}
	delete(o.byID, id)
	o.unlink(n)
	return nil
}

// Clear empties the book before a snapshot.
func (o *Orders) Clear() {
	o.book.Clear()
	clear(o.byID)
	clear(o.queues)
}

func (o *Orders) link(n *node) {
	key := queueKey{n.Side, n.Px}
	q := o.queues[key]
	if q == nil {
		q = &queue{}
		o.queues[key] = q
	}
	if n.before = q.last; n.before == nil {
		q.first = n
	} else {
		n.before.after = n
	}
	q.last = n
	o.add(n.Side, n.Px, n.Qty)
}

func (o *Orders) unlink(n *node) {
	key := queueKey{n.Side, n.Px}
	q := o.queues[key]
	if n.before == nil {
		q.first = n.after
	} else {
		n.before.after = n.after
	}
	if n.after == nil {
		q.last = n.before
	} else {
		n.after.before = n.before
	}
	if q.first == nil {
		delete(o.queues, key)
	}
	o.add(n.Side, n.Px, -n.Qty)
}

func (o *Orders) add(side engine.Side, px, qty int64) { o.book.Set(side, px, o.book.Qty(side, px)+qty) }
