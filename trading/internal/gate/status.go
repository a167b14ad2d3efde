package gate

import (
	"fmt"
	"log/slog"
	"slices"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// Status says whether orders can be approved now.
type Status struct {
	Available   bool
	Epoch       uint64 // of the stream; rises with every new one
	Reason      string // why it is not available
	Alarms      []Alarm
	TotalAlarms uint64
	// Latches are all that are engaged, as they were last told.
	Latches []Latch
}

// Alarm says that something that was not an order passed a limit.
type Alarm struct {
	Sequence     uint64              // of the event that did it
	Passed       engine.CheckFailure // the limit
	TradingState engine.TradingState // that follows
}

// Latch refuses orders of a scope until somebody sets exactly that scope ACTIVE: the alarm that it raised, and its scope.
type Latch struct {
	Alarm
	Scope engine.TradingScope
}

// alarmsKept is how many of the newest alarms are shown.
const alarmsKept = 100

// alarms are the newest, oldest first.
type alarms struct {
	kept  []Alarm
	total uint64
}

// Status is whether orders can be approved now.
func (g *Gate) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	status := Status{Available: g.ready, Epoch: g.epoch, Alarms: slices.Clone(g.alarms.kept), TotalAlarms: g.alarms.total, Latches: g.latches}
	if !g.ready {
		status.Reason = g.reason.Error()
	}
	return status
}

// alarm keeps and logs what is new: a stream that is told the history raises again what was raised before.
func (g *Gate) alarm(messages []*aetherionv1.PretradeAlarm) error {
	for i, m := range messages {
		alarm, err := decodeAlarm(m)
		if err != nil {
			return fmt.Errorf("wrong alarm: alarm %d of %d: %w", i+1, len(messages), err)
		}
		g.mu.Lock()
		raised := g.alarms.raise(alarm)
		g.mu.Unlock()
		if raised {
			slog.Error("a limit was passed by what was not an order", "sequence", alarm.Sequence, "reason", m.GetOrdRejReason(),
				"scope", m.GetScope(), "risk_limit", m.GetRiskLimit(), "value", m.GetValue(), "trading_state", m.GetTradingState())
		}
	}
	return nil
}

func decodeAlarm(m *aetherionv1.PretradeAlarm) (Alarm, error) {
	passed, err := contract.DecodeCheckFailures([]*aetherionv1.CheckFailure{
		{OrdRejReason: m.GetOrdRejReason(), Scope: m.GetScope(), RiskLimit: m.GetRiskLimit(), Value: m.GetValue()},
	})
	if err != nil {
		return Alarm{}, err
	}
	return Alarm{Sequence: m.GetSequence(), Passed: passed[0], TradingState: engine.TradingState(m.GetTradingState())}, nil
}

// decodeLatches replaces latches, when they are told.
func decodeLatches(told *aetherionv1.PretradeLatches, latches *[]Latch) error {
	if told == nil {
		return nil
	}
	*latches = make([]Latch, len(told.GetLatches()))
	for i, m := range told.GetLatches() {
		scope, err := contract.DecodeTradingScope(m.GetScope())
		if err != nil {
			return fmt.Errorf("wrong latch: latch %d of %d: %w", i+1, len(*latches), err)
		}
		alarm, err := decodeAlarm(&aetherionv1.PretradeAlarm{
			Sequence: m.GetSequence(), OrdRejReason: m.GetOrdRejReason(), Scope: scope.String(), RiskLimit: m.GetRiskLimit(),
			Value: m.GetValue(), TradingState: m.GetTradingState(),
		})
		if err != nil {
			return fmt.Errorf("wrong latch: latch %d of %d: %w", i+1, len(*latches), err)
		}
		(*latches)[i] = Latch{alarm, scope}
	}
	return nil
}

func (g *Gate) setLatches(latches []Latch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.latches = latches
}

func (a *alarms) raise(alarm Alarm) bool {
	if n := len(a.kept); n > 0 && (alarm.Sequence < a.kept[n-1].Sequence || slices.Contains(a.kept, alarm)) {
		return false
	}
	a.total++
	a.kept = append(a.kept, alarm)
	if len(a.kept) > alarmsKept {
		a.kept = slices.Delete(a.kept, 0, 1)
	}
	return true
}
