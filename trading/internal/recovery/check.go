package recovery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

var errStopped = errors.New("stopped")

// Check replays the events between the last two snapshots, and says whether they lead to the state that the newest
// one holds. If they do not, this program does not do what the one did that took it (or a snapshot is not what it was):
// what it makes of the events since cannot be trusted either. Where there is nothing to compare, or ctx ends, it is silent.
func Check(ctx context.Context, kept Past) error {
	newest, encoded, err := kept.LatestSnapshot()
	if err != nil || newest == 0 {
		return err
	}
	_, state, err := splitSnapshot(encoded)
	if err != nil {
		return fmt.Errorf("snapshot %d: %w", newest, err)
	}
	at, before, err := kept.SnapshotBefore(newest)
	if err != nil {
		return err
	}
	e, _, err := restored(at, before)
	if err != nil {
		return nil // Written in another version; nobody starts from it.
	}
	var effects engine.Effects
	err = kept.ReadFrom(at+1, func(sequence uint64, event []byte) error {
		effects.Reset()
		switch {
		case ctx.Err() != nil:
			return errStopped
		case sequence > newest:
			return errReached
		}
		return apply(e, event, nil, &effects)
	})
	switch {
	case errors.Is(err, journal.ErrCompacted), errors.Is(err, errStopped):
		return nil
	case err != nil && !errors.Is(err, errReached):
		return err
	}
	if want, got := sha256.Sum256(state), e.StateHash(); got != want {
		return fmt.Errorf("state_hash: the events from %d to %d must lead to the state of the snapshot %d, %x, but lead to %x; "+
			"start with the program that took it, or remove the snapshot of %d to take the newest one as it is",
			at+1, newest, newest, want, got, at)
	}
	return nil
}
