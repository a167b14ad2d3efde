package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

// told is what a stream was told before its state was confirmed, in short, and then ends at the first
// message after.
func told(into *[]string) behaviour {
	return after(func(checkStream, *aetherionv1.CheckRequest) error { return errors.New("enough") }, func(request *aetherionv1.CheckRequest) {
		for _, event := range request.GetEvents() {
			*into = append(*into, short(event))
		}
	})
}

func short(event *aetherionv1.PretradeEvent) string {
	name := strings.TrimPrefix(fmt.Sprintf("%T", event.GetEvent()), "*aetherionv1.PretradeEvent_")
	s := fmt.Sprintf("%d %s", event.GetSequence(), name)
	if memory := event.GetSnapshot().GetMemory(); memory != nil {
		s += fmt.Sprintf(" with %s", memory.GetMemory())
	}
	for _, decided := range event.GetDecided() {
		if decided.GetApproved() {
			s += fmt.Sprintf(" %d:yes", decided.GetOrderId())
		} else {
			s += fmt.Sprintf(" %d:%d", decided.GetOrderId(), decided.GetCheckFailures()[0].GetOrdRejReason())
		}
	}
	return s
}

// positionLimit refuses quantities of 666.
func positionLimit(_ uint64, event *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision {
	decision := approval(event)
	if event.GetCheck().GetNewOrder().GetOrderQty() == 666 {
		decision.Approved = false
		decision.CheckFailures = []*aetherionv1.CheckFailure{{OrdRejReason: aetherionv1.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT}}
	}
	return decision
}

func check(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// eventually polls for what happens soon.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// mark is a told event.
func mark(sequence uint64, px int64) engine.PretradeEvent {
	return engine.PretradeEvent{Sequence: sequence, Mark: &engine.Mark{InstrumentID: testInstrument, MarkPx: px}}
}

// A new stream holds what was approved, also what the engine has not applied yet, knows what was refused,
// and nothing of what was never decided.
func TestNewStreamIsToldWhatWasDecided(t *testing.T) {
	var second []string
	crash := behaviour(func(stream checkStream) error {
		return answering(func(epoch uint64, event *aetherionv1.PretradeEvent) *aetherionv1.PretradeDecision {
			if event.GetSequence() == 14 {
				return nil // decides nothing, and is wrong
			}
			return positionLimit(epoch, event)
		})(stream)
	})
	g := newGate(t, Config{Deadline: patient}, snapshotAt(10), crash, told(&second), approveAll)
	waitUp(t, g, 1)
	check(t, "asked", outcomes(t, g.Ask(orders(11, 100, 666))), []string{"approved", "POSITION_LIMIT"})
	g.Tell([]engine.PretradeEvent{mark(13, 50_00)})
	check(t, "in doubt", outcomes(t, g.Ask(orders(14, 100))), []string{"RISK_UNAVAILABLE"})
	g.Tell([]engine.PretradeEvent{mark(15, 51_00)}) // with no stream, or on the new one
	waitUp(t, g, 2)
	g.Tell([]engine.PretradeEvent{mark(16, 52_00)}) // ends it
	waitUp(t, g, 3)
	second = slices.DeleteFunc(second, func(s string) bool { return strings.HasSuffix(s, "Save") })
	check(t, "second stream", second, []string{"10 Snapshot", "11 Check 11:yes", "12 Check 12:9", "13 Mark", "15 Mark"})
}

// What the Risk Service remembers of a state begins the next stream, and what came before is forgotten.
func TestMemoryBeginsTheNextStream(t *testing.T) {
	var second []string
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), approveAll, told(&second), approveAll)
	waitUp(t, g, 1)
	g.Tell([]engine.PretradeEvent{mark(1, 50_00)})
	g.snapshot = snapshotAt(2)
	check(t, "asked", outcomes(t, g.Ask(orders(2, 100))), []string{"approved"})
	memory := <-g.Save()
	if memory == nil || memory.Sequence != 2 || string(memory.Memory) != "memory of 2" {
		t.Fatalf("got %+v", memory)
	}
	check(t, "asked", outcomes(t, g.Ask(orders(3, 100))), []string{"approved"})
	if <-g.Save() != nil {
		t.Error("a state that lacks an order that was approved was saved")
	}
	g.stream.fail(errors.New("test"))
	waitUp(t, g, 2)
	g.Tell([]engine.PretradeEvent{mark(4, 52_00)})
	waitUp(t, g, 3)
	check(t, "second stream", second, []string{"2 Snapshot with memory of 2", "3 Check 3:yes", "3 Save"})
}

