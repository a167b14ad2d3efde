package sequencer

import (
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// full is a journal whose disk is full when it is low.
type full struct {
	*journal.Memory
	low bool
}

func (f *full) Low() bool { return f.low }

// On a full disk a cancel and a reduction are taken, and what could wait leaves no event and may come again.
func TestOnAFullDiskCancelsAndReductionsAreTaken(t *testing.T) {
	b := newBench(t)
	kept := &full{Memory: b.journal}
	b.sequencer.journal = kept
	b.process(order("before", 100))
	kept.low = true
	last := b.journal.LastSequence()
	list := &engine.OrderListDecision{List: engine.NewOrderList{ListID: "list", Account: "A", ContingencyType: engine.OCO,
		Orders: []engine.NewOrder{order("l1", 100).NewOrder, order("l2", 100).NewOrder}}}
	replace := &engine.ReplaceDecision{Replace: engine.ReplaceOrder{ClOrdID: "replace", OrigClOrdID: "before", Account: "A", OrderQty: 200, Price: 1000, HasPrice: true}}
	reduce := &engine.ReplaceDecision{Replace: replace.Replace}
	reduce.Replace.ClOrdID, reduce.Replace.OrderQty = "reduce", 50
	for i, result := range b.process(order("now", 100), list, replace).Results {
		if ack := result.Ack; ack.OrdRejReason != engine.RejJournalFull || ack.ExecType != engine.ExecRejected || ack.Sequence != 0 || result.Err != nil {
			t.Errorf("command %d: %+v", i, result)
		}
	}
	if got := b.journal.LastSequence(); got != last {
		t.Errorf("%d events were written for what could wait", got-last)
	}
	if ack := b.process(reduce).Results[0].Ack; ack.ExecType != engine.ExecPendingReplace {
		t.Errorf("reduction: %+v", ack)
	}
	if ack := b.process(cancel("before")).Results[0].Ack; ack.ExecType != engine.ExecPendingCancel {
		t.Errorf("cancel: %+v", ack)
	}
	if ack := b.process(order("before", 100)).Results[0].Ack; ack.ExecType != engine.ExecPendingNew {
		t.Errorf("the outcome of an order before: %+v", ack)
	}
	kept.low = false
	if ack := b.process(order("now", 100)).Results[0].Ack; ack.ExecType != engine.ExecPendingNew {
		t.Errorf("with room again: %+v", ack)
	}
}
