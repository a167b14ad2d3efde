package gate

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strings"

	"aetherion/trading/internal/engine"
)

// secondKey recomputes the hard limits of one order apart from the Risk Service, so that a defect there
// cannot let out what breaks them: kill switches, fields, quantity, notional, static collar and the size of a
// request. All of it is exact integers.
//
// The limits are decimals in units; each is turned once into the largest scaled quantity or price, and the
// largest product of both, that it allows. An order then costs a few comparisons.
type secondKey struct {
	instruments map[string]engine.Instrument
	currencies  map[string]string // in which accounts are valued
	marks       map[string]int64
	limits      engine.RiskLimits
	killed      map[engine.TradingScope]struct{}
	bounds      map[scope]*bounds // computed when first asked for
}

type scope struct{ account, strategyID, instrumentID string }

// maxScopes bounds what is kept of bounds: strategies have the names that clients give them.
const maxScopes = 1 << 16

// bounds are the tightest limits of one strategy of an account in one instrument.
type bounds struct {
	instrument     *engine.Instrument // nil: there is none
	ownCurrency    bool               // the account is valued in what the instrument is quoted in
	qty            int64
	product        unsigned128
	notional       bool // product binds
	lowPx, highPx  int64
	batchOrders    uint32
	batchNotionals []engine.Decimal
}

type unsigned128 struct{ hi, lo uint64 }

func (k *secondKey) reset(snapshot *engine.PretradeSnapshot) {
	k.instruments = make(map[string]engine.Instrument, len(snapshot.Instruments))
	for _, instrument := range snapshot.Instruments {
		k.instruments[instrument.InstrumentID] = instrument
	}
	k.currencies = make(map[string]string, len(snapshot.Accounts))
	for _, opened := range snapshot.Accounts {
		k.currencies[opened.Account] = opened.BaseCurrency
	}
	k.marks = make(map[string]int64, len(snapshot.Marks))
	for _, mark := range snapshot.Marks {
		k.marks[mark.InstrumentID] = mark.MarkPx
	}
	k.killed = map[engine.TradingScope]struct{}{}
	for i := range snapshot.KillSwitches {
		k.setKillSwitch(&snapshot.KillSwitches[i])
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
	case event.AccountOpened != nil:
		k.currencies[event.AccountOpened.Account] = event.AccountOpened.BaseCurrency
		clear(k.bounds)
	case event.KillSwitch != nil:
		k.setKillSwitch(event.KillSwitch)
	}
}

func (k *secondKey) setLimits(limits engine.RiskLimits) {
	k.limits = limits
	k.bounds = map[scope]*bounds{}
}

func (k *secondKey) setKillSwitch(change *engine.KillSwitchChange) {
	if change.Engaged {
		k.killed[change.Scope] = struct{}{}
	} else {
		delete(k.killed, change.Scope)
	}
}

// check says what limit the order breaks, or nothing. What cannot be computed is broken.
func (k *secondKey) check(check *engine.PretradeCheck) string {
	order := check.NewOrder
	allowed := k.boundsOf(scope{order.Account, order.StrategyID, order.InstrumentID})
	if allowed.instrument == nil {
		return fmt.Sprintf("instrument_id: the gate knows no %q", order.InstrumentID)
	}
	for killed := range k.killed {
		if Binds(killed, order) {
			return "kill_switch: one is engaged"
		}
	}
	if broken := checkFields(order, allowed.instrument); broken != "" {
		return broken
	}
	return k.checkLimits(check, allowed)
}

// Binds says whether a state or a kill switch of a scope binds an order.
func Binds(scope engine.TradingScope, order *engine.NewOrder) bool {
	return (scope.Account == "" || scope.Account == order.Account) && (scope.StrategyID == "" || scope.StrategyID == order.StrategyID) &&
		(scope.InstrumentID == "" || scope.InstrumentID == order.InstrumentID) &&
		(scope.Venue == "" || strings.HasSuffix(order.InstrumentID, "."+scope.Venue))
}

// checkFields says what of an order nobody may send anywhere.
func checkFields(order *engine.NewOrder, instrument *engine.Instrument) string {
	limited := order.OrdType == engine.Limit || order.OrdType == engine.StopLimit
	switch {
	case order.Side != engine.Buy && order.Side != engine.Sell:
		return fmt.Sprintf("side: the gate knows no %d", order.Side)
	case order.OrdType < engine.Market || order.OrdType > engine.TrailingStop:
		return fmt.Sprintf("ord_type: the gate knows no %d", order.OrdType)
	case order.TimeInForce < engine.Day || order.TimeInForce > engine.GTD:
		return fmt.Sprintf("time_in_force: the gate knows no %d", order.TimeInForce)
	case limited != order.HasPrice:
		return "price: must be set for a limit order and not otherwise"
	case order.HasPrice && order.Price <= 0 && !instrument.AllowNegativePrice:
		return fmt.Sprintf("price: must be positive, got %d", order.Price)
	case order.HasStopPx && order.StopPx <= 0 && !instrument.AllowNegativePrice:
		return fmt.Sprintf("stop_px: must be positive, got %d", order.StopPx)
	}
	return ""
}

