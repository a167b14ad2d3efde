package live

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/recovery"
)

const (
	// blockOfThePast is how many reports are handed over at once, and a little more: an event's stay together.
	blockOfThePast = 64
	// readersOfATurn is how many readers one replay serves: each holds what its client has not taken yet.
	readersOfATurn = 32
	// blocksAhead is how many blocks the fastest reader of a turn may be ahead of the slowest.
	blocksAhead = 4
	// pastPatience is how long the others of a turn wait for a reader; then it has to wait for the next turn.
	pastPatience = time.Second
)

// past replays the journal for those who read what is no longer in memory. One replay at a time, which needs an
// engine of its own, serves many of those who waited when it began: so memory does not grow with the readers.
type past struct {
	journal recovery.Past

	mu      sync.Mutex
	waiting []*turn
	running bool
	replays sync.WaitGroup
}

// turn is one reader's part in one replay.
type turn struct {
	from, to uint64
	gone     <-chan struct{} // closed when the reader has left
	blocks   chan block      // closed when the turn is over
	err      error           // why it is over, if not all was read; meant then
}

// block is what was reported of some events, and up to which. It is shared, and not to be changed.
type block struct {
	reports []*engine.ExecutionReport
	through uint64
}

// read waits for a turn and hands over the reports of all accounts from a sequence on. The turn may be over before
// the last of them.
func (p *past) read(ctx context.Context, from, to uint64, take func(reports []*engine.ExecutionReport, through uint64) error) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	mine := &turn{from: from, to: to, gone: ctx.Done(), blocks: make(chan block, blocksAhead)}
	p.join(mine)
	for {
		select {
		case next, more := <-mine.blocks:
			if !more {
				return mine.err
			}
			if err := take(next.reports, min(next.through, to)); err != nil || next.through >= to {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *past) join(t *turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting = append(p.waiting, t); !p.running {
		p.running = true
		p.replays.Go(p.run)
	}
}

// run replays for whoever waits, until nobody does.
func (p *past) run() {
	for {
		p.mu.Lock()
		group := slices.Clone(p.waiting[:min(len(p.waiting), readersOfATurn)])
		p.waiting, p.running = slices.Delete(p.waiting, 0, len(group)), len(group) > 0
		p.mu.Unlock()
		if len(group) == 0 {
			return
		}
		p.replay(group)
		runtime.GC() // The engine of the next replay takes the room of this one.
	}
}

// replay hands over what the slowest of its readers takes, block by block.
func (p *past) replay(group []*turn) {
	from, to := group[0].from, group[0].to
	for _, t := range group {
		from, to = min(from, t.from), max(to, t.to)
	}
	var next block
	err := recovery.Reports(p.journal, from, to, func(reports []*engine.ExecutionReport) bool {
		next.reports, next.through = append(next.reports, reports...), reports[0].Sequence
		if len(next.reports) >= blockOfThePast {
			group = hand(group, next)
			next = block{}
		}
		return len(group) > 0
	})
	if err == nil {
		next.through = to
		group = hand(group, next)
	}
	for _, t := range group {
		t.err = err
		close(t.blocks)
	}
}

// hand hands a block over and gives the readers that stay. One that takes nothing ends its turn, unless it is alone.
func hand(group []*turn, next block) []*turn {
	late, stop := context.WithTimeout(context.Background(), pastPatience)
	defer stop()
	patience := late.Done()
	if len(group) == 1 {
		patience = nil
	}
	return slices.DeleteFunc(group, func(t *turn) bool {
		stays := t.takes(next, patience)
		if !stays {
			close(t.blocks)
		}
		return !stays
	})
}

func (t *turn) takes(next block, late <-chan struct{}) bool {
	select {
	case <-t.gone:
		return false
	default:
	}
	if next.through < t.from {
		return true
	}
	select {
	case t.blocks <- next:
		return true
	default:
	}
	select {
	case t.blocks <- next:
		return true
	case <-t.gone:
	case <-late:
	}
	return false
}
