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
func (e *Engine) OpenOrders() int { return e.open.Len() }

// RiskLimits are the limits in force; not to be changed.
func (e *Engine) RiskLimits() RiskLimits { return e.limits }

// Order finds an order by our id; nil when there is none. It is the engine's own: read it where the
// engine may be read, and copy what is to be kept.
func (e *Engine) Order(orderID uint64) *Order { return e.orders.Get(orderID) }

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

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
