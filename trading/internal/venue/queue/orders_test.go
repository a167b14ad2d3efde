package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"aetherion/trading/internal/engine"
)

func TestOrdersFillInTurn(t *testing.T) {
	b := NewOrders(Rules{Lot: 1})
	b.Add(1, buy, 99, 10)
	check(t, "joins", b.Submit(Order{7, buy, 99, 5}), "")
	b.Add(2, buy, 99, 10)
	check(t, "one before it trades", b.Execute(1, 4), "")
	check(t, "one behind it leaves", b.Reduce(2, 9), "")
	check(t, "one behind it trades", b.Execute(2, 6), "7:3@99")
	check(t, "one at a worse price trades", b.Add(3, buy, 98, 8), "")
	check(t, "one at a worse price trades", b.Execute(3, 0), "7:2@99")
}

func TestOrdersFillWhenFirstAndCrossed(t *testing.T) {
	b := NewOrders(Rules{Lot: 1})
	b.Add(1, buy, 99, 10)
	b.Submit(Order{7, buy, 99, 5})
	check(t, "crossed, but not first", b.Add(2, sell, 98, 3), "")
	check(t, "first, and crossed", b.Cancel(1), "7:3@99")
	check(t, "the same three are not there again", b.Add(3, buy, 90, 1), "")
	check(t, "unknown", b.Execute(55, 0), "")
}

func TestOrdersTake(t *testing.T) {
	b := NewOrders(Rules{Lot: 1})
	b.Add(1, sell, 101, 2)
	b.Add(2, sell, 102, 2)
	if b.CanTake(Order{6, buy, 102, 5}) || !b.CanTake(Order{6, buy, 102, 4}) {
		t.Error("can take: must be all that crosses, and no more")
	}
	check(t, "takes, then rests", b.Submit(Order{7, buy, 101, 5}), "7:2@101t")
	if !b.CancelOurs(7) || b.CancelOurs(7) {
		t.Error("cancel: must find the order once")
	}
}

func TestOrdersTakeAShareInLots(t *testing.T) {
	b := NewOrders(Rules{Lot: 10, TakeBps: 5_000})
	b.Add(1, sell, 101, 50)
	check(t, "half of it, in lots", b.Submit(Order{7, buy, 101, 100}), "7:20@101t")
	check(t, "and no more of it later", b.Add(2, buy, 100, 10), "")
	check(t, "nor when it moves", b.Set(1, sell, 100, 50, false), "")
	check(t, "an exact turn is in full", b.Set(2, buy, 100, 0, true), "7:10@101")
}

func TestSetIsWhatAnOrderIsFromNowOn(t *testing.T) {
	b := NewOrders(Rules{Lot: 1})
	check(t, "traded before it was known", b.Set(1, buy, 99, 5, true), "")
	if _, any := b.Best(buy); any {
		t.Error("an order whose place is not known must not join")
	}
	b.Set(1, buy, 99, 10, false)
	b.Submit(Order{7, buy, 99, 5})
	check(t, "less keeps its place", b.Set(1, buy, 99, 8, false), "")
	check(t, "before ours it trades alone", b.Set(1, buy, 99, 7, true), "")
	check(t, "more of it goes behind ours", b.Set(1, buy, 99, 9, false), "")
	check(t, "behind ours it trades after it", b.Set(1, buy, 99, 7, true), "7:2@99")
	check(t, "moves away", b.Set(1, sell, 120, 7, false), "")
	if px, _ := b.Best(sell); px != 120 {
		t.Errorf("best: want 120, got %d", px)
	}
	check(t, "moves across ours", b.Set(1, sell, 98, 2, true), "7:2@99")
	check(t, "what ours took of it stays taken", b.Set(1, sell, 97, 2, true), "")
	check(t, "is canceled", b.Set(1, sell, 97, 0, false), "")
	b.Set(2, sell, 110, 1, false)
	b.Clear()
	if _, any := b.Best(sell); any || b.bids.list[0].id != 7 {
		t.Error("clear: must leave ours and nothing else")
	}
}

// The same rules from nothing but a list that is sorted anew for each question.
type twin struct {
	all  []*twinOrder
	seen int
	bps  int64
}

type twinOrder struct {
	id         int64
	ours       bool
	side       engine.Side
	px, leaves int64
	taken      int64
	seen       int
}

func (w *twin) in(side engine.Side) []*twinOrder {
	var in []*twinOrder
	for _, o := range w.all {
		if o.side == side && o.leaves > 0 {
			in = append(in, o)
		}
	}
	slices.SortStableFunc(in, func(a, b *twinOrder) int {
		if a.px != b.px {
			if (a.px > b.px) == (side == buy) {
				return -1
			}
			return 1
		}
		return a.seen - b.seen
	})
	return in
}

