package book

import (
	"fmt"

	"aetherion/trading/internal/engine"
)

// State says whether a Synced book may be read.
type State uint8

// The states.
const (
	// Waiting for a snapshot: deltas are kept until one comes.
	Waiting State = iota
	// Live: the book is what the venue says.
	Live
)

// maxWaiting bounds the levels that are kept for a snapshot that does not come: some minutes of a busy book.
const maxWaiting = 1 << 20

// Event is a snapshot, or what changed after another: the quantity of each level named, from now on.
type Event struct {
	// Prev and Last are the venue's numbers of the book before and after the event; of a snapshot only Last is
	// meant. A venue that does not number its deltas leaves both 0: there only the connection proves that none is lost.
	Prev, Last int64
	Bids, Asks []Level
	// Checksum is the venue's of the book after the event, where it sends one.
	Checksum    uint32
	HasChecksum bool
}

// Synced is an L2 book that knows whether it is right. A gap, a crossed book or a wrong checksum makes it Waiting
// until the next snapshot; it is never silently wrong.
type Synced struct {
	// Sum is the venue's checksum; nil where it has none.
	Sum func(*Book) uint32

	book    Book
	state   State
	at      int64
	waiting []Event
	levels  int // in waiting
}

// State says whether the book may be read.
func (s *Synced) State() State { return s.state }

// At is the venue's number of the book.
func (s *Synced) At() int64 { return s.at }

// Book is the book while it is Live, else nil.
func (s *Synced) Book() *Book {
	if s.state != Live {
		return nil
	}
	return &s.book
}

// Invalidate makes the book wait for a snapshot: the connection was lost, or the feed fell silent.
func (s *Synced) Invalidate() {
	s.book.Clear()
	s.state, s.at = Waiting, 0
	s.forget()
}

// Snapshot replaces the book, and applies the deltas that came before it and go beyond it. An error leaves the book
// Waiting: another snapshot is needed.
func (s *Synced) Snapshot(e Event) error {
	waiting := s.waiting
	s.Invalidate()
	s.state, s.at = Live, e.Last
	if err := s.apply(e); err != nil {
		return err
	}
	for n, delta := range waiting {
		if _, err := s.Delta(delta); err != nil {
			// What came after the gap counts for the next snapshot.
			for _, later := range waiting[n+1:] {
				s.keep(later)
			}
			return err
		}
	}
	return nil
}

// Delta applies a delta, keeps it while the book waits, or drops one that the book has already. An error is a gap or
// a contradiction: the book is Waiting from here on.
func (s *Synced) Delta(e Event) (applied bool, err error) {
	if s.state == Waiting {
		s.keep(e)
		return false, nil
	}
	if e.Last != 0 {
		if e.Last <= s.at {
			return false, nil
		}
		// A delta that starts before the book and ends after it is right: its quantities are those at its end.
		if e.Prev > s.at {
			at := s.at
			s.Invalidate()
			s.keep(e)
			return false, fmt.Errorf("prev_update_id: must be at most %d, the book's, got %d: updates were lost", at, e.Prev)
		}
		s.at = e.Last
	}
	if err := s.apply(e); err != nil {
		return false, err
	}
	return true, nil
}

func (s *Synced) apply(e Event) error {
	for _, level := range e.Bids {
		s.book.Set(engine.Buy, level.Px, level.Qty)
	}
	for _, level := range e.Asks {
		s.book.Set(engine.Sell, level.Px, level.Qty)
	}
	if s.book.Crossed() {
		bid, _ := s.book.Best(engine.Buy)
		ask, _ := s.book.Best(engine.Sell)
		s.Invalidate()
		return fmt.Errorf("bid_px: must be below ask_px %d after update %d, got %d", ask.Px, e.Last, bid.Px)
	}
	if s.Sum != nil && e.HasChecksum {
		if sum := s.Sum(&s.book); sum != e.Checksum {
			s.Invalidate()
			return fmt.Errorf("checksum: must be %d after update %d, got %d", e.Checksum, e.Last, sum)
		}
	}
	return nil
}

// keep copies: an event's levels are its decoder's, who writes over them. Deltas without numbers are not kept: nobody
// can say whether a snapshot has them.
func (s *Synced) keep(e Event) {
	if e.Last == 0 {
		return
	}
	if size := len(e.Bids) + len(e.Asks); s.levels+size > maxWaiting {
		s.forget() // the oldest are of no use without those after them; a later snapshot meets what comes now
	}
	e.Bids, e.Asks = append([]Level(nil), e.Bids...), append([]Level(nil), e.Asks...)
	s.waiting = append(s.waiting, e)
	s.levels += len(e.Bids) + len(e.Asks)
}

func (s *Synced) forget() { s.waiting, s.levels = nil, 0 }
