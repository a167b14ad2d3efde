package recovery_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/recovery"
)

func TestCheckAcceptsTheSnapshotsOfTheLiveRun(t *testing.T) {
	for _, snapshotEvery := range []int{0, 1, 7, 100, 301} {
		path := filepath.Join(t.TempDir(), fmt.Sprint(snapshotEvery))
		write(t, path, 100, snapshotEvery)
		if err := checked(t, path); err != nil {
			t.Errorf("snapshot every %d: %v", snapshotEvery, err)
		}
	}
}

// A snapshot that the events before it do not lead to is refused: here one of a run in which one fill had another price.
func TestCheckRefusesAnotherState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS})
	if err != nil {
		t.Fatal(err)
	}
	other := engine.New()
	day(t, 100, func(e *engine.Engine, encoded []byte) {
		event, err := journal.Decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if fill, is := event.Input.(*engine.VenueReport); is && event.Sequence == 152 {
			fill.LastPx++
		}
		var effects engine.Effects
		if err := other.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
		if err := file.Append(e.Sequence(), [][]byte{encoded}); err != nil {
			t.Fatal(err)
		}
		if e.Sequence()%100 == 0 {
			if err := file.Snapshot(e.Sequence(), recovery.EncodeSnapshot(stateOf(t, other), nil)); err != nil {
				t.Fatal(err)
			}
		}
		if e.Sequence() == 200 {
			checkRefused(t, recovery.Check(t.Context(), file))
		}
	})
	// From the wrong state the events lead to the next wrong state: only what is between the last two is compared.
	if err := recovery.Check(t.Context(), file); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func checkRefused(t *testing.T, err error) {
	t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), "state_hash: the events from 101 to 200 must lead to the state of the snapshot 200, ") {
		t.Errorf("got %v", err)
	}
}

func checked(t *testing.T, path string) error {
	t.Helper()
	file, err := journal.Open(path, journal.Options{Sync: journal.SyncOS})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return recovery.Check(t.Context(), file)
}
