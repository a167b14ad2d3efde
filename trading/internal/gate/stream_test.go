package gate

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/testseed"
)

// recording approves everything and keeps all events it receives, one slice a message.
type recording struct {
	mu       sync.Mutex
	messages [][]*aetherionv1.PretradeEvent
}

func (r *recording) behave(stream checkStream) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.messages = append(r.messages, request.GetEvents())
		r.mu.Unlock()
		response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}
		for _, event := range request.GetEvents() {
			if event.GetCheck() != nil && event.Decided == nil {
				response.Decisions = append(response.Decisions, approval(event))
			}
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

// events are all that came, but for what asks for the memory.
func (r *recording) events() []*aetherionv1.PretradeEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Concat(r.messages...), func(e *aetherionv1.PretradeEvent) bool { return e.GetSave() != nil })
}

func TestEverythingIsToldInOrderAfterTheSnapshot(t *testing.T) {
	var received recording
	snapshot := snapshotAt(10)
	full := func() engine.PretradeSnapshot {
		s := snapshot()
		s.TransactTime = 1000
		s.Positions = []engine.PretradePosition{{Account: testAccount, InstrumentID: testInstrument, NetQty: -5}}
		s.Holds = []engine.PretradeHold{{OrderID: 3, Account: testAccount, InstrumentID: testInstrument, Side: engine.Sell, LeavesQty: 4}}
		s.Marks = []engine.Mark{{InstrumentID: testInstrument, MarkPx: 49_00}}
		return s
	}
	g := newGate(t, Config{Deadline: patient}, full, received.behave)
	waitUp(t, g, 1)
	limits, instrument := full().RiskLimits, full().Instruments[0]
	g.Tell([]engine.PretradeEvent{
		{Sequence: 11, TransactTime: 1001, Fill: &engine.PretradeFill{OrderID: 3, Account: testAccount, InstrumentID: testInstrument, Side: engine.Sell, LastQty: 1, LastPx: 50_00}},
		{Sequence: 12, Release: &engine.PretradeRelease{OrderID: 3}},
		{Sequence: 13, Adjust: &engine.PretradeAdjust{Account: testAccount, InstrumentID: testInstrument, Qty: 7}},
	})
	asked := g.Begin(orders(14, 100))
	g.Tell([]engine.PretradeEvent{
		{Sequence: 15, Mark: &engine.Mark{InstrumentID: testInstrument, MarkPx: 51_00}},
		{Sequence: 16, RiskLimits: &limits},
		{Sequence: 17, Instrument: &instrument},
		{Sequence: 18, AccountOpened: &engine.AccountOpened{Account: "A2", BaseCurrency: "EUR"}},
	})
	outcomes(t, asked.Wait())
	outcomes(t, g.Ask(orders(19, 100)))

	events := received.events()
	var sequences []uint64
	for _, event := range events {
		sequences = append(sequences, event.GetSequence())
	}
	if want := []uint64{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}; !slices.Equal(sequences, want) {
		t.Fatalf("sequences are %v, want %v", sequences, want)
	}
	wantLimits := &aetherionv1.RiskLimits{Version: 1, Limits: []*aetherionv1.RiskLimit{{
		MaxOrderQty:      &aetherionv1.Decimal{Mantissa: 1000},
		MaxOrderNotional: &aetherionv1.Decimal{Mantissa: 50_000},
	}}}
	wantInstrument := &aetherionv1.Instrument{
		InstrumentId: testInstrument, Version: 1, InstrumentClass: aetherionv1.InstrumentClass_INSTRUMENT_CLASS_EQUITY,
		BaseCurrency: "ACME", QuoteCurrency: "USD", PriceScale: 2, PriceIncrement: 1, QtyIncrement: 1, MinQty: 1,
		Multiplier: &aetherionv1.Decimal{Mantissa: 1}, MakerFeeRatio: &aetherionv1.Decimal{}, TakerFeeRatio: &aetherionv1.Decimal{},
	}
	for i, want := range map[int]proto.Message{
		0: &aetherionv1.PretradeSnapshot{
			Instruments: []*aetherionv1.Instrument{wantInstrument},
			Accounts:    []*aetherionv1.AccountOpened{{Account: testAccount, BaseCurrency: "USD"}},
			RiskLimits:  wantLimits,
			Positions:   []*aetherionv1.PretradePosition{{Account: testAccount, InstrumentId: testInstrument, NetQty: -5}},
			Holds:       []*aetherionv1.PretradeHold{{OrderId: 3, Account: testAccount, InstrumentId: testInstrument, Side: aetherionv1.Side_SIDE_SELL, LeavesQty: 4}},
			Marks:       []*aetherionv1.Mark{{InstrumentId: testInstrument, MarkPx: 49_00}},
			FxRates:     &aetherionv1.FxRates{},
		},
		1: &aetherionv1.PretradeFill{OrderId: 3, Account: testAccount, InstrumentId: testInstrument, Side: aetherionv1.Side_SIDE_SELL, LastQty: 1, LastPx: 50_00},
		2: &aetherionv1.PretradeRelease{OrderId: 3},
		3: &aetherionv1.PretradeAdjust{Account: testAccount, InstrumentId: testInstrument, Qty: 7},
		5: &aetherionv1.Mark{InstrumentId: testInstrument, MarkPx: 51_00},
		6: wantLimits,
		7: wantInstrument,
		8: &aetherionv1.AccountOpened{Account: "A2", BaseCurrency: "EUR"},
	} {
		message := events[i].ProtoReflect()
		field := message.WhichOneof(message.Descriptor().Oneofs().ByName("event"))
		if got := message.Get(field).Message().Interface(); !proto.Equal(got, want) {
			t.Errorf("event %d is %v, want %v", i, got, want)
		}
	}
}

