package simulation

import (
	"io"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
)

// endless gives quotes for ever.
type endless struct{ at int64 }

func (e *endless) Next(rows []market.Row) (int, error) {
	for n := range rows {
		e.at++
		rows[n] = market.Row{Kind: market.Quote, TransactTime: e.at, BidPx: 1000, BidQty: 10, AskPx: 1002, AskQty: 10, HasBid: true, HasAsk: true}
	}
	return len(rows), nil
}

// BenchmarkRows is the price of a row that a client handles in full batches.
func BenchmarkRows(b *testing.B) {
	for name, orders := range map[string]int{"no order": 0, "100 resting orders": 100} {
		b.Run(name, func(b *testing.B) {
			e := engine.New()
			g, _ := gatetest.New(b, e, gatetest.Approve)
			s, err := New(config(4096), &endless{}, e, g, journal.NewMemory())
			if err != nil {
				b.Fatal(err)
			}
			var commands []engine.Input
			for n := range orders {
				o := order(string(rune('a'+n)), "I0.X", engine.Buy, 1)
				o.NewOrder.OrdType, o.NewOrder.HasPrice, o.NewOrder.Price = engine.Limit, true, 500
				commands = append(commands, o)
			}
			rows := 0
			for b.Loop() {
				step, finished, err := s.Step()
				if err != nil || finished {
					b.Fatal(err, io.EOF)
				}
				if err := s.Advance(len(step.Rows), commands, false); err != nil {
					b.Fatal(err)
				}
				rows, commands = rows+len(step.Rows), nil
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
