package rpc

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// logon opens a stream of a session with a first message.
func (s *service) logon(t *testing.T, session *pb.OrderSession, commands ...*pb.OrderCommand) pb.OrderService_SubmitOrdersClient {
	t.Helper()
	stream, err := pb.NewOrderServiceClient(s).SubmitOrders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.SubmitOrdersRequest{Session: session, Commands: commands}); err != nil {
		t.Fatal(err)
	}
	return stream
}

// acked is the next message that is no heartbeat.
func acked(t *testing.T, stream pb.OrderService_SubmitOrdersClient) []*pb.CommandAck {
	t.Helper()
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if len(response.GetAcks()) > 0 {
			return response.GetAcks()
		}
	}
}

// ended is why a stream ended.
func ended(stream pb.OrderService_SubmitOrdersClient) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

func session(id string, heartbeat, grace uint32) *pb.OrderSession {
	return &pb.OrderSession{SessionId: id, HeartbeatIntervalMs: heartbeat, CancelGraceMs: grace}
}

// bound is an order that is canceled with its session.
func bound(name string) *pb.OrderCommand {
	order := buy(name, aaa, 1)
	order.ExecInsts = []pb.ExecInst{pb.ExecInst_EXEC_INST_CANCEL_ON_DISCONNECT}
	return newOrder(order)
}

func (s *service) status(t *testing.T, name string) pb.OrdStatus {
	t.Helper()
	response, err := pb.NewOrderServiceClient(s).GetOrder(t.Context(), &pb.GetOrderRequest{Account: account, Id: &pb.GetOrderRequest_ClOrdId{ClOrdId: name}})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetOrder().GetLastReport().GetOrdStatus()
}

func TestSessionsAreChecked(t *testing.T) {
	s := start(t, options{bars: 10})
	for want, session := range map[string]*pb.OrderSession{
		"session.session_id: must have 1 to 64 characters, got 0":             session("", 100, 0),
		"session.heartbeat_interval_ms: must be 100 to 60000, got 99":         session("s", 99, 0),
		"session.heartbeat_interval_ms: must be 100 to 60000, got 4294967295": session("s", 1<<32-1, 0),
		"session.cancel_grace_ms: must be at most 3600000, got 3600001":       session("s", 100, 3_600_001),
	} {
		checkStatus(t, ended(s.logon(t, session)), codes.InvalidArgument, want)
	}
	stream := s.logon(t, session("s", 1000, 0))
	if err := stream.Send(&pb.SubmitOrdersRequest{Session: session("s", 1000, 0)}); err != nil {
		t.Fatal(err)
	}
	checkStatus(t, ended(stream), codes.InvalidArgument, "session: must be in the first message only")
	acks := acked(t, s.logon(t, nil, bound("a")))
	if acks[0].GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_INVALID_FIELD {
		t.Errorf("an order of no session: got %v", acks)
	}
}

