package engine

// Held are the instruments in which some account has a position, sorted by id.
func (e *Engine) Held() []string {
	held := map[string]bool{}
	for _, account := range e.accounts {
		for id, p := range account.positions {
			if p.total.netQty != 0 {
				held[id] = true
			}
		}
	}
	return sortedKeys(held)
}

// Account is an account at the last marks and exchange rates; false when it is not open. An amount that
// would overflow is left out, as without a mark.
func (e *Engine) Account(name string) (AccountState, bool) {
	account := e.accounts[name]
	if account == nil || !account.opened {
		return AccountState{}, false
	}
	state := AccountState{Account: name, Sequence: e.sequence, TransactTime: e.now, BaseCurrency: account.baseCurrency}
	for _, currency := range sortedKeys(account.cash) {
		state.Balances = append(state.Balances, Money{currency, account.cash[currency]})
	}
	for _, id := range sortedKeys(account.positions) {
		p := account.positions[id]
		state.Positions = append(state.Positions, p.view(name, "", &p.total.holding))
		for _, strategy := range sortedKeys(p.parts) {
			state.StrategyPositions = append(state.StrategyPositions, p.view(name, strategy, &p.parts[strategy].holding))
		}
	}
	if equity, known := e.equity(account); known {
		state.Equity, state.HasEquity = Money{account.baseCurrency, equity}, true
	}
	return state, true
}

// equity is cash plus the value of all positions in the base currency; false when an open position has no
// mark or a currency no rate. What is of one currency is added up exactly and converted once.
func (e *Engine) equity(account *account) (Amount, bool) {
	values := make(map[string]Amount, len(account.cash))
	for currency, cash := range account.cash {
		values[currency] = cash
	}
	for _, p := range account.positions {
		value, ok := p.value()
		if !ok {
			return Amount{}, false
		}
		quote := p.instrument.QuoteCurrency
		sum, err := values[quote].Add(value)
		if err != nil {
			return Amount{}, false
		}
		values[quote] = sum
	}
	var equity Amount
	for currency, value := range values {
		converted, known := e.fx.convert(value, currency, account.baseCurrency)
		if !known {
			return Amount{}, false
		}
		var err error
		if equity, err = equity.Add(converted); err != nil {
			return Amount{}, false
		}
	}
	return equity, true
}

// value is what the position adds to equity: its market value, or for a future, whose cost was never
// paid, its unrealised profit or loss. It has none without a mark, unless it is flat.
func (p *position) value() (Amount, bool) {
	if p.total.netQty == 0 {
		return Amount{}, true
	}
	if !p.instrument.hasMark {
		return Amount{}, false
	}
	value, err := p.instrument.notional(p.total.netQty, p.instrument.markPx)
	if err == nil && p.instrument.Class == Future {
		value, err = value.Sub(p.total.cost)
	}
	return value, err == nil
}

// view is the account's holding, or a strategy's.
func (p *position) view(account, strategy string, h *holding) Position {
	quote := p.instrument.QuoteCurrency
	view := Position{
		Account: account, InstrumentID: p.instrument.InstrumentID, StrategyID: strategy, NetQty: h.netQty,
		Cost: Money{quote, h.cost}, RealizedPnl: Money{quote, h.realized}, Fees: Money{quote, h.fees},
		AvgPx: p.instrument.averagePrice(h.cost, h.netQty),
	}
	if p.instrument.hasMark {
		if value, err := p.instrument.notional(h.netQty, p.instrument.markPx); err == nil {
			if unrealized, err := value.Sub(h.cost); err == nil {
				view.UnrealizedPnl, view.MarkPx, view.HasMark = Money{quote, unrealized}, p.instrument.markPx, true
			}
		}
	}
	return view
}
