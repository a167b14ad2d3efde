package replay

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
)

func TestLiveOrderArrivesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		instruments := []engine.Instrument{{InstrumentID: "I0.X", QuoteCurrency: "USD", Version: 1, Class: engine.Equity, BaseCurrency: "I",
			PriceIncrement: 1, QtyIncrement: 1, Multiplier: engine.Decimal{Mantissa: 1}}}
		l := NewLive(instruments, 10_000)
		ctx, cancel := context.WithCancel(t.Context())
		var said []string
		finished := make(chan error)
		go func() {
			finished <- l.Run(ctx, func(_ context.Context, inputs []engine.Input) error {
				for _, input := range inputs {
					r := input.(*engine.VenueReport)
					said = append(said, fmt.Sprintf("%d: %d %d@%d", r.OrderID, r.ExecType, r.LastQty, r.LastPx))
				}
				return nil
			})
		}()
		order := func(id uint64, tif engine.TimeInForce, qty int64) {
			l.arrive(func() {
				l.venue.submit(id, engine.NewOrder{InstrumentID: "I0.X", Side: engine.Buy, OrdType: engine.Limit, Price: 10, HasPrice: true, OrderQty: qty, TimeInForce: tif})
			})
		}
		quote := func(at, ask int64) {
			l.Row(&market.Row{Kind: market.Quote, TransactTime: at, HasAsk: true, AskPx: ask, AskQty: 100})
		}
		check := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if fmt.Sprint(said) != fmt.Sprint(want) {
				t.Errorf("said %q, want %q", said, want)
			}
			said = nil
		}
		quote(1, 9)
		order(1, engine.GTC, 60)
		check("1: 2 0@0", "1: 3 60@9") // new, and filled from the quote in force
		order(2, engine.Day, 60)
		check("2: 2 0@0", "2: 3 40@9")
		quote(NsPerDay+1, 11)
		check("2: 6 0@0") // expired
		order(3, engine.GTC, 60)
		l.Cancel(router.Cancel{OrderID: 3, InstrumentID: "I0.X"})
		check("3: 2 0@0", "3: 4 0@0")
		cancel()
		if err := <-finished; err != nil {
			t.Error(err)
		}
	})
}
