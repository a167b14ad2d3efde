package gate

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"aetherion/trading/internal/engine"
)

// secondKey recomputes the hard limits of one order, quantity and notional, apart from the Risk
// Service: a defect there cannot let out what breaks them. All of it is exact integers.
//
// The limits are decimals in units; each is turned once into the largest scaled quantity, and the
// largest product of scaled quantity and price, that it allows. An order then costs two comparisons.
type secondKey struct {
	instruments map[string]engine.Instrument
	marks       map[string]int64
	limits      engine.RiskLimits
	bounds      map[scope]bounds // computed when first asked for
}

type scope struct{ account, instrumentID string }

// bounds are the tightest limits of one account in one instrument.
type bounds struct {
	qty      int64
	product  unsigned128
	notional bool // product binds
}

type unsigned128 struct{ hi, lo uint64 }

func (k *secondKey) reset(snapshot *engine.PretradeSnapshot) {
	k.instruments = make(map[string]engine.Instrument, len(snapshot.Instruments))
	for _, instrument := range snapshot.Instruments {
		k.instruments[instrument.InstrumentID] = instrument
	}
	k.marks = make(map[string]int64, len(snapshot.Marks))
	for _, mark := range snapshot.Marks {
		k.marks[mark.InstrumentID] = mark.MarkPx
	}
	k.setLimits(snapshot.RiskLimits)
}

func (k *secondKey) apply(event *engine.PretradeEvent) {
	switch {
	case event.Mark != nil:
		k.marks[event.Mark.InstrumentID] = event.Mark.MarkPx
	case event.RiskLimits != nil:
		k.setLimits(*event.RiskLimits)
	case event.Instrument != nil:
		k.instruments[event.Instrument.InstrumentID] = *event.Instrument
		clear(k.bounds)
	}
}

func (k *secondKey) setLimits(limits engine.RiskLimits) {
	k.limits = limits
	k.bounds = map[scope]bounds{}
}

// check says what limit the order breaks, or nothing. What cannot be computed is broken.
func (k *secondKey) check(order *engine.NewOrder) string {
	allowed, known := k.boundsOf(scope{order.Account, order.InstrumentID})
	if !known {
		return fmt.Sprintf("instrument_id: the gate knows no %q", order.InstrumentID)
	}
	if order.OrderQty <= 0 || order.OrderQty > allowed.qty {
		return fmt.Sprintf("order_qty: the gate allows 1 to %d, got %d (scaled)", allowed.qty, order.OrderQty)
	}
	if !allowed.notional {
		return ""
	}
	price, ok := k.valuationPrice(order)
	if !ok {
		return fmt.Sprintf("order_notional: the gate has no price to value %s at", order.InstrumentID)
	}
	hi, lo := bits.Mul64(uint64(order.OrderQty), price)
	if product := (unsigned128{hi, lo}); allowed.product.less(product) {
		return fmt.Sprintf("order_notional: %d * %d (scaled) is above max_order_notional", order.OrderQty, price)
	}
	return ""
}

// valuationPrice is the size of the price that an order counts at: a market order at the mark, a buy
// at the mark raised by the band.
func (k *secondKey) valuationPrice(order *engine.NewOrder) (price uint64, ok bool) {
	if order.OrdType == engine.Limit {
		return magnitude(order.Price), order.HasPrice
	}
	mark, ok := k.marks[order.InstrumentID]
	if !ok || order.Side != engine.Buy {
		return magnitude(mark), ok
	}
	const whole = 10_000 // basis points
	hi, lo := bits.Mul64(magnitude(mark), whole+uint64(k.limits.MarketOrderBandBps))
	if hi >= whole {
		return 0, false
	}
	price, remainder := bits.Div64(hi, lo, whole)
	// Rounded up, that is, away from zero only where the mark is positive.
	if remainder > 0 && mark > 0 {
		price++
	}
	return price, true
}

func (k *secondKey) boundsOf(at scope) (bounds, bool) {
	if found, ok := k.bounds[at]; ok {
		return found, true
	}
	instrument, ok := k.instruments[at.instrumentID]
	if !ok {
		return bounds{}, false
	}
	tightest := bounds{qty: math.MaxInt64, product: unsigned128{math.MaxUint64, math.MaxUint64}}
	for i := range k.limits.Limits {
		limit := &k.limits.Limits[i]
		if limit.Account != "" && limit.Account != at.account || limit.InstrumentID != "" && limit.InstrumentID != at.instrumentID {
			continue
		}
		if limit.MaxOrderQty != nil {
			tightest.qty = min(tightest.qty, maxQty(*limit.MaxOrderQty, &instrument))
		}
		if limit.MaxOrderNotional != nil {
			tightest.notional = true
			if product := maxProduct(*limit.MaxOrderNotional, &instrument); product.less(tightest.product) {
				tightest.product = product
			}
		}
	}
	k.bounds[at] = tightest
	return tightest, true
}

// maxQty is floor(limit * 10^qty_scale).
func maxQty(limit engine.Decimal, instrument *engine.Instrument) int64 {
	allowed := floor(limit.Mantissa, instrument.QtyScale, 1, limit.Scale)
	if !allowed.IsInt64() {
		return math.MaxInt64
	}
	return allowed.Int64()
}

// maxProduct is floor(limit * 10^(price_scale + qty_scale) / multiplier).
func maxProduct(limit engine.Decimal, instrument *engine.Instrument) unsigned128 {
	scale := instrument.PriceScale + instrument.QtyScale + instrument.Multiplier.Scale
	allowed := floor(limit.Mantissa, scale, instrument.Multiplier.Mantissa, limit.Scale)
	if allowed.BitLen() > 128 {
		return unsigned128{math.MaxUint64, math.MaxUint64}
	}
	lo := new(big.Int).And(allowed, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return unsigned128{new(big.Int).Rsh(allowed, 64).Uint64(), lo}
}

// floor is the whole part of mantissa * 10^up / (divisor * 10^down), and 0, which allows nothing, for
// what is negative or has a scale that no definition has.
func floor(mantissa int64, up uint32, divisor int64, down uint32) *big.Int {
	const maxScale = 64
	if mantissa < 0 || divisor <= 0 || up > maxScale || down > maxScale {
		return new(big.Int)
	}
	numerator := new(big.Int).Mul(big.NewInt(mantissa), powerOf10(up))
	return numerator.Quo(numerator, new(big.Int).Mul(big.NewInt(divisor), powerOf10(down)))
}

func powerOf10(exponent uint32) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(exponent)), nil)
}

func (a unsigned128) less(b unsigned128) bool {
	return a.hi < b.hi || a.hi == b.hi && a.lo < b.lo
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
