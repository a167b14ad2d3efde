package journal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"aetherion/trading/internal/failpoint"
)

// SyncMode is when an append is durable.
type SyncMode uint8

const (
	// SyncFsync waits for the disk: an acknowledged event survives the loss of power.
	SyncFsync SyncMode = iota
	// SyncOS leaves it to the operating system: it survives the end of the process, not of the machine.
	SyncOS
)

// Options are what can be set of a durable journal. The zero value is right for production.
type Options struct {
	Sync        SyncMode
	SegmentSize int64 // 64 MiB when zero; MinSegmentSize to MaxSegmentSize, and a multiple of 8
	// Headroom is how much of the disk is kept back for when it is full; see Low. None when zero.
	Headroom int64

	// markDelay is how long after the last append the mark is made durable; 10 ms when zero.
	markDelay time.Duration
	// Background runs what need not be waited for; on a goroutine when nil.
	Background func(func())
}

const (
	defaultSegmentSize = 64 << 20
	// MinSegmentSize leaves room for a record beside the one that starts a segment.
	MinSegmentSize = 4096
	// MaxSegmentSize keeps lengths within 32 bits.
	MaxSegmentSize   = 1 << 30
	defaultMarkDelay = 10 * time.Millisecond
)

var (
	// ErrFailed says that a write or sync failed. What the disk holds is unknown from then on, so the
	// journal takes nothing more, and its process must end.
	ErrFailed = errors.New("JOURNAL_FAILED")
	// ErrCompacted says that events are gone, and a snapshot stands in for them.
	ErrCompacted = errors.New("COMPACTED")
	// ErrTooLarge says that a batch fits no segment. Nothing was written.
	ErrTooLarge = errors.New("batch too large")

	errClosed = errors.New("journal: closed")
	errEnough = errors.New("enough")
)

// Recovery is what was found when a journal was opened.
type Recovery struct {
	Records int
	Epoch   uint64 // of this process
	// Torn is the unacknowledged tail that was cut off, nil when there was none. Broken is the file
	// that its bytes were copied to.
	Torn   *Corrupt
	Broken string
	// Notes name what was odd and harmless.
	Notes []string
}

// File is the durable journal: one appender, any number of readers beside it.
type File struct {
	disk     Disk
	options  Options
	id       journalID
	recovery Recovery

	appending sync.Mutex // guards what follows: one appender at a time
	epoch     uint64
	index     uint64
	hash      hash
	size      int64 // of the last segment
	handle    Handle
	mark      Handle
	buffer    []byte
	spare     <-chan error // the next segment, once it is made
	reserved  atomic.Bool  // the headroom is there
	retry     *time.Timer
	low       atomic.Bool

	compacting     sync.Mutex
	snapshots      []snapshot // oldest first
	snapshotFailed error      // sticky: what stands in the directory is unknown

	marking   sync.Mutex // held while the mark is synced
	markTimer *time.Timer

	running sync.WaitGroup // in the background

	mu   sync.Mutex
	seen visible
}

// visible is what readers may see: all that is durable.
type visible struct {
	segments []segment
	end      int64  // of the newest record, in the last segment
	last     uint64 // sequence of the newest event
	failed   error
}

// Open opens the journal in a directory, or makes one there. It takes the directory for this process,
// checks every byte, cuts off a torn tail, and writes the record of a new epoch.
func Open(path string, options Options) (*File, error) {
	disk, err := openDirectory(path, false)
	if err != nil {
		return nil, err
	}
	return OpenDisk(disk, options)
}

// OpenDisk is Open on any disk, which it closes when it fails and with the journal.
func OpenDisk(disk Disk, options Options) (*File, error) {
	if options.SegmentSize == 0 {
		options.SegmentSize = defaultSegmentSize
	}
	if options.markDelay == 0 {
		options.markDelay = defaultMarkDelay
	}
	f := &File{disk: disk, options: options}
	if f.options.Background == nil {
		f.options.Background = f.running.Go
	}
	if err := f.open(); err != nil {
		_ = f.fail(err) // It stops what runs in the background.
		f.running.Wait()
		return nil, errors.Join(err, f.closeFiles(), disk.Close())
	}
	f.markTimer = time.AfterFunc(options.markDelay, f.syncMark)
	return f, nil
}

func (f *File) open() error {
	if size := f.options.SegmentSize; size < MinSegmentSize || size > MaxSegmentSize || size%alignment != 0 {
		return fmt.Errorf("journal: segment size: must be a multiple of %d from %d to %d, got %d",
			alignment, MinSegmentSize, MaxSegmentSize, size)
	}
	if err := f.disk.Lock(false); err != nil {
		return err
	}
	names, err := list(f.disk)
	if err != nil {
		return err
	}
	if len(names.segments) == 0 {
		if names, err = f.create(names); err != nil {
			return err
		}
	}
	state, err := scanAll(f.disk, names, nil)
	if err != nil {
		return err
	}
	return f.start(&state, names)
}

// create makes the first segment of a new journal.
func (f *File) create(names listing) (listing, error) {
	if names.mark || len(names.snapshots) > 0 {
		return names, &Corrupt{segmentName(1), 0, "the file is missing: there is a mark or a snapshot, but no segment"}
	}
	var id journalID
	if _, err := rand.Read(id[:]); err != nil {
		return names, fmt.Errorf("journal: %w", err)
	}
	first := header{kind: typeSegment, index: 1, firstSequence: 1}
	if err := writeSpare(f.disk, f.options.SegmentSize, nil); err != nil {
		return names, fmt.Errorf("journal: create: %w", err)
	}
	if err := nameSpare(f.disk, id, f.options.SegmentSize, first); err != nil {
		return names, fmt.Errorf("journal: create: %w", err)
	}
	return list(f.disk)
}

