package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/sequencer"
)

const (
	// pipelined is how many messages of commands of one client may wait for their outcome.
	pipelined = 64
	// reportsPerMessage keeps a message of reports well below a client's usual limit of 4 MiB.
	reportsPerMessage = 1024
)

// SubmitOrders takes commands as fast as they come and answers in their order.
func (s orderService) SubmitOrders(stream pb.OrderService_SubmitOrdersServer) error {
	outcomes, received := make(chan (<-chan []sequencer.Result), pipelined), make(chan error, 1)
	s.calls.Go(func() {
		defer close(outcomes)
		received <- s.receiveCommands(stream, outcomes)
	})
	for outcome := range outcomes {
		results, err := s.await(stream.Context(), outcome)
		if err != nil {
			return unavailable(err)
		}
		response := &pb.SubmitOrdersResponse{Acks: make([]*pb.CommandAck, len(results))}
		for i := range results {
			response.Acks[i] = contract.EncodeCommandAck(&results[i].Ack)
		}
		err = send(s.Server, stream, response, func() string { return "send commands again to have their outcome" })
		if err != nil {
			return err
		}
	}
	return <-received
}

// receiveCommands hands over commands until the client has no more.
func (s orderService) receiveCommands(stream pb.OrderService_SubmitOrdersServer, outcomes chan<- <-chan []sequencer.Result) error {
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		commands, err := decodeCommands(request.GetCommands(), s.config.MaxBatchCommands)
		if err != nil {
			return invalid(err)
		}
		outcome, err := s.session.Sequencer.Enqueue(stream.Context(), commands)
		if err != nil {
			return unavailable(err)
		}
		select {
		case outcomes <- outcome:
		case <-stream.Context().Done():
			return unavailable(stream.Context().Err())
		}
	}
}

func (s orderService) await(ctx context.Context, outcome <-chan []sequencer.Result) ([]sequencer.Result, error) {
	select {
	case results := <-outcome:
		return results, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.session.Sequencer.Stopped():
		return nil, sequencer.ErrStopped
	}
}

// StreamExecutionReports gives what there is from a sequence on and then what comes, without a seam.
func (s orderService) StreamExecutionReports(r *pb.StreamExecutionReportsRequest, stream pb.OrderService_StreamExecutionReportsServer) error {
	if err := s.checkResume(stream.Context(), r); err != nil {
		return err
	}
	next := r.GetFromSequence()
	for {
		reports, more := s.session.Reports.From(r.GetAccount(), next, reportsPerMessage)
		if len(reports) == 0 {
			select {
			case <-more:
				continue
			case <-stream.Context().Done():
				return unavailable(stream.Context().Err())
			}
		}
		response := &pb.StreamExecutionReportsResponse{Reports: make([]*pb.ExecutionReport, len(reports))}
		for i := range reports {
			response.Reports[i] = contract.EncodeExecutionReport(&reports[i])
		}
		err := send(s.Server, stream, response, func() string {
			return fmt.Sprintf("resume with from_sequence %d, or the one after the last that was received", reports[0].Sequence)
		})
		if err != nil {
			return err
		}
		next = reports[len(reports)-1].Sequence + 1
	}
}

// checkResume refuses a sequence that this journal has not reached: the client knows another journal.
func (s orderService) checkResume(ctx context.Context, r *pb.StreamExecutionReportsRequest) error {
	if err := s.checkNotCompacted(r.GetFromSequence()); err != nil {
		return err
	}
	if _, err := s.account(ctx, r.GetAccount()); err != nil {
		return err
	}
	var last uint64
	if err := s.query(ctx, func(e *engine.Engine) { last = e.Sequence() }); err != nil {
		return err
	}
	if r.GetFromSequence() > last+1 {
		return status.Errorf(codes.FailedPrecondition, "from_sequence: must be at most %d, which comes next in the journal, got %d",
			last+1, r.GetFromSequence())
	}
	return nil
}

// checkNotCompacted refuses a sequence whose reports a snapshot stands in for. Only who asks for the
// beginning, without a sequence, gets what there is.
func (s orderService) checkNotCompacted(from uint64) error {
	if first := s.session.Reports.First(); from > 0 && from < first {
		return status.Errorf(codes.OutOfRange, "from_sequence: reports before %d were compacted, got %d; take the state from ListOrders and "+
			"GetAccount, then resume from %d", first, from, first)
	}
	return nil
}
