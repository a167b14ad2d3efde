package journal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// stepwise options sync the mark only when closed and have nothing in the background, so that the same
// test takes the same steps.
func stepwise(segmentSize int64) Options {
	return Options{SegmentSize: segmentSize, markDelay: time.Hour, Background: func(run func()) { run() }}
}

// small segments roll often.
var small = stepwise(MinSegmentSize)

func mustOpen(t testing.TB, disk Disk, options Options) *File {
	t.Helper()
	f, err := OpenDisk(disk, options)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustAppend(t testing.TB, f *File, events ...string) {
	t.Helper()
	if err := f.Append(f.LastSequence()+1, batch(events...)); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t testing.TB, f *File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// fill appends events of this size until the journal has this many segments.
func fill(t testing.TB, f *File, segments, size int) {
	t.Helper()
	for len(f.visible().segments) < segments {
		mustAppend(t, f, strings.Repeat("x", size))
	}
}

func TestFileReadsBackWhatWasAppended(t *testing.T) {
	for _, options := range []Options{{}, {Sync: SyncOS}, {SegmentSize: MinSegmentSize}} {
		dir := filepath.Join(t.TempDir(), "made", "here")
		f, err := Open(dir, options)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for s := uint64(1); s <= 300; s += 3 {
			a, b, c := fmt.Sprint("a", s), "", strings.Repeat("c", int(s))
			mustAppend(t, f, a, b, c)
			want = append(want, fmt.Sprintf("%d:%s", s, a), fmt.Sprintf("%d:%s", s+1, b), fmt.Sprintf("%d:%s", s+2, c))
		}
		if err := f.Append(301, nil); err != nil {
			t.Errorf("an empty batch: %v", err)
		}
		check := func(f *File, epoch uint64) {
			t.Helper()
			for _, from := range []uint64{1, 2, 150, 300, 301} {
				if got := readAll(t, f, from); !slices.Equal(got, want[from-1:]) {
					t.Errorf("ReadFrom(%d) is not what was appended: %d events, want %d", from, len(got), len(want[from-1:]))
				}
			}
			if got := f.Recovery(); got.Epoch != epoch || got.Torn != nil || len(got.Notes) > 0 {
				t.Errorf("recovery is %+v, want epoch %d and nothing else", got, epoch)
			}
		}
		check(f, 1)
		id := f.ID()
		mustClose(t, f)
		if f, err = Open(dir, options); err != nil {
			t.Fatal(err)
		}
		check(f, 2)
		if f.ID() != id {
			t.Errorf("id is %s, was %s", f.ID(), id)
		}
		mustAppend(t, f, "after")
		mustClose(t, f)
		if err := f.Append(302, batch("x")); !errors.Is(err, errClosed) {
			t.Errorf("Append after Close: %v", err)
		}
	}
}

func TestFileRefusesGapsAndWhatFitsNoSegment(t *testing.T) {
	f := mustOpen(t, NewSimDisk(1), small)
	mustAppend(t, f, "a", "b")
	for _, first := range []uint64{0, 1, 2, 4} {
		if err := f.Append(first, batch("x")); !errors.Is(err, ErrSequence) {
			t.Errorf("Append(%d) = %v, want ErrSequence", first, err)
		}
	}
	for _, from := range []uint64{0, 4} {
		if err := f.ReadFrom(from, nil); !errors.Is(err, ErrSequence) {
			t.Errorf("ReadFrom(%d) = %v, want ErrSequence", from, err)
		}
	}
	largest := int(MinSegmentSize - 2*headerSize - segmentPayload - eventPrefix)
	if err := f.Append(3, batch(strings.Repeat("x", largest+1))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a batch too large: %v", err)
	}
	mustAppend(t, f, strings.Repeat("x", largest))
	mustAppend(t, f, "d")
	if got := len(readAll(t, f, 1)); got != 4 {
		t.Errorf("%d events, want 4", got)
	}
	for _, size := range []int64{1, MinSegmentSize - 8, MinSegmentSize + 1, MaxSegmentSize + 8} {
		if _, err := OpenDisk(NewSimDisk(1), Options{SegmentSize: size}); err == nil || !strings.Contains(err.Error(), "segment size") {
			t.Errorf("segment size %d: %v", size, err)
		}
	}
}

func TestSegmentsOfAnotherSizeAreReadOn(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	fill(t, f, 3, 500)
	mustClose(t, f)
	f = mustOpen(t, disk, stepwise(3*MinSegmentSize))
	fill(t, f, 5, 500)
	want := readAll(t, f, 1)
	mustClose(t, f)
	f = mustOpen(t, disk, small)
	if got := readAll(t, f, 1); !slices.Equal(got, want) {
		t.Errorf("%d events, want %d", len(got), len(want))
	}
}

func TestReadersBesideTheAppender(t *testing.T) {
	f := mustOpen(t, NewSimDisk(1), small)
	const n = 1000
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for next := uint64(1); next <= n; {
				err := f.ReadFrom(next, func(sequence uint64, event []byte) error {
					if want := fmt.Sprint(sequence); sequence != next || string(event) != want {
						t.Errorf("read %d:%s, want %d:%d", sequence, event, next, next)
					}
					next++
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for s := uint64(1); s <= n; s++ {
		mustAppend(t, f, fmt.Sprint(s))
	}
	readers.Wait()
}

func TestSecondProcessIsRefused(t *testing.T) {
	const directory = "AETHERION_TEST_JOURNAL"
	if dir := os.Getenv(directory); dir != "" { // This is the second process.
		if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
			t.Fatalf("Open = %v, want ErrLocked", err)
		}
		if _, err := Verify(dir, nil); !errors.Is(err, ErrLocked) {
			t.Fatalf("Verify = %v, want ErrLocked", err)
		}
		return
	}
	dir := t.TempDir()
	f, err := Open(dir, small)
	if err != nil {
		t.Fatal(err)
	}
	second := exec.Command(os.Args[0], "-test.run=^TestSecondProcessIsRefused$")
	second.Env = append(os.Environ(), directory+"="+dir)
	if out, err := second.CombinedOutput(); err != nil {
		t.Errorf("second process: %v\n%s", err, out)
	}
	mustAppend(t, f, "unharmed")
	mustClose(t, f)
	if verified, err := Verify(dir, nil); err != nil || verified.LastSequence != 1 {
		t.Errorf("after Close: %+v, %v", verified, err)
	}
}

func TestOpenNamesWhatIsWrongWithTheDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, Options{}); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file for a directory: %v", err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := Verify(missing, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verify of a missing directory: %v", err)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("Verify made the directory")
	}
	if _, err := Verify(t.TempDir(), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verify of an empty directory: %v", err)
	}
}

