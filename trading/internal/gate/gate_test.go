package gate

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// patient is a deadline that no test reaches unless the gate hangs.
const patient = time.Minute

func TestAskPassesOnAnswersInOrder(t *testing.T) {
	sent := make(chan *aetherionv1.PretradeEvent, 3)
	g := newGate(t, Config{Deadline: patient}, snapshotAt(7), answering(
		func(_ uint64, event *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision {
			sent <- event
			decision := approval(event)
			if event.GetCheck().GetNewOrder().GetOrderQty() == 200 {
				decision.Approved = false
				decision.CheckFailures = []*aetherionv1.CheckFailure{
					{OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_MAX_ORDER_QTY, Scope: "account:A1", RiskLimit: "150", Value: "200"},
					{OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT, Scope: "firm", RiskLimit: "170", Value: "300"},
				}
			}
			return decision
		}))
	waitUp(t, g, 1)
	checks := orders(8, 100, 200, 300)
	checks[2].NewOrder.OrdType, checks[2].NewOrder.HasPrice = engine.Limit, true
	decisions := g.Ask(checks)
	if got, want := outcomes(t, decisions), []string{"approved", "MAX_ORDER_QTY", "approved"}; !slices.Equal(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	if got := decisions[0].Approved; got.OrderID() != 8 || got.NewOrder() != *checks[0].NewOrder {
		t.Errorf("approval is %+v, want order 8 as asked", got)
	}
	refused := decisions[1].OrderDecision
	want := []engine.CheckFailure{
		{OrdRejReason: engine.RejMaxOrderQty, Scope: "account:A1", RiskLimit: "150", Value: "200"},
		{OrdRejReason: engine.RejPositionLimit, Scope: "firm", RiskLimit: "170", Value: "300"},
	}
	if !slices.Equal(refused.CheckFailures, want) || refused.Text != "account:A1: limit 150, the order would make 200" {
		t.Errorf("refusal is %+v", refused)
	}
	wantOrder := &aetherionv1.NewOrder{
		ClOrdId: "order-8", Account: testAccount, InstrumentId: testInstrument,
		Side: aetherionv1.Side_SIDE_BUY, OrdType: aetherionv1.OrdType_ORD_TYPE_LIMIT,
		TimeInForce: aetherionv1.TimeInForce_TIME_IN_FORCE_DAY, OrderQty: 100, Price: proto.Int64(50_00),
	}
	if got := <-sent; !proto.Equal(got.GetCheck().GetNewOrder(), wantOrder) || got.GetTransactTimeNs() != 8 {
		t.Errorf("the Risk Service was asked %v, want %v", got, wantOrder)
	}
}

func TestAskOfNothingIsNothing(t *testing.T) {
	g := newGate(t, Config{}, snapshotAt(0), approveAll)
	if decisions := g.Ask(nil); len(decisions) != 0 {
		t.Errorf("got %v", decisions)
	}
}

// Every misbehaviour refuses the orders that it concerns, and the next stream trades again.
func TestMisbehaviourFailsClosedAndTradingResumes(t *testing.T) {
	type response = aetherionv1.CheckResponse
	wrong := func(change func(right *response)) behaviour {
		return responding(func(right *response) *response {
			change(right)
			return right
		})
	}
	refused := []string{"RISK_UNAVAILABLE", "RISK_UNAVAILABLE"}
	for _, c := range []struct {
		name     string
		deadline time.Duration
		behave   behaviour
		want     []string
		reason   string
	}{
		{"silent", 50 * time.Millisecond, silent, refused, "no answer within 50ms"},
		{"too slow", 50 * time.Millisecond, wrong(func(*response) { time.Sleep(200 * time.Millisecond) }), refused, "no answer within 50ms"},
		{"answers half", 50 * time.Millisecond, wrong(func(r *response) { r.Decisions = r.Decisions[:1] }),
			[]string{"approved", "RISK_UNAVAILABLE"}, "no answer within 50ms"},
		{"answers too many", patient, wrong(func(r *response) { r.Decisions = append(r.Decisions, r.Decisions[0]) }), refused, "3 decisions, 2 were asked for"},
		{"wrong sequence", patient, wrong(func(r *response) { r.Decisions[1].Sequence++ }), refused, "sequence and order_id must be 2 and 2, got 3 and 2"},
		{"unknown order", patient, wrong(func(r *response) { r.Decisions[0].OrderId = 99 }), refused, "sequence and order_id must be 1 and 1, got 1 and 99"},
		{"out of order", patient, wrong(func(r *response) { slices.Reverse(r.Decisions) }), refused, "must be 1 and 1, got 2 and 2"},
		{"missing decision", patient, wrong(func(r *response) { r.Decisions[0] = nil }), refused, "must be 1 and 1, got 0 and 0"},
		{"refused without reason", patient, wrong(func(r *response) { r.Decisions[0].Approved = false }), refused, "refused without a reason"},
		{"approved with failures", patient, wrong(func(r *response) {
			r.Decisions[0].CheckFailures = []*aetherionv1.CheckFailure{{OrdRejReason: 7}}
		}), refused, "approved with 1 failed checks"},
		{"reason unspecified", patient, wrong(func(r *response) {
			r.Decisions[0].Approved, r.Decisions[0].CheckFailures = false, []*aetherionv1.CheckFailure{{}}
		}), refused, "ord_rej_reason"},
		{"reason out of range", patient, wrong(func(r *response) {
			r.Decisions[0].Approved, r.Decisions[0].CheckFailures = false, []*aetherionv1.CheckFailure{{OrdRejReason: 256 + 7}}
		}), refused, "263"},
		{"ends the stream", patient, after(func(checkStream, *aetherionv1.CheckRequest) error { return nil }), refused, "it ended the stream"},
		{"fails", patient, after(func(checkStream, *aetherionv1.CheckRequest) error { return errors.New("out of order") }), refused, "out of order"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGate(t, Config{Deadline: c.deadline}, snapshotAt(0), c.behave, approveAll)
			waitUp(t, g, 1)
			start := time.Now()
			decisions := g.Ask(orders(1, 100, 200))
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
			if got := outcomes(t, decisions); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if got := decisions[1].OrderDecision.Text; !strings.Contains(got, c.reason) {
				t.Errorf("text is %q, want it to say %q", got, c.reason)
			}
			waitUp(t, g, 2)
			if got := outcomes(t, g.Ask(orders(3, 100))); !slices.Equal(got, []string{"approved"}) {
				t.Errorf("on the next stream: %v, want approved", got)
			}
		})
	}
}

func TestAnswersOfOtherEpochsAreDropped(t *testing.T) {
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), after(func(stream checkStream, request *aetherionv1.CheckRequest) error {
		check := request.GetEvents()[len(request.GetEvents())-1]
		refusal := &aetherionv1.PretradeDecision{Sequence: check.GetSequence(), OrderId: check.GetSequence(), CheckFailures: []*aetherionv1.CheckFailure{
			{OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_MAX_ORDER_QTY}}}
		for _, response := range []*aetherionv1.CheckResponse{
			{Epoch: request.GetEpoch() - 1, Decisions: []*aetherionv1.PretradeDecision{approval(check)}},
			{Epoch: request.GetEpoch() + 1, Decisions: []*aetherionv1.PretradeDecision{approval(check)}},
			{Epoch: request.GetEpoch(), Decisions: []*aetherionv1.PretradeDecision{refusal}},
		} {
			if err := stream.Send(response); err != nil {
				return err
			}
		}
		<-stream.Context().Done()
		return nil
	}))
	waitUp(t, g, 1)
	if got := outcomes(t, g.Ask(orders(1, 100))); !slices.Equal(got, []string{"MAX_ORDER_QTY"}) {
		t.Errorf("got %v, want the answer of its own epoch", got)
	}
}

