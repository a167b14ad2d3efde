package engine

import (
	"cmp"
	"slices"
)

const (
	nsPerDay = 24 * 60 * 60 * 1_000_000_000
	// cancelAgainAfter is how long after a venue refused to cancel an order whose time is over it is asked again.
	cancelAgainAfter = 1_000_000_000
)

// expiry is when an order is to end unless it has before.
type expiry struct {
	at    int64
	order *Order
}

// expireLater notes when the time of an order is over, if that is ours to tell: of a GTD order, and of a DAY
// order as long as we hold it.
func (e *Engine) expireLater(order *Order) {
	var at int64
	switch tif := order.terms.TimeInForce; {
	case tif == GTD:
		at = max(order.terms.ExpireTime, order.cancelAgain)
	case tif == Day && order.held:
		at = (order.came/nsPerDay + 1) * nsPerDay
	default:
		return
	}
	i, _ := slices.BinarySearchFunc(e.expiries, at+1, func(x expiry, at int64) int { return cmp.Compare(x.at, at) })
	e.expiries = slices.Insert(e.expiries, i, expiry{at, order})
}

// due says whether the order is still to end at its time.
func (x *expiry) due() bool {
	o := x.order
	return o.Open() && (o.held || o.terms.TimeInForce == GTD && !o.pendingCancel && x.at >= o.cancelAgain)
}

// NextExpiry is the earliest time at which a Timer ends something.
func (e *Engine) NextExpiry() (at int64, any bool) {
	for len(e.expiries) > 0 && !e.expiries[0].due() {
		e.expiries = e.expiries[1:]
	}
	if len(e.expiries) == 0 {
		return 0, false
	}
	return e.expiries[0].at, true
}

func (e *Engine) applyTimer(event *Event, effects *Effects) error {
	for {
		at, any := e.NextExpiry()
		if !any || at > event.TransactTime {
			return nil
		}
		order := e.expiries[0].order
		e.expiries = e.expiries[1:]
		if order.held {
			e.endHeld(event, order, StatusExpired, ExecutionReport{ExecType: ExecExpired, Text: "time_in_force: its time is over"}, effects)
			continue
		}
		order.expires = true
		e.requestCancel(event, order, "time_in_force: its time is over", effects)
	}
}
