package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// trader commands at random, as a function of what it has seen and nothing else.
type randomTrader struct {
	random *rand.Rand
	names  int
	now    int64
}

func trader(seed uint64) *client {
	r := &randomTrader{random: rand.New(rand.NewPCG(seed, 1))}
	return &client{
		onRow: func(_ *client, row *market.Row) []engine.Input {
			r.now = row.TransactTime
			if r.random.IntN(6) == 0 {
				return r.commands()
			}
			return nil
		},
		onEvent: func(_ *client, event *Event) []engine.Input {
			if event.Ack == nil && r.random.IntN(10) == 0 {
				return r.commands()
			}
			return nil
		},
	}
}

func (r *randomTrader) commands() []engine.Input {
	var commands []engine.Input
	for range r.random.IntN(3) {
		if r.random.IntN(5) == 0 {
			commands = append(commands, r.list())
		} else {
			commands = append(commands, &engine.OrderDecision{NewOrder: r.order()})
		}
	}
	switch r.random.IntN(9) {
	case 0, 1:
		commands = append(commands, &engine.CancelOrder{ClOrdID: r.name(), OrigClOrdID: r.anyName(), Account: "A"})
	case 2, 3:
		commands = append(commands, &engine.ReplaceDecision{Replace: engine.ReplaceOrder{ClOrdID: r.name(), OrigClOrdID: r.anyName(), Account: "A",
			OrderQty: 1 + r.random.Int64N(80), Price: 1000 + r.random.Int64N(40), HasPrice: true}})
	case 4:
		commands = append(commands, &engine.MassCancelOrders{ClOrdID: r.name(), Account: "A", InstrumentID: fmt.Sprintf("I%d.X", r.random.IntN(3))})
	}
	return commands
}

func (r *randomTrader) name() string { r.names++; return fmt.Sprint(r.names) }

func (r *randomTrader) anyName() string { return fmt.Sprint(1 + r.random.IntN(r.names+1)) }

func (r *randomTrader) order() engine.NewOrder {
	o := order(r.name(), fmt.Sprintf("I%d.X", r.random.IntN(3)), engine.Side(1+r.random.IntN(2)), 1+r.random.Int64N(60)).NewOrder
	o.OrdType, o.TimeInForce = engine.OrdType(1+r.random.IntN(5)), engine.TimeInForce(1+r.random.IntN(5))
	px := 1000 + r.random.Int64N(40)
	o.HasPrice, o.HasStopPx = o.OrdType == engine.Limit || o.OrdType == engine.StopLimit, o.OrdType == engine.Stop || o.OrdType == engine.StopLimit
	if o.HasPrice {
		o.Price = px
	}
	if o.HasStopPx {
		o.StopPx = px
	}
	if o.OrdType == engine.TrailingStop {
		o.TrailingAmount = 1 + r.random.Int64N(20)
	}
	if o.TimeInForce == engine.GTD {
		o.ExpireTime = r.now + 1 + r.random.Int64N(day)
	}
	return o
}

func (r *randomTrader) list() *engine.OrderListDecision {
	l := engine.NewOrderList{ListID: r.name(), Account: "A", ContingencyType: engine.ContingencyType(1 + r.random.IntN(4))}
	for i := range 2 + r.random.IntN(2) {
		o := r.order()
		if i > 0 {
			o.InstrumentID, o.Side, o.OrderQty = l.Orders[0].InstrumentID, l.Orders[0].Side, l.Orders[0].OrderQty
			if l.ContingencyType == engine.Bracket {
				o.Side = engine.Buy + engine.Sell - o.Side
			}
		}
		l.Orders = append(l.Orders, o)
	}
	return &engine.OrderListDecision{List: l}
}

// play runs a strategy that commands once, at the first row, and gives the lines of what happened to orders.
func play(t *testing.T, rows []market.Row, commands ...engine.Input) []string {
	t.Helper()
	first := true
	c := &client{onRow: func(*client, *market.Row) []engine.Input {
		if !first {
			return nil
		}
		first = false
		return commands
	}}
	var lines []string
	for _, line := range c.run(t, config(100), rows).log {
		if !strings.HasPrefix(line, "row ") && !strings.HasPrefix(line, "ack ") && !strings.HasPrefix(line, "day end ") {
			lines = append(lines, line)
		}
	}
	return lines
}

