// Package gate asks the Risk Service about every order before it may leave, and fails closed: no
// valid answer in time is a refusal. Nothing else makes an approval.
package gate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	aetherionv1 "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/failpoint"
)

// Approved is an order that the Risk Service accepted and that passed the gate's own limits. Only
// this package makes one, so a router that takes Approved cannot be handed an order that nobody
// checked. The zero value approves nothing: it has order id 0.
type Approved struct {
	orderID uint64
	order   *engine.NewOrder // never changed
}

// OrderID is our id of the order.
func (a Approved) OrderID() uint64 { return a.orderID }

// Terms are the order as it stands with us; not to be changed.
func (a Approved) Terms() *engine.NewOrder { return a.order }

// NewOrder is a copy of the order as its venue gets it.
func (a Approved) NewOrder() engine.NewOrder { return a.order.AtVenue() }

// Decision is the answer to one check: what the journal keeps of it, and the approval, if it is one.
type Decision struct {
	OrderDecision *engine.OrderDecision // its NewOrder is left empty; not to be changed
	Approved      Approved              // meant when OrderDecision.Approved
}

// Config is what can be set of a gate.
type Config struct {
	// Deadline of one ask, 50 ms when zero. A simulation sets it far higher: its result must not
	// depend on how busy the machine is.
	Deadline time.Duration
	// SessionID names the session whose portfolio the Risk Service may show; empty: none.
	SessionID string
	// Recovered is what was decided before; nil: nothing. The first state is then taken from New's snapshot.
	Recovered *Recovered
}

const (
	defaultDeadline = 50 * time.Millisecond
	minBackOff      = 20 * time.Millisecond
	maxBackOff      = time.Second
	// confirmTimeout is how long a new stream may take over the history.
	confirmTimeout = time.Minute
	// maxHistory bounds what is kept to be told again while there is no Risk Service.
	maxHistory = 1 << 18
	// maxRefused is how often the history may be refused before a state of the engine takes its place.
	maxRefused = 3
)

var (
	// errClosed is why orders are refused once Close was called.
	errClosed = errors.New("the gate is closed")
	// errCatchingUp is why they are refused on a stream that has not confirmed the state yet.
	errCatchingUp = errors.New("it has not taken over the state yet")
)

// Gate asks over one long-lived stream. When anything goes wrong, an answer that does not come in time
// too, the stream is torn down, and all that it held with it. The next one is told the gate's history: a
// state and what was decided since. So no hold is left that the engine does not know, none is missing, and
// no latch, bucket or window is lost. Orders are asked about only once that stream has confirmed its state.
//
// Ask, Begin, Preview, Tell and Save belong to one goroutine, the sequencer's, and take their events in the
// order of the journal. Everything else may be called from anywhere.
type Gate struct {
	client   aetherionv1.PretradeServiceClient
	snapshot func() engine.PretradeSnapshot
	deadline time.Duration
	session  string

	// Of the asking goroutine.
	key  secondKey
	last uint64 // sequence of what was asked or told last

	mu      sync.Mutex
	history history
	stream  *stream // nil while there is none
	ready   bool    // it has confirmed its state
	epoch   uint64
	refused int           // streams in a row that did not take over the history
	reason  error         // why orders are refused
	up      chan struct{} // closed when a stream is ready
	alarms  alarms
	latches []Latch // never changed, only replaced

	closed  <-chan struct{}
	cancel  context.CancelFunc
	stopped sync.WaitGroup
}

