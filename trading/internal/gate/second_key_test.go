package gate

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/testseed"
)

func decimal(mantissa int64, scale uint32) *engine.Decimal {
	return &engine.Decimal{Mantissa: mantissa, Scale: scale}
}

func TestSecondKey(t *testing.T) {
	stock := engine.Instrument{InstrumentID: testInstrument, PriceScale: 2, Multiplier: *decimal(1, 0), AllowNegativePrice: true}
	coin := engine.Instrument{InstrumentID: testInstrument, PriceScale: 2, QtyScale: 5, Multiplier: *decimal(1, 0)}
	future := engine.Instrument{InstrumentID: testInstrument, PriceScale: 2, Multiplier: *decimal(125, 1)} // 12.5
	const none = -1
	limit := func(price int64) engine.NewOrder {
		return engine.NewOrder{OrdType: engine.Limit, Side: engine.Buy, Price: price, HasPrice: true}
	}
	market := func(side engine.Side) engine.NewOrder { return engine.NewOrder{OrdType: engine.Market, Side: side} }
	type limits = []engine.RiskLimit
	for _, c := range []struct {
		name       string
		instrument engine.Instrument
		limits     limits
		order      engine.NewOrder
		mark       int64 // none: there is no mark
		largest    int64 // quantity that passes; one more does not
	}{
		{"quantity", stock, limits{{MaxOrderQty: decimal(1000, 0)}}, limit(50_00), none, 1000},
		{"quantity with decimals", coin, limits{{MaxOrderQty: decimal(15, 1)}}, limit(50_00), none, 150_000},
		{"quantity finer than the scale", stock, limits{{MaxOrderQty: decimal(10_999, 3)}}, limit(50_00), none, 10},
		{"the tightest wins", stock, limits{
			{MaxOrderQty: decimal(1000, 0)},
			{Account: testAccount, MaxOrderQty: decimal(800, 0)},
			{InstrumentID: testInstrument, MaxOrderQty: decimal(700, 0)},
			{Account: testAccount, InstrumentID: testInstrument, MaxOrderQty: decimal(900, 0)},
			{Account: "A2", MaxOrderQty: decimal(1, 0)},
			{InstrumentID: "OTHER.XTST", MaxOrderQty: decimal(1, 0)},
		}, limit(50_00), none, 700},
		{"notional", stock, limits{{MaxOrderNotional: decimal(50_000, 0)}}, limit(50_00), none, 1000},
		{"notional between two quantities", stock, limits{{MaxOrderNotional: decimal(50_049_99, 2)}}, limit(50_00), none, 1000},
		{"notional with multiplier", future, limits{{MaxOrderNotional: decimal(50_000, 0)}}, limit(50_00), none, 80},
		{"notional of a negative price", stock, limits{{MaxOrderNotional: decimal(50_000, 0)}}, limit(-50_00), none, 1000},
		{"notional of the lowest price", stock, limits{{MaxOrderNotional: decimal(math.MaxInt64, 0)}}, limit(math.MinInt64), none, 99},
		{"market sell at the mark", stock, limits{{MaxOrderNotional: decimal(50_000, 0)}}, market(engine.Sell), 50_00, 1000},
		{"market buy at the mark and band", stock, limits{{MaxOrderNotional: decimal(50_500, 0)}}, market(engine.Buy), 50_00, 1000},
		{"market buy rounded up", stock, limits{{MaxOrderNotional: decimal(51, 0)}}, market(engine.Buy), 50, 100}, // 50.5 is 51
		{"market buy at a negative mark", stock, limits{{MaxOrderNotional: decimal(50, 0)}}, market(engine.Buy), -50, 100},
		{"market order without a mark", stock, limits{{MaxOrderNotional: decimal(50_000, 0)}}, market(engine.Sell), none, 0},
		{"market order without a mark or a limit", stock, limits{{MaxOrderQty: decimal(10, 0)}}, market(engine.Sell), none, 10},
		{"beyond 64 bits", coin, limits{{MaxOrderNotional: decimal(math.MaxInt64, 0)}}, limit(math.MaxInt64), none, 10_000_000},
		{"no product wraps", stock, limits{{MaxOrderNotional: decimal(1, 0)}}, limit(math.MaxInt64), none, 0},
		{"a negative limit allows nothing", stock, limits{{MaxOrderQty: decimal(-1, 0)}}, limit(50_00), none, 0},
		{"an absurd scale allows nothing", stock, limits{{MaxOrderQty: decimal(1, math.MaxUint32)}}, limit(50_00), none, 0},
		{"a limit order needs a price", stock, limits{{MaxOrderNotional: decimal(50_000, 0)}}, engine.NewOrder{OrdType: engine.Limit}, 50_00, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			snapshot := engine.PretradeSnapshot{
				Instruments: []engine.Instrument{c.instrument},
				RiskLimits:  engine.RiskLimits{Limits: c.limits, MarketOrderBandBps: 100},
			}
			if c.mark != none {
				snapshot.Marks = []engine.Mark{{InstrumentID: testInstrument, MarkPx: c.mark}}
			}
			var key secondKey
			key.reset(&snapshot)
			check := engine.PretradeCheck{NewOrder: &c.order}
			order := check.NewOrder
			order.Account, order.InstrumentID, order.TimeInForce = testAccount, testInstrument, engine.GTC
			if order.OrderQty = c.largest; c.largest > 0 && key.check(&check) != "" {
				t.Errorf("%d is blocked: %s", c.largest, key.check(&check))
			}
			if order.OrderQty = c.largest + 1; key.check(&check) == "" {
				t.Errorf("%d passes, at most %d may", order.OrderQty, c.largest)
			}
		})
	}
}

