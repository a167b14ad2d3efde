// Package clock is the only one that reads the time. Everything else is handed a Clock, or times.
package clock

import (
	"time"

	"aetherion/trading/internal/failpoint"
)

// Clock tells the time in ns since the Unix epoch, UTC.
type Clock interface {
	Now() int64
}

// System is the machine's clock.
type System struct{}

// Now reads the machine's clock.
func (System) Now() int64 { return time.Now().UnixNano() + failpoint.ClockStep() }

// Virtual is the clock of a simulation: it stands still until it is set. It belongs to one goroutine.
type Virtual struct{ now int64 }

// Now is the time last set.
func (v *Virtual) Now() int64 { return v.now }

// Set moves the clock; it never runs back.
func (v *Virtual) Set(now int64) { v.now = max(v.now, now) }
