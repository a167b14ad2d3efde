package journal

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"aetherion/trading/internal/testseed"
)

// image is a closed journal of about this many bytes of records, on a disk in memory.
func image(t testing.TB, size, segmentSize int64) *SimDisk {
	t.Helper()
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, stepwise(segmentSize))
	for int64(len(f.visible().segments))*segmentSize < size || f.visible().end < segmentSize*3/4 {
		mustAppend(t, f, strings.Repeat("one ", 20), "", strings.Repeat("two ", 30))
	}
	mustClose(t, f)
	return disk
}

// checkpoints are the states of a recovery before each segment, so that a damaged segment is checked
// without reading those before it again.
func checkpoints(t testing.TB, disk *SimDisk) ([]recovery, listing) {
	t.Helper()
	names, err := list(disk)
	if err != nil {
		t.Fatal(err)
	}
	r := recovery{disk: disk}
	if err := r.readWitnesses(names); err != nil {
		t.Fatal(err)
	}
	var before []recovery
	for i, name := range names.segments {
		before = append(before, r)
		if err := r.segment(name, i == len(names.segments)-1); err != nil {
			t.Fatal(err)
		}
	}
	return before, names
}

// recoverFrom goes on from before segment i as scanAll does: to the first error, or to a state.
func recoverFrom(before []recovery, names listing, i int, disk Disk) (journalState, error) {
	r := before[i]
	r.disk = disk
	r.segments, r.notes = slices.Clone(r.segments), slices.Clone(r.notes)
	for ; i < len(names.segments); i++ {
		if err := r.segment(names.segments[i], i == len(names.segments)-1); err != nil {
			return journalState{}, err
		}
	}
	return r.journalState, r.checkEnd(names)
}

// Every flipped bit is refused, or, behind the last record, cut off and reported without a loss.
func TestBitFlips(t *testing.T) {
	const samples = 20_000
	original := image(t, 1<<20, 8<<10)
	before, names := checkpoints(t, original)
	whole, err := recoverFrom(before, names, 0, original)
	if err != nil {
		t.Fatal(err)
	}
	bits := len(names.segments) * int(whole.size) * 8
	seed := testseed.Of(t)
	random := rand.New(rand.NewPCG(seed, 0))
	var flips []int
	for range samples {
		flips = append(flips, random.IntN(bits))
	}
	if os.Getenv("AETHERION_SOAK") != "" {
		flips = make([]int, bits)
		for i := range flips {
			flips[i] = i
		}
	}
	var refused, repaired, next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			disk := original.copyOf()
			for n := next.Add(1) - 1; n < int64(len(flips)); n = next.Add(1) - 1 {
				bit := flips[n]
				i, at, mask := bit/8/int(whole.size), bit/8%int(whole.size), byte(1)<<(bit%8)
				data := disk.files[names.segments[i]].data
				data[at] ^= mask
				state, err := recoverFrom(before, names, i, disk)
				data[at] ^= mask
				var corrupt *Corrupt
				switch {
				case errors.As(err, &corrupt):
					refused.Add(1)
				case err == nil && state.torn != nil && state.hash == whole.hash && int64(at) >= whole.end:
					repaired.Add(1)
				default:
					t.Errorf("seed %d: bit %d of byte %d of %s: not detected (%v)", seed, bit%8, at, names.segments[i], err)
				}
			}
		})
	}
	workers.Wait()
	t.Logf("%d flips in %d segments of %d bytes: %d refused, %d behind the last record and cut off, 0 silent",
		len(flips), len(names.segments), whole.size, refused.Load(), repaired.Load())
}

// Flips in snapshots, and in all of the mark that is not padding.
func TestBitFlipsOutsideTheSegments(t *testing.T) {
	disk := image(t, 3*MinSegmentSize, MinSegmentSize)
	f := mustOpen(t, disk, small)
	if err := f.Snapshot(f.LastSequence(), []byte("state")); err != nil {
		t.Fatal(err)
	}
	mustClose(t, f)
	names, err := list(disk)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names.snapshots, markName) {
		data := disk.files[name].data
		for bit := 0; bit < len(data)*8; bit++ {
			if name == markName && bit%(8*markSlot) > 8*64 && bit%61 > 0 {
				continue // Zeros: a sample will do.
			}
			data[bit/8] ^= 1 << (bit % 8)
			r := recovery{disk: disk}
			err := r.readWitnesses(names)
			data[bit/8] ^= 1 << (bit % 8)
			var corrupt *Corrupt
			noted := name == markName && err == nil && len(r.notes) == 1 && strings.Contains(r.notes[0], markName)
			if !noted && !errors.As(err, &corrupt) {
				t.Fatalf("%s: flip of bit %d is not detected: %v", name, bit, err)
			}
		}
	}
}

