package gate

import (
	"fmt"
	"time"

	"aetherion/trading/internal/engine"
)

// Asked are checks whose answers are out.
type Asked struct {
	checks    []engine.PretradeCheck
	decisions []Decision
	blocks    []string // what the gate itself holds against each order; empty: nothing
	left      int      // answers still out
	timer     *time.Timer
	done      chan struct{} // closed when all are decided
}

func newAsked(checks []engine.PretradeCheck) *Asked {
	return &Asked{
		checks:    checks,
		decisions: make([]Decision, len(checks)),
		blocks:    make([]string, len(checks)),
		left:      len(checks),
		done:      make(chan struct{}),
	}
}

// Wait is one decision for each check, in their order.
func (a *Asked) Wait() []Decision {
	<-a.done
	return a.decisions
}

// decide takes one answer of the Risk Service and says whether the gate itself blocks an approval.
func (a *Asked) decide(i int, answer engine.OrderDecision) (blocked bool) {
	check := &a.checks[i]
	blocked = answer.Approved && a.blocks[i] != ""
	switch {
	case blocked:
		a.set(i, Decision{OrderDecision: refusal(check, engine.RejGatewayBlock, a.blocks[i])})
	case answer.Approved:
		a.set(i, Decision{answer, Approved{orderID: check.OrderID, newOrder: check.NewOrder}})
	default:
		a.set(i, Decision{OrderDecision: answer})
	}
	return blocked
}

// refuse decides without an answer: the order may not go.
func (a *Asked) refuse(i int, reason error) {
	text := fmt.Sprintf("the Risk Service did not decide: %v", reason)
	a.set(i, Decision{OrderDecision: refusal(&a.checks[i], engine.RejRiskUnavailable, text)})
}

func (a *Asked) refuseAll(reason error) {
	for i := range a.checks {
		a.refuse(i, reason)
	}
}

func (a *Asked) set(i int, decision Decision) {
	a.decisions[i] = decision
	if a.left--; a.left > 0 {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	close(a.done)
}

func refusal(check *engine.PretradeCheck, reason engine.OrdRejReason, text string) engine.OrderDecision {
	return engine.OrderDecision{
		NewOrder:     check.NewOrder,
		OrdRejReason: reason,
		RejectedBy:   engine.ByRisk,
		Text:         text,
	}
}
