// Package gate asks the Risk Service about every order before it may leave, and fails closed: no
// valid answer in time is a refusal. Nothing else makes an approval.
package gate

import (
	"time"

	"aetherion/trading/internal/engine"
)

// Approved is an order that the Risk Service accepted and that passed the gate's own limits. Only
// this package makes one, so a router that takes Approved cannot be handed an order that nobody
// checked. The zero value approves nothing: it has order id 0.
type Approved struct {
	orderID  uint64
	newOrder *engine.NewOrder
}

// OrderID is our id of the order: the sequence of its event.
func (a Approved) OrderID() uint64 { return a.orderID }

// NewOrder is the order as it was checked; not to be changed.
func (a Approved) NewOrder() *engine.NewOrder { return a.newOrder }

// Decision is the answer to one check: what the journal keeps of it, and the approval, if it is one.
type Decision struct {
	OrderDecision engine.OrderDecision
	Approved      Approved // meant when OrderDecision.Approved
}

// Config is what can be set of a gate.
type Config struct {
	// Deadline of one ask, 50 ms when zero. A simulation sets it far higher: its result must not
	// depend on how busy the machine is.
	Deadline time.Duration
}

// Status says whether orders can be approved now.
type Status struct {
	Available bool
	Epoch     uint64 // of the stream; rises with every new one
	Reason    string // why it is not available
}
