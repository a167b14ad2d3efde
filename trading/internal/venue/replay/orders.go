package replay

import (
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/queue"
)

// setOrder changes one recorded order.
func (b *book) setOrder(row *market.Row, config Config, reports *reports) {
	orders, there := b.recorded.(*queue.Orders)
	if !there {
		orders = queue.NewOrders(b.rules(config))
		b.begin(orders)
	}
	if row.BookFlags&market.BookClear != 0 {
		orders.Clear()
	}
	traded := row.BookFlags&market.BookTraded != 0
	b.changed(row, orders.Set(row.BookOrderID, engine.Side(row.BookSide), row.BookPx, row.BookQty, traded), reports)
}

// orderMayFill says whether a recorded order's change may fill one of ours that rests. Where the book is
// crossed whatever leaves may make ours the first; else ours fills when the row crosses it, or when the
// row traded and is not before it.
func orderMayFill(orders *queue.Orders, row *market.Row, o *order) bool {
	other := engine.Buy
	if o.terms.Side == engine.Buy {
		other = engine.Sell
	}
	if px, any := orders.Best(other); any && o.atOrBetter(px) {
		return true
	}
	if engine.Side(row.BookSide) == other {
		return row.BookQty > 0 && o.atOrBetter(row.BookPx)
	}
	return row.BookFlags&market.BookTraded != 0 && o.atOrBetter(row.BookPx)
}
