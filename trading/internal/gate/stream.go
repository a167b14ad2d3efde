package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

const (
	// maxBatch bounds one message, so that a burst of checks is answered in parts and not at its end.
	maxBatch = 1024
	// maxQueue bounds what waits to be sent. Tell waits beyond it.
	maxQueue = 64 * 1024
)

// stream is one epoch: a stream to the Risk Service from its snapshot to its first error. Whatever
// was enqueued while the last message went out forms the next one.
type stream struct {
	epoch  uint64
	named  string // the session, to be said in the first message
	rpc    grpc.BidiStreamingClient[aetherionv1.CheckRequest, aetherionv1.CheckResponse]
	cancel context.CancelFunc
	filled chan struct{} // holds one token when the queue may hold something

	mu       sync.Mutex
	drained  sync.Cond // of mu: the queue was taken, or the stream ended
	queue    []*aetherionv1.PretradeEvent
	expected []expectation // the answers that come next
	err      error         // why it ended; set once
}

// expectation is one check whose answer is out.
type expectation struct {
	asked *Asked
	index int
}

func openStream(ctx context.Context, client aetherionv1.PretradeServiceClient, session string, epoch uint64) (*stream, error) {
	ctx, cancel := context.WithCancel(ctx)
	rpc, err := client.Check(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &stream{epoch: epoch, named: session, rpc: rpc, cancel: cancel, filled: make(chan struct{}, 1)}
	s.drained.L = &s.mu
	return s, nil
}

// ask enqueues checks. If they are not all answered within the deadline, the stream ends.
func (s *stream) ask(asked *Asked, deadline time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		asked.refuseAll(s.err)
		return
	}
	for i := range asked.checks {
		s.queue = append(s.queue, checkMessage(&asked.checks[i]))
		s.expected = append(s.expected, expectation{asked, i})
	}
	asked.timer = s.failAfter(deadline)
	s.wake()
}

// tell enqueues events that need no answer.
func (s *stream) tell(events []engine.PretradeEvent, deadline time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) > maxQueue {
		timer := s.failAfter(deadline)
		for len(s.queue) > maxQueue && s.err == nil {
			s.drained.Wait()
		}
		timer.Stop()
	}
	if s.err != nil {
		return // The next snapshot has it all.
	}
	for i := range events {
		s.queue = append(s.queue, eventMessage(&events[i]))
	}
	s.wake()
}

// begin enqueues the snapshot, before everything else.
func (s *stream) begin(snapshot *engine.PretradeSnapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, snapshotMessage(snapshot))
}

func (s *stream) wake() {
	select {
	case s.filled <- struct{}{}:
	default: // It is awake already.
	}
}

func (s *stream) failAfter(deadline time.Duration) *time.Timer {
	return time.AfterFunc(deadline, func() { s.fail(fmt.Errorf("no answer within %v", deadline)) })
}

// serve sends and receives until the stream ends.
func (s *stream) serve() (answered bool, err error) {
	var sender sync.WaitGroup
	sender.Go(s.send)
	for err == nil {
		var response *aetherionv1.CheckResponse
		if response, err = s.rpc.Recv(); err == nil && response.GetEpoch() == s.epoch {
			err = s.answer(response.GetDecisions())
			answered = answered || err == nil
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it ended the stream")
	}
	err = s.fail(err)
	sender.Wait()
	return answered, err
}

func (s *stream) send() {
	for s.rpc.Context().Err() == nil {
		events := s.take()
		if len(events) == 0 {
			select {
			case <-s.filled:
			case <-s.rpc.Context().Done():
			}
			continue
		}
		err := s.rpc.Send(&aetherionv1.CheckRequest{Epoch: s.epoch, Events: events, SessionId: s.named})
		s.named = ""
		if errors.Is(err, io.EOF) {
			return // Recv says why.
		}
		if err != nil {
			s.fail(err)
		}
	}
}

func (s *stream) take() []*aetherionv1.PretradeEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.queue), maxBatch)
	events := s.queue[:n:n]
	s.queue = s.queue[n:]
	s.drained.Broadcast()
	return events
}

// answer matches one message with what was asked. A message that is wrong anywhere decides nothing.
func (s *stream) answer(messages []*aetherionv1.PretradeDecision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(messages) > len(s.expected) {
		return fmt.Errorf("wrong answer: %d decisions, %d were asked for", len(messages), len(s.expected))
	}
	answers := make([]engine.OrderDecision, len(messages))
	for i, message := range messages {
		check := &s.expected[i].asked.checks[s.expected[i].index]
		var err error
		if answers[i], err = decisionOf(message, check); err != nil {
			return fmt.Errorf("wrong answer: decision %d of %d: %w", i+1, len(messages), err)
		}
	}
	blocked := false
	for i, answer := range answers {
		blocked = s.expected[i].asked.decide(s.expected[i].index, answer) || blocked
	}
	s.expected = s.expected[len(messages):]
	if blocked {
		return errors.New("it approved what breaks a hard limit of the gate")
	}
	return nil
}

// fail ends the stream and refuses all that is unanswered. The first reason stays and is returned.
func (s *stream) fail(reason error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.err = reason
	for _, e := range s.expected {
		e.asked.refuse(e.index, reason)
	}
	s.expected, s.queue = nil, nil
	s.drained.Broadcast()
	s.cancel()
	return reason
}
