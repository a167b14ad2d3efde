package sim

import (
	"math/rand/v2"
	"slices"
	"testing"

	"aetherion/trading/internal/testseed"
)

// generator makes commands that meet each other: few prices, few owners, ids that mostly exist.
type generator struct {
	*rand.Rand
	ids []uint64
	now int64
}

func (g *generator) newOrder() NewOrder {
	n := NewOrder{
		Owner: uint32(g.IntN(4)), Side: Side(1 + g.IntN(2)), Type: []OrdType{Limit, Limit, Limit, Limit, Limit, Market, Stop, StopLimit}[g.IntN(8)],
		TIF: []TimeInForce{GTC, GTC, GTC, IOC, FOK, GTD}[g.IntN(6)], STP: STPMode(g.IntN(4)), Qty: 1 + int64(g.IntN(100)),
	}
	// Buys mostly stand below sells, so that books fill up before they trade.
	price := func() int64 { return int64(g.IntN(60)) - 20 + int64(n.Side)*45 }
	if n.Type == Limit || n.Type == StopLimit {
		n.Price = price()
		n.PostOnly = g.IntN(8) == 0
		if g.IntN(4) == 0 {
			n.DisplayQty = 1 + int64(g.IntN(int(n.Qty)))
		}
	}
	if n.Type == Stop || n.Type == StopLimit {
		n.StopPx = price()
	}
	if n.TIF == GTD {
		n.ExpireTime = g.now + int64(g.IntN(200))
	}
	if g.IntN(50) == 0 {
		g.spoil(&n)
	}
	return n
}

func (g *generator) spoil(n *NewOrder) {
	odd := []int64{0, -1, 1 << 62, -1 << 63, 1<<63 - 1}[g.IntN(5)]
	switch g.IntN(6) {
	case 0:
		n.Qty = odd
	case 1:
		n.Price = odd
	case 2:
		n.StopPx = odd
	case 3:
		n.DisplayQty = odd
	case 4:
		n.Side = Side(g.IntN(5))
	case 5:
		n.TIF, n.Type, n.STP = TimeInForce(g.IntN(8)), OrdType(g.IntN(7)), STPMode(g.IntN(6))
	}
}

// id is mostly that of an open order, else that of an ended one, else nonsense.
func (g *generator) id(w *twin) uint64 {
	switch r := g.IntN(50); {
	case r < 45 && len(w.orders) > 0:
		return w.orders[g.IntN(len(w.orders))].id
	case r < 49 && len(g.ids) > 0:
		return g.ids[g.IntN(len(g.ids))]
	}
	return g.Uint64()
}

// step gives the same random command to both and returns what each said.
func (g *generator) step(b *Book, w *twin) (got, want []Event) {
	switch r := g.IntN(100); {
	case r < 60:
		n := g.newOrder()
		got, want = b.Submit(&n), w.submit(n)
	case r < 72:
		id, owner := g.id(w), uint32(g.IntN(4))
		if o := w.find(id); o != nil && g.IntN(10) > 0 {
			owner = o.Owner
		}
		got, want = b.Cancel(id, owner), w.cancelByOwner(id, owner)
	case r < 96:
		replace, owner := Replace{OrderID: g.id(w), Qty: int64(g.IntN(120)), Price: int64(g.IntN(90)), StopPx: int64(g.IntN(90))}, uint32(g.IntN(4))
		if o := w.find(replace.OrderID); o != nil && g.IntN(10) > 0 {
			owner = o.Owner
			if g.IntN(2) == 0 {
				replace.Price = o.Price
			}
		}
		got, want = b.Replace(&replace, owner), w.replace(replace, owner)
	case r < 99:
		g.now += int64(g.IntN(10))
		got, want = b.Advance(g.now), w.advance(g.now)
	default:
		halted := g.IntN(8) == 0
		got, want = b.SetHalted(halted), w.setHalted(halted)
	}
	if len(got) > 0 && got[0].Kind == Accepted {
		g.ids = append(g.ids, got[0].OrderID)
	}
	return got, want
}

