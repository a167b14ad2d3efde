package gate

import (
	"errors"
	"slices"
	"strings"
	"testing"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// listOf makes one list of checks, whose ids follow each other.
func listOf(sequence uint64, quantities ...int64) []engine.PretradeCheck {
	checks := orders(sequence, quantities...)
	for i := range checks {
		checks[i].Sequence, checks[i].OrderID, checks[i].ContingencyType = sequence, sequence+uint64(i)<<56, engine.OCO
	}
	checks[0].ListOrders = len(checks)
	return checks
}

// deciding answers every check of a message, those of lists too, as decide says.
func deciding(decide func(sequence, orderID uint64, order *aetherionv1.NewOrder) *aetherionv1.PretradeDecision) behaviour {
	return func(stream checkStream) error {
		for {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}
			for _, event := range request.GetEvents() {
				checks := event.GetListCheck().GetChecks()
				if one := event.GetCheck(); one != nil {
					checks = append(checks, one)
				}
				if one := event.GetReplaceCheck(); one != nil {
					checks = append(checks, &aetherionv1.PretradeCheck{OrderId: one.GetOrderId(), NewOrder: one.GetNewOrder()})
				}
				for _, check := range checks {
					if event.Decided == nil {
						response.Decisions = append(response.Decisions, decide(event.GetSequence(), check.GetOrderId(), check.GetNewOrder()))
					}
				}
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	}
}

func yes(sequence, orderID uint64, _ *aetherionv1.NewOrder) *aetherionv1.PretradeDecision {
	return &aetherionv1.PretradeDecision{Sequence: sequence, OrderId: orderID, Approved: true}
}

func no(sequence, orderID uint64, reason aetherionv1.OrdRejReason) *aetherionv1.PretradeDecision {
	return &aetherionv1.PretradeDecision{Sequence: sequence, OrderId: orderID, CheckFailures: []*aetherionv1.CheckFailure{{OrdRejReason: reason}}}
}

func TestListsAreDecidedAsOne(t *testing.T) {
	const list, position = aetherionv1.OrdRejReason_ORD_REJ_REASON_LIST, aetherionv1.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT
	refuseAll := func(sequence, orderID uint64, order *aetherionv1.NewOrder) *aetherionv1.PretradeDecision {
		if order.GetOrderQty() == 666 {
			return no(sequence, orderID, position)
		}
		return no(sequence, orderID, list)
	}
	for _, c := range []struct {
		name   string
		behave behaviour
		qty    []int64
		want   []string
		next   bool // the stream ends
	}{
		{"approved", deciding(yes), []int64{100, 200}, []string{"approved", "approved", "approved"}, false},
		{"refused", deciding(refuseAll), []int64{100, 666}, []string{"LIST", "POSITION_LIMIT", "LIST"}, false},
		{"blocked by the second key", deciding(yes), []int64{100, 1001}, []string{"LIST", "GATEWAY_BLOCK", "approved"}, true},
		{"half approved", deciding(func(sequence, orderID uint64, order *aetherionv1.NewOrder) *aetherionv1.PretradeDecision {
			if order.GetOrderQty() == 100 {
				return yes(sequence, orderID, order)
			}
			return no(sequence, orderID, position)
		}), []int64{100, 200}, []string{"RISK_UNAVAILABLE", "RISK_UNAVAILABLE", "RISK_UNAVAILABLE"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var second []string
			g := newGate(t, Config{Deadline: patient}, snapshotAt(0), c.behave, told(&second), approveAll)
			waitUp(t, g, 1)
			decisions := g.Ask(append(listOf(1, c.qty...), orders(2, 100)...))
			check(t, "decisions", outcomes(t, decisions), c.want)
			if id := decisions[1].Approved.OrderID(); c.name == "approved" && id != 1+1<<56 {
				t.Errorf("the second approval is of order %d", id)
			}
			if !c.next {
				return
			}
			waitUp(t, g, 2)
			g.Tell([]engine.PretradeEvent{mark(3, 50_00)})
			waitUp(t, g, 3)
			if c.want[0] == "LIST" && !slices.Contains(second, "1 ListCheck 1:43 72057594037927937:12") {
				t.Errorf("the next stream was told %q", second)
			}
		})
	}
}

func TestReplaceIsAskedWithWhatIsFilled(t *testing.T) {
	asked := make(chan *aetherionv1.PretradeReplaceCheck, 1)
	g := newGate(t, Config{Deadline: patient}, snapshotAt(8), func(stream checkStream) error {
		return after(func(stream checkStream, request *aetherionv1.CheckRequest) error {
			event := request.GetEvents()[0]
			asked <- event.GetReplaceCheck()
			return stream.Send(&aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Decisions: []*aetherionv1.PretradeDecision{yes(9, 3, nil)}})
		})(stream)
	})
	waitUp(t, g, 1)
	change := orders(9, 500)
	change[0].OrderID, change[0].Replaces, change[0].CumQty = 3, true, 200
	decisions := g.Ask(change)
	check(t, "decisions", outcomes(t, decisions), []string{"approved"})
	if got := <-asked; got.GetOrderId() != 3 || got.GetCumQty() != 200 || got.GetNewOrder().GetOrderQty() != 500 || decisions[0].Approved.OrderID() != 3 {
		t.Errorf("asked %v, approved order %d", got, decisions[0].Approved.OrderID())
	}
}

// A preview is answered as an order would be, approves nothing and leaves no trace.
func TestPreviewApprovesNothing(t *testing.T) {
	var previews []bool
	var second []string
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), answering(func(epoch uint64, event *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision {
		previews = append(previews, event.GetCheck().GetPreview())
		return positionLimit(epoch, event)
	}), told(&second), approveAll)
	waitUp(t, g, 1)
	for _, c := range []struct {
		qty  int64
		want engine.OrdRejReason
	}{{100, 0}, {666, engine.RejPositionLimit}, {1001, engine.RejGatewayBlock}} {
		if got := g.Preview(orders(1, c.qty)[0])(); got.OrdRejReason != c.want || got.Approved != (c.want == 0) {
			t.Errorf("%d: got %+v", c.qty, got)
		}
	}
	decision := g.Ask(orders(1, 100))[0]
	if decision.Approved.OrderID() != 1 || !slices.Equal(previews, []bool{true, true, true, false}) {
		t.Errorf("got %+v after previews %v", decision, previews)
	}
	asked := newAsked(orders(2, 100))
	asked.preview = true
	if asked.set(0, &engine.OrderDecision{Approved: true}); asked.decisions[0].Approved.OrderID() != 0 {
		t.Error("a preview made an approval")
	}
	g.stream.fail(errors.New("test"))
	waitUp(t, g, 2)
	g.Tell([]engine.PretradeEvent{mark(2, 50_00)})
	waitUp(t, g, 3)
	check(t, "second stream", second, []string{"0 Snapshot", "1 Check 1:yes", "1 Save"})
}

