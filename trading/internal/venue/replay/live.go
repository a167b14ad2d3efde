package replay

import (
	"context"
	"sync"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
)

// Live is the venue for orders that come while rows are replayed: an order arrives at the moment it is
// sent, and sees the rows that were played until then. It may be used from many goroutines.
type Live struct {
	mu      sync.Mutex
	clock   clock.Virtual // of the rows
	venue   *Venue
	day     int64
	started bool
	said    []engine.Input
	err     error
	wake    chan struct{} // of capacity 1
}

// NewLive is a venue for instruments in the order in which rows count them.
func NewLive(instruments []engine.Instrument, maxVolumeShareBps uint32) *Live {
	l := &Live{wake: make(chan struct{}, 1)}
	l.venue = New(&l.clock, instruments, Config{MaxVolumeShareBps: maxVolumeShareBps})
	return l
}

// Submit takes an order.
func (l *Live) Submit(approved gate.Approved) { l.arrive(func() { l.venue.Submit(approved) }) }

// Cancel takes a cancel.
func (l *Live) Cancel(cancel router.Cancel) { l.arrive(func() { l.venue.Cancel(cancel) }) }

// Row plays the next row.
func (l *Live) Row(row *market.Row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if day := Day(row); !l.started || day > l.day {
		l.clock.Set(day * NsPerDay)
		if l.started {
			l.say(l.venue.EndDay(l.clock.Now()), nil)
		}
		l.day, l.started = day, true
	}
	l.clock.Set(row.TransactTime)
	l.say(l.venue.Row(row))
}

// Run hands what the venue says to report, in order, until ctx ends, which is no error, or something
// fails.
func (l *Live) Run(ctx context.Context, report func(context.Context, []engine.Input) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-l.wake:
		}
		l.mu.Lock()
		said, err := l.said, l.err
		l.said = nil
		l.mu.Unlock()
		if err != nil {
			return err
		}
		if err := report(ctx, said); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

func (l *Live) arrive(send func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	send()
	l.say(l.venue.Arrive())
}

// say keeps reports for Run, which is woken.
func (l *Live) say(reports []engine.Input, err error) {
	l.said = append(l.said, reports...)
	if l.err == nil {
		l.err = err
	}
	if len(reports) == 0 && err == nil {
		return
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
