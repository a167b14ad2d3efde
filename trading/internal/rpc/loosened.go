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

// loosens is up for all limits but these. A flag that is gone no longer binds, like any other limit.
func loosens(limit string) way {
	switch limit {
	case "duplicate_window_ms", "initial_margin_ratio", "repeat_window_ms":
		return down
	case "static_reference_px", "otr_window_ms":
		return either
	}
	return up
}

// loosenedField names the first field of a limit that allows more than before, or no longer binds.
func loosenedField(before, after *engine.RiskLimit) string {
	now := map[string]engine.Decimal{}
	for _, limit := range after.Values() {
		now[limit.Name] = limit.Value
	}
	for _, old := range before.Values() {
		value, binds := now[old.Name]
		if !binds || looser(old.Value, value, loosens(old.Name)) {
			return old.Name
		}
	}
	return ""
}

func looser(before, after engine.Decimal, way way) bool {
	change := rational(after).Cmp(rational(before))
	return change != 0 && (way == either || change == int(way))
}

func rational(d engine.Decimal) *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale)), nil)
	return new(big.Rat).SetFrac(big.NewInt(d.Mantissa), scale)
}
