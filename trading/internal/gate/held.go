package gate

import "aetherion/trading/internal/engine"

// Held is the approval of an order that the engine has taken, and so of one that the journal says was
// approved: it waited with the engine, or is to work for other terms that the approval covers, or that one
// of its own covers. The zero value, which approves nothing, is for an order that is closed.
func Held(order *engine.Order, terms *engine.NewOrder) Approved {
	if !order.Open() {
		return Approved{}
	}
	return Approved{orderID: order.OrderID, order: terms}
}