// A file cut anywhere in its last 64 KiB is refused where something acknowledged is lost, and otherwise
// read to its last whole record.
func TestEveryTruncationOfTheTail(t *testing.T) {
	disk := image(t, 1, 128<<10)
	name := segmentName(1)
	data := disk.files[name].data
	defer func() { disk.files[name].data = data }()
	names, err := list(disk)
	if err != nil {
		t.Fatal(err)
	}
	after := statesAfterEachRecord(t, disk, names)
	newest := after[len(after)-1]
	whole := len(after) - 1 // the last record that is not cut
	for size := newest.end; size > newest.end-64<<10; size-- {
		for after[whole].end > size {
			whole--
		}
		disk.files[name].data = data[:size]
		scanTail := func(highWater uint64) (journalState, error) {
			r := after[whole]
			r.highWater = highWater
			handle, _ := disk.Open(name)
			s := newScanner(name, handle, size)
			s.next = r.end
			if err := r.rest(s, true); err != nil {
				return journalState{}, err
			}
			return r.journalState, r.checkEnd(names)
		}
		if _, err := scanTail(newest.index); (size < newest.end) != (err != nil) {
			t.Fatalf("cut at %d of %d: %v", size, newest.end, err)
		}
		got, err := scanTail(1) // The mark had not reached the disk.
		if want := after[whole]; err != nil || got.hash != want.hash || got.end != want.end {
			t.Fatalf("cut at %d: recovered to record %d (%v), want %d", size, got.index, err, want.index)
		}
		if size%509 == 0 {
			checkRepaired(t, disk.copyOf(), after[whole].sequence)
		}
	}
}

