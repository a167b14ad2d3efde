package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sort"
)

// ReadFrom calls read for each event from sequence on that was durable before the call, and stops at
// its first error. The event is valid until read returns. Events that were compacted away are
// ErrCompacted. It may be called beside Append.
func (f *File) ReadFrom(sequence uint64, read func(sequence uint64, event []byte) error) error {
	return f.eachRecord(f.visible(), sequence, func(r *record) error {
		return eachEvent(r.payload, r.n, func(i int, event []byte) error {
			if at := r.firstSequence + uint64(i); at >= sequence {
				return read(at, event)
			}
			return nil
		})
	})
}

// eachRecord calls visit for each batch that holds events of sequence or after, until it says enough.
func (f *File) eachRecord(visible visible, sequence uint64, visit func(*record) error) error {
	if err := checkRead(sequence, visible.last); err != nil {
		return err
	}
	segments := visible.segments
	if first := segments[0].firstSequence; sequence < first {
		return fmt.Errorf("read: sequence must be at least %d, got %d: %w", first, sequence, ErrCompacted)
	}
	// The last segment that starts at or before the sequence.
	from := sort.Search(len(segments), func(i int) bool { return segments[i].firstSequence > sequence }) - 1
	for i := from; i < len(segments); i++ {
		end := int64(-1)
		if i == len(segments)-1 {
			end = visible.end
		}
		err := f.eachRecordOf(segments[i].name(), end, sequence, visit)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *File) eachRecordOf(name string, end int64, sequence uint64, visit func(*record) error) (err error) {
	handle, err := f.disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read: %s was removed meanwhile: %w", name, ErrCompacted)
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer func() {
		if closed := handle.Close(); err == nil {
			err = closed
		}
	}()
	if end < 0 {
		if end, err = handle.Size(); err != nil {
			return fmt.Errorf("journal: %s: %w", name, err)
		}
	}
	s := newScanner(name, handle, end)
	for {
		r, err := s.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.kind != typeEvents || r.lastSequence() < sequence {
			continue
		}
		if err := visit(&r); err != nil {
			return err
		}
	}
}
