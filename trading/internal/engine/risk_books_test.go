package engine_test

import (
	"cmp"
	"maps"
	"math/big"
	"slices"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
)

// riskBooks are what risk knows by what it was told.
type riskBooks struct {
	positions map[engine.PretradePosition]int64 // their NetQty left 0
	cash      map[string]*big.Rat
	holds     map[uint64]int64
}

// hear takes what the gate passes on.
func (r *riskBooks) hear(events []engine.PretradeEvent) {
	move := func(account, instrumentID, strategy string, qty int64) {
		r.positions[engine.PretradePosition{Account: account, InstrumentID: instrumentID, StrategyID: strategy}] += qty
	}
	for _, e := range events {
		switch {
		case e.Fill != nil:
			qty := e.Fill.LastQty
			if r.holds[e.Fill.OrderID] -= qty; r.holds[e.Fill.OrderID] <= 0 {
				delete(r.holds, e.Fill.OrderID)
			}
			if e.Fill.Side == engine.Sell {
				qty = -qty
			}
			move(e.Fill.Account, e.Fill.InstrumentID, e.Fill.StrategyID, qty)
			addTo(r.cash, bookKey(e.Fill.Account, e.Fill.Cash.Currency), inUnits(e.Fill.Cash.Amount))
		case e.Correction != nil:
			move(e.Correction.Account, e.Correction.InstrumentID, e.Correction.StrategyID, e.Correction.Qty)
			addTo(r.cash, bookKey(e.Correction.Account, e.Correction.Cash.Currency), inUnits(e.Correction.Cash.Amount))
		case e.Adjust != nil:
			move(e.Adjust.Account, e.Adjust.InstrumentID, e.Adjust.StrategyID, e.Adjust.Qty)
		case e.Cash != nil:
			addTo(r.cash, bookKey(e.Cash.Account, e.Cash.Cash.Currency), inUnits(e.Cash.Cash.Amount))
		case e.Release != nil:
			delete(r.holds, e.Release.OrderID)
		case e.VenueReject != nil:
			delete(r.holds, e.VenueReject.OrderID)
		case e.Restated != nil:
			r.holds[e.Restated.OrderID] = e.Restated.LeavesQty
		}
	}
}

// check holds what was told against what a restart would tell.
func (r *riskBooks) check(t *rapid.T, s engine.PretradeSnapshot) {
	told := map[engine.PretradePosition]int64{}
	for _, p := range s.Positions {
		net := p.NetQty
		p.NetQty = 0
		told[p] = net
	}
	maps.DeleteFunc(r.positions, func(_ engine.PretradePosition, net int64) bool { return net == 0 })
	if !maps.Equal(told, r.positions) {
		t.Fatalf("a restart tells positions %v, what was told comes to %v", told, r.positions)
	}
	holds := map[uint64]int64{}
	for _, h := range s.Holds {
		holds[h.OrderID] = h.LeavesQty
	}
	if !maps.Equal(holds, r.holds) {
		t.Fatalf("a restart tells holds %v, what was told comes to %v", holds, r.holds)
	}
	cash := map[string]*big.Rat{}
	for _, c := range s.Cash {
		addTo(cash, bookKey(c.Account, c.Cash.Currency), inUnits(c.Cash.Amount))
	}
	for _, key := range slices.SortedFunc(maps.Keys(r.cash), cmp.Compare) {
		if has := cash[key]; r.cash[key].Sign() != 0 && (has == nil || has.Cmp(r.cash[key]) != 0) || r.cash[key].Sign() == 0 && has != nil {
			t.Fatalf("a restart tells %v of %s, what was told comes to %s", has, key, r.cash[key].FloatString(18))
		}
	}
}
