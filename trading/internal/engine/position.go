package engine

import (
	"fmt"
	"math"
)

// holding is a quantity with what it cost. cost - realized is always the sum of the signed notionals of
// everything that moved it.
type holding struct {
	netQty   int64
	cost     Amount // of the open quantity, without fees; short negative
	realized Amount
	fees     Amount // in the quote currency
}

// ledger is a holding, and what it was before the moves that may still be corrected.
type ledger struct {
	holding
	settled holding
}

// position is what an account holds of an instrument, and the part of each strategy in it. The account
// nets its strategies: their quantities and fees add up to its own, while cost and realised profit follow
// the average of each.
type position struct {
	instrument *instrument
	total      ledger
	parts      map[string]*ledger // by strategy
	moves      []move             // of the last correctable nanoseconds, by sequence
}

// correctable is for how long, in log time, a move is corrected as if it had been right from the start.
const correctable = 24 * 3600 * 1_000_000_000

// move is a fill or an adjustment. It keeps its place when it is corrected.
type move struct {
	sequence uint64
	time     int64
	strategy string
	qty      int64 // sold negative; 0: busted
	px       int64
	fee      Amount // in the quote currency
}

// moved is the holding after a move: what goes against it closes first, at average cost, and the rest
// opens.
func (h holding) moved(instrument *instrument, m *move) (holding, error) {
	if m.qty == math.MinInt64 || addOverflows(h.netQty, m.qty) || h.netQty+m.qty == math.MinInt64 {
		return holding{}, fmt.Errorf("net_qty: %d and %d: %w", h.netQty, m.qty, ErrOverflow)
	}
	closing := int64(0)
	if h.netQty > 0 && m.qty < 0 {
		closing = max(m.qty, -h.netQty)
	} else if h.netQty < 0 && m.qty > 0 {
		closing = min(m.qty, -h.netQty)
	}
	var err error
	if closing != 0 {
		if err = h.reduce(instrument, closing, m.px); err != nil {
			return holding{}, err
		}
	}
	if opening := m.qty - closing; opening != 0 {
		paid, err := instrument.notional(opening, m.px)
		if err != nil {
			return holding{}, err
		}
		if h.cost, err = h.cost.Add(paid); err != nil {
			return holding{}, err
		}
		h.netQty += opening
	}
	h.fees, err = h.fees.Add(m.fee)
	return h, err
}

// reduce closes part or all of the holding: qty has the other sign and is no larger.
func (h *holding) reduce(instrument *instrument, qty, px int64) error {
	// Pro rata and rounded half-even once; the last part takes what is left, so that nothing stays.
	removed, err := h.cost.MulDiv(-qty, h.netQty)
	if err != nil {
		return err
	}
	paid, err := instrument.notional(qty, px)
	if err != nil {
		return err
	}
	// realized += -paid - removed
	if h.realized, err = h.realized.Sub(paid); err != nil {
		return err
	}
	if h.realized, err = h.realized.Sub(removed); err != nil {
		return err
	}
	if h.cost, err = h.cost.Sub(removed); err != nil {
		return err
	}
	h.netQty += qty
	return nil
}

// netQty is what the account holds of an instrument.
func (a *account) netQty(instrument *instrument) int64 {
	if held := a.positions[instrument.InstrumentID]; held != nil {
		return held.total.netQty
	}
	return 0
}

// position gives the account's position, a new one that the account does not know yet if need be.
func (a *account) position(instrument *instrument) *position {
	if held := a.positions[instrument.InstrumentID]; held != nil {
		return held
	}
	return &position{instrument: instrument, parts: map[string]*ledger{}}
}

func (p *position) part(strategy string) ledger {
	if part := p.parts[strategy]; part != nil {
		return *part
	}
	return ledger{}
}

// settle makes the moves of before that time final.
func (p *position) settle(before int64) {
	settled := 0
	for ; settled < len(p.moves) && p.moves[settled].time < before; settled++ {
		m := &p.moves[settled]
		part := p.parts[m.strategy]
		// Neither fails: the same sums were computed when the move was booked.
		if total, err := p.total.settled.moved(p.instrument, m); err == nil {
			p.total.settled = total
		}
		if after, err := part.settled.moved(p.instrument, m); err == nil {
			part.settled = after
		}
	}
	p.moves = p.moves[settled:]
}

func addOverflows(a, b int64) bool {
	return b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b
}