// Each side says something at least once an interval, and a client that does not for three is lost.
func TestHeartbeats(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	stream := s.logon(t, session("s", 100, 0), bound("a"))
	heartbeats := 0
	for heartbeats < 5 {
		response, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d heartbeats: %v", heartbeats, err)
		}
		if len(response.GetAcks()) == 0 {
			heartbeats++
			if err := stream.Send(&pb.SubmitOrdersRequest{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkStatus(t, ended(stream), codes.DeadlineExceeded, "session: nothing was heard for 3 heartbeat intervals of 100ms")
	eventually(t, "the order of the lost session is canceled", func() bool { return s.status(t, "a") == pb.OrdStatus_ORD_STATUS_CANCELED })
}

// Orders that belong to a session are canceled when it is lost for longer than its grace, and not when it
// comes back; other orders never are.
func TestCancelOnDisconnect(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	cut := func(stream pb.OrderService_SubmitOrdersClient) {
		t.Helper()
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		_ = ended(stream)
	}
	flapping := s.logon(t, session("flaps", 60_000, 3_600_000), bound("kept"))
	acked(t, flapping)
	lost := s.logon(t, session("lost", 60_000, 50), bound("canceled"), newOrder(buy("unbound", aaa, 1)))
	acked(t, lost)
	cut(flapping)
	flapping = s.logon(t, session("flaps", 60_000, 50))
	cut(lost)
	eventually(t, "the order of the lost session is canceled", func() bool { return s.status(t, "canceled") == pb.OrdStatus_ORD_STATUS_CANCELED })
	for _, name := range []string{"kept", "unbound"} {
		if status := s.status(t, name); status != pb.OrdStatus_ORD_STATUS_NEW {
			t.Errorf("order %s is %v", name, status)
		}
	}
	// Back again, though not by the stream that had it, and lost at last.
	cut(flapping)
	eventually(t, "the other order is canceled too", func() bool { return s.status(t, "kept") == pb.OrdStatus_ORD_STATUS_CANCELED })
}

// A process after this one waits for a session as long as the session asked for last.
func TestARestartWaitsTheGraceOfTheSession(t *testing.T) {
	checkNoLeaks(t)
	kept := journal.NewMemory()
	s := start(t, options{bars: 10, after: kept})
	stop := func(name string) *pb.OrderCommand { // It waits with us: the venue's orders end with the process.
		command := bound(name)
		order := command.GetNewOrder()
		order.OrdType, order.StopPx = pb.OrdType_ORD_TYPE_STOP, proto.Int64(1_000_000)
		return command
	}
	for _, c := range []struct {
		id     string
		graces []uint32
	}{{"patient", []uint32{50, 3_600_000}}, {"hasty", []uint32{3_600_000, 50}}} {
		for i, grace := range c.graces {
			acked(t, s.logon(t, session(c.id, 60_000, grace), stop(fmt.Sprint(c.id, i))))
		}
	}
	s.stop()
	s = start(t, options{bars: 10, after: kept})
	for _, name := range []string{"hasty0", "hasty1"} {
		eventually(t, name+" is canceled", func() bool { return s.status(t, name) == pb.OrdStatus_ORD_STATUS_CANCELED })
	}
	for _, name := range []string{"patient0", "patient1"} {
		if status := s.status(t, name); status != pb.OrdStatus_ORD_STATUS_SUSPENDED {
			t.Errorf("order %s is %v", name, status)
		}
	}
}

// The newer stream of a session is the one that counts; the end of the older one loses nothing.
func TestTheNewerStreamTakesOver(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	older := s.logon(t, session("s", 60_000, 0), bound("a"))
	acked(t, older)
	newer := s.logon(t, session("s", 60_000, 0), bound("b"))
	acked(t, newer)
	checkStatus(t, ended(older), codes.Aborted, "session_id: a newer stream with the same name took over")
	time.Sleep(50 * time.Millisecond) // The grace of the older stream, were there one, is 0.
	if err := newer.Send(&pb.SubmitOrdersRequest{Commands: []*pb.OrderCommand{bound("c")}}); err != nil {
		t.Fatal(err)
	}
	acked(t, newer)
	for _, name := range []string{"a", "b", "c"} {
		if status := s.status(t, name); status != pb.OrdStatus_ORD_STATUS_NEW && status != pb.OrdStatus_ORD_STATUS_PENDING_NEW {
			t.Errorf("order %s is %v", name, status)
		}
	}
}

// A session of a process before this one has a time to come back, like any other.
func TestSessionsOfTheProcessBefore(t *testing.T) {
	lost := make(chan string, 10)
	sessions := sessions{kept: map[string]*keptSession{}, lost: func(id string) { lost <- id }}
	leave, err := sessions.join(orderSession{id: "back", grace: time.Hour}, func(error) {})
	if err != nil {
		t.Fatal(err)
	}
	sessions.expect(engine.Session{ID: "back"})
	sessions.expect(engine.Session{ID: "gone"})
	sessions.kept["gone"].grace.Reset(0)
	if id := <-lost; id != "gone" {
		t.Errorf("lost %q", id)
	}
	if sessions.kept["back"].end == nil {
		t.Error("the session that is back was taken from its stream")
	}
	leave()
	sessions.close()
	if sessions.kept["back"].grace.Stop() {
		t.Error("the end of the service would lose a session")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	sessions := sessions{kept: map[string]*keptSession{}}
	for i := range maxSessions {
		if _, err := sessions.join(orderSession{id: fmt.Sprint(i)}, func(error) {}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := sessions.join(orderSession{id: "one more"}, func(error) {})
	checkStatus(t, err, codes.ResourceExhausted, "session_id: 10000 sessions are kept")
	if _, err := sessions.join(orderSession{id: "7"}, func(error) {}); err != nil {
		t.Errorf("a session that is there: %v", err)
	}
}
