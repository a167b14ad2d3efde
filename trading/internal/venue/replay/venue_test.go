package replay

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
)

const (
	buy, sell = engine.Buy, engine.Sell
	noPrice   = int64(0) // a market order
)

// stage plays orders and rows against a venue and keeps what it says, one line a report. A row is
// time, and then as its kind has it.
type stage struct {
	t     testing.TB
	clock *clock.Virtual
	venue *Venue
	said  []string
	ids   uint64
}

// newStage has two instruments at venue X whose lot is 10, with a maker fee of 1 and a taker fee of
// 2 in a thousand.
func newStage(t testing.TB, config Config) *stage {
	instruments := make([]engine.Instrument, 2)
	for i := range instruments {
		instruments[i] = engine.Instrument{
			InstrumentID: fmt.Sprintf("I%d.X", i), Version: 1, Class: engine.Equity, BaseCurrency: "I", QuoteCurrency: "USD",
			PriceIncrement: 1, QtyIncrement: 10, Multiplier: engine.Decimal{Mantissa: 1},
			MakerFeeRatio: engine.Decimal{Mantissa: 1, Scale: 3}, TakerFeeRatio: engine.Decimal{Mantissa: 2, Scale: 3},
		}
	}
	virtual := &clock.Virtual{}
	return &stage{t: t, clock: virtual, venue: New(virtual, instruments, config)}
}

func all() Config { return Config{MaxVolumeShareBps: 10_000} }

// order sends a limit order of instrument 0, or with noPrice a market order.
func (s *stage) order(side engine.Side, qty, price int64, tif engine.TimeInForce) uint64 {
	return s.orderOf("I0.X", side, qty, price, tif)
}

func (s *stage) orderOf(id string, side engine.Side, qty, price int64, tif engine.TimeInForce) uint64 {
	s.ids++
	terms := engine.NewOrder{InstrumentID: id, Side: side, OrderQty: qty, TimeInForce: tif, OrdType: engine.Market}
	if price != noPrice {
		terms.OrdType, terms.Price, terms.HasPrice = engine.Limit, price, true
	}
	s.venue.submit(s.ids, terms)
	return s.ids
}

// until lets arrive what arrives before a time.
func (s *stage) until(time int64) {
	for at, any := s.venue.NextArrival(); any && at < time; at, any = s.venue.NextArrival() {
		s.clock.Set(at)
		s.hear(s.venue.Arrive())
	}
}

func (s *stage) row(row market.Row) {
	s.t.Helper()
	s.until(row.TransactTime)
	quiet, before := s.venue.Quiet(&row), len(s.said)
	s.clock.Set(row.TransactTime)
	s.hear(s.venue.Row(&row))
	if quiet && len(s.said) != before {
		s.t.Errorf("a row that was to be quiet caused %v", s.said[before:])
	}
}

func (s *stage) bar(open, closed int64, openPx, high, low, closePx, volume int64) {
	s.t.Helper()
	s.row(market.Row{Kind: market.Bar, OpenTime: open, TransactTime: closed, OpenPx: openPx, HighPx: high, LowPx: low, ClosePx: closePx, Volume: volume})
}

func (s *stage) quote(at, bid, bidQty, ask, askQty int64) {
	s.t.Helper()
	s.row(market.Row{Kind: market.Quote, TransactTime: at, BidPx: bid, BidQty: bidQty, AskPx: ask, AskQty: askQty,
		HasBid: bidQty > 0, HasAsk: askQty > 0})
}

func (s *stage) trade(at, px, qty int64) {
	s.t.Helper()
	s.row(market.Row{Kind: market.Trade, TransactTime: at, TradePx: px, TradeQty: qty})
}

