package sequencer

import (
	"sync"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// Sampler keeps the newest price of each instrument: of a bar its close, of a quote the middle,
// rounded down, or the side that is there, of a trade its price. It may be used from many goroutines.
//
// It also watches the market for the orders that wait for it, and tells of each trigger once and of each move of
// a trailing stop. Of an instrument's rows the finest count: trades, also those of recorded orders; until there is
// one, quotes, of which a sell meets the bid and a buy the ask; until there is one, bars. A bar triggers when its range reaches the trigger as
// it stood at its open; only then does a trailing stop follow its range, since which of the two came first is not
// known. What a bar triggers is told at its end, and so trades in no bar before the next.
type Sampler struct {
	mu      sync.RWMutex
	ids     []string // as a row's instrument counts them
	prices  map[string]int64
	waiting waiting
}

// NewSampler samples rows of these instruments, in the order in which rows count them.
func NewSampler(instrumentIDs []string) *Sampler {
	return &Sampler{ids: instrumentIDs, prices: make(map[string]int64, len(instrumentIDs)), waiting: newWaiting()}
}

// Observe takes the next row, and gives what the engine is to hear of it.
func (s *Sampler) Observe(row *market.Row) []engine.Input {
	px, has := rowPrice(row)
	if !has && fineness(row) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.ids[row.Instrument]
	if has {
		s.prices[id] = px
	}
	return s.waiting.observe(id, row)
}

// Watch says of orders what they wait for from now on, and which wait no more.
func (s *Sampler) Watch(changed []engine.Watch, gone []uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range changed {
		s.waiting.set(changed[i])
	}
	for _, id := range gone {
		s.waiting.drop(id)
	}
}

// LastPrice is the newest price of an instrument.
func (s *Sampler) LastPrice(instrumentID string) (px int64, has bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	px, has = s.prices[instrumentID]
	return px, has
}

// Foresight tells of rows to come whether they trigger something. It changes nothing.
type Foresight struct {
	ids     []string
	waiting waiting
}

// Foresee looks ahead from the last row that was observed; nil while nothing waits for the market.
func (s *Sampler) Foresee() *Foresight {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.waiting.of) == 0 {
		return nil
	}
	return &Foresight{ids: s.ids, waiting: s.waiting.clone()}
}

// Triggers takes the next row, and says whether it triggers an order.
func (f *Foresight) Triggers(row *market.Row) bool {
	if f == nil {
		return false
	}
	for _, input := range f.waiting.observe(f.ids[row.Instrument], row) {
		if _, triggered := input.(*engine.Triggered); triggered {
			return true
		}
	}
	return false
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
