package replay

import (
	"slices"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/queue"
)

// setLevel changes the depth. Orders that wait for it get their chance when it is whole.
func (b *book) setLevel(row *market.Row, config Config, reports *reports) {
	if b.depth == nil {
		for _, o := range b.orders {
			o.rested = false // by a quote, which counts no more
		}
		b.depth = queue.NewDepth(queue.Rules{Model: config.Queue.Model(b.instrument.QtyScale), Lot: b.instrument.QtyIncrement, TakeBps: config.MaxVolumeShareBps})
	}
	if row.BookFlags&market.BookClear != 0 {
		b.depth.Clear()
	}
	b.fill(b.depth.Level(engine.Side(row.BookSide), row.BookPx, row.BookQty), reports)
	b.whole = row.BookFlags&market.BookLastOfEvent != 0
	b.matchDepth(reports)
}

// matchDepth lets orders that do not rest take from the depth, and limit orders join their queue.
func (b *book) matchDepth(reports *reports) {
	if !b.whole {
		return
	}
	for _, o := range b.orders {
		if !o.rested && o.leaves > 0 {
			b.enter(o, reports)
		}
	}
}

func (b *book) enter(o *order, reports *reports) {
	entering := queue.Order{ID: o.id, Side: o.terms.Side, Px: o.terms.Price, Qty: o.leaves}
	if o.terms.OrdType == engine.Market {
		entering.Px = queue.AnyPx(o.terms.Side)
	}
	var fills []queue.Fill
	switch {
	case o.terms.TimeInForce == engine.FOK && !b.depth.CanTake(entering):
	case o.immediate() || o.terms.OrdType == engine.Market:
		fills, _ = b.depth.Take(entering)
	default:
		fills, o.rested = b.depth.Submit(entering), true
	}
	b.fill(fills, reports)
	reports.cancelImmediate(o)
}

// tradeDepth fills resting orders beside a recorded trade. Of one whose taker is not known, either side's
// orders at its price or better would have been met.
func (b *book) tradeDepth(row *market.Row, reports *reports) {
	for _, aggressor := range []engine.Side{engine.Buy, engine.Sell} {
		if row.AggressorSide == 0 || engine.Side(row.AggressorSide) == aggressor {
			b.fill(b.depth.Trade(aggressor, row.TradePx, row.TradeQty), reports)
		}
	}
}

func (b *book) fill(fills []queue.Fill, reports *reports) {
	for _, f := range fills {
		liquidity := engine.LiquidityRemoved
		if f.Maker {
			liquidity = engine.LiquidityAdded
		}
		i := slices.IndexFunc(b.orders, func(o *order) bool { return o.id == f.OrderID })
		reports.fill(b.orders[i], f.Qty, f.Px, liquidity)
	}
}

// depthQuiet is Quiet where there is depth, or the row begins it.
func (b *book) depthQuiet(row *market.Row) bool {
	return !slices.ContainsFunc(b.orders, func(o *order) bool {
		switch row.Kind {
		case market.BookLevel:
			if !o.rested || b.depth == nil {
				return row.BookFlags&market.BookLastOfEvent != 0
			}
			return engine.Side(row.BookSide) != o.terms.Side && o.atOrBetter(row.BookPx)
		case market.Trade:
			return o.rested && o.atOrBetter(row.TradePx)
		}
		return false
	})
}
