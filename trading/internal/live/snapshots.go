package live

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/recovery"
	"aetherion/trading/internal/sequencer"
)

const (
	// snapshotEvents bounds how many events the next start replays, and tells the Risk Service again.
	snapshotEvents = 250_000
	// snapshotInterval is how often events are counted, and snapshotIntervals how many of them pass at most until
	// the next snapshot, when something happened.
	snapshotInterval  = time.Second
	snapshotIntervals = 600
)

// snapshots keeps the state in the journal now and then, so that a start is quick and what came before
// can be dropped.
type snapshots struct {
	journal Journal
	gate    *gate.Gate
	events  uint64 // after which the next is taken
	last    uint64 // sequence of the newest
	waited  int    // intervals since that one
	size    int    // of the newest, in bytes
}

// taking is a snapshot that waits for what the Risk Service remembers.
type taking struct {
	sequence uint64
	memory   <-chan *engine.PretradeMemory
	state    bytes.Buffer
}

// run takes one whenever enough events have come or enough time has passed, until ctx ends. There is none
// while the Risk Service does not say what it remembers: a start from it would clear every latch. One that
// cannot be kept is logged: the journal itself is whole without it.
func (s *snapshots) run(ctx context.Context, live *sequencer.Live) error {
	ticker := time.NewTicker(snapshotInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var next *taking
		if err := live.Query(ctx, func(e *engine.Engine) { next = s.begin(e) }); err != nil {
			return err
		}
		if next == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case memory := <-next.memory:
			s.keep(next, memory)
		}
	}
}

// begin takes the state, when it is time, and asks for the memory of the same sequence. It runs where the
// engine may be read.
func (s *snapshots) begin(e *engine.Engine) *taking {
	s.waited++
	next := &taking{sequence: e.Sequence()}
	due := next.sequence >= s.last+s.events || s.waited >= snapshotIntervals && next.sequence > s.last
	if !due || !s.gate.Status().Available {
		return nil
	}
	next.memory = s.gate.Save()
	next.state.Grow(s.size + s.size/4) // Orders wait meanwhile: it is not to be copied as it grows.
	_ = e.WriteState(&next.state)      // a buffer takes every write
	s.size = next.state.Len()
	return next
}

func (s *snapshots) keep(next *taking, memory *engine.PretradeMemory) {
	if memory == nil {
		return
	}
	if err := s.journal.Snapshot(next.sequence, recovery.EncodeSnapshot(next.state.Bytes(), memory)); err != nil {
		slog.Error("no snapshot was kept", "sequence", next.sequence, "error", err)
	}
	s.last, s.waited = next.sequence, 0
}
