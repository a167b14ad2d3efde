package engine

import "fmt"

func (e *Engine) walkPosition(w walker, value **position) {
	if w.reads() {
		*value = &position{parts: map[string]*ledger{}}
	}
	p := *value
	e.walkInstrumentOf(w, &p.instrument)
	walkLedger(w, &p.total)
	walkMap(w, &p.parts, walkString, func(w walker, value **ledger) {
		if w.reads() {
			*value = &ledger{}
		}
		walkLedger(w, *value)
	})
	walkSlice(w, &p.moves, walkMove)
	if w.reads() && p.instrument == nil {
		w.fault(fmt.Errorf("a position has no instrument"))
	}
	if w.reads() {
		for i := range p.moves {
			if p.parts[p.moves[i].strategy] == nil {
				w.fault(fmt.Errorf("strategy_id: a move is of the unknown strategy %q", p.moves[i].strategy))
			}
		}
	}
}

func walkLedger(w walker, l *ledger) {
	walkHolding(w, &l.holding)
	walkHolding(w, &l.settled)
}

func walkHolding(w walker, h *holding) {
	walkInt(w, &h.netQty)
	walkAmount(w, &h.cost)
	walkAmount(w, &h.realized)
	walkAmount(w, &h.fees)
}

func walkMove(w walker, m *move) {
	walkUint(w, &m.sequence)
	walkInt(w, &m.time)
	walkString(w, &m.strategy)
	walkInt(w, &m.qty)
	walkInt(w, &m.px)
	walkAmount(w, &m.fee)
}
