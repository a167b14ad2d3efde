package contract

import (
	"errors"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodePosition gives the contract's form.
func EncodePosition(p *engine.Position) *pb.Position {
	encoded := &pb.Position{
		Account:      p.Account,
		InstrumentId: p.InstrumentID,
		NetQty:       p.NetQty,
		Cost:         EncodeMoney(p.Cost),
		RealizedPnl:  EncodeMoney(p.RealizedPnl),
		Fees:         EncodeMoney(p.Fees),
		AvgPx:        p.AvgPx,
	}
	if p.HasMark {
		mark := p.MarkPx
		encoded.MarkPx, encoded.UnrealizedPnl = &mark, EncodeMoney(p.UnrealizedPnl)
	}
	return encoded
}

// EncodePositions gives the contract's form.
func EncodePositions(positions []engine.Position) []*pb.Position {
	encoded := make([]*pb.Position, len(positions))
	for i := range positions {
		encoded[i] = EncodePosition(&positions[i])
	}
	return encoded
}

// EncodeAccountState gives the contract's form.
func EncodeAccountState(s *engine.AccountState) *pb.AccountState {
	encoded := &pb.AccountState{
		Account:        s.Account,
		Sequence:       s.Sequence,
		TransactTimeNs: s.TransactTime,
		BaseCurrency:   s.BaseCurrency,
		Balances:       make([]*pb.Balance, len(s.Balances)),
		Positions:      EncodePositions(s.Positions),
	}
	for i, cash := range s.Balances {
		encoded.Balances[i] = &pb.Balance{Cash: EncodeMoney(cash)}
	}
	if s.HasEquity {
		encoded.Equity = EncodeMoney(s.Equity)
	}
	return encoded
}

// EncodeRiskLimits gives the contract's form.
func EncodeRiskLimits(l *engine.RiskLimits) *pb.RiskLimits {
	encoded := &pb.RiskLimits{
		Version: l.Version, MarketOrderBandBps: l.MarketOrderBandBps, Limits: make([]*pb.RiskLimit, len(l.Limits)),
	}
	for i, limit := range l.Limits {
		encoded.Limits[i] = &pb.RiskLimit{
			Account:          limit.Account,
			InstrumentId:     limit.InstrumentID,
			MaxOrderQty:      encodeCeiling(limit.MaxOrderQty),
			MaxOrderNotional: encodeCeiling(limit.MaxOrderNotional),
			MaxPositionQty:   encodeCeiling(limit.MaxPositionQty),
		}
	}
	return encoded
}

// DecodeRiskLimits gives the domain's form. Whether the limits make sense is the engine's to say.
func DecodeRiskLimits(l *pb.RiskLimits) (engine.RiskLimits, error) {
	if l == nil {
		return engine.RiskLimits{}, errors.New("risk_limits: is missing")
	}
	decoded := engine.RiskLimits{
		Version: l.GetVersion(), MarketOrderBandBps: l.GetMarketOrderBandBps(),
		Limits: make([]engine.RiskLimit, len(l.GetLimits())),
	}
	for i, limit := range l.GetLimits() {
		one, err := decodeRiskLimit(limit)
		if err != nil {
			return engine.RiskLimits{}, fmt.Errorf("limits[%d].%w", i, err)
		}
		decoded.Limits[i] = one
	}
	return decoded, nil
}

func decodeRiskLimit(l *pb.RiskLimit) (engine.RiskLimit, error) {
	orderQty, orderQtyErr := decodeCeiling("max_order_qty", l.GetMaxOrderQty())
	notional, notionalErr := decodeCeiling("max_order_notional", l.GetMaxOrderNotional())
	positionQty, positionQtyErr := decodeCeiling("max_position_qty", l.GetMaxPositionQty())
	return engine.RiskLimit{
		Account: l.GetAccount(), InstrumentID: l.GetInstrumentId(),
		MaxOrderQty: orderQty, MaxOrderNotional: notional, MaxPositionQty: positionQty,
	}, first(orderQtyErr, notionalErr, positionQtyErr)
}

func encodeCeiling(d *engine.Decimal) *pb.Decimal {
	if d == nil {
		return nil
	}
	return EncodeDecimal(*d)
}

func decodeCeiling(field string, d *pb.Decimal) (*engine.Decimal, error) {
	if d == nil {
		return nil, nil
	}
	decoded, err := DecodeDecimal(field, d)
	return &decoded, err
}
