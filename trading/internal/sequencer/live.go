package sequencer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/failpoint"
	"aetherion/trading/internal/router"
)

// ErrStopped says that the sequencer no longer runs; whether an input that was under way counted is
// in the journal.
var ErrStopped = errors.New("the sequencer has stopped")

// maxBatch bounds the inputs of one batch, and so how long the first of them waits for the last.
const maxBatch = 4096

// timeInterval bounds how much later than its time an order ends while nothing else happens.
const timeInterval = 20 * time.Millisecond

// Live runs a sequencer in one goroutine: whatever arrived while the last batch was out forms the
// next.
type Live struct {
	core    *Sequencer
	send    func([]router.Route) []engine.Input
	publish func([]*engine.ExecutionReport)
	queue   chan request
	stopped chan struct{} // closed when Run has returned
}

type request struct {
	inputs []engine.Input
	query  func(*engine.Engine)
	done   chan []Result // of capacity 1
}

// NewLive is a sequencer to Run. Send and publish are called on its goroutine, in order, with what is
// durable; they must not block. Send returns what cannot be routed, as Router.Send does.
func NewLive(core *Sequencer, send func([]router.Route) []engine.Input, publish func([]*engine.ExecutionReport)) *Live {
	return &Live{core: core, send: send, publish: publish, queue: make(chan request, 1024), stopped: make(chan struct{})}
}

// Run processes until ctx ends, which is no error, or the sequencer fails. It is called once.
func (l *Live) Run(ctx context.Context) error {
	defer close(l.stopped)
	times := time.NewTicker(timeInterval)
	defer times.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-times.C:
			if !l.core.Overdue() {
				continue
			}
			if _, err := l.sequence(nil); err != nil {
				return err
			}
		case r := <-l.queue:
			if err := l.process(l.collect(r)); err != nil {
				return err
			}
		}
	}
}

// Enqueue hands over inputs and gives where their results will come, once. Inputs of calls that
// follow each other keep their order. A channel that was not answered when Run returned never is.
func (l *Live) Enqueue(ctx context.Context, inputs []engine.Input) (<-chan []Result, error) {
	if len(inputs) > maxBatch {
		return nil, fmt.Errorf("at most %d inputs at once, got %d", maxBatch, len(inputs))
	}
	return l.enqueue(ctx, request{inputs: inputs})
}

// Submit hands over inputs and waits for their results.
func (l *Live) Submit(ctx context.Context, inputs ...engine.Input) ([]Result, error) {
	done, err := l.Enqueue(ctx, inputs)
	if err != nil {
		return nil, err
	}
	return l.wait(ctx, done)
}

// Query calls read on the sequencer's goroutine between batches, and waits for it: once Query has returned, read
// neither runs nor will. Read copies what it keeps.
func (l *Live) Query(ctx context.Context, read func(*engine.Engine)) error {
	var taken atomic.Bool // by who comes first: the sequencer, to read, or the caller, to leave
	done, err := l.enqueue(ctx, request{query: func(e *engine.Engine) {
		if taken.CompareAndSwap(false, true) {
			read(e)
		}
	}})
	if err != nil {
		return err
	}
	if _, err = l.wait(ctx, done); err == nil || taken.CompareAndSwap(false, true) {
		return err
	}
	<-done
	return nil
}

// Stopped is closed when Run has returned.
func (l *Live) Stopped() <-chan struct{} { return l.stopped }

func (l *Live) enqueue(ctx context.Context, r request) (<-chan []Result, error) {
	r.done = make(chan []Result, 1)
	select {
	case l.queue <- r:
		return r.done, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.stopped:
		return nil, ErrStopped
	}
}

func (l *Live) wait(ctx context.Context, done <-chan []Result) ([]Result, error) {
	select {
	case results := <-done:
		return results, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.stopped:
		select { // It may have been answered just before.
		case results := <-done:
			return results, nil
		default:
			return nil, ErrStopped
		}
	}
}

// collect adds to the first request what else is there.
func (l *Live) collect(first request) []request {
	batch, inputs := []request{first}, len(first.inputs)
	for inputs < maxBatch {
		select {
		case r := <-l.queue:
			batch, inputs = append(batch, r), inputs+len(r.inputs)
		default:
			return batch
		}
	}
	return batch
}

func (l *Live) process(batch []request) error {
	requests := make([][]engine.Input, 0, len(batch))
	for _, r := range batch {
		if len(r.inputs) > 0 {
			requests = append(requests, r.inputs)
		}
	}
	var results []Result
	if len(requests) > 0 {
		var err error
		if results, err = l.sequence(requests); err != nil {
			return err
		}
	}
	for _, r := range batch {
		if r.query != nil {
			r.query(l.core.Engine())
		}
		r.done <- results[:len(r.inputs):len(r.inputs)]
		results = results[len(r.inputs):]
	}
	return nil
}

// sequence processes requests and whatever routing refuses after them.
func (l *Live) sequence(requests [][]engine.Input) ([]Result, error) {
	output, err := l.core.Process(requests...)
	if err != nil {
		return nil, err
	}
	failpoint.Hit("appended")
	if len(output.Reports) > 0 {
		l.publish(output.Reports)
	}
	failpoint.Hit("published")
	if refused := l.send(output.Routes); len(refused) > 0 {
		if _, err := l.sequence([][]engine.Input{refused}); err != nil {
			return nil, err
		}
	}
	return output.Results, nil
}
