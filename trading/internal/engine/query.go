package engine

import (
	"cmp"
	"maps"
	"slices"
)

// Sequence is that of the last event.
func (e *Engine) Sequence() uint64 { return e.sequence }

// Now is the time of the last event.
func (e *Engine) Now() int64 { return e.now }

// OpenOrders is how many orders still work.
func (e *Engine) OpenOrders() int { return len(e.open) }

// RiskLimits are the limits in force; not to be changed.
func (e *Engine) RiskLimits() RiskLimits { return e.limits }

// Order finds an order by our id; nil when there is none. It is the engine's own: read it where the
// engine may be read, and copy what is to be kept.
func (e *Engine) Order(orderID uint64) *Order { return e.orders[orderID] }

// Orders calls yield with the orders of an account that came after the order of that id, as they came, until
// it says no.
func (e *Engine) Orders(accountName string, after uint64, yield func(*Order) bool) {
	account := e.accounts[accountName]
	if account == nil {
		return
	}
	first, found := slices.BinarySearchFunc(account.orders, after, func(o *Order, id uint64) int { return CompareOrderIDs(o.OrderID, id) })
	if found {
		first++
	}
	for _, order := range account.orders[first:] {
		if !order.forgotten && !yield(order) {
			return
		}
	}
}

// Instruments are all definitions, sorted by id.
func (e *Engine) Instruments() []Instrument {
	all := make([]Instrument, 0, len(e.instruments))
	for _, id := range sortedKeys(e.instruments) {
		all = append(all, e.instruments[id].Instrument)
	}
	return all
}

// Instrument finds a definition.
func (e *Engine) Instrument(instrumentID string) (Instrument, bool) {
	i, known := e.instruments[instrumentID]
	if !known {
		return Instrument{}, false
	}
	return i.Instrument, true
}

// MarkPx is the last mark of an instrument.
func (e *Engine) MarkPx(instrumentID string) (px int64, has bool) {
	i, known := e.instruments[instrumentID]
	if !known {
		return 0, false
	}
	return i.markPx, i.hasMark
}

// Accounts are the open accounts, sorted by name.
func (e *Engine) Accounts() []AccountOpened {
	var all []AccountOpened
	for _, name := range sortedKeys(e.accounts) {
		if a := e.accounts[name]; a.opened {
			all = append(all, AccountOpened{Account: name, BaseCurrency: a.baseCurrency})
		}
	}
	return all
}

// Held are the instruments in which some account has a position, sorted by id.
func (e *Engine) Held() []string {
	held := map[string]bool{}
	for _, account := range e.accounts {
		for id, p := range account.positions {
			if p.netQty != 0 {
				held[id] = true
			}
		}
	}
	return sortedKeys(held)
}

// Account is an account at the last marks; false when it is not open. An amount that would overflow
// is left out, as without a mark.
func (e *Engine) Account(name string) (AccountState, bool) {
	account := e.accounts[name]
	if account == nil || !account.opened {
		return AccountState{}, false
	}
	state := AccountState{Account: name, Sequence: e.sequence, TransactTime: e.now, BaseCurrency: account.baseCurrency}
	equity, hasEquity := account.cash[account.baseCurrency], true
	for _, currency := range sortedKeys(account.cash) {
		amount := account.cash[currency]
		state.Balances = append(state.Balances, Money{currency, amount})
		// There are no exchange rates yet: what is in another currency has no value in the base one.
		hasEquity = hasEquity && (currency == account.baseCurrency || amount == Amount{})
	}
	for _, id := range sortedKeys(account.positions) {
		p := account.positions[id]
		state.Positions = append(state.Positions, p.view(name))
		if p.netQty == 0 {
			continue
		}
		value, ok := p.value()
		if !ok || p.instrument.QuoteCurrency != account.baseCurrency {
			hasEquity = false
			continue
		}
		var err error
		if equity, err = equity.Add(value); err != nil {
			hasEquity = false
		}
	}
	if hasEquity {
		state.Equity, state.HasEquity = Money{account.baseCurrency, equity}, true
	}
	return state, true
}

// value is what the position adds to equity: its market value, or for a future, whose cost was never
// paid, its unrealised profit or loss.
func (p *position) value() (Amount, bool) {
	if !p.instrument.hasMark {
		return Amount{}, false
	}
	value, err := p.instrument.notional(p.netQty, p.instrument.markPx)
	if err == nil && p.instrument.Class == Future {
		value, err = value.Sub(p.cost)
	}
	return value, err == nil
}

func (p *position) view(account string) Position {
	quote := p.instrument.QuoteCurrency
	view := Position{
		Account: account, InstrumentID: p.instrument.InstrumentID, NetQty: p.netQty,
		Cost: Money{quote, p.cost}, RealizedPnl: Money{quote, p.realized}, Fees: Money{quote, p.fees},
		AvgPx: p.instrument.averagePrice(p.cost, p.netQty),
	}
	if p.instrument.hasMark {
		if value, err := p.instrument.notional(p.netQty, p.instrument.markPx); err == nil {
			if unrealized, err := value.Sub(p.cost); err == nil {
				view.UnrealizedPnl, view.MarkPx, view.HasMark = Money{quote, unrealized}, p.instrument.markPx, true
			}
		}
	}
	return view
}

// PretradeSnapshot is everything that pre-trade checks depend on, as a copy.
func (e *Engine) PretradeSnapshot() PretradeSnapshot {
	s := PretradeSnapshot{
		Sequence: e.sequence, TransactTime: e.now,
		Instruments: e.Instruments(), Accounts: e.Accounts(), RiskLimits: e.limits,
	}
	s.RiskLimits.Limits = slices.Clone(s.RiskLimits.Limits)
	for _, id := range sortedKeys(e.instruments) {
		if i := e.instruments[id]; i.hasMark {
			s.Marks = append(s.Marks, Mark{InstrumentID: id, MarkPx: i.markPx})
		}
	}
	for _, name := range sortedKeys(e.accounts) {
		account := e.accounts[name]
		for _, id := range sortedKeys(account.positions) {
			if p := account.positions[id]; p.netQty != 0 {
				s.Positions = append(s.Positions, PretradePosition{Account: name, InstrumentID: id, NetQty: p.netQty})
			}
		}
	}
	for _, id := range sortedKeys(e.open) {
		o := e.open[id]
		s.Holds = append(s.Holds, PretradeHold{OrderID: id, Account: o.NewOrder.Account,
			InstrumentID: o.NewOrder.InstrumentID, Side: o.NewOrder.Side, LeavesQty: o.LeavesQty()})
	}
	return s
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
