package engine

import "fmt"

func (e *Engine) applyAdjustment(event *Event, adjustment *Adjustment, effects *Effects) error {
	account, err := e.openAccount(adjustment.Account)
	if err != nil {
		return err
	}
	var b booking
	if adjustment.InstrumentID != "" {
		if err := e.bookAdjustment(event, account, adjustment, &b); err != nil {
			return err
		}
	} else if adjustment.Qty != 0 {
		return fmt.Errorf("instrument_id: must be set, qty is %d", adjustment.Qty)
	}
	if err := b.addCash(account, adjustment.Cash); err != nil {
		return fmt.Errorf("cash: %w", err)
	}
	b.commit(account)
	if b.position != nil {
		effects.tell(event, PretradeEvent{Adjust: &PretradeAdjust{
			Account: account.name, InstrumentID: adjustment.InstrumentID, Qty: adjustment.Qty}})
		effects.tellCash(event, account, Money{b.position.instrument.QuoteCurrency, b.riskCash})
	}
	effects.tellCash(event, account, adjustment.Cash)
	if b.position != nil {
		e.positionMoved(event, account, b.position.instrument, effects)
	}
	return nil
}

// bookAdjustment computes what the account itself gets, and no strategy: the position at its cost. No cash
// moves but what the adjustment names. Risk, which counts a future as if it were paid, is told of its cost.
func (e *Engine) bookAdjustment(event *Event, account *account, adjustment *Adjustment, b *booking) error {
	instrument, known := e.instruments[adjustment.InstrumentID]
	if !known {
		return fmt.Errorf("instrument_id: unknown instrument %q", adjustment.InstrumentID)
	}
	if adjustment.Price < 0 && !instrument.AllowNegativePrice {
		return fmt.Errorf("price: must not be negative, got %d", adjustment.Price)
	}
	m := move{sequence: event.Sequence, time: event.TransactTime, qty: adjustment.Qty, px: adjustment.Price}
	err := b.book(account, instrument, &m)
	if err == nil && instrument.Class == Future {
		b.riskCash, err = b.riskCash.less(b.total.cost, b.position.total.cost)
	}
	return err
}

// tellCash tells of cash that moves without a fill.
func (e *Effects) tellCash(event *Event, account *account, cash Money) {
	if cash.Amount != (Amount{}) {
		e.tell(event, PretradeEvent{Cash: &PretradeCash{Account: account.name, Cash: cash}})
	}
}
