package market

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"aetherion/trading/internal/clock"
)

// numbered gives rows 1 to n, in pieces; then err, or the end.
type numbered struct {
	n, given int64
	err      error
}

func (s *numbered) Next(rows []Row) (int, error) {
	for i := range rows {
		if s.given == s.n {
			if s.err != nil {
				return i, s.err
			}
			return i, io.EOF
		}
		s.given++
		rows[i] = Row{Kind: Trade, MdSequence: s.given, TransactTime: s.given}
	}
	return len(rows), nil
}

func ignore([]Row) error { return nil }

func drain(s *Subscription) (rows int64, gap bool) {
	for batch := range s.Rows {
		for i := range batch {
			gap = gap || batch[i].MdSequence != rows+1
			rows++
		}
	}
	return rows, gap
}

func TestEverySubscriberGetsEveryRow(t *testing.T) {
	const n = 50_000
	replay := NewReplay()
	subscriptions := []*Subscription{replay.Subscribe(replayRows), replay.Subscribe(replayRows), replay.Subscribe(replayRows)}
	var applied int64
	done := make(chan error, 1)
	go func() {
		done <- replay.Run(t.Context(), &numbered{n: n}, NewPacer(clock.System{}, 0), func(rows []Row) error {
			applied += int64(len(rows))
			return nil
		})
	}()
	var wait sync.WaitGroup
	for i, s := range subscriptions {
		wait.Go(func() {
			if i == 0 {
				time.Sleep(20 * time.Millisecond) // The others wait for it.
			}
			if rows, gap := drain(s); rows != n || gap || s.Err() != nil {
				t.Errorf("subscriber %d: %d rows, gap %v, %v", i, rows, gap, s.Err())
			}
		})
	}
	wait.Wait()
	if err := <-done; err != nil || applied != n {
		t.Errorf("applied %d, %v", applied, err)
	}
	if late := replay.Subscribe(replayRows); late.Err() != nil {
		t.Error(late.Err())
	} else if rows, _ := drain(late); rows != 0 {
		t.Errorf("%d rows after the end", rows)
	}
}

// A reader that takes few rows at once is never far behind the venue.
func TestReplayIsNoFurtherAheadThanTwoBatches(t *testing.T) {
	const most = 3
	replay := NewReplay()
	s, other := replay.Subscribe(most), replay.Subscribe(replayRows)
	ctx, cancel := context.WithCancel(t.Context())
	applied, done := make(chan int, 1000), make(chan error, 1)
	go func() {
		done <- replay.Run(ctx, &numbered{n: 1000}, NewPacer(clock.System{}, 0), func(rows []Row) error {
			applied <- len(rows)
			return nil
		})
	}()
	go drain(other)
	for range 5 {
		if rows := <-s.Rows; len(rows) > most {
			t.Errorf("%d rows at once, want at most %d", len(rows), most)
		}
	}
	time.Sleep(20 * time.Millisecond) // In which it could run ahead.
	if batches := len(applied); batches > 6 {
		t.Errorf("%d batches were applied while 5 were read", batches)
	}
	s.Limit(100)
	<-s.Rows // was on its way
	if rows := <-s.Rows; len(rows) != 100 {
		t.Errorf("%d rows at once, want 100", len(rows))
	}
	cancel()
	<-done
}

