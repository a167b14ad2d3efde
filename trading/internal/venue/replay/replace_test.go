package replay

import (
	"testing"

	"aetherion/trading/internal/engine"
)

// change asks that an order work on other terms.
func (s *stage) change(id uint64, side engine.Side, qty, price int64) {
	s.venue.replace(id, engine.NewOrder{InstrumentID: "I0.X", Side: side, OrderQty: qty, TimeInForce: engine.GTC,
		OrdType: engine.Limit, Price: price, HasPrice: true})
}

func TestReplacedOrderFillsOnItsNewTerms(t *testing.T) {
	s := newStage(t, all())
	id := s.order(buy, 100, 90, engine.GTC)
	s.bar(0, 10, 100, 101, 99, 100, 1000)
	s.change(id, buy, 60, 98)
	s.bar(10, 20, 100, 101, 97, 100, 1000)
	s.check("replaced 1", "1: 60@98 maker")
}

// With another price it is as new: the bar that had begun does not fill it. With less quantity it is as old.
func TestReplacedOrderWaitsForTheNextBarOnlyWithAnotherPrice(t *testing.T) {
	for _, c := range []struct {
		qty, price int64
		want       []string
	}{
		{100, 96, []string{"replaced 1"}},
		{50, 95, []string{"replaced 1", "1: 50@95 maker"}},
		{150, 95, []string{"replaced 1"}},
	} {
		s := newStage(t, all())
		id := s.order(buy, 100, 95, engine.GTC)
		s.until(1)
		s.clock.Set(15)
		s.change(id, buy, c.qty, c.price)
		s.bar(10, 20, 100, 101, 94, 100, 1000)
		s.check(c.want...)
	}
}

func TestReplacedOrderMeetsTheQuoteInForce(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 99, 100, 101, 100)
	id := s.order(buy, 100, 90, engine.GTC)
	s.until(2)
	s.change(id, buy, 100, 101)
	s.until(3)
	s.check("replaced 1", "1: 100@101 taker")
}

func TestReplaceThatComesTooLate(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 99, 100, 101, 40)
	id := s.order(buy, 100, 101, engine.GTC)
	s.until(2)
	s.change(id, buy, 40, 101) // 40 are filled: nothing would be left
	s.until(3)
	s.quote(4, 99, 100, 101, 100)
	s.change(id, buy, 200, 101)
	s.until(5)
	s.check("1: 40@101 taker", "cancel rejected 1", "1: 60@101 taker", "cancel rejected 1")
}

func TestReplaceDoesNotOvertakeItsOrder(t *testing.T) {
	s := newStage(t, Config{MaxVolumeShareBps: 10_000, OrderLatency: 5})
	id := s.order(buy, 100, 90, engine.GTC)
	s.change(id, buy, 50, 95)
	s.until(10)
	s.check("replaced 1")
}

// In a recorded book every change queues anew.
func TestReplacedOrderQueuesAnewInTheDepth(t *testing.T) {
	s := deep(t, all())
	id := s.order(buy, 30, 99, engine.GTC)
	s.tradeBy(2, sell, 99, 100) // it is the first now
	s.change(id, buy, 20, 99)
	s.level(3, buy, 99, 100)
	s.tradeBy(4, sell, 99, 50)
	s.check("replaced 1")
	s.change(id, buy, 20, 101)
	s.until(5)
	s.check("replaced 1", "1: 20@101 taker")
}
