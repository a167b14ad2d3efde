package gate

import (
	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// Recovered is what an earlier process asked and told, as its journal has it.
type Recovered struct {
	key     secondKey
	last    uint64
	history history
}

// Restore begins with a state, and what the Risk Service remembered of it; nil: nothing.
func Restore(snapshot engine.PretradeSnapshot, memory *engine.PretradeMemory) *Recovered {
	var remembered *aetherionv1.PretradeMemory
	if memory != nil {
		remembered = &aetherionv1.PretradeMemory{Sequence: memory.Sequence, Memory: memory.Memory, StateHash: memory.StateHash}
	}
	r := &Recovered{last: snapshot.Sequence, history: history{base: snapshotMessage(&snapshot, remembered)}}
	r.key.reset(&snapshot)
	return r
}

// Decided takes over the decisions on checks of one event. What the Risk Service did not decide is left out:
// it never counted it.
func (r *Recovered) Decided(checks []engine.PretradeCheck, decisions []engine.OrderDecision) {
	first := 0
	events, answers := questions(checks)
	for i, event := range events {
		one := &past{event: event, check: true}
		for n := first; n < first+answers[i]; n++ {
			if decisions[n].Approved || decisions[n].RejectedBy == engine.ByRisk && decisions[n].OrdRejReason != engine.RejRiskUnavailable {
				one.decided = append(one.decided, decisionMessage(&checks[n], &decisions[n]))
			}
		}
		first += answers[i]
		if len(one.decided) == answers[i] {
			r.history.add(one)
		}
	}
	r.last = checks[len(checks)-1].Sequence
}

// Told takes over what followed from an event.
func (r *Recovered) Told(events []engine.PretradeEvent) {
	for i := range events {
		r.key.apply(&events[i])
		r.history.add(&past{event: eventMessage(&events[i])})
		r.last = events[i].Sequence
	}
}
