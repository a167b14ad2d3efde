package main

import (
	"bytes"
	"path/filepath"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/feed"
)

// bitstamp is the definition that the log of single orders is read with.
var bitstamp = engine.Instrument{PriceScale: 2, QtyScale: 8}

// warmUp is how many of the venue's own books are left out while orders of before the log still miss.
const warmUp = 50

// orderCounts is what the log of single orders held.
type orderCounts struct {
	Events  int `json:"events"`
	Errors  int `json:"errors"`
	Unknown int `json:"unknown"` // changed or deleted, and added before the log
	Live    int `json:"live"`
	Books   int `json:"books"` // of the venue's own, after the warm-up
	Equal   int `json:"equal"` // of them: best bid and ask prices
	seen    int
}

// checkOrders rebuilds the book of Bitstamp's log, which starts without a snapshot, beside the venue's own books.
func checkOrders(folder string) (orderCounts, error) {
	var counts orderCounts
	lines, err := readLines(filepath.Join(folder, "l3", "bitstamp_btcusd_20150501.raw.txt.gz"))
	if err != nil {
		return counts, err
	}
	orders := book.NewOrders()
	for _, line := range lines {
		event, payload, _ := bytes.Cut(line.payload, []byte(" "))
		counts.event(orders, string(event), payload)
	}
	counts.Live = orders.Len()
	return counts, nil
}

func (c *orderCounts) event(orders *book.Orders, event string, payload []byte) {
	if event == "trade" {
		return
	}
	order, venues, err := readOrder(payload)
	if err != nil {
		c.Errors++
		return
	}
	if event == "order_book" {
		c.compare(orders.Book(), venues)
		return
	}
	c.Events++
	_, known := orders.Order(order.ID)
	switch {
	case event == "order_created":
		err = orders.Add(order)
	case !known:
		c.Unknown++
	case event == "order_changed":
		err = orders.Modify(order.ID, order.Px, order.Qty)
	default:
		err = orders.Delete(order.ID)
	}
	if err != nil {
		c.Errors++
	}
}

// readOrder reads an order, or the levels of a whole book.
func readOrder(payload []byte) (order book.Order, venues book.Event, err error) {
	s := feed.Scan(payload)
	s.Object(func(key []byte) {
		switch string(key) {
		case "id":
			order.ID = s.Int()
		case "price":
			order.Px = s.Decimal("price", bitstamp.PriceScale)
		case "amount":
			order.Qty = s.Decimal("amount", bitstamp.QtyScale)
		case "order_type":
			order.Side = engine.Buy
			if s.Int() == 1 {
				order.Side = engine.Sell
			}
		case "bids":
			venues.Bids = s.Levels(nil, &bitstamp)
		case "asks":
			venues.Asks = s.Levels(nil, &bitstamp)
		default:
			s.Skip()
		}
	})
	s.End()
	return order, venues, s.Err()
}

func (c *orderCounts) compare(b *book.Book, venues book.Event) {
	if c.seen++; c.seen <= warmUp || len(venues.Bids) == 0 || len(venues.Asks) == 0 {
		return
	}
	c.Books++
	bid, _ := b.Best(engine.Buy)
	ask, _ := b.Best(engine.Sell)
	c.Equal += one(bid.Px == venues.Bids[0].Px && ask.Px == venues.Asks[0].Px)
}