func TestWhatArrivesMeanwhileFormsTheNextBatch(t *testing.T) {
	var received recording
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), received.behave)
	waitUp(t, g, 1)
	const n = 5000
	asked := make([]*Asked, n)
	for i := range asked {
		asked[i] = g.Begin(orders(uint64(i+1), 100))
	}
	for i, a := range asked {
		if got := a.Wait()[0].Approved.OrderID(); got != uint64(i+1) {
			t.Fatalf("ask %d: approval of order %d", i+1, got)
		}
	}
	received.mu.Lock()
	defer received.mu.Unlock()
	t.Logf("%d asks in %d messages", n, len(received.messages))
	for _, message := range received.messages {
		if len(message) > maxBatch {
			t.Errorf("a message of %d events, at most %d are allowed", len(message), maxBatch)
		}
	}
}

// A service that stops reading fills every buffer: Tell must not hang, and memory must not grow.
func TestTellNeverHangsOnAServiceThatDoesNotRead(t *testing.T) {
	g := newGate(t, Config{Deadline: 100 * time.Millisecond}, snapshotAt(0), after(func(stream checkStream, _ *aetherionv1.CheckRequest) error {
		<-stream.Context().Done()
		return nil
	}))
	waitUp(t, g, 1)
	s := g.stream
	told := make([]engine.PretradeEvent, 1000)
	for i := range told {
		told[i] = engine.PretradeEvent{Sequence: uint64(i + 1), Mark: &engine.Mark{InstrumentID: testInstrument, MarkPx: int64(i)}}
	}
	start := time.Now()
	for range 2 * maxQueue / len(told) {
		g.Tell(told)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil || len(s.queue) > 0 {
		t.Errorf("the stream ended with %v and %d events queued, want it torn down", s.err, len(s.queue))
	}
}

// Whatever a service does, every ask is decided in time, and an order is approved only if the service
// approved that order on a stream whose snapshot held all orders approved before.
func TestChaos(t *testing.T) {
	seed := testseed.Of(t)
	var approvedByRisk sync.Map
	var streams uint64
	var mu sync.Mutex
	chaotic := func(stream checkStream) error {
		mu.Lock()
		streams++
		random := rand.New(rand.NewPCG(seed, streams))
		mu.Unlock()
		for {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}
			for _, event := range request.GetEvents() {
				if event.GetCheck() == nil || event.Decided != nil {
					continue
				}
				decision := approval(event)
				if random.IntN(4) == 0 {
					decision.Approved = false
					decision.CheckFailures = []*aetherionv1.CheckFailure{{OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT}}
				} else {
					approvedByRisk.Store(event.GetSequence(), true)
				}
				response.Decisions = append(response.Decisions, decision)
			}
			n := len(response.GetDecisions())
			switch fault := random.IntN(40); {
			case n == 0:
			case fault == 0:
				return fmt.Errorf("dropped")
			case fault == 1:
				<-stream.Context().Done()
			case fault == 2:
				response.Decisions[random.IntN(n)].Sequence += 1 + uint64(random.IntN(3))
			case fault == 3:
				response.Decisions = append(response.Decisions, response.GetDecisions()...)
			case fault == 4:
				response.Epoch--
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
	var last uint64
	snapshot := func() engine.PretradeSnapshot { return snapshotAt(last)() }
	g := newGate(t, Config{Deadline: 20 * time.Millisecond}, snapshot, chaotic)
	random := rand.New(rand.NewPCG(seed, 0))
	counts := map[string]int{}
	for start := time.Now(); time.Since(start) < 2*time.Second; {
		checks := orders(last+1, slices.Repeat([]int64{100}, 1+random.IntN(20))...)
		begun := time.Now()
		for i, outcome := range outcomes(t, g.Ask(checks)) {
			counts[outcome]++
			if _, ok := approvedByRisk.Load(checks[i].Sequence); outcome == "approved" && !ok {
				t.Errorf("seed %d: order %d was approved, but not by the Risk Service", seed, checks[i].Sequence)
			}
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("seed %d: an ask took %v", seed, took)
		}
		last += uint64(len(checks))
		if !g.Status().Available {
			time.Sleep(time.Millisecond)
		}
	}
	t.Logf("%d streams, outcomes %v", g.Status().Epoch, counts)
	if counts["approved"] == 0 || counts["RISK_UNAVAILABLE"] == 0 || counts["POSITION_LIMIT"] == 0 {
		t.Errorf("seed %d: not all outcomes were seen: %v", seed, counts)
	}
}
