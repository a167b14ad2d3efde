// Package coinbase speaks Coinbase Exchange's market data.
package coinbase

import (
	"fmt"
	"time"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/feed"
)

// Decoder turns messages of the WebSocket feed into ours. It belongs to one goroutine.
type Decoder struct {
	instruments *feed.Instruments
	message     feed.Message
}

// NewDecoder knows the instruments by Coinbase's product ids.
func NewDecoder(instruments *feed.Instruments) *Decoder { return &Decoder{instruments: instruments} }

// Decode reads one message. What it returns lasts until the next call.
func (d *Decoder) Decode(data []byte) (*feed.Message, error) {
	d.message.Clear()
	r := reader{Scanner: feed.Scan(data), decoder: d, m: &d.message}
	r.start = r.Scanner
	r.Object(r.field)
	r.End()
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &d.message, r.finish()
}

// reader is one message while it is read.
type reader struct {
	feed.Scanner
	decoder    *Decoder
	m          *feed.Message
	start      feed.Scanner
	instrument *engine.Instrument
	side       engine.Side
	text       string // of an error that the venue sends
	failed     bool
}

func (r *reader) field(key []byte) {
	switch string(key) {
	case "type":
		r.kind()
	case "sequence":
		r.m.UpdateID = r.Int()
	case "trade_id":
		r.m.TradeID = r.Int()
	case "time":
		r.m.TransactTime = r.time()
	case "side":
		r.side = r.readSide()
	case "message":
		r.text = string(r.String())
	case "price", "size", "best_bid", "best_bid_size", "best_ask", "best_ask_size", "bids", "asks", "changes":
		if r.known() {
			r.scaled(key)
		}
	default:
		r.Skip()
	}
}

func (r *reader) scaled(key []byte) {
	m, i := r.m, r.instrument
	switch string(key) {
	case "price":
		m.TradePx = r.Decimal("price", i.PriceScale)
	case "size":
		m.TradeQty = r.Decimal("size", i.QtyScale)
	case "best_bid":
		m.BidPx = r.Decimal("best_bid", i.PriceScale)
	case "best_bid_size":
		m.BidQty = r.Decimal("best_bid_size", i.QtyScale)
	case "best_ask":
		m.AskPx = r.Decimal("best_ask", i.PriceScale)
	case "best_ask_size":
		m.AskQty = r.Decimal("best_ask_size", i.QtyScale)
	case "bids":
		m.Book.Bids = r.Levels(m.Book.Bids, i)
	case "asks":
		m.Book.Asks = r.Levels(m.Book.Asks, i)
	case "changes":
		r.Array(r.change)
	}
}

func (r *reader) kind() {
	switch string(r.String()) {
	case "snapshot":
		r.m.Kind = feed.Snapshot
	case "l2update":
		r.m.Kind = feed.Delta
	case "match", "last_match":
		r.m.Kind = feed.Trade
	case "ticker":
		r.m.Kind = feed.Quote
	case "error":
		r.failed = true
	}
}

// change is side, price and the quantity there from now on.
func (r *reader) change() {
	var side engine.Side
	level, place := book.Level{}, 0
	r.Array(func() {
		switch place {
		case 0:
			side = r.readSide()
		case 1:
			level.Px = r.Decimal("price", r.instrument.PriceScale)
		case 2:
			level.Qty = r.Decimal("size", r.instrument.QtyScale)
		default:
			r.Skip()
		}
		place++
	})
	r.Level(level, place-1)
	if side == engine.Buy {
		r.m.Book.Bids = append(r.m.Book.Bids, level)
	} else {
		r.m.Book.Asks = append(r.m.Book.Asks, level)
	}
}

func (r *reader) readSide() engine.Side {
	switch text := r.String(); string(text) {
	case "buy":
		return engine.Buy
	case "sell":
		return engine.Sell
	default:
		r.Fail(fmt.Errorf("side: must be buy or sell, got %.40q", text))
		return 0
	}
}

func (r *reader) time() int64 {
	text := r.String()
	if r.Err() != nil {
		return 0
	}
	at, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || at.Year() < 1970 || at.Year() > 2200 {
		r.Fail(fmt.Errorf("time: must be a time of RFC 3339 from 1970 to 2200, got %.40q", text))
		return 0
	}
	return at.UnixNano()
}

// known finds the instrument when its scale is first needed, wherever in the message its product is.
func (r *reader) known() bool {
	if r.instrument != nil || r.Err() != nil {
		return r.Err() == nil
	}
	var product []byte
	s := r.start
	s.Object(func(key []byte) {
		if string(key) == "product_id" {
			product = s.String()
		} else {
			s.Skip()
		}
	})
	var err error
	if r.m.Instrument, r.instrument, err = r.decoder.instruments.Find(product); err != nil {
		r.Fail(err)
	}
	return err == nil
}

func (r *reader) finish() error {
	m := r.m
	switch {
	case r.failed:
		return fmt.Errorf("coinbase: says %.200q", r.text)
	case m.Kind == feed.Ignored:
		return nil
	case r.instrument == nil:
		return fmt.Errorf("%w: must name a price or a level", feed.ErrMalformed)
	case m.Kind == feed.Quote:
		// The trade that a ticker tells is a match already.
		m.TradeID, m.TradePx, m.TradeQty = 0, 0, 0
		if m.BidPx <= 0 || m.AskPx <= 0 {
			return fmt.Errorf("ticker: must have positive prices, got %d and %d", m.BidPx, m.AskPx)
		}
	case m.Kind == feed.Trade:
		return r.trade()
	}
	return nil
}

// trade: the side of a match is its maker's.
func (r *reader) trade() error {
	switch r.side {
	case engine.Buy:
		r.m.AggressorSide = engine.Sell
	case engine.Sell:
		r.m.AggressorSide = engine.Buy
	default:
		return fmt.Errorf("side: must be buy or sell, got none in trade %d", r.m.TradeID)
	}
	if r.m.TradePx <= 0 || r.m.TradeQty <= 0 {
		return fmt.Errorf("trade: must have a positive price and size, got %d and %d", r.m.TradePx, r.m.TradeQty)
	}
	return nil
}
