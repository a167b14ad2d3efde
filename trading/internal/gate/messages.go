package gate

import (
	"fmt"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// Domain values to messages of the contract, and its decisions back.

func checkMessage(check *engine.PretradeCheck) *aetherionv1.PretradeEvent {
	return &aetherionv1.PretradeEvent{
		Sequence:       check.Sequence,
		TransactTimeNs: check.TransactTime,
		Event: &aetherionv1.PretradeEvent_Check{Check: &aetherionv1.PretradeCheck{
			OrderId:  check.OrderID,
			NewOrder: contract.EncodeNewOrder(&check.NewOrder),
		}},
	}
}

func eventMessage(event *engine.PretradeEvent) *aetherionv1.PretradeEvent {
	m := &aetherionv1.PretradeEvent{Sequence: event.Sequence, TransactTimeNs: event.TransactTime}
	switch {
	case event.Fill != nil:
		m.Event = &aetherionv1.PretradeEvent_Fill{Fill: &aetherionv1.PretradeFill{
			OrderId:      event.Fill.OrderID,
			Account:      event.Fill.Account,
			InstrumentId: event.Fill.InstrumentID,
			Side:         aetherionv1.Side(event.Fill.Side),
			LastQty:      event.Fill.LastQty,
			LastPx:       event.Fill.LastPx,
		}}
	case event.Release != nil:
		m.Event = &aetherionv1.PretradeEvent_Release{Release: &aetherionv1.PretradeRelease{OrderId: event.Release.OrderID}}
	case event.Adjust != nil:
		m.Event = &aetherionv1.PretradeEvent_Adjust{Adjust: &aetherionv1.PretradeAdjust{
			Account:      event.Adjust.Account,
			InstrumentId: event.Adjust.InstrumentID,
			Qty:          event.Adjust.Qty,
		}}
	case event.Mark != nil:
		m.Event = &aetherionv1.PretradeEvent_Mark{Mark: markMessage(event.Mark)}
	case event.RiskLimits != nil:
		m.Event = &aetherionv1.PretradeEvent_RiskLimits{RiskLimits: contract.EncodeRiskLimits(event.RiskLimits)}
	case event.Instrument != nil:
		m.Event = &aetherionv1.PretradeEvent_Instrument{Instrument: contract.EncodeInstrument(event.Instrument)}
	case event.AccountOpened != nil:
		m.Event = &aetherionv1.PretradeEvent_AccountOpened{AccountOpened: accountMessage(event.AccountOpened)}
	}
	return m
}

func snapshotMessage(snapshot *engine.PretradeSnapshot) *aetherionv1.PretradeEvent {
	return &aetherionv1.PretradeEvent{
		Sequence:       snapshot.Sequence,
		TransactTimeNs: snapshot.TransactTime,
		Event: &aetherionv1.PretradeEvent_Snapshot{Snapshot: &aetherionv1.PretradeSnapshot{
			Instruments: messages(snapshot.Instruments, contract.EncodeInstrument),
			Accounts:    messages(snapshot.Accounts, accountMessage),
			RiskLimits:  contract.EncodeRiskLimits(&snapshot.RiskLimits),
			Positions:   messages(snapshot.Positions, positionMessage),
			Holds:       messages(snapshot.Holds, holdMessage),
			Marks:       messages(snapshot.Marks, markMessage),
		}},
	}
}

func messages[Value, Message any](values []Value, message func(*Value) *Message) []*Message {
	all := make([]*Message, len(values))
	for i := range values {
		all[i] = message(&values[i])
	}
	return all
}

func accountMessage(a *engine.AccountOpened) *aetherionv1.AccountOpened {
	return &aetherionv1.AccountOpened{Account: a.Account, BaseCurrency: a.BaseCurrency}
}

func positionMessage(p *engine.PretradePosition) *aetherionv1.PretradePosition {
	return &aetherionv1.PretradePosition{Account: p.Account, InstrumentId: p.InstrumentID, NetQty: p.NetQty}
}

func holdMessage(h *engine.PretradeHold) *aetherionv1.PretradeHold {
	return &aetherionv1.PretradeHold{
		OrderId:      h.OrderID,
		Account:      h.Account,
		InstrumentId: h.InstrumentID,
		Side:         aetherionv1.Side(h.Side),
		LeavesQty:    h.LeavesQty,
	}
}

func markMessage(m *engine.Mark) *aetherionv1.Mark {
	return &aetherionv1.Mark{InstrumentId: m.InstrumentID, MarkPx: m.MarkPx}
}

// decisionOf reads the answer to check. What does not answer it, or contradicts itself, is an error.
func decisionOf(m *aetherionv1.PretradeDecision, check *engine.PretradeCheck) (engine.OrderDecision, error) {
	if m.GetSequence() != check.Sequence || m.GetOrderId() != check.OrderID {
		return engine.OrderDecision{}, fmt.Errorf("sequence and order_id must be %d and %d, got %d and %d",
			check.Sequence, check.OrderID, m.GetSequence(), m.GetOrderId())
	}
	failures := m.GetCheckFailures()
	if m.GetApproved() {
		if len(failures) > 0 {
			return engine.OrderDecision{}, fmt.Errorf("order %d: approved with %d failed checks", check.Sequence, len(failures))
		}
		return engine.OrderDecision{NewOrder: check.NewOrder, Approved: true}, nil
	}
	if len(failures) == 0 {
		return engine.OrderDecision{}, fmt.Errorf("order %d: refused without a reason", check.Sequence)
	}
	decoded, err := contract.DecodeCheckFailures(failures)
	if err != nil {
		return engine.OrderDecision{}, fmt.Errorf("order %d: %w", check.Sequence, err)
	}
	decision := refusal(check, decoded[0].OrdRejReason, failureText(&decoded[0]))
	decision.CheckFailures = decoded
	return decision, nil
}

func failureText(failure *engine.CheckFailure) string {
	return fmt.Sprintf("%s: limit %s, the order would make %s", failure.Scope, failure.RiskLimit, failure.Value)
}
