package journal

import (
	"errors"
	"fmt"
	"io/fs"
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

// isFull says whether a disk has no room, as opposed to a disk that fails.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// keepHeadroom reserves the headroom if it is not there.
func (f *File) keepHeadroom() error {
	if f.options.Headroom == 0 || f.reserved {
		return nil
	}
	if err := f.disk.Reserve(headroomName, f.options.Headroom); err != nil {
		return fmt.Errorf("%s: %w", headroomName, err)
	}
	f.reserved = true
	return nil
}

// giveUpHeadroom makes room for one more segment.
func (f *File) giveUpHeadroom() error {
	f.low.Store(true)
	f.reserved = false
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
		full := isFull(err)
		if err == nil {
			full = isFull(f.keepHeadroom())
		}
		if f.low.Store(full); full && f.retry != nil {
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
