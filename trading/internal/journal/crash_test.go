package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"aetherion/trading/internal/testseed"
)

// life is a journal that crashes again and again, and what must be in it.
type life struct {
	random   *rand.Rand
	disk     *SimDisk
	appended [][]byte // everything tried, acknowledged or not
	acked    uint64   // sequence acknowledged last
	snapshot uint64   // sequence of the snapshot acknowledged last
}

// run opens the journal, checks it, and uses it until the disk crashes.
func (l *life) run() error {
	f, err := OpenDisk(l.disk, small)
	if err != nil {
		return err
	}
	if err := l.check(f); err != nil {
		return fmt.Errorf("wrong after the crash: %w", err)
	}
	for {
		if l.random.IntN(12) == 0 && l.acked > l.snapshot {
			if err := f.Snapshot(l.acked, stateAt(l.acked)); err != nil {
				return err
			}
			l.snapshot = l.acked
		}
		var events [][]byte
		for range 1 + l.random.IntN(4) {
			event := make([]byte, l.random.IntN(300))
			for i := range event {
				event[i] = byte(l.random.Uint32())
			}
			events = append(events, event)
		}
		l.appended = append(l.appended, events...)
		if err := f.Append(l.acked+1, events); err != nil {
			return err
		}
		l.acked += uint64(len(events))
	}
}

func stateAt(sequence uint64) []byte { return bytes.Repeat([]byte{byte(sequence)}, int(sequence%700)) }

// check finds all that was acknowledged, and nothing that was not tried.
func (l *life) check(f *File) error {
	last := f.LastSequence()
	if last < l.acked || last > uint64(len(l.appended)) {
		return fmt.Errorf("last sequence is %d, %d were acknowledged and %d tried", last, l.acked, len(l.appended))
	}
	l.acked, l.appended = last, l.appended[:last]
	first := f.visible().segments[0].firstSequence
	next := first
	err := f.ReadFrom(first, func(sequence uint64, event []byte) error {
		if sequence != next || !bytes.Equal(event, l.appended[sequence-1]) {
			return fmt.Errorf("event %d is not what was appended (expected sequence %d)", sequence, next)
		}
		next++
		return nil
	})
	if err != nil {
		return err
	}
	if next != last+1 {
		return fmt.Errorf("events end at %d, want %d", next-1, last)
	}
	sequence, state, err := f.LatestSnapshot()
	if err != nil {
		return err
	}
	if sequence < l.snapshot || sequence > last || !bytes.Equal(state, stateAt(sequence)) || first > sequence+1 {
		return fmt.Errorf("snapshot at %d of %d bytes, acknowledged was one at %d; events start at %d", sequence, len(state), l.snapshot, first)
	}
	l.snapshot = sequence
	return nil
}

// Wherever the machine or the process stops (in an append, a roll, a snapshot, a compaction, a repair),
// the next process finds everything acknowledged and refuses nothing.
func TestCrashAtEveryStep(t *testing.T) {
	seed := testseed.Of(t)
	lives := 300
	if os.Getenv("AETHERION_SOAK") != "" {
		lives = 300_000
	}
	crashes, torn, compacted := 0, 0, 0
	for n := range lives {
		l := life{random: rand.New(rand.NewPCG(seed, uint64(n))), disk: NewSimDisk(seed + uint64(n))}
		l.disk.crashAt = 1 + n%500 // Every step of the first life in turn, then anywhere.
		for range 6 {
			if err := l.run(); !errors.Is(err, ErrCrashed) {
				t.Fatalf("seed %d, life %d, %d crashes so far: %v", seed, n, crashes, err)
			}
			crashes++
			l.disk = l.disk.Reboot(l.random.IntN(3) == 0)
			l.disk.crashAt = 1 + l.random.IntN(200)
			verified, err := VerifyDisk(l.disk, nil)
			_ = l.disk.Close()
			if err != nil {
				continue // There may be no journal yet; run says whether one was lost.
			}
			if verified.Torn != nil {
				torn++
			}
			if verified.FirstSequence > 1 {
				compacted++
			}
		}
	}
	t.Logf("%d crashes: %d torn tails, %d compacted journals", crashes, torn, compacted)
	if torn == 0 || compacted == 0 {
		t.Errorf("seed %d: the crashes met %d torn tails and %d compacted journals", seed, torn, compacted)
	}
}

// A disk that says a segment is durable and forgets it: the mark, which it kept, tells.
func TestLyingDiskIsRefused(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, stepwise(16*MinSegmentSize))
	mustAppend(t, f, "kept")
	disk.lies = func(name string) bool { return name == segmentName(1) }
	mustAppend(t, f, "forgotten")
	mustClose(t, f)
	disk.files[segmentName(1)].pending = nil // all of it is lost
	_, err := OpenDisk(disk.Reboot(false), small)
	var corrupt *Corrupt
	if !errors.As(err, &corrupt) || corrupt.File != segmentName(1) {
		t.Fatalf("Open = %v, want a refusal of the segment", err)
	}
	if want := "the journal ends with record 3, but mark says that record 4 was acknowledged"; corrupt.Reason != want {
		t.Errorf("reason is %q, want %q", corrupt.Reason, want)
	}
}

// A torn tail is cut off once, and its bytes are kept.
func TestTornTailIsKeptAside(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	mustAppend(t, f, "a")
	end := f.visible().end
	mustClose(t, f)
	segment := disk.files[segmentName(1)]
	copy(segment.data[end:], "torn")
	f = mustOpen(t, disk, small)
	recovery := f.Recovery()
	if recovery.Torn == nil || recovery.Torn.Offset != end || recovery.Torn.File != segmentName(1) {
		t.Fatalf("recovery is %+v", recovery)
	}
	if want := fmt.Sprintf("%s.%d.broken", segmentName(1), end); recovery.Broken != want {
		t.Errorf("broken is %q, want %q", recovery.Broken, want)
	}
	if broken := disk.files[recovery.Broken]; broken == nil || !bytes.HasPrefix(broken.durable, []byte("torn\x00")) {
		t.Error("the copy does not hold the torn bytes")
	}
	mustAppend(t, f, "b")
	mustClose(t, f)
	f = mustOpen(t, disk, small)
	if got := f.Recovery(); got.Torn != nil || f.LastSequence() != 2 {
		t.Errorf("after the repair: %+v, last sequence %d", got, f.LastSequence())
	}
}
