// Package gate asks the Risk Service about every order before it may leave, and fails closed: no
// valid answer in time is a refusal. Nothing else makes an approval.
package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/failpoint"
)

// Approved is an order that the Risk Service accepted and that passed the gate's own limits. Only
// this package makes one, so a router that takes Approved cannot be handed an order that nobody
// checked. The zero value approves nothing: it has order id 0.
type Approved struct {
	orderID  uint64
	newOrder engine.NewOrder
}

// OrderID is our id of the order: the sequence of its event.
func (a Approved) OrderID() uint64 { return a.orderID }

// NewOrder is a copy of the order as its venue gets it.
func (a Approved) NewOrder() engine.NewOrder { return a.newOrder.AtVenue() }

// Decision is the answer to one check: what the journal keeps of it, and the approval, if it is one.
type Decision struct {
	OrderDecision engine.OrderDecision
	Approved      Approved // meant when OrderDecision.Approved
}

// Config is what can be set of a gate.
type Config struct {
	// Deadline of one ask, 50 ms when zero. A simulation sets it far higher: its result must not
	// depend on how busy the machine is.
	Deadline time.Duration
	// SessionID names the session whose portfolio the Risk Service may show; empty: none.
	SessionID string
}

// Status says whether orders can be approved now.
type Status struct {
	Available bool
	Epoch     uint64 // of the stream; rises with every new one
	Reason    string // why it is not available
}

const (
	defaultDeadline = 50 * time.Millisecond
	minBackOff      = 20 * time.Millisecond
	maxBackOff      = time.Second
)

// errClosed is why orders are refused once Close was called.
var errClosed = errors.New("the gate is closed")

// Gate asks over one long-lived stream. When anything goes wrong the stream is torn down, its epoch
// ends with every hold in it, and the next one starts with a snapshot of the engine: so no hold is
// left that the engine does not know, and none is missing.
//
// Ask, Begin and Tell belong to one goroutine, the sequencer's, and take their events in the order of
// the journal. Everything else may be called from anywhere.
type Gate struct {
	client   aetherionv1.PretradeServiceClient
	snapshot func() engine.PretradeSnapshot
	deadline time.Duration
	session  string

	// Of the asking goroutine.
	key     secondKey
	synced  *stream // the stream that has our state
	covered uint64  // sequence of the snapshot that it started with
	last    uint64  // sequence of what was asked or told last, on any stream

	mu     sync.Mutex
	stream *stream // nil while there is none
	epoch  uint64
	reason error         // why there is none
	up     chan struct{} // closed when the next stream is there

	closed  <-chan struct{}
	cancel  context.CancelFunc
	stopped sync.WaitGroup
}

// New starts a gate, which connects in the background until it is closed. It calls snapshot within
// Ask, Begin and Tell, on their goroutine, at the first use of each new stream.
func New(conn grpc.ClientConnInterface, snapshot func() engine.PretradeSnapshot, config Config) *Gate {
	if config.Deadline <= 0 {
		config.Deadline = defaultDeadline
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gate{
		client:   aetherionv1.NewPretradeServiceClient(conn),
		snapshot: snapshot,
		deadline: config.Deadline,
		session:  config.SessionID,
		reason:   errors.New("not connected yet"),
		up:       make(chan struct{}),
		closed:   ctx.Done(),
		cancel:   cancel,
	}
	g.stopped.Go(func() { g.keepConnected(ctx) })
	return g
}

// Ask decides on new orders: one decision each, in their order. It never takes longer than the
// deadline, and no time at all while there is no stream.
func (g *Gate) Ask(checks []engine.PretradeCheck) []Decision {
	return g.Begin(checks).Wait()
}

// Begin asks without waiting, so that more can be handed over while the answers are out. The checks
// may not be changed until Wait returns.
func (g *Gate) Begin(checks []engine.PretradeCheck) *Asked {
	asked := newAsked(checks)
	if len(checks) == 0 {
		close(asked.done)
		return asked
	}
	s, err := g.syncedStream()
	g.last = checks[len(checks)-1].Sequence
	if err != nil {
		asked.refuseAll(err)
		return asked
	}
	for i := range checks {
		asked.blocks[i] = g.key.check(&checks[i].NewOrder)
	}
	failpoint.Hit("before_ask")
	s.ask(asked, g.deadline)
	failpoint.Hit("asked")
	return asked
}

// Tell passes on what pre-trade state depends on. It waits only when the Risk Service is thousands of
// events behind, and then no longer than the deadline.
func (g *Gate) Tell(events []engine.PretradeEvent) {
	if len(events) == 0 {
		return
	}
	s, err := g.syncedStream()
	g.last = events[len(events)-1].Sequence
	if err != nil {
		return // The next snapshot has it all.
	}
	for len(events) > 0 && events[0].Sequence <= g.covered {
		events = events[1:]
	}
	for i := range events {
		g.key.apply(&events[i])
	}
	s.tell(events, g.deadline)
}

// syncedStream is the stream, with our state in it. A snapshot that lacks something asked or told
// before (approved, perhaps, and not yet applied) is not sent: until the engine has caught up, orders
// are refused.
func (g *Gate) syncedStream() (*stream, error) {
	g.mu.Lock()
	s, reason := g.stream, g.reason
	g.mu.Unlock()
	if s == nil {
		return nil, reason
	}
	if g.synced == s {
		return s, nil
	}
	snapshot := g.snapshot()
	if snapshot.Sequence < g.last {
		return nil, fmt.Errorf("state at sequence %d has not caught up with %d", snapshot.Sequence, g.last)
	}
	g.key.reset(&snapshot)
	s.begin(&snapshot)
	g.synced, g.covered = s, snapshot.Sequence
	return s, nil
}

// Ready waits until there is a stream.
func (g *Gate) Ready(ctx context.Context) error {
	g.mu.Lock()
	s, up := g.stream, g.up
	g.mu.Unlock()
	if s != nil {
		return nil
	}
	select {
	case <-up:
		return nil
	case <-g.closed:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("risk service: %s: %w", g.Status().Reason, ctx.Err())
	}
}

// Status is whether orders can be approved now.
func (g *Gate) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stream == nil {
		return Status{Epoch: g.epoch, Reason: g.reason.Error()}
	}
	return Status{Available: true, Epoch: g.epoch}
}

// Close ends the stream, refuses what is still unanswered, and waits for the gate's goroutines.
func (g *Gate) Close() {
	g.cancel()
	g.stopped.Wait()
}

// keepConnected owns one stream after the other.
func (g *Gate) keepConnected(ctx context.Context) {
	backOff := minBackOff
	for ctx.Err() == nil {
		answered, err := g.serveOne(ctx)
		if answered {
			backOff = minBackOff
		}
		g.setDown(err)
		select {
		case <-time.After(backOff):
		case <-ctx.Done():
		}
		backOff = min(2*backOff, maxBackOff)
	}
	g.setDown(errClosed)
}

// serveOne opens a stream and receives on it until it ends; the error says why it did.
func (g *Gate) serveOne(ctx context.Context) (answered bool, err error) {
	s, err := openStream(ctx, g.client, g.session, g.epoch+1)
	if err != nil {
		return false, err
	}
	g.mu.Lock()
	g.stream = s
	g.epoch = s.epoch
	close(g.up)
	g.mu.Unlock()
	return s.serve()
}

func (g *Gate) setDown(reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stream != nil {
		g.up = make(chan struct{})
	}
	g.stream = nil
	g.reason = reason
}
