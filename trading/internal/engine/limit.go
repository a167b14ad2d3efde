package engine

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"
)

func (e *Engine) applyLimitChange(event *Event, change *LimitChange, effects *Effects) error {
	if inForce := e.limits.Version; change.RiskLimits.Version != inForce+1 {
		return VersionConflict{inForce, change.RiskLimits.Version - 1}
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
		for _, limit := range l.Values() {
			if limit.Value.Scale > amountScale || limit.Value.Mantissa < 0 && limit.Name != "static_reference_px" {
				return fmt.Errorf("limits[%d].%s: must not be negative nor have more than 18 decimal places, got %d * 10^-%d",
					n, limit.Name, limit.Value.Mantissa, limit.Value.Scale)
			}
		}
	}
	return nil
}

// LimitValue is one limit that binds: a number as it is, a flag as 1.
type LimitValue struct {
	Name  string // in the contract
	Value Decimal
}

// Values are all limits that bind at the scope.
func (l *RiskLimit) Values() []LimitValue {
	var values []LimitValue
	fields := reflect.ValueOf(l).Elem()
	for i := range fields.NumField() {
		name := ContractName(fields.Type().Field(i).Name)
		switch value := fields.Field(i).Interface().(type) {
		case *Decimal:
			if value != nil {
				values = append(values, LimitValue{name, *value})
			}
		case *uint32:
			if value != nil {
				values = append(values, LimitValue{name, Decimal{Mantissa: int64(*value)}})
			}
		case bool:
			if value {
				values = append(values, LimitValue{name, Decimal{Mantissa: 1}})
			}
		}
	}
	return values
}

// ContractName is what the contract calls a field: max_order_qty is MaxOrderQty here, instrument_id InstrumentID.
func ContractName(field string) string {
	var name strings.Builder
	for i, r := range strings.Replace(field, "ID", "Id", 1) {
		if unicode.IsUpper(r) && i > 0 {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToLower(r))
	}
	return name.String()
}
