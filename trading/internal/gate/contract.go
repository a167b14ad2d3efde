package gate

import (
	"fmt"
	"math"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// Domain values to messages of the contract, and its decisions back.

func checkMessage(check *engine.PretradeCheck) *aetherionv1.PretradeEvent {
	// One allocation a check: this is the hot path.
	m := &struct {
		event aetherionv1.PretradeEvent
		one   aetherionv1.PretradeEvent_Check
		check aetherionv1.PretradeCheck
		order aetherionv1.NewOrder
		price int64
	}{price: check.NewOrder.Price}
	order := &check.NewOrder
	m.order.ClOrdId = order.ClOrdID
	m.order.Account = order.Account
	m.order.StrategyId = order.StrategyID
	m.order.InstrumentId = order.InstrumentID
	m.order.Side = aetherionv1.Side(order.Side)
	m.order.OrdType = aetherionv1.OrdType(order.OrdType)
	m.order.TimeInForce = aetherionv1.TimeInForce(order.TimeInForce)
	m.order.OrderQty = order.OrderQty
	if order.HasPrice {
		m.order.Price = &m.price
	}
	m.check.OrderId = check.Sequence
	m.check.NewOrder = &m.order
	m.one.Check = &m.check
	m.event.Sequence = check.Sequence
	m.event.TransactTimeNs = check.TransactTime
	m.event.Event = &m.one
	return &m.event
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
		m.Event = &aetherionv1.PretradeEvent_RiskLimits{RiskLimits: riskLimitsMessage(event.RiskLimits)}
	case event.Instrument != nil:
		m.Event = &aetherionv1.PretradeEvent_Instrument{Instrument: instrumentMessage(event.Instrument)}
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
			Instruments: messages(snapshot.Instruments, instrumentMessage),
			Accounts:    messages(snapshot.Accounts, accountMessage),
			RiskLimits:  riskLimitsMessage(&snapshot.RiskLimits),
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

func instrumentMessage(i *engine.Instrument) *aetherionv1.Instrument {
	return &aetherionv1.Instrument{
		InstrumentId:       i.InstrumentID,
		Version:            i.Version,
		InstrumentClass:    aetherionv1.InstrumentClass(i.Class),
		BaseCurrency:       i.BaseCurrency,
		QuoteCurrency:      i.QuoteCurrency,
		PriceScale:         i.PriceScale,
		QtyScale:           i.QtyScale,
		PriceIncrement:     i.PriceIncrement,
		QtyIncrement:       i.QtyIncrement,
		MinQty:             i.MinQty,
		MaxQty:             i.MaxQty,
		Multiplier:         decimalMessage(&i.Multiplier),
		MakerFeeRatio:      decimalMessage(&i.MakerFeeRatio),
		TakerFeeRatio:      decimalMessage(&i.TakerFeeRatio),
		AllowNegativePrice: i.AllowNegativePrice,
	}
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

func riskLimitsMessage(limits *engine.RiskLimits) *aetherionv1.RiskLimits {
	return &aetherionv1.RiskLimits{
		Version:            limits.Version,
		Limits:             messages(limits.Limits, riskLimitMessage),
		MarketOrderBandBps: limits.MarketOrderBandBps,
	}
}

func riskLimitMessage(limit *engine.RiskLimit) *aetherionv1.RiskLimit {
	return &aetherionv1.RiskLimit{
		Account:          limit.Account,
		InstrumentId:     limit.InstrumentID,
		MaxOrderQty:      decimalMessage(limit.MaxOrderQty),
		MaxOrderNotional: decimalMessage(limit.MaxOrderNotional),
		MaxPositionQty:   decimalMessage(limit.MaxPositionQty),
	}
}

// decimalMessage of nil is absent.
func decimalMessage(d *engine.Decimal) *aetherionv1.Decimal {
	if d == nil {
		return nil
	}
	return &aetherionv1.Decimal{Mantissa: d.Mantissa, Scale: d.Scale}
}

// decisionOf reads the answer to check. What does not answer it, or contradicts itself, is an error.
func decisionOf(m *aetherionv1.PretradeDecision, check *engine.PretradeCheck) (engine.OrderDecision, error) {
	// An order's id is the sequence of its event, but the Risk Service is told both and must return both.
	if m.GetSequence() != check.Sequence || m.GetOrderId() != check.Sequence {
		return engine.OrderDecision{}, fmt.Errorf("sequence and order_id must be %d, got %d and %d",
			check.Sequence, m.GetSequence(), m.GetOrderId())
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
	decision := refusal(check, engine.OrdRejReason(failures[0].GetOrdRejReason()), failureText(failures[0]))
	for _, failure := range failures {
		reason := failure.GetOrdRejReason()
		if reason <= 0 || reason > math.MaxUint8 {
			return engine.OrderDecision{}, fmt.Errorf("order %d: ord_rej_reason %d is none", check.Sequence, reason)
		}
		decision.CheckFailures = append(decision.CheckFailures, engine.CheckFailure{
			OrdRejReason: engine.OrdRejReason(reason),
			Scope:        failure.GetScope(),
			RiskLimit:    failure.GetRiskLimit(),
			Value:        failure.GetValue(),
		})
	}
	return decision, nil
}

func failureText(failure *aetherionv1.CheckFailure) string {
	return fmt.Sprintf("%s: limit %s, the order would make %s", failure.GetScope(), failure.GetRiskLimit(), failure.GetValue())
}
