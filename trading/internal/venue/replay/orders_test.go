package replay

import (
	"math/rand/v2"
	"testing"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// recordedOrder is what an order of the recorded book is from then on; the book is whole behind it.
func (s *stage) recordedOrder(at, id int64, side engine.Side, px, qty int64, flags uint8) {
	s.t.Helper()
	s.row(market.Row{Kind: market.BookOrder, TransactTime: at, BookOrderID: id, BookSide: uint8(side), BookPx: px, BookQty: qty,
		BookFlags: flags | market.BookLastOfEvent})
}

// ordered has a bid at 99 and an offer at 101, a hundred each, of ids 1 and 2.
func ordered(t *testing.T, config Config) *stage {
	s := newStage(t, config)
	s.recordedOrder(1, 1, buy, 99, 100, market.BookClear)
	s.recordedOrder(1, 2, sell, 101, 100, 0)
	return s
}

func TestOrdersFillInTheirTurn(t *testing.T) {
	s := ordered(t, all())
	s.order(buy, 30, 99, engine.GTC)
	s.recordedOrder(2, 3, buy, 99, 50, 0)
	s.recordedOrder(3, 1, buy, 99, 40, market.BookTraded)
	s.recordedOrder(4, 1, buy, 99, 0, 0)
	s.tradeBy(5, sell, 99, 500) // says nothing that the orders do not
	s.check()
	s.recordedOrder(6, 3, buy, 99, 30, market.BookTraded)
	s.check("1: 20@99 maker")
	s.recordedOrder(7, 4, sell, 99, 50, 0)
	s.check("1: 10@99 maker")
}

func TestOrdersAreTakenOnArrival(t *testing.T) {
	s := ordered(t, Config{MaxVolumeShareBps: 5_000})
	s.order(buy, 80, noPrice, engine.GTC)
	s.order(sell, 60, 99, engine.FOK)
	s.order(sell, 60, 99, engine.IOC)
	s.until(2)
	s.check("1: 50@101 taker", "canceled 2", "3: 50@99 taker", "canceled 3")
	s.recordedOrder(3, 3, sell, 102, 40, 0)
	s.check("1: 20@102 taker")
}

func TestOrdersDecideOverDepth(t *testing.T) {
	s := deep(t, all())
	id := s.order(buy, 30, 100, engine.Day)
	s.until(2)
	s.recordedOrder(2, 1, sell, 102, 100, 0)
	s.level(3, sell, 100, 500)
	s.quote(4, 90, 50, 91, 50)
	s.check()
	s.recordedOrder(5, 2, sell, 100, 10, 0)
	s.check("1: 10@100 maker")
	s.hear(s.venue.EndDay(s.clock.Now()), nil)
	s.recordedOrder(6, 3, sell, 90, 500, 0)
	s.check("expired 1")
	if s.venue.orders.Get(id) != nil {
		t.Error("the order must be gone")
	}
}

// Whatever rows come, in which a row that was to be quiet never says anything (stage.row), an order never
// fills beyond its quantity.
func TestOrdersOfAnyRows(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		s := newStage(t, Config{MaxVolumeShareBps: 1 + random.Uint32N(10_000), OrderLatency: random.Int64N(3)})
		for at := int64(1); at < 2_000; at += random.Int64N(2) {
			side, px, qty := []engine.Side{buy, sell}[random.IntN(2)], 95+random.Int64N(10), 10*random.Int64N(20)
			tif := []engine.TimeInForce{engine.GTC, engine.IOC, engine.FOK, engine.Day}[random.IntN(4)]
			switch random.IntN(12) {
			case 0, 1:
				s.order(side, 10+qty, []int64{px, px, noPrice}[random.IntN(3)], tif)
			case 2:
				s.tradeBy(at, side, px, 1+qty)
			case 3:
				s.level(at, side, px, qty)
			default:
				flags := uint8(random.IntN(2)*market.BookTraded + random.IntN(2)*market.BookLastOfEvent)
				if random.IntN(200) == 0 {
					flags |= market.BookClear
				}
				s.row(market.Row{Kind: market.BookOrder, TransactTime: at, BookOrderID: random.Int64N(60), BookSide: uint8(side),
					BookPx: px, BookQty: qty, BookFlags: flags})
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
