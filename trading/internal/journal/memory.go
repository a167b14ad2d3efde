// Package journal keeps every event in the order in which it was stamped. What it kept, replayed
// through the engine, gives the same state again.
package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrSequence says that events would leave a gap, repeat a sequence, or are asked for beyond the end.
var ErrSequence = errors.New("sequence out of order")

// Memory is a journal that dies with its process: for backtests. Readers may read while one writer
// appends.
type Memory struct {
	id     func() string
	mu     sync.RWMutex
	events [][]byte // the event of sequence s is at s-1
}

// NewMemory is an empty journal, whose first sequence is 1.
func NewMemory() *Memory {
	return &Memory{id: sync.OnceValue(func() string {
		var id journalID
		_, _ = rand.Read(id[:]) // never fails
		return id.String()
	})}
}

// ID tells this journal from every other one, in 32 hexadecimal digits.
func (m *Memory) ID() string { return m.id() }

// Append adds the events of firstSequence and after. They are copied.
func (m *Memory) Append(firstSequence uint64, events [][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := checkNext(firstSequence, uint64(len(m.events))); err != nil {
		return err
	}
	m.events = slices.Grow(m.events, len(events))
	copied := make([]byte, 0, totalSize(events)) // one allocation a batch
	for _, event := range events {
		start := len(copied)
		copied = append(copied, event...)
		m.events = append(m.events, copied[start:len(copied):len(copied)])
	}
	return nil
}

// ReadFrom calls read for each event from sequence on that was appended before the call, and stops
// at its first error. The event may not be changed.
func (m *Memory) ReadFrom(sequence uint64, read func(sequence uint64, event []byte) error) error {
	m.mu.RLock()
	events := m.events
	m.mu.RUnlock()
	if err := checkRead(sequence, uint64(len(events))); err != nil {
		return err
	}
	for i := sequence - 1; i < uint64(len(events)); i++ {
		if err := read(i+1, events[i]); err != nil {
			return err
		}
	}
	return nil
}

// LastSequence is that of the newest event, 0 when there is none.
func (m *Memory) LastSequence() uint64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return uint64(len(m.events))
}

// LatestSnapshot is none: there is nothing to recover from.
func (m *Memory) LatestSnapshot() (sequence uint64, state []byte, err error) { return 0, nil, nil }

// SnapshotBefore is none either: all events are there.
func (m *Memory) SnapshotBefore(uint64) (at uint64, state []byte, err error) { return 0, nil, nil }

// OldestSnapshot is none.
func (m *Memory) OldestSnapshot() uint64 { return 0 }

// Snapshot does nothing: a journal in memory is never opened again.
func (m *Memory) Snapshot(uint64, []byte) error { return nil }

// Close does nothing; a durable journal has files to close.
func (m *Memory) Close() error { return nil }

func checkNext(firstSequence, last uint64) error {
	if firstSequence != last+1 {
		return fmt.Errorf("append: first sequence must be %d, got %d: %w", last+1, firstSequence, ErrSequence)
	}
	return nil
}

// checkRead allows the sequence after the last one: there is nothing to read yet.
func checkRead(sequence, last uint64) error {
	if sequence == 0 || sequence > last+1 {
		return fmt.Errorf("read: sequence must be 1 to %d, got %d: %w", last+1, sequence, ErrSequence)
	}
	return nil
}

func totalSize(events [][]byte) int {
	total := 0
	for _, event := range events {
		total += len(event)
	}
	return total
}