func TestSecondKeyFollowsWhatItIsTold(t *testing.T) {
	var key secondKey
	snapshot := snapshotAt(0)()
	key.reset(&snapshot)
	order := &orders(1, 100)[0]
	unknown := orders(1, 100)[0]
	unknown.NewOrder.InstrumentID = "NONE.XTST"
	if got := key.check(&unknown); !strings.Contains(got, `"NONE.XTST"`) {
		t.Errorf("unknown instrument: %q", got)
	}
	check := func(what string, blocked bool) {
		t.Helper()
		if got := key.check(order); (got != "") != blocked {
			t.Errorf("after %s: blocked is %v (%s), want %v", what, got != "", got, blocked)
		}
	}
	check("the snapshot", false)
	key.apply(&engine.PretradeEvent{RiskLimits: &engine.RiskLimits{Limits: []engine.RiskLimit{{MaxOrderQty: decimal(99, 0)}}}})
	check("lower limits", true)
	key.apply(&engine.PretradeEvent{RiskLimits: &engine.RiskLimits{Limits: []engine.RiskLimit{{MaxOrderNotional: decimal(5000, 0)}}}})
	check("other limits", false)
	instrument := snapshot.Instruments[0]
	instrument.Multiplier = *decimal(2, 0)
	key.apply(&engine.PretradeEvent{Instrument: &instrument})
	check("a higher multiplier", true)
	instrument.Multiplier = *decimal(1, 0)
	key.apply(&engine.PretradeEvent{Instrument: &instrument})
	order.NewOrder.OrdType, order.NewOrder.HasPrice = engine.Market, false
	check("asking at the market without a mark", true)
	key.apply(&engine.PretradeEvent{Mark: &engine.Mark{InstrumentID: testInstrument, MarkPx: 50_00}})
	check("a mark", false)
	key.apply(&engine.PretradeEvent{Mark: &engine.Mark{InstrumentID: testInstrument, MarkPx: 50_01}})
	check("a higher mark", true)
}

// The key agrees with rationals that know no size.
func TestSecondKeyAgreesWithRationals(t *testing.T) {
	seed := testseed.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	number := func() int64 { return int64(random.Uint64() >> (1 + random.IntN(63))) }
	blocked := 0
	for range 20_000 {
		priceScale := uint32(random.IntN(10))
		instrument := engine.Instrument{
			InstrumentID: testInstrument, PriceScale: priceScale, QtyScale: uint32(random.IntN(int(19 - priceScale))),
			Multiplier: engine.Decimal{Mantissa: 1 + number()>>32, Scale: uint32(random.IntN(7))}, AllowNegativePrice: true,
		}
		limit := engine.RiskLimit{MaxOrderQty: decimal(number(), uint32(random.IntN(19))), MaxOrderNotional: decimal(number(), uint32(random.IntN(19)))}
		check := engine.PretradeCheck{NewOrder: &engine.NewOrder{InstrumentID: testInstrument, Side: engine.Buy, OrdType: engine.Limit,
			TimeInForce: engine.Day, OrderQty: 1 + number()>>1, Price: number(), HasPrice: true}}
		order := check.NewOrder
		if random.IntN(2) == 0 {
			order.Price = -order.Price
		}
		var key secondKey
		key.reset(&engine.PretradeSnapshot{Instruments: []engine.Instrument{instrument}, RiskLimits: engine.RiskLimits{Limits: []engine.RiskLimit{limit}}})
		qty := rational(order.OrderQty, instrument.QtyScale)
		notional := new(big.Rat).Mul(qty, rational(order.Price, instrument.PriceScale))
		notional.Abs(notional.Mul(notional, rational(instrument.Multiplier.Mantissa, instrument.Multiplier.Scale)))
		want := qty.Cmp(rational(limit.MaxOrderQty.Mantissa, limit.MaxOrderQty.Scale)) > 0 ||
			notional.Cmp(rational(limit.MaxOrderNotional.Mantissa, limit.MaxOrderNotional.Scale)) > 0
		if got := key.check(&check) != ""; got != want {
			t.Fatalf("seed %d: blocked is %v, want %v: %+v of %+v under %+v %+v",
				seed, got, want, order, instrument, limit.MaxOrderQty, limit.MaxOrderNotional)
		}
		if want {
			blocked++
		}
	}
	if blocked < 1000 || blocked > 19_000 {
		t.Errorf("seed %d: %d of 20000 are blocked: the sample is one-sided", seed, blocked)
	}
}

