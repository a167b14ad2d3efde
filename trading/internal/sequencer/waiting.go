package sequencer

import (
	"maps"
	"slices"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// waiting are the orders that wait for the market, by instrument.
type waiting struct {
	orders map[string][]watch
	of     map[uint64]string // the instrument of an order
	finest map[string]int    // of the rows of an instrument that were seen
}

type watch struct {
	engine.Watch
	told bool // that it was triggered
}

func newWaiting() waiting {
	return waiting{orders: map[string][]watch{}, of: map[uint64]string{}, finest: map[string]int{}}
}

// clone is a copy to observe with: its orders stay the same.
func (w *waiting) clone() waiting {
	c := waiting{orders: make(map[string][]watch, len(w.orders)), finest: maps.Clone(w.finest)}
	for id, orders := range w.orders {
		c.orders[id] = slices.Clone(orders)
	}
	return c
}

// set takes over what the engine says of an order. It may not have heard yet what was told it last: a trigger is
// not told again while it stands where it stood, and the better watermark stays.
func (w *waiting) set(o engine.Watch) {
	next := watch{Watch: o}
	if at := w.find(o.OrderID); at >= 0 {
		was := &w.orders[o.InstrumentID][at]
		if was.Trailing != nil && was.HasStopPx {
			next.Follow(was.Watermark)
		}
		next.told = was.told && was.StopPx == next.StopPx
		*was = next
		return
	}
	w.of[o.OrderID] = o.InstrumentID
	w.orders[o.InstrumentID] = append(w.orders[o.InstrumentID], next)
}

func (w *waiting) drop(orderID uint64) {
	at := w.find(orderID)
	if at < 0 {
		return
	}
	id := w.of[orderID]
	delete(w.of, orderID)
	w.orders[id] = slices.Delete(w.orders[id], at, at+1)
}

// find is the place of an order among those of its instrument, -1 when it does not wait.
func (w *waiting) find(orderID uint64) int {
	id, waits := w.of[orderID]
	if !waits {
		return -1
	}
	return slices.IndexFunc(w.orders[id], func(o watch) bool { return o.OrderID == orderID })
}

// fineness ranks what tells of a price: the finest that an instrument has decides. 0: the row tells of none.
func fineness(row *market.Row) int {
	switch {
	case row.Kind == market.Trade, row.Kind == market.BookOrder && row.BookFlags&market.BookTraded != 0:
		return 3
	case row.Kind == market.Quote && (row.HasBid || row.HasAsk):
		return 2
	case row.Kind == market.Bar:
		return 1
	}
	return 0
}

// observe gives what the engine is to hear of a row.
func (w *waiting) observe(instrumentID string, row *market.Row) []engine.Input {
	rank := fineness(row)
	if rank == 0 || rank < w.finest[instrumentID] {
		return nil
	}
	w.finest[instrumentID] = rank
	var inputs []engine.Input
	orders := w.orders[instrumentID]
	for i := range orders {
		o := &orders[i]
		worst, best, there := seenBy(row, o.Side)
		// Of a bar that had begun it is not known what came after the order.
		if !there || o.told || row.Kind == market.Bar && row.OpenTime < o.Since {
			continue
		}
		if o.Reached(worst) {
			o.told = true
			inputs = append(inputs, &engine.Triggered{OrderID: o.OrderID, MDSequence: uint64(row.MdSequence), Price: o.reachedAt(row, worst)})
			continue
		}
		if o.Follow(best) {
			inputs = append(inputs, &engine.Watermark{OrderID: o.OrderID, Price: best})
		}
	}
	return inputs
}

// seenBy is the worst and the best price of a row for the position that an order of a side protects.
func seenBy(row *market.Row, side engine.Side) (worst, best int64, there bool) {
	sells := side == engine.Sell
	switch {
	case row.Kind == market.Trade:
		return row.TradePx, row.TradePx, true
	case row.Kind == market.BookOrder:
		return row.BookPx, row.BookPx, true
	case row.Kind == market.Quote && sells:
		return row.BidPx, row.BidPx, row.HasBid
	case row.Kind == market.Quote:
		return row.AskPx, row.AskPx, row.HasAsk
	case sells:
		return row.LowPx, row.HighPx, true
	}
	return row.HighPx, row.LowPx, true
}

// reachedAt is the price at which a row reached the trigger: within a bar the trigger, unless it opened beyond.
func (w *watch) reachedAt(row *market.Row, worst int64) int64 {
	switch {
	case row.Kind != market.Bar:
		return worst
	case w.Side == engine.Sell:
		return min(w.StopPx, row.OpenPx)
	}
	return max(w.StopPx, row.OpenPx)
}