// TestTwin compares events and state of the engine with those of the naive twin, over a million random
// commands (a tenth of that under -short).
func TestTwin(t *testing.T) {
	commands := 1_000_000
	if testing.Short() || raceEnabled {
		commands = 100_000
	}
	g := &generator{Rand: rand.New(rand.NewPCG(testseed.Of(t), 1))}
	const maxOrders = 40 // low enough to be reached often
	exchange := NewExchange(3, maxOrders)
	twins := []*twin{newTwin(0, maxOrders), newTwin(1, maxOrders), newTwin(2, maxOrders)}
	generators := []*generator{{Rand: g.Rand}, {Rand: g.Rand}, {Rand: g.Rand}}
	kinds, reasons, most := map[EventKind]int{}, map[Reason]int{}, 0
	for i := range commands {
		instrument := g.IntN(3)
		book, naive := exchange.Book(uint32(instrument)), twins[instrument]
		got, want := generators[instrument].step(book, naive)
		if !slices.Equal(got, want) {
			t.Fatalf("command %d: events\n got %+v\nwant %+v", i, got, want)
		}
		for _, e := range got {
			kinds[e.Kind]++
			reasons[e.Reason]++
		}
		most = max(most, book.Open())
		if i%64 == 0 {
			checkBook(t, i, book)
			single := Exchange{books: []*Book{book}}
			if single.Hash() != naive.hash() {
				t.Fatalf("command %d: state differs from the twin's", i)
			}
		}
	}
	for kind := Accepted; kind <= StateChanged; kind++ {
		if kinds[kind] < commands/10_000 {
			t.Errorf("the random commands caused event kind %d only %d times", kind, kinds[kind])
		}
	}
	for reason := InvalidField; reason <= TooLateToReduce; reason++ {
		if reasons[reason] < commands/50_000 {
			t.Errorf("the random commands caused reason %d only %d times", reason, reasons[reason])
		}
	}
	t.Logf("%d random commands on 3 instruments: events and states equal; kinds %v, reasons %v, up to %d open", commands, kinds, reasons, most)
}

// checkBook verifies what must hold after every command.
func checkBook(t *testing.T, command int, b *Book) {
	t.Helper()
	bid, _, hasBid := b.Best(Buy)
	ask, _, hasAsk := b.Best(Sell)
	if hasBid && hasAsk && bid >= ask {
		t.Fatalf("command %d: crossed, bid %d ask %d", command, bid, ask)
	}
	open := 0
	for i := range b.sides {
		for _, prices := range []*ladder{&b.sides[i], &b.stops[i]} {
			price, index, ok := prices.lowest()
			levels := 0
			for ; ok; price, index, ok = prices.after(price, true) {
				levels++
				open += checkLevel(t, command, b, price, index)
			}
			if levels != prices.count {
				t.Fatalf("command %d: ladder has %d levels, counts %d", command, levels, prices.count)
			}
		}
	}
	if open != b.Open() {
		t.Fatalf("command %d: %d orders in queues, %d open", command, open, b.Open())
	}
}

func checkLevel(t *testing.T, command int, b *Book, price int64, index int32) int {
	t.Helper()
	l := b.levels[index]
	var shown, total int64
	orders := 0
	for slot := l.head; slot != none; slot = b.orders[slot].next {
		o := b.orders[slot]
		if o.leaves <= 0 || o.shown < 0 || o.shown > o.leaves || !o.waiting && o.shown == 0 {
			t.Fatalf("command %d: order with leaves %d shows %d", command, o.leaves, o.shown)
		}
		shown, total, orders = shown+o.shown, total+o.leaves, orders+1
	}
	if l.price != price || shown != l.shown || total != l.total || orders != int(l.orders) || orders == 0 {
		t.Fatalf("command %d: level %d says %+v, orders say shown %d total %d count %d", command, price, l, shown, total, orders)
	}
	return orders
}

// TestConservation: what was accepted is traded, canceled, expired, refused by nobody, or still open.
func TestConservation(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(testseed.Of(t), 2))}
	book, naive := NewBook(0, 500), newTwin(0, 500)
	open := map[uint64]int64{}
	for i := range 50_000 {
		events, _ := g.step(book, naive)
		for _, e := range events {
			switch e.Kind {
			case Accepted:
				open[e.OrderID] = e.Qty
			case Traded:
				open[e.OrderID] -= e.Qty
				open[e.RestingID] -= e.Qty
				if open[e.OrderID] != e.Leaves || open[e.RestingID] != e.RestLeaves || e.Qty <= 0 {
					t.Fatalf("command %d: %+v, but %d and %d were left", i, e, open[e.OrderID], open[e.RestingID])
				}
			case Canceled, Expired:
				if open[e.OrderID] != e.Qty {
					t.Fatalf("command %d: %+v, but %d was left", i, e, open[e.OrderID])
				}
				delete(open, e.OrderID)
			case Replaced:
				open[e.OrderID] = e.Leaves
			}
		}
	}
	var left, resting int64
	for _, qty := range open {
		left += qty
	}
	for i := range book.orders {
		if book.orders[i].level != none {
			resting += book.orders[i].leaves
		}
	}
	if left != resting {
		t.Fatalf("events leave %d open, the book holds %d", left, resting)
	}
}

