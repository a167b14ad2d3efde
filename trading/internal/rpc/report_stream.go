package rpc

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/live"
)

// reportsPerMessage keeps a message of reports well below a client's usual limit of 4 MiB, and the waiting
// message of a client that takes nothing small.
const reportsPerMessage = 256

// StreamExecutionReports gives what there is of an account from a sequence on and then what comes, without
// a seam.
func (s orderService) StreamExecutionReports(r *pb.StreamExecutionReportsRequest, stream pb.OrderService_StreamExecutionReportsServer) error {
	if _, err := s.account(stream.Context(), r.GetAccount()); err != nil {
		return err
	}
	return s.streamReports(stream.Context(), r.GetAccount(), r.GetFromSequence(), func(page *live.Page, advice func() string) error {
		return send(s.Server, stream, &pb.StreamExecutionReportsResponse{Reports: encodeReports(page.Reports), Sequence: page.Through}, advice)
	})
}

// StreamDropCopy does the same for all accounts.
func (s orderService) StreamDropCopy(r *pb.StreamDropCopyRequest, stream pb.OrderService_StreamDropCopyServer) error {
	return s.streamReports(stream.Context(), "", r.GetFromSequence(), func(page *live.Page, advice func() string) error {
		return send(s.Server, stream, &pb.StreamDropCopyResponse{Reports: encodeReports(page.Reports), Sequence: page.Through}, advice)
	})
}

func encodeReports(reports []*engine.ExecutionReport) []*pb.ExecutionReport {
	encoded := make([]*pb.ExecutionReport, len(reports))
	for i, report := range reports {
		encoded[i] = contract.EncodeExecutionReport(report)
	}
	return encoded
}

// streamReports reads at the pace of its client, for whom nobody waits: reports stay where all read them,
// until this client has taken what came before. One that takes nothing for too long, or that falls behind
// what is kept in memory, is cut off and told where to resume.
func (s orderService) streamReports(ctx context.Context, account string, from uint64, send func(page *live.Page, advice func() string) error) error {
	if err := s.checkReached(ctx, from); err != nil {
		return err
	}
	resume := from
	advice := func() string { return fmt.Sprintf("resume with from_sequence %d", resume) }
	sendPage := func(page live.Page) error {
		err := send(&page, advice)
		resume = page.Through + 1
		return err
	}
	var at live.Cursor
	if from > 0 {
		var err error
		if at, err = s.catchUp(ctx, account, from, sendPage); err != nil {
			return err
		}
	}
	for {
		page, err := s.session.Reports.From(account, at, reportsPerMessage)
		if err != nil {
			return status.Errorf(codes.ResourceExhausted, "the client was too slow and was cut off: %v; %s", err, advice())
		}
		if len(page.Reports) == 0 {
			select {
			case <-page.More:
				continue
			case <-ctx.Done():
				return unavailable(ctx.Err())
			}
		}
		if err := sendPage(page); err != nil {
			return err
		}
		at = page.Next
	}
}

// catchUp sends what is no longer kept in memory, and gives where a reader of the memory is to begin. From 0
// it begins with the first that there is.
func (s orderService) catchUp(ctx context.Context, account string, from uint64, send func(live.Page) error) (live.Cursor, error) {
	at, err := s.session.Past(ctx, account, live.Cursor{Sequence: max(from, 1)}, send)
	if gone := (live.Gone{}); errors.As(err, &gone) {
		if from == 0 {
			return s.catchUp(ctx, account, gone.First, send)
		}
		return at, compacted(from, gone.First)
	}
	return at, unavailable(err)
}

// checkReached refuses a sequence that this journal has not reached: the client knows another journal.
func (s orderService) checkReached(ctx context.Context, from uint64) error {
	var last uint64
	if err := s.query(ctx, func(e *engine.Engine) { last = e.Sequence() }); err != nil {
		return err
	}
	if from > last+1 {
		return status.Errorf(codes.FailedPrecondition, "from_sequence: must be at most %d, which comes next in the journal, got %d", last+1, from)
	}
	return nil
}

// compacted refuses a sequence whose reports a snapshot stands in for.
func compacted(from, first uint64) error {
	return status.Errorf(codes.OutOfRange, "from_sequence: reports before %d were compacted, got %d; take the state from ListOrders and "+
		"GetAccount, then resume from %d", first, from, first)
}

// ListFills reads what is in memory, and what is not from the journal.
func (s orderService) ListFills(ctx context.Context, r *pb.ListFillsRequest) (*pb.ListFillsResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	if _, err := s.account(ctx, r.GetAccount()); err != nil {
		return nil, err
	}
	fills := fillPage{size: size, response: &pb.ListFillsResponse{}}
	at, err := s.catchUp(ctx, r.GetAccount(), r.GetFromSequence(), fills.take)
	for err == nil {
		var page live.Page
		if page, err = s.session.Reports.From(r.GetAccount(), at, maxPage); err == nil && len(page.Reports) == 0 {
			return fills.response, nil
		}
		if err == nil {
			at, err = page.Next, fills.take(page)
		}
	}
	if errors.Is(err, errPageFull) {
		return fills.response, nil
	}
	return nil, err
}

var errPageFull = errors.New("the page is full")

// fillPage takes fills until there are enough and one more.
type fillPage struct {
	size     int
	response *pb.ListFillsResponse
}

func (p *fillPage) take(page live.Page) error {
	for _, report := range page.Reports {
		if report.ExecType != engine.ExecTrade {
			continue
		}
		if len(p.response.Fills) == p.size {
			p.response.NextSequence = report.Sequence
			return errPageFull
		}
		p.response.Fills = append(p.response.Fills, contract.EncodeExecutionReport(report))
	}
	return nil
}
