package book_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
)

// twin is a book as naive as can be.
type twin map[engine.Side]map[int64]int64

func newTwin() twin { return twin{engine.Buy: {}, engine.Sell: {}} }

func (t twin) set(side engine.Side, px, qty int64) {
	if qty == 0 {
		delete(t[side], px)
	} else {
		t[side][px] = qty
	}
}

func (t twin) levels(side engine.Side) []book.Level {
	prices := slices.Sorted(maps.Keys(t[side]))
	if side == engine.Buy {
		slices.Reverse(prices)
	}
	var levels []book.Level
	for _, px := range prices {
		levels = append(levels, book.Level{Px: px, Qty: t[side][px]})
	}
	return levels
}

func check(t rapid.TB, got *book.Book, want twin) {
	t.Helper()
	for _, side := range []engine.Side{engine.Buy, engine.Sell} {
		levels := want.levels(side)
		if held := got.Levels(nil, side, 0); !slices.Equal(held, levels) {
			t.Fatalf("side %d: got %v, want %v", side, held, levels)
		}
		best, any := got.Best(side)
		if any != (len(levels) > 0) || any && best != levels[0] || got.Depth(side) != len(levels) {
			t.Fatalf("side %d: best %v of %v", side, best, levels)
		}
	}
}

var sides = rapid.SampledFrom([]engine.Side{engine.Buy, engine.Sell})

func TestBookIsItsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b book.Book
		naive := newTwin()
		for range rapid.IntRange(0, 200).Draw(t, "changes") {
			side, px, qty := sides.Draw(t, "side"), rapid.Int64Range(-20, 20).Draw(t, "px"), rapid.Int64Range(0, 3).Draw(t, "qty")
			b.Set(side, px, qty)
			naive.set(side, px, qty)
			if b.Qty(side, px) != qty {
				t.Fatalf("%d at %d, set to %d", b.Qty(side, px), px, qty)
			}
		}
		check(t, &b, naive)
		if limited := b.Levels(nil, engine.Buy, 2); len(limited) != min(2, len(naive[engine.Buy])) {
			t.Fatalf("limit of 2 gave %v", limited)
		}
	})
}

// venue is the truth: every book it had, and the delta from each to the next.
type venue struct {
	books  []twin
	deltas []book.Event
}

func (v venue) snapshot(at int64) book.Event {
	return book.Event{Last: at, Bids: v.books[at].levels(engine.Buy), Asks: v.books[at].levels(engine.Sell)}
}

func drawVenue(t *rapid.T) venue {
	v := venue{books: []twin{newTwin()}}
	for n := range rapid.IntRange(2, 40).Draw(t, "updates") {
		next := newTwin()
		for side, levels := range v.books[n] {
			maps.Copy(next[side], levels)
		}
		e := book.Event{Prev: int64(n), Last: int64(n) + 1}
		for range rapid.IntRange(0, 3).Draw(t, "levels") {
			px, qty := rapid.Int64Range(1, 10).Draw(t, "px"), rapid.Int64Range(0, 2).Draw(t, "qty")
			next.set(engine.Buy, px, qty)
			next.set(engine.Sell, px+20, qty)
			e.Bids, e.Asks = append(e.Bids, book.Level{Px: px, Qty: qty}), append(e.Asks, book.Level{Px: px + 20, Qty: qty})
		}
		v.books, v.deltas = append(v.books, next), append(v.deltas, e)
	}
	return v
}

// Whatever is lost, repeated or late: a book that says it is live is the venue's at its number.
func TestSyncedIsNeverSilentlyWrong(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawVenue(t)
		var s book.Synced
		at := 0 // of the stream
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"next", "next", "next", "lose", "again", "snapshot", "cut"}).Draw(t, "step") {
			case "next":
				if at < len(v.deltas) {
					before := s.State()
					if _, err := s.Delta(v.deltas[at]); (err != nil) != (before == book.Live && s.State() == book.Waiting) {
						t.Fatalf("error %v while state went from %d to %d", err, before, s.State())
					}
					at++
				}
			case "lose":
				at = min(at+1, len(v.deltas))
			case "again":
				if at > 0 {
					_, _ = s.Delta(v.deltas[rapid.IntRange(0, at-1).Draw(t, "which")])
				}
			case "snapshot":
				_ = s.Snapshot(v.snapshot(int64(rapid.IntRange(0, len(v.deltas)).Draw(t, "of"))))
			case "cut":
				s.Invalidate()
			}
			if s.State() == book.Live {
				check(t, s.Book(), v.books[s.At()])
			} else if s.Book() != nil {
				t.Fatal("a book is readable that is not live")
			}
		}
		if err := s.Snapshot(v.snapshot(int64(len(v.deltas)))); err != nil || s.State() != book.Live {
			t.Fatalf("state %d after a fresh snapshot: %v", s.State(), err)
		}
		check(t, s.Book(), v.books[len(v.deltas)])
	})
}

