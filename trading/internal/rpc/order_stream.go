package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/sequencer"
)

// pipelined is how many messages of commands of one client may wait for their outcome. A client that takes no
// outcomes fills it, and is then not read any more.
const pipelined = 64

// SubmitOrders takes commands as fast as they come and answers in their order.
func (s orderService) SubmitOrders(stream pb.OrderService_SubmitOrdersServer) error {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	session, err := decodeSession(first.GetSession())
	if err != nil {
		return invalid(err)
	}
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	if session.id != "" {
		leave, err := s.sessions.join(session, end)
		if err != nil {
			return err
		}
		defer leave()
		began := &engine.SessionBegan{SessionID: session.id, Grace: session.grace.Nanoseconds()}
		if _, err := s.session.Sequencer.Enqueue(ctx, []engine.Input{began}); err != nil {
			return unavailable(err)
		}
	}
	o := &orderStream{orderService: s, stream: stream, logon: session, outcomes: make(chan outcome, pipelined)}
	return o.serve(ctx, end, first)
}

// orderStream is one client's stream of commands.
type orderStream struct {
	orderService
	stream   pb.OrderService_SubmitOrdersServer
	logon    orderSession
	outcomes chan outcome
}

// outcome is what became, or will become, of the commands of one message.
type outcome struct {
	acks    []*pb.CommandAck          // one a command; nil where the result is to come
	results <-chan []sequencer.Result // of those; nil when there are none
}

// serve answers while another goroutine receives.
func (o *orderStream) serve(ctx context.Context, end context.CancelCauseFunc, first *pb.SubmitOrdersRequest) error {
	received := make(chan error, 1)
	o.calls.Go(func() {
		defer close(o.outcomes)
		received <- o.receive(ctx, end, first)
	})
	var heartbeats <-chan time.Time
	if o.logon.heartbeat > 0 {
		ticker := time.NewTicker(o.logon.heartbeat)
		defer ticker.Stop()
		heartbeats = ticker.C
	}
	for {
		select {
		case next, more := <-o.outcomes:
			if !more {
				return <-received
			}
			if err := o.answer(ctx, next); err != nil {
				return err
			}
		case <-heartbeats:
			if err := o.send(&pb.SubmitOrdersResponse{}); err != nil {
				return err
			}
		case <-ctx.Done():
			return o.ended(ctx)
		}
	}
}

// receive hands over commands until the client has no more.
func (o *orderStream) receive(ctx context.Context, end context.CancelCauseFunc, request *pb.SubmitOrdersRequest) error {
	alive := func() {}
	if o.logon.heartbeat > 0 {
		silence := time.AfterFunc(silentHeartbeats*o.logon.heartbeat, func() { end(errSilent) })
		defer silence.Stop()
		alive = func() { silence.Reset(silentHeartbeats * o.logon.heartbeat) }
	}
	for {
		if err := o.take(ctx, request); err != nil {
			return err
		}
		var err error
		if request, err = o.stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if alive(); request.GetSession() != nil {
			return invalidf("session: must be in the first message only, got it again")
		}
	}
}

// take hands over the commands of one message.
func (o *orderStream) take(ctx context.Context, request *pb.SubmitOrdersRequest) error {
	commands := request.GetCommands()
	if len(commands) == 0 {
		return nil // a heartbeat
	}
	// The one mistake that ends a stream: whoever sends that much has not read what is allowed.
	if err := checkCount(commands, o.config.MaxBatchCommands); err != nil {
		return invalid(err)
	}
	inputs, acks := o.decodeCommands(commands, o.logon.id)
	next := outcome{acks: acks}
	if len(inputs) > 0 {
		var err error
		if next.results, err = o.session.Sequencer.Enqueue(ctx, inputs); err != nil {
			return unavailable(err)
		}
	}
	select {
	case o.outcomes <- next:
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// answer waits for what is to come of a message, and sends it.
func (o *orderStream) answer(ctx context.Context, next outcome) error {
	if next.results != nil {
		results, err := o.await(ctx, next.results)
		if err != nil {
			return err
		}
		for i, ack := range next.acks {
			if ack == nil {
				next.acks[i] = contract.EncodeCommandAck(&results[0].Ack)
				results = results[1:]
			}
		}
	}
	return o.send(&pb.SubmitOrdersResponse{Acks: next.acks})
}

func (o *orderStream) await(ctx context.Context, results <-chan []sequencer.Result) ([]sequencer.Result, error) {
	select {
	case done := <-results:
		return done, nil
	case <-ctx.Done():
		return nil, o.ended(ctx)
	case <-o.session.Sequencer.Stopped():
		return nil, errStopping
	}
}

func (o *orderStream) send(response *pb.SubmitOrdersResponse) error {
	return send(o.Server, o.stream, response, func() string { return "send commands again to have their outcome" })
}

// ended is why the stream has.
func (o *orderStream) ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	if errors.Is(cause, errSilent) {
		return status.Error(codes.DeadlineExceeded, fmt.Sprintf("session: nothing was heard for %d heartbeat intervals of %v",
			silentHeartbeats, o.logon.heartbeat))
	}
	return unavailable(cause)
}
