package contract

import (
	"errors"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodeInstrument gives the contract's form.
func EncodeInstrument(i *engine.Instrument) *pb.Instrument {
	return &pb.Instrument{
		InstrumentId:       i.InstrumentID,
		Version:            i.Version,
		InstrumentClass:    pb.InstrumentClass(i.Class),
		BaseCurrency:       i.BaseCurrency,
		QuoteCurrency:      i.QuoteCurrency,
		PriceScale:         i.PriceScale,
		QtyScale:           i.QtyScale,
		PriceIncrement:     i.PriceIncrement,
		QtyIncrement:       i.QtyIncrement,
		MinQty:             i.MinQty,
		MaxQty:             i.MaxQty,
		Multiplier:         EncodeDecimal(i.Multiplier),
		MakerFeeRatio:      EncodeDecimal(i.MakerFeeRatio),
		TakerFeeRatio:      EncodeDecimal(i.TakerFeeRatio),
		AllowNegativePrice: i.AllowNegativePrice,
		ExpireTimeNs:       i.ExpireTime,
		TradingSessions:    encodeSessions(i.TradingSessions),
	}
}

func encodeSessions(sessions []engine.TradingSession) []*pb.TradingSession {
	if len(sessions) == 0 {
		return nil
	}
	encoded := make([]*pb.TradingSession, len(sessions))
	for n, s := range sessions {
		encoded[n] = &pb.TradingSession{DayOfWeek: s.DayOfWeek, StartNs: s.Start, EndNs: s.End}
	}
	return encoded
}

func sessionsOf(sessions []*pb.TradingSession) []engine.TradingSession {
	if len(sessions) == 0 {
		return nil
	}
	decoded := make([]engine.TradingSession, len(sessions))
	for n, s := range sessions {
		decoded[n] = engine.TradingSession{DayOfWeek: s.GetDayOfWeek(), Start: s.GetStartNs(), End: s.GetEndNs()}
	}
	return decoded
}

// DecodeInstrument gives the domain's form. Whether the definition makes sense is the engine's to say.
func DecodeInstrument(i *pb.Instrument) (engine.Instrument, error) {
	if i == nil {
		return engine.Instrument{}, errors.New("instrument: is missing")
	}
	class, err := specified[engine.InstrumentClass]("instrument_class", i.GetInstrumentClass(), pb.InstrumentClass_name)
	if err != nil {
		return engine.Instrument{}, err
	}
	multiplier, err := DecodeDecimal("multiplier", i.GetMultiplier())
	if err != nil {
		return engine.Instrument{}, err
	}
	maker, err := DecodeDecimal("maker_fee_ratio", i.GetMakerFeeRatio())
	if err != nil {
		return engine.Instrument{}, err
	}
	taker, err := DecodeDecimal("taker_fee_ratio", i.GetTakerFeeRatio())
	if err != nil {
		return engine.Instrument{}, err
	}
	return engine.Instrument{
		InstrumentID:       i.GetInstrumentId(),
		Version:            i.GetVersion(),
		Class:              class,
		BaseCurrency:       i.GetBaseCurrency(),
		QuoteCurrency:      i.GetQuoteCurrency(),
		PriceScale:         i.GetPriceScale(),
		QtyScale:           i.GetQtyScale(),
		PriceIncrement:     i.GetPriceIncrement(),
		QtyIncrement:       i.GetQtyIncrement(),
		MinQty:             i.GetMinQty(),
		MaxQty:             i.GetMaxQty(),
		Multiplier:         multiplier,
		MakerFeeRatio:      maker,
		TakerFeeRatio:      taker,
		AllowNegativePrice: i.GetAllowNegativePrice(),
		ExpireTime:         i.GetExpireTimeNs(),
		TradingSessions:    sessionsOf(i.GetTradingSessions()),
	}, nil
}
