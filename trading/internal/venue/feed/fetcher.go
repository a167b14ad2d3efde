package feed

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// fetchTimeout bounds one request of a snapshot.
const fetchTimeout = 30 * time.Second

// maxRetryAfter bounds what a venue may tell us to wait: bans last three days at most.
const maxRetryAfter = 72 * time.Hour

// Counts is what happened to a client. Anybody may read it.
type Counts struct {
	Connections, Messages, Malformed, Gaps, Silences, Snapshots, BadSnapshots atomic.Int64
}

type request struct {
	instrument uint32
	epoch      uint64
	url        string
}

type answer struct {
	request
	body []byte
	err  error
}

// fetcher asks for snapshots one at a time, and never more often than allowed.
type fetcher struct {
	every    time.Duration
	epoch    atomic.Uint64 // of the connection; requests of earlier ones are dropped
	requests chan request
	answers  chan answer
}

func newFetcher(every time.Duration, instruments int) *fetcher {
	// Each connection asks once an instrument at a time; of the one before, as many may still be queued.
	return &fetcher{every: every, requests: make(chan request, 2*instruments), answers: make(chan answer, 2*instruments)}
}

// ask never blocks the books' loop: where the queue is full of requests that nobody needs, the oldest gives way.
func (f *fetcher) ask(r request) {
	for {
		select {
		case f.requests <- r:
			return
		default:
		}
		select {
		case <-f.requests:
		default:
		}
	}
}

func (f *fetcher) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r := <-f.requests:
			if r.epoch != f.epoch.Load() {
				continue
			}
			a, wait := fetch(ctx, r)
			select {
			case f.answers <- a:
			case <-ctx.Done():
				return ctx.Err()
			}
			if !sleep(ctx, max(wait, f.every)) {
				return ctx.Err()
			}
		}
	}
}

// fetch asks once. The wait is what the venue demands when it throttles (429) or bans (418).
func fetch(ctx context.Context, r request) (a answer, wait time.Duration) {
	a.request = r
	ctx, done := context.WithTimeout(ctx, fetchTimeout)
	defer done()
	asked, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		a.err = err
		return a, 0
	}
	got, err := http.DefaultClient.Do(asked)
	if err != nil {
		a.err = err
		return a, 0
	}
	defer func() { _ = got.Body.Close() }()
	if got.StatusCode != http.StatusOK {
		a.err = fmt.Errorf("snapshot: must be answered with 200, got %d", got.StatusCode)
		return a, retryAfter(got.Header.Get("Retry-After"))
	}
	if a.body, a.err = io.ReadAll(io.LimitReader(got.Body, maxFrame+1)); a.err == nil && len(a.body) > maxFrame {
		a.err = fmt.Errorf("snapshot: must be at most %d bytes", maxFrame)
	}
	return a, 0
}

func retryAfter(text string) time.Duration {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(min(seconds, 1<<20))*time.Second, maxRetryAfter)
}
