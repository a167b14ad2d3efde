package engine

import (
	"fmt"
	"math"
)

// position is what an account holds of an instrument. Without fees, cost - realized is always the
// sum of the signed notionals of everything that moved it.
type position struct {
	instrument *instrument
	netQty     int64
	cost       Amount // of the open quantity; short negative
	realized   Amount
	fees       Amount
}

// booking is a movement that was computed and not yet made.
type booking struct {
	position *position // as it will be; nil: none moves
	currency [2]string
	cash     [2]Amount // as it will be, of each currency that is named
}

func (b *booking) commit(account *account) {
	if b.position != nil {
		id := b.position.instrument.InstrumentID
		if held := account.positions[id]; held != nil {
			*held = *b.position
		} else {
			held := *b.position
			account.positions[id] = &held
		}
	}
	for i, currency := range b.currency {
		if currency != "" {
			account.cash[currency] = b.cash[i]
		}
	}
}

// bookFill computes what a fill does to position and cash.
func (a *account) bookFill(order *Order, report *VenueReport) (booking, error) {
	instrument, qty := order.instrument, report.LastQty
	if order.NewOrder.Side == Sell {
		qty = -qty
	}
	before := a.position(instrument)
	after, err := before.moved(qty, report.LastPx)
	if err != nil {
		return booking{}, err
	}
	flow, err := cashFlow(&before, &after, qty, report.LastPx)
	if err != nil {
		return booking{}, err
	}
	return a.bookFee(&after, flow, report.Commission)
}

// bookFee takes the fee from the cash of its currency. Only one in the quote currency counts to the
// position's fees.
func (a *account) bookFee(after *position, flow Amount, fee Money) (booking, error) {
	quote := after.instrument.QuoteCurrency
	b := booking{position: after, currency: [2]string{quote}}
	var err error
	if b.cash[0], err = a.cash[quote].Add(flow); err != nil {
		return booking{}, err
	}
	switch fee.Currency {
	case "":
		if fee.Amount != (Amount{}) {
			return booking{}, fmt.Errorf("commission: %s has no currency", fee.Amount)
		}
		return b, nil
	case quote:
		if after.fees, err = after.fees.Add(fee.Amount); err != nil {
			return booking{}, err
		}
		b.cash[0], err = b.cash[0].Sub(fee.Amount)
	default:
		b.currency[1] = fee.Currency
		b.cash[1], err = a.cash[fee.Currency].Sub(fee.Amount)
	}
	return b, err
}

// cashFlow is what a fill brings before fees: what was paid or received, or for a future only the
// profit or loss that it realised.
func cashFlow(before, after *position, qty, px int64) (Amount, error) {
	if before.instrument.Class == Future {
		return after.realized.Sub(before.realized)
	}
	paid, err := before.instrument.notional(qty, px)
	if err != nil {
		return Amount{}, err
	}
	return paid.Neg()
}

// netQty is what the account holds of an instrument.
func (a *account) netQty(instrument *instrument) int64 {
	if held := a.positions[instrument.InstrumentID]; held != nil {
		return held.netQty
	}
	return 0
}

func (a *account) position(instrument *instrument) position {
	if held := a.positions[instrument.InstrumentID]; held != nil {
		return *held
	}
	return position{instrument: instrument}
}

// moved is the position after qty (negative: sold) at px: what goes against it closes first, at
// average cost, and the rest opens.
func (p position) moved(qty, px int64) (position, error) {
	if qty == math.MinInt64 || addOverflows(p.netQty, qty) || p.netQty+qty == math.MinInt64 {
		return position{}, fmt.Errorf("net_qty: %d and %d: %w", p.netQty, qty, ErrOverflow)
	}
	closing := int64(0)
	if p.netQty > 0 && qty < 0 {
		closing = max(qty, -p.netQty)
	} else if p.netQty < 0 && qty > 0 {
		closing = min(qty, -p.netQty)
	}
	if closing != 0 {
		if err := p.reduce(closing, px); err != nil {
			return position{}, err
		}
	}
	if opening := qty - closing; opening != 0 {
		paid, err := p.instrument.notional(opening, px)
		if err != nil {
			return position{}, err
		}
		if p.cost, err = p.cost.Add(paid); err != nil {
			return position{}, err
		}
		p.netQty += opening
	}
	return p, nil
}

// reduce closes part or all of the position: qty has the other sign and is no larger.
func (p *position) reduce(qty, px int64) error {
	// Pro rata and rounded half-even once; the last part takes what is left, so that nothing stays.
	removed, err := p.cost.MulDiv(-qty, p.netQty)
	if err != nil {
		return err
	}
	paid, err := p.instrument.notional(qty, px)
	if err != nil {
		return err
	}
	// realized += -paid - removed
	if p.realized, err = p.realized.Sub(paid); err != nil {
		return err
	}
	if p.realized, err = p.realized.Sub(removed); err != nil {
		return err
	}
	if p.cost, err = p.cost.Sub(removed); err != nil {
		return err
	}
	p.netQty += qty
	return nil
}

func (e *Engine) applyAdjustment(event *Event, adjustment *Adjustment, effects *Effects) error {
	account, err := e.openAccount(adjustment.Account)
	if err != nil {
		return err
	}
	var b booking
	if cash := adjustment.Cash; cash.Amount != (Amount{}) {
		if cash.Currency == "" {
			return fmt.Errorf("cash: %s has no currency", cash.Amount)
		}
		b.currency[0] = cash.Currency
		if b.cash[0], err = account.cash[cash.Currency].Add(cash.Amount); err != nil {
			return err
		}
	}
	if adjustment.InstrumentID != "" {
		after, err := e.adjusted(account, adjustment)
		if err != nil {
			return err
		}
		b.position = &after
		effects.tell(event, PretradeEvent{Adjust: &PretradeAdjust{
			Account: adjustment.Account, InstrumentID: adjustment.InstrumentID, Qty: adjustment.Qty}})
	} else if adjustment.Qty != 0 {
		return fmt.Errorf("instrument_id: must be set, qty is %d", adjustment.Qty)
	}
	b.commit(account)
	if b.position != nil {
		e.positionMoved(event, account, b.position.instrument, effects)
	}
	return nil
}

func (e *Engine) adjusted(account *account, adjustment *Adjustment) (position, error) {
	instrument, known := e.instruments[adjustment.InstrumentID]
	if !known {
		return position{}, fmt.Errorf("instrument_id: unknown instrument %q", adjustment.InstrumentID)
	}
	if adjustment.Price < 0 && !instrument.AllowNegativePrice {
		return position{}, fmt.Errorf("price: must not be negative, got %d", adjustment.Price)
	}
	return account.position(instrument).moved(adjustment.Qty, adjustment.Price)
}

func addOverflows(a, b int64) bool {
	return b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b
}
