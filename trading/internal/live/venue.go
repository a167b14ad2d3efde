package live

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
	"aetherion/trading/internal/venue/replay"
)

const (
	nsPerDay = 24 * 60 * 60 * 1_000_000_000
	// markInterval bounds how old the marks of a valuation are, and how many the journal gets.
	markInterval = time.Second
)

// replayClock stands at the time of the last row that the venue has seen. Orders, fills and days of a
// replay belong to the recorded time.
type replayClock struct{ now atomic.Int64 }

func (c *replayClock) Now() int64 { return c.now.Load() }

func (c *replayClock) set(now int64) {
	if now > c.now.Load() {
		c.now.Store(now)
	}
}

// inbox takes orders and cancels from the sequencer without making it wait, and keeps their order.
type inbox struct {
	arrived chan struct{} // of capacity 1: something is there
	mu      sync.Mutex
	waiting []func(*replay.Venue)
}

func newInbox() *inbox { return &inbox{arrived: make(chan struct{}, 1)} }

// Submit is router.Venue's.
func (b *inbox) Submit(order gate.Approved) { b.put(func(v *replay.Venue) { v.Submit(order) }) }

// Cancel is router.Venue's.
func (b *inbox) Cancel(cancel router.Cancel) { b.put(func(v *replay.Venue) { v.Cancel(cancel) }) }

func (b *inbox) put(deliver func(*replay.Venue)) {
	b.mu.Lock()
	b.waiting = append(b.waiting, deliver)
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

func (b *inbox) take() []func(*replay.Venue) {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.waiting
	b.waiting = nil
	return waiting
}

// desk owns the simulated venue: orders reach it through the inbox, rows through apply, and what it
// says goes back to the sequencer.
type desk struct {
	venue   *replay.Venue
	clock   *replayClock
	sampler *sequencer.Sampler
	inbox   *inbox
	rows    chan rowsToApply
	report  func(ctx context.Context, inputs []engine.Input) error
	mark    func(ctx context.Context) error // values what is held at the newest prices

	started bool
	day     int64 // UTC day of the last row
	moved   bool  // rows came since the last mark
}

type rowsToApply struct {
	rows []market.Row
	done chan error // of capacity 1
}

// apply hands rows to the desk's goroutine and waits until they took effect.
func (d *desk) apply(ctx context.Context, rows []market.Row) error {
	request := rowsToApply{rows, make(chan error, 1)}
	select {
	case d.rows <- request:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-request.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run owns the venue until ctx ends.
func (d *desk) run(ctx context.Context) error {
	marks := time.NewTicker(markInterval)
	defer marks.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-marks.C:
			if err := d.markMoved(ctx); err != nil {
				return err
			}
		case <-d.inbox.arrived:
			if err := d.deliver(ctx, d.clock.Now()); err != nil {
				return err
			}
		case request := <-d.rows:
			err := d.applyRows(ctx, request.rows)
			request.done <- err
			if err != nil {
				return err
			}
		}
	}
}

func (d *desk) applyRows(ctx context.Context, rows []market.Row) error {
	for i := range rows {
		if err := d.applyRow(ctx, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *desk) markMoved(ctx context.Context) error {
	if !d.moved {
		return nil
	}
	d.moved = false
	return d.mark(ctx)
}

func (d *desk) applyRow(ctx context.Context, row *market.Row) error {
	if !d.started {
		d.started, d.day = true, row.Day()
	}
	// What arrives at the time of a row sees the row first.
	if err := d.deliver(ctx, row.TransactTime-1); err != nil {
		return err
	}
	if day := row.Day(); day > d.day {
		d.day = day
		if err := d.endDay(ctx, day*nsPerDay); err != nil {
			return err
		}
	}
	d.moved = true
	d.clock.set(row.TransactTime)
	d.sampler.Observe(row)
	reports, err := d.venue.Row(row)
	if err != nil {
		return err
	}
	return d.report(ctx, reports)
}

// endDay ends orders that were for the day, and values what is held at the day's last prices.
func (d *desk) endDay(ctx context.Context, midnight int64) error {
	d.clock.set(midnight)
	if err := d.report(ctx, d.venue.EndDay(midnight)); err != nil {
		return err
	}
	return d.markMoved(ctx)
}

// deliver sends off what is in the inbox, and lets everything arrive that does so until then.
func (d *desk) deliver(ctx context.Context, until int64) error {
	for _, send := range d.inbox.take() {
		send(d.venue)
	}
	for {
		at, any := d.venue.NextArrival()
		if !any || at > max(until, d.clock.Now()) {
			return nil
		}
		d.clock.set(at)
		reports, err := d.venue.Arrive()
		if err != nil {
			return err
		}
		if err := d.report(ctx, reports); err != nil {
			return err
		}
	}
}
