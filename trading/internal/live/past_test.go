package live

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/recovery"
)

// dayOf journals a hundred refused orders of each of two accounts in turn, with a snapshot after some.
func dayOf(t *testing.T, snapshots ...uint64) (*Session, *journal.File) {
	t.Helper()
	kept, err := journal.Open(filepath.Join(t.TempDir(), "journal"), journal.Options{Sync: journal.SyncOS, SegmentSize: 1 << 14})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	e, log := engine.New(), NewReportLog(10)
	for i := range 200 {
		event := engine.Event{Sequence: uint64(i + 1), Input: &engine.OrderDecision{OrdRejReason: engine.RejInvalidField, RejectedBy: engine.ByEngine,
			NewOrder: engine.NewOrder{ClOrdID: fmt.Sprint(i), Account: []string{"A", "B"}[i%2]}}}
		var effects engine.Effects
		if err := e.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
		log.Publish(effects.Reports)
		encoded, err := journal.Encode(&event)
		if err != nil {
			t.Fatal(err)
		}
		if err := kept.Append(event.Sequence, [][]byte{encoded}); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(snapshots, event.Sequence) {
			taken := taking{sequence: event.Sequence}
			if err := errors.Join(e.WriteState(&taken.state), kept.Snapshot(event.Sequence, recovery.EncodeSnapshot(taken.state.Bytes(), nil))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return &Session{Reports: log, journal: kept, past: &past{journal: kept}}, kept
}

// What is no longer in memory comes from the journal, and the memory goes on where that ends.
func TestThePastIsReadFromTheJournal(t *testing.T) {
	s, _ := dayOf(t, 50, 120)
	for _, c := range []struct {
		account string
		from    uint64
		want    int // from the past
	}{{"A", 1, 95}, {"A", 100, 45}, {"B", 100, 46}, {"", 1, 190}, {"", 121, 70}, {"", 190, 1}, {"", 191, 0}, {"", 201, 0}} {
		var got []*engine.ExecutionReport
		var through uint64
		at, err := s.Past(t.Context(), c.account, Cursor{Sequence: c.from}, func(page Page) error {
			got, through = append(got, page.Reports...), page.Through
			return nil
		})
		if err != nil || len(got) != c.want || c.want > 0 && through >= at.Sequence {
			t.Errorf("%q from %d: %d reports of the past through %d, then %v, %v, want %d", c.account, c.from, len(got), through, at, err, c.want)
			continue
		}
		page, err := s.Reports.From(c.account, at, 100)
		if err != nil {
			t.Errorf("%q from %d: the memory does not go on: %v", c.account, c.from, err)
		}
		got = append(got, page.Reports...)
		step := uint64(2)
		if c.account == "" {
			step = 1
		}
		for i := 1; i < len(got); i++ {
			if got[i].Sequence != got[i-1].Sequence+step {
				t.Errorf("%q from %d: report %d follows %d", c.account, c.from, got[i].Sequence, got[i-1].Sequence)
			}
		}
		if len(got) > 0 && got[len(got)-1].Sequence < 199 {
			t.Errorf("%q from %d: ends at %d", c.account, c.from, got[len(got)-1].Sequence)
		}
	}
	enough := errors.New("enough")
	if _, err := s.Past(t.Context(), "", Cursor{Sequence: 1}, func(Page) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want what the reader said", err)
	}
}

func TestWhatWasCompactedIsGone(t *testing.T) {
	s, kept := dayOf(t, 100, 150, 180)
	if err := kept.ReadFrom(1, func(uint64, []byte) error { return nil }); !errors.Is(err, journal.ErrCompacted) {
		t.Fatalf("the journal was not compacted: %v", err)
	}
	_, err := s.Past(t.Context(), "", Cursor{Sequence: 1}, func(Page) error { return nil })
	if err != (Gone{151}) {
		t.Errorf("got %v, want that 151 is the first", err)
	}
	n := 0
	if _, err := s.Past(t.Context(), "", Cursor{Sequence: 151}, func(page Page) error { n += len(page.Reports); return nil }); err != nil || n != 40 {
		t.Errorf("from the first: %d reports, %v", n, err)
	}
}

// counted counts the replays of a journal, and holds up the first of them.
type counted struct {
	*journal.File
	replays atomic.Int32
	first   chan struct{}
}

func (c *counted) SnapshotBefore(sequence uint64) (uint64, []byte, error) {
	if c.replays.Add(1) == 1 {
		<-c.first
	}
	return c.File.SnapshotBefore(sequence)
}

// When many readers come at once, the journal is replayed for as many of them together as a turn has: those who
// come while a replay is under way wait for the next.
func TestReadersOfThePastShareAReplay(t *testing.T) {
	s, kept := dayOf(t, 50, 120)
	replays := &counted{File: kept, first: make(chan struct{})}
	s.past.journal = replays
	var readers sync.WaitGroup
	// until waits for how many wait for their turn, while the first replay is under way.
	until := func(wait int) {
		for {
			s.past.mu.Lock()
			there := s.past.running && len(s.past.waiting) == wait
			s.past.mu.Unlock()
			if there {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	for i := range 100 {
		if i == 1 {
			until(0) // The replay of the first began without the others.
		}
		readers.Go(func() {
			account, want := []string{"", "A", "B"}[i%3], []int{190, 95, 95}[i%3]
			n := 0
			at, err := s.Past(t.Context(), account, Cursor{Sequence: 1}, func(page Page) error { n += len(page.Reports); return nil })
			if err != nil || n != want || at.Sequence != s.Reports.first(account) {
				t.Errorf("%q: %d reports, then %v, %v, want %d", account, n, at, err, want)
			}
		})
	}
	until(99)
	close(replays.first)
	readers.Wait()
	if n := replays.replays.Load(); n != 1+(99+readersOfATurn-1)/readersOfATurn {
		t.Errorf("%d replays, want one for who came first, and one for each %d of the others", n, readersOfATurn)
	}
}

// A reader that takes nothing holds up the others of its turn once, and then waits for another turn.
func TestAReaderThatTakesNothingLosesItsTurn(t *testing.T) {
	ready := &turn{blocks: make(chan block, blocksAhead)}
	frozen, later := &turn{blocks: make(chan block)}, &turn{from: 10, blocks: make(chan block)}
	group := hand([]*turn{frozen, ready, later}, block{through: 9})
	if !slices.Equal(group, []*turn{ready, later}) || len(ready.blocks) != 1 {
		t.Errorf("%d readers stay, want the one that takes and the one whose reports are to come", len(group))
	}
	if _, more := <-frozen.blocks; more || frozen.err != nil {
		t.Error("its turn is not over")
	}
	left := make(chan struct{})
	close(left)
	if group := hand([]*turn{{blocks: make(chan block, blocksAhead), gone: left}}, block{through: 9}); len(group) != 0 {
		t.Error("a reader that has left stays")
	}
}
