package clock

import (
	"testing"
	"time"
)

func TestVirtualNeverRunsBack(t *testing.T) {
	var c Virtual
	for _, step := range []struct{ set, want int64 }{{5, 5}, {3, 5}, {5, 5}, {9, 9}} {
		if c.Set(step.set); c.Now() != step.want {
			t.Errorf("set to %d: now %d, want %d", step.set, c.Now(), step.want)
		}
	}
}

func TestSystemIsTheTimeInNs(t *testing.T) {
	before := time.Now().UnixNano()
	if now := (System{}).Now(); now < before || now > time.Now().UnixNano() {
		t.Errorf("now %d, want it after %d", now, before)
	}
}
