package journal

import (
	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// encodeControl sets what binds many orders at once.
func encodeControl(m *pb.JournalEvent, input engine.Input) bool {
	switch input := input.(type) {
	case *engine.TradingStateChange:
		m.Input = &pb.JournalEvent_TradingStateChange{TradingStateChange: contract.EncodeTradingStateChange(input)}
	case *engine.KillSwitchChange:
		m.Input = &pb.JournalEvent_KillSwitchChange{KillSwitchChange: contract.EncodeKillSwitchChange(input)}
	case *engine.FxRates:
		m.Input = &pb.JournalEvent_FxRates{FxRates: contract.EncodeFxRates(input)}
	case *engine.PretradeModel:
		m.Input = &pb.JournalEvent_PretradeModel{PretradeModel: contract.EncodePretradeModel(input)}
	default:
		return false
	}
	return true
}

// decodeControl gives nil for what is not of encodeControl.
func decodeControl(m *pb.JournalEvent) (engine.Input, error) {
	switch input := m.Input.(type) {
	case *pb.JournalEvent_TradingStateChange:
		change, err := contract.DecodeTradingStateChange(input.TradingStateChange)
		return &change, err
	case *pb.JournalEvent_KillSwitchChange:
		change := contract.KillSwitchChangeOf(input.KillSwitchChange)
		return &change, nil
	case *pb.JournalEvent_FxRates:
		rates, err := contract.DecodeFxRates(input.FxRates)
		return &rates, err
	case *pb.JournalEvent_PretradeModel:
		model, err := contract.DecodePretradeModel(input.PretradeModel)
		return &model, err
	}
	return nil, nil
}
