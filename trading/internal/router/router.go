// Package router sends approved orders and cancels to their venue.
package router

import (
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
)

// Route is one thing to send: an order that the gate approved, a change of one, or a cancel.
type Route struct {
	Venue    string
	Approved gate.Approved // the zero value when one of the others is set
	Replace  *Replace
	Cancel   *Cancel
}

// Cancel asks a venue that an order no longer work.
type Cancel struct {
	OrderID      uint64
	VenueOrderID string // empty: the venue has not named the order yet
	InstrumentID string
}

// Replace asks a venue that an order work on other terms.
type Replace struct {
	Approved     gate.Approved // the order as it is to be
	VenueOrderID string        // empty: the venue has not named the order yet
}

// Venue takes orders. It answers with VenueReports, later and by the way of the sequencer.
type Venue interface {
	Submit(order gate.Approved)
	Cancel(cancel Cancel)
	Replace(replace Replace)
	Capabilities() Capabilities
}

// Capabilities are what a venue has of that which the engine cannot do in its place. Stops, GTD, lists and
// reduce-only are the engine's, and the same everywhere.
type Capabilities struct {
	DisplayQty bool // icebergs
	PostOnly   bool
	Replace    bool // of quantity and price under the same order id
	// STP has the bit 1 << mode of each way of self-trade prevention that can be asked for.
	STP uint8
}

// Lacks names what an order asks for that the venue has not; empty: nothing.
func (c Capabilities) Lacks(order *engine.NewOrder) string {
	switch {
	case order.DisplayQty != 0 && !c.DisplayQty:
		return fmt.Sprintf("display_qty: the venue has no icebergs, got %d", order.DisplayQty)
	case order.ExecInsts&engine.PostOnly != 0 && !c.PostOnly:
		return "exec_insts: the venue has no POST_ONLY"
	case order.STP != 0 && c.STP&(1<<order.STP) == 0:
		return fmt.Sprintf("self_trade_prevention: the venue has no such mode, got %d", order.STP)
	}
	return ""
}

// Router knows the venues.
type Router struct{ venues map[string]Venue }

// New is a router to the venues of these names.
func New(venues map[string]Venue) *Router { return &Router{venues} }

// Capabilities are those of a venue; false when it is not connected.
func (r *Router) Capabilities(venue string) (Capabilities, bool) {
	v, known := r.venues[venue]
	if !known {
		return Capabilities{}, false
	}
	return v.Capabilities(), true
}

// Send hands routes to their venues, in order. What has no venue comes back as that venue's refusal,
// so that no order waits for an answer that nobody will give.
func (r *Router) Send(routes []Route) []engine.Input {
	var refused []engine.Input
	for i := range routes {
		route := &routes[i]
		venue, known := r.venues[route.Venue]
		switch {
		case !known:
			refused = append(refused, refusal(route))
		case route.Cancel != nil:
			venue.Cancel(*route.Cancel)
		case route.Replace != nil:
			venue.Replace(*route.Replace)
		case route.Approved.OrderID() == 0: // It approves nothing.
		default:
			venue.Submit(route.Approved)
		}
	}
	return refused
}

func refusal(route *Route) *engine.VenueReport {
	report := &engine.VenueReport{
		Venue: route.Venue, OrderID: route.Approved.OrderID(), ExecType: engine.ExecRejected,
		Text: fmt.Sprintf("venue: %q is not connected", route.Venue),
	}
	switch {
	case route.Cancel != nil:
		report.OrderID, report.ExecType, report.CxlRejReason = route.Cancel.OrderID, engine.ExecCancelRejected, engine.CxlUnknownOrder
	case route.Replace != nil:
		report.OrderID, report.ExecType, report.CxlRejReason = route.Replace.Approved.OrderID(), engine.ExecCancelRejected, engine.CxlUnknownOrder
	}
	return report
}
