package live

import (
	"context"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/sequencer"
)

// markInterval bounds how old the marks of a valuation are, and how many the journal gets.
const markInterval = time.Second

// desk owns a simulated venue and its market.
type desk interface {
	// connect comes before run.
	connect(core core)
	// run owns the venue until ctx ends.
	run(ctx context.Context) error
}

// core is what a desk tells the session.
type core struct {
	sampler *sequencer.Sampler
	report  func(ctx context.Context, inputs []engine.Input) error
	query   func(ctx context.Context, read func(*engine.Engine)) error
	mark    func(ctx context.Context) error // values what is held at the newest prices
	moved   bool                            // rows came since the last mark
}

func (c *core) connect(to core) { *c = to }

func (c *core) markMoved(ctx context.Context) error {
	if !c.moved {
		return nil
	}
	c.moved = false
	return c.mark(ctx)
}
