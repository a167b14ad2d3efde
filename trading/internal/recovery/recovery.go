// Package recovery brings an engine to where its journal ends, and shows what a journal holds.
package recovery

import (
	"fmt"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
)

// Kept is a journal to recover from.
type Kept interface {
	// LatestSnapshot is the newest state kept; sequence 0 when there is none.
	LatestSnapshot() (sequence uint64, state []byte, err error)
	// ReadFrom calls read for each event from sequence on.
	ReadFrom(sequence uint64, read func(sequence uint64, event []byte) error) error
}

// Follower hears what a recovery goes through, in the order of the journal.
type Follower interface {
	// Restored is told the state that the events come after, and what the Risk Service remembered with it;
	// nil: nothing.
	Restored(e *engine.Engine, memory *engine.PretradeMemory)
	// Comes is told each event before it is applied to e.
	Comes(e *engine.Engine, event *engine.Event)
	// Follows is told what followed from it; effects are meant until it returns.
	Follows(effects *engine.Effects)
}

// Recover is the engine after the last event of a journal, and the sequence of the newest snapshot, 0
// when there is none. Reports of the events before that snapshot are gone with them.
func Recover(kept Kept, follower Follower) (snapshot uint64, e *engine.Engine, err error) {
	snapshot, state, err := kept.LatestSnapshot()
	if err != nil {
		return 0, nil, err
	}
	e, memory, err := restored(snapshot, state)
	if err != nil {
		return 0, nil, err
	}
	follower.Restored(e, memory)
	var effects engine.Effects
	err = kept.ReadFrom(snapshot+1, func(_ uint64, event []byte) error {
		effects.Reset()
		if err := apply(e, event, follower.Comes, &effects); err != nil {
			return err
		}
		follower.Follows(&effects)
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	return snapshot, e, nil
}

// InDoubt are the orders that the last process sent, or was about to send, and of which no venue has said
// anything: nobody knows whether their venue has them. To be processed before anything is sent. Settled says what
// will tell.
func InDoubt(e *engine.Engine, settled string) []engine.Input {
	var doubts []engine.Input
	for _, id := range e.Unanswered() {
		doubts = append(doubts, &engine.OrderInDoubt{OrderID: id, Text: "the process ended before the venue answered; " + settled})
	}
	return doubts
}

// restored is the engine of a snapshot and the memory beside it, or a new one without a snapshot.
func restored(sequence uint64, state []byte) (*engine.Engine, *engine.PretradeMemory, error) {
	if sequence == 0 {
		return engine.New(), nil, nil
	}
	e, memory, err := decodeSnapshot(state)
	if err != nil {
		return nil, nil, fmt.Errorf("snapshot %d: %w", sequence, err)
	}
	if e.Sequence() != sequence {
		return nil, nil, fmt.Errorf("snapshot %d: holds the state after sequence %d", sequence, e.Sequence())
	}
	return e, memory, nil
}

// apply takes an encoded event; comes, unless it is nil, is told it before.
func apply(e *engine.Engine, encoded []byte, comes func(*engine.Engine, *engine.Event), effects *engine.Effects) error {
	event, err := journal.Decode(encoded)
	if err != nil {
		return fmt.Errorf("after sequence %d: %w", e.Sequence(), err)
	}
	if comes != nil {
		comes(e, &event)
	}
	if err := e.Apply(event, effects); err != nil {
		return fmt.Errorf("sequence %d: the journal's event does not apply: %w", event.Sequence, err)
	}
	return nil
}

// StateAt is the engine after the event of a sequence, of a journal that no process has open. Sequence
// 0 is the last one.
func StateAt(path string, sequence uint64) (*engine.Engine, error) {
	verified, err := journal.Verify(path, nil)
	if err != nil {
		return nil, err
	}
	if sequence == 0 {
		sequence = verified.LastSequence
	}
	if sequence > verified.LastSequence {
		return nil, fmt.Errorf("sequence: must be at most %d, the last one, got %d", verified.LastSequence, sequence)
	}
	from, state, err := journal.SnapshotUpTo(path, sequence)
	if err != nil {
		return nil, err
	}
	if from == 0 && verified.FirstSequence > 1 {
		return nil, fmt.Errorf("sequence: must be at least that of the oldest snapshot, what is before %d was compacted, got %d",
			verified.FirstSequence, sequence)
	}
	e, _, err := restored(from, state)
	if err != nil {
		return nil, err
	}
	var effects engine.Effects
	_, err = journal.Verify(path, func(batch journal.Batch) error {
		for i, event := range batch.Events {
			at := batch.FirstSequence + uint64(i)
			if at <= from || at > sequence {
				continue
			}
			effects.Reset()
			if err := apply(e, event, nil, &effects); err != nil {
				return err
			}
		}
		return nil
	})
	return e, err
}
