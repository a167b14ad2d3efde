package market

import (
	"context"
	"errors"
	"io"
	"sync"
)

// replayRows is the most rows that are handed on at once.
const replayRows = 4096

// Replay plays the rows of a data set to its subscribers, none of which misses a row: it waits for the
// slowest. It begins with the first subscriber. One that is gone must close its subscription.
type Replay struct {
	first chan struct{} // closed when the first subscriber comes
	once  sync.Once

	mu          sync.Mutex
	subscribers map[*Subscription]struct{}
	ended       bool
	err         error
}

// NewReplay is a replay to Run.
func NewReplay() *Replay {
	return &Replay{first: make(chan struct{}), subscribers: map[*Subscription]struct{}{}}
}

// Source gives rows in time order, as Reader does.
type Source interface {
	Next(rows []Row) (int, error)
}

// Subscription is what one reader has of a replay.
type Subscription struct {
	// Rows carries rows in time order. They are shared and not to be changed. It is closed at the end;
	// Err then says why.
	Rows <-chan []Row

	replay *Replay
	rows   chan []Row
	done   chan struct{}
	close  sync.Once
	err    error
}

// Subscribe joins at the rows that come next.
func (r *Replay) Subscribe() *Subscription {
	rows := make(chan []Row, 1)
	s := &Subscription{Rows: rows, replay: r, rows: rows, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		s.err = r.err
		close(s.rows)
		return s
	}
	r.subscribers[s] = struct{}{}
	r.once.Do(func() { close(r.first) })
	return s
}

// Close leaves the replay, which then no longer waits for this subscriber.
func (s *Subscription) Close() {
	s.close.Do(func() { close(s.done) })
	s.replay.mu.Lock()
	defer s.replay.mu.Unlock()
	delete(s.replay.subscribers, s)
}

// Err is nil when Rows was closed because the data is at its end.
func (s *Subscription) Err() error {
	s.replay.mu.Lock()
	defer s.replay.mu.Unlock()
	return s.err
}

// Run plays the source at the pace. Every row goes to apply first, in which the venue and the marks see
// it; so a subscriber never knows of a row that the venue does not.
func (r *Replay) Run(ctx context.Context, source Source, pacer *Pacer, apply func([]Row) error) error {
	err := r.play(ctx, source, pacer, apply)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	r.end(err)
	return err
}

func (r *Replay) play(ctx context.Context, source Source, pacer *Pacer, apply func([]Row) error) error {
	select {
	case <-r.first:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		// A new slice each time: subscribers still hold the one before.
		rows := make([]Row, replayRows)
		n, err := source.Next(rows)
		for rows = rows[:n]; len(rows) > 0; {
			if err := pacer.Wait(ctx, rows[0].TransactTime); err != nil {
				return err
			}
			due := max(1, pacer.Due(rows))
			if err := apply(rows[:due]); err != nil {
				return err
			}
			r.publish(ctx, rows[:due:due])
			rows = rows[due:]
		}
		if err != nil {
			return err
		}
	}
}

func (r *Replay) publish(ctx context.Context, rows []Row) {
	for _, s := range r.snapshot() {
		select {
		case s.rows <- rows:
		case <-s.done:
		case <-ctx.Done():
		}
	}
}

func (r *Replay) snapshot() []*Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	subscribers := make([]*Subscription, 0, len(r.subscribers))
	for s := range r.subscribers {
		subscribers = append(subscribers, s)
	}
	return subscribers
}

func (r *Replay) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended, r.err = true, err
	for s := range r.subscribers {
		s.err = err
		close(s.rows)
	}
	clear(r.subscribers)
}
