package main

import (
	"encoding/json"
	"path/filepath"
	"time"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/feed"
)

// figures are of the messages of one capture that change books, on one core, in ns of each round over all of them.
type figures struct {
	Capture       string  `json:"capture"`
	Messages      int     `json:"messages"`
	LevelUpdates  int     `json:"level_updates"`
	DecodeAndBook []int64 `json:"decode_and_book_ns"`
	Parse         []int64 `json:"encoding_json_ns"`
	BookAlone     []int64 `json:"book_alone_ns"`
}

// parsed is what encoding/json parses the same bytes into: the fields that we read, numbers left as text.
type parsed struct {
	Stream string `json:"stream"`
	Data   struct {
		Event  string      `json:"e"`
		Symbol string      `json:"s"`
		Time   int64       `json:"E"`
		First  int64       `json:"U"`
		Last   int64       `json:"u"`
		Prev   int64       `json:"pu"`
		Bids   [][2]string `json:"b"`
		Asks   [][2]string `json:"a"`
	} `json:"data"`
	Type    string      `json:"type"`
	Product string      `json:"product_id"`
	At      string      `json:"time"`
	Changes [][3]string `json:"changes"`
}

func measureAll(folder string, rounds int) ([]figures, error) {
	list, err := captures(folder)
	if err != nil {
		return nil, err
	}
	var all []figures
	for _, c := range list {
		payloads, err := deltas(folder, c)
		if err != nil {
			return nil, err
		}
		if len(payloads) < 1_000 { // too short to be measured
			continue
		}
		all = append(all, measure(c, payloads, rounds))
	}
	return all, nil
}

// deltas are the messages that change books.
func deltas(folder string, c capture) ([][]byte, error) {
	d := c.decode(feed.NewInstruments(c.instruments))
	var payloads [][]byte
	for _, file := range c.files {
		lines, err := readLines(filepath.Join(folder, file))
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if m, err := d.Decode(line.payload); err == nil && m.Kind == feed.Delta {
				payloads = append(payloads, line.payload)
			}
		}
	}
	return payloads, nil
}

func measure(c capture, payloads [][]byte, rounds int) figures {
	f := figures{Capture: c.name, Messages: len(payloads)}
	var events []book.Event
	d := c.decode(feed.NewInstruments(c.instruments))
	for _, payload := range payloads {
		m, _ := d.Decode(payload) // it did before
		e := m.Book
		e.Bids, e.Asks = append([]book.Level(nil), e.Bids...), append([]book.Level(nil), e.Asks...)
		events = append(events, e)
		f.LevelUpdates += len(e.Bids) + len(e.Asks)
	}
	for range rounds {
		f.DecodeAndBook = append(f.DecodeAndBook, timed(func() { decodeAndUpdate(c, payloads) }))
		f.Parse = append(f.Parse, timed(func() { parseOnly(payloads) }))
		f.BookAlone = append(f.BookAlone, timed(func() { updateOnly(events) }))
	}
	return f
}

func timed(run func()) int64 {
	start := time.Now()
	run()
	return time.Since(start).Nanoseconds()
}

func decodeAndUpdate(c capture, payloads [][]byte) {
	d := c.decode(feed.NewInstruments(c.instruments))
	books := make([]book.Book, len(c.instruments))
	for _, payload := range payloads {
		m, _ := d.Decode(payload)
		apply(&books[m.Instrument], m.Book)
	}
}

func parseOnly(payloads [][]byte) {
	for _, payload := range payloads {
		var p parsed
		_ = json.Unmarshal(payload, &p)
	}
}

func updateOnly(events []book.Event) {
	var b book.Book
	for _, e := range events {
		apply(&b, e)
	}
}

func apply(b *book.Book, e book.Event) {
	for _, level := range e.Bids {
		b.Set(engine.Buy, level.Px, level.Qty)
	}
	for _, level := range e.Asks {
		b.Set(engine.Sell, level.Px, level.Qty)
	}
}
