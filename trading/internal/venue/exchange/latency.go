package exchange

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// Latency is how long a message travels: Median times a log-normal factor, or one of Observed. The zero
// value is none. Messages of one direction do not overtake each other.
type Latency struct {
	Median   time.Duration
	Sigma    float64         // of the logarithm; 0: always the median
	Observed []time.Duration // drawn from with equal probability; instead of Median
}

const (
	maxSigma   = 4
	maxLatency = time.Hour
)

func (l *Latency) check(field string) error {
	for _, d := range append([]time.Duration{l.Median}, l.Observed...) {
		if d < 0 || d > maxLatency {
			return fmt.Errorf("%s: must be 0 to %s, got %s", field, maxLatency, d)
		}
	}
	if !(l.Sigma >= 0 && l.Sigma <= maxSigma) {
		return fmt.Errorf("%s: sigma must be 0 to %d, got %v", field, maxSigma, l.Sigma)
	}
	if len(l.Observed) > 0 && (l.Median != 0 || l.Sigma != 0) {
		return fmt.Errorf("%s: must have a median or observed values, got both", field)
	}
	return nil
}

func (l *Latency) sample(random *rand.Rand) int64 {
	switch {
	case len(l.Observed) > 0:
		return int64(l.Observed[random.IntN(len(l.Observed))])
	case l.Sigma > 0:
		factor := math.Exp(l.Sigma * random.NormFloat64())
		return int64(min(float64(l.Median)*factor, float64(maxLatency)))
	}
	return int64(l.Median)
}

// queue holds what is on its way, first in, first out.
type queue[T any] struct {
	waiting []dated[T]
	head    int
}

type dated[T any] struct {
	at   int64
	what T
}

// push puts something behind all that waits; it never comes out before that.
func (q *queue[T]) push(at int64, what T) {
	if n := len(q.waiting); n > q.head {
		at = max(at, q.waiting[n-1].at)
	}
	q.waiting = append(q.waiting, dated[T]{at, what})
}

func (q *queue[T]) next() (at int64, ok bool) {
	if q.head == len(q.waiting) {
		return 0, false
	}
	return q.waiting[q.head].at, true
}

func (q *queue[T]) pop() T {
	what := q.waiting[q.head].what
	q.waiting[q.head] = dated[T]{}
	q.head++
	if 2*q.head >= len(q.waiting) { // Each is moved once at most, in the mean.
		q.waiting, q.head = append(q.waiting[:0], q.waiting[q.head:]...), 0
	}
	return what
}
