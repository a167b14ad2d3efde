package contract

import (
	"errors"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodeTradingScope gives the contract's form.
func EncodeTradingScope(s engine.TradingScope) *pb.TradingScope {
	return &pb.TradingScope{Account: s.Account, StrategyId: s.StrategyID, InstrumentId: s.InstrumentID, Venue: s.Venue}
}

// DecodeTradingScope gives the domain's form; an absent scope is the firm.
func DecodeTradingScope(s *pb.TradingScope) (engine.TradingScope, error) {
	err := first(
		maybeName("scope.account", s.GetAccount()), maybeName("scope.strategy_id", s.GetStrategyId()),
		maybeName("scope.instrument_id", s.GetInstrumentId()), maybeName("scope.venue", s.GetVenue()),
	)
	return tradingScopeOf(s), err
}

func tradingScopeOf(s *pb.TradingScope) engine.TradingScope {
	return engine.TradingScope{
		Account: s.GetAccount(), StrategyID: s.GetStrategyId(), InstrumentID: s.GetInstrumentId(), Venue: s.GetVenue(),
	}
}

// EncodeTradingStateChange gives the contract's form.
func EncodeTradingStateChange(c *engine.TradingStateChange) *pb.TradingStateChange {
	return &pb.TradingStateChange{
		Scope: EncodeTradingScope(c.Scope), TradingState: pb.TradingState(c.TradingState), ChangedBy: c.ChangedBy, Reason: c.Reason,
	}
}

// DecodeTradingStateChange checks the scope and the state.
func DecodeTradingStateChange(c *pb.TradingStateChange) (engine.TradingStateChange, error) {
	if c == nil {
		return engine.TradingStateChange{}, errors.New("trading_state_change: is missing")
	}
	scope, scopeErr := DecodeTradingScope(c.GetScope())
	state, stateErr := specified[engine.TradingState]("trading_state", c.GetTradingState(), pb.TradingState_name)
	return engine.TradingStateChange{
		Scope: scope, TradingState: state, ChangedBy: c.GetChangedBy(), Reason: c.GetReason(),
	}, first(scopeErr, stateErr)
}

// EncodeKillSwitchChange gives the contract's form.
func EncodeKillSwitchChange(c *engine.KillSwitchChange) *pb.KillSwitchChange {
	return &pb.KillSwitchChange{Scope: EncodeTradingScope(c.Scope), Engaged: c.Engaged, ChangedBy: c.ChangedBy, Reason: c.Reason}
}

// KillSwitchChangeOf refuses nothing: any scope has a meaning.
func KillSwitchChangeOf(c *pb.KillSwitchChange) engine.KillSwitchChange {
	return engine.KillSwitchChange{
		Scope: tradingScopeOf(c.GetScope()), Engaged: c.GetEngaged(), ChangedBy: c.GetChangedBy(), Reason: c.GetReason(),
	}
}

// EncodeFxRates gives the contract's form.
func EncodeFxRates(r *engine.FxRates) *pb.FxRates {
	encoded := &pb.FxRates{Rates: make([]*pb.FxRate, len(r.Rates))}
	for i, rate := range r.Rates {
		encoded.Rates[i] = &pb.FxRate{Currency: rate.Currency, QuoteCurrency: rate.QuoteCurrency, Rate: EncodeDecimal(rate.Rate)}
	}
	return encoded
}

// DecodeFxRates gives the domain's form. Whether the rates make sense is the engine's to say.
func DecodeFxRates(r *pb.FxRates) (engine.FxRates, error) {
	decoded := engine.FxRates{Rates: make([]engine.FxRate, len(r.GetRates()))}
	for i, rate := range r.GetRates() {
		value, err := DecodeDecimal("rate", rate.GetRate())
		if err != nil {
			return engine.FxRates{}, fmt.Errorf("rates[%d].%w", i, err)
		}
		decoded.Rates[i] = engine.FxRate{Currency: rate.GetCurrency(), QuoteCurrency: rate.GetQuoteCurrency(), Rate: value}
	}
	return decoded, nil
}

// EncodePretradeModel gives the contract's form.
func EncodePretradeModel(m *engine.PretradeModel) *pb.PretradeModel {
	return &pb.PretradeModel{
		Version: m.Version, InstrumentIds: m.InstrumentIDs, Covariance: m.Covariance, ConfidenceBp: m.ConfidenceBp,
		HorizonDays: m.HorizonDays, DegreesOfFreedom: m.DegreesOfFreedom,
	}
}

// DecodePretradeModel gives the domain's form. Whether the model makes sense is the engine's to say.
func DecodePretradeModel(m *pb.PretradeModel) (engine.PretradeModel, error) {
	if m == nil {
		return engine.PretradeModel{}, errors.New("pretrade_model: is missing")
	}
	return engine.PretradeModel{
		Version: m.GetVersion(), InstrumentIDs: m.GetInstrumentIds(), Covariance: m.GetCovariance(), ConfidenceBp: m.GetConfidenceBp(),
		HorizonDays: m.GetHorizonDays(), DegreesOfFreedom: m.GetDegreesOfFreedom(),
	}, nil
}
