package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
)

const (
	buy, sell = engine.Buy, engine.Sell
)

// says are fills, one a word: order:qty@price, with a t behind it when it took.
func says(fills []Fill) string {
	var words []string
	for _, f := range fills {
		word := fmt.Sprintf("%d:%d@%d", f.OrderID, f.Qty, f.Px)
		if !f.Maker {
			word += "t"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func check(t *testing.T, what string, fills []Fill, want string) {
	t.Helper()
	if got := says(fills); got != want {
		t.Errorf("%s: fills %q, want %q", what, got, want)
	}
}

// newBook is bids 99 and 98, asks 101 and 102, ten at each.
func newBook(t *testing.T, rules Rules) *Depth {
	t.Helper()
	d := NewDepth(rules)
	for _, l := range []struct {
		side engine.Side
		px   int64
	}{{buy, 98}, {buy, 99}, {sell, 102}, {sell, 101}} {
		check(t, "the book", d.Level(l.side, l.px, 10), "")
	}
	return d
}

var models = map[string]Model{"risk-averse": RiskAverse, "log": Probabilistic(Log(1)), "power": Probabilistic(Power(3))}

func TestTradesAtThePriceFillInTurn(t *testing.T) {
	for name, model := range models {
		d := newBook(t, Rules{Model: model, Lot: 1})
		check(t, name, d.Submit(Order{1, buy, 99, 5}), "")
		check(t, name+", ten before it", d.Trade(sell, 99, 10), "")
		check(t, name+", its turn", d.Trade(sell, 99, 2), "1:2@99")
		check(t, name+", the other side", d.Trade(buy, 99, 2), "")
		check(t, name+", the rest", d.Trade(sell, 99, 4), "1:3@99")
		check(t, name+", nothing left", d.Trade(sell, 99, 4), "")
	}
}

func TestWholeFillsInFull(t *testing.T) {
	d := newBook(t, Rules{Model: RiskAverse, Lot: 1, Whole: true})
	d.Submit(Order{1, buy, 99, 500})
	check(t, "whole", d.Trade(sell, 99, 11), "1:500@99")
	check(t, "whole taker", d.Submit(Order{2, buy, 102, 500}), "2:500@101t")
}

func TestTradeThroughFillsBetterPrices(t *testing.T) {
	d := newBook(t, Rules{Model: RiskAverse, Lot: 1})
	d.Submit(Order{1, buy, 98, 5})
	d.Submit(Order{2, buy, 99, 5})
	check(t, "through 99 and 98", d.Trade(sell, 97, 7), "2:5@99 1:2@98")
}

func TestOppositeBestFillsWhatItCrosses(t *testing.T) {
	d := newBook(t, Rules{Model: RiskAverse, Lot: 1})
	d.Submit(Order{1, buy, 99, 5})
	check(t, "an ask at the price", d.Level(sell, 99, 3), "1:3@99")
	check(t, "no more of it", d.Level(sell, 99, 3), "")
	check(t, "less of it", d.Level(sell, 99, 1), "")
	check(t, "more of it", d.Level(sell, 99, 9), "1:2@99")
	if px, any := d.Best(buy); !any || px != 98 {
		t.Errorf("best bid: got %d, want 98, since the ask passed 99", px)
	}
}

// Ten stand before an order and ten behind it. Then ten leave without a trade.
func TestWhatLeavesTheLevel(t *testing.T) {
	for name, before := range map[string]int64{
		"risk-averse": 10, // all ten left behind it
		"log":         8,  // ln 11 / ln 21 = 0.788 of them did: 7.88 are left before it
		"power":       5,  // half of them did
	} {
		d := newBook(t, Rules{Model: models[name], Lot: 1})
		d.Submit(Order{1, buy, 99, 5})
		d.Level(buy, 99, 20)
		d.Level(buy, 99, 10)
		check(t, name+", what stands before it", d.Trade(sell, 99, before), "")
		check(t, name+", one more", d.Trade(sell, 99, 1), "1:1@99")
	}
}

func TestTradesAreNotCountedTwice(t *testing.T) {
	// Four trade, and the level's change says so: six are before the order, whatever the model.
	for name, model := range models {
		d := newBook(t, Rules{Model: model, Lot: 1})
		d.Submit(Order{1, buy, 99, 5})
		d.Trade(sell, 99, 4)
		d.Level(buy, 99, 6)
		check(t, name, d.Trade(sell, 99, 6), "")
		check(t, name, d.Trade(sell, 99, 1), "1:1@99")
	}
}

func TestTakersWalkTheDepthOnce(t *testing.T) {
	d := newBook(t, Rules{Model: RiskAverse, Lot: 5})
	check(t, "limit", d.Submit(Order{1, buy, 101, 14}), "1:10@101t")
	check(t, "taken", d.Submit(Order{2, buy, 101, 5}), "")
	fills, leaves := d.Take(Order{3, buy, AnyPx(buy), 15})
	check(t, "market", fills, "3:10@102t")
	if leaves != 5 {
		t.Errorf("market: leaves %d, want 5: the side is empty", leaves)
	}
	d.Level(sell, 102, 7)
	fills, _ = d.Take(Order{4, buy, AnyPx(buy), 15})
	check(t, "market, of what is new, in lots", fills, "4:5@102t")
}

func TestTakersHaveTheirShare(t *testing.T) {
	d := newBook(t, Rules{Model: RiskAverse, Lot: 1, TakeBps: 2_500})
	if d.CanTake(Order{1, sell, 98, 5}) || !d.CanTake(Order{1, sell, 98, 4}) {
		t.Error("can take: want 4 of two levels of 10, and no more")
	}
	check(t, "a quarter of each", d.Submit(Order{1, sell, 98, 4}), "1:2@99t 1:2@98t")
}

func TestCancel(t *testing.T) {
	d := newBook(t, Rules{Model: RiskAverse, Lot: 1})
	d.Submit(Order{1, buy, 99, 5})
	if !d.CancelOurs(1) || d.CancelOurs(1) {
		t.Error("cancel: must find the order once")
	}
	check(t, "canceled", d.Trade(sell, 90, 50), "")
}

// Whatever rows come: no order fills beyond its quantity or at a price beyond its limit, and the levels stay
// in order, positive and uncrossed.
func TestDepthProperties(t *testing.T) {
	for name, model := range models {
		random := rand.New(rand.NewPCG(1, 2))
		d := NewDepth(Rules{Model: model, Lot: 1})
		leaves, sent := map[uint64]int64{}, map[uint64]Order{}
		for i := range 200_000 {
			side, px := []engine.Side{buy, sell}[random.IntN(2)], 90+random.Int64N(20)
			var fills []Fill
			switch random.IntN(6) {
			case 0:
				fills = d.Trade(side, px, 1+random.Int64N(20))
			case 1:
				o := Order{uint64(i), side, px, 1 + random.Int64N(20)}
				sent[o.ID], leaves[o.ID] = o, o.Qty
				fills = d.Submit(o)
			default:
				fills = d.Level(side, px, random.Int64N(30))
			}
			for _, f := range fills {
				leaves[f.OrderID] -= f.Qty
				o := sent[f.OrderID]
				if f.Qty <= 0 || leaves[o.ID] < 0 || f.Maker && f.Px != o.Px || !crosses(o.Side, o.Px, f.Px) {
					t.Fatalf("%s: step %d: fill %+v of %+v, leaves %d", name, i, f, o, leaves[o.ID])
				}
			}
			checkLevels(t, d)
		}
	}
}

func checkLevels(t *testing.T, d *Depth) {
	t.Helper()
	for _, l := range []*levels{&d.bids, &d.asks} {
		if !slices.IsSortedFunc(l.list, func(a, b level) int {
			if better(l.side, b.px, a.px) {
				return -1
			}
			return 1
		}) {
			t.Fatalf("levels out of order: %v", l.list)
		}
	}
	bid, bids := d.Best(buy)
	ask, asks := d.Best(sell)
	if bids && asks && bid >= ask {
		t.Fatalf("crossed: bid %d, ask %d", bid, ask)
	}
}
