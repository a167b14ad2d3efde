package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Verified is what a journal holds that passed every check.
type Verified struct {
	ID            string // of the journal
	Segments      int
	Snapshots     int
	Records       int
	Epoch         uint64
	FirstSequence uint64 // that is not compacted away
	LastSequence  uint64 // below FirstSequence when there are no events
	Head          string // hash of the newest record: it stands for everything before
	Torn          *Corrupt
	Notes         []string
}

// Batch is one batch of events as it was acknowledged; its events are valid until the visit returns.
type Batch struct {
	Segment       string
	Offset        int64
	Epoch         uint64
	FirstSequence uint64
	Events        [][]byte
}

// Verify checks every byte of a journal that no process has open, and changes nothing. It calls visit,
// unless that is nil, for each batch, and stops at its first error.
func Verify(path string, visit func(Batch) error) (Verified, error) {
	disk, err := openDirectory(path, true)
	if err != nil {
		return Verified{}, err
	}
	verified, err := VerifyDisk(disk, visit)
	return verified, errors.Join(err, disk.Close())
}

// VerifyDisk is Verify on any disk.
func VerifyDisk(disk Disk, visit func(Batch) error) (Verified, error) {
	if err := disk.Lock(true); err != nil {
		return Verified{}, err
	}
	names, err := list(disk)
	if err != nil {
		return Verified{}, err
	}
	if len(names.segments) == 0 {
		return Verified{}, fmt.Errorf("journal: no segment: %w", fs.ErrNotExist)
	}
	state, err := scanAll(disk, names, visitBatches(visit))
	if err != nil {
		return Verified{}, err
	}
	return Verified{
		ID:            state.id.String(),
		Segments:      len(state.segments),
		Snapshots:     len(state.snapshots),
		Records:       state.records,
		Epoch:         state.epoch,
		FirstSequence: state.segments[0].firstSequence,
		LastSequence:  state.sequence,
		Head:          fmt.Sprintf("%x", state.hash),
		Torn:          state.torn,
		Notes:         state.notes,
	}, nil
}

func visitBatches(visit func(Batch) error) func(string, *record) error {
	if visit == nil {
		return nil
	}
	return func(segment string, r *record) error {
		if r.kind != typeEvents {
			return nil
		}
		batch := Batch{Segment: segment, Offset: r.offset, Epoch: r.epoch, FirstSequence: r.firstSequence}
		err := eachEvent(r.payload, r.n, func(_ int, event []byte) error {
			batch.Events = append(batch.Events, event)
			return nil
		})
		if err != nil {
			return err
		}
		return visit(batch)
	}
}

// SnapshotUpTo is the newest snapshot at or before a sequence, of a journal that no process has open;
// sequence 0 when there is none.
func SnapshotUpTo(path string, sequence uint64) (at uint64, state []byte, err error) {
	disk, err := openDirectory(path, true)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, disk.Close()) }()
	if err := disk.Lock(true); err != nil {
		return 0, nil, err
	}
	names, err := list(disk)
	if err != nil {
		return 0, nil, err
	}
	for _, name := range slices.Backward(names.snapshots) {
		s, state, err := readSnapshot(disk, name)
		if err != nil {
			return 0, nil, err
		}
		if s.sequence <= sequence {
			return s.sequence, state, nil
		}
	}
	return 0, nil, nil
}
