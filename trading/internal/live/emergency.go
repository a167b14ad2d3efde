package live

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
)

// emergencyWait is how long a kill switch waits for the journal before it cancels without it: long for one
// write to a disk, short for a person.
const emergencyWait = 5 * time.Millisecond

// Emergency stops trading whatever has failed. It knows what works at the venues from what was sent and what
// was reported, beside the engine, whose goroutine may be waiting for a disk that no longer answers.
type Emergency struct {
	venues map[string]router.Venue

	mu      sync.Mutex
	latched map[engine.TradingScope]int // kill switches that the engine does not have yet
	working engine.OrderMap[working]
}

// working is an order that was sent and has not ended.
type working struct {
	venue        string
	venueOrderID string
	order        *engine.NewOrder
}

func newEmergency(venues map[string]router.Venue) *Emergency {
	return &Emergency{venues: venues, latched: map[engine.TradingScope]int{}}
}

// Refuses says whether an order of an account may not even be taken, because a kill switch of it is on its
// way to the engine. Of a change only the account is known.
func (e *Emergency) Refuses(order *engine.NewOrder) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for scope := range e.latched {
		if order.InstrumentID == "" {
			scope = engine.TradingScope{Account: scope.Account}
		}
		if gate.Binds(scope, order) {
			return true
		}
	}
	return false
}

// recovered takes note of what a process before this one sent. What it held all the same is not at the venue,
// which says so when asked to cancel it.
func (e *Emergency) recovered(state *engine.Engine) {
	for _, account := range state.Accounts() {
		state.Orders(account.Account, 0, func(order *engine.Order) bool {
			if order.Open() {
				instrument, _ := state.Instrument(order.NewOrder.InstrumentID)
				e.working.Put(order.OrderID, &working{venue: instrument.Venue(), venueOrderID: order.VenueOrderID, order: order.Terms()})
			}
			return true
		})
	}
}

// sent takes note of what goes to the venues.
func (e *Emergency) sent(routes []router.Route) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range routes {
		if id := routes[i].Approved.OrderID(); id != 0 {
			e.working.Put(id, &working{venue: routes[i].Venue, order: routes[i].Approved.Terms()})
		}
	}
}

// reported takes note of what became of it.
func (e *Emergency) reported(reports []*engine.ExecutionReport) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, report := range reports {
		order := e.working.Get(report.OrderID)
		switch {
		case order == nil && report.ExecType == engine.ExecNew && report.LeavesQty > 0: // It did not come from us.
			id := report.NewOrder.InstrumentID
			e.working.Put(report.OrderID, &working{venue: id[strings.LastIndexByte(id, '.')+1:], venueOrderID: report.VenueOrderID, order: report.NewOrder})
		case order == nil:
		case report.LeavesQty == 0:
			e.working.Delete(report.OrderID)
		default:
			order.venueOrderID = report.VenueOrderID
		}
	}
}

// latch refuses new orders of a scope until it is let go.
func (e *Emergency) latch(scope engine.TradingScope, by int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.latched[scope] += by; e.latched[scope] == 0 {
		delete(e.latched, scope)
	}
}

// cancel asks the venues to cancel what works of a scope, and says how many that are.
func (e *Emergency) cancel(scope engine.TradingScope) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for id, o := range e.working.All() {
		if venue := e.venues[o.venue]; venue != nil && gate.Binds(scope, o.order) {
			venue.Cancel(router.Cancel{OrderID: id, VenueOrderID: o.venueOrderID, InstrumentID: o.order.InstrumentID})
			n++
		}
	}
	return n
}

// EngageKillSwitch refuses what is new of a scope at once, and cancels what works. It does both also when the
// journal does not answer or has failed, and when there is no Risk Service: after a few milliseconds the
// cancels go out without the journal. Then the log says so, and the venues' reports, which are journaled as
// ever once the journal is back, tell what became of the orders. Sequence 0 says that the journal did not
// take it; the scope stays latched as long as the process lives.
func (s *Session) EngageKillSwitch(ctx context.Context, change *engine.KillSwitchChange) sequencer.Result {
	s.Emergency.latch(change.Scope, 1)
	journaled := make(chan sequencer.Result, 1) // without a result: the journal has failed
	s.calls.Go(func() {
		defer close(journaled)
		// Who asked may give up; the change stays.
		results, err := s.Sequencer.Submit(context.WithoutCancel(ctx), change)
		if err != nil {
			slog.Error("kill switch: not in the journal", "scope", change.Scope, "error", err)
			return
		}
		s.Emergency.latch(change.Scope, -1) // The engine refuses from here on.
		journaled <- results[0]
	})
	timer := time.NewTimer(emergencyWait)
	defer timer.Stop()
	select {
	case result, ok := <-journaled:
		if ok {
			return result
		}
	case <-timer.C:
	}
	canceled := s.Emergency.cancel(change.Scope)
	select {
	case result, ok := <-journaled:
		if ok { // It was only slow.
			return result
		}
	case <-ctx.Done():
	}
	slog.Error("kill switch: orders were canceled without the journal", "scope", change.Scope, "orders", canceled,
		"changed_by", change.ChangedBy, "reason", change.Reason)
	return sequencer.Result{Ack: engine.CommandAck{TotalAffectedOrders: uint32(canceled)}}
}
