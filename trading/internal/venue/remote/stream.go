package remote

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/failpoint"
)

type tradeStream = grpc.BidiStreamingClient[pb.TradeRequest, pb.TradeResponse]

var errSilent = errors.New("it gave no sign of life")

// connect opens a stream, catches up, and trades until the stream ends.
func (v *Venue) connect(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	stream, err := v.client.Trade(ctx)
	if err != nil {
		return err
	}
	start := &pb.StartTrading{Account: v.config.Account, AfterSequence: v.restart()}
	if err := stream.Send(&pb.TradeRequest{Request: &pb.TradeRequest_Start{Start: start}}); err != nil {
		return streamError(stream, err)
	}
	heard := make(chan struct{}, 1)
	responses := make(chan *pb.TradeResponse, reportsAtOnce)
	group.Go(func() error { return receive(ctx, stream, heard, responses) })
	group.Go(func() error { return v.send(ctx, stream) })
	group.Go(func() error { return v.hear(ctx, responses) })
	group.Go(func() error { return v.watch(ctx, heard) })
	group.Go(func() error { return v.reconcile(ctx) })
	return group.Wait()
}

// streamError is why a stream ended: a send only says that it did.
func streamError(stream tradeStream, err error) error {
	if _, reason := stream.Recv(); reason != nil {
		return reason
	}
	return err
}

// restart is the sequence after which reports are to come. What was not answered is sent again before all
// else: an order where the venue knows a name that it has seen, and answers as it did then; a cancel or a replace
// always, for doing it twice does nothing more.
func (v *Venue) restart() uint64 {
	defer v.rouse()
	v.mu.Lock()
	defer v.mu.Unlock()
	clear(v.ahead)
	v.gap = time.Time{}
	var again []*command
	if v.about.GetUniqueClOrdId() {
		for _, id := range sortedKeys(v.unanswered) {
			again = append(again, v.unanswered[id])
		}
	}
	for _, id := range sortedKeys(v.requests) {
		again = append(again, v.requests[id]...)
	}
	v.outbox = append(again, v.outbox...)
	return v.after
}

// receive reads the stream and notes each sign of life.
func receive(ctx context.Context, stream tradeStream, heard chan<- struct{}, responses chan<- *pb.TradeResponse) error {
	for {
		response, err := stream.Recv()
		if err != nil {
			return err
		}
		select {
		case heard <- struct{}{}:
		default:
		}
		if response.GetReport() == nil {
			continue
		}
		select {
		case responses <- response:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch ends the connection when the venue is silent, or a report stays away: the next one asks for it.
func (v *Venue) watch(ctx context.Context, heard <-chan struct{}) error {
	silence := missedHeartbeats * v.config.Heartbeat
	timer := time.NewTimer(silence)
	defer timer.Stop()
	gaps := time.NewTicker(v.config.Heartbeat)
	defer gaps.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-heard:
			timer.Reset(silence)
		case <-gaps.C:
			if err := v.missingReport(); err != nil {
				return err
			}
		case <-timer.C:
			return fmt.Errorf("%w for %v", errSilent, silence)
		}
	}
}

// send hands over what is in the outbox, and asks for signs of life.
func (v *Venue) send(ctx context.Context, stream tradeStream) error {
	beats := time.NewTicker(v.config.Heartbeat)
	defer beats.Stop()
	for beat := uint64(1); ; {
		for _, c := range v.take() {
			failpoint.Hit("before_send")
			if err := stream.Send(&pb.TradeRequest{Request: &pb.TradeRequest_Command{Command: c.message}}); err != nil {
				return err
			}
			failpoint.Hit("sent")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-v.wake:
		case <-beats.C:
			if err := stream.Send(&pb.TradeRequest{Request: &pb.TradeRequest_Heartbeat{Heartbeat: beat}}); err != nil {
				return err
			}
			beat++
		}
	}
}

// take empties the outbox. An order counts as sent before it is, so that none is forgotten.
func (v *Venue) take() []*command {
	v.mu.Lock()
	defer v.mu.Unlock()
	commands := v.outbox
	v.outbox = nil
	for _, c := range commands {
		switch {
		case c.isNew:
			v.unanswered[c.orderID] = c
		case c.orderID != 0 && c.sent.IsZero(): // of ours, and not answered while it waited to be sent again
			v.requested(c)
		}
		c.sent = time.Now()
	}
	return commands
}

// hear sequences reports as they come, many at once when they do.
func (v *Venue) hear(ctx context.Context, responses <-chan *pb.TradeResponse) error {
	for {
		var reports []*pb.ExecutionReport
		select {
		case <-ctx.Done():
			return ctx.Err()
		case response := <-responses:
			reports = append(reports, response.GetReport())
		}
		for more := true; more && len(reports) < reportsAtOnce; {
			select {
			case response := <-responses:
				reports = append(reports, response.GetReport())
			default:
				more = false
			}
		}
		failpoint.Hit("heard")
		v.follow(reports)
		inputs, err := v.decodeAll(reports)
		if err != nil {
			return err
		}
		if err := v.tell(ctx, inputs); err != nil {
			return err
		}
	}
}

// follow notes up to where every report was heard. One that overtook others counts once they have come.
func (v *Venue) follow(reports []*pb.ExecutionReport) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range reports {
		if r.GetSequence() > v.after {
			v.ahead[max(r.GetPrevSequence(), v.after)] = r.GetSequence()
		}
	}
	for {
		next, has := v.ahead[v.after]
		if !has {
			break
		}
		delete(v.ahead, v.after)
		v.after = next
	}
	switch {
	case len(v.ahead) == 0:
		v.gap = time.Time{}
	case v.gap.IsZero():
		v.gap = time.Now()
	}
}

func (v *Venue) missingReport() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.gap.IsZero() || time.Since(v.gap) < v.config.Heartbeat {
		return nil
	}
	return fmt.Errorf("a report after %d is missing", v.after)
}

// decode gives a report as the engine takes it, nothing for an order that is not ours, and notes what the venue
// has of it. The lock is held.
func (v *Venue) decode(r *pb.ExecutionReport) ([]engine.Input, error) {
	orderID, ours := v.orderID(r)
	if !ours {
		return nil, nil
	}
	report, err := contract.DecodeVenueReport(v.Name(), orderID, r)
	if err != nil {
		return nil, fmt.Errorf("report %d: %w", r.GetSequence(), err)
	}
	if report.ExecType == engine.ExecCancelRejected { // That says nothing of the order itself.
		if !v.refused(orderID, r.GetClOrdId()) {
			return nil, nil
		}
		return []engine.Input{report}, nil
	}
	delete(v.unanswered, orderID)
	inputs := []engine.Input{report}
	if replaced := v.replacedBefore(orderID, r); replaced != nil {
		inputs = []engine.Input{replaced, report}
	}
	switch report.ExecType {
	case engine.ExecReplaced:
		if !v.replaced(orderID, r.GetClOrdId()) {
			report.ExecType = engine.ExecRestated
		}
	case engine.ExecCanceled, engine.ExecExpired, engine.ExecRejected:
		v.answered(orderID, func(c *command) bool { return c.message.GetCancelOrder() != nil })
	}
	switch {
	case r.GetLeavesQty() == 0:
		delete(v.working, orderID)
	case v.working[orderID] == nil:
		v.working[orderID] = &work{venueOrderID: r.GetVenueOrderId()}
	}
	return inputs, nil
}
