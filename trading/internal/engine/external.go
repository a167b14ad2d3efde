package engine

import (
	"fmt"
	"slices"
)

// ExternalPrefix begins our names for orders that did not come from us; clients give no such names.
const ExternalPrefix = "external-"

// ExternalOrder is an open order of an account at a venue that did not come from us, and that we take for ours.
type ExternalOrder struct {
	NewOrder     NewOrder // as the venue has it, but for the name
	VenueClOrdID string   // its name there
	VenueOrderID string
	Fills        []ExternalFill // so far: positions and cash have them already
}

// ExternalFill is a fill of an order before we took it for ours.
type ExternalFill struct {
	ExecID  string
	LastQty int64
	LastPx  int64
}

func (*ExternalOrder) input() {}

// applyExternalOrder takes an order as it is: nobody was asked, so it is counted for risk as it stands. Fills that
// it had are only what it was filled: they count no second time when the venue tells of them.
func (e *Engine) applyExternalOrder(event *Event, external *ExternalOrder, effects *Effects) error {
	order, err := e.externalOrder(external)
	if err != nil {
		return err
	}
	cumQty, cumNotional, err := order.filledBefore(external.Fills, e.execsAt(order.instrument))
	if err != nil {
		return err
	}
	order = e.newOrder(event, event.Sequence, &external.NewOrder, "")
	order.sent, order.acknowledged = true, true
	order.VenueOrderID, order.VenueClOrdID = external.VenueOrderID, external.VenueClOrdID
	order.CumQty, order.CumNotional = cumQty, cumNotional
	for i := range external.Fills {
		order.restatements = append(order.restatements, external.Fills[i].ExecID)
		e.execsAt(order.instrument)[external.Fills[i].ExecID] = order
	}
	order.holdPx, _ = e.valuationPx(order.instrument, order.terms)
	e.index(order)
	effects.tellHold(event, order)
	effects.report(event, order, ExecutionReport{
		ExecType: ExecNew, Text: fmt.Sprintf("adopted: %q at %s", order.VenueClOrdID, order.instrument.Venue()),
	})
	return nil
}

// externalOrder checks what the engine relies on of every order. That it breaks other rules is the venue's business.
func (e *Engine) externalOrder(external *ExternalOrder) (*Order, error) {
	asked := &external.NewOrder
	account, err := e.openAccount(asked.Account)
	if err != nil {
		return nil, err
	}
	instrument, known := e.instruments[asked.InstrumentID]
	switch {
	case !known:
		return nil, fmt.Errorf("instrument_id: unknown instrument %q", asked.InstrumentID)
	case !ValidClOrdID(asked.ClOrdID):
		return nil, fmt.Errorf("cl_ord_id: must be 1 to 64 printable ASCII characters, got %q", asked.ClOrdID)
	case external.VenueClOrdID == "" || external.VenueOrderID == "":
		return nil, fmt.Errorf("venue_cl_ord_id, venue_order_id: must be set, got %q and %q", external.VenueClOrdID, external.VenueOrderID)
	case asked.Side != Buy && asked.Side != Sell:
		return nil, fmt.Errorf("side: must be BUY or SELL, got %d", asked.Side)
	case asked.OrdType < Market || asked.OrdType > TrailingStop:
		return nil, fmt.Errorf("ord_type: unknown value %d", asked.OrdType)
	case asked.ExecInsts&^PostOnly != 0:
		return nil, fmt.Errorf("exec_insts: must be empty or POST_ONLY, got %b", asked.ExecInsts)
	}
	if _, used := account.names[asked.ClOrdID]; used {
		return nil, fmt.Errorf("cl_ord_id: %q was used before", asked.ClOrdID)
	}
	if asked.HasPrice {
		if err := instrument.checkPrice("price", asked.Price); err != nil {
			return nil, err
		}
	}
	return &Order{terms: asked, instrument: instrument}, nil
}

// filledBefore adds up fills, of which at least one lot is still to come.
func (o *Order) filledBefore(fills []ExternalFill, known execs) (qty int64, notional Amount, err error) {
	for i := range fills {
		f := &fills[i]
		switch {
		case f.ExecID == "" || known[f.ExecID] != nil || slices.ContainsFunc(fills[:i], func(before ExternalFill) bool { return before.ExecID == f.ExecID }):
			return 0, Amount{}, fmt.Errorf("fills[%d].exec_id: must be set and new, got %q", i, f.ExecID)
		case f.LastQty <= 0 || f.LastQty >= o.terms.OrderQty-qty:
			return 0, Amount{}, fmt.Errorf("fills[%d].last_qty: must be positive and leave some of %d, got %d after %d", i, o.terms.OrderQty, f.LastQty, qty)
		}
		traded, err := o.instrument.notional(f.LastQty, f.LastPx)
		if err != nil {
			return 0, Amount{}, fmt.Errorf("fills[%d]: %w", i, err)
		}
		if notional, err = notional.Add(traded); err != nil {
			return 0, Amount{}, fmt.Errorf("fills[%d]: %w", i, err)
		}
		qty += f.LastQty
	}
	if o.terms.OrderQty <= 0 {
		return 0, Amount{}, fmt.Errorf("order_qty: must be positive, got %d", o.terms.OrderQty)
	}
	return qty, notional, nil
}
