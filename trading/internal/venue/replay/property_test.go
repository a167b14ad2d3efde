package replay

import (
	"testing"

	"pgregory.net/rapid"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// TestFillsOfAnyRow plays random orders and rows. Whatever comes: no fill before its order could be
// there, beyond its price or quantity, or more in one row than our share; and a row that was said to
// be quiet is.
func TestFillsOfAnyRow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		config := Config{MaxVolumeShareBps: rapid.Uint32Range(1, 10_000).Draw(rt, "bps"), OrderLatency: rapid.Int64Range(0, 3).Draw(rt, "latency")}
		s := newStage(t, config)
		leaves, terms, decided := map[uint64]int64{}, map[uint64]engine.NewOrder{}, map[uint64]int64{}
		now := int64(0)
		check := func(size int64, openTime int64, inputs []engine.Input, err error) {
			if err != nil {
				rt.Fatal(err)
			}
			filled := map[engine.Side]int64{}
			for _, input := range inputs {
				r := input.(*engine.VenueReport)
				if r.ExecType != engine.ExecTrade {
					continue
				}
				o := terms[r.OrderID]
				leaves[r.OrderID] -= r.LastQty
				filled[o.Side] += r.LastQty
				switch {
				case r.LastQty <= 0 || r.LastQty%10 != 0 || leaves[r.OrderID] < 0:
					rt.Fatalf("fill of %d leaves %d", r.LastQty, leaves[r.OrderID])
				case o.HasPrice && (o.Side == buy && r.LastPx > o.Price || o.Side == sell && r.LastPx < o.Price):
					rt.Fatalf("%+v filled at %d", o, r.LastPx)
				case o.TimeInForce == engine.FOK && leaves[r.OrderID] != 0:
					rt.Fatalf("FOK filled in part: %+v", r)
				case decided[r.OrderID]+config.OrderLatency > openTime:
					rt.Fatalf("decided at %d, filled by what opened at %d", decided[r.OrderID], openTime)
				}
			}
			limit := size * int64(config.MaxVolumeShareBps) / 10_000
			if filled[buy] > limit || filled[sell] > limit {
				rt.Fatalf("filled %v of %d", filled, size)
			}
		}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "order") {
				o := engine.NewOrder{InstrumentID: "I0.X", OrderQty: 10 * rapid.Int64Range(1, 30).Draw(rt, "qty"), OrdType: engine.Market}
				o.Side, o.TimeInForce = engine.Side(rapid.IntRange(1, 2).Draw(rt, "side")), engine.TimeInForce(rapid.IntRange(1, 4).Draw(rt, "tif"))
				if rapid.Bool().Draw(rt, "limit") {
					o.OrdType, o.HasPrice, o.Price = engine.Limit, true, rapid.Int64Range(5, 15).Draw(rt, "price")
				}
				s.ids++
				terms[s.ids], leaves[s.ids], decided[s.ids] = o, o.OrderQty, now
				s.venue.submit(s.ids, o)
				continue
			}
			row := anyRow(rt, now+rapid.Int64Range(0, 4).Draw(rt, "elapsed"))
			for at, any := s.venue.NextArrival(); any && at < row.TransactTime; at, any = s.venue.NextArrival() {
				inputs, err := s.venue.Arrive()
				check(1<<40, at, inputs, err) // from the quote in force, whose size the next quote tests
			}
			quiet := s.venue.Quiet(&row)
			now = row.TransactTime
			s.clock.Set(now)
			inputs, err := s.venue.Row(&row)
			openTime := now
			if row.Kind == market.Bar {
				openTime = row.OpenTime
			}
			check(max(row.Volume, row.TradeQty, row.AskQty, row.BidQty), openTime, inputs, err)
			if quiet && len(inputs) > 0 {
				rt.Fatalf("%+v was to be quiet, and caused %+v", row, inputs[0])
			}
		}
	})
}

func anyRow(t *rapid.T, at int64) market.Row {
	row := market.Row{Kind: market.Kind(rapid.IntRange(1, 3).Draw(t, "kind")), TransactTime: at}
	px, size := rapid.Int64Range(5, 15), rapid.Int64Range(0, 500)
	switch row.Kind {
	case market.Bar:
		row.OpenTime, row.Volume = at-rapid.Int64Range(0, 3).Draw(t, "interval"), size.Draw(t, "volume")
		row.OpenPx, row.ClosePx = px.Draw(t, "open"), px.Draw(t, "close")
		row.HighPx, row.LowPx = max(row.OpenPx, row.ClosePx, px.Draw(t, "high")), min(row.OpenPx, row.ClosePx, px.Draw(t, "low"))
	case market.Quote:
		row.HasBid, row.HasAsk = rapid.Bool().Draw(t, "has bid"), rapid.Bool().Draw(t, "has ask")
		row.BidPx, row.BidQty = px.Draw(t, "bid"), size.Draw(t, "bid size")
		row.AskPx, row.AskQty = row.BidPx+rapid.Int64Range(1, 4).Draw(t, "spread"), size.Draw(t, "ask size")
	case market.Trade:
		row.TradePx, row.TradeQty = px.Draw(t, "trade"), size.Draw(t, "size")
	}
	return row
}

// BenchmarkRow is the price of a row: with nothing working, beside a resting order, and filling.
func BenchmarkRow(b *testing.B) {
	quote := market.Row{Kind: market.Quote, BidPx: 10, BidQty: 100, AskPx: 12, AskQty: 100, HasBid: true, HasAsk: true}
	for name, prepare := range map[string]func(*stage){
		"idle":    func(*stage) {},
		"resting": func(s *stage) { s.order(buy, 100, 9, engine.GTC); s.until(1) },
		"filling": func(s *stage) { s.order(buy, 1<<60/10*10, noPrice, engine.GTC); s.until(1) },
	} {
		b.Run(name, func(b *testing.B) {
			s := newStage(b, all())
			prepare(s)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.venue.Row(&quote); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
