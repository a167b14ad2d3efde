package flow

import "aetherion/trading/internal/engine"

// Markets are those of a live session without data: two pairs of round-the-clock trading and a share.
func Markets() []Market {
	one := engine.Decimal{Mantissa: 1}
	fee := engine.Decimal{Mantissa: 1, Scale: 4} // one basis point
	return []Market{
		{
			Instrument: engine.Instrument{
				InstrumentID: "ACME.SIM", Version: 1, Class: engine.Equity, BaseCurrency: "ACME", QuoteCurrency: "USD",
				PriceScale: 2, PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: one, TakerFeeRatio: fee,
			},
			Price: 12_500, Size: 100, Volatility: 0.02,
		},
		{
			Instrument: engine.Instrument{
				InstrumentID: "BTCUSD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "BTC", QuoteCurrency: "USD",
				PriceScale: 2, QtyScale: 4, PriceIncrement: 100, QtyIncrement: 1, MinQty: 1, Multiplier: one, TakerFeeRatio: fee,
			},
			Price: 6_000_000, Size: 1_000, Volatility: 0.03,
		},
		{
			Instrument: engine.Instrument{
				InstrumentID: "ETHUSD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "ETH", QuoteCurrency: "USD",
				PriceScale: 2, QtyScale: 3, PriceIncrement: 10, QtyIncrement: 1, MinQty: 1, Multiplier: one, TakerFeeRatio: fee,
			},
			Price: 300_000, Size: 2_000, Volatility: 0.04,
		},
	}
}
