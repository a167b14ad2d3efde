package journal

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// On a full disk the journal says so and goes on for as long as its headroom lasts; with room again it is
// as before.
func TestAFullDiskLeavesTheHeadroom(t *testing.T) {
	disk := NewSimDisk(1)
	options := small
	options.Headroom = 4 * MinSegmentSize
	f := mustOpen(t, disk, options)
	if f.Low() || disk.files[headroomName] == nil {
		t.Fatalf("low %v, headroom %v, want it kept on a disk with room", f.Low(), disk.files[headroomName])
	}
	disk.mu.Lock()
	for _, file := range disk.files {
		disk.Capacity += len(file.data)
	}
	disk.mu.Unlock()

	acknowledged, segments := 0, map[bool]int{}
	var failed error
	for failed == nil && acknowledged < 1000 {
		if failed = f.Append(uint64(acknowledged+1), batch(strings.Repeat("x", 500))); failed == nil {
			acknowledged++
			segments[f.Low()] = len(f.visible().segments)
		}
	}
	if !errors.Is(failed, ErrFailed) || !errors.Is(failed, syscall.ENOSPC) {
		t.Fatalf("Append = %v, want ErrFailed of ENOSPC at last", failed)
	}
	// The segment in use, the spare, and four more instead of the headroom.
	if segments[true] != 6 || segments[false] > 2 {
		t.Errorf("%d segments before and %d after the disk was full, want at most 2 and 6", segments[false], segments[true])
	}
	_ = f.Close()

	disk = disk.Reboot(true)
	f = mustOpen(t, disk, options)
	if got := len(readAll(t, f, 1)); got != acknowledged {
		t.Errorf("%d events are readable, %d were acknowledged", got, acknowledged)
	}
	if f.Low() || disk.files[headroomName] == nil {
		t.Error("with room again there is no headroom")
	}
	mustClose(t, f)
}

// Room that comes back while the journal is open ends Low.
func TestLowEndsWithRoom(t *testing.T) {
	disk := NewSimDisk(1)
	options := small
	options.Headroom = 4 * MinSegmentSize
	disk.Capacity = 5 * MinSegmentSize // for a segment and a spare, not for the headroom
	f := mustOpen(t, disk, options)
	if !f.Low() {
		t.Fatal("the headroom does not fit, and the journal is not low")
	}
	checkRoom := func(want Room) {
		t.Helper()
		if got, err := f.Room(); err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	checkRoom(Room{Free: 3*MinSegmentSize - 2*markSlot, Low: true})
	disk.mu.Lock()
	disk.Capacity = 0
	disk.mu.Unlock()
	f.retrySpare()
	if f.Low() {
		t.Error("there is room, and the journal is low")
	}
	checkRoom(Room{Headroom: options.Headroom})
	mustClose(t, f)
}

func TestReserveKeepsBlocks(t *testing.T) {
	disk, err := openDirectory(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := disk.Reserve("kept", 1<<20); err != nil {
		t.Fatal(err)
	}
	handle, err := disk.Open("kept")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := handle.Size(); err != nil || size != 1<<20 {
		t.Errorf("size %d, %v, want 1 MiB", size, err)
	}
	if err := errors.Join(handle.Close(), disk.Close()); err != nil {
		t.Fatal(err)
	}
}