// A spare that could not be made is made again when it is needed.
func TestFailedSpareIsMadeAgain(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	disk.Fault = failing(SimSync, spareName, 2, syscall.EIO) // 1: the start of the second segment
	fill(t, f, 2, 500)
	disk.Fault = nil
	fill(t, f, 4, 500)
}

// After a fault nothing more is taken, the same error is given again, and what was acknowledged is
// there in the next process.
func TestFaultsAreSticky(t *testing.T) {
	first, second := segmentName(1), ""
	{ // The name of the second segment, which depends on how many records fit the first.
		f := mustOpen(t, NewSimDisk(1), small)
		fill(t, f, 2, 500)
		second = segmentName(f.visible().segments[1].index)
	}
	for _, c := range []struct {
		name  string
		fault func(SimOp, string) error
		cause syscall.Errno
	}{
		{"write", failing(SimWrite, first, 3, syscall.ENOSPC), syscall.ENOSPC},
		{"fsync", failing(SimSync, first, 3, syscall.EIO), syscall.EIO},
		{"mark", failing(SimWrite, markName, 3, syscall.EIO), syscall.EIO},
		{"create of the next segment", failing(SimCreate, spareName, 1, syscall.ENOSPC), syscall.ENOSPC},
		{"zeros of the next segment", failing(SimWrite, spareName, 1, syscall.ENOSPC), syscall.ENOSPC},
		{"start of the next segment", failing(SimWrite, spareName, 2, syscall.ENOSPC), syscall.ENOSPC},
		{"fsync of the next segment", failing(SimSync, spareName, 1, syscall.EIO), syscall.EIO},
		{"rename of the next segment", failing(SimRename, second, 1, syscall.EIO), syscall.EIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := NewSimDisk(1)
			f := mustOpen(t, disk, small)
			disk.Fault = c.fault
			var failed error
			acknowledged := uint64(0)
			for failed == nil && acknowledged < 100 {
				if failed = f.Append(acknowledged+1, batch(strings.Repeat("x", 500))); failed == nil {
					acknowledged++
				}
			}
			if !errors.Is(failed, ErrFailed) || !errors.Is(failed, c.cause) {
				t.Fatalf("Append = %v, want ErrFailed of %v", failed, c.cause)
			}
			want := []string{fmt.Sprintf("sequence %d", acknowledged+1), fmt.Sprintf("(errno %d)", c.cause)}
			if slices.Contains([]string{"write", "fsync", "mark"}, c.name) {
				want = append(want, " to "+first+":")
			}
			for _, part := range want {
				if !strings.Contains(failed.Error(), part) {
					t.Errorf("%q does not name %q", failed, part)
				}
			}
			steps := disk.steps
			if err := f.Append(acknowledged+1, batch("x")); err != failed {
				t.Errorf("the next Append = %v, want %v", err, failed)
			}
			if err := f.Snapshot(acknowledged, nil); !errors.Is(err, ErrFailed) {
				t.Errorf("Snapshot = %v, want ErrFailed", err)
			}
			if disk.steps != steps {
				t.Error("the disk was touched again")
			}
			if got := uint64(len(readAll(t, f, 1))); got != acknowledged {
				t.Errorf("%d events are readable, %d were acknowledged", got, acknowledged)
			}
			if err := f.Close(); !errors.Is(err, ErrFailed) {
				t.Errorf("Close = %v, want ErrFailed", err)
			}
			f = mustOpen(t, disk.Reboot(false), small)
			if got := f.LastSequence(); got != acknowledged && got != acknowledged+1 {
				t.Errorf("the next process finds %d events, %d were acknowledged", got, acknowledged)
			}
		})
	}
}

// What SyncOS leaves to the operating system is durable once the journal is closed.
func TestCloseMakesAllDurable(t *testing.T) {
	disk := NewSimDisk(1)
	options := small
	options.Sync = SyncOS
	f := mustOpen(t, disk, options)
	mustAppend(t, f, "a")
	if segment := disk.files[segmentName(1)]; len(segment.pending) == 0 {
		t.Error("SyncOS waits for the disk")
	}
	mustClose(t, f)
	for name, file := range disk.files {
		if len(file.pending) > 0 && name != spareName {
			t.Errorf("%s is not durable", name)
		}
	}
}

func TestMarkIsSyncedWhenIdle(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, Options{SegmentSize: MinSegmentSize, markDelay: time.Millisecond})
	mustAppend(t, f, "a")
	disk.mu.Lock()
	mark := disk.files[markName]
	disk.mu.Unlock()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		disk.mu.Lock()
		pending := len(mark.pending)
		disk.mu.Unlock()
		if pending == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the mark was not synced")
		}
	}
	mustClose(t, f)
}
