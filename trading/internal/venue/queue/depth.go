package queue

import (
	"math"
	"math/bits"
	"slices"

	"aetherion/trading/internal/engine"
)

// Rules says how orders fill. Model and Whole are of a Depth only.
type Rules struct {
	Model Model
	Lot   int64 // fills are multiples of it
	// TakeBps is the largest share of a level, or of a recorded order, that our orders take by crossing it,
	// 1 to 10,000; 0 is all.
	TakeBps uint32
	// Whole fills every order in full at its first chance, whatever the size that was there, as
	// hftbacktest's NoPartialFillExchange does.
	Whole bool
}

// share is what our orders may take of a quantity.
func (r Rules) share(qty int64) int64 {
	if r.TakeBps == 0 {
		return qty
	}
	hi, lo := bits.Mul64(uint64(qty), uint64(r.TakeBps))
	share, _ := bits.Div64(hi, lo, 10_000) // TakeBps <= 10,000, so that the quotient fits
	return int64(share)
}

// lots is how much of a quantity is whole lots.
func (r Rules) lots(qty int64) int64 { return qty / r.Lot * r.Lot }

// Depth is a recorded book of levels and our orders in it.
type Depth struct {
	rules       Rules
	bids, asks  levels
	buys, sells []*resting // in price-time priority
}

type resting struct {
	Order
	leaves   int64
	position Position
}

// NewDepth is an empty book.
func NewDepth(rules Rules) *Depth {
	return &Depth{rules: rules, bids: levels{side: engine.Buy}, asks: levels{side: engine.Sell}}
}

// Clear empties the recorded book before a snapshot. Our orders stay, and so do their positions.
func (d *Depth) Clear() { d.bids.list, d.asks.list = nil, nil }

// Best is the best recorded price of a side.
func (d *Depth) Best(side engine.Side) (px int64, any bool) {
	if best := d.levels(side).best(); best != nil {
		return best.px, true
	}
	return 0, false
}

// Level takes the quantity that stands at a price from now on. Our opposite orders that it crosses fill at
// their own price, from what was added.
func (d *Depth) Level(side engine.Side, px, qty int64) []Fill {
	before := d.levels(side).set(px, qty)
	for _, o := range *d.orders(side) {
		if o.Px == px {
			o.position.Depth(before, qty)
		}
	}
	if qty <= before {
		return nil
	}
	d.levels(opposite(side)).dropCrossed(px)
	return d.match(opposite(side), px, qty-before, func(o *resting, available int64) int64 { return available })
}

// Trade takes a recorded trade. Our orders at better prices than it fill; those at its price do when it
// went beyond what stood before them.
func (d *Depth) Trade(aggressor engine.Side, px, qty int64) []Fill {
	return d.match(opposite(aggressor), px, qty, func(o *resting, available int64) int64 {
		if o.Px != px {
			return available
		}
		o.position.Trade(qty)
		return min(available, o.position.Reached())
	})
}

// match fills the orders of a side that cross a price, in their priority, each with what it may have of
// the quantity.
func (d *Depth) match(side engine.Side, px, qty int64, may func(o *resting, available int64) int64) (fills []Fill) {
	orders := d.orders(side)
	for _, o := range *orders {
		if !crosses(side, o.Px, px) {
			break
		}
		part := d.part(o.leaves, may(o, qty))
		if part == 0 {
			continue
		}
		if !d.rules.Whole {
			qty -= part
		}
		o.leaves -= part
		o.position.Filled(part)
		fills = append(fills, Fill{OrderID: o.ID, Px: o.Px, Qty: part, Maker: true})
	}
	*orders = slices.DeleteFunc(*orders, func(o *resting) bool { return o.leaves == 0 })
	return fills
}

// part is how much of a quantity an order takes.
func (d *Depth) part(leaves, available int64) int64 {
	switch available = d.rules.lots(available); {
	case available <= 0:
		return 0
	case d.rules.Whole:
		return leaves
	}
	return min(leaves, available)
}

// Submit takes an order that arrives: what it crosses it takes from the recorded levels, the rest joins
// behind what stands at its price.
func (d *Depth) Submit(o Order) []Fill {
	fills, leaves := d.Take(o)
	if leaves > 0 {
		d.rest(o, leaves)
	}
	return fills
}

// AnyPx is the limit of a market order.
func AnyPx(side engine.Side) int64 {
	if side == engine.Buy {
		return math.MaxInt64
	}
	return math.MinInt64
}

// CanTake says whether all of an order would be taken, were it to arrive now.
func (d *Depth) CanTake(o Order) bool {
	leaves := o.Qty
	list := d.levels(opposite(o.Side)).list
	for i := len(list) - 1; i >= 0 && leaves > 0 && crosses(o.Side, o.Px, list[i].px); i-- {
		leaves -= d.part(leaves, d.available(list[i]))
	}
	return leaves == 0
}

// available is what a level has left for our orders.
func (d *Depth) available(l level) int64 { return d.rules.share(l.qty) - l.taken }

// Take is Submit of an order that does not stay: it says what is left instead. It walks the opposite
// levels. A level is taken once, and again only when it has changed.
func (d *Depth) Take(o Order) (fills []Fill, leaves int64) {
	list := d.levels(opposite(o.Side)).list
	leaves = o.Qty
	for i := len(list) - 1; i >= 0 && leaves > 0 && crosses(o.Side, o.Px, list[i].px); i-- {
		part := d.part(leaves, d.available(list[i]))
		if part == 0 {
			continue
		}
		leaves -= part
		if !d.rules.Whole {
			list[i].taken += part
		}
		fills = append(fills, Fill{OrderID: o.ID, Px: list[i].px, Qty: part})
	}
	return fills, leaves
}

func (d *Depth) rest(o Order, leaves int64) {
	r := &resting{Order: o, leaves: leaves, position: d.rules.Model(d.levels(o.Side).qty(o.Px))}
	orders := d.orders(o.Side)
	// Behind all of its price: the first that it is better than.
	i, _ := slices.BinarySearchFunc(*orders, o.Px, func(other *resting, px int64) int {
		if better(o.Side, px, other.Px) {
			return 1
		}
		return -1
	})
	*orders = slices.Insert(*orders, i, r)
}

// CancelOurs takes an order of ours out, and says whether it was there.
func (d *Depth) CancelOurs(orderID uint64) bool {
	for _, orders := range []*[]*resting{&d.buys, &d.sells} {
		if i := slices.IndexFunc(*orders, func(o *resting) bool { return o.ID == orderID }); i >= 0 {
			*orders = slices.Delete(*orders, i, i+1)
			return true
		}
	}
	return false
}

func (d *Depth) levels(side engine.Side) *levels {
	if side == engine.Buy {
		return &d.bids
	}
	return &d.asks
}

func (d *Depth) orders(side engine.Side) *[]*resting {
	if side == engine.Buy {
		return &d.buys
	}
	return &d.sells
}