// TestLadder compares the trie with a sorted list, over prices near and far apart.
func TestLadder(t *testing.T) {
	r := rand.New(rand.NewPCG(testseed.Of(t), 3))
	for _, spread := range []int64{1, 60, 5_000, 1 << 30, 1 << 61} {
		prices, sorted := newLadder(), []int64{}
		for i := range 20_000 {
			price := r.Int64N(2*spread) - spread
			at, there := slices.BinarySearch(sorted, price)
			if got := prices.get(price) != none; got != there {
				t.Fatalf("spread %d step %d: get %d says %v, want %v", spread, i, price, got, there)
			}
			switch {
			case !there && len(sorted) < 300:
				prices.put(price, int32(i))
				sorted = slices.Insert(sorted, at, price)
			case there || len(sorted) > 0:
				if !there {
					at = r.IntN(len(sorted))
				}
				prices.remove(sorted[at])
				sorted = slices.Delete(sorted, at, at+1)
			}
			checkLadder(t, &prices, sorted)
		}
	}
}

func checkLadder(t *testing.T, prices *ladder, sorted []int64) {
	t.Helper()
	low, _, ok := prices.lowest()
	high, _, _ := prices.highest()
	if ok != (len(sorted) > 0) || ok && (low != sorted[0] || high != sorted[len(sorted)-1]) {
		t.Fatalf("lowest %d highest %d of %v", low, high, sorted)
	}
	for i := 1; i < len(sorted); i += 1 + len(sorted)/4 {
		up, _, _ := prices.after(sorted[i-1], true)
		down, _, _ := prices.after(sorted[i], false)
		if up != sorted[i] || down != sorted[i-1] {
			t.Fatalf("after %d is %d, before %d is %d; want neighbours", sorted[i-1], up, sorted[i], down)
		}
	}
}

