// Package sim is a simulated exchange. Its matching engine is pure: it takes commands and returns
// events, reads no clock and no random source, counts in integers, and is the same on every machine.
//
// Rules of priority and their sources: price, then time; a hidden part of an iceberg queues anew each
// time it is shown (Nasdaq Equity 4, Rule 4703(h); CME display quantity); a replace that only lowers the
// quantity keeps its place, any other loses it (CME iLink, order cancel-replace).
package sim

// Side of an order.
type Side uint8

// Sides.
const (
	Buy  Side = 1
	Sell Side = 2
)

func (s Side) opposite() Side { return Buy + Sell - s }

// OrdType is how an order finds its price.
type OrdType uint8

// Order types. Stop and StopLimit wait for a trade at or through StopPx.
const (
	Market    OrdType = 1
	Limit     OrdType = 2
	Stop      OrdType = 3
	StopLimit OrdType = 4
)

// TimeInForce is how long an order works. A market order never rests, whatever its TimeInForce.
type TimeInForce uint8

// Times in force.
const (
	GTC TimeInForce = 2
	IOC TimeInForce = 3
	FOK TimeInForce = 4
	GTD TimeInForce = 6
)

// STPMode is what happens when an order would trade with one of the same owner.
type STPMode uint8

// Modes of self-trade prevention. The mode of the incoming order counts.
const (
	STPNone         STPMode = 0
	STPCancelNewest STPMode = 1 // the rest of the incoming order
	STPCancelOldest STPMode = 2 // the resting order
	STPCancelBoth   STPMode = 3
)

// NewOrder asks for an order.
type NewOrder struct {
	Owner      uint32 // who; orders of one owner do not trade with each other when STP says so
	Side       Side
	Type       OrdType
	TIF        TimeInForce
	STP        STPMode
	PostOnly   bool  // refuse rather than take liquidity
	Qty        int64 // positive
	Price      int64 // Limit and StopLimit
	StopPx     int64 // Stop and StopLimit
	DisplayQty int64 // iceberg: at most this much is shown at a time; 0 shows all
	ExpireTime int64 // GTD: when it ends, in the units of Advance
}

// Replace changes an order that rests or waits for its trigger.
type Replace struct {
	OrderID uint64
	Qty     int64 // new total quantity, above what is filled already
	Price   int64 // new price; of a Stop ignored
	StopPx  int64 // new trigger; of an order that is not waiting ignored
}

// EventKind says what an Event tells.
type EventKind uint8

// Kinds of events. A refused command gives exactly one Refused and changes nothing.
const (
	Accepted  EventKind = iota + 1 // the order exists; Qty is its quantity
	Refused                        // Reason says why
	Traded                         // OrderID took from RestingID, Qty at Price
	Canceled                       // Reason says why; Qty is what was left
	Replaced                       // Qty is what is left, Price the new price
	Triggered                      // a stop became a market or limit order
	Expired                        // Qty is what was left
	Refreshed                      // an iceberg shows its next Qty
	StateChanged
)

// Reason says why a command was refused or an order canceled.
type Reason uint8

// Reasons.
const (
	NoReason Reason = iota
	InvalidField
	InvalidQty
	InvalidPrice
	UnknownOrder
	WouldTake       // post-only
	Halted          // the instrument does not trade
	BookFull        // as many orders rest as the book may hold
	ByRequest       // canceled by a cancel
	NoLiquidity     // the rest of a market or IOC order, or a FOK that cannot fill
	SelfTrade       // self-trade prevention
	AlreadyExpired  // ExpireTime is not after now
	WrongOwner      // the order is somebody else's
	TooLateToReduce // the new quantity is filled already
)

// Event is one thing that happened. OrderID is the order it happened to.
type Event struct {
	Kind       EventKind
	Reason     Reason
	Instrument uint32
	OrderID    uint64
	RestingID  uint64 // Traded: the order that was there first
	Price      int64
	Qty        int64
	Leaves     int64 // of OrderID, after this
	RestLeaves int64 // Traded: of RestingID, after this
}
