package market

import (
	"context"
	"math"
	"time"

	"aetherion/trading/internal/clock"
)

// Pacer maps the time of recorded rows to the machine's: so many recorded seconds a second, from the first
// row that it is asked about. Speed 0 is no pace at all.
type Pacer struct {
	clock   clock.Clock
	speed   float64
	started bool
	origin  int64 // of the recorded time
	start   int64 // of the machine's time
}

// NewPacer belongs to one goroutine.
func NewPacer(c clock.Clock, speed float64) *Pacer { return &Pacer{clock: c, speed: speed} }

// Wait returns when a row of that time is due, or with the error of the context.
func (p *Pacer) Wait(ctx context.Context, transactTime int64) error {
	wait := p.until(transactTime)
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Due is how many of the rows are due now.
func (p *Pacer) Due(rows []Row) int {
	if p.speed == 0 {
		return len(rows)
	}
	n := 0
	for n < len(rows) && p.until(rows[n].TransactTime) <= 0 {
		n++
	}
	return n
}

func (p *Pacer) until(transactTime int64) time.Duration {
	if p.speed == 0 {
		return 0
	}
	if !p.started {
		p.started, p.origin, p.start = true, transactTime, p.clock.Now()
	}
	wait := float64(transactTime-p.origin)/p.speed - float64(p.clock.Now()-p.start)
	return time.Duration(math.Ceil(min(wait, math.MaxInt64/2)))
}
