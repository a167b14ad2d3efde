package live

import (
	"bytes"
	"context"
	"log/slog"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/sequencer"
)

const (
	// snapshotEvents bounds how many events the next start replays: it takes a second a million.
	snapshotEvents = 1_000_000
	// snapshotCheck is how often they are counted.
	snapshotCheck = 10 * time.Second
)

// snapshots keeps the state in the journal now and then, so that a start is quick and what came before
// can be dropped.
type snapshots struct {
	journal Journal
	last    uint64 // sequence of the newest
}

// run takes one whenever enough events have come, until ctx ends. A snapshot that cannot be kept is
// logged: the journal itself is whole without it.
func (s *snapshots) run(ctx context.Context, live *sequencer.Live) error {
	ticker := time.NewTicker(snapshotCheck)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		var sequence uint64
		var state bytes.Buffer
		err := live.Query(ctx, func(e *engine.Engine) {
			if e.Sequence() < s.last+snapshotEvents {
				return
			}
			sequence = e.Sequence()
			_ = e.WriteState(&state) // a buffer takes every write
		})
		if err != nil {
			return err
		}
		if sequence == 0 {
			continue
		}
		if err := s.journal.Snapshot(sequence, state.Bytes()); err != nil {
			slog.Error("no snapshot was kept", "sequence", sequence, "error", err)
		}
		s.last = sequence
	}
}