func rational(mantissa int64, scale uint32) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(mantissa), powerOf10(scale))
}

// What is not a matter of quantity: each row is an order that passes, and what of it is blocked.
func TestSecondKeyOfFieldsCollarsRequestsAndKillSwitches(t *testing.T) {
	bps := func(n uint32) *uint32 { return &n }
	type change = func(*engine.PretradeCheck)
	price := func(px int64) change { return func(c *engine.PretradeCheck) { c.NewOrder.Price = px } }
	stop := func(px int64) change {
		return func(c *engine.PretradeCheck) {
			c.NewOrder.OrdType, c.NewOrder.HasPrice = engine.Stop, false
			c.NewOrder.HasStopPx, c.NewOrder.StopPx = true, px
		}
	}
	batch := func(orders uint32, notional *engine.Decimal) change {
		return func(c *engine.PretradeCheck) { c.BatchOrders, c.BatchNotional = orders, notional }
	}
	collared := engine.RiskLimit{StaticCollarBps: bps(333), StaticReferencePx: decimal(50_005, 3)} // 48.3399 to 51.6701
	batched := engine.RiskLimit{StrategyID: "s", MaxBatchOrders: bps(3), MaxBatchNotional: decimal(1000, 0)}
	for _, c := range []struct {
		name   string
		limit  engine.RiskLimit
		killed engine.TradingScope
		passes []change
		blocks []change
	}{
		{"price", engine.RiskLimit{}, engine.TradingScope{Account: "other"}, []change{price(1)}, []change{price(0), price(-1)}},
		{"fields", engine.RiskLimit{}, engine.TradingScope{Account: "other"}, []change{stop(50_00)}, []change{
			func(c *engine.PretradeCheck) { c.NewOrder.Side = 3 },
			func(c *engine.PretradeCheck) { c.NewOrder.OrdType = 6 },
			func(c *engine.PretradeCheck) { c.NewOrder.OrdType = engine.Market },
			func(c *engine.PretradeCheck) { c.NewOrder.HasPrice = false },
			func(c *engine.PretradeCheck) { c.NewOrder.TimeInForce = 6 },
			stop(0),
		}},
		{"collar", collared, engine.TradingScope{Account: "other"}, []change{price(48_34), price(51_67), stop(48_34), stop(51_67)},
			[]change{price(48_33), price(51_68), stop(48_33), stop(51_68)}},
		{"request", batched, engine.TradingScope{Account: "other"}, []change{batch(3, decimal(1000, 0)), batch(0, nil)},
			[]change{batch(4, nil), batch(2, decimal(100_001, 2))}},
		{"kill switch of another", engine.RiskLimit{}, engine.TradingScope{StrategyID: "t"}, []change{price(1)}, nil},
		{"kill switch of the firm", engine.RiskLimit{}, engine.TradingScope{}, nil, []change{price(1)}},
		{"kill switch of the venue", engine.RiskLimit{}, engine.TradingScope{Venue: "XTST"}, nil, []change{price(1)}},
		{"kill switch of a strategy there", engine.RiskLimit{}, engine.TradingScope{Account: testAccount, StrategyID: "s", InstrumentID: testInstrument}, nil, []change{price(1)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			snapshot := snapshotAt(0)()
			snapshot.RiskLimits.Limits = []engine.RiskLimit{c.limit}
			snapshot.KillSwitches = []engine.KillSwitchChange{{Scope: c.killed, Engaged: true}}
			var key secondKey
			key.reset(&snapshot)
			for blocked, changes := range map[bool][]change{false: c.passes, true: c.blocks} {
				for i, change := range changes {
					check := orders(1, 100)[0]
					check.NewOrder.StrategyID = "s"
					change(&check)
					if got := key.check(&check); (got != "") != blocked {
						t.Errorf("order %d: blocked is %v (%s), want %v", i, got != "", got, blocked)
					}
				}
			}
			key.apply(&engine.PretradeEvent{KillSwitch: &engine.KillSwitchChange{Scope: c.killed}})
			check := orders(1, 100)[0]
			if got := key.check(&check); got != "" {
				t.Errorf("with the kill switch released: %s", got)
			}
		})
	}
}
