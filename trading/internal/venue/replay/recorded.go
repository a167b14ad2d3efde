package replay

import (
	"slices"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/queue"
)

// recorded is a book that was recorded, in which our orders queue: queue.Depth or queue.Orders.
type recorded interface {
	Submit(queue.Order) []queue.Fill
	Take(queue.Order) (fills []queue.Fill, leaves int64)
	CanTake(queue.Order) bool
	CancelOurs(orderID uint64) bool
	Best(side engine.Side) (px int64, any bool)
}

// begin starts a recorded book. Orders that rested elsewhere enter it anew.
func (b *book) begin(recorded recorded) {
	for _, o := range b.orders {
		o.rested = false
	}
	b.recorded = recorded
}

func (b *book) rules(config Config) queue.Rules {
	return queue.Rules{
		Model: config.Queue.Model(b.instrument.QtyScale), Lot: b.instrument.QtyIncrement, TakeBps: config.MaxVolumeShareBps,
	}
}

// changed fills what a row of the recorded book filled. Orders that wait for it get their chance when it
// is whole.
func (b *book) changed(row *market.Row, fills []queue.Fill, reports *reports) {
	b.fill(fills, reports)
	b.whole = row.BookFlags&market.BookLastOfEvent != 0
	b.enterAll(reports)
}

// enterAll lets orders that do not rest take from the recorded book, and limit orders join their queue.
func (b *book) enterAll(reports *reports) {
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
	case o.postOnly() && b.crossesRecorded(&o.terms):
		reports.close(o, engine.ExecRejected, takes)
		return
	case o.terms.TimeInForce == engine.FOK && !b.recorded.CanTake(entering):
	case o.immediate() || o.terms.OrdType == engine.Market:
		fills, _ = b.recorded.Take(entering)
	default:
		fills, o.rested = b.recorded.Submit(entering), true
	}
	b.fill(fills, reports)
	reports.cancelImmediate(o)
}

// crossesRecorded says whether a limit order would take from the recorded book.
func (b *book) crossesRecorded(terms *engine.NewOrder) bool {
	px, any := b.recorded.Best(engine.Buy + engine.Sell - terms.Side)
	return any && (&order{terms: *terms}).atOrBetter(px)
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

// recordedQuiet is Quiet where there is a recorded book, or the row begins it.
func (b *book) recordedQuiet(row *market.Row) bool {
	return !slices.ContainsFunc(b.orders, func(o *order) bool {
		orders, byOrder := b.recorded.(*queue.Orders)
		switch {
		case row.Kind == market.BookLevel && byOrder:
			return false
		case row.Kind == market.BookLevel && (!o.rested || b.recorded == nil), row.Kind == market.BookOrder && (!o.rested || !byOrder):
			return row.BookFlags&market.BookLastOfEvent != 0
		case row.Kind == market.BookLevel:
			return engine.Side(row.BookSide) != o.terms.Side && o.atOrBetter(row.BookPx)
		case row.Kind == market.BookOrder:
			return orderMayFill(orders, row, o)
		}
		return row.Kind == market.Trade && !byOrder && o.rested && o.atOrBetter(row.TradePx)
	})
}
