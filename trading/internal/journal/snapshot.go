package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
)

// A snapshot is the state after one event, anchored to the chain of records by the hash of the record
// that holds the event:
//
//	 0 magic       u32
//	 4 version     u32
//	 8 journal id  16 B
//	24 sequence    u64
//	32 index       u64  of the record
//	40 hash        32 B SHA-256 of the record
//	72 length      u64  of the state
//	80 state_crc   u32  CRC32C of the state
//	84 header_crc  u32  CRC32C of the 84 bytes before
//	88 state
const (
	snapshotMagic   = 0x534A4541 // "AEJS"
	snapshotVersion = 1
	snapshotHeader  = 88
	snapshotSummed  = snapshotHeader - 4
	// snapshotsKept is how many stay, with the records after the oldest of them.
	snapshotsKept = 2
)

// snapshot is one, without its state.
type snapshot struct {
	id       journalID
	sequence uint64
	index    uint64
	hash     hash
}

func (s *snapshot) name() string { return fmt.Sprintf("%020d%s", s.sequence, snapshotSuffix) }

func (s *snapshot) put(b []byte, state []byte) {
	le := binary.LittleEndian
	le.PutUint32(b[0:], snapshotMagic)
	le.PutUint32(b[4:], snapshotVersion)
	copy(b[8:], s.id[:])
	le.PutUint64(b[24:], s.sequence)
	le.PutUint64(b[32:], s.index)
	copy(b[40:], s.hash[:])
	le.PutUint64(b[72:], uint64(len(state)))
	le.PutUint32(b[80:], checksum(state))
	le.PutUint32(b[84:], checksum(b[:snapshotSummed]))
}

func writeSnapshot(disk Disk, s snapshot, state []byte) error {
	return writeWhole(disk, s.name(), func(w io.WriterAt) error {
		var head [snapshotHeader]byte
		s.put(head[:], state)
		if _, err := w.WriteAt(head[:], 0); err != nil {
			return err
		}
		_, err := w.WriteAt(state, snapshotHeader)
		return err
	})
}

// readSnapshot reads a snapshot and its state.
func readSnapshot(disk Disk, name string) (snapshot, []byte, error) {
	file, err := readWhole(disk, name)
	if err != nil {
		return snapshot{}, nil, err
	}
	s, state, err := parseSnapshot(file)
	if err != nil {
		return snapshot{}, nil, &Corrupt{name, 0, err.Error()}
	}
	if s.name() != name {
		return snapshot{}, nil, &Corrupt{name, 0, "the file is that of " + s.name()}
	}
	return s, state, nil
}

func parseSnapshot(file []byte) (snapshot, []byte, error) {
	le := binary.LittleEndian
	if len(file) < snapshotHeader {
		return snapshot{}, nil, fmt.Errorf("size: must be at least %d, got %d", snapshotHeader, len(file))
	}
	if got := le.Uint32(file); got != snapshotMagic {
		return snapshot{}, nil, fmt.Errorf("magic: must be %08x, got %08x", snapshotMagic, got)
	}
	if got, want := le.Uint32(file[84:]), checksum(file[:snapshotSummed]); got != want {
		return snapshot{}, nil, fmt.Errorf("header_crc: must be %08x, got %08x", want, got)
	}
	if got := le.Uint32(file[4:]); got != snapshotVersion {
		return snapshot{}, nil, fmt.Errorf("version: must be %d, got %d", snapshotVersion, got)
	}
	state := file[snapshotHeader:]
	if got := le.Uint64(file[72:]); got != uint64(len(state)) {
		return snapshot{}, nil, fmt.Errorf("length: must be %d, got %d", len(state), got)
	}
	if got, want := le.Uint32(file[80:]), checksum(state); got != want {
		return snapshot{}, nil, fmt.Errorf("state_crc: must be %08x, got %08x", want, got)
	}
	s := snapshot{journalID(file[8:24]), le.Uint64(file[24:]), le.Uint64(file[32:]), hash(file[40:72])}
	return s, state, nil
}