// start repairs what recovery found and makes the journal ready to append.
func (f *File) start(state *journalState, names listing) error {
	f.id, f.epoch, f.index, f.hash, f.size = state.id, state.epoch, state.index, state.hash, state.size
	f.snapshots = state.snapshots
	f.seen = visible{segments: state.segments, end: state.end, last: state.sequence}
	f.recovery = Recovery{Records: state.records, Epoch: state.epoch + 1, Torn: state.torn, Notes: state.notes}
	for _, name := range names.leftovers {
		if err := f.remove(name); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
	}
	last := state.segments[len(state.segments)-1]
	var err error
	if f.handle, err = f.disk.Open(last.name()); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if state.torn != nil || state.truncated {
		if err := f.repair(last.name()); err != nil {
			return fmt.Errorf("journal: repair %s: %w", last.name(), err)
		}
	}
	if err := f.startMark(names.mark); err != nil {
		return fmt.Errorf("journal: %s: %w", markName, err)
	}
	f.retry = time.AfterFunc(time.Hour, f.retrySpare)
	f.retry.Stop()
	f.prepareSpare()
	if err := f.makeRoom(headerSize, state.sequence+1); err != nil {
		return err
	}
	failpoint.Hit("epoch")
	f.epoch++
	return f.append(typeEpoch, state.sequence+1, nil)
}

// repair keeps a copy of what follows the last record and makes it zero again, to the segment's size.
func (f *File) repair(name string) (err error) {
	size, err := f.handle.Size()
	if err != nil {
		return err
	}
	tail := make([]byte, max(size-f.seen.end, 0))
	if n, err := f.handle.ReadAt(tail, f.seen.end); err != nil && n < len(tail) {
		return err
	}
	if f.recovery.Torn != nil {
		f.recovery.Broken = fmt.Sprintf("%s.%d%s", name, f.seen.end, brokenSuffix)
		if err := writeWhole(f.disk, f.recovery.Broken, func(w io.WriterAt) error {
			_, err := w.WriteAt(tail, 0)
			return err
		}); err != nil {
			return err
		}
	}
	if err := writeZeros(f.handle, f.seen.end, f.size); err != nil {
		return err
	}
	return f.handle.Sync()
}

// startMark opens the mark and raises it to the newest record: everything found is acknowledged now.
func (f *File) startMark(exists bool) (err error) {
	m := mark{f.id, f.index, f.seen.last}
	if !exists {
		if err := createMark(f.disk, m); err != nil {
			return err
		}
	}
	if f.mark, err = f.disk.Open(markName); err != nil {
		return err
	}
	// Both slots, so that a bad one is good again.
	for _, index := range []uint64{f.index + 1, f.index} {
		var slot [markSlot]byte
		m.put(slot[:])
		if _, err := f.mark.WriteAt(slot[:], int64(index%2)*markSlot); err != nil {
			return err
		}
		if err := f.mark.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// Recovery is what was found when the journal was opened.
func (f *File) Recovery() Recovery { return f.recovery }

// ID tells this journal from every other one, in 32 hexadecimal digits.
func (f *File) ID() string { return f.id.String() }

// LastSequence is that of the newest event, 0 when there is none.
func (f *File) LastSequence() uint64 { return f.visible().last }

func (f *File) visible() visible {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// syncMark makes the mark durable.
func (f *File) syncMark() {
	f.marking.Lock()
	defer f.marking.Unlock()
	if f.visible().failed != nil {
		return
	}
	if err := f.mark.Sync(); err != nil {
		_ = f.fail(fmt.Errorf("%s: %w", markName, err)) // The next append returns it.
	}
}

// Close makes all of it durable and gives the directory back. It returns ErrFailed if that had
// happened before.
func (f *File) Close() error {
	f.appending.Lock()
	defer f.appending.Unlock()
	f.compacting.Lock()
	defer f.compacting.Unlock()
	f.markTimer.Stop()
	f.retry.Stop()
	if f.options.Sync == SyncOS && f.visible().failed == nil {
		if err := f.handle.Sync(); err != nil {
			_ = f.fail(fmt.Errorf("close: %w", err))
		}
	}
	f.syncMark()
	f.marking.Lock()
	defer f.marking.Unlock()
	failed := f.visible().failed
	if errors.Is(failed, errClosed) {
		return nil
	}
	f.mu.Lock()
	f.seen.failed = errClosed
	f.mu.Unlock()
	f.running.Wait()
	return errors.Join(failed, f.closeFiles(), f.disk.Close())
}

// fail is the end of this journal. The first reason stays and is returned.
func (f *File) fail(reason error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen.failed == nil {
		f.seen.failed = fmt.Errorf("%w: %w", ErrFailed, reason)
		if number := syscall.Errno(0); errors.As(reason, &number) {
			f.seen.failed = fmt.Errorf("%w (errno %d)", f.seen.failed, number)
		}
	}
	return f.seen.failed
}

func (f *File) closeFiles() error {
	var errs []error
	for _, handle := range []Handle{f.handle, f.mark} {
		if handle != nil {
			errs = append(errs, handle.Close())
		}
	}
	return errors.Join(errs...)
}
