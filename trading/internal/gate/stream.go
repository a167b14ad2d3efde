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

// stream is one epoch: a stream to the Risk Service from the gate's history to its first error. Whatever
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

// expectation is one question whose answers are out.
type expectation struct {
	asked   *Asked
	first   int   // its first check
	answers int   // one for each order
	past    *past // where the answer is kept; nil: nowhere
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

// ask enqueues questions. If they are not all answered within the deadline, the stream ends.
func (s *stream) ask(asked *Asked, questions []expectation, events []*aetherionv1.PretradeEvent, deadline time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		asked.refuseAll(s.err)
		return
	}
	s.queue, s.expected = append(s.queue, events...), append(s.expected, questions...)
	asked.timer = s.failAfter(deadline)
	s.wake()
}

// tell enqueues events that need no answer.
func (s *stream) tell(events ...*aetherionv1.PretradeEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return // The next stream is told it all.
	}
	s.queue = append(s.queue, events...)
	s.wake()
}

// wait waits while thousands of events are enqueued, and then no longer than the deadline.
func (s *stream) wait(deadline time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.queue) <= maxQueue || s.err != nil {
		return
	}
	timer := s.failAfter(deadline)
	for len(s.queue) > maxQueue && s.err == nil {
		s.drained.Wait()
	}
	timer.Stop()
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

// serve sends and receives until the stream ends. What is no decision goes to rest.
func (s *stream) serve(rest func(*aetherionv1.CheckResponse) error) error {
	var sender sync.WaitGroup
	sender.Go(s.send)
	var err error
	for err == nil {
		var response *aetherionv1.CheckResponse
		if response, err = s.rpc.Recv(); err != nil || response.GetEpoch() != s.epoch {
			continue
		}
		if err = s.answer(response.GetDecisions()); err == nil {
			err = rest(response)
		}
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it ended the stream")
	}
	err = s.fail(err)
	sender.Wait()
	return err
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
	if len(messages) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answered, answers, err := s.match(messages)
	if err != nil {
		return fmt.Errorf("wrong answer: %w", err)
	}
	blocked := false
	for _, e := range s.expected[:answered] {
		n := e.answers
		blocked = e.asked.decide(&e, answers[:n], messages[:n:n]) || blocked
		answers, messages = answers[n:], messages[n:]
	}
	s.expected = s.expected[answered:]
	if blocked {
		return errors.New("it approved what breaks a hard limit of the gate")
	}
	return nil
}

// match reads the answers to the questions that come next, all answers to each.
func (s *stream) match(messages []*aetherionv1.PretradeDecision) (answered int, answers []*engine.OrderDecision, err error) {
	answers = make([]*engine.OrderDecision, 0, len(messages))
	for ; len(answers) < len(messages); answered++ {
		if answered == len(s.expected) {
			return 0, nil, fmt.Errorf("%d decisions, %d were asked for", len(messages), len(answers))
		}
		e := &s.expected[answered]
		if left := len(messages) - len(answers); left < e.answers {
			return 0, nil, fmt.Errorf("%d decisions on a list of %d", left, e.answers)
		}
		for i := range e.answers {
			answer, err := decisionOf(messages[len(answers)], &e.asked.checks[e.first+i])
			if err != nil {
				return 0, nil, fmt.Errorf("decision %d of %d: %w", len(answers)+1, len(messages), err)
			}
			if answers = append(answers, answer); answer.Approved != answers[len(answers)-1-i].Approved {
				return 0, nil, fmt.Errorf("decision %d of %d: a list is approved or refused as one", len(answers), len(messages))
			}
		}
	}
	return answered, answers, nil
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
		for i := range e.answers {
			e.asked.refuse(e.first+i, reason)
		}
	}
	s.expected, s.queue = nil, nil
	s.drained.Broadcast()
	s.cancel()
	return reason
}
