package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// books is the independent twin of what the engine makes of fills, busts, corrections and adjustments: it
// keeps all of them and computes every figure from the first one again, in rational numbers.
type books struct {
	t       *rapid.T
	engine  *engine.Engine
	effects engine.Effects
	journal [][]byte
	now     int64
	orders  map[uint64]string // that are not forgotten: account/instrument
	fills   []*bookedFill
	moves   map[string][]*bookedMove // by account/instrument, in the order in which they came
	cash    map[string]*big.Rat      // by account/currency
	risk    riskBooks
}

// bookedMove is a fill or an adjustment as it is known now.
type bookedMove struct {
	strategy string
	qty, px  int64 // sold negative
	fee      engine.Money
	time     int64
	settled  bool // too old to be corrected in its place
}

type bookedFill struct {
	order uint64
	side  int64
	last  string // exec id of the trade or of its last correction
	move  *bookedMove
	bust  bool
}

var (
	strategies     = []string{"", "S", "T"}
	bookCurrencies = []string{"USD", "BNB", "ACME"}
	// Small ones, so that positions are often flat, of some strategy or of all.
	quantities = rapid.SampledFrom([]int64{1, 2, 3, 5, 7, 600})
)

func bookKey(account, of string) string { return account + "/" + of }

func newBooks(t *rapid.T) *books {
	b := &books{t: t, engine: engine.New(), orders: map[uint64]string{}, moves: map[string][]*bookedMove{}, cash: map[string]*big.Rat{}, risk: riskBooks{
		positions: map[engine.PretradePosition]int64{}, cash: map[string]*big.Rat{}, holds: map[uint64]int64{}}}
	for i := range definitions {
		b.must(&definitions[i])
	}
	for _, name := range accountNames {
		b.must(&engine.AccountOpened{Account: name, BaseCurrency: "USD"})
	}
	return b
}

func (b *books) try(input engine.Input) error {
	b.effects.Reset()
	event := engine.Event{Sequence: b.engine.Sequence() + 1, TransactTime: b.now, Input: input}
	if err := b.engine.Apply(event, &b.effects); err != nil {
		return err
	}
	encoded, err := journal.Encode(&event)
	if err != nil {
		b.t.Fatal(err)
	}
	b.journal = append(b.journal, encoded)
	b.risk.hear(b.effects.Pretrade)
	return nil
}

// checkReplay comes to the same state from the first event, though the engine here was often restarted.
func (b *books) checkReplay() {
	again := engine.New()
	var effects engine.Effects
	for _, encoded := range b.journal {
		event, err := journal.Decode(encoded)
		if err == nil {
			effects.Reset()
			err = again.Apply(event, &effects)
		}
		if err != nil {
			b.t.Fatal(err)
		}
	}
	if again.StateHash() != b.engine.StateHash() {
		b.t.Fatal("replaying the journal gives another state")
	}
}

func (b *books) must(input engine.Input) {
	if err := b.try(input); err != nil {
		b.t.Fatalf("%+v: %v", input, err)
	}
}

func (b *books) pass() { b.now += rapid.Int64Range(0, 8*3600e9).Draw(b.t, "elapsed") }

func (b *books) order() {
	definition := rapid.SampledFrom(definitions).Draw(b.t, "instrument")
	qty := quantities.Draw(b.t, "qty")
	order := engine.NewOrder{
		ClOrdID: fmt.Sprint(b.engine.Sequence()), Account: rapid.SampledFrom(accountNames).Draw(b.t, "account"),
		StrategyID: rapid.SampledFrom(strategies).Draw(b.t, "strategy"), InstrumentID: definition.InstrumentID,
		Side: engine.Side(rapid.IntRange(1, 2).Draw(b.t, "side")), OrdType: engine.Market, TimeInForce: engine.GTC, OrderQty: qty,
	}
	if b.engine.Validate(&order) != nil { // A kill switch or a state.
		return
	}
	b.must(&engine.OrderDecision{Approved: true, NewOrder: order})
	b.orders[b.engine.Sequence()] = bookKey(order.Account, order.InstrumentID)
	b.risk.holds[b.engine.Sequence()] = qty
}

func (b *books) report(order *engine.Order, execType engine.ExecType) *engine.VenueReport {
	definition := instrumentOf(order.NewOrder.InstrumentID)
	return &engine.VenueReport{Venue: definition.Venue(), OrderID: order.OrderID, ExecType: execType,
		ExecID: fmt.Sprint("e", b.engine.Sequence()), TransactTime: b.now}
}

func (b *books) commission() engine.Money {
	amount, _ := engine.NewAmount(0, rapid.Int64Range(-1e15, 1e15).Draw(b.t, "fee"))
	return engine.Money{Currency: rapid.SampledFrom(bookCurrencies).Draw(b.t, "fee currency"), Amount: amount}
}

