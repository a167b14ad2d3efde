package replay

import (
	"math/bits"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// share is a part of a quantity in basis points, rounded down to the lot.
func share(qty int64, bps uint32, lot int64) int64 {
	if qty <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(qty), uint64(bps))
	part, _ := bits.Div64(hi, lo, 10_000) // bps <= 10,000, so that the quotient fits
	return int64(part) / lot * lot
}

func (b *book) setQuote(row *market.Row, bps uint32) {
	b.hasQuotes = true
	b.bid = side{row.BidPx, share(row.BidQty, bps, b.instrument.QtyIncrement), row.HasBid}
	b.ask = side{row.AskPx, share(row.AskQty, bps, b.instrument.QtyIncrement), row.HasAsk}
}

// opposite is the side that an order takes from.
func (b *book) opposite(o *order) *side {
	if o.terms.Side == engine.Buy {
		return &b.ask
	}
	return &b.bid
}

// crossed says whether an order can trade with the side.
func (s *side) crossed(o *order) bool {
	return s.there && (o.terms.OrdType == engine.Market || o.atOrBetter(s.px))
}

// fills is how much of an order the side fills.
func (s *side) fills(o *order) int64 {
	if !s.crossed(o) {
		return 0
	}
	return o.takes(s.available)
}

// matchQuote fills orders from the quote in force. What they take is not there again until the next.
func (b *book) matchQuote(orders []*order, reports *reports) {
	for _, o := range orders {
		s := b.opposite(o)
		if qty := s.fills(o); qty > 0 {
			s.available -= qty
			if o.rested {
				reports.fill(o, qty, o.terms.Price, engine.LiquidityAdded)
			} else {
				reports.fill(o, qty, s.px, engine.LiquidityRemoved)
			}
		}
		o.rested = o.rested || !s.crossed(o) && o.terms.OrdType == engine.Limit
		reports.cancelImmediate(o)
	}
}

// matchTrade fills orders beside a recorded trade, of its size times our share.
func (b *book) matchTrade(row *market.Row, available int64, reports *reports) {
	for _, o := range b.orders {
		if b.tradeFills(row, o) {
			if qty := o.takes(available); qty > 0 {
				available -= qty
				if o.terms.OrdType == engine.Market {
					reports.fill(o, qty, row.TradePx, engine.LiquidityRemoved)
				} else {
					reports.fill(o, qty, o.terms.Price, engine.LiquidityAdded)
				}
			}
		}
		reports.cancelImmediate(o)
	}
}

// tradeFills says whether a trade can fill an order: a market order where there are no quotes, and a
// limit order that the trade went through, since one at its price may have been another's turn.
func (b *book) tradeFills(row *market.Row, o *order) bool {
	if o.terms.OrdType == engine.Market {
		return !b.hasQuotes
	}
	return o.better(row.TradePx)
}

// matchBar fills orders within a bar, of its volume times our share.
func (b *book) matchBar(row *market.Row, available int64, reports *reports) {
	if b.hasQuotes || b.hasTrades {
		return
	}
	for _, o := range b.orders {
		if !o.precedes(row) {
			continue
		}
		if px, liquidity, fills := o.barFills(row); fills {
			if qty := o.takes(available); qty > 0 {
				available -= qty
				reports.fill(o, qty, px, liquidity)
			}
		}
		reports.cancelImmediate(o)
	}
}

// precedes says whether an order was there when a bar opened.
func (o *order) precedes(row *market.Row) bool { return o.arrival <= row.OpenTime }

// barFills says whether and where a bar fills an order that arrived in time: at the open when that is at its price or
// better, else at its price when the bar went through it.
func (o *order) barFills(row *market.Row) (px int64, liquidity engine.LiquidityInd, fills bool) {
	switch {
	case o.postOnly() && o.atOrBetter(row.OpenPx): // It was there first.
		return o.terms.Price, engine.LiquidityAdded, true
	case o.terms.OrdType == engine.Market || o.atOrBetter(row.OpenPx):
		return row.OpenPx, engine.LiquidityRemoved, true
	case o.terms.Side == engine.Buy && o.better(row.LowPx), o.terms.Side == engine.Sell && o.better(row.HighPx):
		return o.terms.Price, engine.LiquidityAdded, true
	}
	return 0, 0, false
}

func (o *order) postOnly() bool { return o.terms.ExecInsts&engine.PostOnly != 0 }

// wouldTake says whether a post-only order would take liquidity that is known of: from the quote in force, or from
// a recorded book that is whole. Of bars and trades nothing is known before them: it rests, and adds liquidity.
func (b *book) wouldTake(terms *engine.NewOrder) bool {
	if terms.ExecInsts&engine.PostOnly == 0 {
		return false
	}
	if b.recorded != nil {
		return b.whole && b.crossesRecorded(terms)
	}
	o := &order{terms: *terms}
	return b.hasQuotes && b.opposite(o).crossed(o)
}

// takes is why a post-only order is refused.
const takes = "exec_insts: POST_ONLY would take liquidity"

// atOrBetter says whether a price is the order's limit or better for it.
func (o *order) atOrBetter(px int64) bool { return px == o.terms.Price || o.better(px) }

func (o *order) better(px int64) bool {
	if o.terms.Side == engine.Buy {
		return px < o.terms.Price
	}
	return px > o.terms.Price
}

// takes is how much an order takes of what is available: FOK all or nothing.
func (o *order) takes(available int64) int64 {
	if o.terms.TimeInForce == engine.FOK && available < o.leaves {
		return 0
	}
	return min(o.leaves, available)
}

// immediate says that what the first chance does not fill is canceled.
func (o *order) immediate() bool {
	return o.terms.TimeInForce == engine.IOC || o.terms.TimeInForce == engine.FOK
}
