package replay

import (
	"math/rand/v2"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/queue"
)

// level is a row of the depth that is whole behind it.
func (s *stage) level(at int64, side engine.Side, px, qty int64) {
	s.t.Helper()
	s.row(market.Row{Kind: market.BookLevel, TransactTime: at, BookSide: uint8(side), BookPx: px, BookQty: qty,
		BookFlags: market.BookLastOfEvent})
}

func (s *stage) tradeBy(at int64, aggressor engine.Side, px, qty int64) {
	s.t.Helper()
	s.row(market.Row{Kind: market.Trade, TransactTime: at, TradePx: px, TradeQty: qty, AggressorSide: uint8(aggressor)})
}

// deep has bids 99 and asks 101, a hundred at each.
func deep(t *testing.T, config Config) *stage {
	s := newStage(t, config)
	s.level(1, buy, 99, 100)
	s.level(1, sell, 101, 100)
	return s
}

func TestDepthFillsByTheQueue(t *testing.T) {
	s := deep(t, all())
	s.order(buy, 30, 99, engine.GTC)
	s.tradeBy(2, sell, 99, 100)
	s.check()
	s.tradeBy(3, sell, 99, 20)
	s.check("1: 20@99 maker")
	s.tradeBy(4, 0, 99, 20)
	s.check("1: 10@99 maker")
}

func TestDepthModelIsConfigured(t *testing.T) {
	for name, c := range map[string]struct {
		model queue.Choice
		want  []string
	}{
		"risk-averse": {nil, nil},
		"power":       {func(int64) queue.Model { return queue.Probabilistic(queue.Power(3)) }, []string{"1: 10@99 maker"}},
	} {
		config := all()
		config.Queue = c.model
		s := deep(t, config)
		s.order(buy, 10, 99, engine.GTC)
		s.level(2, buy, 99, 200)
		s.level(3, buy, 99, 100) // without a trade: half of it stood before the order
		s.tradeBy(4, sell, 99, 60)
		t.Log(name)
		s.check(c.want...)
	}
}

func TestDepthIsTakenOnArrival(t *testing.T) {
	s := deep(t, Config{MaxVolumeShareBps: 5_000})
	s.order(buy, 80, noPrice, engine.GTC)
	s.order(sell, 60, 99, engine.FOK)
	s.order(sell, 60, 99, engine.IOC)
	s.until(2)
	s.check("1: 50@101 taker", "canceled 2", "3: 50@99 taker", "canceled 3")
	s.level(3, sell, 101, 40)
	s.check("1: 20@101 taker")
}

func TestOrdersWaitForTheWholeDepth(t *testing.T) {
	s := newStage(t, all())
	s.order(buy, 30, 101, engine.GTC)
	s.row(market.Row{Kind: market.BookLevel, TransactTime: 1, BookSide: uint8(sell), BookPx: 102, BookQty: 100, BookFlags: market.BookClear})
	s.check()
	s.level(1, sell, 101, 100)
	s.check("1: 30@101 taker")
}

func TestDepthDecidesOverQuotesAndBars(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 99, 50, 101, 50)
	s.order(buy, 30, 100, engine.GTC)
	s.until(2)
	s.level(2, sell, 102, 100)
	s.quote(3, 90, 50, 91, 50)
	s.bar(3, 4, 90, 95, 85, 90, 1000)
	s.check()
	s.level(5, sell, 100, 10)
	s.check("1: 10@100 maker")
}

func TestDepthForgetsCanceledOrders(t *testing.T) {
	s := deep(t, all())
	id := s.order(buy, 30, 99, engine.Day)
	s.until(2)
	s.hear(s.venue.EndDay(s.clock.Now()), nil)
	s.tradeBy(3, sell, 90, 500)
	s.check("expired 1")
	if s.venue.orders.Get(id) != nil {
		t.Error("the order must be gone")
	}
}

// Whatever rows come, in which a row that was to be quiet never says anything (stage.row), an order never
// fills beyond its quantity or its limit.
func TestDepthOfAnyRows(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := newStage(t, Config{MaxVolumeShareBps: 1 + random.Uint32N(10_000), OrderLatency: random.Int64N(3)})
		for at := int64(1); at < 2_000; at += random.Int64N(2) {
			side, px, qty := []engine.Side{buy, sell}[random.IntN(2)], 95+random.Int64N(10), 10*random.Int64N(20)
			tif := []engine.TimeInForce{engine.GTC, engine.IOC, engine.FOK, engine.Day}[random.IntN(4)]
			switch random.IntN(6) {
			case 0:
				s.order(side, 10+qty, []int64{px, px, noPrice}[random.IntN(3)], tif)
			case 1:
				s.tradeBy(at, []engine.Side{0, buy, sell}[random.IntN(3)], px, 1+qty)
			case 2:
				s.quote(at, px-1, qty, px+1, qty)
			default:
				flags := uint8(random.IntN(2) * market.BookLastOfEvent)
				if random.IntN(200) == 0 {
					flags |= market.BookClear
				}
				s.row(market.Row{Kind: market.BookLevel, TransactTime: at, BookSide: uint8(side), BookPx: px, BookQty: qty, BookFlags: flags})
			}
		}
		if len(s.said) < 100 {
			t.Errorf("seed %d: too little happened: %d reports", seed, len(s.said))
		}
		for id, o := range s.venue.orders.All() {
			if o.leaves <= 0 || o.leaves > o.terms.OrderQty {
				t.Errorf("seed %d: order %d leaves %d of %d", seed, id, o.leaves, o.terms.OrderQty)
			}
		}
	}
}