// known is one of the orders that are not forgotten yet; nil: there is none.
func (b *books) known() *engine.Order {
	if len(b.orders) == 0 {
		return nil
	}
	return b.engine.Order(rapid.SampledFrom(slices.Sorted(maps.Keys(b.orders))).Draw(b.t, "order"))
}

// forget drops what the engine has forgotten. What is known of its fills then is settled as by a new move.
func (b *books) forget() {
	maps.DeleteFunc(b.orders, func(id uint64, key string) bool {
		gone := b.engine.Order(id) == nil
		if gone {
			b.settleMoves(key)
		}
		return gone
	})
	b.fills = slices.DeleteFunc(b.fills, func(f *bookedFill) bool { return b.orders[f.order] == "" })
}

func (b *books) fill() {
	order := b.known()
	if order == nil {
		return
	}
	report := b.report(order, engine.ExecTrade)
	report.LastQty, report.LastPx = quantities.Draw(b.t, "last_qty"), rapid.Int64Range(1, 1e6).Draw(b.t, "last_px")
	report.Commission = b.commission()
	f := &bookedFill{order: order.OrderID, side: 1, last: report.ExecID}
	if order.NewOrder.Side == engine.Sell {
		f.side = -1
	}
	f.move = &bookedMove{strategy: order.NewOrder.StrategyID, qty: f.side * report.LastQty, px: report.LastPx, fee: report.Commission, time: b.now}
	b.book(order.NewOrder.Account, order.NewOrder.InstrumentID, true, func(moves []*bookedMove) []*bookedMove {
		b.must(report)
		return append(moves, f.move)
	})
	b.settle(order)
	b.fills = append(b.fills, f)
}

// revise busts or corrects any fill, also one that was corrected before.
func (b *books) revise() {
	if len(b.fills) == 0 {
		return
	}
	f := rapid.SampledFrom(b.fills).Draw(b.t, "fill")
	order := b.engine.Order(f.order)
	report := b.report(order, engine.ExecTradeCorrect)
	report.ExecRefID = f.last
	revised := &bookedMove{strategy: f.move.strategy, fee: f.move.fee, time: f.move.time, settled: f.move.settled}
	if rapid.Bool().Draw(b.t, "bust") {
		report.ExecType, revised.fee = engine.ExecTradeCancel, engine.Money{}
		report.LastQty, report.Lapsed = f.side*f.move.qty, !f.bust && rapid.Bool().Draw(b.t, "lapsed")
	} else {
		report.LastQty, report.LastPx = quantities.Draw(b.t, "last_qty"), rapid.Int64Range(1, 1e6).Draw(b.t, "last_px")
		revised.qty, revised.px = f.side*report.LastQty, report.LastPx
		if rapid.Bool().Draw(b.t, "other fee") {
			report.Commission = b.commission()
			revised.fee = report.Commission
		}
	}
	f.last = report.ExecID
	if f.bust {
		b.must(report) // A bust is final.
		return
	}
	b.book(order.NewOrder.Account, order.NewOrder.InstrumentID, true, func(moves []*bookedMove) []*bookedMove {
		b.must(report)
		if at := slices.Index(moves, f.move); !f.move.settled {
			moves = slices.Clone(moves)
			moves[at] = revised
			return moves
		}
		undo := *f.move
		undo.qty, undo.fee.Amount = -undo.qty, mustNeg(undo.fee.Amount)
		first := slices.IndexFunc(moves, func(m *bookedMove) bool { return !m.settled })
		if first < 0 {
			first = len(moves)
		}
		return slices.Insert(slices.Clone(moves), first, &undo, revised)
	})
	f.move, f.bust = revised, report.ExecType == engine.ExecTradeCancel
}

func mustNeg(a engine.Amount) engine.Amount {
	n, err := a.Neg()
	if err != nil {
		panic(err)
	}
	return n
}

func (b *books) adjust() {
	account := rapid.SampledFrom(accountNames).Draw(b.t, "account")
	a := &engine.Adjustment{Account: account, Cash: b.commission()}
	a.InstrumentID = rapid.SampledFrom(definitions).Draw(b.t, "instrument").InstrumentID
	a.Qty, a.Price = rapid.Int64Range(-9, 9).Draw(b.t, "qty"), rapid.Int64Range(0, 1e6).Draw(b.t, "price")
	b.book(account, a.InstrumentID, false, func(moves []*bookedMove) []*bookedMove {
		b.must(a)
		return append(moves, &bookedMove{qty: a.Qty, px: a.Price, time: b.now})
	})
	b.pay(account, a.Cash.Currency, inUnits(a.Cash.Amount))
	b.settleMoves(bookKey(account, a.InstrumentID))
}

