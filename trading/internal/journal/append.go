package journal

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"aetherion/trading/internal/failpoint"
)

// Append makes the events of firstSequence and after durable, as one batch, before it returns. They
// are copied. After ErrFailed the process must end: whether the batch is durable is not known.
func (f *File) Append(firstSequence uint64, events [][]byte) error {
	f.appending.Lock()
	defer f.appending.Unlock()
	visible := f.visible()
	if visible.failed != nil {
		return visible.failed
	}
	if err := checkNext(firstSequence, visible.last); err != nil {
		return err
	}
	if len(events) == 0 {
		return nil
	}
	size := recordSize(totalSize(events) + eventPrefix*len(events))
	if most := f.options.SegmentSize - recordSize(segmentPayload); size > most {
		return fmt.Errorf("append: a batch of %d bytes, at most %d fit a segment: %w", size, most, ErrTooLarge)
	}
	if err := f.makeRoom(size, firstSequence); err != nil {
		return err
	}
	return f.append(typeEvents, firstSequence, events)
}

// makeRoom rolls to a new segment when a record of this size does not fit the last one.
func (f *File) makeRoom(size int64, firstSequence uint64) error {
	if f.visible().end+size <= f.size {
		return nil
	}
	if err := f.roll(firstSequence); err != nil {
		return f.fail(fmt.Errorf("roll at sequence %d: %w", firstSequence, err))
	}
	return nil
}

// append writes one record at the end of the last segment.
func (f *File) append(kind recordType, firstSequence uint64, events [][]byte) error {
	at := f.visible().end
	h := header{
		kind:          kind,
		n:             uint32(len(events)),
		epoch:         f.epoch,
		index:         f.index + 1,
		firstSequence: firstSequence,
		durableUpto:   firstSequence - 1,
		prevHash:      f.hash,
	}
	f.buffer = appendRecord(f.buffer[:0], h, func(b []byte) []byte { return appendEvents(b, events) })
	if err := f.write(at, mark{f.id, h.index, h.lastSequence()}); err != nil {
		segments := f.visible().segments
		return f.fail(fmt.Errorf("append sequence %d to %s: %w", firstSequence, segments[len(segments)-1].name(), err))
	}
	f.index, f.hash = h.index, hashOf(f.buffer)
	if f.markTimer != nil {
		f.markTimer.Reset(f.options.markDelay)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen.end, f.seen.last = at+int64(len(f.buffer)), h.lastSequence()
	return nil
}

// write puts the buffer into the segment, then raises the mark.
func (f *File) write(at int64, m mark) error {
	if failpoint.Reached("torn_write") {
		_, _ = f.handle.WriteAt(f.buffer[:len(f.buffer)/2], at)
		failpoint.Die()
	}
	if err := failpoint.Fail("full_write", syscall.ENOSPC); err != nil {
		return err
	}
	if _, err := f.handle.WriteAt(f.buffer, at); err != nil {
		return err
	}
	if err := failpoint.Fail("fsync_error", syscall.EIO); err != nil {
		return err
	}
	if f.options.Sync == SyncFsync {
		if err := f.handle.Sync(); err != nil {
			return err
		}
	}
	// The mark is not synced: it outlives this process at once, and the machine once the journal is
	// idle. Until then the next record says as much.
	return writeMark(f.mark, m)
}

// roll goes on in a new segment.
func (f *File) roll(firstSequence uint64) error {
	if f.options.Sync == SyncOS {
		if err := f.handle.Sync(); err != nil { // A segment that is followed by another is whole.
			return err
		}
	}
	start := header{
		kind:          typeSegment,
		epoch:         f.epoch,
		index:         f.index + 1,
		firstSequence: firstSequence,
		durableUpto:   firstSequence - 1,
		prevHash:      f.hash,
	}
	if err := f.takeSpare(start); err != nil {
		return err
	}
	next := segment{start.index, firstSequence}
	handle, err := f.disk.Open(next.name())
	if err != nil {
		return err
	}
	old := f.handle
	f.handle, f.size = handle, f.options.SegmentSize
	record := segmentStart(f.id, f.size, start)
	f.index, f.hash = start.index, hashOf(record)
	f.mu.Lock()
	f.seen.segments = append(slices.Clone(f.seen.segments), next)
	f.seen.end = int64(len(record))
	f.mu.Unlock()
	f.prepareSpare()
	return old.Close()
}

// writeSpare makes a file of zeros under a name that no journal begins with. It syncs as it goes, so
// that appends do not queue behind all of it, and gives up when told to stop.
func writeSpare(disk Disk, size int64, stop func() bool) (err error) {
	handle, err := disk.Create(spareName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	for at := int64(0); at < size; at += window {
		if stop != nil && stop() {
			return errClosed
		}
		if err := writeZeros(handle, at, min(at+window, size)); err != nil {
			return err
		}
		if err := handle.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// nameSpare starts the spare with its first record and then gives it its name: a segment is never seen
// without.
func nameSpare(disk Disk, id journalID, size int64, start header) (err error) {
	handle, err := disk.Open(spareName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	if _, err := handle.WriteAt(segmentStart(id, size, start), 0); err != nil {
		return err
	}
	if err := handle.Sync(); err != nil {
		return err
	}
	if err := disk.Rename(spareName, segmentName(start.index)); err != nil {
		return err
	}
	return disk.SyncNames()
}

func segmentStart(id journalID, size int64, start header) []byte {
	return appendRecord(nil, start, segmentStartPayload(id, size))
}

// zeros are never changed: a segment's worth of them a window at a time would be 64 MiB of garbage.
var zeros [window]byte

func writeZeros(w io.WriterAt, from, to int64) error {
	for ; from < to; from += window {
		if _, err := w.WriteAt(zeros[:min(window, to-from)], from); err != nil {
			return err
		}
	}
	return nil
}
