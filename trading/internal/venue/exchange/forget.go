package exchange

import "slices"

// Forget drops all that has ended: names, orders, reports and fills that no query gives any more, and trades
// that can then no longer be busted. It is for a venue that runs for days and whose clients keep their own
// record; what works, and what everyone has, stays.
func (x *Exchange) Forget() {
	x.trades = nil
	for _, a := range x.accounts {
		a.fills = nil
		// The newest names its predecessor to the next.
		a.reports = slices.Clone(a.reports[max(0, len(a.reports)-1):])
		var working []*order
		for _, o := range a.orders {
			if a.open[o.number] != nil {
				working = append(working, o)
			}
		}
		a.orders = working
		for name, n := range a.names {
			if a.open[n.order.number] == nil {
				delete(a.names, name)
			}
		}
	}
}