// TestRules are the rules one by one, as a story of commands and events each.
func TestRules(t *testing.T) {
	limit := func(owner uint32, side Side, qty, price int64) NewOrder {
		return NewOrder{Owner: owner, Side: side, Type: Limit, TIF: GTC, Qty: qty, Price: price}
	}
	trades := func(events []Event) (qty, notional int64) {
		for _, e := range events {
			if e.Kind == Traded {
				qty, notional = qty+e.Qty, notional+e.Qty*e.Price
			}
		}
		return qty, notional
	}
	submit := func(b *Book, n NewOrder) []Event { return slices.Clone(b.Submit(&n)) }

	t.Run("price then time", func(t *testing.T) {
		b := NewBook(0, 100)
		submit(b, limit(1, Sell, 10, 101))
		first := submit(b, limit(1, Sell, 10, 100))[0].OrderID
		second := submit(b, limit(2, Sell, 10, 100))[0].OrderID
		events := submit(b, limit(3, Buy, 15, 101))
		if events[1].RestingID != first || events[2].RestingID != second || events[2].Qty != 5 {
			t.Fatalf("filled out of turn: %+v", events)
		}
	})
	t.Run("a lower quantity keeps its place, a higher one loses it", func(t *testing.T) {
		b := NewBook(0, 100)
		first := submit(b, limit(1, Sell, 10, 100))[0].OrderID
		second := submit(b, limit(2, Sell, 10, 100))[0].OrderID
		b.Replace(&Replace{OrderID: first, Qty: 5, Price: 100}, 1)
		if e := submit(b, limit(3, Buy, 1, 100)); e[1].RestingID != first {
			t.Fatalf("the reduced order lost its place: %+v", e)
		}
		b.Replace(&Replace{OrderID: first, Qty: 20, Price: 100}, 1)
		if e := submit(b, limit(3, Buy, 1, 100)); e[1].RestingID != second {
			t.Fatalf("the raised order kept its place: %+v", e)
		}
	})
	t.Run("an iceberg shows part and queues anew", func(t *testing.T) {
		b := NewBook(0, 100)
		berg := limit(1, Sell, 30, 100)
		berg.DisplayQty = 10
		submit(b, berg)
		other := submit(b, limit(2, Sell, 5, 100))[0].OrderID
		if _, shown, _ := b.Best(Sell); shown != 15 {
			t.Fatalf("shows %d, want 15", shown)
		}
		events := submit(b, limit(3, Buy, 12, 100))
		if events[2].Kind != Refreshed || events[3].RestingID != other {
			t.Fatalf("the hidden part did not go behind: %+v", events)
		}
	})
	t.Run("fill or kill", func(t *testing.T) {
		b := NewBook(0, 100)
		submit(b, limit(1, Sell, 10, 100))
		fok := limit(2, Buy, 11, 100)
		fok.TIF = FOK
		if qty, _ := trades(submit(b, fok)); qty != 0 {
			t.Fatalf("a FOK that cannot fill traded %d", qty)
		}
		fok.Qty = 10
		if qty, notional := trades(submit(b, fok)); qty != 10 || notional != 1000 {
			t.Fatalf("a FOK that can fill traded %d for %d", qty, notional)
		}
	})
	t.Run("stops fire in a cascade", func(t *testing.T) {
		b := NewBook(0, 100)
		submit(b, limit(1, Buy, 10, 100))
		submit(b, limit(1, Buy, 10, 99))
		submit(b, limit(1, Buy, 10, 98))
		submit(b, NewOrder{Owner: 2, Side: Sell, Type: Stop, TIF: GTC, Qty: 10, StopPx: 99})
		submit(b, NewOrder{Owner: 2, Side: Sell, Type: Stop, TIF: GTC, Qty: 15, StopPx: 100})
		qty, notional := trades(submit(b, limit(3, Sell, 5, 100)))
		// 5 at 100 set off the stop at 100: 5 at 100 and 10 at 99; that sets off the stop at 99: 10 at 98.
		if qty != 30 || notional != 5*100+5*100+10*99+10*98 || b.Open() != 0 {
			t.Fatalf("traded %d for %d, %d open", qty, notional, b.Open())
		}
	})
	t.Run("self-trade prevention", func(t *testing.T) {
		for mode, want := range map[STPMode]struct {
			qty  int64
			open int
		}{STPNone: {10, 0}, STPCancelNewest: {0, 2}, STPCancelOldest: {5, 1}, STPCancelBoth: {0, 1}} {
			b := NewBook(0, 100)
			submit(b, limit(1, Sell, 5, 100))
			submit(b, limit(2, Sell, 5, 100))
			n := limit(1, Buy, 10, 100)
			n.STP = mode
			qty, _ := trades(submit(b, n))
			if qty != want.qty || b.Open() != want.open {
				t.Fatalf("mode %d: traded %d with %d open, want %d and %d", mode, qty, b.Open(), want.qty, want.open)
			}
		}
	})
	t.Run("a halt refuses orders and lets cancels through", func(t *testing.T) {
		b := NewBook(0, 100)
		id := submit(b, limit(1, Buy, 5, 100))[0].OrderID
		b.SetHalted(true)
		if e := submit(b, limit(2, Sell, 5, 100)); e[0].Reason != Halted {
			t.Fatalf("an order in a halt: %+v", e)
		}
		if e := b.Cancel(id, 1); e[0].Kind != Canceled {
			t.Fatalf("a cancel in a halt: %+v", e)
		}
	})
	t.Run("an id of an order that ended never names another", func(t *testing.T) {
		b := NewBook(0, 100)
		id := submit(b, limit(1, Buy, 5, 100))[0].OrderID
		b.Cancel(id, 1)
		submit(b, limit(1, Buy, 5, 100))
		if e := b.Cancel(id, 1); e[0].Reason != UnknownOrder {
			t.Fatalf("an old id reached a new order: %+v", e)
		}
	})
}

// FuzzBook feeds bytes as commands; the twin and the book's own invariants are the judges.
func FuzzBook(f *testing.F) {
	f.Add([]byte("price then time"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var fold uint64
		for i, c := range data {
			fold = fold*1099511628211 + uint64(c) + uint64(i)
		}
		g := &generator{Rand: rand.New(rand.NewPCG(fold, uint64(len(data))))}
		b, w := NewBook(0, 40), newTwin(0, 40)
		for i := range min(len(data), 300) {
			if got, want := g.step(b, w); !slices.Equal(got, want) {
				t.Fatalf("command %d: events\n got %+v\nwant %+v", i, got, want)
			}
			checkBook(t, i, b)
		}
	})
}
