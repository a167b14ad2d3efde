package engine

import (
	"cmp"
	"fmt"
	"slices"
)

// booking is a movement of position and cash that was computed and not yet made.
type booking struct {
	position *position // nil: none moves
	total    ledger    // as it will be
	part     ledger    // of the move's strategy, as it will be
	move     move
	index    int // in the position's moves, their number: behind them; -1: it is too old to be there
	// riskCash is what comes in, of the quote currency, as risk is told it: a future as if it were paid.
	riskCash Amount
	cash     [3]Money // balances as they will be
	balances int
}

// book computes what a new move does to the position.
func (b *booking) book(a *account, instrument *instrument, m *move) error {
	p := a.position(instrument)
	b.position, b.total, b.part, b.move, b.index = p, p.total, p.part(m.strategy), *m, len(p.moves)
	return b.add(m, true)
}

// rebook computes what the position is when a move was another one from the start. Of one that is too old to be
// replayed, the difference is made where the replay begins.
func (b *booking) rebook(a *account, instrument *instrument, before, after move) error {
	p := a.position(instrument)
	b.position, b.move, b.index = p, after, -1
	b.total.settled, b.part.settled = p.total.settled, p.part(after.strategy).settled
	b.total.holding, b.part.holding = b.total.settled, b.part.settled
	index, found := slices.BinarySearchFunc(p.moves, after.sequence, func(m move, sequence uint64) int { return cmp.Compare(m.sequence, sequence) })
	if found {
		b.index, after.time = index, p.moves[index].time
		b.move = after
	} else if err := b.undo(before, after); err != nil {
		return err
	}
	for i := range p.moves {
		m := &p.moves[i]
		if i == b.index {
			m = &after
		}
		if err := b.add(m, m.strategy == after.strategy); err != nil {
			return err
		}
	}
	return nil
}

// undo makes the difference between two moves final.
func (b *booking) undo(before, after move) error {
	before.qty = -before.qty
	var err error
	if before.fee, err = before.fee.Neg(); err != nil {
		return err
	}
	for _, m := range []*move{&before, &after} {
		if err := b.add(m, true); err != nil {
			return err
		}
	}
	b.total.settled, b.part.settled = b.total.holding, b.part.holding
	return nil
}

// add goes on with a move of the strategy, or of another one.
func (b *booking) add(m *move, own bool) error {
	alone := b.part.holding == b.total.holding // as long as no other strategy moved it
	var err error
	if b.total.holding, err = b.total.moved(b.position.instrument, m); err != nil || !own {
		return err
	}
	if alone {
		b.part.holding = b.total.holding
		return nil
	}
	b.part.holding, err = b.part.moved(b.position.instrument, m)
	return err
}

// payFills takes what the position's cost, profit and fees changed by from the cash of its quote currency.
// A future's cost is not paid: profit and loss come and go.
func (b *booking) payFills(a *account) error {
	before, after := &b.position.total.holding, &b.total.holding
	flow, err := after.realized.Sub(before.realized)
	if err != nil {
		return err
	}
	if flow, err = flow.less(after.fees, before.fees); err != nil {
		return err
	}
	if b.riskCash, err = flow.less(after.cost, before.cost); err != nil {
		return err
	}
	if b.position.instrument.Class != Future {
		flow = b.riskCash
	}
	return b.addCash(a, Money{b.position.instrument.QuoteCurrency, flow})
}

// less is a - (after - before).
func (a Amount) less(after, before Amount) (Amount, error) {
	change, err := after.Sub(before)
	if err != nil {
		return Amount{}, err
	}
	return a.Sub(change)
}

// addCash moves cash of one currency. A booking moves at most three.
func (b *booking) addCash(a *account, money Money) error {
	if money.Currency == "" {
		if money.Amount != (Amount{}) {
			return fmt.Errorf("%s has no currency", money.Amount)
		}
		return nil
	}
	at := slices.IndexFunc(b.cash[:b.balances], func(balance Money) bool { return balance.Currency == money.Currency })
	if at < 0 {
		at = b.balances
		b.cash[at] = Money{money.Currency, a.cash[money.Currency]}
		b.balances++
	}
	var err error
	b.cash[at].Amount, err = b.cash[at].Amount.Add(money.Amount)
	return err
}

func (b *booking) commit(a *account) {
	for _, balance := range b.cash[:b.balances] {
		a.cash[balance.Currency] = balance.Amount
	}
	p := b.position
	if p == nil {
		return
	}
	if len(p.parts) == 0 {
		a.positions[p.instrument.InstrumentID] = p
	}
	p.total = b.total
	if part := p.parts[b.move.strategy]; part != nil {
		*part = b.part
	} else {
		part := b.part
		p.parts[b.move.strategy] = &part
	}
	switch {
	case b.index == len(p.moves):
		p.moves = append(p.moves, b.move)
		p.settle(b.move.time - correctable)
	case b.index >= 0:
		p.moves[b.index] = b.move
	}
}