func (s *stage) hear(inputs []engine.Input, err error) {
	if err != nil {
		s.t.Fatal(err)
	}
	for _, input := range inputs {
		r := input.(*engine.VenueReport)
		words := map[engine.ExecType]string{engine.ExecNew: "new", engine.ExecCanceled: "canceled", engine.ExecExpired: "expired", engine.ExecCancelRejected: "cancel rejected", engine.ExecReplaced: "replaced", engine.ExecRejected: "rejected"}
		line := fmt.Sprintf("%s %d", words[r.ExecType], r.OrderID)
		if r.ExecType == engine.ExecTrade {
			line = fmt.Sprintf("%d: %d@%d %s", r.OrderID, r.LastQty, r.LastPx, []string{"", "maker", "taker"}[r.LastLiquidityInd])
		}
		if r.Venue != "X" || r.TransactTime != s.clock.Now() {
			s.t.Errorf("%s: at venue %q and %d, want X and %d", line, r.Venue, r.TransactTime, s.clock.Now())
		}
		s.said = append(s.said, line)
	}
}

// check holds what was said since the last check, without arrivals, against want.
func (s *stage) check(want ...string) {
	s.t.Helper()
	s.said = slices.DeleteFunc(s.said, func(line string) bool { return strings.HasPrefix(line, "new ") })
	if !slices.Equal(s.said, want) {
		s.t.Errorf("said %q, want %q", s.said, want)
	}
	s.said = nil
}

func TestNoFillInTheBarOfTheDecision(t *testing.T) {
	s := newStage(t, all())
	s.bar(0, 100, 10, 12, 8, 11, 1000)
	s.order(buy, 100, noPrice, engine.GTC) // decided at the close, 100
	s.order(sell, 100, 9, engine.GTC)
	// Another bar of the same close, and one that opened before the order arrived: neither may fill.
	s.bar(0, 100, 10, 12, 8, 11, 1000)
	s.bar(99, 101, 10, 12, 8, 11, 1000)
	s.check()
	s.bar(100, 200, 13, 15, 12, 14, 1000)
	s.check("1: 100@13 taker", "2: 100@13 taker")
}

func TestLatencyDelaysTheBar(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 10_000, OrderLatency: 1})
	s.bar(0, 100, 10, 12, 8, 11, 1000)
	s.order(buy, 100, noPrice, engine.GTC)
	s.bar(100, 200, 13, 15, 12, 14, 1000) // opened 1 ns before the order arrived
	s.check()
	s.bar(200, 300, 16, 16, 16, 16, 1000)
	s.check("1: 100@16 taker")
}

func TestLimitOrderInABar(t *testing.T) {
	for _, c := range []struct {
		name                    string
		side                    engine.Side
		price                   int64
		open, high, low, closed int64
		want                    []string
	}{
		{"buy at the open when it is better", buy, 10, 9, 12, 8, 11, []string{"1: 100@9 taker"}},
		{"buy at the open when it is the price", buy, 10, 10, 12, 10, 11, []string{"1: 100@10 taker"}},
		{"buy traded through", buy, 10, 11, 12, 9, 11, []string{"1: 100@10 maker"}},
		{"buy only touched", buy, 10, 11, 12, 10, 11, nil},
		{"buy never reached", buy, 10, 12, 13, 11, 12, nil},
		{"sell at the open when it is better", sell, 10, 11, 12, 8, 9, []string{"1: 100@11 taker"}},
		{"sell at the open when it is the price", sell, 10, 10, 10, 8, 9, []string{"1: 100@10 taker"}},
		{"sell traded through", sell, 10, 9, 11, 8, 9, []string{"1: 100@10 maker"}},
		{"sell only touched", sell, 10, 9, 10, 8, 9, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStage(t, all())
			s.order(c.side, 100, c.price, engine.GTC)
			s.bar(1, 2, c.open, c.high, c.low, c.closed, 1000)
			s.check(c.want...)
		})
	}
}

