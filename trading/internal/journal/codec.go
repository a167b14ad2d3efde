package journal

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// Encode is the event as it stands in the journal.
func Encode(event *engine.Event) ([]byte, error) { return AppendEvent(nil, event) }

// AppendEvent appends the event as it stands in the journal.
func AppendEvent(to []byte, event *engine.Event) ([]byte, error) {
	if encoded, done := appendHot(to, event); done {
		return encoded, nil
	}
	m, err := eventMessage(event)
	if err != nil {
		return nil, err
	}
	// Deterministic, so that the same run gives the same bytes.
	encoded, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(to, m)
	if err != nil {
		return nil, fmt.Errorf("encode sequence %d: %w", event.Sequence, err)
	}
	return encoded, nil
}

func eventMessage(event *engine.Event) (*pb.JournalEvent, error) {
	m := &pb.JournalEvent{Sequence: event.Sequence, TransactTimeNs: event.TransactTime}
	switch input := event.Input.(type) {
	case *engine.OrderDecision:
		m.Input = &pb.JournalEvent_NewOrder{NewOrder: orderDecision(input)}
	case *engine.CancelOrder:
		m.Input = &pb.JournalEvent_CancelOrder{CancelOrder: contract.EncodeCancelOrder(input)}
	case *engine.VenueReport:
		m.Input = &pb.JournalEvent_VenueReport{VenueReport: venueReport(input)}
	case *engine.Mark:
		m.Input = &pb.JournalEvent_Mark{Mark: &pb.Mark{InstrumentId: input.InstrumentID, MarkPx: input.MarkPx}}
	case *engine.Adjustment:
		m.Input = &pb.JournalEvent_Adjustment{Adjustment: adjustment(input)}
	case *engine.LimitChange:
		m.Input = &pb.JournalEvent_LimitChange{LimitChange: &pb.LimitChange{
			RiskLimits: contract.EncodeRiskLimits(&input.RiskLimits), ChangedBy: input.ChangedBy, Reason: input.Reason, ApprovedBy: input.ApprovedBy}}
	case *engine.Instrument:
		m.Input = &pb.JournalEvent_Instrument{Instrument: contract.EncodeInstrument(input)}
	case *engine.AccountOpened:
		m.Input = &pb.JournalEvent_AccountOpened{AccountOpened: &pb.AccountOpened{
			Account: input.Account, BaseCurrency: input.BaseCurrency}}
	default:
		if !encodeCommand(m, event.Input) && !encodeControl(m, event.Input) {
			return nil, fmt.Errorf("encode sequence %d: unknown input %T", event.Sequence, event.Input)
		}
	}
	return m, nil
}

// Decode is the event that Encode wrote.
func Decode(encoded []byte) (engine.Event, error) {
	m := &pb.JournalEvent{}
	if err := proto.Unmarshal(encoded, m); err != nil {
		return engine.Event{}, fmt.Errorf("decode: %w", err)
	}
	input, err := decodeInput(m)
	if err != nil {
		return engine.Event{}, fmt.Errorf("decode sequence %d: %w", m.Sequence, err)
	}
	return engine.Event{Sequence: m.Sequence, TransactTime: m.TransactTimeNs, Input: input}, nil
}

func decodeInput(m *pb.JournalEvent) (engine.Input, error) {
	switch input := m.Input.(type) {
	case *pb.JournalEvent_NewOrder:
		decision, err := orderDecisionFrom(input.NewOrder)
		return decision, err
	case *pb.JournalEvent_CancelOrder:
		c := input.CancelOrder
		return &engine.CancelOrder{ClOrdID: c.GetClOrdId(), OrigClOrdID: c.GetOrigClOrdId(), Account: c.GetAccount()}, nil
	case *pb.JournalEvent_VenueReport:
		return venueReportFrom(input.VenueReport)
	case *pb.JournalEvent_Mark:
		return &engine.Mark{InstrumentID: input.Mark.GetInstrumentId(), MarkPx: input.Mark.GetMarkPx()}, nil
	case *pb.JournalEvent_Adjustment:
		return adjustmentFrom(input.Adjustment)
	case *pb.JournalEvent_LimitChange:
		c := input.LimitChange
		limits, err := contract.DecodeRiskLimits(c.GetRiskLimits())
		return &engine.LimitChange{RiskLimits: limits, ChangedBy: c.GetChangedBy(), Reason: c.GetReason(), ApprovedBy: c.GetApprovedBy()}, err
	case *pb.JournalEvent_Instrument:
		definition, err := contract.DecodeInstrument(input.Instrument)
		return &definition, err
	case *pb.JournalEvent_AccountOpened:
		return &engine.AccountOpened{Account: input.AccountOpened.GetAccount(), BaseCurrency: input.AccountOpened.GetBaseCurrency()}, nil
	}
	return decodeMore(m)
}