// New starts a gate, which connects in the background until it is closed. It calls snapshot here, and
// within Begin, Tell and Save, on their goroutine.
func New(conn grpc.ClientConnInterface, snapshot func() engine.PretradeSnapshot, config Config) *Gate {
	if config.Deadline <= 0 {
		config.Deadline = defaultDeadline
	}
	if config.Recovered == nil {
		config.Recovered = Restore(snapshot(), nil)
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Gate{
		client:   aetherionv1.NewPretradeServiceClient(conn),
		snapshot: snapshot,
		deadline: config.Deadline,
		session:  config.SessionID,
		key:      config.Recovered.key,
		last:     config.Recovered.last,
		history:  config.Recovered.history,
		reason:   errors.New("not connected yet"),
		up:       make(chan struct{}),
		closed:   ctx.Done(),
		cancel:   cancel,
	}
	g.stopped.Go(func() { g.keepConnected(ctx) })
	return g
}

// Ask decides on orders: one decision each, in their order. It never takes longer than the deadline, and no
// time at all while there is no stream.
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
	g.mu.Lock()
	defer g.mu.Unlock()
	g.saveGrown()
	g.last = checks[len(checks)-1].Sequence
	failpoint.Hit("before_ask")
	g.ask(asked)
	failpoint.Hit("asked")
	return asked
}

// Preview is what would be decided on an order that came next. Nothing is held, counted or kept, and nothing
// is approved. The answer is waited for where it does not matter how long it takes.
func (g *Gate) Preview(check engine.PretradeCheck) (wait func() *engine.OrderDecision) {
	asked := newAsked([]engine.PretradeCheck{check})
	asked.preview = true
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ask(asked)
	return func() *engine.OrderDecision { return asked.Wait()[0].OrderDecision }
}

// ask enqueues the questions of asked, or refuses while nobody can answer. g.mu is held.
func (g *Gate) ask(asked *Asked) {
	if !g.ready {
		asked.refuseAll(g.reason)
		return
	}
	for i := range asked.checks {
		asked.blocks[i] = g.key.check(&asked.checks[i])
	}
	events, answers := questions(asked.checks)
	expected, kept, first := make([]expectation, len(events)), make([]past, len(events)), 0
	for i, event := range events {
		expected[i] = expectation{asked: asked, first: first, answers: answers[i]}
		first += answers[i]
		if asked.preview {
			event.GetCheck().Preview = true
			continue
		}
		kept[i] = past{event: event, check: true}
		expected[i].past = &kept[i]
		g.history.add(&kept[i])
	}
	g.stream.ask(asked, expected, events, g.deadline)
}

// Tell passes on what pre-trade state depends on. It waits only when the Risk Service is thousands of
// events behind, and then no longer than the deadline.
func (g *Gate) Tell(events []engine.PretradeEvent) {
	if len(events) == 0 {
		return
	}
	told := make([]*aetherionv1.PretradeEvent, len(events))
	kept := make([]past, len(events))
	g.mu.Lock()
	for i := range events {
		g.key.apply(&events[i])
		told[i] = eventMessage(&events[i])
		// What follows from one command of a run comes after the questions about all of them.
		g.last = max(g.last, events[i].Sequence)
		told[i].Sequence = g.last
		kept[i].event = told[i]
		g.history.add(&kept[i])
	}
	s, ready := g.stream, g.ready
	if s != nil {
		s.tell(told...)
	}
	if events[len(events)-1].Sequence == g.last {
		g.saveGrown()
	}
	g.mu.Unlock()
	if ready {
		s.wait(g.deadline)
	}
}

// Save asks for what the Risk Service remembers after the last event that the engine has applied. The
// channel gives it, or is closed when there is nobody to ask.
func (g *Gate) Save() <-chan *engine.PretradeMemory {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.save()
}

func (g *Gate) save() <-chan *engine.PretradeMemory {
	snapshot := g.snapshot()
	// A state that lacks something asked or told before (approved, perhaps, and not yet applied) is none.
	if !g.ready || snapshot.Sequence < g.last {
		g.history.tried = g.history.count()
		none := make(chan *engine.PretradeMemory)
		close(none)
		return none
	}
	if asked := g.history.asked(snapshot.Sequence); asked != nil && asked.events == g.history.count() {
		return asked.done
	}
	g.stream.tell(saveMessage(snapshot.Sequence, snapshot.TransactTime))
	return g.history.begin(snapshot).done
}

