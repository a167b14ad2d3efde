package exchange

import (
	"maps"
	"slices"

	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/sim"
)

// bookData is what the market was told of a book.
type bookData struct {
	levels   [2]map[int64]int64 // bids, asks: quantity shown by price
	quote    market.Row
	sequence int64
	touched  []int64 // prices that may have changed since
}

func newBookData() bookData {
	return bookData{levels: [2]map[int64]int64{{}, {}}}
}

func (d *bookData) touch(price int64) {
	if !slices.Contains(d.touched, price) {
		d.touched = append(d.touched, price)
	}
}

// printed tells the market of a trade, at a price that may have changed with it.
func (x *Exchange) printed(b *book, e *sim.Event, taker *order) {
	b.market.touch(e.Price)
	row := market.Row{Kind: market.Trade, TradePx: e.Price, TradeQty: e.Qty, AggressorSide: uint8(taker.side())}
	x.tell(b, row)
	x.tellOrder(b, row)
}

func (x *Exchange) tell(b *book, row market.Row) {
	b.market.sequence++
	row.Instrument, row.MdSequence, row.TransactTime = b.index, b.market.sequence, x.now
	x.rows = append(x.rows, row)
}

// publish tells the market which levels of a book changed, and the best of each side if they did.
func (x *Exchange) publish(b *book) {
	before := len(x.rows)
	for side, levels := range b.market.levels {
		for _, price := range b.market.touched {
			qty := b.matching.ShownAt(sim.Buy+sim.Side(side), price)
			if qty == levels[price] {
				continue
			}
			levels[price] = qty
			if qty == 0 {
				delete(levels, price)
			}
			x.tell(b, market.Row{Kind: market.BookLevel, BookPx: price, BookQty: qty, BookSide: uint8(side + 1)})
		}
	}
	b.market.touched = b.market.touched[:0]
	if len(x.rows) > before {
		x.rows[len(x.rows)-1].BookFlags = market.BookLastOfEvent
	}
	quote := b.quote()
	if quote != b.market.quote {
		b.market.quote = quote
		x.tell(b, quote)
	}
}

func (b *book) quote() market.Row {
	row := market.Row{Kind: market.Quote}
	row.BidPx, row.BidQty, row.HasBid = b.matching.Best(sim.Buy)
	row.AskPx, row.AskQty, row.HasAsk = b.matching.Best(sim.Sell)
	return row
}

// Snapshot is every book whole, as rows that a stream of changes goes on from.
func (x *Exchange) Snapshot() []market.Row {
	var rows []market.Row
	for _, b := range x.books {
		rows = append(rows, x.snapshot(b)...)
	}
	return rows
}

// snapshot starts with a row that empties the book: one of quantity 0 when nothing rests.
func (x *Exchange) snapshot(b *book) []market.Row {
	var rows []market.Row
	add := func(row market.Row) {
		row.Instrument, row.MdSequence, row.TransactTime = b.index, b.market.sequence, x.now
		rows = append(rows, row)
	}
	for side, levels := range b.market.levels {
		for _, price := range slices.Sorted(maps.Keys(levels)) {
			add(market.Row{Kind: market.BookLevel, BookPx: price, BookQty: levels[price], BookSide: uint8(side + 1), BookFlags: market.BookSnapshot})
		}
	}
	if len(rows) == 0 {
		add(market.Row{Kind: market.BookLevel, BookSide: uint8(sim.Buy), BookPx: b.instrument.PriceIncrement, BookFlags: market.BookSnapshot})
	}
	rows[0].BookFlags |= market.BookClear
	rows[len(rows)-1].BookFlags |= market.BookLastOfEvent
	add(b.quote())
	return rows
}