func (w *twin) add(o twinOrder) {
	w.seen++
	o.seen = w.seen
	w.all = append(w.all, &o)
}

func (w *twin) recorded(id int64) *twinOrder {
	for _, o := range w.all {
		if !o.ours && o.id == id && o.leaves > 0 {
			return o
		}
	}
	return nil
}

func (w *twin) change(id, leaves int64, traded bool) (fills []string) {
	o := w.recorded(id)
	if o == nil {
		return nil
	}
	if qty := o.leaves - leaves; traded {
		for _, p := range w.in(o.side) {
			if p == o {
				break
			}
			if part := min(qty, p.leaves); p.ours && part > 0 {
				qty -= part
				p.leaves -= part
				fills = append(fills, fmt.Sprintf("%d:%d@%d", p.id, part, p.px))
			}
		}
	}
	o.leaves = leaves
	return append(fills, w.crossed()...)
}

func (w *twin) crossed() (fills []string) {
	for _, side := range []engine.Side{buy, sell} {
		for _, o := range w.in(side) {
			if !o.ours {
				break
			}
			filled := int64(0)
			for _, p := range w.in(opposite(side)) {
				filled += w.trade(o, p)
			}
			if filled > 0 {
				fills = append(fills, fmt.Sprintf("%d:%d@%d", o.id, filled, o.px))
			}
			if o.leaves > 0 {
				break
			}
		}
	}
	return fills
}

// trade lets an order of ours trade with a recorded one, as far as both go.
func (w *twin) trade(o, p *twinOrder) int64 {
	crosses := o.side == buy && p.px <= o.px || o.side == sell && p.px >= o.px
	part := min(o.leaves, p.leaves*w.bps/10_000-p.taken)
	if p.ours || !crosses || part <= 0 {
		return 0
	}
	o.leaves -= part
	p.taken += part
	return part
}

// set is Orders.Set.
func (w *twin) set(o twinOrder, traded bool) []string {
	known := w.recorded(o.id)
	switch {
	case known == nil && traded:
		return nil
	case known != nil && (known.side != o.side || known.px != o.px || o.leaves > known.leaves):
		o.taken, known.leaves = known.taken, 0
	case known != nil:
		return w.change(o.id, o.leaves, traded)
	}
	w.add(o)
	return w.crossed()
}

func (w *twin) submit(o twinOrder) (fills []string) {
	for _, p := range w.in(opposite(o.side)) {
		if part := w.trade(&o, p); part > 0 {
			fills = append(fills, fmt.Sprintf("%d:%d@%dt", o.id, part, p.px))
		}
	}
	if o.leaves > 0 {
		w.add(o)
	}
	return fills
}

func TestOrdersAgreeWithTheTwin(t *testing.T) {
	fills := 0
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 3))
		bps := []int64{10_000, 4_000}[seed%2]
		b, w := NewOrders(Rules{Lot: 1, TakeBps: uint32(bps)}), &twin{bps: bps}
		for i := range int64(1_000) {
			side, px, qty := []engine.Side{buy, sell}[random.IntN(2)], 95+random.Int64N(10), 1+random.Int64N(9)
			id, leaves := random.Int64N(i+1), int64(0)
			if o := w.recorded(id); o != nil {
				leaves = random.Int64N(o.leaves + 1)
			}
			var got []Fill
			var want []string
			switch random.IntN(8) {
			case 0:
				got, want = b.Execute(id, leaves), w.change(id, leaves, true)
			case 1:
				got, want = b.Reduce(id, leaves), w.change(id, leaves, false)
			case 2:
				got, want = b.Cancel(id), w.change(id, 0, false)
			case 3:
				traded := random.IntN(2) == 0
				got, want = b.Set(id, side, px, qty, traded), w.set(twinOrder{id: id, side: side, px: px, leaves: qty}, traded)
			case 4:
				got = b.Submit(Order{uint64(i), side, px, qty})
				want = w.submit(twinOrder{id: i, ours: true, side: side, px: px, leaves: qty})
			default:
				got = b.Add(i, side, px, qty)
				w.add(twinOrder{id: i, side: side, px: px, leaves: qty})
				want = w.crossed()
			}
			var said []string
			for _, f := range got {
				said = append(said, says([]Fill{f}))
			}
			if !slices.Equal(said, want) {
				t.Fatalf("seed %d, step %d: fills %v, the twin's %v", seed, i, said, want)
			}
			fills += len(got)
		}
	}
	if fills < 1_000 {
		t.Errorf("fills: want at least 1,000 in all, got %d", fills)
	}
}