func (b *books) end() {
	order := b.known()
	if order == nil {
		return
	}
	execType := rapid.SampledFrom([]engine.ExecType{engine.ExecNew, engine.ExecCanceled, engine.ExecExpired, engine.ExecRejected}).Draw(b.t, "exec_type")
	if err := b.try(b.report(order, execType)); err != nil && !errors.Is(err, engine.ErrNothingNew) {
		b.t.Fatal(err)
	}
}

// control changes what binds and values, and puts an order in doubt.
func (b *books) control() {
	scope := engine.TradingScope{Account: rapid.SampledFrom(accountNames).Draw(b.t, "account")}
	if rapid.Bool().Draw(b.t, "firm") {
		scope = engine.TradingScope{}
	}
	d := rapid.SampledFrom(definitions).Draw(b.t, "instrument")
	rate := engine.Decimal{Mantissa: rapid.Int64Range(1, 1e6).Draw(b.t, "rate"), Scale: 3}
	model := &engine.PretradeModel{Version: 1, InstrumentIDs: []string{d.InstrumentID}, Covariance: []float64{1e-4}, ConfidenceBp: 9900, HorizonDays: 1}
	if before := b.engine.PretradeModel(); before != nil {
		model.Version = before.Version + 1
	}
	inputs := []engine.Input{
		&engine.KillSwitchChange{Scope: scope, Engaged: rapid.IntRange(0, 3).Draw(b.t, "engaged") == 0},
		&engine.TradingStateChange{Scope: scope, TradingState: engine.TradingState(rapid.IntRange(1, 4).Draw(b.t, "state"))},
		&engine.FxRates{Rates: []engine.FxRate{{Currency: "BNB", QuoteCurrency: "USD", Rate: rate}}},
		&engine.FxRates{Rates: []engine.FxRate{{Currency: "USD", QuoteCurrency: "ACME", Rate: rate}}},
		&engine.Mark{InstrumentID: d.InstrumentID, MarkPx: rate.Mantissa}, model,
	}
	if order := b.known(); order != nil {
		inputs = append(inputs, &engine.OrderInDoubt{OrderID: order.OrderID})
	}
	if err := b.try(rapid.SampledFrom(inputs).Draw(b.t, "input")); err != nil && !errors.Is(err, engine.ErrNothingNew) {
		b.t.Fatal(err)
	}
}

// restart goes on with an engine that was written and read back.
func (b *books) restart() {
	var state bytes.Buffer
	if err := b.engine.WriteState(&state); err != nil {
		b.t.Fatal(err)
	}
	restored, err := engine.ReadState(state.Bytes())
	if err != nil {
		b.t.Fatal(err)
	}
	if restored.StateHash() != b.engine.StateHash() {
		b.t.Fatal("the hash changed")
	}
	if got, want := restored.PretradeSnapshot(), b.engine.PretradeSnapshot(); !reflect.DeepEqual(got, want) {
		b.t.Fatalf("the gate would be told %+v, want %+v", got, want)
	}
	for _, name := range accountNames {
		got, _ := restored.Account(name)
		if want, _ := b.engine.Account(name); !reflect.DeepEqual(got, want) {
			b.t.Fatalf("account %s is %+v, want %+v", name, got, want)
		}
	}
	b.engine = restored
}

// book changes the moves of a position; of fills the cash follows: what was paid, or of a future what was
// realised, and the fees.
func (b *books) book(account, instrumentID string, pays bool, change func([]*bookedMove) []*bookedMove) {
	key, definition := bookKey(account, instrumentID), instrumentOf(instrumentID)
	before := b.moves[key]
	after := change(before)
	b.moves[key] = after
	if !pays {
		return
	}
	was, is := holdingOf(definition, before, nil), holdingOf(definition, after, nil)
	flow := new(big.Rat).Sub(is.realized, was.realized)
	if definition.Class != engine.Future {
		flow.Sub(flow, new(big.Rat).Sub(is.cost, was.cost))
	}
	b.pay(account, definition.QuoteCurrency, flow)
	for _, currency := range bookCurrencies {
		b.pay(account, currency, new(big.Rat).Sub(feesOf(before, nil, currency), feesOf(after, nil, currency)))
	}
}

func (b *books) settle(order *engine.Order) {
	b.settleMoves(bookKey(order.NewOrder.Account, order.NewOrder.InstrumentID))
}

// settleMoves finds what is older than a day when a move comes.
func (b *books) settleMoves(key string) {
	for _, m := range b.moves[key] {
		m.settled = m.settled || m.time < b.now-24*3600e9
	}
}

func (b *books) pay(account, currency string, amount *big.Rat) {
	addTo(b.cash, bookKey(account, currency), amount)
}

func addTo(sums map[string]*big.Rat, key string, amount *big.Rat) {
	if sums[key] == nil {
		sums[key] = new(big.Rat)
	}
	sums[key].Add(sums[key], amount)
}

type bookedHolding struct {
	net            int64
	cost, realized *big.Rat
}

