package simtest

import (
	"context"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
)

// inbox is the receiving half of a stream, and what of grpc.ClientStream means nothing here.
type inbox struct {
	ctx      context.Context
	messages chan message

	mu    sync.Mutex
	err   error
	ended chan struct{}
}

type message struct {
	due  int64 // not given before; 0: at once
	fill func(into any)
}

// inboxSize is how much may wait; a stream with more is cut, as a venue does.
const inboxSize = 1 << 14

func newInbox(ctx context.Context) *inbox {
	return &inbox{ctx: ctx, messages: make(chan message, inboxSize), ended: make(chan struct{})}
}

func (b *inbox) put(due int64, fill func(into any)) {
	select {
	case b.messages <- message{due, fill}:
	default:
		b.close(io.ErrShortBuffer)
	}
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
	if b.over() {
		return b.reason()
	}
	select {
	case m := <-b.messages:
		if err := b.await(m.due); err != nil {
			return err
		}
		m.fill(into)
		return nil
	case <-b.ended:
	case <-b.ctx.Done():
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
