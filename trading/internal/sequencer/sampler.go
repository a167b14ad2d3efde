package sequencer

import (
	"sync"

	"aetherion/trading/internal/market"
)

// Sampler keeps the newest price of each instrument: of a bar its close, of a quote the middle,
// rounded down, or the side that is there, of a trade its price. It may be used from many goroutines.
type Sampler struct {
	mu     sync.RWMutex
	ids    []string // as a row's instrument counts them
	prices map[string]int64
}

// NewSampler samples rows of these instruments, in the order in which rows count them.
func NewSampler(instrumentIDs []string) *Sampler {
	return &Sampler{ids: instrumentIDs, prices: make(map[string]int64, len(instrumentIDs))}
}

// Observe takes the next row.
func (s *Sampler) Observe(row *market.Row) {
	px, has := rowPrice(row)
	if !has {
		return
	}
	s.mu.Lock()
	s.prices[s.ids[row.Instrument]] = px
	s.mu.Unlock()
}

// LastPrice is the newest price of an instrument.
func (s *Sampler) LastPrice(instrumentID string) (px int64, has bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	px, has = s.prices[instrumentID]
	return px, has
}

func rowPrice(row *market.Row) (px int64, has bool) {
	switch row.Kind {
	case market.Bar:
		return row.ClosePx, true
	case market.Trade:
		return row.TradePx, true
	case market.Quote:
		switch {
		case row.HasBid && row.HasAsk:
			// Of two integers with a sum that may not fit: the common bits and half of the others.
			return row.BidPx&row.AskPx + (row.BidPx^row.AskPx)>>1, true
		case row.HasBid:
			return row.BidPx, true
		case row.HasAsk:
			return row.AskPx, true
		}
	}
	return 0, false
}
