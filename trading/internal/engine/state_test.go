package engine_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/testseed"
)

// An engine that was written and read back is the one that went on: in its state, and in all that it
// answers to the events that follow.
func TestStateThatIsReadBackGoesOnAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		step := func() {
			switch rapid.IntRange(0, 9).Draw(t, "event") {
			case 0, 1, 2:
				m.newOrder(t)
			case 3:
				m.cancel(t)
			case 4:
				m.adjust(t)
			case 5:
				m.mark(t)
			default:
				m.venueReport(t)
			}
		}
		for range rapid.IntRange(0, 60).Draw(t, "before") {
			step()
		}
		var state bytes.Buffer
		if err := m.engine.WriteState(&state); err != nil {
			t.Fatal(err)
		}
		restored, err := engine.ReadState(state.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if restored.StateHash() != m.engine.StateHash() {
			t.Fatal("the hash changed")
		}
		for _, id := range m.ids {
			if got, want := restored.Order(id).LastReport, m.engine.Order(id).LastReport; !reflect.DeepEqual(got, want) {
				t.Fatalf("order %d: last report is %+v, want %+v", id, got, want)
			}
		}
		if !reflect.DeepEqual(restored.PretradeSnapshot(), m.engine.PretradeSnapshot()) {
			t.Fatal("the gate would be told another state")
		}
		sequence := m.engine.Sequence()
		for range 20 {
			step()
		}
		m.replay(t, restored, sequence+1)
	})
}

func TestStateThatIsNotWhole(t *testing.T) {
	e := engine.New()
	var effects engine.Effects
	for _, event := range everyPart() {
		if err := e.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
	}
	var state bytes.Buffer
	if err := e.WriteState(&state); err != nil {
		t.Fatal(err)
	}
	whole := state.Bytes()
	for n := range whole {
		if _, err := engine.ReadState(whole[:n]); err == nil {
			t.Fatalf("the first %d of %d bytes were taken for a state", n, len(whole))
		}
	}
	if _, err := engine.ReadState(append(bytes.Clone(whole), 0)); err == nil {
		t.Fatal("a byte too many was not seen")
	}
}

// everyPart are events after which every part of the state has something in it.
func everyPart() []engine.Event {
	events := orderEvents(3)
	add := func(input engine.Input) uint64 {
		events = append(events, engine.Event{Sequence: uint64(len(events) + 1), Input: input})
		return uint64(len(events))
	}
	order := func(name string, ordType engine.OrdType) engine.NewOrder {
		o := engine.NewOrder{ClOrdID: name, Account: "A", StrategyID: "S", InstrumentID: "ACME.X", Side: engine.Buy, OrdType: ordType,
			TimeInForce: engine.GTC, OrderQty: 10}
		if ordType == engine.TrailingStop {
			o.TrailingAmount = 5
		}
		return o
	}
	add(&engine.Mark{InstrumentID: "ACME.X", MarkPx: 5000})
	add(&engine.FxRates{Rates: []engine.FxRate{{Currency: "EUR", QuoteCurrency: "USD", Rate: engine.Decimal{Mantissa: 11, Scale: 1}}}})
	add(&engine.PretradeModel{Version: 1, InstrumentIDs: []string{"ACME.X"}, Covariance: []float64{1e-4}, ConfidenceBp: 9900, HorizonDays: 1})
	report := &engine.VenueReport{Venue: "X", ExecType: engine.ExecTrade, ExecID: "t", LastQty: 4, LastPx: 5000}
	report.OrderID = add(&engine.OrderDecision{Approved: true, NewOrder: order("m", engine.Market)})
	add(report)
	add(&engine.VenueReport{Venue: "X", OrderID: report.OrderID, ExecType: engine.ExecTradeCorrect, ExecID: "u", ExecRefID: "t", LastQty: 3, LastPx: 4999})
	add(&engine.CancelOrder{ClOrdID: "c", OrigClOrdID: "m", Account: "A"})
	trailing := add(&engine.OrderDecision{Approved: true, NewOrder: order("s", engine.TrailingStop)})
	add(&engine.Watermark{OrderID: trailing, Price: 4990})
	add(&engine.OrderListDecision{Approved: true, List: engine.NewOrderList{ListID: "l", Account: "A", ContingencyType: engine.OTO,
		Orders: []engine.NewOrder{order("l1", engine.Market), order("l2", engine.Market)}}})
	add(&engine.OrderInDoubt{OrderID: uint64(len(events))})
	add(&engine.ExternalOrder{NewOrder: order("x", engine.Market), VenueClOrdID: "there", VenueOrderID: "V",
		Fills: []engine.ExternalFill{{ExecID: "v", LastQty: 1, LastPx: 5000}}})
	add(&engine.TradingStateChange{Scope: engine.TradingScope{Account: "A"}, TradingState: engine.Reducing})
	add(&engine.KillSwitchChange{Scope: engine.TradingScope{StrategyID: "T"}, Engaged: true})
	add(&engine.SessionBegan{SessionID: "session", Grace: 5})
	return events
}

func FuzzReadState(f *testing.F) {
	e := engine.New()
	var effects engine.Effects
	for _, event := range everyPart() {
		if err := e.Apply(event, &effects); err != nil {
			f.Fatal(err)
		}
	}
	var state bytes.Buffer
	if err := e.WriteState(&state); err != nil {
		f.Fatal(err)
	}
	f.Add(state.Bytes())
	f.Add([]byte{})
	f.Fuzz(checkRead)
}

// checkRead takes any bytes: they are refused, or are a state that is written and read again.
func checkRead(t *testing.T, state []byte) {
	restored, err := engine.ReadState(state)
	if err != nil {
		return
	}
	for _, account := range restored.Accounts() {
		restored.Account(account.Account)
	}
	restored.PretradeSnapshot()
	var again bytes.Buffer
	if err := restored.WriteState(&again); err != nil {
		t.Fatal(err)
	}
	// Another spelling of a number is read too; what is written from it is the one state there is.
	twice, err := engine.ReadState(again.Bytes())
	if err != nil {
		t.Fatalf("what was written is not read: %v", err)
	}
	if twice.StateHash() != restored.StateHash() {
		t.Fatal("the state changed")
	}
}

func TestAlteredStates(t *testing.T) {
	e := engine.New()
	var effects engine.Effects
	for _, event := range everyPart() {
		if err := e.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
	}
	var state bytes.Buffer
	if err := e.WriteState(&state); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(testseed.Of(t), 1))
	for range 10_000 {
		altered := bytes.Clone(state.Bytes())
		for range 1 + random.IntN(3) {
			altered[random.IntN(len(altered))] = byte(random.IntN(256))
		}
		checkRead(t, altered)
	}
}
