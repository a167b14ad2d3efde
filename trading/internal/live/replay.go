package live

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/replay"
)

const nsPerDay = 24 * 60 * 60 * 1_000_000_000

// openReplay reads the first row after what the journal has seen, whose time is when the session begins.
func (s *Session) openReplay(config Config, dataset *market.Dataset, now *replayClock, inbox *inbox, seen int64) error {
	var window market.Window
	if seen > 0 {
		window.StartTime = seen + 1
	}
	reader, err := dataset.Read(window)
	if err != nil {
		return err
	}
	first := make([]market.Row, 1)
	n, err := reader.Next(first)
	if err != nil && !errors.Is(err, io.EOF) {
		return errors.Join(err, reader.Close())
	}
	first = first[:n]
	for i := range first {
		now.set(begin(&first[i]))
	}
	s.reader, s.Replay, s.Instruments = reader, market.NewReplay(), slices.Clone(dataset.Instruments)
	venue := replay.New(now, s.Instruments, replay.Config{
		MaxVolumeShareBps: config.MaxVolumeShareBps, OrderLatency: config.OrderLatency.Nanoseconds(), Since: seen,
	})
	inbox.has = venue.Capabilities()
	s.desk = &replayDesk{
		venue: venue, clock: now, inbox: inbox, market: s.Replay, source: &peeked{first: first, rest: reader}, speed: config.Speed,
		rows: make(chan rowsToApply),
	}
	return nil
}

// begin is before what a row tells.
func begin(row *market.Row) int64 {
	if row.Kind == market.Bar {
		return row.OpenTime
	}
	return row.TransactTime
}

// replayClock stands at the time of the last row that the venue has seen. Orders, fills and days of a
// replay belong to the recorded time.
type replayClock struct{ now atomic.Int64 }

func (c *replayClock) Now() int64 { return c.now.Load() }

func (c *replayClock) set(now int64) {
	if now > c.now.Load() {
		c.now.Store(now)
	}
}

// replayDesk owns a venue that fills from recorded rows: orders reach it through the inbox, rows through
// apply, and what it says goes back to the sequencer.
type replayDesk struct {
	core
	venue  *replay.Venue
	clock  *replayClock
	inbox  *inbox
	market *market.Replay
	source market.Source
	speed  float64
	rows   chan rowsToApply

	started bool
	day     int64 // UTC day of the last row
}

type rowsToApply struct {
	rows []market.Row
	done chan error // of capacity 1
}

// apply hands rows to the desk's goroutine and waits until they took effect.
func (d *replayDesk) apply(ctx context.Context, rows []market.Row) error {
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

func (d *replayDesk) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.trade(ctx) })
	group.Go(func() error {
		d.play(ctx)
		return nil
	})
	return group.Wait()
}

// play ends with the data. A fault in the data ends the market, not the service.
func (d *replayDesk) play(ctx context.Context) {
	apply := func(rows []market.Row) error { return d.apply(ctx, rows) }
	err := d.market.Run(ctx, d.source, market.NewPacer(clock.System{}, d.speed), apply)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		slog.Error("replay ended", "error", err)
	default:
		slog.Info("replay ended", "reason", "end of data")
	}
}

// trade owns the venue until ctx ends.
func (d *replayDesk) trade(ctx context.Context) error {
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

func (d *replayDesk) applyRows(ctx context.Context, rows []market.Row) error {
	for i := range rows {
		if err := d.applyRow(ctx, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *replayDesk) applyRow(ctx context.Context, row *market.Row) error {
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
	reports, err := d.venue.Row(row)
	if err != nil {
		return err
	}
	// What the row fills comes before what it triggers.
	return d.report(ctx, append(reports, d.sampler.Observe(row)...))
}

// endDay ends orders that were for the day, and values what is held at the day's last prices.
func (d *replayDesk) endDay(ctx context.Context, midnight int64) error {
	d.clock.set(midnight)
	if err := d.report(ctx, d.venue.EndDay(midnight)); err != nil {
		return err
	}
	return d.markMoved(ctx)
}

// deliver sends off what is in the inbox, and lets everything arrive that does so until then.
func (d *replayDesk) deliver(ctx context.Context, until int64) error {
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

// peeked gives rows that were read before, and then the rest.
type peeked struct {
	first []market.Row
	rest  market.Source
}

func (p *peeked) Next(rows []market.Row) (int, error) {
	if n := copy(rows, p.first); n > 0 {
		p.first = p.first[n:]
		return n, nil
	}
	return p.rest.Next(rows)
}
