package engine

import "fmt"

// Refusal is why the engine does not take an order.
type Refusal struct {
	OrdRejReason OrdRejReason
	Text         string // field, value and rule
}

// Validate holds an order against the definitions; nil is valid. Duplicates are the sequencer's.
func (e *Engine) Validate(order *NewOrder) *Refusal {
	if refusal := validateFields(order); refusal != nil {
		return refusal
	}
	if account := e.accounts[order.Account]; account == nil || !account.opened {
		return refuse(RejUnknownAccount, "account: unknown account %q", order.Account)
	}
	instrument, known := e.instruments[order.InstrumentID]
	if !known {
		return refuse(RejUnknownInstrument, "instrument_id: unknown instrument %q", order.InstrumentID)
	}
	if refusal := instrument.validateQty(order.OrderQty); refusal != nil {
		return refusal
	}
	return instrument.validatePrice(order)
}

func validateFields(order *NewOrder) *Refusal {
	switch {
	case !ValidClOrdID(order.ClOrdID):
		return refuse(RejInvalidField, "cl_ord_id: must be 1 to 64 printable ASCII characters, got %.70q", order.ClOrdID)
	case order.Side != Buy && order.Side != Sell:
		return refuse(RejInvalidField, "side: must be BUY or SELL, got %d", order.Side)
	case order.OrdType != Market && order.OrdType != Limit:
		return refuse(RejInvalidField, "ord_type: must be MARKET or LIMIT, got %d", order.OrdType)
	case order.TimeInForce < Day || order.TimeInForce > FOK:
		return refuse(RejInvalidField, "time_in_force: must be DAY, GTC, IOC or FOK, got %d", order.TimeInForce)
	}
	return nil
}

func (i *instrument) validateQty(qty int64) *Refusal {
	switch {
	case qty <= 0:
		return refuse(RejInvalidQty, "order_qty: must be positive, got %d", qty)
	case qty%i.QtyIncrement != 0:
		return refuse(RejInvalidQty, "order_qty: must be a multiple of %d, got %d", i.QtyIncrement, qty)
	case qty < i.MinQty:
		return refuse(RejInvalidQty, "order_qty: must be at least %d, got %d", i.MinQty, qty)
	case i.MaxQty != 0 && qty > i.MaxQty:
		return refuse(RejInvalidQty, "order_qty: must be at most %d, got %d", i.MaxQty, qty)
	}
	return nil
}

func (i *instrument) validatePrice(order *NewOrder) *Refusal {
	switch {
	case order.OrdType == Market && order.HasPrice:
		return refuse(RejInvalidPrice, "price: a market order has none, got %d", order.Price)
	case order.OrdType == Market:
		return nil
	case !order.HasPrice:
		return refuse(RejInvalidPrice, "price: a limit order must have one")
	case order.Price%i.PriceIncrement != 0:
		return refuse(RejInvalidPrice, "price: must be a multiple of %d, got %d", i.PriceIncrement, order.Price)
	}
	if err := i.checkPrice("price", order.Price); err != nil {
		return &Refusal{RejInvalidPrice, err.Error()}
	}
	return nil
}

func refuse(reason OrdRejReason, format string, args ...any) *Refusal {
	return &Refusal{reason, fmt.Sprintf(format, args...)}
}
