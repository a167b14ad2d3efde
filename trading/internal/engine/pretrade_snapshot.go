package engine

import "slices"

// PretradeSnapshot is everything that pre-trade checks depend on, as a copy.
func (e *Engine) PretradeSnapshot() PretradeSnapshot {
	s := PretradeSnapshot{
		Sequence: e.sequence, TransactTime: e.now,
		Instruments: e.Instruments(), Accounts: e.Accounts(), RiskLimits: e.limits,
		TradingStates: e.TradingStates(), KillSwitches: e.KillSwitches(), FxRates: FxRates{e.fx.sorted()}, Model: e.model,
	}
	s.RiskLimits.Limits = slices.Clone(s.RiskLimits.Limits)
	for _, id := range sortedKeys(e.instruments) {
		if i := e.instruments[id]; i.hasMark {
			s.Marks = append(s.Marks, Mark{InstrumentID: id, MarkPx: i.markPx})
			s.MarkTimes = append(s.MarkTimes, i.markTime)
		}
	}
	for _, name := range sortedKeys(e.accounts) {
		e.accounts[name].addPretrade(&s)
	}
	s.Holds = make([]PretradeHold, 0, e.open.Len())
	for _, order := range byID(&e.open) {
		s.Holds = append(s.Holds, order.hold())
	}
	return s
}

// addPretrade adds the positions of an account by strategy, and its cash as risk is told of it: a future
// as if its cost were paid.
func (a *account) addPretrade(s *PretradeSnapshot) {
	cash := make(map[string]Amount, len(a.cash))
	for currency, amount := range a.cash {
		cash[currency] = amount
	}
	for _, id := range sortedKeys(a.positions) {
		p := a.positions[id]
		for _, strategy := range sortedKeys(p.parts) {
			if qty := p.parts[strategy].netQty; qty != 0 {
				s.Positions = append(s.Positions, PretradePosition{Account: a.name, InstrumentID: id, StrategyID: strategy, NetQty: qty})
			}
		}
		if p.instrument.Class == Future {
			// It fits: the sums that lead here were told one by one.
			if paid, err := cash[p.instrument.QuoteCurrency].Sub(p.total.cost); err == nil {
				cash[p.instrument.QuoteCurrency] = paid
			}
		}
	}
	for _, currency := range sortedKeys(cash) {
		if amount := cash[currency]; amount != (Amount{}) {
			s.Cash = append(s.Cash, PretradeCash{Account: a.name, Cash: Money{currency, amount}})
		}
	}
}
