package engine

import "math/bits"

// Watch is an order that waits for the market.
type Watch struct {
	OrderID      uint64
	InstrumentID string
	Side         Side
	StopPx       int64 // the trigger price; meant when HasStopPx
	HasStopPx    bool  // false: a trailing stop that has seen no price
	Since        int64 // when it began to wait
	// Of a trailing stop: the terms by which it follows, the tick, and the best price that it saw.
	Trailing  *NewOrder
	Tick      int64
	Watermark int64 // meant when HasStopPx
}

// Watched are the orders that wait for the market, as they came.
func (e *Engine) Watched() []Watch {
	var watched []Watch
	for _, order := range byID(&e.held) {
		if !order.waits {
			watched = append(watched, order.watch())
		}
	}
	return watched
}

// Rewatched are the orders of which what they wait for has changed since it was last asked, and the ids of those
// that wait for the market no more.
func (e *Engine) Rewatched() (changed []Watch, gone []uint64) {
	for _, id := range e.rewatched {
		if order := e.watched(id); order != nil {
			changed = append(changed, order.watch())
		} else {
			gone = append(gone, id)
		}
	}
	e.rewatched = e.rewatched[:0]
	return changed, gone
}

func (e *Engine) rewatch(order *Order) { e.rewatched = append(e.rewatched, order.OrderID) }

func (o *Order) watch() Watch {
	w := Watch{OrderID: o.OrderID, InstrumentID: o.terms.InstrumentID, Side: o.terms.Side, Since: o.armed}
	w.StopPx, w.HasStopPx = o.stopPx()
	if o.terms.OrdType == TrailingStop {
		w.Trailing, w.Tick, w.Watermark = o.terms, o.instrument.PriceIncrement, o.watermark
	}
	return w
}

// Reached says whether a price of the market triggers.
func (w *Watch) Reached(px int64) bool {
	return w.HasStopPx && (w.Side == Sell && px <= w.StopPx || w.Side == Buy && px >= w.StopPx)
}

// Follow moves the trigger of a trailing stop behind a price, and says whether it moved.
func (w *Watch) Follow(px int64) bool {
	if w.Trailing == nil || w.HasStopPx && !better(w.Side, px, w.Watermark) {
		return false
	}
	stopPx, ok := w.Trailing.trailingStopPx(px, w.Tick)
	if !ok || w.HasStopPx && stopPx == w.StopPx {
		return false
	}
	w.Watermark, w.StopPx, w.HasStopPx = px, stopPx, true
	return true
}

// better says whether a price is a better one for the position that a trailing stop of a side protects.
func better(side Side, px, than int64) bool {
	return side == Sell && px > than || side == Buy && px < than
}

// trailingStopPx is the trigger price behind the best price seen, away from the market to the tick; false
// where there is no such price.
func (o *NewOrder) trailingStopPx(best, tick int64) (int64, bool) {
	if o.TrailingBps > 9_999 {
		return 0, false
	}
	offset := uint64(o.TrailingAmount)
	if o.TrailingBps != 0 {
		hi, lo := bits.Mul64(magnitude64(best), uint64(o.TrailingBps))
		quotient, rest := bits.Div64(hi, lo, 10_000) // bps < 10,000, so that it fits
		if offset = quotient; rest > 0 {
			offset++
		}
	}
	if offset > 1<<62 {
		return 0, false
	}
	if o.Side == Sell {
		px := best - int64(offset)
		if px > best {
			return 0, false
		}
		return floorTo(px, tick)
	}
	px := best + int64(offset)
	if px < best {
		return 0, false
	}
	down, ok := floorTo(px, tick)
	if ok && down != px {
		down += tick
		ok = down > px
	}
	return down, ok
}

// floorTo is the largest multiple of a tick that is not above a price.
func floorTo(px, tick int64) (int64, bool) {
	rest := px % tick
	if rest < 0 {
		rest += tick
	}
	return px - rest, px-rest <= px
}

// stopPx is the trigger price as it stands.
func (o *Order) stopPx() (int64, bool) {
	if o.terms.OrdType != TrailingStop {
		return o.terms.StopPx, o.terms.HasStopPx
	}
	if !o.marked || o.instrument == nil {
		return 0, false
	}
	return o.terms.trailingStopPx(o.watermark, o.instrument.PriceIncrement)
}

// watched finds an order that waits for the market. What is told of any other is no news: it was canceled
// or triggered in the meantime.
func (e *Engine) watched(orderID uint64) *Order {
	order := e.held.Get(orderID)
	if order == nil || order.waits {
		return nil
	}
	return order
}

func (e *Engine) applyTriggered(event *Event, t *Triggered, effects *Effects) error {
	order := e.watched(t.OrderID)
	if order == nil {
		return ErrNothingNew
	}
	w := Watch{Side: order.terms.Side}
	if w.StopPx, w.HasStopPx = order.stopPx(); !w.Reached(t.Price) {
		return ErrNothingNew // It was replaced in the meantime.
	}
	if refusal := e.latched(order.terms); refusal != nil {
		e.requestCancel(event, order, refusal.Text, effects)
		return nil
	}
	e.unhold(order)
	order.triggered = true
	effects.report(event, order, ExecutionReport{ExecType: ExecTriggered})
	effects.route(RouteNew, order)
	if order.terms.limited() || order.list != nil {
		effects.tellHold(event, order) // It may trade from now on, with other orders and beside those of its list.
	}
	if l := order.list; l != nil && l.contingencyType == Bracket && order != l.first() {
		e.endEntry(event, l, effects)
	}
	return nil
}

func (e *Engine) applyWatermark(mark *Watermark) error {
	order := e.watched(mark.OrderID)
	if order == nil || order.terms.OrdType != TrailingStop {
		return ErrNothingNew
	}
	w := Watch{Side: order.terms.Side, Trailing: order.terms, Tick: order.instrument.PriceIncrement, Watermark: order.watermark}
	w.StopPx, w.HasStopPx = order.stopPx()
	if !w.Follow(mark.Price) {
		return ErrNothingNew
	}
	order.marked, order.watermark = true, mark.Price
	last := *order.LastReport
	last.StopPx, last.HasStopPx = w.StopPx, true
	order.LastReport = &last
	return nil
}
