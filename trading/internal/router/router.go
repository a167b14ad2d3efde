// Package router sends approved orders and cancels to their venue.
package router

import (
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
)

// Route is one thing to send: an order that the gate approved, or a cancel.
type Route struct {
	Venue    string
	Approved gate.Approved // the zero value when Cancel is set
	Cancel   *Cancel
}

// Cancel asks a venue that an order no longer work.
type Cancel struct {
	OrderID      uint64
	VenueOrderID string // empty: the venue has not named the order yet
	InstrumentID string
}

// Venue takes orders. It answers with VenueReports, later and by the way of the sequencer.
type Venue interface {
	Submit(order gate.Approved)
	Cancel(cancel Cancel)
}

// Router knows the venues.
type Router struct{ venues map[string]Venue }

// New is a router to the venues of these names.
func New(venues map[string]Venue) *Router { return &Router{venues} }

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
	if route.Cancel != nil {
		report.OrderID, report.ExecType = route.Cancel.OrderID, engine.ExecCancelRejected
		report.CxlRejReason = engine.CxlUnknownOrder
	}
	return report
}
