package recovery

import (
	"errors"
	"fmt"

	"aetherion/trading/internal/engine"
)

// Past is a journal whose events can be read again while it goes on.
type Past interface {
	Kept
	// SnapshotBefore is the newest state kept of an event before a sequence; 0 when there is none.
	SnapshotBefore(sequence uint64) (at uint64, state []byte, err error)
}

var errReached = errors.New("reached")

// Reports gives the execution reports of the events from a sequence up to another again, an event at a
// time, until report says no.
func Reports(kept Past, from, to uint64, report func([]*engine.ExecutionReport) bool) error {
	at, state, err := kept.SnapshotBefore(from)
	if err != nil {
		return err
	}
	e, _, err := restored(at, state)
	if err != nil {
		return err
	}
	var effects engine.Effects
	err = kept.ReadFrom(at+1, func(sequence uint64, event []byte) error {
		effects.Reset()
		if err := apply(e, event, nil, &effects); err != nil {
			return err
		}
		if sequence >= from && len(effects.Reports) > 0 && !report(effects.Reports) || sequence >= to {
			return errReached
		}
		return nil
	})
	if err != nil && !errors.Is(err, errReached) {
		return fmt.Errorf("reports from sequence %d on: %w", from, err)
	}
	return nil
}
