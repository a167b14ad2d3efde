package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestSnapshotsStandInForWhatIsCompacted(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	if sequence, state, err := f.LatestSnapshot(); sequence != 0 || state != nil || err != nil {
		t.Errorf("a new journal: snapshot at %d, %q, %v", sequence, state, err)
	}
	fill(t, f, 3, 500)
	first := f.LastSequence()
	snapshot := func(sequence uint64) {
		t.Helper()
		if err := f.Snapshot(sequence, []byte(fmt.Sprint("state ", sequence))); err != nil {
			t.Fatal(err)
		}
	}
	snapshot(first)
	if got := readAll(t, f, 1); uint64(len(got)) != f.LastSequence() { // For who has not heard all of it yet.
		t.Errorf("after the first snapshot %d events are left, want %d", len(got), f.LastSequence())
	}
	fill(t, f, 6, 500)
	second := f.LastSequence() - 3 // a state that was taken before what was appended since
	snapshot(second)
	fill(t, f, 9, 500)
	snapshot(f.LastSequence()) // The first goes, and with it what only it needed.

	names, err := list(disk)
	if err != nil {
		t.Fatal(err)
	}
	if len(names.snapshots) != 2 || !strings.HasPrefix(names.snapshots[0], fmt.Sprintf("%020d", second)) {
		t.Errorf("snapshots are %v, want the newest two", names.snapshots)
	}
	oldest := f.visible().segments[0].firstSequence
	if oldest == 1 || oldest > second+1 {
		t.Errorf("events start at %d; want some compacted away, and all after %d kept", oldest, second)
	}
	check := func() {
		t.Helper()
		last := f.LastSequence()
		sequence, state, err := f.LatestSnapshot()
		if err != nil || sequence != last || string(state) != fmt.Sprint("state ", last) {
			t.Errorf("snapshot at %d: %q, %v; want that at %d", sequence, state, err, last)
		}
		if err := f.ReadFrom(oldest-1, nil); !errors.Is(err, ErrCompacted) {
			t.Errorf("reading what is compacted away: %v", err)
		}
		if got := readAll(t, f, oldest); uint64(len(got)) != last-oldest+1 {
			t.Errorf("%d events, want %d to %d", len(got), oldest, last)
		}
	}
	check()
	mustClose(t, f)
	f = mustOpen(t, disk, small)
	check()
	mustAppend(t, f, "after")
}

func TestSnapshotAtAnImpossibleSequenceIsRefused(t *testing.T) {
	f := mustOpen(t, NewSimDisk(1), small)
	mustAppend(t, f, "a", "b", "c")
	for _, sequence := range []uint64{0, 4, 5} {
		if err := f.Snapshot(sequence, nil); !errors.Is(err, ErrSequence) {
			t.Errorf("Snapshot(%d) = %v, want ErrSequence", sequence, err)
		}
	}
	if err := f.Snapshot(2, nil); err != nil { // within a batch
		t.Error(err)
	}
	if err := f.Snapshot(2, nil); !errors.Is(err, ErrSequence) {
		t.Errorf("the same again: %v", err)
	}
}

// Nothing acknowledged depends on a snapshot, so a failed one stops only snapshots.
func TestFailedSnapshotStopsOnlySnapshots(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	mustAppend(t, f, "a")
	disk.Fault = failing(SimWrite, (&snapshot{sequence: 1}).name()+tmpSuffix, 2, syscall.ENOSPC)
	if err := f.Snapshot(1, []byte("state")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Snapshot = %v, want ENOSPC", err)
	}
	mustAppend(t, f, "b")
	if err := f.Snapshot(2, []byte("state")); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the next Snapshot = %v, want the same error", err)
	}
	mustClose(t, f)
	f = mustOpen(t, disk, small)
	if err := f.Snapshot(2, []byte("state")); err != nil {
		t.Errorf("in the next process: %v", err)
	}
	if names, _ := disk.Names(); slices.ContainsFunc(names, func(name string) bool { return name != spareName && strings.HasSuffix(name, tmpSuffix) }) {
		t.Errorf("left over: %v", names)
	}
}

func TestMisplacedSnapshotsAreRefused(t *testing.T) {
	var disks []*SimDisk
	var names []listing
	for range 2 {
		disk := NewSimDisk(1)
		f := mustOpen(t, disk, small)
		fill(t, f, 3, 500)
		if err := f.Snapshot(f.LastSequence(), []byte("state")); err != nil {
			t.Fatal(err)
		}
		fill(t, f, 4, 500)
		if err := f.Snapshot(f.LastSequence(), []byte("state")); err != nil {
			t.Fatal(err)
		}
		mustClose(t, f)
		listed, err := list(disk)
		if err != nil {
			t.Fatal(err)
		}
		disks, names = append(disks, disk), append(names, listed)
	}
	n0 := names[0]
	for _, c := range []struct {
		name   string
		damage func(d *SimDisk, n listing)
		file   func(n listing) string
		reason string
	}{
		{"of another journal", func(d *SimDisk, n listing) { d.files[n.snapshots[0]] = disks[1].files[names[1].snapshots[0]] },
			func(n listing) string { return n.segments[0] }, n0.snapshots[0] + " is of another record"},
		{"renamed", func(d *SimDisk, n listing) { d.files[n.snapshots[1]] = d.files[n.snapshots[0]] },
			func(n listing) string { return n.snapshots[1] }, "the file is that of " + n0.snapshots[0]},
		{"cut", func(d *SimDisk, n listing) { d.files[n.snapshots[0]].data = d.files[n.snapshots[0]].data[:50] },
			func(n listing) string { return n.snapshots[0] }, "size: must be at least 88, got 50"},
		{"all missing", func(d *SimDisk, n listing) { delete(d.files, n.snapshots[0]); delete(d.files, n.snapshots[1]) },
			func(n listing) string { return n.segments[0] }, "no snapshot stands in for them"},
		{"ahead of the records", func(d *SimDisk, n listing) {
			delete(d.files, markName)
			delete(d.files, n.segments[len(n.segments)-1])
		}, func(n listing) string { return n.segments[len(n.segments)-2] }, n0.snapshots[1] + " says that record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := disks[0].copyOf()
			c.damage(disk, n0)
			_, err := OpenDisk(disk, small)
			var corrupt *Corrupt
			if !errors.As(err, &corrupt) {
				t.Fatalf("Open = %v, want a refusal", err)
			}
			if want := c.file(n0); corrupt.File != want || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("Open = %v, want it to refuse %s for %q", err, want, c.reason)
			}
		})
	}
}

func TestVerifyTellsWhatStands(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	mustAppend(t, f, "a", "b")
	mustClose(t, f)
	f = mustOpen(t, disk, small)
	mustAppend(t, f, "c")
	id, head := f.ID(), fmt.Sprintf("%x", f.hash)
	mustClose(t, f)
	var got []string
	verified, err := VerifyDisk(disk, func(b Batch) error {
		got = append(got, fmt.Sprintf("epoch %d sequence %d: %q", b.Epoch, b.FirstSequence, b.Events))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`epoch 1 sequence 1: ["a" "b"]`, `epoch 2 sequence 3: ["c"]`}; !slices.Equal(got, want) {
		t.Errorf("batches are %v, want %v", got, want)
	}
	want := Verified{ID: id, Segments: 1, Records: 5, Epoch: 2, FirstSequence: 1, LastSequence: 3, Head: head}
	if fmt.Sprint(verified) != fmt.Sprint(want) {
		t.Errorf("verified is %+v, want %+v", verified, want)
	}
}
