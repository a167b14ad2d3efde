package simtest

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
)

// inbox is the receiving half of a stream, and what of grpc.ClientStream means nothing here.
type inbox struct {
	ctx    context.Context
	filled chan struct{} // of capacity 1: there is a message

	mu       sync.Mutex
	messages []message
	err      error
	ended    chan struct{}
}

type message struct {
	due  int64 // not given before; 0: at once
	fill func(into any)
}

func newInbox(ctx context.Context) *inbox {
	return &inbox{ctx: ctx, filled: make(chan struct{}, 1), ended: make(chan struct{})}
}

func (b *inbox) put(due int64, fill func(into any)) {
	b.mu.Lock()
	b.messages = append(b.messages, message{due, fill})
	b.mu.Unlock()
	select {
	case b.filled <- struct{}{}:
	default:
	}
}

func (b *inbox) take() (m message, any bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) == 0 {
		return m, false
	}
	m, b.messages = b.messages[0], b.messages[1:]
	return m, true
}

// close ends the stream with an error; the first stays.
func (b *inbox) close(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil {
		b.err = err
		close(b.ended)
	}
}

// over says whether nothing can be sent any more.
func (b *inbox) over() bool {
	select {
	case <-b.ended:
		return true
	default:
		return b.ctx.Err() != nil
	}
}

func (b *inbox) reason() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return b.err
	}
	return b.ctx.Err()
}

// RecvMsg gives what comes next, in order. What waits when the stream ends is lost.
func (b *inbox) RecvMsg(into any) error {
	for !b.over() {
		if m, any := b.take(); any {
			if err := b.await(m.due); err != nil {
				return err
			}
			m.fill(into)
			return nil
		}
		select {
		case <-b.filled:
		case <-b.ended:
		case <-b.ctx.Done():
		}
	}
	return b.reason()
}

func (b *inbox) await(due int64) error {
	wait := due - now()
	if wait <= 0 {
		return nil
	}
	timer := time.NewTimer(time.Duration(wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-b.ended:
	case <-b.ctx.Done():
	}
	return b.reason()
}

func (b *inbox) Context() context.Context   { return b.ctx }
func (*inbox) CloseSend() error             { return nil }
func (*inbox) Header() (metadata.MD, error) { return nil, nil }
func (*inbox) Trailer() metadata.MD         { return nil }
