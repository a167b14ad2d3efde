package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/testseed"
)

func sampleEvents(t testing.TB) []engine.Event {
	amount, err := engine.NewAmount(-12, -5)
	if err != nil {
		t.Fatal(err)
	}
	money := engine.Money{Currency: "USD", Amount: amount}
	inputs := []engine.Input{
		&engine.OrderDecision{Approved: true, NewOrder: engine.NewOrder{ClOrdID: "1", Account: "A", StrategyID: "s", InstrumentID: "I.X",
			Side: engine.Sell, OrdType: engine.Limit, TimeInForce: engine.FOK, OrderQty: 7, Price: -3, HasPrice: true}},
		// A journal also holds what was refused for its fields.
		&engine.OrderDecision{NewOrder: engine.NewOrder{OrdType: engine.Market}, OrdRejReason: engine.RejInvalidField, RejectedBy: engine.ByRisk,
			Text: "why", CheckFailures: []engine.CheckFailure{{OrdRejReason: engine.RejPositionLimit, Scope: "firm", RiskLimit: "1.5", Value: "2"}}},
		&engine.CancelOrder{ClOrdID: "c", OrigClOrdID: "1", Account: "A"},
		&engine.VenueReport{Venue: "X", OrderID: 3, VenueOrderID: "v", ExecID: "e", ExecType: engine.ExecTrade, TransactTime: 9, LastQty: 4, LastPx: -5,
			LastLiquidityInd: engine.LiquidityAdded, Commission: money, CxlRejReason: engine.CxlTooLate, Text: "t"},
		&engine.Mark{InstrumentID: "I.X", MarkPx: -1},
		&engine.Adjustment{Account: "A", Cash: money, InstrumentID: "I.X", Qty: -2, Price: 8, Reason: "r"},
		&engine.LimitChange{ChangedBy: "me", Reason: "r", ApprovedBy: "you", RiskLimits: engine.RiskLimits{Version: 2, MarketOrderBandBps: 50,
			Limits: []engine.RiskLimit{{Account: "A", InstrumentID: "I.X", MaxOrderQty: &engine.Decimal{Mantissa: 1, Scale: 2},
				MaxOrderNotional: &engine.Decimal{Mantissa: 0}}}}},
		&engine.Instrument{InstrumentID: "I.X", Version: 4, Class: engine.Future, BaseCurrency: "B", QuoteCurrency: "Q", PriceScale: 2, QtyScale: 3,
			PriceIncrement: 5, QtyIncrement: 6, MinQty: 7, MaxQty: 8, Multiplier: engine.Decimal{Mantissa: 9, Scale: 1},
			MakerFeeRatio: engine.Decimal{Mantissa: -1, Scale: 4}, TakerFeeRatio: engine.Decimal{Mantissa: 2, Scale: 4}, AllowNegativePrice: true},
		&engine.AccountOpened{Account: "A", BaseCurrency: "USD"},
	}
	for _, input := range []engine.Input{
		&engine.OrderDecision{}, &engine.OrderListDecision{}, &engine.ReplaceDecision{}, &engine.CancelOrder{}, &engine.MassCancelOrders{},
		&engine.VenueReport{}, &engine.Mark{}, &engine.Adjustment{}, &engine.LimitChange{}, &engine.Instrument{}, &engine.AccountOpened{},
		&engine.Triggered{}, &engine.Watermark{}, &engine.Timer{}, &engine.SessionBegan{}, &engine.SessionLost{}, &engine.OrderInDoubt{}, &engine.ExternalOrder{},
		&engine.TradingStateChange{}, &engine.KillSwitchChange{}, &engine.FxRates{}, &engine.PretradeModel{},
	} {
		filler := filler{money: money}
		filler.fill(reflect.ValueOf(input).Elem())
		if list, ok := input.(*engine.OrderListDecision); ok {
			for i := range list.Decisions {
				list.Decisions[i].NewOrder, list.Decisions[i].SessionID = engine.NewOrder{}, ""
			}
		}
		inputs = append(inputs, input)
	}
	events := make([]engine.Event, len(inputs))
	for i, input := range inputs {
		events[i] = engine.Event{Sequence: uint64(i + 1), TransactTime: int64(i) - 5, Input: input}
	}
	return events
}

