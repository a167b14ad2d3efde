package journal

import (
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// encodeCommand sets what is said of orders besides the plain order and its cancel.
func encodeCommand(m *pb.JournalEvent, input engine.Input) bool {
	switch input := input.(type) {
	case *engine.OrderListDecision:
		m.Input = &pb.JournalEvent_NewOrderList{NewOrderList: orderListDecision(input)}
	case *engine.ReplaceDecision:
		m.Input = &pb.JournalEvent_ReplaceOrder{ReplaceOrder: replaceDecision(input)}
	case *engine.MassCancelOrders:
		m.Input = &pb.JournalEvent_MassCancelOrders{MassCancelOrders: contract.EncodeMassCancelOrders(input)}
	case *engine.Triggered:
		m.Input = &pb.JournalEvent_Triggered{Triggered: &pb.Triggered{OrderId: input.OrderID, MdSequence: input.MDSequence, Price: input.Price}}
	case *engine.Watermark:
		m.Input = &pb.JournalEvent_Watermark{Watermark: &pb.Watermark{OrderId: input.OrderID, Price: input.Price}}
	case *engine.Timer:
		m.Input = &pb.JournalEvent_Timer{Timer: &pb.Timer{DayBegan: input.DayBegan}}
	case *engine.SessionBegan:
		m.Input = &pb.JournalEvent_SessionBegan{SessionBegan: &pb.SessionBegan{SessionId: input.SessionID, CancelGraceNs: input.Grace}}
	case *engine.SessionLost:
		m.Input = &pb.JournalEvent_SessionLost{SessionLost: &pb.SessionLost{SessionId: input.SessionID}}
	case *engine.OrderInDoubt:
		m.Input = &pb.JournalEvent_OrderInDoubt{OrderInDoubt: &pb.OrderInDoubt{OrderId: input.OrderID, Text: input.Text}}
	case *engine.ExternalOrder:
		m.Input = &pb.JournalEvent_ExternalOrder{ExternalOrder: externalOrder(input)}
	default:
		return false
	}
	return true
}

// decodeCommand gives nil for what is not of encodeCommand.
func decodeCommand(m *pb.JournalEvent) (engine.Input, error) {
	switch input := m.Input.(type) {
	case *pb.JournalEvent_NewOrderList:
		return orderListDecisionFrom(input.NewOrderList)
	case *pb.JournalEvent_ReplaceOrder:
		return replaceDecisionFrom(input.ReplaceOrder)
	case *pb.JournalEvent_MassCancelOrders:
		c := input.MassCancelOrders
		return &engine.MassCancelOrders{ClOrdID: c.GetClOrdId(), Account: c.GetAccount(), StrategyID: c.GetStrategyId(),
			InstrumentID: c.GetInstrumentId(), Side: engine.Side(c.GetSide())}, nil
	case *pb.JournalEvent_Triggered:
		t := input.Triggered
		return &engine.Triggered{OrderID: t.GetOrderId(), MDSequence: t.GetMdSequence(), Price: t.GetPrice()}, nil
	case *pb.JournalEvent_Watermark:
		return &engine.Watermark{OrderID: input.Watermark.GetOrderId(), Price: input.Watermark.GetPrice()}, nil
	case *pb.JournalEvent_Timer:
		return &engine.Timer{DayBegan: input.Timer.GetDayBegan()}, nil
	case *pb.JournalEvent_SessionBegan:
		return &engine.SessionBegan{SessionID: input.SessionBegan.GetSessionId(), Grace: input.SessionBegan.GetCancelGraceNs()}, nil
	case *pb.JournalEvent_SessionLost:
		return &engine.SessionLost{SessionID: input.SessionLost.GetSessionId()}, nil
	case *pb.JournalEvent_OrderInDoubt:
		return &engine.OrderInDoubt{OrderID: input.OrderInDoubt.GetOrderId(), Text: input.OrderInDoubt.GetText()}, nil
	case *pb.JournalEvent_ExternalOrder:
		return externalOrderFrom(input.ExternalOrder), nil
	}
	return nil, nil
}

func orderListDecision(d *engine.OrderListDecision) *pb.OrderListDecision {
	encoded := &pb.OrderListDecision{
		NewOrderList: contract.EncodeNewOrderList(&d.List), Approved: d.Approved, SessionId: d.SessionID,
	}
	for i := range d.Decisions {
		one := orderDecision(&d.Decisions[i])
		one.NewOrder = nil
		encoded.Decisions = append(encoded.Decisions, one)
	}
	return encoded
}

func orderListDecisionFrom(d *pb.OrderListDecision) (engine.Input, error) {
	decoded := &engine.OrderListDecision{
		List: contract.NewOrderListOf(d.GetNewOrderList()), Approved: d.GetApproved(), SessionID: d.GetSessionId(),
	}
	for i, one := range d.GetDecisions() {
		decision, err := orderDecisionFrom(one)
		if err != nil {
			return nil, fmt.Errorf("decisions[%d].%w", i, err)
		}
		decoded.Decisions = append(decoded.Decisions, *decision)
	}
	return decoded, nil
}

func replaceDecision(d *engine.ReplaceDecision) *pb.ReplaceDecision {
	return &pb.ReplaceDecision{
		ReplaceOrder: contract.EncodeReplaceOrder(&d.Replace), Approved: d.Approved, OrdRejReason: pb.OrdRejReason(d.OrdRejReason),
		CxlRejReason: pb.CxlRejReason(d.CxlRejReason), RejectedBy: pb.RejectedBy(d.RejectedBy), Text: d.Text,
		CheckFailures: contract.EncodeCheckFailures(d.CheckFailures),
	}
}

func replaceDecisionFrom(d *pb.ReplaceDecision) (engine.Input, error) {
	failures, err := contract.DecodeCheckFailures(d.GetCheckFailures())
	if err != nil {
		return nil, err
	}
	return &engine.ReplaceDecision{
		Replace: contract.ReplaceOrderOf(d.GetReplaceOrder()), Approved: d.GetApproved(),
		OrdRejReason: engine.OrdRejReason(d.GetOrdRejReason()), CxlRejReason: engine.CxlRejReason(d.GetCxlRejReason()),
		RejectedBy: engine.RejectedBy(d.GetRejectedBy()), Text: d.GetText(), CheckFailures: failures,
	}, nil
}

func externalOrder(o *engine.ExternalOrder) *pb.ExternalOrder {
	encoded := &pb.ExternalOrder{
		NewOrder: contract.EncodeNewOrder(&o.NewOrder), VenueClOrdId: o.VenueClOrdID, VenueOrderId: o.VenueOrderID,
	}
	for i := range o.Fills {
		f := &o.Fills[i]
		encoded.Fills = append(encoded.Fills, &pb.ExternalFill{ExecId: f.ExecID, LastQty: f.LastQty, LastPx: f.LastPx})
	}
	return encoded
}

func externalOrderFrom(o *pb.ExternalOrder) *engine.ExternalOrder {
	decoded := &engine.ExternalOrder{
		NewOrder: contract.NewOrderOf(o.GetNewOrder()), VenueClOrdID: o.GetVenueClOrdId(), VenueOrderID: o.GetVenueOrderId(),
	}
	for _, f := range o.GetFills() {
		decoded.Fills = append(decoded.Fills, engine.ExternalFill{ExecID: f.GetExecId(), LastQty: f.GetLastQty(), LastPx: f.GetLastPx()})
	}
	return decoded
}
