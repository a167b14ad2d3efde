// Command flow-sample lets synthetic order flow trade on a simulated exchange in virtual time, and prints
// what the market was told as CSV. The same arguments print the same bytes. See docs/synthetic-flow.md.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/flow"
)

const (
	nsPerSecond = 1_000_000_000
	// depthEvery is how often the whole book is printed.
	depthEvery = 60 * nsPerSecond
	header     = "kind,time_ns,bid_px,bid_qty,ask_px,ask_qty,px,qty,side"
)

func main() {
	seed := flag.Uint64("seed", 1, "of the flow")
	seconds := flag.Int64("seconds", 6*3600, "of virtual time")
	id := flag.String("instrument", "BTCUSD.SIM", "one of those of a live session without data")
	flag.Parse()
	out := bufio.NewWriter(os.Stdout)
	err := sample(*id, *seed, *seconds, out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "flow-sample:", err)
		os.Exit(1)
	}
}

func find(id string) (flow.Market, error) {
	for _, m := range flow.Markets() {
		if m.Instrument.InstrumentID == id {
			return m, nil
		}
	}
	return flow.Market{}, fmt.Errorf("instrument: there is no %q", id)
}

// sample runs from second 1 on: time 0 is no time.
func sample(id string, seed uint64, seconds int64, out io.Writer) error {
	m, err := find(id)
	if err != nil {
		return err
	}
	x, err := exchange.New(exchange.Config{Instruments: []engine.Instrument{m.Instrument}, Seed: seed})
	if err != nil {
		return err
	}
	f, err := flow.New(flow.Config{Markets: []flow.Market{m}, Seed: seed})
	if err != nil {
		return err
	}
	asked, err := f.Start()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, header) // the writer keeps its error for Flush
	depthAt := int64(depthEvery)
	for now := int64(nsPerSecond); now < seconds*nsPerSecond; now = max(f.Next(), now+1) {
		for _, command := range append(asked, f.Act(now)...) {
			if err := x.Handle(now, command); err != nil {
				return err
			}
		}
		asked = nil
		reports, rows, err := x.Advance(now)
		if err != nil {
			return err
		}
		f.See(rows)
		for i := range reports {
			f.Hear(reports[i].Report)
		}
		printRows(out, rows)
		if now >= depthAt {
			depthAt += depthEvery
			book, _ := x.Book(id)
			printDepth(out, now, book)
		}
	}
	return nil
}

func printRows(out io.Writer, rows []market.Row) {
	for i := range rows {
		switch r := &rows[i]; r.Kind {
		case market.Quote:
			fmt.Fprintf(out, "quote,%d,%d,%d,%d,%d,,,\n", r.TransactTime, r.BidPx, r.BidQty, r.AskPx, r.AskQty)
		case market.Trade:
			fmt.Fprintf(out, "trade,%d,,,,,%d,%d,%d\n", r.TransactTime, r.TradePx, r.TradeQty, r.AggressorSide)
		}
	}
}

func printDepth(out io.Writer, now int64, book *pb.QueryBookResponse) {
	for side, levels := range [][]*pb.BookPriceLevel{book.GetBids(), book.GetAsks()} {
		for _, level := range levels {
			fmt.Fprintf(out, "depth,%d,,,,,%d,%d,%d\n", now, level.GetPrice(), level.GetQty(), side+1)
		}
	}
}