// Snapshot keeps the state after the event of this sequence, then removes what no kept snapshot needs.
// It may be called beside Append. When it fails, no more snapshots are taken until the journal is opened
// again; appends go on, for none of them depends on it.
func (f *File) Snapshot(sequence uint64, state []byte) error {
	f.compacting.Lock()
	defer f.compacting.Unlock()
	visible := f.visible()
	if err := errors.Join(visible.failed, f.snapshotFailed); err != nil {
		return err
	}
	if n := len(f.snapshots); n > 0 && sequence <= f.snapshots[n-1].sequence {
		return fmt.Errorf("snapshot: sequence must be above %d, got %d: %w", f.snapshots[n-1].sequence, sequence, ErrSequence)
	}
	anchored, err := f.anchor(visible, sequence)
	if err != nil {
		return err
	}
	if err := writeSnapshot(f.disk, anchored, state); err != nil {
		f.snapshotFailed = fmt.Errorf("snapshot %d: %w", sequence, err)
		return f.snapshotFailed
	}
	f.snapshots = append(f.snapshots, anchored)
	if err := f.compact(visible.segments); err != nil {
		f.snapshotFailed = fmt.Errorf("compact after snapshot %d: %w", sequence, err)
	}
	return f.snapshotFailed
}

// anchor finds the record that holds the sequence.
func (f *File) anchor(visible visible, sequence uint64) (snapshot, error) {
	found := snapshot{id: f.id, sequence: sequence}
	err := f.eachRecord(visible, sequence, func(r *record) error {
		found.index, found.hash = r.index, hashOf(r.raw)
		return errEnough
	})
	if err == nil && found.index == 0 {
		err = fmt.Errorf("snapshot: sequence must be 1 to %d, got %d: %w", visible.last, sequence, ErrSequence)
	}
	return found, err
}

// compact removes old snapshots, then the segments that end before the oldest one kept. Each removal
// is durable before the next, so that no gap can appear.
func (f *File) compact(segments []segment) error {
	for len(f.snapshots) > snapshotsKept {
		if err := f.remove(f.snapshots[0].name()); err != nil {
			return err
		}
		f.snapshots = slices.Delete(f.snapshots, 0, 1)
	}
	if len(f.snapshots) < snapshotsKept {
		return nil // Who has heard a little less than the first still finds it.
	}
	for len(segments) > 1 && segments[1].index <= f.snapshots[0].index {
		name := segments[0].name()
		segments = segments[1:]
		f.mu.Lock()
		f.seen.segments = f.seen.segments[1:]
		f.mu.Unlock()
		if err := f.remove(name); err != nil {
			return err
		}
	}
	return nil
}

func (f *File) remove(name string) error {
	if err := f.disk.Remove(name); err != nil {
		return err
	}
	return f.disk.SyncNames()
}

// LatestSnapshot is the newest state kept, and the sequence of the event that it is the state after;
// 0 when there is none.
func (f *File) LatestSnapshot() (sequence uint64, state []byte, err error) {
	return f.SnapshotBefore(math.MaxUint64)
}

// SnapshotBefore is the newest state kept of an event before a sequence; 0 when there is none.
func (f *File) SnapshotBefore(sequence uint64) (at uint64, state []byte, err error) {
	f.compacting.Lock()
	defer f.compacting.Unlock()
	for _, kept := range slices.Backward(f.snapshots) {
		if kept.sequence < sequence {
			_, state, err = readSnapshot(f.disk, kept.name())
			return kept.sequence, state, err
		}
	}
	return 0, nil, nil
}

// OldestSnapshot is the sequence of the oldest state kept; 0 when there is none.
func (f *File) OldestSnapshot() uint64 {
	f.compacting.Lock()
	defer f.compacting.Unlock()
	if len(f.snapshots) == 0 {
		return 0
	}
	return f.snapshots[0].sequence
}