// holdingOf is what moves come to, of a strategy or of all: by average cost, its part rounded half-even to
// 10^-18 when some of the position closes.
func holdingOf(d engine.Instrument, moves []*bookedMove, strategy *string) bookedHolding {
	h := bookedHolding{cost: new(big.Rat), realized: new(big.Rat)}
	notional := func(qty, px int64) *big.Rat {
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.PriceScale+d.QtyScale+d.Multiplier.Scale)), nil)
		product := new(big.Int).Mul(big.NewInt(qty), big.NewInt(px))
		return new(big.Rat).SetFrac(product.Mul(product, big.NewInt(d.Multiplier.Mantissa)), scale)
	}
	for _, m := range moves {
		if strategy != nil && m.strategy != *strategy {
			continue
		}
		opening := m.qty
		if h.net != 0 && (h.net > 0) != (m.qty > 0) {
			closing := -h.net
			if max(m.qty, -m.qty) < max(h.net, -h.net) {
				closing = m.qty
			}
			removed := inAttos(new(big.Rat).Mul(h.cost, big.NewRat(-closing, h.net)))
			h.realized.Sub(h.realized, new(big.Rat).Add(notional(closing, m.px), removed))
			h.cost.Sub(h.cost, removed)
			h.net += closing
			opening -= closing
		}
		h.cost.Add(h.cost, notional(opening, m.px))
		h.net += opening
	}
	return h
}

// inAttos rounds half-even to 10^-18.
func inAttos(r *big.Rat) *big.Rat {
	one := new(big.Rat).SetInt64(1e18)
	scaled := new(big.Rat).Mul(r, one)
	floor := new(big.Int).Div(scaled.Num(), scaled.Denom())
	rest := new(big.Rat).Sub(scaled, new(big.Rat).SetInt(floor))
	if c := rest.Cmp(big.NewRat(1, 2)); c > 0 || c == 0 && floor.Bit(0) == 1 {
		floor.Add(floor, big.NewInt(1))
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(floor), one)
}

func inUnits(a engine.Amount) *big.Rat { return new(big.Rat).SetFrac(attos(a), big.NewInt(1e18)) }

func feesOf(moves []*bookedMove, strategy *string, currency string) *big.Rat {
	sum := new(big.Rat)
	for _, m := range moves {
		if m.fee.Currency == currency && (strategy == nil || m.strategy == *strategy) {
			sum.Add(sum, inUnits(m.fee.Amount))
		}
	}
	return sum
}

// check holds every figure of the engine against the books.
func (b *books) check() {
	for _, name := range accountNames {
		state, _ := b.engine.Account(name)
		for _, balance := range state.Balances {
			if want := b.cash[bookKey(name, balance.Currency)]; inUnits(balance.Amount).Cmp(want) != 0 {
				b.t.Fatalf("cash of %s is %s, want %s", name, balance, want.FloatString(18))
			}
		}
		for _, p := range state.Positions {
			b.checkPosition(p, nil)
		}
		sums := map[string]int64{}
		for _, p := range state.StrategyPositions {
			b.checkPosition(p, &p.StrategyID)
			sums[p.InstrumentID] += p.NetQty
		}
		for _, p := range state.Positions {
			if sums[p.InstrumentID] != p.NetQty {
				b.t.Fatalf("the strategies of %s have %d of %s, the account %d", name, sums[p.InstrumentID], p.InstrumentID, p.NetQty)
			}
		}
	}
	b.risk.check(b.t, b.engine.PretradeSnapshot())
}

func (b *books) checkPosition(p engine.Position, strategy *string) {
	moves := b.moves[bookKey(p.Account, p.InstrumentID)]
	want := holdingOf(instrumentOf(p.InstrumentID), moves, strategy)
	if p.NetQty != want.net || inUnits(p.Cost.Amount).Cmp(want.cost) != 0 || inUnits(p.RealizedPnl.Amount).Cmp(want.realized) != 0 ||
		inUnits(p.Fees.Amount).Cmp(feesOf(moves, strategy, p.Fees.Currency)) != 0 {
		b.t.Fatalf("%+v, want %d, %s and %s", p, want.net, want.cost.FloatString(18), want.realized.FloatString(18))
	}
}

// Position is fills plus adjustments, and cash balances to 10^-18, at every sequence; of the account, of each
// strategy, and as risk is told.
func TestBooksBalanceAtEverySequence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBooks(t)
		step := func(f func()) func(*rapid.T) {
			return func(*rapid.T) {
				b.pass()
				f()
				b.forget()
				b.check()
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"order": step(b.order), "fill": step(b.fill), "fill again": step(b.fill), "revise": step(b.revise), "adjust": step(b.adjust), "end": step(b.end),
			"control": step(b.control), "restart": step(b.restart),
		})
		b.checkReplay()
	})
}