// saveGrown bounds the history: by a newer base, or, while nobody can say what to remember of it, by what
// was remembered last. So it does, too, when the Risk Service does not take the history over.
func (g *Gate) saveGrown() {
	switch {
	case g.ready && g.history.grown():
		g.save()
	case g.stream == nil && (len(g.history.events) > maxHistory || g.refused >= maxRefused):
		g.refused = 0
		if snapshot := g.snapshot(); snapshot.Sequence >= g.last {
			g.history.rebase(snapshotMessage(&snapshot, g.history.base.GetSnapshot().GetMemory()), g.history.count())
		}
	}
}

// Ready waits until orders can be asked about.
func (g *Gate) Ready(ctx context.Context) error {
	g.mu.Lock()
	ready, up := g.ready, g.up
	g.mu.Unlock()
	if ready {
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

// Close ends the stream, refuses what is still unanswered, and waits for the gate's goroutines.
func (g *Gate) Close() {
	g.cancel()
	g.stopped.Wait()
}

// keepConnected owns one stream after the other.
func (g *Gate) keepConnected(ctx context.Context) {
	backOff := minBackOff
	for ctx.Err() == nil {
		if confirmed := g.serveOne(ctx); confirmed {
			backOff = minBackOff
		}
		select {
		case <-time.After(backOff):
		case <-ctx.Done():
		}
		backOff = min(2*backOff, maxBackOff)
	}
	g.setDown(errClosed)
}

// serveOne opens a stream and receives on it until it ends.
func (g *Gate) serveOne(ctx context.Context) (confirmed bool) {
	s, err := openStream(ctx, g.client, g.session, g.epoch+1)
	if err != nil {
		g.setDown(err)
		return false
	}
	marker := g.attach(s)
	timer := s.failAfter(confirmTimeout)
	defer timer.Stop()
	var latches []Latch // a new stream is told of them when there are any
	err = s.serve(func(response *aetherionv1.CheckResponse) error {
		if err := decodeLatches(response.GetLatches(), &latches); err != nil {
			return err
		}
		for _, memory := range response.GetMemories() {
			if confirmed {
				g.remember(memory)
			} else if confirmed = memory.GetSequence() == marker; confirmed {
				timer.Stop()
				g.setUp(latches)
			}
		}
		if confirmed && response.GetLatches() != nil {
			g.setLatches(latches)
		}
		return g.alarm(response.GetAlarms())
	})
	g.setDown(err)
	return confirmed
}

// attach tells a new stream the history, and all that comes from now on. The memory of the sequence that it
// returns confirms it.
func (g *Gate) attach(s *stream) (marker uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stream, g.epoch, g.reason = s, s.epoch, errCatchingUp
	told := g.history.messages()
	last := told[len(told)-1]
	s.tell(append(told, saveMessage(last.GetSequence(), last.GetTransactTimeNs()))...)
	return last.GetSequence()
}

func (g *Gate) setUp(latches []Latch) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ready, g.refused, g.latches = true, 0, latches
	close(g.up)
}

func (g *Gate) setDown(reason error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ready {
		g.up = make(chan struct{})
	}
	select {
	case <-g.closed:
		reason = errClosed
	default:
	}
	if reason != errClosed && reason.Error() != g.reason.Error() {
		slog.Warn("the Risk Service does not answer: orders are refused", "reason", reason, "state_confirmed", g.ready)
	}
	if code := status.Code(reason); !g.ready && (code == codes.InvalidArgument || code == codes.FailedPrecondition) {
		g.refused++
	}
	g.stream, g.ready, g.reason = nil, false, reason
	g.history.forsake()
}

// remember takes a memory that was asked for. What nobody asked for changes nothing.
func (g *Gate) remember(memory *aetherionv1.PretradeMemory) {
	g.mu.Lock()
	asked := g.history.asked(memory.GetSequence())
	g.mu.Unlock()
	if asked == nil {
		return
	}
	base := snapshotMessage(&asked.snapshot, memory) // A large state is not encoded while orders wait.
	g.mu.Lock()
	defer g.mu.Unlock()
	g.history.remember(base, asked)
}