func TestShareOfVolume(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 1000})
	s.order(buy, 70, noPrice, engine.GTC)
	s.order(sell, 50, noPrice, engine.GTC)
	s.order(buy, 100, noPrice, engine.IOC)
	s.order(buy, 30, noPrice, engine.FOK)
	s.order(buy, 20, 5, engine.GTC)
	// A tenth of 1099 is 109, in whole lots 100: 70 to the first, 30 to the second, none to the others.
	s.bar(1, 2, 10, 11, 9, 10, 1099)
	s.check("1: 70@10 taker", "2: 30@10 taker", "canceled 3", "canceled 4")
	s.bar(2, 3, 10, 11, 9, 10, 99) // less than a lot
	s.check()
	s.bar(3, 4, 10, 11, 9, 10, 500)
	s.check("2: 20@10 taker")
}

func TestImmediateOrdersInABar(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 5000})
	s.order(buy, 100, noPrice, engine.FOK) // 1
	s.order(buy, 10, 9, engine.IOC)        // 2: the bar only touches its price
	s.order(buy, 200, noPrice, engine.IOC) // 3
	s.bar(1, 2, 10, 11, 9, 10, 300)
	s.check("1: 100@10 taker", "canceled 2", "3: 50@10 taker", "canceled 3")
	if !s.venue.Idle() {
		t.Error("all orders have ended, and something still works")
	}
}

func TestArrivingOrderTakesTheQuoteInForce(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 5000, OrderLatency: 5})
	s.quote(100, 9, 200, 11, 200)
	s.order(buy, 60, noPrice, engine.GTC)  // 1: arrives at 105
	s.order(buy, 100, noPrice, engine.GTC) // 2: what 1 took is not there again
	s.order(sell, 50, 9, engine.IOC)       // 3
	s.order(sell, 10, 10, engine.IOC)      // 4: crosses nothing
	s.order(sell, 60, 9, engine.FOK)       // 5: only 50 are left
	s.quote(104, 9, 200, 12, 200)          // in force at 105
	s.quote(105, 8, 400, 13, 200)          // so is this: not after the arrival
	s.check()
	s.quote(106, 8, 200, 14, 40)
	s.check("1: 60@13 taker", "2: 40@13 taker", "canceled 3", "canceled 4", "canceled 5", "2: 20@14 taker")
	s.quote(107, 8, 200, 14, 400)
	s.check("2: 40@14 taker")
}

func TestQuoteIsTakenOnceAndAgainOnlyWhenNew(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 9, 100, 11, 100)
	s.order(sell, 100, 9, engine.GTC)
	s.until(2)
	s.check("1: 100@9 taker")
	s.order(sell, 100, 9, engine.GTC)
	s.until(2)
	s.check()
	s.quote(3, 9, 100, 11, 100)
	s.check("2: 100@9 taker") // it crossed all the time: a taker, at the bid
}

func TestRestedOrderIsFilledAtItsPrice(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 9, 100, 12, 100)
	s.order(buy, 100, 10, engine.GTC) // rests below the offer
	s.quote(2, 9, 100, 11, 100)
	s.check()
	s.quote(3, 7, 100, 8, 60)
	s.check("1: 60@10 maker")
	s.quote(4, 7, 100, 10, 60)
	s.check("1: 40@10 maker")
}

func TestEmptySideFillsNothing(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 9, 100, 11, 0)
	s.order(buy, 100, noPrice, engine.IOC)
	s.order(buy, 100, noPrice, engine.GTC)
	s.until(2)
	s.check("canceled 1")
	s.quote(2, 9, 100, 0, 0)
	s.check()
	s.order(buy, 50, 12, engine.GTC) // rests: there is nothing to take
	s.quote(3, 9, 100, 10, 200)
	s.check("2: 100@10 taker", "3: 50@12 maker")
}

func TestTrades(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 5000})
	s.trade(1, 10, 100)
	s.order(buy, 80, noPrice, engine.GTC)
	s.order(buy, 100, 11, engine.GTC)
	s.order(sell, 100, 10, engine.GTC)
	s.trade(1, 10, 100) // at the time of the arrival: not after it
	s.check()
	s.trade(2, 10, 200)
	s.check("1: 80@10 taker", "2: 20@11 maker")
	s.trade(3, 10, 1000)
	s.check("2: 80@11 maker") // the seller's price was touched, not passed
	s.trade(4, 12, 100)
	s.check("3: 50@10 maker")
}