func decodeMore(m *pb.JournalEvent) (engine.Input, error) {
	input, err := decodeCommand(m)
	if input == nil && err == nil {
		input, err = decodeControl(m)
	}
	if input == nil && err == nil {
		err = fmt.Errorf("unknown input %T", m.Input)
	}
	return input, err
}

func orderDecision(d *engine.OrderDecision) *pb.OrderDecision {
	return &pb.OrderDecision{
		NewOrder: contract.EncodeNewOrder(&d.NewOrder), Approved: d.Approved, OrdRejReason: pb.OrdRejReason(d.OrdRejReason),
		RejectedBy: pb.RejectedBy(d.RejectedBy), Text: d.Text, CheckFailures: contract.EncodeCheckFailures(d.CheckFailures),
		SessionId: d.SessionID,
	}
}

func orderDecisionFrom(d *pb.OrderDecision) (*engine.OrderDecision, error) {
	failures, err := contract.DecodeCheckFailures(d.GetCheckFailures())
	if err != nil {
		return nil, err
	}
	return &engine.OrderDecision{
		NewOrder: contract.NewOrderOf(d.GetNewOrder()), Approved: d.GetApproved(),
		OrdRejReason: engine.OrdRejReason(d.GetOrdRejReason()), RejectedBy: engine.RejectedBy(d.GetRejectedBy()),
		Text: d.GetText(), CheckFailures: failures, SessionID: d.GetSessionId(),
	}, nil
}

func venueReport(r *engine.VenueReport) *pb.VenueReport {
	return &pb.VenueReport{
		Venue: r.Venue, OrderId: r.OrderID, VenueOrderId: r.VenueOrderID, ExecId: r.ExecID,
		ExecType: pb.ExecType(r.ExecType), TransactTimeNs: r.TransactTime, LastQty: r.LastQty, LastPx: r.LastPx,
		LastLiquidityInd: pb.LiquidityInd(r.LastLiquidityInd), Commission: contract.EncodeMoney(r.Commission),
		CxlRejReason: pb.CxlRejReason(r.CxlRejReason), Text: r.Text, ExecRefId: r.ExecRefID, OrderQty: r.OrderQty,
		Price: present(r.Price, r.HasPrice), StopPx: present(r.StopPx, r.HasStopPx), Lapsed: r.Lapsed,
	}
}

func venueReportFrom(r *pb.VenueReport) (engine.Input, error) {
	commission, err := contract.DecodeMoney("commission", r.GetCommission())
	if err != nil {
		return nil, err
	}
	return &engine.VenueReport{
		Venue: r.GetVenue(), OrderID: r.GetOrderId(), VenueOrderID: r.GetVenueOrderId(), ExecID: r.GetExecId(),
		ExecType: engine.ExecType(r.GetExecType()), TransactTime: r.GetTransactTimeNs(), LastQty: r.GetLastQty(), LastPx: r.GetLastPx(),
		LastLiquidityInd: engine.LiquidityInd(r.GetLastLiquidityInd()), Commission: commission,
		CxlRejReason: engine.CxlRejReason(r.GetCxlRejReason()), Text: r.GetText(), ExecRefID: r.GetExecRefId(), OrderQty: r.GetOrderQty(),
		Price: r.GetPrice(), HasPrice: r != nil && r.Price != nil, StopPx: r.GetStopPx(), HasStopPx: r != nil && r.StopPx != nil,
		Lapsed: r.GetLapsed(),
	}, nil
}

func present(value int64, has bool) *int64 {
	if !has {
		return nil
	}
	return &value
}

func adjustment(a *engine.Adjustment) *pb.Adjustment {
	return &pb.Adjustment{Account: a.Account, Cash: contract.EncodeMoney(a.Cash), InstrumentId: a.InstrumentID,
		Qty: a.Qty, Price: a.Price, Reason: a.Reason}
}

func adjustmentFrom(a *pb.Adjustment) (engine.Input, error) {
	cash, err := contract.DecodeMoney("cash", a.GetCash())
	if err != nil {
		return nil, err
	}
	return &engine.Adjustment{Account: a.GetAccount(), Cash: cash, InstrumentID: a.GetInstrumentId(),
		Qty: a.GetQty(), Price: a.GetPrice(), Reason: a.GetReason()}, nil
}
