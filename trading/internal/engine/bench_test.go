package engine_test

import (
	"fmt"
	"strconv"
	"testing"

	"aetherion/trading/internal/engine"
)

// orderEvents are n orders, each acknowledged by its venue and filled: three events each.
func orderEvents(n int) []engine.Event {
	events := []engine.Event{
		{Sequence: 1, Input: &definitions[0]},
		{Sequence: 2, Input: &engine.AccountOpened{Account: "A", BaseCurrency: "USD"}},
	}
	add := func(input engine.Input) {
		events = append(events, engine.Event{Sequence: uint64(len(events) + 1), Input: input})
	}
	for i := range n {
		side := engine.Side(1 + i%2)
		add(&engine.OrderDecision{Approved: true, NewOrder: engine.NewOrder{ClOrdID: fmt.Sprint(i), Account: "A", InstrumentID: "ACME.X",
			Side: side, OrdType: engine.Limit, TimeInForce: engine.GTC, OrderQty: 100, Price: 5000, HasPrice: true}})
		id := uint64(len(events))
		venueID := strconv.Itoa(i)
		add(&engine.VenueReport{Venue: "X", OrderID: id, VenueOrderID: venueID, ExecType: engine.ExecNew})
		add(&engine.VenueReport{Venue: "X", OrderID: id, VenueOrderID: venueID, ExecType: engine.ExecTrade, ExecID: venueID,
			LastQty: 100, LastPx: 5000 + int64(i%7), Commission: engine.Money{Currency: "USD"}})
	}
	return events
}

// BenchmarkApply is the price of an event, on an engine that keeps all orders before it.
func BenchmarkApply(b *testing.B) {
	events := orderEvents(100_000)
	b.ReportAllocs()
	applied := 0
	for b.Loop() {
		e := engine.New()
		var effects engine.Effects
		for i := range events {
			effects.Reset()
			if err := e.Apply(events[i], &effects); err != nil {
				b.Fatal(err)
			}
		}
		applied += len(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(applied), "ns/event")
}
