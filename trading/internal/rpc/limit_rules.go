package rpc

import (
	"fmt"
	"slices"
	"strings"

	"aetherion/trading/internal/engine"
)

// needs names the limits that bind only together with another one. One of the two alone would do nothing, or
// refuse everything, and say neither.
var needs = map[string]string{
	"static_collar_bps": "static_reference_px", "static_reference_px": "static_collar_bps",
	"max_adv_share_bps": "adv_qty", "adv_qty": "max_adv_share_bps",
	"order_burst":     "order_rate_per_s",
	"duplicate_count": "duplicate_window_ms", "duplicate_window_ms": "duplicate_count",
	"repeat_count": "repeat_window_ms", "repeat_window_ms": "repeat_count",
	"max_order_to_trade_ratio": "otr_window_ms", "otr_window_ms": "max_order_to_trade_ratio",
}

// positive are the limits that count nothing at 0.
var positive = []string{"duplicate_count", "duplicate_window_ms", "repeat_count", "repeat_window_ms", "otr_window_ms"}

// faultsShown bounds the text of a refusal.
const faultsShown = 20

// limitNames says what limits may name. A strategy may be new.
type limitNames struct {
	accounts, instruments map[string]bool
	model                 bool // there is a pre-trade model, without which VaR is not known
}

func namesOf(e *engine.Engine) limitNames {
	names := limitNames{accounts: map[string]bool{}, instruments: map[string]bool{}, model: e.PretradeModel() != nil}
	for _, opened := range e.Accounts() {
		names.accounts[opened.Account] = true
	}
	for _, instrument := range e.Instruments() {
		names.instruments[instrument.InstrumentID] = true
	}
	return names
}

// checkLimitsBind refuses limits that would not do what they say, all of them at once. What a journal holds is
// not held to it: it was taken when the rules were others.
func checkLimitsBind(limits *engine.RiskLimits, names limitNames) error {
	var faults []string
	for n := range limits.Limits {
		for _, fault := range limitFaults(&limits.Limits[n], names) {
			faults = append(faults, fmt.Sprintf("limits[%d].%s", n, fault))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	if more := len(faults) - faultsShown; more > 0 {
		faults = append(faults[:faultsShown], fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("%s", strings.Join(faults, "; "))
}

func limitFaults(l *engine.RiskLimit, names limitNames) (faults []string) {
	if l.Account != "" && !names.accounts[l.Account] {
		faults = append(faults, fmt.Sprintf("account: unknown account %q", l.Account))
	}
	if l.InstrumentID != "" && !names.instruments[l.InstrumentID] {
		faults = append(faults, fmt.Sprintf("instrument_id: unknown instrument %q", l.InstrumentID))
	}
	values := l.Values()
	for _, limit := range values {
		other := needs[limit.Name]
		switch {
		case other != "" && !slices.ContainsFunc(values, func(v engine.LimitValue) bool { return v.Name == other }):
			faults = append(faults, fmt.Sprintf("%s: needs %s, which is not set", limit.Name, other))
		case limit.Value.Mantissa == 0 && slices.Contains(positive, limit.Name):
			faults = append(faults, limit.Name+": must be at least 1, got 0")
		case limit.Name == "max_var" && !names.model:
			faults = append(faults, "max_var: needs a pre-trade model, and none is set")
		}
	}
	return faults
}
