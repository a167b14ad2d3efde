package gate

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

type (
	checkStream = grpc.BidiStreamingServer[aetherionv1.CheckRequest, aetherionv1.CheckResponse]
	// behaviour serves one stream of the fake Risk Service.
	behaviour func(stream checkStream) error
)

// fakeRisk is a real gRPC server whose nth stream behaves as the nth behaviour; the last one repeats.
type fakeRisk struct {
	aetherionv1.UnimplementedPretradeServiceServer
	mu         sync.Mutex
	behaviours []behaviour
}

func (f *fakeRisk) Check(stream checkStream) error {
	f.mu.Lock()
	behave := f.behaviours[0]
	if len(f.behaviours) > 1 {
		f.behaviours = f.behaviours[1:]
	}
	f.mu.Unlock()
	return behave(stream)
}

// listen serves until the test ends or stop is called. An empty address is any free one.
func (f *fakeRisk) listen(t testing.TB, address string) (at string, stop func()) {
	t.Helper()
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	aetherionv1.RegisterPretradeServiceServer(server, f)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // Its error is that it was stopped.
	}()
	stop = sync.OnceFunc(func() {
		server.Stop()
		<-served
	})
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// newGate is a gate that asks streams of these behaviours. The test fails if a goroutine is left.
func newGate(t testing.TB, config Config, snapshot func() engine.PretradeSnapshot, behaviours ...behaviour) *Gate {
	t.Helper()
	noLeak(t)
	address, _ := (&fakeRisk{behaviours: behaviours}).listen(t, "")
	return gateTo(t, address, config, snapshot)
}

func gateTo(t testing.TB, address string, config Config, snapshot func() engine.PretradeSnapshot) *Gate {
	t.Helper()
	conn, err := Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	g := New(conn, snapshot, config)
	t.Cleanup(g.Close)
	return g
}

// waitUp waits for a stream of at least this epoch.
func waitUp(t testing.TB, g *Gate, epoch uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for g.Status().Epoch < epoch || !g.Status().Available {
		if err := g.Ready(ctx); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
}

func noLeak(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 200 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		t.Errorf("%d goroutines before, %d left:\n%s", before, runtime.NumGoroutine(), stacks)
	})
}

// answering receives for ever and answers every check as decide says.
func answering(decide func(epoch uint64, check *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision) behaviour {
	return func(stream checkStream) error {
		for {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}
			for _, event := range request.GetEvents() {
				if event.GetCheck() != nil && event.Decided == nil {
					response.Decisions = append(response.Decisions, decide(request.GetEpoch(), event))
				}
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}

// remembered is the memory of each save in a message, its sequence in words.
func remembered(request *aetherionv1.CheckRequest) []*aetherionv1.PretradeMemory {
	var memories []*aetherionv1.PretradeMemory
	for _, event := range request.GetEvents() {
		if event.GetSave() != nil {
			memories = append(memories, &aetherionv1.PretradeMemory{
				Sequence: event.GetSequence(), Memory: fmt.Appendf(nil, "memory of %d", event.GetSequence()),
			})
		}
	}
	return memories
}

func approval(event *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision {
	return &aetherionv1.PretradeDecision{
		Sequence: event.GetSequence(),
		OrderId:  event.GetCheck().GetOrderId(),
		Approved: true,
	}
}

func approveAll(stream checkStream) error {
	return answering(func(_ uint64, event *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision {
		return approval(event)
	})(stream)
}

// responding takes over the state, answers the first message that holds checks with what respond makes of
// it, then says nothing more until the client is gone.
func responding(respond func(right *aetherionv1.CheckResponse) *aetherionv1.CheckResponse) behaviour {
	return func(stream checkStream) error {
		for {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			right := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}
			for _, event := range request.GetEvents() {
				if event.GetCheck() != nil && event.Decided == nil {
					right.Decisions = append(right.Decisions, approval(event))
				}
			}
			asked := len(right.GetDecisions()) > 0
			if asked {
				right = respond(right)
			}
			if err := stream.Send(right); err != nil {
				return err
			}
			if asked {
				<-stream.Context().Done()
			}
		}
	}
}

// silent takes over the state and answers no check.
func silent(stream checkStream) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := stream.Send(&aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}); err != nil {
			return err
		}
	}
}

// after takes over the state, and then behaves: it is handed the first message that is told or asked. What
// the state is told by is shown to see.
func after(behave func(stream checkStream, first *aetherionv1.CheckRequest) error, see ...func(*aetherionv1.CheckRequest)) behaviour {
	return func(stream checkStream) error {
		for {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			memories := remembered(request)
			if len(memories) == 0 {
				return behave(stream, request)
			}
			for _, show := range see {
				show(request)
			}
			if err := stream.Send(&aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: memories}); err != nil {
				return err
			}
		}
	}
}

