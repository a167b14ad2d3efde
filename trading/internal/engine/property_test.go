package engine_test

import (
	"errors"
	"fmt"
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// machine drives an engine with random events, most of them sensible, and keeps beside it the sums
// that the engine must agree with after every event.
type machine struct {
	engine   *engine.Engine
	journal  *journal.Memory
	effects  engine.Effects
	now      int64
	execs    int
	requests int
	ids      []uint64
	net      map[string]*big.Int // account/instrument: adjustments + fills
	paid     map[string]*big.Int // account/instrument: signed notionals in attos
	cash     map[string]*big.Int // account: in attos of USD
	lastRep  map[string]uint64
}

var (
	accountNames = []string{"A", "B"}
	definitions  = []engine.Instrument{
		definition("ACME.X", engine.Equity, 2, 0, engine.Decimal{Mantissa: 1}),
		definition("BTCUSD.Y", engine.Spot, 2, 8, engine.Decimal{Mantissa: 1}),
		definition("ES.Z", engine.Future, 2, 0, engine.Decimal{Mantissa: 125, Scale: 1}),
	}
)

func definition(id string, class engine.InstrumentClass, priceScale, qtyScale uint32, multiplier engine.Decimal) engine.Instrument {
	return engine.Instrument{
		InstrumentID: id, Version: 1, Class: class, BaseCurrency: "ACME", QuoteCurrency: "USD", PriceScale: priceScale,
		QtyScale: qtyScale, PriceIncrement: 1, QtyIncrement: 1, Multiplier: multiplier,
	}
}

func newMachine(t *rapid.T) *machine {
	m := &machine{engine: engine.New(), journal: journal.NewMemory(), net: map[string]*big.Int{},
		paid: map[string]*big.Int{}, cash: map[string]*big.Int{}, lastRep: map[string]uint64{}}
	for i := range definitions {
		m.apply(t, &definitions[i])
	}
	for _, name := range accountNames {
		m.cash[name] = new(big.Int)
		m.apply(t, &engine.AccountOpened{Account: name, BaseCurrency: "USD"})
	}
	return m
}

// apply journals what the engine takes, as the sequencer does.
func (m *machine) apply(t *rapid.T, input engine.Input) error {
	m.now += rapid.Int64Range(0, 3).Draw(t, "elapsed")
	event := engine.Event{Sequence: m.engine.Sequence() + 1, TransactTime: m.now, Input: input}
	before := m.engine.StateHash()
	m.effects.Reset()
	if err := m.engine.Apply(event, &m.effects); err != nil {
		if m.engine.StateHash() != before {
			t.Fatalf("%+v was refused (%v) and changed the state", input, err)
		}
		return err
	}
	encoded, err := journal.Encode(&event)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.journal.Append(event.Sequence, [][]byte{encoded}); err != nil {
		t.Fatal(err)
	}
	for _, r := range m.effects.Reports {
		if r.PrevSequence != m.lastRep[r.NewOrder.Account] {
			t.Fatalf("report %d names %d before it, want %d", r.Sequence, r.PrevSequence, m.lastRep[r.NewOrder.Account])
		}
		m.lastRep[r.NewOrder.Account] = r.Sequence
	}
	return nil
}

func (m *machine) newOrder(t *rapid.T) {
	order := engine.NewOrder{
		ClOrdID: fmt.Sprint(rapid.IntRange(0, 40).Draw(t, "name")), Account: rapid.SampledFrom(accountNames).Draw(t, "account"),
		InstrumentID: rapid.SampledFrom(definitions).Draw(t, "instrument").InstrumentID,
		Side:         engine.Side(rapid.IntRange(0, 2).Draw(t, "side")), OrdType: engine.Market, TimeInForce: engine.GTC,
		OrderQty: rapid.Int64Range(-1, 1_000_000_000).Draw(t, "qty"),
	}
	decision := &engine.OrderDecision{NewOrder: order, Approved: true}
	if rapid.IntRange(0, 4).Draw(t, "refused") == 0 {
		*decision = engine.OrderDecision{NewOrder: order, OrdRejReason: engine.RejPositionLimit, RejectedBy: engine.ByRisk,
			CheckFailures: []engine.CheckFailure{{OrdRejReason: engine.RejPositionLimit, Scope: "firm", RiskLimit: "1", Value: "2"}}}
	}
	if m.apply(t, decision) == nil {
		m.ids = append(m.ids, m.engine.Sequence())
	}
}

func (m *machine) cancel(t *rapid.T) {
	// Sometimes an old name: a repetition, or one that is used twice.
	m.requests += rapid.IntRange(0, 2).Draw(t, "new request")
	if err := m.apply(t, &engine.CancelOrder{ClOrdID: fmt.Sprint("c", m.requests), OrigClOrdID: fmt.Sprint(rapid.IntRange(0, 50).Draw(t, "name")),
		Account: rapid.SampledFrom(accountNames).Draw(t, "account")}); err != nil && !errors.Is(err, engine.ErrNothingNew) {
		t.Fatalf("a cancel always has an answer: %v", err)
	}
}

func (m *machine) venueReport(t *rapid.T) {
	if len(m.ids) == 0 {
		return
	}
	o := m.engine.Order(rapid.SampledFrom(m.ids).Draw(t, "order"))
	instrument := instrumentOf(o.NewOrder.InstrumentID)
	report := &engine.VenueReport{Venue: instrument.Venue(), OrderID: o.OrderID, ExecType: engine.ExecType(rapid.IntRange(2, 8).Draw(t, "exec_type"))}
	if report.ExecType == engine.ExecTrade || rapid.Bool().Draw(t, "fill") {
		// Sometimes an old exec id: a repetition.
		m.execs += rapid.IntRange(0, 1).Draw(t, "new exec")
		fee, _ := engine.NewAmount(0, rapid.Int64Range(-1e9, 1e9).Draw(t, "fee"))
		report.ExecType, report.ExecID = engine.ExecTrade, fmt.Sprint(m.execs)
		report.LastQty, report.LastPx = rapid.Int64Range(0, 1_000_000_000).Draw(t, "last_qty"), rapid.Int64Range(1, 1e9).Draw(t, "last_px")
		report.Commission = engine.Money{Currency: "USD", Amount: fee}
	}
	realized := m.realized(o.NewOrder.Account, instrument.InstrumentID)
	err := m.apply(t, report)
	if err != nil || report.ExecType != engine.ExecTrade {
		return
	}
	qty := big.NewInt(report.LastQty)
	if o.NewOrder.Side == engine.Sell {
		qty.Neg(qty)
	}
	paid := m.moved(o.NewOrder.Account, instrument, qty, report.LastPx)
	if instrument.Class == engine.Future {
		m.cash[o.NewOrder.Account].Add(m.cash[o.NewOrder.Account], new(big.Int).Sub(m.realized(o.NewOrder.Account, instrument.InstrumentID), realized))
	} else {
		m.cash[o.NewOrder.Account].Sub(m.cash[o.NewOrder.Account], paid)
	}
	m.cash[o.NewOrder.Account].Sub(m.cash[o.NewOrder.Account], attos(report.Commission.Amount))
}

func (m *machine) adjust(t *rapid.T) {
	amount, _ := engine.NewAmount(rapid.Int64Range(0, 1e9).Draw(t, "units"), rapid.Int64Range(0, 1e17).Draw(t, "attos"))
	a := &engine.Adjustment{Account: rapid.SampledFrom(accountNames).Draw(t, "account"), Cash: engine.Money{Currency: "USD", Amount: amount}}
	if rapid.Bool().Draw(t, "position") {
		a.InstrumentID = rapid.SampledFrom(definitions).Draw(t, "instrument").InstrumentID
		a.Qty, a.Price = rapid.Int64Range(-1e9, 1e9).Draw(t, "qty"), rapid.Int64Range(0, 1e9).Draw(t, "price")
	}
	if m.apply(t, a) != nil {
		return
	}
	m.cash[a.Account].Add(m.cash[a.Account], attos(a.Cash.Amount))
	if a.InstrumentID != "" {
		m.moved(a.Account, instrumentOf(a.InstrumentID), big.NewInt(a.Qty), a.Price)
	}
}

func (m *machine) mark(t *rapid.T) {
	_ = m.apply(t, &engine.Mark{InstrumentID: rapid.SampledFrom(definitions).Draw(t, "instrument").InstrumentID,
		MarkPx: rapid.Int64Range(0, 1e9).Draw(t, "mark_px")})
}

// moved adds to the sums, and gives the signed notional.
func (m *machine) moved(account string, instrument engine.Instrument, qty *big.Int, px int64) *big.Int {
	key := account + "/" + instrument.InstrumentID
	if m.net[key] == nil {
		m.net[key], m.paid[key] = new(big.Int), new(big.Int)
	}
	m.net[key].Add(m.net[key], qty)
	paid := new(big.Int).Mul(qty, big.NewInt(px))
	paid.Mul(paid, big.NewInt(instrument.Multiplier.Mantissa))
	exponent := 18 - int64(instrument.PriceScale+instrument.QtyScale+instrument.Multiplier.Scale)
	paid.Mul(paid, new(big.Int).Exp(big.NewInt(10), big.NewInt(exponent), nil))
	m.paid[key].Add(m.paid[key], paid)
	return paid
}

func (m *machine) realized(account, instrumentID string) *big.Int {
	state, _ := m.engine.Account(account)
	for _, p := range state.Positions {
		if p.InstrumentID == instrumentID {
			return attos(p.RealizedPnl.Amount)
		}
	}
	return new(big.Int)
}

// check holds the engine against the sums, and every order against its invariants.
func (m *machine) check(t *rapid.T) {
	for _, name := range accountNames {
		state, _ := m.engine.Account(name)
		if cash := balance(state, "USD"); cash.Cmp(m.cash[name]) != 0 {
			t.Fatalf("cash of %s is %s attos, want %s", name, cash, m.cash[name])
		}
		for _, p := range state.Positions {
			key := name + "/" + p.InstrumentID
			if big.NewInt(p.NetQty).Cmp(m.net[key]) != 0 {
				t.Fatalf("position %s is %d, adjustments and fills are %s", key, p.NetQty, m.net[key])
			}
			if left := new(big.Int).Sub(attos(p.Cost.Amount), attos(p.RealizedPnl.Amount)); left.Cmp(m.paid[key]) != 0 {
				t.Fatalf("cost - realized_pnl of %s is %s attos, want %s", key, left, m.paid[key])
			}
			if p.NetQty == 0 && p.Cost.Amount.Sign() != 0 {
				t.Fatalf("a flat position %s costs %s", key, p.Cost)
			}
		}
	}
	open := 0
	for _, id := range m.ids {
		o := m.engine.Order(id)
		switch {
		case o.Open() && o.NewOrder.OrderQty != o.CumQty+o.LeavesQty(), !o.Open() && o.LeavesQty() != 0, o.LeavesQty() < 0:
			t.Fatalf("order %d: order_qty %d, cum_qty %d, leaves_qty %d, status %d", id, o.NewOrder.OrderQty, o.CumQty, o.LeavesQty(), o.OrdStatus())
		case o.Open():
			open++
		}
	}
	if open != m.engine.OpenOrders() || open != len(m.engine.PretradeSnapshot().Holds) {
		t.Fatalf("%d orders are open, the engine counts %d and holds %d", open, m.engine.OpenOrders(), len(m.engine.PretradeSnapshot().Holds))
	}
}

func TestInvariantsAfterEveryEventAndReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		step := func(f func(*rapid.T)) func(*rapid.T) {
			return func(t *rapid.T) { f(t); m.check(t) }
		}
		t.Repeat(map[string]func(*rapid.T){
			"new order": step(m.newOrder), "cancel": step(m.cancel), "venue": step(m.venueReport), "venue again": step(m.venueReport),
			"adjust": step(m.adjust), "mark": step(m.mark),
		})
		m.checkReplay(t)
	})
}

