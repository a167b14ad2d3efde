// Package binance speaks Binance's market data: spot, USD-M and COIN-M futures.
package binance

import (
	"fmt"
	"math"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/feed"
)

const nsPerMs = 1_000_000

// Decoder turns messages of Binance's streams, combined or raw, into ours. It belongs to one goroutine.
type Decoder struct {
	instruments *feed.Instruments
	message     feed.Message
}

// NewDecoder knows the instruments by Binance's symbols.
func NewDecoder(instruments *feed.Instruments) *Decoder { return &Decoder{instruments: instruments} }

// Decode reads one message of a stream. What it returns lasts until the next call.
func (d *Decoder) Decode(data []byte) (*feed.Message, error) {
	d.message.Clear()
	r := reader{Scanner: feed.Scan(data), decoder: d, m: &d.message}
	r.read()
	r.End()
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &d.message, r.finish()
}

// DecodeSnapshot reads the answer to GET depth, which names no symbol for spot.
func (d *Decoder) DecodeSnapshot(symbol string, data []byte) (*feed.Message, error) {
	d.message.Clear()
	m := &d.message
	n, instrument, err := d.instruments.Find([]byte(symbol))
	if err != nil {
		return nil, err
	}
	m.Kind, m.Instrument = feed.Snapshot, n
	s := feed.Scan(data)
	s.Object(func(key []byte) {
		switch string(key) {
		case "lastUpdateId":
			m.Book.Last = s.Int()
		case "T":
			m.TransactTime = ms(&s, "T")
		case "bids":
			m.Book.Bids = s.Levels(m.Book.Bids, instrument)
		case "asks":
			m.Book.Asks = s.Levels(m.Book.Asks, instrument)
		default:
			s.Skip()
		}
	})
	s.End()
	switch {
	case s.Err() != nil:
		return nil, s.Err()
	case m.Book.Last <= 0:
		return nil, fmt.Errorf("lastUpdateId: must be positive, got %d", m.Book.Last)
	}
	return m, nil
}

// reader is one message while it is read.
type reader struct {
	feed.Scanner
	decoder    *Decoder
	m          *feed.Message
	start      feed.Scanner // at the object that holds the fields
	instrument *engine.Instrument
	unused     bool // the rest of the fields means something else
	eventTime  int64
	first      int64
	hasPrev    bool
	fields     int // of a quote
}

func (r *reader) read() {
	r.start = r.Scanner
	r.Object(func(key []byte) {
		switch {
		case string(key) == "data" && r.Peek() == '{':
			r.start = r.Scanner
			r.Object(r.field)
		default:
			r.field(key)
		}
	})
}

// field reads one field. Binance's keys are one letter, and b and a differ by what they hold.
func (r *reader) field(key []byte) {
	if r.unused || len(key) > 2 {
		r.Skip()
		return
	}
	switch string(key) {
	case "e":
		r.event()
	case "E":
		r.eventTime = ms(&r.Scanner, "E")
	case "T":
		r.m.TransactTime = ms(&r.Scanner, "T")
	case "U":
		r.first = r.Int()
	case "u":
		r.m.Book.Last = r.Int()
	case "pu":
		r.m.Book.Prev, r.hasPrev = r.Int(), true
	case "b", "a":
		r.bookSide(key[0])
	case "B":
		r.m.BidQty = r.qty("bid_qty")
	case "A":
		r.m.AskQty = r.qty("ask_qty")
	case "p":
		r.m.TradePx = r.px("trade_px")
	case "q":
		r.m.TradeQty = r.qty("trade_qty")
	case "t":
		r.m.TradeID = r.Int()
	case "m":
		if r.m.AggressorSide = engine.Buy; r.Bool() { // the buyer was there first
			r.m.AggressorSide = engine.Sell
		}
	case "X":
		// Trades of the insurance fund and of auto-deleveraging are not the market's.
		r.unused = string(r.String()) != "MARKET"
	default:
		r.Skip()
	}
}

func (r *reader) event() {
	switch string(r.String()) {
	case "depthUpdate":
		r.m.Kind = feed.Delta
	case "trade", "aggTrade":
		r.m.Kind = feed.Trade
	case "bookTicker":
		r.m.Kind = feed.Quote
	default:
		r.unused = true
	}
}

// bookSide is an array of levels, the price of a quote, or the number of an aggregate trade.
func (r *reader) bookSide(key byte) {
	switch c := r.Peek(); {
	case c == '[' && r.known() && key == 'b':
		r.m.Book.Bids = r.Levels(r.m.Book.Bids, r.instrument)
	case c == '[' && r.known():
		r.m.Book.Asks = r.Levels(r.m.Book.Asks, r.instrument)
	case c == '"' && key == 'b':
		r.m.BidPx = r.px("bid_px")
		r.fields++
	case c == '"':
		r.m.AskPx = r.px("ask_px")
		r.fields++
	case key == 'a':
		r.m.TradeID = r.Int()
	default:
		r.Skip() // a buyer's order number
	}
}

func (r *reader) px(field string) int64 {
	if !r.known() {
		return 0
	}
	return r.Decimal(field, r.instrument.PriceScale)
}

func (r *reader) qty(field string) int64 {
	if !r.known() {
		return 0
	}
	return r.Decimal(field, r.instrument.QtyScale)
}

// known finds the instrument when its scale is first needed, wherever in the message its symbol is.
func (r *reader) known() bool {
	if r.instrument != nil || r.Err() != nil {
		return r.Err() == nil
	}
	var symbol []byte
	s := r.start
	s.Object(func(key []byte) {
		if string(key) == "s" {
			symbol = s.String()
		} else {
			s.Skip()
		}
	})
	var err error
	if r.m.Instrument, r.instrument, err = r.decoder.instruments.Find(symbol); err != nil {
		r.Fail(err)
	}
	return err == nil
}

// finish completes what only the whole message tells.
func (r *reader) finish() error {
	m := r.m
	if m.Kind == feed.Ignored && r.fields == 2 && !r.unused {
		m.Kind = feed.Quote // spot's has no type
	}
	if r.unused {
		m.Kind = feed.Ignored
	}
	if m.TransactTime == 0 {
		m.TransactTime = r.eventTime
	}
	switch m.Kind {
	case feed.Delta:
		if !r.hasPrev {
			m.Book.Prev = r.first - 1 // spot numbers without holes
		}
		if r.instrument == nil || r.first <= 0 || m.Book.Prev < 0 || r.first > m.Book.Last || m.Book.Prev >= m.Book.Last {
			return fmt.Errorf("u: must be at least U, which is positive, and after pu, got %d, %d and %d", m.Book.Last, r.first, m.Book.Prev)
		}
	case feed.Quote:
		m.UpdateID = m.Book.Last
		if r.fields != 2 || m.BidQty < 0 || m.AskQty < 0 {
			return fmt.Errorf("quote: must have both prices and no negative quantity, got %d and %d", m.BidQty, m.AskQty)
		}
	case feed.Trade:
		if m.TradePx <= 0 || m.TradeQty <= 0 {
			return fmt.Errorf("trade: must have a positive price and quantity, got %d and %d", m.TradePx, m.TradeQty)
		}
	}
	return nil
}

func ms(s *feed.Scanner, field string) int64 {
	value := s.Int()
	if value < 0 || value > math.MaxInt64/nsPerMs {
		s.Fail(fmt.Errorf("%s: must be a time in ms, got %d", field, value))
		return 0
	}
	return value * nsPerMs
}
