package engine

import (
	"fmt"
	"math"
)

// applyModel takes what VaR limits are computed from. What it means is for the Risk Service; here it is kept,
// so that a restart does not lose it.
func (e *Engine) applyModel(event *Event, model *PretradeModel, effects *Effects) error {
	inForce := uint64(0)
	if e.model != nil {
		inForce = e.model.Version
	}
	if model.Version != inForce+1 {
		return VersionConflict{inForce, model.Version - 1}
	}
	if err := model.check(); err != nil {
		return err
	}
	for i, id := range model.InstrumentIDs {
		if _, known := e.instruments[id]; !known {
			return fmt.Errorf("pretrade_model.instrument_ids[%d]: unknown instrument %q", i, id)
		}
	}
	e.model = model
	effects.tell(event, PretradeEvent{Model: model})
	return nil
}

func (m *PretradeModel) check() error {
	k := len(m.InstrumentIDs)
	switch {
	case k == 0:
		return fmt.Errorf("pretrade_model.instrument_ids: must name at least one instrument")
	case len(m.Covariance) != k*k:
		return fmt.Errorf("pretrade_model.covariance: must have %d by %d values, got %d", k, k, len(m.Covariance))
	case m.ConfidenceBp < 5001 || m.ConfidenceBp > 9999:
		return fmt.Errorf("pretrade_model.confidence_bp: must be 5001 to 9999, got %d", m.ConfidenceBp)
	case m.HorizonDays == 0:
		return fmt.Errorf("pretrade_model.horizon_days: must be at least 1, got 0")
	case m.DegreesOfFreedom != 0 && !(m.DegreesOfFreedom > 2 && !math.IsInf(m.DegreesOfFreedom, 0)):
		return fmt.Errorf("pretrade_model.degrees_of_freedom: must be 0 or above 2, got %v", m.DegreesOfFreedom)
	}
	for i, v := range m.Covariance {
		row, column := i/k, i%k
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return fmt.Errorf("pretrade_model.covariance[%d]: must be finite, got %v", i, v)
		case row == column && v < 0:
			return fmt.Errorf("pretrade_model.covariance[%d]: a variance must not be negative, got %v", i, v)
		case v != m.Covariance[column*k+row]:
			return fmt.Errorf("pretrade_model.covariance[%d]: must be symmetric, got %v and %v", i, v, m.Covariance[column*k+row])
		}
	}
	seen := make(map[string]bool, k)
	for i, id := range m.InstrumentIDs {
		if seen[id] {
			return fmt.Errorf("pretrade_model.instrument_ids[%d]: %q stands twice", i, id)
		}
		seen[id] = true
	}
	return nil
}

// PretradeModel is what VaR limits are computed from; nil: nothing. It is not to be changed.
func (e *Engine) PretradeModel() *PretradeModel { return e.model }

func walkModel(w walker, m *PretradeModel) {
	walkUint(w, &m.Version)
	walkSlice(w, &m.InstrumentIDs, walkString)
	walkSlice(w, &m.Covariance, walkFloat)
	walkSmall(w, &m.ConfidenceBp)
	walkSmall(w, &m.HorizonDays)
	walkFloat(w, &m.DegreesOfFreedom)
	if !w.reads() || failed(w) {
		return
	}
	if err := m.check(); err != nil {
		w.fault(err)
	}
}

// walkFloat walks the bits of a number.
func walkFloat(w walker, v *float64) {
	bits := math.Float64bits(*v)
	walkUint(w, &bits)
	*v = math.Float64frombits(bits)
}
