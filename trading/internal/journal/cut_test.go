package journal

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A journal whose tail was lost is refused, says how it could go on, and goes on so, and only so, when an
// operator quotes the hash.
func TestCutAfterTakesTheOperatorsWord(t *testing.T) {
	disk := NewSimDisk(1)
	f := mustOpen(t, disk, small)
	fill(t, f, 30, 500)
	segments := f.visible().segments
	mustClose(t, f)
	damaged := segments[2].name()
	disk.files[damaged].data[headerSize+recordSize(segmentPayload)+5] ^= 1 // within the second record

	_, err := OpenDisk(disk.copyOf(), small)
	corrupt := (*Corrupt)(nil)
	if !errors.As(err, &corrupt) || corrupt.File != damaged {
		t.Fatalf("Open = %v, want %s refused", err, damaged)
	}
	quoted := regexp.MustCompile(`record is (\d+), up to sequence (\d+), with hash ([0-9a-f]{64})$`).FindStringSubmatch(err.Error())
	if quoted == nil {
		t.Fatalf("the refusal does not say how to go on: %v", err)
	}
	for _, wrong := range []string{"", quoted[3][1:], strings.Repeat("0", 64)} {
		if _, err := cutAfter(disk.copyOf(), wrong); err == nil || !strings.HasPrefix(err.Error(), "hash: ") {
			t.Errorf("cut after %q = %v, want a refusal of the hash", wrong, err)
		}
	}
	before := disk.copyOf()
	cut, err := cutAfter(disk, quoted[3])
	if err != nil || fmt.Sprint(cut.Index, " ", cut.LastSequence) != quoted[1]+" "+quoted[2] {
		t.Fatalf("cut = %+v, %v, want index and sequence %v", cut, err, quoted[1:3])
	}
	if len(cut.Broken) != len(segments)-3+2 { // the later segments, the tail, the mark
		t.Errorf("broken files: %v", cut.Broken)
	}
	f = mustOpen(t, disk.copyOf(), small)
	if got := fmt.Sprint(f.LastSequence()); got != quoted[2] {
		t.Errorf("the journal ends at %s, want %s", got, quoted[2])
	}
	fill(t, f, 5, 500)
	mustClose(t, f)

	// Wherever the cut stops, it can be made again, and until it is whole the journal is refused.
	for step := 1; ; step++ {
		disk := before.copyOf()
		disk.crashAt = step
		_, err := cutAfter(disk, quoted[3])
		crashed := disk.crashed
		disk = disk.Reboot(false)
		if !crashed {
			if err != nil {
				t.Fatal(err)
			}
			break
		}
		if _, err := VerifyDisk(disk.copyOf(), nil); err == nil {
			continue // The cut was whole.
		}
		if _, err := cutAfter(disk, quoted[3]); err != nil {
			t.Fatalf("stopped at step %d, the cut made again = %v", step, err)
		}
		mustClose(t, mustOpen(t, disk.copyOf(), small))
	}
}