func (k *secondKey) checkLimits(check *engine.PretradeCheck, allowed *bounds) string {
	order := check.NewOrder
	if order.OrderQty <= 0 || order.OrderQty > allowed.qty {
		return fmt.Sprintf("order_qty: the gate allows 1 to %d, got %d (scaled)", allowed.qty, order.OrderQty)
	}
	for _, px := range []struct {
		set   bool
		value int64
	}{{order.HasPrice, order.Price}, {order.HasStopPx, order.StopPx}} {
		if px.set && (px.value < allowed.lowPx || px.value > allowed.highPx) {
			return fmt.Sprintf("price: the static collar allows %d to %d, got %d (scaled)", allowed.lowPx, allowed.highPx, px.value)
		}
	}
	if check.BatchOrders > allowed.batchOrders {
		return fmt.Sprintf("batch_orders: the gate allows %d, got %d", allowed.batchOrders, check.BatchOrders)
	}
	// The limit is in the account's currency: where that is another than the orders', only the Risk Service has rates.
	if n := check.BatchNotional; n != nil && allowed.ownCurrency {
		for _, most := range allowed.batchNotionals {
			if decimalLess(most, *n) {
				return "batch_notional: the orders of the request are above max_batch_notional"
			}
		}
	}
	return k.checkNotional(order, allowed)
}

func (k *secondKey) checkNotional(order *engine.NewOrder, allowed *bounds) string {
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
// at the mark raised by the band. A stop counts at the lower of that and its trigger price: it may be told
// to the market at either.
func (k *secondKey) valuationPrice(order *engine.NewOrder) (price uint64, ok bool) {
	if order.HasPrice {
		return magnitude(order.Price), true
	}
	price, ok = k.marketPrice(order)
	if order.HasStopPx && (!ok || magnitude(order.StopPx) < price) {
		return magnitude(order.StopPx), true
	}
	return price, ok
}

func (k *secondKey) marketPrice(order *engine.NewOrder) (price uint64, ok bool) {
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

func (k *secondKey) boundsOf(at scope) *bounds {
	if found, ok := k.bounds[at]; ok {
		return found
	}
	tightest := &bounds{
		qty: math.MaxInt64, product: unsigned128{math.MaxUint64, math.MaxUint64},
		lowPx: math.MinInt64, highPx: math.MaxInt64, batchOrders: math.MaxUint32,
	}
	if instrument, known := k.instruments[at.instrumentID]; known {
		tightest.instrument, tightest.ownCurrency = &instrument, k.currencies[at.account] == instrument.QuoteCurrency
		for i := range k.limits.Limits {
			if limit := &k.limits.Limits[i]; covers(limit, at) {
				tightest.add(limit)
			}
		}
	}
	if len(k.bounds) >= maxScopes {
		clear(k.bounds)
	}
	k.bounds[at] = tightest
	return tightest
}

func covers(limit *engine.RiskLimit, at scope) bool {
	return (limit.Account == "" || limit.Account == at.account) && (limit.StrategyID == "" || limit.StrategyID == at.strategyID) &&
		(limit.InstrumentID == "" || limit.InstrumentID == at.instrumentID)
}

// add tightens the bounds by a limit.
func (b *bounds) add(limit *engine.RiskLimit) {
	instrument := b.instrument
	if limit.MaxOrderQty != nil {
		b.qty = min(b.qty, maxQty(*limit.MaxOrderQty, instrument))
	}
	if limit.MaxOrderNotional != nil {
		b.notional = true
		if product := maxProduct(*limit.MaxOrderNotional, instrument); product.less(b.product) {
			b.product = product
		}
	}
	if limit.StaticCollarBps != nil && limit.StaticReferencePx != nil {
		low, high := collar(*limit.StaticReferencePx, *limit.StaticCollarBps, instrument.PriceScale)
		b.lowPx, b.highPx = max(b.lowPx, low), min(b.highPx, high)
	}
	if limit.MaxBatchOrders != nil {
		b.batchOrders = min(b.batchOrders, *limit.MaxBatchOrders)
	}
	if limit.MaxBatchNotional != nil {
		b.batchNotionals = append(b.batchNotionals, *limit.MaxBatchNotional)
	}
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
	if mantissa < 0 || divisor <= 0 || up > maxScale || down > maxScale {
		return new(big.Int)
	}
	numerator := new(big.Int).Mul(big.NewInt(mantissa), powerOf10(up))
	return numerator.Quo(numerator, new(big.Int).Mul(big.NewInt(divisor), powerOf10(down)))
}

const maxScale = 64

// collar is the lowest and the highest scaled price within so many basis points of the reference's size.
// What has a scale that no definition has allows nothing.
func collar(reference engine.Decimal, bps, priceScale uint32) (low, high int64) {
	if reference.Scale > maxScale || priceScale > maxScale {
		return math.MaxInt64, math.MinInt64
	}
	// Both ends as fractions of 10^scale * 10,000.
	middle := new(big.Int).Mul(big.NewInt(reference.Mantissa), powerOf10(priceScale))
	width := new(big.Int).Mul(new(big.Int).Abs(middle), big.NewInt(int64(bps)))
	middle.Mul(middle, big.NewInt(10_000))
	divisor := new(big.Int).Mul(powerOf10(reference.Scale), big.NewInt(10_000))
	// Euclidean division rounds down for a positive divisor; the lower end is to be rounded up.
	top := new(big.Int).Div(new(big.Int).Add(middle, width), divisor)
	bottom := new(big.Int).Neg(new(big.Int).Div(new(big.Int).Neg(new(big.Int).Sub(middle, width)), divisor))
	return clamped(bottom), clamped(top)
}

func clamped(v *big.Int) int64 {
	switch {
	case v.IsInt64():
		return v.Int64()
	case v.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// decimalLess says whether a is below b. A scale that no definition has is below nothing.
func decimalLess(a, b engine.Decimal) bool {
	if a.Scale > maxScale || b.Scale > maxScale {
		return true
	}
	left := new(big.Int).Mul(big.NewInt(a.Mantissa), powerOf10(b.Scale))
	return left.Cmp(new(big.Int).Mul(big.NewInt(b.Mantissa), powerOf10(a.Scale))) < 0
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
