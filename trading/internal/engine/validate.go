package engine

import "fmt"

// Refusal is why the engine does not take an order.
type Refusal struct {
	OrdRejReason OrdRejReason
	Text         string // field, value and rule
}

// Validate holds an order against the definitions; nil is valid. Duplicates are the sequencer's.
func (e *Engine) Validate(order *NewOrder) *Refusal { return e.ValidateAt(order, e.now) }

// ValidateAt is Validate at a time to come.
func (e *Engine) ValidateAt(order *NewOrder, now int64) *Refusal {
	return e.validate(order, now, false)
}

// validate says of an order that waits for another one not whether it reduces the position: that is not
// the one that it will meet.
func (e *Engine) validate(order *NewOrder, now int64, waits bool) *Refusal {
	if refusal := validateFields(order, now); refusal != nil {
		return refusal
	}
	if refusal := e.latched(order); refusal != nil {
		return refusal
	}
	account := e.accounts[order.Account]
	if account == nil || !account.opened {
		return refuse(RejUnknownAccount, "account: unknown account %q", order.Account)
	}
	instrument, known := e.instruments[order.InstrumentID]
	if !known {
		return refuse(RejUnknownInstrument, "instrument_id: unknown instrument %q", order.InstrumentID)
	}
	if refusal := instrument.validateQty(order.OrderQty); refusal != nil {
		return refusal
	}
	if refusal := instrument.validateDisplayQty(order); refusal != nil {
		return refusal
	}
	if refusal := instrument.validatePrices(order); refusal != nil {
		return refusal
	}
	if order.ExecInsts&ReduceOnly != 0 && !waits {
		if left := account.leftToReduce(instrument, order.Side, order.hasTrigger(), nil); order.OrderQty > left {
			return refuse(RejReduceOnly, "order_qty: a REDUCE_ONLY order may have at most the %d of the position that no other one works on, got %d", left, order.OrderQty)
		}
	}
	return nil
}

func validateFields(order *NewOrder, now int64) *Refusal {
	switch {
	case !ValidClOrdID(order.ClOrdID):
		return refuse(RejInvalidField, "cl_ord_id: must be 1 to 64 printable ASCII characters, got %.70q", order.ClOrdID)
	case order.Side != Buy && order.Side != Sell:
		return refuse(RejInvalidField, "side: must be BUY or SELL, got %d", order.Side)
	case order.OrdType < Market || order.OrdType > TrailingStop:
		return refuse(RejInvalidField, "ord_type: unknown value %d", order.OrdType)
	case order.TimeInForce < Day || order.TimeInForce > GTD:
		return refuse(RejInvalidField, "time_in_force: unknown value %d", order.TimeInForce)
	case order.STP > STPDecrement:
		return refuse(RejInvalidField, "self_trade_prevention: unknown value %d", order.STP)
	case order.ExecInsts&^(PostOnly|ReduceOnly|CancelOnDisconnect) != 0:
		return refuse(RejInvalidField, "exec_insts: unknown value in set %#b", order.ExecInsts)
	case order.TimeInForce != GTD && order.ExpireTime != 0:
		return refuse(RejInvalidField, "expire_time_ns: must be 0 unless time_in_force is GTD, got %d", order.ExpireTime)
	case order.TimeInForce == GTD && order.ExpireTime <= now:
		return refuse(RejInvalidField, "expire_time_ns: must be after now, %d, got %d", now, order.ExpireTime)
	case order.ExecInsts&PostOnly != 0 && (!order.limited() || order.immediate()):
		return refuse(RejInvalidField, "exec_insts: POST_ONLY is for limit orders that may rest, got ord_type %d and time_in_force %d", order.OrdType, order.TimeInForce)
	}
	return nil
}

