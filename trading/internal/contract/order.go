package contract

import (
	"errors"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodeNewOrder gives the contract's form.
func EncodeNewOrder(o *engine.NewOrder) *pb.NewOrder {
	return &pb.NewOrder{
		ClOrdId:      o.ClOrdID,
		Account:      o.Account,
		StrategyId:   o.StrategyID,
		InstrumentId: o.InstrumentID,
		Side:         pb.Side(o.Side),
		OrdType:      pb.OrdType(o.OrdType),
		TimeInForce:  pb.TimeInForce(o.TimeInForce),
		OrderQty:     o.OrderQty,
		Price:        price(o),
	}
}

// DecodeNewOrder checks names and enumerations. Prices and quantities are for the sequencer to judge:
// an order that breaks their rules is refused, which is an answer and not an error.
func DecodeNewOrder(o *pb.NewOrder) (engine.NewOrder, error) {
	if o == nil {
		return engine.NewOrder{}, errors.New("new_order: is missing")
	}
	side, sideErr := specified[engine.Side]("side", o.GetSide(), pb.Side_name)
	ordType, ordTypeErr := specified[engine.OrdType]("ord_type", o.GetOrdType(), pb.OrdType_name)
	tif, tifErr := specified[engine.TimeInForce]("time_in_force", o.GetTimeInForce(), pb.TimeInForce_name)
	err := first(
		unserved(o),
		Name("cl_ord_id", o.GetClOrdId()), Name("account", o.GetAccount()), Name("instrument_id", o.GetInstrumentId()),
		StrategyID(o.GetStrategyId()), sideErr, ordTypeErr, tifErr,
	)
	if err != nil {
		return engine.NewOrder{}, err
	}
	return engine.NewOrder{
		ClOrdID:      o.GetClOrdId(),
		Account:      o.GetAccount(),
		StrategyID:   o.GetStrategyId(),
		InstrumentID: o.GetInstrumentId(),
		Side:         side,
		OrdType:      ordType,
		TimeInForce:  tif,
		OrderQty:     o.GetOrderQty(),
		Price:        o.GetPrice(),
		HasPrice:     o.Price != nil,
	}, nil
}

// unserved refuses fields that the order path does not act on, rather than to ignore them.
func unserved(o *pb.NewOrder) error {
	switch {
	case o.StopPx != nil:
		return fmt.Errorf("stop_px: must be absent, stop orders are not taken here, got %d", o.GetStopPx())
	case o.GetDisplayQty() != 0:
		return fmt.Errorf("display_qty: must be 0, iceberg orders are not taken here, got %d", o.GetDisplayQty())
	case o.GetExpireTimeNs() != 0:
		return fmt.Errorf("expire_time_ns: must be 0, GTD orders are not taken here, got %d", o.GetExpireTimeNs())
	case len(o.GetExecInsts()) != 0:
		return fmt.Errorf("exec_insts: must be empty, none is taken here, got %v", o.GetExecInsts())
	case o.GetTrailingAmount() != 0 || o.GetTrailingBps() != 0:
		return fmt.Errorf("trailing_amount, trailing_bps: must be 0, trailing stops are not taken here, got %d and %d", o.GetTrailingAmount(), o.GetTrailingBps())
	case o.GetSelfTradePrevention() != 0:
		return fmt.Errorf("self_trade_prevention: must be unspecified, got %v", o.GetSelfTradePrevention())
	}
	return nil
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
	}
}

// EncodeExecutionReport gives the contract's form.
func EncodeExecutionReport(r *engine.ExecutionReport) *pb.ExecutionReport {
	o := r.NewOrder
	return &pb.ExecutionReport{
		Sequence:         r.Sequence,
		PrevSequence:     r.PrevSequence,
		TransactTimeNs:   r.TransactTime,
		Account:          o.Account,
		ClOrdId:          o.ClOrdID,
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
		Price:            price(o),
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
	}
}

func price(o *engine.NewOrder) *int64 {
	if !o.HasPrice {
		return nil
	}
	value := o.Price
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