// statesAfterEachRecord of the only segment; the first is after the record that starts it.
func statesAfterEachRecord(t *testing.T, disk *SimDisk, names listing) []recovery {
	t.Helper()
	r := recovery{disk: disk}
	if err := r.readWitnesses(names); err != nil {
		t.Fatal(err)
	}
	handle, err := disk.Open(names.segments[0])
	if err != nil {
		t.Fatal(err)
	}
	size, _ := handle.Size()
	s := newScanner(names.segments[0], handle, size)
	if err := r.segmentStart(s, true); err != nil {
		t.Fatal(err)
	}
	var after []recovery
	for {
		r.end = s.next
		after = append(after, r)
		next, err := s.read()
		if errors.Is(err, io.EOF) {
			return after
		}
		if err == nil {
			err = r.follow(s.name, &next)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// checkRepaired opens the journal for good, without its mark having reached the disk.
func checkRepaired(t *testing.T, disk *SimDisk, last uint64) {
	t.Helper()
	slot := disk.files[markName].data
	m, err := parseMark(slot[:markSlot])
	if err != nil {
		t.Fatal(err)
	}
	m.index, m.sequence = 1, 0
	m.put(slot)
	m.put(slot[markSlot:])
	f := mustOpen(t, disk, small)
	if got := f.LastSequence(); got != last {
		t.Errorf("last sequence is %d, want %d", got, last)
	}
	mustAppend(t, f, "after")
	mustClose(t, f)
	f = mustOpen(t, disk, small)
	if got := f.Recovery(); got.Torn != nil || len(got.Notes) > 0 || f.LastSequence() != last+1 {
		t.Errorf("after the repair: %+v, last sequence %d", got, f.LastSequence())
	}
}

// What somebody does to the files is refused, with the file, the offset and the reason.
func TestMisplacedFilesAreRefused(t *testing.T) {
	other := image(t, 4*MinSegmentSize, MinSegmentSize)
	for _, c := range []struct {
		name   string
		damage func(disk *SimDisk, segments []string)
		file   int // of the segments; -1: the mark
		reason string
	}{
		{"first segment missing", func(d *SimDisk, s []string) { delete(d.files, s[0]) }, 1, "are missing, and no snapshot stands in for them"},
		{"middle segment missing", func(d *SimDisk, s []string) { delete(d.files, s[1]) }, 2, "index: must be"},
		{"last segment missing", func(d *SimDisk, s []string) { delete(d.files, s[len(s)-1]) }, -2, "was acknowledged"},
		{"all segments missing", func(d *SimDisk, s []string) {
			for _, name := range s {
				delete(d.files, name)
			}
		}, 0, "the file is missing"},
		{"mark missing", func(d *SimDisk, _ []string) { delete(d.files, markName) }, -1, "the file is missing"},
		{"mark cut", func(d *SimDisk, _ []string) { d.files[markName].data = d.files[markName].data[:100] }, -1, "size: must be 8192, got 100"},
		{"segment twice", func(d *SimDisk, s []string) { d.files[s[2]] = d.files[s[1]] }, 2, "the file is that of " + segmentName(0)[:10]},
		{"segments swapped", func(d *SimDisk, s []string) { d.files[s[1]], d.files[s[2]] = d.files[s[2]], d.files[s[1]] }, 1, "the file is that of"},
		{"segment of another journal", func(d *SimDisk, s []string) { d.files[s[1]] = other.copyOf().files[s[1]] }, 1, "journal id: must be"},
		{"mark of another journal", func(d *SimDisk, _ []string) { d.files[markName] = other.copyOf().files[markName] }, 0, "journal id: must be"},
		{"segment cut", func(d *SimDisk, s []string) { d.files[s[1]].data = d.files[s[1]].data[:MinSegmentSize-8] }, 1, "size: must be 4096, got 4088"},
		{"segment empty", func(d *SimDisk, s []string) { d.files[s[1]].data = nil }, 1, "the segment is empty"},
		{"last segment empty", func(d *SimDisk, s []string) { d.files[s[len(s)-1]].data = nil }, -2, "the segment is empty"},
		{"segment longer", func(d *SimDisk, s []string) {
			d.files[s[len(s)-1]].data = append(d.files[s[len(s)-1]].data, make([]byte, 8)...)
		}, -2, "size: must be 4096, got 4104"},
		{"sector zeroed", func(d *SimDisk, s []string) { clear(d.files[s[1]].data[sector : 2*sector]) }, 1, "payload_crc"},
		{"records zeroed to the end", func(d *SimDisk, s []string) { clear(d.files[s[1]].data[recordSize(segmentPayload):]) }, 2, "index: must be"},
		{"sectors swapped", func(d *SimDisk, s []string) {
			data := d.files[s[1]].data
			swapped := slices.Clone(data[sector : 2*sector])
			copy(data[sector:], data[2*sector:3*sector])
			copy(data[2*sector:], swapped)
		}, 1, "payload_crc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := image(t, 4*MinSegmentSize, MinSegmentSize)
			names, err := list(disk)
			if err != nil {
				t.Fatal(err)
			}
			c.damage(disk, names.segments)
			copied := disk.copyOf()
			_, err = OpenDisk(disk, small)
			var corrupt *Corrupt
			if !errors.As(err, &corrupt) {
				t.Fatalf("Open = %v, want a refusal", err)
			}
			want := markName
			switch {
			case c.file >= 0:
				want = names.segments[c.file]
			case c.file == -2: // The last one that is there.
				left, _ := list(disk)
				want = left.segments[len(left.segments)-1]
			}
			if corrupt.File != want || !strings.Contains(corrupt.Reason, c.reason) {
				t.Errorf("Open = %v, want it to refuse %s for %q", err, want, c.reason)
			}
			if after := fmt.Sprint(contents(disk)); after != fmt.Sprint(contents(copied)) {
				t.Error("the refusal changed the files")
			}
		})
	}
}

func contents(disk *SimDisk) map[string]int {
	sizes := map[string]int{}
	for name, file := range disk.files {
		sizes[name] = int(checksum(file.data))
	}
	return sizes
}

// A record that was acknowledged is not a torn tail, and neither is one that others follow.
func TestOnlyAnUnacknowledgedLastRecordIsTorn(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, stepwise(16*MinSegmentSize))
	var offsets []int64
	for range 4 {
		offsets = append(offsets, f.visible().end)
		mustAppend(t, f, "event")
	}
	mustClose(t, f)
	data := disk.files[segmentName(1)].data
	for i, want := range []string{"a record follows at", "a record follows at", "a record follows at", "mark says that record 6 was acknowledged"} {
		for at := offsets[i]; at < offsets[i]+recordSize(eventPrefix+len("event")); at++ {
			data[at] ^= 0x10
			_, err := VerifyDisk(disk, nil)
			_ = disk.Close()
			data[at] ^= 0x10
			var corrupt *Corrupt
			if !errors.As(err, &corrupt) || corrupt.Offset != offsets[i] || !strings.Contains(corrupt.Reason, want) {
				t.Fatalf("record %d, byte %d: %v, want a refusal at %d that says %q", i+3, at, err, offsets[i], want)
			}
		}
	}
}
