package exchange

import (
	"math/rand/v2"
	"slices"
	"testing"

	"aetherion/trading/internal/market"
	"aetherion/trading/internal/testseed"
	"aetherion/trading/internal/venue/sim"
)

// follower rebuilds a book from the orders that the market is told of, knowing only the rows.
type follower struct {
	queues [2]map[int64][]shownID // by price, in priority
	next   int64                  // sequence expected
}

type shownID struct{ id, qty int64 }

func (f *follower) take(t *testing.T, rows []market.Row) {
	t.Helper()
	for _, row := range rows {
		if row.Instrument != 0 {
			continue
		}
		if row.BookFlags&market.BookSnapshot == 0 {
			if f.next++; row.MdSequence != f.next {
				t.Fatalf("row %d, expected %d", row.MdSequence, f.next)
			}
		}
		if row.Kind != market.BookOrder {
			continue
		}
		queue := f.queues[row.BookSide-1]
		at := slices.IndexFunc(queue[row.BookPx], func(s shownID) bool { return s.id == row.BookOrderID })
		switch {
		case row.BookQty == 0 && at >= 0:
			queue[row.BookPx] = slices.Delete(queue[row.BookPx], at, at+1)
		case row.BookQty == 0:
		case at < 0:
			queue[row.BookPx] = append(queue[row.BookPx], shownID{row.BookOrderID, row.BookQty})
		case row.BookQty > queue[row.BookPx][at].qty:
			t.Fatalf("order %d grew in its place", row.BookOrderID)
		default:
			queue[row.BookPx][at].qty = row.BookQty
		}
	}
}

// Whoever follows the orders has the book: every queue in its priority, and nothing that is hidden.
func TestOrdersAreToldInTheirPriority(t *testing.T) {
	x := newExchange(t, Config{})
	open(t, x)
	g := generator{Rand: rand.New(rand.NewPCG(testseed.Of(t), 2))}
	f := follower{queues: [2]map[int64][]shownID{{}, {}}}
	compared := 0
	for step := range 20_000 {
		now := int64(step * 1000)
		if err := x.Handle(now, g.command(step)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := x.Advance(now); err != nil {
			t.Fatal(err)
		}
		f.take(t, x.OrderRows())
		if step%50 != 0 {
			continue
		}
		b := x.books[0]
		for side, queues := range f.queues {
			told := 0
			for _, queue := range queues {
				told += len(queue)
			}
			var place, last int64
			b.matching.Orders(sim.Buy+sim.Side(side), func(id uint64, price, shown int64) {
				if price != last {
					place, last = 0, price
				}
				queue, number := queues[price], int64(b.orders[id].number)
				if int(place) >= len(queue) || queue[place] != (shownID{number, shown}) {
					t.Fatalf("step %d side %d at %d place %d: order %d shows %d, told %v", step, side, price, place, number, shown, queue)
				}
				place++
				told--
				compared++
			})
			if told != 0 {
				t.Fatalf("step %d side %d: %d orders too many were told", step, side, told)
			}
		}
		// A snapshot is the same book.
		again := follower{queues: [2]map[int64][]shownID{{}, {}}}
		again.take(t, x.OrderSnapshot())
		for side := range again.queues {
			for price, queue := range again.queues[side] {
				if len(queue) > 0 && !slices.Equal(queue, f.queues[side][price]) {
					t.Fatalf("the snapshot at %d is %v, the feed %v", price, queue, f.queues[side][price])
				}
			}
		}
	}
	if compared < 1_000 {
		t.Errorf("only %d orders were compared", compared)
	}
}
