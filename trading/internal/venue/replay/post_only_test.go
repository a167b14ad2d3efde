package replay

import (
	"testing"

	"aetherion/trading/internal/engine"
)

func (s *stage) postOnly(side engine.Side, qty, price int64) uint64 {
	s.ids++
	s.venue.submit(s.ids, engine.NewOrder{InstrumentID: "I0.X", Side: side, OrderQty: qty, TimeInForce: engine.GTC,
		OrdType: engine.Limit, Price: price, HasPrice: true, ExecInsts: engine.PostOnly})
	return s.ids
}

func TestPostOnlyTakesNoQuote(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 99, 100, 101, 100)
	s.postOnly(buy, 50, 101)
	s.postOnly(buy, 50, 100)
	s.until(2)
	s.check("rejected 1")
	s.quote(3, 98, 100, 99, 100)
	s.check("2: 50@100 maker")
}

func TestPostOnlyIsReplacedOnlyToWhatRests(t *testing.T) {
	s := newStage(t, all())
	s.quote(1, 99, 100, 101, 100)
	id := s.postOnly(buy, 50, 98)
	s.until(2)
	terms := s.venue.orders.Get(id).terms
	terms.Price = 101
	s.venue.replace(id, terms)
	terms.Price = 100
	s.venue.replace(id, terms)
	s.until(3)
	s.check("cancel rejected 1", "replaced 1")
	s.quote(4, 98, 100, 100, 100)
	s.check("1: 50@100 maker")
}

func TestPostOnlyAddsLiquidityInABar(t *testing.T) {
	s := newStage(t, all())
	s.postOnly(buy, 50, 100)
	s.bar(0, 10, 95, 101, 94, 100, 1000)
	s.check("1: 50@100 maker")
}

func TestPostOnlyTakesNoDepth(t *testing.T) {
	s := deep(t, all())
	s.postOnly(buy, 50, 101)
	s.postOnly(buy, 50, 100)
	s.until(2)
	s.check("rejected 1")
	s.tradeBy(3, sell, 100, 30)
	s.check("2: 30@100 maker")
}
