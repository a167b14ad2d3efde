package replay

import (
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/router"
)

// reports collects what the venue says at one time.
type reports struct {
	venue  *Venue
	time   int64
	inputs []engine.Input
	err    error
}

func (r *reports) done() ([]engine.Input, error) { return r.inputs, r.err }

func (r *reports) status(o *order, execType engine.ExecType, text string) {
	r.inputs = append(r.inputs, &engine.VenueReport{
		Venue: o.book.venue, OrderID: o.id, VenueOrderID: o.venueOrderID, ExecType: execType, TransactTime: r.time, Text: text,
	})
}

// close ends an order; the book drops it afterwards.
func (r *reports) close(o *order, execType engine.ExecType, text string) {
	o.leaves, o.book.closed = 0, true
	r.status(o, execType, text)
}

func (r *reports) replaced(o *order) {
	r.inputs = append(r.inputs, &engine.VenueReport{
		Venue: o.book.venue, OrderID: o.id, VenueOrderID: o.venueOrderID, ExecType: engine.ExecReplaced, TransactTime: r.time,
		OrderQty: o.terms.OrderQty, Price: o.terms.Price, HasPrice: o.terms.HasPrice,
	})
}

// cancelImmediate ends an order that had its first chance, if its time in force says so.
func (r *reports) cancelImmediate(o *order) {
	if o.leaves > 0 && o.immediate() {
		r.close(o, engine.ExecCanceled, "time_in_force: not filled at the first chance")
	}
}

func (r *reports) fill(o *order, qty, px int64, liquidity engine.LiquidityInd) {
	o.leaves -= qty
	o.book.closed = o.book.closed || o.leaves == 0
	r.venue.executed++
	commission, err := fee(&o.book.instrument, qty, px, liquidity)
	if err != nil {
		r.err = fmt.Errorf("fee of order %d: %w", o.id, err)
		return
	}
	r.inputs = append(r.inputs, &engine.VenueReport{
		Venue: o.book.venue, OrderID: o.id, VenueOrderID: o.venueOrderID, ExecID: r.venue.name(r.venue.executed),
		ExecType: engine.ExecTrade, TransactTime: r.time, LastQty: qty, LastPx: px, LastLiquidityInd: liquidity,
		Commission: engine.Money{Currency: o.book.instrument.QuoteCurrency, Amount: commission},
	})
}

// fee is a ratio of what changed hands, whatever the sign of the price.
func fee(instrument *engine.Instrument, qty, px int64, liquidity engine.LiquidityInd) (engine.Amount, error) {
	notional, err := engine.Notional(instrument, qty, px)
	if err == nil && notional.Sign() < 0 {
		notional, err = notional.Neg()
	}
	if err != nil {
		return engine.Amount{}, err
	}
	ratio := instrument.TakerFeeRatio
	if liquidity == engine.LiquidityAdded {
		ratio = instrument.MakerFeeRatio
	}
	return engine.Fee(notional, ratio)
}

func (r *reports) cancelRejected(cancel router.Cancel, venue string) {
	r.inputs = append(r.inputs, &engine.VenueReport{
		Venue: venue, OrderID: cancel.OrderID, VenueOrderID: cancel.VenueOrderID, ExecType: engine.ExecCancelRejected,
		TransactTime: r.time, CxlRejReason: engine.CxlTooLate, Text: "order_id: the order is closed",
	})
}