// filler gives every field a value, so that one that the codec forgets shows.
type filler struct {
	money engine.Money
	count int64
}

func (f *filler) fill(v reflect.Value) {
	f.count++
	switch value := v.Addr().Interface().(type) {
	case *engine.Money:
		*value = f.money
		return
	case *engine.ExecInst:
		*value = engine.PostOnly | engine.CancelOnDisconnect
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			f.fill(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.fill(v.Index(0))
		f.fill(v.Index(1))
	case reflect.String:
		v.SetString(fmt.Sprint("s", f.count))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int64:
		v.SetInt(-f.count)
	case reflect.Float64:
		v.SetFloat(float64(f.count) / 8)
	case reflect.Uint64:
		v.SetUint(uint64(f.count))
	default: // an enumeration, or the scale of a decimal
		v.SetUint(uint64(f.count%3) + 1)
	}
}

func TestEveryEventComesBackAsItWas(t *testing.T) {
	for _, event := range sampleEvents(t) {
		encoded, err := Encode(&event)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := Decode(encoded)
		if err != nil || !reflect.DeepEqual(decoded, event) {
			t.Errorf("%+v came back as %+v, %v", event.Input, decoded.Input, err)
		}
	}
}

// What is encoded without messages is what the messages would be encoded as, whatever of it is zero.
func TestHotEventsAreEncodedAsTheirMessages(t *testing.T) {
	seed := testseed.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	hot := 0
	for round := range 2000 {
		for _, event := range sampleEvents(t) {
			if round > 0 {
				event.Sequence, event.TransactTime = random.Uint64()>>random.IntN(64), int64(random.Uint64())>>random.IntN(64)
				scramble(random, reflect.ValueOf(event.Input).Elem())
			}
			message, err := eventMessage(&event)
			if err != nil {
				t.Fatal(err)
			}
			want, wantErr := proto.MarshalOptions{Deterministic: true}.MarshalAppend([]byte("before"), message)
			got, done := appendHot([]byte("before"), &event)
			if !done {
				continue
			}
			if hot++; wantErr != nil || !bytes.Equal(got, want) {
				t.Fatalf("seed %d: %+v is % x, want % x, %v", seed, event.Input, got, want, wantErr)
			}
		}
	}
	if hot < 4000 {
		t.Errorf("seed %d: only %d were hot", seed, hot)
	}
}

// scramble gives some of the fields of orders and reports other values: none, the longest, text of any length.
func scramble(random *rand.Rand, v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.Struct:
			if f.Type() == reflect.TypeFor[engine.NewOrder]() {
				scramble(random, f)
			}
		case reflect.String:
			f.SetString(strings.Repeat("é", random.IntN(3)*random.IntN(120)))
		case reflect.Int64:
			f.SetInt(int64(random.Uint64()) >> random.IntN(64))
		case reflect.Uint8, reflect.Uint32, reflect.Uint64:
			f.SetUint(random.Uint64() >> (64 - random.IntN(f.Type().Bits())))
		case reflect.Bool:
			f.SetBool(random.IntN(2) == 0)
		case reflect.Slice:
			if random.IntN(2) == 0 {
				f.SetZero()
			}
		}
	}
}

func TestWhatIsNoEventIsAnError(t *testing.T) {
	if _, err := Encode(&engine.Event{Sequence: 3}); err == nil || !strings.Contains(err.Error(), "sequence 3") {
		t.Errorf("an event without input: %v", err)
	}
	if _, err := Encode(&engine.Event{Input: &engine.CancelOrder{Account: "\xff"}}); err == nil {
		t.Error("text that is not UTF-8 was encoded")
	}
	for _, bad := range [][]byte{nil, {0xff}, {0x08, 0x03}} {
		if event, err := Decode(bad); err == nil {
			t.Errorf("% x is %+v", bad, event)
		}
	}
}

// FuzzDecode: whatever the bytes, an event or an error; and an event has one form.
func FuzzDecode(f *testing.F) {
	for _, event := range sampleEvents(f) {
		encoded, err := Encode(&event)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		event, err := Decode(data)
		if err != nil {
			return
		}
		first, err := Encode(&event)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("what was decoded and encoded cannot be decoded: %v", err)
		}
		if second, err := Encode(&again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("% x became % x, %v", first, second, err)
		}
	})
}
