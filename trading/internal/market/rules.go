package market

import (
	"fmt"

	"aetherion/trading/internal/engine"
)

// sides is how many values an aggressor side has: unknown, buy, sell.
const sides = 3

// How many values the bits of BookFlags have together, of a level and of an order.
const (
	levelFlags = 8
	orderFlags = 16
)

// rules are what every row of a file must keep to. Errors name field, rule and value.
type rules struct {
	instruments    []engine.Instrument
	started        bool
	transactTime   int64 // of the row before
	lastInstrument uint32
}

func newRules(instruments []engine.Instrument) *rules { return &rules{instruments: instruments} }

func (r *rules) check(row *Row) error {
	if err := r.checkOrder(row); err != nil {
		return err
	}
	signed := r.instruments[row.Instrument].AllowNegativePrice
	switch row.Kind {
	case Bar:
		return checkBar(row, signed)
	case Quote:
		return checkQuote(row, signed)
	case BookLevel, BookOrder:
		return checkBook(row, signed)
	default:
		return checkTrade(row, signed)
	}
}

func (r *rules) checkOrder(row *Row) error {
	switch {
	case !r.started:
		r.started = true
	case row.TransactTime < r.transactTime:
		return fmt.Errorf("transact_time_ns: must not step back, got %d after %d", row.TransactTime, r.transactTime)
	case row.TransactTime == r.transactTime && row.Instrument < r.lastInstrument:
		return fmt.Errorf("instrument: must not step back at one transact_time_ns, got %d after %d",
			row.Instrument, r.lastInstrument)
	}
	r.transactTime, r.lastInstrument = row.TransactTime, row.Instrument
	return nil
}

func checkBar(row *Row, signed bool) error {
	switch {
	case row.OpenTime >= row.TransactTime:
		return fmt.Errorf("open_time_ns: must be before transact_time_ns %d, got %d", row.TransactTime, row.OpenTime)
	case row.LowPx > min(row.OpenPx, row.ClosePx):
		return fmt.Errorf("low_px: must not be above open_px %d or close_px %d, got %d", row.OpenPx, row.ClosePx, row.LowPx)
	case row.HighPx < max(row.OpenPx, row.ClosePx):
		return fmt.Errorf("high_px: must not be below open_px %d or close_px %d, got %d", row.OpenPx, row.ClosePx, row.HighPx)
	case row.LowPx <= 0 && !signed:
		return fmt.Errorf("low_px: must be positive, got %d", row.LowPx)
	case row.Volume < 0:
		return fmt.Errorf("volume: must not be negative, got %d", row.Volume)
	}
	return nil
}

func checkQuote(row *Row, signed bool) error {
	if err := checkQuoteSide("bid", row.HasBid, row.BidPx, row.BidQty, signed); err != nil {
		return err
	}
	return checkQuoteSide("ask", row.HasAsk, row.AskPx, row.AskQty, signed)
}

// checkQuoteSide allows a price without a quantity, which not every source records.
func checkQuoteSide(side string, there bool, price, qty int64, signed bool) error {
	switch {
	case !there && qty != 0:
		return fmt.Errorf("%s_qty: must be null or 0 where %s_px is null, got %d", side, side, qty)
	case there && price <= 0 && !signed:
		return fmt.Errorf("%s_px: must be positive, got %d", side, price)
	case qty < 0:
		return fmt.Errorf("%s_qty: must not be negative, got %d", side, qty)
	}
	return nil
}

func checkTrade(row *Row, signed bool) error {
	switch {
	case row.TradePx <= 0 && !signed:
		return fmt.Errorf("trade_px: must be positive, got %d", row.TradePx)
	case row.TradeQty < 0:
		return fmt.Errorf("trade_qty: must not be negative, got %d", row.TradeQty)
	}
	return nil
}

func checkBook(row *Row, signed bool) error {
	switch {
	case row.BookSide == 0:
		return fmt.Errorf("book_side: must be 1 or 2, got %d", row.BookSide)
	case row.BookPx <= 0 && !signed:
		return fmt.Errorf("book_px: must be positive, got %d", row.BookPx)
	case row.BookQty < 0:
		return fmt.Errorf("book_qty: must not be negative, got %d", row.BookQty)
	}
	return nil
}