func (o *NewOrder) limited() bool   { return o.OrdType == Limit || o.OrdType == StopLimit }
func (o *NewOrder) stopped() bool   { return o.OrdType == Stop || o.OrdType == StopLimit }
func (o *NewOrder) immediate() bool { return o.TimeInForce == IOC || o.TimeInForce == FOK }

func (i *instrument) validateDisplayQty(order *NewOrder) *Refusal {
	switch qty := order.DisplayQty; {
	case qty == 0:
	case !order.limited() || order.immediate():
		return refuse(RejInvalidField, "display_qty: is for limit orders that may rest, got %d", qty)
	case qty < 0 || qty > order.OrderQty || qty%i.QtyIncrement != 0:
		return refuse(RejInvalidQty, "display_qty: must be a multiple of %s, at most order_qty, got %s", i.qty(i.QtyIncrement), i.qty(qty))
	}
	return nil
}

func (i *instrument) validateQty(qty int64) *Refusal {
	switch {
	case qty <= 0:
		return refuse(RejInvalidQty, "order_qty: must be positive, got %d", qty)
	case qty%i.QtyIncrement != 0:
		return refuse(RejInvalidQty, "order_qty: must be a multiple of %s, got %s", i.qty(i.QtyIncrement), i.qty(qty))
	case qty < i.MinQty:
		return refuse(RejInvalidQty, "order_qty: must be at least %s, got %s", i.qty(i.MinQty), i.qty(qty))
	case i.MaxQty != 0 && qty > i.MaxQty:
		return refuse(RejInvalidQty, "order_qty: must be at most %s, got %s", i.qty(i.MaxQty), i.qty(qty))
	}
	return nil
}

func (i *instrument) validatePrices(order *NewOrder) *Refusal {
	trails := order.OrdType == TrailingStop
	switch {
	case order.HasPrice != order.limited():
		return misplaced("price", "a limit or stop-limit order", order.HasPrice, order.Price)
	case order.HasStopPx != order.stopped():
		return misplaced("stop_px", "a stop or stop-limit order", order.HasStopPx, order.StopPx)
	case !trails && (order.TrailingAmount != 0 || order.TrailingBps != 0):
		return refuse(RejInvalidPrice, "trailing_amount, trailing_bps: are for a trailing stop, got %d and %d", order.TrailingAmount, order.TrailingBps)
	case trails && (order.TrailingAmount == 0) == (order.TrailingBps == 0):
		return refuse(RejInvalidPrice, "trailing_amount, trailing_bps: one of them must be set, got %d and %d", order.TrailingAmount, order.TrailingBps)
	case order.TrailingAmount < 0 || order.TrailingAmount%i.PriceIncrement != 0:
		return refuse(RejInvalidPrice, "trailing_amount: must be a positive multiple of %s, got %s", i.price(i.PriceIncrement), i.price(order.TrailingAmount))
	case order.TrailingBps > 9_999:
		return refuse(RejInvalidPrice, "trailing_bps: must be 1 to 9,999, got %d", order.TrailingBps)
	}
	if order.HasPrice {
		if refusal := i.validatePrice("price", order.Price); refusal != nil {
			return refusal
		}
	}
	if order.HasStopPx {
		return i.validatePrice("stop_px", order.StopPx)
	}
	return nil
}

func misplaced(field, owner string, has bool, px int64) *Refusal {
	if has {
		return refuse(RejInvalidPrice, "%s: only %s has one, got %d", field, owner, px)
	}
	return refuse(RejInvalidPrice, "%s: %s must have one", field, owner)
}

func (i *instrument) validatePrice(field string, px int64) *Refusal {
	if px%i.PriceIncrement != 0 {
		return refuse(RejInvalidPrice, "%s: must be a multiple of %s, got %s", field, i.price(i.PriceIncrement), i.price(px))
	}
	if err := i.checkPrice(field, px); err != nil {
		return &Refusal{RejInvalidPrice, err.Error()}
	}
	return nil
}

func refuse(reason OrdRejReason, format string, args ...any) *Refusal {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}
