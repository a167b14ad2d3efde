package contract

import (
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
		StrategyId:   p.StrategyID,
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
		Account:           s.Account,
		Sequence:          s.Sequence,
		TransactTimeNs:    s.TransactTime,
		BaseCurrency:      s.BaseCurrency,
		Balances:          make([]*pb.Balance, len(s.Balances)),
		Positions:         EncodePositions(s.Positions),
		StrategyPositions: EncodePositions(s.StrategyPositions),
	}
	for i, cash := range s.Balances {
		encoded.Balances[i] = &pb.Balance{Cash: EncodeMoney(cash)}
	}
	if s.HasEquity {
		encoded.Equity = EncodeMoney(s.Equity)
	}
	return encoded
}
