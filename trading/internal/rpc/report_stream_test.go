package rpc

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
)

// reading is what StreamExecutionReports and StreamDropCopy have in common.
type reading interface {
	GetReports() []*pb.ExecutionReport
	GetSequence() uint64
}

// readThrough reads a stream until every report up to a sequence has come, and checks what it says of that.
func readThrough[R reading](t *testing.T, stream interface{ Recv() (R, error) }, err error, through uint64) []*pb.ExecutionReport {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var reports []*pb.ExecutionReport
	for last := uint64(0); last < through; {
		response, err := stream.Recv()
		if err != nil {
			t.Fatalf("after %d reports through %d: %v", len(reports), last, err)
		}
		reports = append(reports, response.GetReports()...)
		if last = response.GetSequence(); last < reports[len(reports)-1].GetSequence()-1 {
			t.Errorf("all up to %d is said to have come with a report of %d", last, reports[len(reports)-1].GetSequence())
		}
	}
	return reports
}

func (s *service) sequence(t *testing.T) uint64 {
	t.Helper()
	response, err := pb.NewAdminServiceClient(s).GetStatus(t.Context(), &pb.GetStatusRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetSequence()
}

// One event may have thousands of reports. A client that goes on from what it was told to have gets each
// once, from memory and, where that holds no more of them, from the journal.
func TestAnEventOfManyReportsIsResumed(t *testing.T) {
	s := start(t, options{bars: 10, kept: 2500})
	orders := pb.NewOrderServiceClient(s)
	const n = 2000
	commands, err := orders.SubmitOrders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range n / 500 {
		request := &pb.SubmitOrdersRequest{}
		for j := range 500 {
			request.Commands = append(request.Commands, newOrder(buy(fmt.Sprint(500*i+j), aaa, 1)))
		}
		if err := commands.Send(request); err != nil {
			t.Fatal(err)
		}
		acked(t, commands)
	}
	eventually(t, "all work", func() bool { return s.status(t, fmt.Sprint(n-1)) == pb.OrdStatus_ORD_STATUS_NEW })
	canceled, err := orders.MassCancel(t.Context(), &pb.MassCancelRequest{MassCancelOrders: &pb.MassCancelOrders{ClOrdId: "m", Account: account}})
	if err != nil || canceled.GetAck().GetTotalAffectedOrders() != n {
		t.Fatalf("got %v, %v", canceled, err)
	}
	eventually(t, "all are canceled", func() bool { return s.status(t, fmt.Sprint(n-1)) == pb.OrdStatus_ORD_STATUS_CANCELED })
	last := s.sequence(t)
	whole, err := orders.StreamExecutionReports(t.Context(), &pb.StreamExecutionReportsRequest{Account: account, FromSequence: 1})
	reports := readThrough(t, whole, err, last)
	if len(reports) != 4*n {
		t.Fatalf("%d reports, want four of each order", len(reports))
	}
	at := canceled.GetAck().GetSequence()
	for _, from := range []uint64{1, at - 1, at, at + 1, last} {
		stream, err := orders.StreamExecutionReports(t.Context(), &pb.StreamExecutionReportsRequest{Account: account, FromSequence: from})
		rest := readThrough(t, stream, err, last)
		drop, err := orders.StreamDropCopy(t.Context(), &pb.StreamDropCopyRequest{FromSequence: from})
		copied := readThrough(t, drop, err, last)
		want := 0
		for i, report := range reports {
			if report.GetSequence() < from {
				continue
			}
			if want == 0 {
				want = len(reports) - i
			}
			if got, copied := rest[i-len(reports)+want], copied[i-len(reports)+want]; got.GetOrderId() != report.GetOrderId() || copied.GetOrderId() != report.GetOrderId() ||
				got.GetExecType() != report.GetExecType() || got.GetPrevSequence() != report.GetPrevSequence() {
				t.Fatalf("from %d: report %d is %v and %v, want %v", from, i, got, copied, report)
			}
		}
		if len(rest) != want || len(copied) != want {
			t.Errorf("from %d: %d and %d reports, want %d", from, len(rest), len(copied), want)
		}
	}
	newest, err := orders.StreamExecutionReports(t.Context(), &pb.StreamExecutionReportsRequest{Account: account})
	if kept := readThrough(t, newest, err, last); len(kept) != n { // and not those of the mass cancel, of which some are gone
		t.Errorf("%d reports in memory", len(kept))
	}
	_, err = orders.ListFills(t.Context(), &pb.ListFillsRequest{Account: account, FromSequence: 1})
	if err != nil {
		t.Error(err)
	}
}

// Clients that read nothing are cut off and told where to resume. The others get everything meanwhile, and
// what is kept for the frozen ones is bounded.
func TestFrozenReadersDelayNobody(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10, kept: 2000, change: func(c *Config) { c.SendTimeout = 500 * time.Millisecond }})
	orders := pb.NewOrderServiceClient(s)
	const frozen, reading, messages, perMessage = 5, 10, 100, 64
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var cold []pb.OrderService_StreamExecutionReportsClient
	for range frozen {
		stream, err := orders.StreamExecutionReports(ctx, &pb.StreamExecutionReportsRequest{Account: account})
		if err != nil {
			t.Fatal(err)
		}
		cold = append(cold, stream)
	}
	var done sync.WaitGroup
	counts := make([]int, reading)
	for i := range reading {
		done.Go(func() {
			// From the first, however late this reader comes.
			stream, err := orders.StreamExecutionReports(ctx, &pb.StreamExecutionReportsRequest{Account: account, FromSequence: 1})
			for err == nil && counts[i] < messages*perMessage {
				var response *pb.StreamExecutionReportsResponse
				if response, err = stream.Recv(); err == nil {
					counts[i] += len(response.GetReports())
				}
			}
			if err != nil {
				t.Errorf("reader %d after %d reports: %v", i, counts[i], err)
			}
		})
	}
	stream, err := orders.SubmitOrders(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for n := range messages {
		request := &pb.SubmitOrdersRequest{}
		for i := range perMessage {
			refused := buy(fmt.Sprintf("%d-%d", n, i), aaa, 0) // one report each
			request.Commands = append(request.Commands, newOrder(refused))
		}
		if err := stream.Send(request); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	done.Wait()
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	if memory.HeapAlloc > 256<<20 {
		t.Errorf("%d MiB in use", memory.HeapAlloc>>20)
	}
	time.Sleep(time.Second) // longer than a client may take nothing
	for i, stream := range cold {
		received, err := 0, error(nil)
		for err == nil {
			var response *pb.StreamExecutionReportsResponse
			if response, err = stream.Recv(); err == nil {
				received += len(response.GetReports())
			}
		}
		if status.Code(err) != codes.ResourceExhausted {
			t.Errorf("frozen reader %d after %d reports: %v", i, received, err)
			continue
		}
		var resume uint64
		text := status.Convert(err).Message()
		_, advice, _ := strings.Cut(text, "resume with from_sequence ")
		if _, err := fmt.Sscan(advice, &resume); err != nil {
			t.Errorf("frozen reader %d is told %q", i, text)
		}
		again, err := orders.StreamExecutionReports(ctx, &pb.StreamExecutionReportsRequest{Account: account, FromSequence: resume})
		if rest := readThrough(t, again, err, s.sequence(t)); received+len(rest) != messages*perMessage {
			t.Errorf("frozen reader %d got %d reports and then %d from %d on, want %d", i, received, len(rest), resume, messages*perMessage)
		}
	}
}
