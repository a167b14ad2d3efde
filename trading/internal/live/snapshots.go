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
	// snapshotSaves bounds for how long it does, in intervals of the next.
	snapshotSaves = 600
	// saveInterval is how often the gate asks for the memory when something happened, and events are counted.
	saveInterval = time.Second
	// openOrdersPerEvent bounds how many open orders are copied for each event between two memories.
	openOrdersPerEvent = 4
)

// snapshots keeps the state in the journal now and then, so that a start is quick and what came before
// can be dropped.
type snapshots struct {
	journal Journal
	gate    *gate.Gate
	events  uint64 // after which the next is taken
	last    uint64 // sequence of the newest
	saves   int    // since that one
	saved   uint64 // sequence of the last memory that was asked for
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
	ticker := time.NewTicker(saveInterval)
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

// begin asks for the memory when something happened, and keeps the state of the same sequence when it is
// time. It runs where the engine may be read.
func (s *snapshots) begin(e *engine.Engine) *taking {
	// What is saved is copied while orders wait: a large state is saved less often, for the same share of the time.
	if news := e.Sequence() - s.saved; news == 0 || news < uint64(e.OpenOrders()/openOrdersPerEvent) {
		return nil
	}
	s.saved = e.Sequence()
	s.saves++
	next := &taking{sequence: s.saved, memory: s.gate.Save()}
	if next.sequence < s.last+s.events && s.saves < snapshotSaves {
		return nil
	}
	_ = e.WriteState(&next.state) // a buffer takes every write
	return next
}

func (s *snapshots) keep(next *taking, memory *engine.PretradeMemory) {
	if memory == nil {
		return
	}
	if err := s.journal.Snapshot(next.sequence, recovery.EncodeSnapshot(next.state.Bytes(), memory)); err != nil {
		slog.Error("no snapshot was kept", "sequence", next.sequence, "error", err)
	}
	s.last, s.saves = next.sequence, 0
}