// checkReplay builds a second engine from the bytes of the journal.
func (m *machine) checkReplay(t *rapid.T) { m.replay(t, engine.New(), 1) }

// replay brings another engine to where this one is, from the journal's events of that sequence on.
func (m *machine) replay(t *rapid.T, again *engine.Engine, from uint64) {
	var effects engine.Effects
	err := m.journal.ReadFrom(from, func(sequence uint64, encoded []byte) error {
		event, err := journal.Decode(encoded)
		if err != nil {
			return err
		}
		if event.Sequence != sequence {
			return errors.New("sequence")
		}
		effects.Reset()
		return again.Apply(event, &effects)
	})
	if err != nil {
		t.Fatal(err)
	}
	if again.StateHash() != m.engine.StateHash() {
		t.Fatal("replaying the journal gives another state")
	}
}

func instrumentOf(id string) engine.Instrument {
	for _, d := range definitions {
		if d.InstrumentID == id {
			return d
		}
	}
	panic(id)
}

func attos(a engine.Amount) *big.Int {
	units, rest := a.Parts()
	v := new(big.Int).Mul(big.NewInt(units), big.NewInt(1e18))
	return v.Add(v, big.NewInt(rest))
}

func balance(state engine.AccountState, currency string) *big.Int {
	for _, b := range state.Balances {
		if b.Currency == currency {
			return attos(b.Amount)
		}
	}
	return new(big.Int)
}
