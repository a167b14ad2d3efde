package gate

import (
	"fmt"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// Domain values to messages of the contract, and its decisions back.

// questions are the events that ask about checks, the orders of a list in one. Each has as many answers as
// checks.
func questions(checks []engine.PretradeCheck) (events []*aetherionv1.PretradeEvent, answers []int) {
	events, answers = make([]*aetherionv1.PretradeEvent, 0, len(checks)), make([]int, 0, len(checks))
	for len(checks) > 0 {
		n := max(1, checks[0].ListOrders)
		event := &aetherionv1.PretradeEvent{Sequence: checks[0].Sequence, TransactTimeNs: checks[0].TransactTime}
		switch first := &checks[0]; {
		case first.ListOrders > 0:
			event.Event = &aetherionv1.PretradeEvent_ListCheck{ListCheck: &aetherionv1.PretradeListCheck{
				ContingencyType: aetherionv1.ContingencyType(first.ContingencyType),
				Checks:          messages(checks[:n], checkMessage),
			}}
		case first.Replaces:
			event.Event = &aetherionv1.PretradeEvent_ReplaceCheck{ReplaceCheck: &aetherionv1.PretradeReplaceCheck{
				OrderId: first.OrderID, NewOrder: contract.EncodeNewOrder(first.NewOrder), CumQty: first.CumQty,
			}}
		default:
			event.Event = &aetherionv1.PretradeEvent_Check{Check: checkMessage(first)}
		}
		events, answers = append(events, event), append(answers, n)
		checks = checks[n:]
	}
	return events, answers
}

func checkMessage(check *engine.PretradeCheck) *aetherionv1.PretradeCheck {
	m := &aetherionv1.PretradeCheck{
		OrderId: check.OrderID, NewOrder: contract.EncodeNewOrder(check.NewOrder), BatchOrders: check.BatchOrders,
	}
	if check.BatchNotional != nil {
		m.BatchNotional = contract.EncodeDecimal(*check.BatchNotional)
	}
	return m
}

func eventMessage(event *engine.PretradeEvent) *aetherionv1.PretradeEvent {
	m := &aetherionv1.PretradeEvent{Sequence: event.Sequence, TransactTimeNs: event.TransactTime}
	switch {
	case event.Fill != nil:
		m.Event = &aetherionv1.PretradeEvent_Fill{Fill: fillMessage(event.Fill)}
	case event.Release != nil:
		m.Event = &aetherionv1.PretradeEvent_Release{Release: &aetherionv1.PretradeRelease{OrderId: event.Release.OrderID}}
	case event.Restated != nil:
		m.Event = &aetherionv1.PretradeEvent_Restated{Restated: holdMessage(event.Restated)}
	case event.VenueReject != nil:
		m.Event = &aetherionv1.PretradeEvent_VenueReject{VenueReject: &aetherionv1.PretradeVenueReject{OrderId: event.VenueReject.OrderID}}
	case event.Correction != nil:
		m.Event = &aetherionv1.PretradeEvent_Correction{Correction: correctionMessage(event.Correction)}
	case event.Adjust != nil:
		m.Event = &aetherionv1.PretradeEvent_Adjust{Adjust: &aetherionv1.PretradeAdjust{
			Account: event.Adjust.Account, InstrumentId: event.Adjust.InstrumentID, Qty: event.Adjust.Qty, StrategyId: event.Adjust.StrategyID,
		}}
	case event.Cash != nil:
		m.Event = &aetherionv1.PretradeEvent_Cash{Cash: cashMessage(event.Cash)}
	default:
		setControl(m, event)
	}
	return m
}

// setControl sets what binds orders rather than moves them.
func setControl(m *aetherionv1.PretradeEvent, event *engine.PretradeEvent) {
	switch {
	case event.Mark != nil:
		m.Event = &aetherionv1.PretradeEvent_Mark{Mark: markMessage(event.Mark)}
	case event.RiskLimits != nil:
		m.Event = &aetherionv1.PretradeEvent_RiskLimits{RiskLimits: contract.EncodeRiskLimits(event.RiskLimits)}
	case event.Instrument != nil:
		m.Event = &aetherionv1.PretradeEvent_Instrument{Instrument: contract.EncodeInstrument(event.Instrument)}
	case event.AccountOpened != nil:
		m.Event = &aetherionv1.PretradeEvent_AccountOpened{AccountOpened: accountMessage(event.AccountOpened)}
	case event.TradingState != nil:
		m.Event = &aetherionv1.PretradeEvent_TradingStateChange{TradingStateChange: contract.EncodeTradingStateChange(event.TradingState)}
	case event.KillSwitch != nil:
		m.Event = &aetherionv1.PretradeEvent_KillSwitchChange{KillSwitchChange: contract.EncodeKillSwitchChange(event.KillSwitch)}
	case event.FxRates != nil:
		m.Event = &aetherionv1.PretradeEvent_FxRates{FxRates: contract.EncodeFxRates(event.FxRates)}
	case event.Model != nil:
		m.Event = &aetherionv1.PretradeEvent_PretradeModel{PretradeModel: contract.EncodePretradeModel(event.Model)}
	}
}

// snapshotMessage is a state with what the Risk Service remembered of it; nil: nothing.
func snapshotMessage(snapshot *engine.PretradeSnapshot, memory *aetherionv1.PretradeMemory) *aetherionv1.PretradeEvent {
	m := &aetherionv1.PretradeSnapshot{
		Instruments:   messages(snapshot.Instruments, contract.EncodeInstrument),
		Accounts:      messages(snapshot.Accounts, accountMessage),
		RiskLimits:    contract.EncodeRiskLimits(&snapshot.RiskLimits),
		Positions:     messages(snapshot.Positions, positionMessage),
		Holds:         messages(snapshot.Holds, holdMessage),
		Marks:         messages(snapshot.Marks, markMessage),
		MarkTimesNs:   snapshot.MarkTimes,
		TradingStates: messages(snapshot.TradingStates, contract.EncodeTradingStateChange),
		KillSwitches:  messages(snapshot.KillSwitches, contract.EncodeKillSwitchChange),
		FxRates:       contract.EncodeFxRates(&snapshot.FxRates),
		Cash:          messages(snapshot.Cash, cashMessage),
		Memory:        memory,
	}
	if snapshot.Model != nil {
		m.PretradeModel = contract.EncodePretradeModel(snapshot.Model)
	}
	return &aetherionv1.PretradeEvent{
		Sequence: snapshot.Sequence, TransactTimeNs: snapshot.TransactTime, Event: &aetherionv1.PretradeEvent_Snapshot{Snapshot: m},
	}
}

func saveMessage(sequence uint64, transactTime int64) *aetherionv1.PretradeEvent {
	return &aetherionv1.PretradeEvent{
		Sequence: sequence, TransactTimeNs: transactTime, Event: &aetherionv1.PretradeEvent_Save{Save: &aetherionv1.PretradeSave{}},
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
	return &aetherionv1.PretradePosition{Account: p.Account, InstrumentId: p.InstrumentID, NetQty: p.NetQty, StrategyId: p.StrategyID}
}

func holdMessage(h *engine.PretradeHold) *aetherionv1.PretradeHold {
	return &aetherionv1.PretradeHold{
		OrderId:         h.OrderID,
		Account:         h.Account,
		InstrumentId:    h.InstrumentID,
		Side:            aetherionv1.Side(h.Side),
		LeavesQty:       h.LeavesQty,
		StrategyId:      h.StrategyID,
		Price:           h.Price,
		IsLimit:         h.IsLimit,
		ListOrderId:     h.ListOrderID,
		ContingencyType: aetherionv1.ContingencyType(h.ContingencyType),
		TransactTimeNs:  h.TransactTime,
		HasTrigger:      h.HasTrigger,
	}
}

func fillMessage(f *engine.PretradeFill) *aetherionv1.PretradeFill {
	return &aetherionv1.PretradeFill{
		OrderId:      f.OrderID,
		Account:      f.Account,
		InstrumentId: f.InstrumentID,
		Side:         aetherionv1.Side(f.Side),
		LastQty:      f.LastQty,
		LastPx:       f.LastPx,
		StrategyId:   f.StrategyID,
		Cash:         contract.EncodeMoney(f.Cash),
	}
}

func correctionMessage(c *engine.PretradeCorrection) *aetherionv1.PretradeCorrection {
	return &aetherionv1.PretradeCorrection{
		OrderId: c.OrderID, Account: c.Account, InstrumentId: c.InstrumentID, Qty: c.Qty, Cash: contract.EncodeMoney(c.Cash), StrategyId: c.StrategyID,
	}
}

func cashMessage(c *engine.PretradeCash) *aetherionv1.PretradeCash {
	return &aetherionv1.PretradeCash{Account: c.Account, Cash: contract.EncodeMoney(c.Cash)}
}

func markMessage(m *engine.Mark) *aetherionv1.Mark {
	return &aetherionv1.Mark{InstrumentId: m.InstrumentID, MarkPx: m.MarkPx}
}

// decisionMessage is a decision as a new stream is told of it.
func decisionMessage(check *engine.PretradeCheck, decision *engine.OrderDecision) *aetherionv1.PretradeDecision {
	m := &aetherionv1.PretradeDecision{Sequence: check.Sequence, OrderId: check.OrderID, Approved: decision.Approved}
	if !decision.Approved {
		m.CheckFailures = contract.EncodeCheckFailures(decision.CheckFailures)
		if len(m.CheckFailures) == 0 {
			m.CheckFailures = []*aetherionv1.CheckFailure{{OrdRejReason: aetherionv1.OrdRejReason(decision.OrdRejReason)}}
		}
	}
	return m
}

// decisionOf reads the answer to check. What does not answer it, or contradicts itself, is an error.
func decisionOf(m *aetherionv1.PretradeDecision, check *engine.PretradeCheck) (*engine.OrderDecision, error) {
	if m.GetSequence() != check.Sequence || m.GetOrderId() != check.OrderID {
		return nil, fmt.Errorf("sequence and order_id must be %d and %d, got %d and %d",
			check.Sequence, check.OrderID, m.GetSequence(), m.GetOrderId())
	}
	failures := m.GetCheckFailures()
	if m.GetApproved() {
		if len(failures) > 0 {
			return nil, fmt.Errorf("order %d: approved with %d failed checks", check.OrderID, len(failures))
		}
		return accepted, nil
	}
	if len(failures) == 0 {
		return nil, fmt.Errorf("order %d: refused without a reason", check.OrderID)
	}
	decoded, err := contract.DecodeCheckFailures(failures)
	if err != nil {
		return nil, fmt.Errorf("order %d: %w", check.OrderID, err)
	}
	decision := refusal(decoded[0].OrdRejReason, failureText(&decoded[0]))
	decision.CheckFailures = decoded
	return decision, nil
}

// otherOfList is why an order is refused that is not at fault itself.
const otherOfList = "new_order_list: another order of the list was refused"

func failureText(failure *engine.CheckFailure) string {
	if failure.OrdRejReason == engine.RejList {
		return otherOfList
	}
	return fmt.Sprintf("%s: limit %s, the order would make %s", failure.Scope, failure.RiskLimit, failure.Value)
}