func check(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("saw\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// bars are of one second each, from second 0 on: open, high, low, close.
func bars(prices ...[4]int64) []market.Row {
	var rows []market.Row
	for n, p := range prices {
		rows = append(rows, market.Row{Kind: market.Bar, OpenTime: int64(n) * 1e9, TransactTime: int64(n+1) * 1e9,
			OpenPx: p[0], HighPx: p[1], LowPx: p[2], ClosePx: p[3], Volume: 1000})
	}
	return rows
}

func with(o *engine.OrderDecision, change func(*engine.NewOrder)) *engine.OrderDecision {
	change(&o.NewOrder)
	return o
}

func stop(name string, side engine.Side, qty, px int64) *engine.OrderDecision {
	return with(order(name, "I0.X", side, qty), func(o *engine.NewOrder) { o.OrdType, o.StopPx, o.HasStopPx = engine.Stop, px, true })
}

func limit(name string, side engine.Side, qty, px int64) *engine.OrderDecision {
	return with(order(name, "I0.X", side, qty), func(o *engine.NewOrder) { o.OrdType, o.Price, o.HasPrice = engine.Limit, px, true })
}

// The bar that reaches the trigger is over when that is known: the stop fills at the open of the next.
func TestStopFillsAtTheOpenOfTheBarAfterTheOneThatTriggers(t *testing.T) {
	rows := bars([4]int64{100, 101, 99, 100}, [4]int64{100, 101, 95, 96}, [4]int64{94, 95, 93, 94})
	check(t, play(t, rows, stop("s", engine.Sell, 10, 95)),
		"suspended s at 1000000000", "triggered s at 2000000000", "new s at 2000000000", "trade s at 3000000000 10@94")
}

func TestTrailingStopFollowsBars(t *testing.T) {
	rows := bars([4]int64{100, 100, 100, 100}, [4]int64{100, 110, 100, 109}, [4]int64{109, 120, 106, 119}, [4]int64{119, 119, 115, 116}, [4]int64{116, 116, 116, 116})
	trail := with(order("t", "I0.X", engine.Sell, 10), func(o *engine.NewOrder) { o.OrdType, o.TrailingAmount = engine.TrailingStop, 5 })
	// At 110 the trigger is 105, which the low of 106 does not reach; at 120 it is 115.
	check(t, play(t, rows, trail), "suspended t at 1000000000", "triggered t at 4000000000", "new t at 4000000000", "trade t at 5000000000 10@116")
}

func TestGoodTillDateEndsBetweenRows(t *testing.T) {
	rows := bars([4]int64{100, 100, 100, 100}, [4]int64{100, 100, 100, 100}, [4]int64{100, 100, 90, 100})
	gtd := func(o *engine.NewOrder) { o.TimeInForce, o.ExpireTime = engine.GTD, 2_500_000_000 }
	check(t, play(t, rows, with(limit("a", engine.Buy, 10, 95), gtd), with(stop("s", engine.Sell, 10, 95), gtd)),
		"pending new a at 1000000000", "suspended s at 1000000000", "new a at 1000000000",
		"pending cancel a at 2500000000", "expired s at 2500000000", "expired a at 2500000000")
}

func TestDayStopsEndWithTheDay(t *testing.T) {
	rows := bars([4]int64{100, 100, 100, 100})
	rows = append(rows, bar(0, day+1, day+2, 90))
	check(t, play(t, rows, with(stop("s", engine.Sell, 10, 95), func(o *engine.NewOrder) { o.TimeInForce = engine.Day })),
		"suspended s at 1000000000", fmt.Sprint("expired s at ", day))
}

func TestBracketInABacktest(t *testing.T) {
	rows := bars([4]int64{100, 100, 100, 100}, [4]int64{100, 100, 100, 100}, [4]int64{100, 104, 97, 101}, [4]int64{101, 106, 100, 105}, [4]int64{105, 105, 80, 85})
	list := &engine.OrderListDecision{List: engine.NewOrderList{ListID: "l", Account: "A", ContingencyType: engine.Bracket, Orders: []engine.NewOrder{
		order("in", "I0.X", engine.Buy, 10).NewOrder, limit("tp", engine.Sell, 10, 105).NewOrder, stop("sl", engine.Sell, 10, 95).NewOrder,
	}}}
	check(t, play(t, rows, list),
		"pending new in at 1000000000", "suspended tp at 1000000000", "suspended sl at 1000000000", "new in at 1000000000",
		"trade in at 2000000000 10@100", "pending new tp at 2000000000", "new tp at 2000000000",
		"trade tp at 4000000000 10@105", "canceled sl at 4000000000")
}

func TestReplaceInABacktest(t *testing.T) {
	rows := bars([4]int64{100, 100, 100, 100}, [4]int64{100, 100, 98, 100}, [4]int64{100, 100, 96, 100})
	replace := &engine.ReplaceDecision{Replace: engine.ReplaceOrder{ClOrdID: "b", OrigClOrdID: "a", Account: "A", OrderQty: 20, Price: 97, HasPrice: true}}
	check(t, play(t, rows, limit("a", engine.Buy, 10, 99), replace),
		"pending new a at 1000000000", "pending replace a at 1000000000", "new a at 1000000000", "replaced b at 1000000000",
		"trade b at 3000000000 20@97")
}
