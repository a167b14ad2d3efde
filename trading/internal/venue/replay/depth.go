package replay

import (
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/queue"
)

// setLevel changes the depth, unless there are orders, which say more.
func (b *book) setLevel(row *market.Row, config Config, reports *reports) {
	if b.recorded == nil {
		b.begin(queue.NewDepth(b.rules(config)))
	}
	depth, levels := b.recorded.(*queue.Depth)
	if !levels {
		return
	}
	if row.BookFlags&market.BookClear != 0 {
		depth.Clear()
	}
	b.changed(row, depth.Level(engine.Side(row.BookSide), row.BookPx, row.BookQty), reports)
}

// tradeDepth fills resting orders beside a recorded trade. Of one whose taker is not known, either side's
// orders at its price or better would have been met. Recorded orders say themselves what they traded.
func (b *book) tradeDepth(row *market.Row, reports *reports) {
	depth, levels := b.recorded.(*queue.Depth)
	if !levels {
		return
	}
	for _, aggressor := range []engine.Side{engine.Buy, engine.Sell} {
		if row.AggressorSide == 0 || engine.Side(row.AggressorSide) == aggressor {
			b.fill(depth.Trade(aggressor, row.TradePx, row.TradeQty), reports)
		}
	}
}
