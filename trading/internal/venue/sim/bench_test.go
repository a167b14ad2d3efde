package sim

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// flow is a repeating mix of what an exchange sees: 45 % new limit orders near the touch, 40 % cancels
// and 15 % orders that trade, with about `resting` orders in the book all the time.
type flow struct {
	r      *rand.Rand
	book   *Book
	live   []uint64
	target int
}

func newFlow(resting int) *flow {
	f := &flow{r: rand.New(rand.NewPCG(1, 1)), book: NewBook(0, 4<<20), target: resting}
	for len(f.live) < resting {
		f.rest()
	}
	return f
}

// rest adds an order within about a thousand ticks of the touch; larger books are deeper at each price.
func (f *flow) rest() {
	n := NewOrder{Owner: 1, Side: Side(1 + f.r.IntN(2)), Type: Limit, TIF: GTC, Qty: 1 + f.r.Int64N(100)}
	distance := 1 + f.r.Int64N(1000)
	n.Price = 6_000_000 + distance
	if n.Side == Buy {
		n.Price = 6_000_000 - distance
	}
	f.live = append(f.live, f.book.Submit(&n)[0].OrderID)
}

func (f *flow) command() {
	switch r := f.r.IntN(100); {
	case len(f.live) < f.target || r < 45:
		f.rest()
	case r < 85 || f.book.Open() < f.target/2:
		i := f.r.IntN(len(f.live))
		f.book.Cancel(f.live[i], 1)
		f.live[i] = f.live[len(f.live)-1]
		f.live = f.live[:len(f.live)-1]
	default:
		f.book.Submit(&NewOrder{Owner: 2, Side: Side(1 + f.r.IntN(2)), Type: Market, TIF: IOC, Qty: 1 + f.r.Int64N(100)})
	}
}

func BenchmarkCommands(b *testing.B) {
	for _, resting := range []int{10, 1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("resting=%d", resting), func(b *testing.B) {
			f := newFlow(resting)
			for range 2 * resting {
				f.command()
			}
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				f.command()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mcommands/s")
		})
	}
}
