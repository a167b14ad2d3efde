package live

import (
	"slices"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/recovery"
)

// following makes from the journal what stands beside the engine: the reports to resume from, and what the
// gate tells the Risk Service again.
type following struct {
	reports *ReportLog
	gate    *gate.Recovered
	batch   []*engine.ExecutionReport
}

// reportsAtOnceRecovered is how many reports are published together.
const reportsAtOnceRecovered = 1024

// recover is the engine where its journal ends, and the sequence of the newest snapshot.
func (f *following) recover(journal recovery.Kept) (snapshot uint64, e *engine.Engine, err error) {
	snapshot, e, err = recovery.Recover(journal, f)
	f.publish()
	return snapshot, e, err
}

func (f *following) Restored(e *engine.Engine, memory *engine.PretradeMemory) {
	f.reports.Since(e.Sequence())
	f.gate = gate.Restore(e.PretradeSnapshot(), memory)
}

// Comes takes over decisions. An order's or a list's event names what was asked; a change is asked for with
// what the order is before it.
func (f *following) Comes(e *engine.Engine, event *engine.Event) {
	switch input := event.Input.(type) {
	case *engine.OrderDecision:
		f.decided(event, []engine.OrderDecision{*input}, engine.PretradeCheck{OrderID: event.Sequence, NewOrder: &input.NewOrder})
	case *engine.OrderListDecision:
		f.listDecided(event, input)
	case *engine.ReplaceDecision:
		order, terms, refusal := e.ValidateReplace(&input.Replace)
		if refusal != nil || order.Reduces(&terms) {
			return // Nobody was asked.
		}
		decision := engine.OrderDecision{Approved: input.Approved, OrdRejReason: input.OrdRejReason, RejectedBy: input.RejectedBy,
			CheckFailures: input.CheckFailures}
		f.decided(event, []engine.OrderDecision{decision},
			engine.PretradeCheck{OrderID: order.OrderID, NewOrder: &terms, Replaces: true, CumQty: order.CumQty})
	}
}

func (f *following) listDecided(event *engine.Event, input *engine.OrderListDecision) {
	checks, decisions := make([]engine.PretradeCheck, len(input.List.Orders)), input.Decisions
	for i := range checks {
		checks[i] = engine.PretradeCheck{OrderID: engine.OrderID(event.Sequence, i), NewOrder: &input.List.Orders[i],
			ContingencyType: input.List.ContingencyType}
	}
	checks[0].ListOrders = len(checks)
	if input.Approved {
		decisions = slices.Repeat([]engine.OrderDecision{{Approved: true}}, len(checks))
	}
	f.decided(event, decisions, checks...)
}

func (f *following) decided(event *engine.Event, decisions []engine.OrderDecision, checks ...engine.PretradeCheck) {
	for i := range checks {
		checks[i].Sequence, checks[i].TransactTime = event.Sequence, event.TransactTime
	}
	f.gate.Decided(checks, decisions)
}

func (f *following) Follows(effects *engine.Effects) {
	f.gate.Told(effects.Pretrade)
	if f.batch = append(f.batch, effects.Reports...); len(f.batch) >= reportsAtOnceRecovered {
		f.publish()
	}
}

func (f *following) publish() {
	f.reports.Publish(f.batch)
	f.batch = nil
}
