package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"syscall"
	"time"

	"aetherion/trading/internal/failpoint"
)

// The headroom is a file that only keeps its blocks. When the disk is full it is given up, so that
// cancels and kill switches can still be written: who appends must refuse all else while Low says so.
const (
	headroomName = "headroom"
	// fullRetry is how long after a full disk the journal looks again.
	fullRetry = time.Second
)

// Low says that the disk is full: the journal lives on what it kept back, and nothing may be appended
// that can wait. It ends by itself once there is room.
func (f *File) Low() bool { return f.low.Load() || failpoint.Since("full_disk") }

// Room is what a journal has of its disk.
type Room struct {
	Free     int64 // bytes that files may still take
	Headroom int64 // bytes kept back; 0: none, or they are in use
	Low      bool
}

// Room is what there is now.
func (f *File) Room() (Room, error) {
	free, err := f.disk.Free()
	room := Room{Free: free, Low: f.Low()}
	if f.reserved.Load() {
		room.Headroom = f.options.Headroom
	}
	return room, err
}

// setLow notes whether the disk was full when it was last asked for room, and tells when that changes.
func (f *File) setLow(reason error) {
	low := isFull(reason)
	if f.low.Swap(low) == low {
		return
	}
	free, _ := f.disk.Free() // the reason matters more
	if !low {
		slog.Info("the disk of the journal has room again", "free_bytes", free)
		return
	}
	slog.Error("the disk of the journal is full: only cancels, reductions and kill switches are taken", "reason", reason,
		"free_bytes", free, "segment_bytes", f.options.SegmentSize, "headroom_bytes", f.options.Headroom)
}

// isFull says whether a disk has no room, as opposed to a disk that fails.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// keepHeadroom reserves the headroom if it is not there.
func (f *File) keepHeadroom() error {
	if f.options.Headroom == 0 || f.reserved.Load() {
		return nil
	}
	if err := f.disk.Reserve(headroomName, f.options.Headroom); err != nil {
		return fmt.Errorf("%s: %w", headroomName, err)
	}
	f.reserved.Store(true)
	return nil
}

// giveUpHeadroom makes room for one more segment.
func (f *File) giveUpHeadroom() error {
	f.reserved.Store(false)
	if err := f.disk.Remove(headroomName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.disk.SyncNames()
}

// prepareSpare makes the next segment while this one is used: zeros take time. Then it sees to the
// headroom. A disk that is full is looked at again later.
func (f *File) prepareSpare() {
	spare := make(chan error, 1)
	f.spare = spare
	f.options.Background(func() {
		err := writeSpare(f.disk, f.options.SegmentSize, func() bool { return f.visible().failed != nil })
		full := err
		if err == nil {
			full = f.keepHeadroom()
		}
		if f.setLow(full); isFull(full) && f.retry != nil {
			f.retry.Reset(fullRetry)
		}
		spare <- err
	})
}

// retrySpare looks whether a disk that was full has room again.
func (f *File) retrySpare() {
	f.appending.Lock()
	defer f.appending.Unlock()
	if f.visible().failed != nil || !f.low.Load() {
		return
	}
	<-f.spare
	f.prepareSpare()
}

// takeSpare waits for the spare, or makes one here if that had failed, and makes it a segment.
func (f *File) takeSpare(start header) error {
	if err := <-f.spare; err != nil {
		if isFull(err) {
			f.setLow(err)
			if err := f.giveUpHeadroom(); err != nil {
				return err
			}
		}
		if err := writeSpare(f.disk, f.options.SegmentSize, nil); err != nil {
			return err
		}
	}
	return nameSpare(f.disk, f.id, f.options.SegmentSize, start)
}
