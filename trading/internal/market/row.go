// Package market holds rows of market data in time order and the columns they travel in.
package market

// Kind says what a Row is. The numbers are those of the contract's MarketDataKind.
type Kind uint8

// The kinds of rows.
const (
	Bar   Kind = 1
	Quote Kind = 2
	Trade Kind = 3
	// BookLevel is the quantity that stands at one price from now on.
	BookLevel Kind = 4
	// BookOrder is what one order of the book is from now on.
	BookOrder Kind = 5
)

// Bits of BookFlags, as the contract's BookFlag has them.
const (
	BookSnapshot    = 1
	BookLastOfEvent = 2 // only after it is the book whole
	BookClear       = 4 // the book is emptied before the row
	BookTraded      = 8 // what the order lost, it lost to a trade
)

// Row is one event of market data. Prices and quantities are integers scaled by the instrument. Only
// the fields of its kind are meant; the others are zero.
type Row struct {
	Kind         Kind
	Instrument   uint32 // index into the data set's instruments
	MdSequence   int64  // gap-free per instrument, from 1
	TransactTime int64  // ns UTC; of a bar its close
	ReceiveTime  int64  // ns UTC; 0 when not recorded

	OpenTime                               int64 // bar
	OpenPx, HighPx, LowPx, ClosePx, Volume int64 // bar

	BidPx, BidQty, AskPx, AskQty int64 // quote; a side is there when its flag says so
	HasBid, HasAsk               bool

	TradePx, TradeQty int64 // trade
	AggressorSide     uint8 // trade; Side of the contract, 0 unknown

	BookPx, BookQty     int64 // level, order; quantity 0: there is none
	BookSide, BookFlags uint8 // level, order
	BookOrderID         int64 // order; the venue's
}

const nsPerDay = 24 * 60 * 60 * 1_000_000_000

// Day is the UTC day of the row, in days since the Unix epoch. A bar belongs to the day that it closes,
// also at midnight.
func (r *Row) Day() int64 {
	t := r.TransactTime
	if r.Kind == Bar {
		t--
	}
	day := t / nsPerDay
	if t%nsPerDay < 0 {
		day--
	}
	return day
}