const (
	testAccount    = "A1"
	testInstrument = "ACME.XTST"
)

// snapshotAt is a state of one account and one instrument, prices in cents, quantities whole, where
// an order may be 1,000 units and 50,000.00 large.
func snapshotAt(sequence uint64) func() engine.PretradeSnapshot {
	return func() engine.PretradeSnapshot {
		return engine.PretradeSnapshot{
			Sequence: sequence,
			Instruments: []engine.Instrument{{
				InstrumentID:   testInstrument,
				Version:        1,
				Class:          engine.Equity,
				BaseCurrency:   "ACME",
				QuoteCurrency:  "USD",
				PriceScale:     2,
				PriceIncrement: 1,
				QtyIncrement:   1,
				MinQty:         1,
				Multiplier:     engine.Decimal{Mantissa: 1},
			}},
			Accounts: []engine.AccountOpened{{Account: testAccount, BaseCurrency: "USD"}},
			RiskLimits: engine.RiskLimits{Version: 1, Limits: []engine.RiskLimit{{
				MaxOrderQty:      &engine.Decimal{Mantissa: 1000},
				MaxOrderNotional: &engine.Decimal{Mantissa: 50_000},
			}}},
		}
	}
}

// orders are limit orders of these quantities at 50.00; the first has the sequence first.
func orders(first uint64, quantities ...int64) []engine.PretradeCheck {
	checks := make([]engine.PretradeCheck, len(quantities))
	for i, qty := range quantities {
		sequence := first + uint64(i)
		checks[i] = engine.PretradeCheck{Sequence: sequence, OrderID: sequence, TransactTime: int64(sequence), NewOrder: &engine.NewOrder{
			ClOrdID:      fmt.Sprintf("order-%d", sequence),
			Account:      testAccount,
			InstrumentID: testInstrument,
			Side:         engine.Buy,
			OrdType:      engine.Limit,
			TimeInForce:  engine.Day,
			OrderQty:     qty,
			Price:        50_00,
			HasPrice:     true,
		}}
	}
	return checks
}

// outcomes are decisions in short: "approved", or the reason's number.
func outcomes(t testing.TB, decisions []Decision) []string {
	t.Helper()
	names := map[engine.OrdRejReason]string{
		engine.RejMaxOrderQty:     "MAX_ORDER_QTY",
		engine.RejPositionLimit:   "POSITION_LIMIT",
		engine.RejRiskUnavailable: "RISK_UNAVAILABLE",
		engine.RejGatewayBlock:    "GATEWAY_BLOCK",
		engine.RejList:            "LIST",
	}
	short := make([]string, len(decisions))
	for i, decision := range decisions {
		d := decision.OrderDecision
		short[i] = names[d.OrdRejReason]
		if d.Approved {
			short[i] = "approved"
		}
		if d.Approved != (decision.Approved.OrderID() != 0) {
			t.Errorf("decision %d: approved is %v, the approval is of order %d", i, d.Approved, decision.Approved.OrderID())
		}
		if !d.Approved && (d.RejectedBy != engine.ByRisk || d.Text == "" || d.OrdRejReason == 0) {
			t.Errorf("decision %d: a refusal names who, why and in words, got %+v", i, d)
		}
	}
	return short
}
