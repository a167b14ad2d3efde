package contract

import (
	"errors"
	"fmt"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// EncodeRiskLimits gives the contract's form.
func EncodeRiskLimits(l *engine.RiskLimits) *pb.RiskLimits {
	encoded := &pb.RiskLimits{
		Version: l.Version, MarketOrderBandBps: l.MarketOrderBandBps, Limits: make([]*pb.RiskLimit, len(l.Limits)),
	}
	for i := range l.Limits {
		encoded.Limits[i] = encodeRiskLimit(&l.Limits[i])
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

func encodeRiskLimit(l *engine.RiskLimit) *pb.RiskLimit {
	return &pb.RiskLimit{
		Account:               l.Account,
		InstrumentId:          l.InstrumentID,
		StrategyId:            l.StrategyID,
		NoShort:               l.NoShort,
		Restricted:            l.Restricted,
		PreventSelfTrade:      l.PreventSelfTrade,
		MaxOrderQty:           encodeCeiling(l.MaxOrderQty),
		MaxOrderNotional:      encodeCeiling(l.MaxOrderNotional),
		MaxPositionQty:        encodeCeiling(l.MaxPositionQty),
		MaxLongQty:            encodeCeiling(l.MaxLongQty),
		MaxShortQty:           encodeCeiling(l.MaxShortQty),
		StaticReferencePx:     encodeCeiling(l.StaticReferencePx),
		MaxOpenNotional:       encodeCeiling(l.MaxOpenNotional),
		MaxGrossNotional:      encodeCeiling(l.MaxGrossNotional),
		MaxNetNotional:        encodeCeiling(l.MaxNetNotional),
		MaxLeverage:           encodeCeiling(l.MaxLeverage),
		InitialMarginRatio:    encodeCeiling(l.InitialMarginRatio),
		MaxDailyNotional:      encodeCeiling(l.MaxDailyNotional),
		MaxDailyQty:           encodeCeiling(l.MaxDailyQty),
		MaxDailyLoss:          encodeCeiling(l.MaxDailyLoss),
		MaxDrawdown:           encodeCeiling(l.MaxDrawdown),
		MaxVar:                encodeCeiling(l.MaxVar),
		AdvQty:                encodeCeiling(l.AdvQty),
		MaxBatchNotional:      encodeCeiling(l.MaxBatchNotional),
		StaticCollarBps:       l.StaticCollarBps,
		PriceCollarBps:        l.PriceCollarBps,
		MaxMarkAgeMs:          l.MaxMarkAgeMs,
		MaxAggressiveTicks:    l.MaxAggressiveTicks,
		OrderRatePerS:         l.OrderRatePerS,
		OrderBurst:            l.OrderBurst,
		DuplicateCount:        l.DuplicateCount,
		DuplicateWindowMs:     l.DuplicateWindowMs,
		MaxOpenOrders:         l.MaxOpenOrders,
		MaxAdvShareBps:        l.MaxAdvShareBps,
		MaxBatchOrders:        l.MaxBatchOrders,
		RepeatCount:           l.RepeatCount,
		RepeatWindowMs:        l.RepeatWindowMs,
		MaxConsecutiveRejects: l.MaxConsecutiveRejects,
		MaxOrderToTradeRatio:  l.MaxOrderToTradeRatio,
		OtrWindowMs:           l.OtrWindowMs,
	}
}

func decodeRiskLimit(l *pb.RiskLimit) (engine.RiskLimit, error) {
	var faults []error
	ceiling := func(field string, d *pb.Decimal) *engine.Decimal {
		decoded, err := decodeCeiling(field, d)
		faults = append(faults, err)
		return decoded
	}
	decoded := engine.RiskLimit{
		Account:               l.GetAccount(),
		InstrumentID:          l.GetInstrumentId(),
		StrategyID:            l.GetStrategyId(),
		NoShort:               l.GetNoShort(),
		Restricted:            l.GetRestricted(),
		PreventSelfTrade:      l.GetPreventSelfTrade(),
		MaxOrderQty:           ceiling("max_order_qty", l.GetMaxOrderQty()),
		MaxOrderNotional:      ceiling("max_order_notional", l.GetMaxOrderNotional()),
		MaxPositionQty:        ceiling("max_position_qty", l.GetMaxPositionQty()),
		MaxLongQty:            ceiling("max_long_qty", l.GetMaxLongQty()),
		MaxShortQty:           ceiling("max_short_qty", l.GetMaxShortQty()),
		StaticReferencePx:     ceiling("static_reference_px", l.GetStaticReferencePx()),
		MaxOpenNotional:       ceiling("max_open_notional", l.GetMaxOpenNotional()),
		MaxGrossNotional:      ceiling("max_gross_notional", l.GetMaxGrossNotional()),
		MaxNetNotional:        ceiling("max_net_notional", l.GetMaxNetNotional()),
		MaxLeverage:           ceiling("max_leverage", l.GetMaxLeverage()),
		InitialMarginRatio:    ceiling("initial_margin_ratio", l.GetInitialMarginRatio()),
		MaxDailyNotional:      ceiling("max_daily_notional", l.GetMaxDailyNotional()),
		MaxDailyQty:           ceiling("max_daily_qty", l.GetMaxDailyQty()),
		MaxDailyLoss:          ceiling("max_daily_loss", l.GetMaxDailyLoss()),
		MaxDrawdown:           ceiling("max_drawdown", l.GetMaxDrawdown()),
		MaxVar:                ceiling("max_var", l.GetMaxVar()),
		AdvQty:                ceiling("adv_qty", l.GetAdvQty()),
		MaxBatchNotional:      ceiling("max_batch_notional", l.GetMaxBatchNotional()),
		StaticCollarBps:       l.StaticCollarBps,
		PriceCollarBps:        l.PriceCollarBps,
		MaxMarkAgeMs:          l.MaxMarkAgeMs,
		MaxAggressiveTicks:    l.MaxAggressiveTicks,
		OrderRatePerS:         l.OrderRatePerS,
		OrderBurst:            l.OrderBurst,
		DuplicateCount:        l.DuplicateCount,
		DuplicateWindowMs:     l.DuplicateWindowMs,
		MaxOpenOrders:         l.MaxOpenOrders,
		MaxAdvShareBps:        l.MaxAdvShareBps,
		MaxBatchOrders:        l.MaxBatchOrders,
		RepeatCount:           l.RepeatCount,
		RepeatWindowMs:        l.RepeatWindowMs,
		MaxConsecutiveRejects: l.MaxConsecutiveRejects,
		MaxOrderToTradeRatio:  l.MaxOrderToTradeRatio,
		OtrWindowMs:           l.OtrWindowMs,
	}
	return decoded, first(faults...)
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
