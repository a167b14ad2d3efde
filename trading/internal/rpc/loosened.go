package rpc

import (
	"math/big"

	"aetherion/trading/internal/engine"
)

// way is in which direction a limit gets looser.
type way int

const (
	up     way = 1  // a higher value allows more
	down   way = -1 // a lower one does
	either way = 0  // it cannot be said which
)

// loosenedField names the first field of a limit that allows more than before, or no longer binds.
func loosenedField(before, after *engine.RiskLimit) string {
	for _, f := range []struct {
		name          string
		before, after *engine.Decimal
		looser        way
	}{
		{"max_order_qty", before.MaxOrderQty, after.MaxOrderQty, up},
		{"max_order_notional", before.MaxOrderNotional, after.MaxOrderNotional, up},
		{"max_position_qty", before.MaxPositionQty, after.MaxPositionQty, up},
		{"max_long_qty", before.MaxLongQty, after.MaxLongQty, up},
		{"max_short_qty", before.MaxShortQty, after.MaxShortQty, up},
		{"no_short", flag(before.NoShort), flag(after.NoShort), either},
		{"restricted", flag(before.Restricted), flag(after.Restricted), either},
		{"static_collar_bps", number(before.StaticCollarBps), number(after.StaticCollarBps), up},
		{"static_reference_px", before.StaticReferencePx, after.StaticReferencePx, either},
		{"price_collar_bps", number(before.PriceCollarBps), number(after.PriceCollarBps), up},
		{"max_mark_age_ms", number(before.MaxMarkAgeMs), number(after.MaxMarkAgeMs), up},
		{"max_aggressive_ticks", number(before.MaxAggressiveTicks), number(after.MaxAggressiveTicks), up},
		{"order_rate_per_s", number(before.OrderRatePerS), number(after.OrderRatePerS), up},
		{"order_burst", number(before.OrderBurst), number(after.OrderBurst), up},
		{"duplicate_count", number(before.DuplicateCount), number(after.DuplicateCount), up},
		{"duplicate_window_ms", number(before.DuplicateWindowMs), number(after.DuplicateWindowMs), down},
		{"max_open_orders", number(before.MaxOpenOrders), number(after.MaxOpenOrders), up},
		{"max_open_notional", before.MaxOpenNotional, after.MaxOpenNotional, up},
		{"max_gross_notional", before.MaxGrossNotional, after.MaxGrossNotional, up},
		{"max_net_notional", before.MaxNetNotional, after.MaxNetNotional, up},
		{"max_leverage", before.MaxLeverage, after.MaxLeverage, up},
		{"initial_margin_ratio", before.InitialMarginRatio, after.InitialMarginRatio, down},
		{"max_daily_notional", before.MaxDailyNotional, after.MaxDailyNotional, up},
		{"max_daily_qty", before.MaxDailyQty, after.MaxDailyQty, up},
		{"max_daily_loss", before.MaxDailyLoss, after.MaxDailyLoss, up},
		{"max_drawdown", before.MaxDrawdown, after.MaxDrawdown, up},
		{"max_var", before.MaxVar, after.MaxVar, up},
		{"max_adv_share_bps", number(before.MaxAdvShareBps), number(after.MaxAdvShareBps), up},
		{"adv_qty", before.AdvQty, after.AdvQty, up},
		{"max_batch_notional", before.MaxBatchNotional, after.MaxBatchNotional, up},
		{"max_batch_orders", number(before.MaxBatchOrders), number(after.MaxBatchOrders), up},
		{"repeat_count", number(before.RepeatCount), number(after.RepeatCount), up},
		{"repeat_window_ms", number(before.RepeatWindowMs), number(after.RepeatWindowMs), down},
		{"max_consecutive_rejects", number(before.MaxConsecutiveRejects), number(after.MaxConsecutiveRejects), up},
		{"max_order_to_trade_ratio", number(before.MaxOrderToTradeRatio), number(after.MaxOrderToTradeRatio), up},
		{"otr_window_ms", number(before.OtrWindowMs), number(after.OtrWindowMs), either},
		{"prevent_self_trade", flag(before.PreventSelfTrade), flag(after.PreventSelfTrade), either},
	} {
		if looser(f.before, f.after, f.looser) {
			return f.name
		}
	}
	return ""
}

func looser(before, after *engine.Decimal, way way) bool {
	switch {
	case before == nil:
		return false
	case after == nil:
		return true
	}
	change := rational(after).Cmp(rational(before))
	return change != 0 && (way == either || change == int(way))
}

func rational(d *engine.Decimal) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil)
	return new(big.Rat).SetFrac(big.NewInt(d.Mantissa), scale)
}

func number(v *uint32) *engine.Decimal {
	if v == nil {
		return nil
	}
	return &engine.Decimal{Mantissa: int64(*v)}
}

// flag binds when it is set.
func flag(set bool) *engine.Decimal {
	if !set {
		return nil
	}
	return &engine.Decimal{Mantissa: 1}
}
