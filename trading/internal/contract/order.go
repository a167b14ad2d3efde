package contract

import (
	"cmp"
	"errors"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodeNewOrder gives the contract's form.
func EncodeNewOrder(o *engine.NewOrder) *pb.NewOrder {
	return &pb.NewOrder{
		ClOrdId:             o.ClOrdID,
		Account:             o.Account,
		StrategyId:          o.StrategyID,
		InstrumentId:        o.InstrumentID,
		Side:                pb.Side(o.Side),
		OrdType:             pb.OrdType(o.OrdType),
		TimeInForce:         pb.TimeInForce(o.TimeInForce),
		OrderQty:            o.OrderQty,
		Price:               present(o.Price, o.HasPrice),
		StopPx:              present(o.StopPx, o.HasStopPx),
		DisplayQty:          o.DisplayQty,
		ExpireTimeNs:        o.ExpireTime,
		ExecInsts:           encodeExecInsts(o.ExecInsts),
		SelfTradePrevention: pb.SelfTradePrevention(o.STP),
		TrailingAmount:      o.TrailingAmount,
		TrailingBps:         o.TrailingBps,
	}
}

// DecodeNewOrder checks names and enumerations. Prices and quantities are for the sequencer to judge:
// an order that breaks their rules is refused, which is an answer and not an error.
func DecodeNewOrder(o *pb.NewOrder) (engine.NewOrder, error) {
	if o == nil {
		return engine.NewOrder{}, errors.New("new_order: is missing")
	}
	_, sideErr := specified[engine.Side]("side", o.GetSide(), pb.Side_name)
	_, ordTypeErr := specified[engine.OrdType]("ord_type", o.GetOrdType(), pb.OrdType_name)
	_, tifErr := specified[engine.TimeInForce]("time_in_force", o.GetTimeInForce(), pb.TimeInForce_name)
	_, stpErr := optional[engine.SelfTradePrevention]("self_trade_prevention", o.GetSelfTradePrevention(), pb.SelfTradePrevention_name)
	err := first(
		Name("cl_ord_id", o.GetClOrdId()), Name("account", o.GetAccount()), Name("instrument_id", o.GetInstrumentId()),
		StrategyID(o.GetStrategyId()), sideErr, ordTypeErr, tifErr, stpErr, checkExecInsts(o.GetExecInsts()),
	)
	if err != nil {
		return engine.NewOrder{}, err
	}
	return NewOrderOf(o), nil
}

// NewOrderOf refuses nothing: a journal also holds orders that were refused for what stands in them.
func NewOrderOf(o *pb.NewOrder) engine.NewOrder {
	if o == nil {
		return engine.NewOrder{}
	}
	return engine.NewOrder{
		ClOrdID:        o.GetClOrdId(),
		Account:        o.GetAccount(),
		StrategyID:     o.GetStrategyId(),
		InstrumentID:   o.GetInstrumentId(),
		Side:           engine.Side(o.GetSide()),
		OrdType:        engine.OrdType(o.GetOrdType()),
		TimeInForce:    engine.TimeInForce(o.GetTimeInForce()),
		OrderQty:       o.GetOrderQty(),
		Price:          o.GetPrice(),
		HasPrice:       o.Price != nil,
		StopPx:         o.GetStopPx(),
		HasStopPx:      o.StopPx != nil,
		DisplayQty:     o.GetDisplayQty(),
		ExpireTime:     o.GetExpireTimeNs(),
		ExecInsts:      execInstsOf(o.GetExecInsts()),
		STP:            engine.SelfTradePrevention(o.GetSelfTradePrevention()),
		TrailingAmount: o.GetTrailingAmount(),
		TrailingBps:    o.GetTrailingBps(),
	}
}

// checkExecInsts refuses an instruction that nobody defines, and one that is given twice.
func checkExecInsts(insts []pb.ExecInst) error {
	var given engine.ExecInst
	for i, inst := range insts {
		one, err := specified[engine.ExecInst](fmt.Sprintf("exec_insts[%d]", i), inst, pb.ExecInst_name)
		if err != nil {
			return err
		}
		if given&(1<<one) != 0 {
			return fmt.Errorf("exec_insts[%d]: must not be given twice, got %v", i, inst)
		}
		given |= 1 << one
	}
	return nil
}

func encodeExecInsts(insts engine.ExecInst) []pb.ExecInst {
	var encoded []pb.ExecInst
	for inst := range 8 {
		if insts&(1<<inst) != 0 {
			encoded = append(encoded, pb.ExecInst(inst))
		}
	}
	return encoded
}

func execInstsOf(insts []pb.ExecInst) engine.ExecInst {
	var set engine.ExecInst
	for _, inst := range insts {
		if inst > 0 && inst < 8 {
			set |= 1 << inst
		}
	}
	return set
}

// EncodeCancelOrder gives the contract's form.
func EncodeCancelOrder(c *engine.CancelOrder) *pb.CancelOrder {
	return &pb.CancelOrder{ClOrdId: c.ClOrdID, OrigClOrdId: c.OrigClOrdID, Account: c.Account}
}

// DecodeCancelOrder checks the names.
func DecodeCancelOrder(c *pb.CancelOrder) (engine.CancelOrder, error) {
	if c == nil {
		return engine.CancelOrder{}, errors.New("cancel_order: is missing")
	}
	err := first(
		Name("cl_ord_id", c.GetClOrdId()), Name("orig_cl_ord_id", c.GetOrigClOrdId()), Name("account", c.GetAccount()),
	)
	if err != nil {
		return engine.CancelOrder{}, err
	}
	return engine.CancelOrder{ClOrdID: c.GetClOrdId(), OrigClOrdID: c.GetOrigClOrdId(), Account: c.GetAccount()}, nil
}

// EncodeCheckFailures gives the contract's form.
func EncodeCheckFailures(failures []engine.CheckFailure) []*pb.CheckFailure {
	if len(failures) == 0 {
		return nil
	}
	encoded := make([]*pb.CheckFailure, len(failures))
	for i, f := range failures {
		encoded[i] = &pb.CheckFailure{
			OrdRejReason: pb.OrdRejReason(f.OrdRejReason), Scope: f.Scope, RiskLimit: f.RiskLimit, Value: f.Value,
		}
	}
	return encoded
}

// DecodeCheckFailures refuses a failure without a known reason.
func DecodeCheckFailures(failures []*pb.CheckFailure) ([]engine.CheckFailure, error) {
	if len(failures) == 0 {
		return nil, nil
	}
	decoded := make([]engine.CheckFailure, len(failures))
	for i, f := range failures {
		reason, err := specified[engine.OrdRejReason]("ord_rej_reason", f.GetOrdRejReason(), pb.OrdRejReason_name)
		if err != nil {
			return nil, fmt.Errorf("check_failures[%d].%w", i, err)
		}
		decoded[i] = engine.CheckFailure{
			OrdRejReason: reason, Scope: f.GetScope(), RiskLimit: f.GetRiskLimit(), Value: f.GetValue(),
		}
	}
	return decoded, nil
}

// EncodeCommandAck gives the contract's form.
func EncodeCommandAck(a *engine.CommandAck) *pb.CommandAck {
	return &pb.CommandAck{
		Account:       a.Account,
		ClOrdId:       a.ClOrdID,
		Sequence:      a.Sequence,
		OrderId:       a.OrderID,
		OrdStatus:     pb.OrdStatus(a.OrdStatus),
		ExecType:      pb.ExecType(a.ExecType),
		OrdRejReason:  pb.OrdRejReason(a.OrdRejReason),
		CxlRejReason:  pb.CxlRejReason(a.CxlRejReason),
		RejectedBy:    pb.RejectedBy(a.RejectedBy),
		Text:          a.Text,
		CheckFailures: EncodeCheckFailures(a.CheckFailures),

		TotalAffectedOrders: a.TotalAffectedOrders,
		ListAcks:            encodeAcks(a.ListAcks),
	}
}

func encodeAcks(acks []engine.CommandAck) []*pb.CommandAck {
	if len(acks) == 0 {
		return nil
	}
	encoded := make([]*pb.CommandAck, len(acks))
	for i := range acks {
		encoded[i] = EncodeCommandAck(&acks[i])
	}
	return encoded
}

// EncodeExecutionReport gives the contract's form.
func EncodeExecutionReport(r *engine.ExecutionReport) *pb.ExecutionReport {
	o := r.NewOrder
	return &pb.ExecutionReport{
		Sequence:         r.Sequence,
		PrevSequence:     r.PrevSequence,
		TransactTimeNs:   r.TransactTime,
		Account:          o.Account,
		ClOrdId:          cmp.Or(r.ClOrdID, o.ClOrdID),
		OrderId:          r.OrderID,
		VenueOrderId:     r.VenueOrderID,
		ExecId:           r.ExecID,
		StrategyId:       o.StrategyID,
		InstrumentId:     o.InstrumentID,
		Side:             pb.Side(o.Side),
		OrdType:          pb.OrdType(o.OrdType),
		TimeInForce:      pb.TimeInForce(o.TimeInForce),
		ExecType:         pb.ExecType(r.ExecType),
		OrdStatus:        pb.OrdStatus(r.OrdStatus),
		OrderQty:         o.OrderQty,
		CumQty:           r.CumQty,
		LeavesQty:        r.LeavesQty,
		Price:            present(o.Price, o.HasPrice),
		LastQty:          r.LastQty,
		LastPx:           r.LastPx,
		LastLiquidityInd: pb.LiquidityInd(r.LastLiquidityInd),
		Commission:       EncodeMoney(r.Commission),
		CumNotional:      EncodeMoney(r.CumNotional),
		AvgPx:            r.AvgPx,
		OrdRejReason:     pb.OrdRejReason(r.OrdRejReason),
		CxlRejReason:     pb.CxlRejReason(r.CxlRejReason),
		RejectedBy:       pb.RejectedBy(r.RejectedBy),
		Text:             r.Text,
		CheckFailures:    EncodeCheckFailures(r.CheckFailures),
		ExecRefId:        r.ExecRefID,
		StopPx:           present(r.StopPx, r.HasStopPx),
		OrigClOrdId:      r.OrigClOrdID,
		ListId:           r.ListID,
		ContingencyType:  pb.ContingencyType(r.ContingencyType),
	}
}

func present(value int64, has bool) *int64 {
	if !has {
		return nil
	}
	return &value
}

// StrategyID checks the name of a strategy; an order may have none.
func StrategyID(id string) error {
	if len(id) > maxStrategyLength {
		return fmt.Errorf("strategy_id: must have at most %d characters, got %d", maxStrategyLength, len(id))
	}
	return printable("strategy_id", id)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