func TestSyncedKeepsDeltasForTheSnapshot(t *testing.T) {
	var s book.Synced
	levels := []book.Level{{Px: 9, Qty: 1}}
	for n := range int64(3) {
		levels[0].Qty = n + 1 // the decoder's memory is written over
		if applied, err := s.Delta(book.Event{Prev: n * 10, Last: n*10 + 5, Bids: levels}); applied || err != nil {
			t.Fatalf("applied %v, %v without a snapshot", applied, err)
		}
	}
	if err := s.Snapshot(book.Event{Last: 2}); err == nil || s.State() != book.Waiting {
		t.Fatalf("deltas 0-5, 10-15 have a gap, got state %d, %v", s.State(), err)
	}
	if err := s.Snapshot(book.Event{Last: 12}); err == nil {
		t.Fatal("deltas 10-15, 20-25 have a gap")
	}
	if err := s.Snapshot(book.Event{Last: 21}); err != nil || s.At() != 25 || s.Book().Qty(engine.Buy, 9) != 3 {
		t.Fatalf("at %d, %v", s.At(), err)
	}
}

func TestSyncedRefusesWhatCannotBe(t *testing.T) {
	s := book.Synced{Sum: func(b *book.Book) uint32 { return uint32(b.Depth(engine.Buy)) }}
	bid, ask := []book.Level{{Px: 5, Qty: 1}}, []book.Level{{Px: 5, Qty: 1}}
	for name, events := range map[string][2]book.Event{
		"crossed":  {{Last: 1, Bids: bid}, {Prev: 1, Last: 2, Asks: ask}},
		"checksum": {{Last: 1, Bids: bid, Checksum: 1, HasChecksum: true}, {Prev: 1, Last: 2, Checksum: 2, HasChecksum: true}},
	} {
		if err := s.Snapshot(events[0]); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := s.Delta(events[1]); err == nil || s.State() != book.Waiting {
			t.Fatalf("%s: state %d, %v", name, s.State(), err)
		}
	}
}

// The L3 book is the list of its orders, and its L2 book the sums of them.
func TestOrdersAreTheirTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		held := book.NewOrders()
		var naive []book.Order
		for range rapid.IntRange(0, 100).Draw(t, "events") {
			id := rapid.Int64Range(1, 12).Draw(t, "id")
			px, qty := rapid.Int64Range(1, 4).Draw(t, "px"), rapid.Int64Range(0, 3).Draw(t, "qty")
			i := slices.IndexFunc(naive, func(o book.Order) bool { return o.ID == id })
			var err error
			refused := i < 0
			switch rapid.SampledFrom([]string{"add", "add", "modify", "delete"}).Draw(t, "event") {
			case "add":
				order := book.Order{ID: id, Side: sides.Draw(t, "side"), Px: px, Qty: qty}
				if err, refused = held.Add(order), i >= 0 || qty == 0; !refused {
					naive = append(naive, order)
				}
			case "modify":
				if err = held.Modify(id, px, qty); !refused {
					changed := naive[i]
					stays := changed.Px == px && qty <= changed.Qty && qty > 0
					changed.Px, changed.Qty = px, qty
					if stays {
						naive[i] = changed
					} else if naive = slices.Delete(naive, i, i+1); qty > 0 {
						naive = append(naive, changed)
					}
				}
			case "delete":
				if err = held.Delete(id); !refused {
					naive = slices.Delete(naive, i, i+1)
				}
			}
			if (err != nil) != refused {
				t.Fatalf("refused %v, want %v", err, refused)
			}
		}
		checkOrders(t, held, naive)
	})
}

func checkOrders(t *rapid.T, held *book.Orders, naive []book.Order) {
	sums := newTwin()
	queues := map[string][]book.Order{}
	for _, o := range naive {
		sums[o.Side][o.Px] += o.Qty
		queues[fmt.Sprint(o.Side, o.Px)] = append(queues[fmt.Sprint(o.Side, o.Px)], o)
		if got, there := held.Order(o.ID); !there || got != o {
			t.Fatalf("order %d: got %v, want %v", o.ID, got, o)
		}
	}
	check(t, held.Book(), sums)
	for _, side := range []engine.Side{engine.Buy, engine.Sell} {
		for px := range int64(5) {
			if got, want := held.At(nil, side, px), queues[fmt.Sprint(side, px)]; !slices.Equal(got, want) {
				t.Fatalf("queue at %d: got %v, want %v", px, got, want)
			}
		}
	}
	if held.Len() != len(naive) {
		t.Fatalf("%d orders, want %d", held.Len(), len(naive))
	}
}

// FuzzSynced takes events of any numbers, prices and quantities: it may refuse them, and never shows a crossed book.
func FuzzSynced(f *testing.F) {
	f.Add([]byte{0, 0, 2, 5, 1, 1, 2, 4, 9, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		var s book.Synced
		for ; len(data) >= 5; data = data[5:] {
			level := []book.Level{{Px: int64(int8(data[3])), Qty: int64(int8(data[4]))}}
			e := book.Event{Prev: int64(int8(data[1])), Last: int64(int8(data[2]))}
			if data[0]&1 == 0 {
				e.Bids = level
			} else {
				e.Asks = level
			}
			if data[0]&2 == 0 {
				_ = s.Snapshot(e)
			} else {
				_, _ = s.Delta(e)
			}
			if b := s.Book(); b != nil && b.Crossed() {
				t.Fatal("a crossed book is live")
			}
		}
	})
}
