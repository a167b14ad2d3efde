package gate

import (
	"fmt"
	"time"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// Asked are checks whose answers are out.
type Asked struct {
	checks    []engine.PretradeCheck
	preview   bool // nothing is approved, whatever the answer
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

// decide takes the answers of the Risk Service to one question, keeps them for the next stream, and says
// whether the gate itself blocks an approval. Of a list it then blocks all.
func (a *Asked) decide(e *expectation, answers []*engine.OrderDecision, messages []*aetherionv1.PretradeDecision) (blocked bool) {
	for i := range answers {
		blocked = blocked || answers[i].Approved && a.blocks[e.first+i] != ""
	}
	for i := range answers {
		if blocked {
			answers[i] = a.block(e.first + i)
			messages[i] = decisionMessage(&a.checks[e.first+i], answers[i])
		}
		a.set(e.first+i, answers[i])
	}
	if e.past != nil {
		e.past.decided = messages
	}
	return blocked && !a.preview
}

// block refuses what the Risk Service approved.
func (a *Asked) block(i int) *engine.OrderDecision {
	if text := a.blocks[i]; text != "" {
		return refusal(engine.RejGatewayBlock, text)
	}
	return refusal(engine.RejList, otherOfList)
}

// refuse decides without an answer: the order may not go.
func (a *Asked) refuse(i int, reason error) {
	text := fmt.Sprintf("the Risk Service did not decide: %v", reason)
	a.set(i, refusal(engine.RejRiskUnavailable, text))
}

func (a *Asked) refuseAll(reason error) {
	for i := range a.checks {
		a.refuse(i, reason)
	}
}

func (a *Asked) set(i int, decision *engine.OrderDecision) {
	a.decisions[i] = Decision{OrderDecision: decision}
	if decision.Approved && !a.preview {
		a.decisions[i].Approved = Approved{orderID: a.checks[i].OrderID, order: a.checks[i].NewOrder}
	}
	if a.left--; a.left > 0 {
		return
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	close(a.done)
}

var accepted = &engine.OrderDecision{Approved: true}

func refusal(reason engine.OrdRejReason, text string) *engine.OrderDecision {
	return &engine.OrderDecision{OrdRejReason: reason, RejectedBy: engine.ByRisk, Text: text}
}
