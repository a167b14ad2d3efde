package feed

import (
	"fmt"
	"strings"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// Kind says what a Message is.
type Kind uint8

// The kinds of messages.
const (
	// Ignored is a message that we know and do not use: candles, answers to a subscription.
	Ignored Kind = iota
	// Snapshot is a whole book.
	Snapshot
	// Delta is what changed of a book.
	Delta
	// Quote is the venue's best bid and ask.
	Quote
	// Trade is one trade, or several of one order at one price.
	Trade
)

// Message is what one message of a venue says. The decoder that gave it writes over it with the next.
type Message struct {
	Kind         Kind
	Instrument   uint32
	TransactTime int64 // ns UTC; 0 where the venue does not say
	Book         book.Event
	// UpdateID is the venue's number of the book that a quote is of; 0: not numbered.
	UpdateID                     int64
	BidPx, BidQty, AskPx, AskQty int64
	TradeID, TradePx, TradeQty   int64
	AggressorSide                engine.Side
}

// Clear makes the message empty and keeps its memory.
func (m *Message) Clear() {
	bids, asks := m.Book.Bids[:0], m.Book.Asks[:0]
	*m = Message{}
	m.Book.Bids, m.Book.Asks = bids, asks
}

// Rows appends the message as the contract's rows. What has no time of its own has that of its receipt.
func (m *Message) Rows(to []market.Row, receiveTime int64) []market.Row {
	base := market.Row{Instrument: m.Instrument, TransactTime: m.TransactTime, ReceiveTime: receiveTime}
	if base.TransactTime == 0 {
		base.TransactTime = receiveTime
	}
	switch m.Kind {
	case Quote:
		base.Kind = market.Quote
		base.BidPx, base.BidQty, base.HasBid = m.BidPx, m.BidQty, m.BidPx > 0
		base.AskPx, base.AskQty, base.HasAsk = m.AskPx, m.AskQty, m.AskPx > 0
		return append(to, base)
	case Trade:
		base.Kind = market.Trade
		base.TradePx, base.TradeQty, base.AggressorSide = m.TradePx, m.TradeQty, uint8(m.AggressorSide)
		return append(to, base)
	case Snapshot, Delta:
		return m.levels(to, base)
	default:
		return to
	}
}

func (m *Message) levels(to []market.Row, base market.Row) []market.Row {
	first := len(to)
	base.Kind = market.BookLevel
	if m.Kind == Snapshot {
		base.BookFlags = market.BookSnapshot
	}
	to = appendLevels(to, base, engine.Buy, m.Book.Bids)
	to = appendLevels(to, base, engine.Sell, m.Book.Asks)
	if len(to) == first {
		return to
	}
	if m.Kind == Snapshot {
		to[first].BookFlags |= market.BookClear
	}
	to[len(to)-1].BookFlags |= market.BookLastOfEvent
	return to
}

func appendLevels(to []market.Row, base market.Row, side engine.Side, levels []book.Level) []market.Row {
	base.BookSide = uint8(side)
	for _, level := range levels {
		base.BookPx, base.BookQty = level.Px, level.Qty
		to = append(to, base)
	}
	return to
}

// Instruments finds an instrument by the venue's name of it.
type Instruments struct {
	Definitions []engine.Instrument
	bySymbol    map[string]uint32
}

// NewInstruments names the definitions by the symbol before the venue in their id.
func NewInstruments(definitions []engine.Instrument) *Instruments {
	bySymbol := make(map[string]uint32, len(definitions))
	for n := range definitions {
		bySymbol[symbolOf(&definitions[n])] = uint32(n)
	}
	return &Instruments{Definitions: definitions, bySymbol: bySymbol}
}

// Symbol is the venue's name of an instrument.
func (i *Instruments) Symbol(instrument uint32) string { return symbolOf(&i.Definitions[instrument]) }

func symbolOf(d *engine.Instrument) string { return strings.TrimSuffix(d.InstrumentID, "."+d.Venue()) }

// Find gives the index and the definition of a symbol.
func (i *Instruments) Find(symbol []byte) (uint32, *engine.Instrument, error) {
	n, known := i.bySymbol[string(symbol)]
	if !known {
		return 0, nil, fmt.Errorf("symbol: must be one that is listed, got %.40q", symbol)
	}
	return n, &i.Definitions[n], nil
}

// Levels reads an array of price and quantity, strings both.
func (s *Scanner) Levels(to []book.Level, instrument *engine.Instrument) []book.Level {
	s.Array(func() {
		level, place := book.Level{}, 0
		s.Array(func() {
			switch place {
			case 0:
				level.Px = s.Decimal("price", instrument.PriceScale)
			case 1:
				level.Qty = s.Decimal("qty", instrument.QtyScale)
			default:
				s.Skip()
			}
			place++
		})
		s.Level(level, place)
		to = append(to, level)
	})
	return to
}

// Level makes a level that cannot be an error.
func (s *Scanner) Level(level book.Level, places int) {
	switch {
	case s.err != nil:
	case places < 2:
		s.malformed("a level of price and quantity")
	case level.Qty < 0:
		s.Fail(fmt.Errorf("qty: must not be negative, got %d", level.Qty))
	case level.Px <= 0:
		s.Fail(fmt.Errorf("price: must be positive, got %d", level.Px))
	}
}