// What is remembered of some tens of thousands of open orders does not fit what gRPC takes by default.
func TestMemoryMayBeLarge(t *testing.T) {
	large := make([]byte, 5<<20)
	g := newGate(t, Config{Deadline: patient}, snapshotAt(0), func(stream checkStream) error {
		for {
			request, err := stream.Recv()
			if err != nil {
				return err
			}
			response := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}
			for _, memory := range response.Memories {
				memory.Memory = large
			}
			if err := stream.Send(response); err != nil {
				return err
			}
		}
	})
	waitUp(t, g, 1)
	if memory := <-g.Save(); memory == nil || len(memory.Memory) != len(large) {
		t.Errorf("it is not kept: %s", g.Status().Reason)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var last uint64
	g := newGate(t, Config{Deadline: patient}, func() engine.PretradeSnapshot { return snapshotAt(last)() }, approveAll)
	waitUp(t, g, 1)
	kept := func() int {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.history.events)
	}
	for range 20 * saveEvery / 64 {
		told := make([]engine.PretradeEvent, 32)
		for i := range told {
			told[i] = mark(last+uint64(i)+1, int64(1+last))
		}
		last += 32
		g.Tell(told)
		outcomes(t, g.Ask(orders(last+1, slices.Repeat([]int64{1}, 32)...)))
		last += 32
	}
	eventually(t, "a bounded history", func() bool { return kept() < 2*saveEvery })

	// With nobody to ask, the newest state stands with the oldest memory.
	g.Close()
	told := make([]engine.PretradeEvent, 1024)
	for range maxHistory/len(told) + 2 {
		for i := range told {
			last++
			told[i] = mark(last, 1)
		}
		g.Tell(told)
	}
	if n := kept(); n > maxHistory {
		t.Errorf("%d events are kept", n)
	}
	if base := g.history.base; base.GetSequence() < last-maxHistory || base.GetSnapshot().GetMemory() == nil {
		t.Errorf("the base is of %d with %v", base.GetSequence(), base.GetSnapshot().GetMemory())
	}
}

// A history that the Risk Service does not take over gives way to a state of the engine, with the memory there is.
func TestAHistoryThatIsRefusedGivesWay(t *testing.T) {
	refusing := func(stream checkStream) error {
		if _, err := stream.Recv(); err != nil {
			return err
		}
		return status.Error(codes.InvalidArgument, "sequence 1: account: must be known")
	}
	var last []string
	recovered := Restore(snapshotAt(7)(), &engine.PretradeMemory{Sequence: 7, Memory: []byte("seven")})
	recovered.Told([]engine.PretradeEvent{mark(8, 50_00)})
	g := newGate(t, Config{Deadline: patient, Recovered: recovered}, snapshotAt(9), refusing, refusing, refusing, refusing, told(&last), approveAll)
	eventually(t, "an order that is taken", func() bool {
		g.Begin(orders(9, 100)).Wait() // refused, and what notices that the history is
		return g.Status().Available
	})
	g.Tell([]engine.PretradeEvent{mark(10, 50_00)})
	waitUp(t, g, g.Status().Epoch)
	eventually(t, "the stream that tells", func() bool { return len(last) > 0 })
	if last[0] != "9 Snapshot with seven" {
		t.Errorf("told %q", last)
	}
}

// Until a stream has confirmed that it has the state, nobody is asked.
func TestNobodyIsAskedBeforeTheStateIsConfirmed(t *testing.T) {
	confirm := make(chan struct{})
	g := newGate(t, Config{Deadline: patient}, snapshotAt(3), func(stream checkStream) error {
		request, err := stream.Recv()
		if err != nil {
			return err
		}
		wrong := &aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: []*aetherionv1.PretradeMemory{{Sequence: 2}}}
		if err := stream.Send(wrong); err != nil {
			return err
		}
		<-confirm
		if err := stream.Send(&aetherionv1.CheckResponse{Epoch: request.GetEpoch(), Memories: remembered(request)}); err != nil {
			return err
		}
		return approveAll(stream)
	})
	eventually(t, "a stream", func() bool { return g.Status().Epoch == 1 })
	decisions := g.Ask(orders(4, 100))
	check(t, "unconfirmed", outcomes(t, decisions), []string{"RISK_UNAVAILABLE"})
	if got := decisions[0].OrderDecision.Text; got != "the Risk Service did not decide: it has not taken over the state yet" {
		t.Errorf("text is %q", got)
	}
	close(confirm)
	waitUp(t, g, 1)
	check(t, "confirmed", outcomes(t, g.Ask(orders(5, 100))), []string{"approved"})
}

// A process that recovers tells the Risk Service what the one before decided.
func TestRecoveredDecisionsAreTold(t *testing.T) {
	var first []string
	recovered := Restore(snapshotAt(7)(), &engine.PretradeMemory{Sequence: 7, Memory: []byte("seven")})
	approved := func(qty int64) engine.OrderDecision { return engine.OrderDecision{Approved: true} }
	by := func(by engine.RejectedBy, reason engine.OrdRejReason) engine.OrderDecision {
		return engine.OrderDecision{RejectedBy: by, OrdRejReason: reason}
	}
	recovered.Decided(orders(8, 100), []engine.OrderDecision{approved(100)})
	recovered.Told([]engine.PretradeEvent{mark(9, 50_00)})
	recovered.Decided(orders(10, 1), []engine.OrderDecision{by(engine.ByRisk, engine.RejPositionLimit)})
	recovered.Decided(orders(11, 1), []engine.OrderDecision{by(engine.ByRisk, engine.RejRiskUnavailable)})
	recovered.Decided(orders(12, 1), []engine.OrderDecision{by(engine.ByEngine, engine.RejInvalidPrice)})
	recovered.Decided(orders(13, 1), []engine.OrderDecision{by(engine.ByRisk, engine.RejGatewayBlock)})
	g := newGate(t, Config{Deadline: patient, Recovered: recovered}, snapshotAt(13), told(&first), approveAll)
	waitUp(t, g, 1)
	g.Tell([]engine.PretradeEvent{mark(14, 50_00)})
	waitUp(t, g, 2)
	check(t, "first stream", first, []string{"7 Snapshot with seven", "8 Check 8:yes", "9 Mark", "10 Check 10:9", "13 Check 13:12", "13 Save"})
}
