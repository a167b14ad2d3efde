// Command queue-fills plays a script of orders against a recorded book and prints their fills as CSV:
// what a fill model does, beside nothing else. docs/fill-models.md says how it is compared with another
// implementation.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/queue"
)

type options struct {
	book, trades, orders string
	model                string
	exponent             float64
	whole                bool
	latency              int64
	priceScale, qtyScale int
}

func main() {
	var o options
	flag.StringVar(&o.book, "book", "", "CSV of levels, or with -model fifo of orders")
	flag.StringVar(&o.trades, "trades", "", "CSV of trades; not read with -model fifo")
	flag.StringVar(&o.orders, "orders", "", "CSV of what to send: decided_ns, order_id, action (new or cancel), side (B or S), price, size")
	flag.StringVar(&o.model, "model", "risk-averse", "risk-averse, log, power or fifo")
	flag.Float64Var(&o.exponent, "exponent", 3, "of -model power")
	flag.BoolVar(&o.whole, "whole", false, "fill an order in full at its first chance")
	flag.Int64Var(&o.latency, "latency", 0, "ns from decision to arrival")
	flag.IntVar(&o.priceScale, "price-scale", 2, "decimals of prices")
	flag.IntVar(&o.qtyScale, "qty-scale", 3, "decimals of sizes")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "queue-fills:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	rows, err := readMarket(o)
	if err != nil {
		return err
	}
	commands, err := readCommands(o)
	if err != nil {
		return err
	}
	book, err := newBook(o)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	fmt.Fprintln(out, "order_id,transact_time_ns,last_px,last_qty,maker")
	print := func(time int64, fills []queue.Fill) {
		for _, f := range fills {
			fmt.Fprintf(out, "%d,%d,%d,%d,%t\n", f.OrderID, time, f.Px, f.Qty, f.Maker)
		}
	}
	for _, r := range rows {
		// What arrives at a time sees every row up to that time before it.
		for len(commands) > 0 && commands[0].arrival < r.time {
			print(commands[0].arrival, commands[0].play(book))
			commands = commands[1:]
		}
		print(r.time, r.play(book))
	}
	return out.Flush()
}

// book is either kind of recorded book.
type book struct {
	depth  *queue.Depth
	orders *queue.Orders
}

func newBook(o options) (book, error) {
	rules := queue.Rules{Lot: 1, Whole: o.whole}
	switch o.model {
	case "fifo":
		return book{orders: queue.NewOrders(rules)}, nil
	case "risk-averse":
		rules.Model = queue.RiskAverse
	case "log":
		rules.Model = queue.Probabilistic(queue.Log(pow10(o.qtyScale)))
	case "power":
		rules.Model = queue.Probabilistic(queue.Power(o.exponent))
	default:
		return book{}, fmt.Errorf("model: must be risk-averse, log, power or fifo, got %q", o.model)
	}
	return book{depth: queue.NewDepth(rules)}, nil
}

// command is an order or a cancel.
type command struct {
	arrival int64
	cancel  bool
	order   queue.Order
}

func (c command) play(b book) []queue.Fill {
	switch {
	case b.depth != nil && c.cancel:
		b.depth.CancelOurs(c.order.ID)
	case b.depth != nil:
		return b.depth.Submit(c.order)
	case c.cancel:
		b.orders.CancelOurs(c.order.ID)
	default:
		return b.orders.Submit(c.order)
	}
	return nil
}

// row is one recorded event.
type row struct {
	time    int64
	what    what
	side    engine.Side // of a trade: the aggressor's
	id      int64
	px, qty int64
}

type what uint8

const (
	clearBook what = iota
	level
	trade
	change         // of an order, without a trade
	changeByATrade // of an order
)

func (r row) play(b book) []queue.Fill {
	switch r.what {
	case clearBook:
		b.depth.Clear()
		return nil
	case level:
		return b.depth.Level(r.side, r.px, r.qty)
	case trade:
		return b.depth.Trade(r.side, r.px, r.qty)
	}
	return b.orders.Set(r.id, r.side, r.px, r.qty, r.what == changeByATrade)
}