func TestTradesFillOnlyRestingLimitsWhereThereAreQuotes(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 9, 100, 12, 0)
	s.order(buy, 50, noPrice, engine.GTC)
	s.order(buy, 50, 10, engine.GTC)
	s.trade(2, 9, 1000)
	s.check("2: 50@10 maker")
}

func TestBarsOnlyMarkWhereThereIsFinerData(t *testing.T) {
	for _, finer := range []func(*stage){
		func(s *stage) { s.quote(1, 9, 100, 12, 0) },
		func(s *stage) { s.trade(1, 9, 100) },
	} {
		s := newStage(t, all())
		finer(s)
		s.order(buy, 50, 10, engine.GTC)
		s.bar(2, 3, 5, 12, 5, 10, 1000)
		s.check()
	}
}

func TestInstrumentsDoNotShareLiquidity(t *testing.T) {
	s := newStage(t, all())
	s.orderOf("I1.X", buy, 50, noPrice, engine.GTC)
	s.bar(1, 2, 10, 11, 9, 10, 1000) // of instrument 0
	s.check()
}

func TestCancel(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 10_000, OrderLatency: 10})
	id := s.order(buy, 100, noPrice, engine.GTC)
	s.venue.Cancel(router.Cancel{OrderID: id, InstrumentID: "I0.X"}) // right behind: it does not overtake
	late := s.order(buy, 100, noPrice, engine.GTC)
	s.until(11)
	s.check("canceled 1")
	s.bar(15, 20, 10, 11, 9, 10, 1000)
	s.check("2: 100@10 taker")
	s.venue.Cancel(router.Cancel{OrderID: late, InstrumentID: "I0.X"})
	s.until(31)
	s.check("cancel rejected 2")
}

func TestEndOfDayExpiresWhatHasArrived(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 10_000, OrderLatency: 10})
	s.order(buy, 100, 5, engine.Day)
	s.orderOf("I1.X", buy, 100, 5, engine.GTC)
	s.orderOf("I1.X", buy, 100, 5, engine.Day)
	s.until(11)
	s.order(buy, 100, 5, engine.Day) // on its way
	s.hear(s.venue.EndDay(s.clock.Now()), nil)
	s.check("expired 1", "expired 3")
	s.until(100)
	s.bar(100, 200, 4, 5, 4, 4, 1000)
	s.check("4: 100@4 taker")
}

func TestFeesAreExact(t *testing.T) {
	s := newStage(t, all())
	s.order(buy, 10, noPrice, engine.GTC)
	s.order(buy, 10, 6, engine.GTC)
	s.until(1)
	reports, err := s.venue.Row(&market.Row{Kind: market.Bar, OpenTime: 1, TransactTime: 2, OpenPx: 7, HighPx: 7, LowPx: 5, ClosePx: 7, Volume: 100})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"0.14 USD", "0.06 USD"} {
		r := reports[n].(*engine.VenueReport)
		if got := r.Commission.String(); got != want {
			t.Errorf("fill %d: fee %s, want %s", n, got, want)
		}
		if r.ExecID != fmt.Sprint(n+1) || r.VenueOrderID != fmt.Sprint(n+1) {
			t.Errorf("fill %d: exec id %q, venue order id %q, want %d", n, r.ExecID, r.VenueOrderID, n+1)
		}
	}
}

func TestNotionalBeyondAllMeasureIsAnError(t *testing.T) {
	s := newStage(t, all())
	s.order(buy, 1<<62/10*10, noPrice, engine.GTC)
	s.until(1)
	if _, err := s.venue.Row(&market.Row{Kind: market.Bar, OpenTime: 1, TransactTime: 2, OpenPx: 1 << 62, HighPx: 1 << 62, LowPx: 1 << 62, ClosePx: 1 << 62, Volume: 1 << 62}); err == nil {
		t.Error("a fee that cannot be computed must be an error")
	}
}
