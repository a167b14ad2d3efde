package simtest

import (
	"slices"
	"testing"
	"time"
)

func TestShrinkLeavesOutWhatIsNotNeeded(t *testing.T) {
	needed := []int{3, 57, 58, 190}
	runs := 0
	shrunk := Shrink(Script{Steps: 200}, func(s Script) bool {
		runs++
		return !slices.ContainsFunc(needed, func(n int) bool { return !slices.Contains(s.Kept, n) })
	}, time.Minute)
	if !slices.Equal(shrunk.Kept, needed) || runs > 200 {
		t.Errorf("got %v in %d runs, want %v in at most 200", shrunk.Kept, runs, needed)
	}
}