func TestReplayWaitsForItsFirstSubscriber(t *testing.T) {
	replay := NewReplay()
	ctx, cancel := context.WithCancel(t.Context())
	source := &numbered{n: 10}
	done := make(chan error, 1)
	go func() { done <- replay.Run(ctx, source, NewPacer(clock.System{}, 0), ignore) }()
	select {
	case <-done:
		t.Fatal("played to nobody")
	case <-time.After(20 * time.Millisecond):
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || source.given != 0 {
		t.Errorf("%v after %d rows", err, source.given)
	}
}

func TestClosedSubscriberBlocksNobody(t *testing.T) {
	const n = 10 * replayRows
	replay := NewReplay()
	gone, stays := replay.Subscribe(replayRows), replay.Subscribe(replayRows)
	done := make(chan error, 1)
	go func() { done <- replay.Run(t.Context(), &numbered{n: n}, NewPacer(clock.System{}, 0), ignore) }()
	go func() {
		<-gone.Rows
		time.Sleep(20 * time.Millisecond) // In which the replay waits for it.
		gone.Close()
	}()
	if rows, gap := drain(stays); rows != n || gap {
		t.Errorf("%d rows, gap %v", rows, gap)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBroadcastWaitsForNobody(t *testing.T) {
	replay := NewBroadcast()
	frozen, reads := replay.Subscribe(replayRows), replay.Subscribe(replayRows)
	ctx, cancel := context.WithCancel(t.Context())
	batches, done := make(chan []Row), make(chan struct{})
	go func() {
		defer close(done)
		replay.Broadcast(ctx, batches)
	}()
	for i := range int64(2 * broadcastBatches) {
		batches <- []Row{{Kind: Trade, MdSequence: i + 1}}
		if rows := <-reads.Rows; len(rows) != 1 || rows[0].MdSequence != i+1 {
			t.Fatalf("got %v, want row %d", rows, i+1)
		}
	}
	cancel()
	<-done
	if rows, gap := drain(frozen); rows != broadcastBatches || gap || !errors.Is(frozen.Err(), ErrBehind) {
		t.Errorf("the frozen one has %d rows, gap %v, %v", rows, gap, frozen.Err())
	}
	if err := reads.Err(); err != nil {
		t.Error(err)
	}
	frozen.Close()
	reads.Close()
}

func TestFaultEndsTheReplayForAll(t *testing.T) {
	for name, c := range map[string]struct {
		source *numbered
		apply  func([]Row) error
	}{
		"of the data":  {&numbered{n: 5, err: errors.New("row 6: bad")}, ignore},
		"of the venue": {&numbered{n: 5}, func([]Row) error { return errors.New("row 6: bad") }},
	} {
		t.Run(name, func(t *testing.T) {
			replay := NewReplay()
			s := replay.Subscribe(replayRows)
			done := make(chan error, 1)
			go func() { done <- replay.Run(t.Context(), c.source, NewPacer(clock.System{}, 0), c.apply) }()
			drain(s)
			if err := <-done; err == nil {
				t.Error("no error")
			}
			if s.Err() == nil || !strings.Contains(s.Err().Error(), "row 6") {
				t.Errorf("got %v", s.Err())
			}
			if late := replay.Subscribe(replayRows); late.Err() == nil {
				t.Error("a late subscriber sees no error")
			}
		})
	}
}

func TestPace(t *testing.T) {
	ticks := func(at ...int64) []Row {
		rows := make([]Row, len(at))
		for i := range rows {
			rows[i].TransactTime = at[i]
		}
		return rows
	}
	var virtual clock.Virtual
	virtual.Set(1_000)
	pacer := NewPacer(&virtual, 2)
	rows := ticks(500, 500, 520, 1_000_000_000_000_000_000)
	if due := pacer.Due(rows); due != 2 {
		t.Errorf("%d due at the start, want 2", due)
	}
	virtual.Set(1_009)
	if due := pacer.Due(rows); due != 2 {
		t.Errorf("%d due after 9 ns, want 2", due)
	}
	virtual.Set(1_010)
	if due := pacer.Due(rows); due != 3 {
		t.Errorf("%d due after 10 ns, want 3", due)
	}
	if due := NewPacer(&virtual, 0).Due(rows); due != 4 {
		t.Errorf("%d due without a pace, want 4", due)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := pacer.Wait(ctx, rows[3].TransactTime); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	start := time.Now()
	paced := NewPacer(clock.System{}, 10)
	for _, at := range []time.Duration{0, 200 * time.Millisecond} {
		if err := paced.Wait(t.Context(), int64(at)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(start); took < 20*time.Millisecond {
		t.Errorf("200 ms at ten times the speed took %v", took)
	}
}
