package engine

import "fmt"

func (e *Engine) applyLimitChange(event *Event, change *LimitChange, effects *Effects) error {
	if want := e.limits.Version + 1; change.RiskLimits.Version != want {
		return fmt.Errorf("risk_limits.version: must be %d, got %d: %w", want, change.RiskLimits.Version, ErrVersion)
	}
	if err := CheckRiskLimits(&change.RiskLimits); err != nil {
		return err
	}
	e.limits = change.RiskLimits
	effects.tell(event, PretradeEvent{RiskLimits: &change.RiskLimits})
	return nil
}

// CheckRiskLimits says what is wrong with a document of limits.
func CheckRiskLimits(limits *RiskLimits) error {
	seen := map[[3]string]bool{}
	for n := range limits.Limits {
		l := &limits.Limits[n]
		scope := [3]string{l.Account, l.StrategyID, l.InstrumentID}
		if seen[scope] {
			return fmt.Errorf("limits[%d]: account %q, strategy_id %q, instrument_id %q stands twice", n, l.Account, l.StrategyID, l.InstrumentID)
		}
		seen[scope] = true
		for _, limit := range l.decimals() {
			if limit.value != nil && (limit.value.Mantissa < 0 || limit.value.Scale > amountScale) {
				return fmt.Errorf("limits[%d].%s: must not be negative nor have more than 18 decimal places, got %d * 10^-%d",
					n, limit.name, limit.value.Mantissa, limit.value.Scale)
			}
		}
	}
	return nil
}

type namedDecimal struct {
	name  string
	value *Decimal
}

// decimals are the limits that are amounts, quantities or ratios; a reference price may be negative.
func (l *RiskLimit) decimals() []namedDecimal {
	return []namedDecimal{
		{"max_order_qty", l.MaxOrderQty}, {"max_order_notional", l.MaxOrderNotional}, {"max_position_qty", l.MaxPositionQty},
		{"max_long_qty", l.MaxLongQty}, {"max_short_qty", l.MaxShortQty}, {"max_open_notional", l.MaxOpenNotional},
		{"max_gross_notional", l.MaxGrossNotional}, {"max_net_notional", l.MaxNetNotional}, {"max_leverage", l.MaxLeverage},
		{"initial_margin_ratio", l.InitialMarginRatio}, {"max_daily_notional", l.MaxDailyNotional}, {"max_daily_qty", l.MaxDailyQty},
		{"max_daily_loss", l.MaxDailyLoss}, {"max_drawdown", l.MaxDrawdown}, {"max_var", l.MaxVar}, {"adv_qty", l.AdvQty},
		{"max_batch_notional", l.MaxBatchNotional},
	}
}
