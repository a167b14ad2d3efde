package exchange

import (
	"slices"

	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/sim"
)

// orderData is what the market was told of the orders of a book (L3): a feed of its own, with its own
// count of rows. Hidden quantity is in none of it.
type orderData struct {
	shown    map[uint64]shownOrder // by the venue's number
	sequence int64
	touched  []touchedOrder // that may have changed since, in the order of their last change
}

type shownOrder struct {
	side       sim.Side
	price, qty int64
}

type touchedOrder struct {
	order *order
	// behind: it lost its place, so that it is told as one that left and came again.
	behind bool
}

func (d *orderData) touch(o *order, behind bool) {
	if at := slices.IndexFunc(d.touched, func(t touchedOrder) bool { return t.order == o }); at >= 0 {
		if !behind {
			return
		}
		d.touched = slices.Delete(d.touched, at, at+1)
	}
	d.touched = append(d.touched, touchedOrder{o, behind})
}

func (x *Exchange) tellOrder(b *book, row market.Row) {
	b.ordersFeed.sequence++
	row.Instrument, row.MdSequence, row.TransactTime = b.index, b.ordersFeed.sequence, x.now
	x.orderRows = append(x.orderRows, row)
}

// publishOrders tells which orders of a book changed.
func (x *Exchange) publishOrders(b *book) {
	d := &b.ordersFeed
	before := len(x.orderRows)
	for _, t := range d.touched {
		number := t.order.number
		was, known := d.shown[number]
		var is shownOrder
		var rests bool
		is.side, is.price, is.qty, rests = b.matching.Shown(t.order.matchingID)
		if known && (!rests || t.behind || is.price != was.price || is.qty > was.qty) {
			x.tellOrder(b, orderRow(number, shownOrder{was.side, was.price, 0}))
			delete(d.shown, number)
			known = false
		}
		if rests && (!known || is != was) {
			x.tellOrder(b, orderRow(number, is))
			d.shown[number] = is
		}
	}
	d.touched = d.touched[:0]
	if len(x.orderRows) > before {
		x.orderRows[len(x.orderRows)-1].BookFlags |= market.BookLastOfEvent
	}
}

func orderRow(number uint64, o shownOrder) market.Row {
	return market.Row{Kind: market.BookOrder, BookOrderID: int64(number), BookSide: uint8(o.side), BookPx: o.price, BookQty: o.qty}
}

// OrderRows are the orders that changed and the trades since the last Advance, for a reader who wants every
// order; valid until the next.
func (x *Exchange) OrderRows() []market.Row { return x.orderRows }

// OrderSnapshot is every book whole, order by order in their priority, as rows that OrderRows go on from.
func (x *Exchange) OrderSnapshot() []market.Row {
	var rows []market.Row
	for _, b := range x.books {
		first := len(rows)
		add := func(row market.Row) {
			row.Instrument, row.MdSequence, row.TransactTime = b.index, b.ordersFeed.sequence, x.now
			row.BookFlags = market.BookSnapshot
			rows = append(rows, row)
		}
		for _, side := range []sim.Side{sim.Buy, sim.Sell} {
			b.matching.Orders(side, func(id uint64, price, shown int64) {
				add(orderRow(b.orders[id].number, shownOrder{side, price, shown}))
			})
		}
		if len(rows) == first { // An empty book is told by an order that is not there.
			add(orderRow(0, shownOrder{sim.Buy, b.instrument.PriceIncrement, 0}))
		}
		rows[first].BookFlags |= market.BookClear
		rows[len(rows)-1].BookFlags |= market.BookLastOfEvent
	}
	return rows
}