// An alarm is kept once, however often a stream that is told the history raises it.
func TestAlarmsAreKeptOnce(t *testing.T) {
	alarm := func(sequence uint64, scope string) *aetherionv1.PretradeAlarm {
		return &aetherionv1.PretradeAlarm{Sequence: sequence, OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_LOSS_LIMIT, Scope: scope,
			RiskLimit: "10", Value: "11", TradingState: aetherionv1.TradingState_TRADING_STATE_REDUCING}
	}
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), approveAll)
	for _, batch := range [][]*aetherionv1.PretradeAlarm{
		{alarm(1, "account:A"), alarm(1, "account:B")}, {alarm(1, "account:A"), alarm(1, "account:B"), alarm(2, "firm")}, {alarm(2, "firm")},
	} {
		if err := g.alarm(batch); err != nil {
			t.Fatal(err)
		}
	}
	want := engine.CheckFailure{OrdRejReason: engine.RejLossLimit, Scope: "account:B", RiskLimit: "10", Value: "11"}
	status := g.Status()
	if len(status.Alarms) != 3 || status.TotalAlarms != 3 || status.Alarms[1] != (Alarm{1, want, engine.Reducing}) {
		t.Errorf("got %+v", status)
	}
	for i := range uint64(2 * alarmsKept) {
		if err := g.alarm([]*aetherionv1.PretradeAlarm{alarm(3+i, "firm")}); err != nil {
			t.Fatal(err)
		}
	}
	if status := g.Status(); len(status.Alarms) != alarmsKept || status.TotalAlarms != 3+2*alarmsKept {
		t.Errorf("%d of %d alarms are kept", len(status.Alarms), status.TotalAlarms)
	}
	if err := g.alarm([]*aetherionv1.PretradeAlarm{{}}); err == nil || !strings.Contains(err.Error(), "ord_rej_reason: must be specified") {
		t.Errorf("got %v", err)
	}
}

// Latches are those of the last stream that took over the state, all of them; a stream that names none has none.
func TestLatchesAreThoseLastTold(t *testing.T) {
	latched := &aetherionv1.PretradeLatches{Latches: []*aetherionv1.PretradeLatch{{
		Sequence: 7, OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_REJECT_STORM, Scope: &aetherionv1.TradingScope{Account: "A"},
		RiskLimit: "2", Value: "3 in a row", TradingState: aetherionv1.TradingState_TRADING_STATE_HALTED,
	}}}
	telling := func(latches *aetherionv1.PretradeLatches) behaviour {
		return func(stream checkStream) error {
			for {
				request, err := stream.Recv()
				if err != nil {
					return err
				}
				response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request), Latches: latches}
				if err := stream.Send(response); err != nil {
					return err
				}
			}
		}
	}
	wrong := &aetherionv1.PretradeLatches{Latches: []*aetherionv1.PretradeLatch{{}}}
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), telling(latched), telling(wrong), approveAll)
	waitUp(t, g, 1)
	want := Latch{Alarm{7, engine.CheckFailure{OrdRejReason: engine.RejRejectStorm, Scope: "account:A", RiskLimit: "2", Value: "3 in a row"}, engine.Halted},
		engine.TradingScope{Account: "A"}}
	if got := g.Status().Latches; !slices.Equal(got, []Latch{want}) {
		t.Errorf("got %+v", got)
	}
	g.stream.fail(errors.New("test"))
	waitUp(t, g, 3)
	if got := g.Status().Latches; len(got) != 0 {
		t.Errorf("the stream told of none, got %+v", got)
	}
}