func TestApprovingEverythingIsBlockedByTheSecondKey(t *testing.T) {
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), approveAll)
	waitUp(t, g, 1)
	got := outcomes(t, g.Ask(orders(1, 1000, 1001, 100)))
	if want := []string{"approved", "GATEWAY_BLOCK", "approved"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// The hold of the blocked order ends with the stream.
	waitUp(t, g, 2)
	if got := outcomes(t, g.Ask(orders(4, 1000))); !slices.Equal(got, []string{"approved"}) {
		t.Errorf("on the next stream: %v, want approved", got)
	}
}

func TestServiceGoneFailsAtOnceAndComesBack(t *testing.T) {
	noLeak(t)
	risk := &fakeRisk{behaviours: []behaviour{approveAll}}
	address, stop := risk.listen(t, "")
	g := gateTo(t, address, Config{Deadline: patient}, snapshotAt(0))
	waitUp(t, g, 1)
	if got := outcomes(t, g.Ask(orders(1, 100))); !slices.Equal(got, []string{"approved"}) {
		t.Fatalf("got %v", got)
	}
	stop()
	start := time.Now()
	if got := outcomes(t, g.Ask(orders(2, 100))); !slices.Equal(got, []string{"RISK_UNAVAILABLE"}) {
		t.Errorf("with the service gone: %v", got)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %v to refuse", took)
	}
	for g.Status().Available {
		time.Sleep(time.Millisecond)
	}
	if status := g.Status(); status.Reason == "" {
		t.Errorf("status %+v does not say why", status)
	}
	time.Sleep(200 * time.Millisecond) // Some attempts fail.
	risk.listen(t, address)
	start = time.Now()
	waitUp(t, g, 2)
	t.Logf("back %v after the service", time.Since(start))
	if got := outcomes(t, g.Ask(orders(3, 100))); !slices.Equal(got, []string{"approved"}) {
		t.Errorf("with the service back: %v", got)
	}
}

func TestNotReadyUntilThereIsAService(t *testing.T) {
	noLeak(t)
	g := gateTo(t, "127.0.0.1:1", Config{}, snapshotAt(0))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := g.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Ready() = %v, want it to say that the connection is refused", err)
	}
	if got := outcomes(t, g.Ask(orders(1, 100))); !slices.Equal(got, []string{"RISK_UNAVAILABLE"}) {
		t.Errorf("got %v", got)
	}
}

func TestCloseRefusesWhatIsOut(t *testing.T) {
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), silent)
	waitUp(t, g, 1)
	asked := g.Begin(orders(1, 100))
	g.Close()
	if got := outcomes(t, asked.Wait()); !slices.Equal(got, []string{"RISK_UNAVAILABLE"}) {
		t.Errorf("got %v", got)
	}
	if got := outcomes(t, g.Ask(orders(2, 100))); !slices.Equal(got, []string{"RISK_UNAVAILABLE"}) {
		t.Errorf("after Close: %v", got)
	}
	if err := g.Ready(context.Background()); err == nil {
		t.Error("a closed gate is ready")
	}
	g.Close() // again does nothing
}
