package market

import (
	"context"
	"errors"
	"io"
	"sync"
)

// replayRows is the most rows that are handed on at once.
const replayRows = 4096

// broadcastBatches is how far a subscriber of a broadcast may fall behind.
const broadcastBatches = 1024

// ErrBehind says that a subscriber of a broadcast took its rows too slowly and was cut off.
var ErrBehind = errors.New("the reader fell too far behind")

// Replay plays rows to its subscribers, none of which misses a row. Run plays a data set: it waits for the
// slowest, is ahead of it by no more than two of its batches, and begins with the first subscriber.
// Broadcast waits for nobody: who falls behind is cut off. One that is gone must close its subscription.
type Replay struct {
	waiting int           // batches that may wait for a subscriber
	first   chan struct{} // closed when the first subscriber comes
	once    sync.Once

	mu          sync.Mutex
	subscribers map[*Subscription]struct{}
	ended       bool
	err         error
}

// NewReplay is a replay to Run.
func NewReplay() *Replay {
	return &Replay{first: make(chan struct{}), subscribers: map[*Subscription]struct{}{}}
}

// NewBroadcast is a replay to Broadcast.
func NewBroadcast() *Replay {
	r := NewReplay()
	r.waiting = broadcastBatches
	return r
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
	most   int // rows at once
	rows   chan []Row
	done   chan struct{}
	close  sync.Once
	err    error
}

// Subscribe joins at the rows that come next, at most so many at once.
func (r *Replay) Subscribe(most int) *Subscription {
	rows := make(chan []Row, r.waiting)
	s := &Subscription{Rows: rows, replay: r, most: most, rows: rows, done: make(chan struct{})}
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

// Limit changes how many rows come at once.
func (s *Subscription) Limit(most int) {
	s.replay.mu.Lock()
	defer s.replay.mu.Unlock()
	s.most = most
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
			subscribers, most := r.audience()
			now := min(max(1, pacer.Due(rows)), most)
			if err := apply(rows[:now]); err != nil {
				return err
			}
			publish(ctx, subscribers, rows[:now:now])
			rows = rows[now:]
		}
		if err != nil {
			return err
		}
	}
}

// Broadcast plays rows as they come, whether somebody subscribes or not, until ctx ends.
func (r *Replay) Broadcast(ctx context.Context, batches <-chan []Row) {
	defer r.end(nil)
	for {
		select {
		case <-ctx.Done():
			return
		case rows := <-batches:
			for len(rows) > 0 {
				subscribers, most := r.audience()
				now := min(len(rows), most)
				for _, s := range subscribers {
					s.offer(rows[:now:now])
				}
				rows = rows[now:]
			}
		}
	}
}

// offer ends a subscription that has no room for more rows.
func (s *Subscription) offer(rows []Row) {
	select {
	case s.rows <- rows:
		return
	default:
	}
	s.replay.mu.Lock()
	defer s.replay.mu.Unlock()
	if _, there := s.replay.subscribers[s]; there {
		delete(s.replay.subscribers, s)
		s.err = ErrBehind
		close(s.rows)
	}
}

// audience is who subscribes now, and the least of their most rows at once.
func (r *Replay) audience() ([]*Subscription, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	subscribers, most := make([]*Subscription, 0, len(r.subscribers)), replayRows
	for s := range r.subscribers {
		subscribers, most = append(subscribers, s), min(most, s.most)
	}
	return subscribers, most
}

func publish(ctx context.Context, subscribers []*Subscription, rows []Row) {
	for _, s := range subscribers {
		select {
		case s.rows <- rows:
		case <-s.done:
		case <-ctx.Done():
		}
	}
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
