package main

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/binance"
	"aetherion/trading/internal/venue/feed"
)

// counts is what a capture held, and how often it was wrong.
type counts struct {
	Capture   string         `json:"capture"`
	Messages  int            `json:"messages"`
	Kinds     map[string]int `json:"kinds"`
	Rows      int            `json:"rows"`
	Errors    int            `json:"errors"`
	LastError string         `json:"last_error,omitempty"`
	Gaps      int            `json:"gaps"`
	States    int            `json:"states"` // of a live book whose quote the venue sent too
	Equal     int            `json:"equal"`  // of them: best bid and ask, prices and quantities
	// Every fifth state, as the data's README counts.
	Sampled      int `json:"sampled"`
	SampledEqual int `json:"sampled_equal"`
	Live         int `json:"live"` // books at the end
}

var kindNames = [...]string{feed.Ignored: "ignored", feed.Snapshot: "snapshot", feed.Delta: "delta", feed.Quote: "quote", feed.Trade: "trade"}

// top is the best bid and ask at one of the venue's numbers.
type top struct {
	at       int64
	bid, ask book.Level
}

type checker struct {
	counts
	decoder decoder
	books   map[uint32]*book.Synced
	states  map[uint32][]top
	quotes  map[uint32][]top
	rows    []market.Row
}

func checkAll(folder string) ([]counts, error) {
	list, err := captures(folder)
	if err != nil {
		return nil, err
	}
	var all []counts
	for _, c := range list {
		k := checker{counts: counts{Capture: c.name, Kinds: map[string]int{}}, decoder: c.decode(feed.NewInstruments(c.instruments)),
			books: map[uint32]*book.Synced{}, states: map[uint32][]top{}, quotes: map[uint32][]top{}}
		for _, file := range c.files {
			lines, err := readLines(filepath.Join(folder, file))
			if err != nil {
				return nil, err
			}
			for _, line := range lines {
				k.line(c, line)
			}
		}
		k.compare()
		all = append(all, k.counts)
	}
	return all, nil
}

func (k *checker) line(c capture, line line) {
	k.Messages++
	m, err := k.read(c, line)
	if err != nil {
		k.Errors++
		k.LastError = err.Error()
		return
	}
	k.Kinds[kindNames[m.Kind]]++
	k.rows = m.Rows(k.rows[:0], 1)
	k.Rows += len(k.rows)
	switch m.Kind {
	case feed.Quote:
		k.quotes[m.Instrument] = append(k.quotes[m.Instrument],
			top{m.UpdateID, book.Level{Px: m.BidPx, Qty: m.BidQty}, book.Level{Px: m.AskPx, Qty: m.AskQty}})
	case feed.Snapshot, feed.Delta:
		k.update(m)
	}
}

func (k *checker) read(c capture, line line) (*feed.Message, error) {
	b, isBinance := k.decoder.(*binance.Decoder)
	if !isBinance || line.answer == "" && !bytes.HasPrefix(line.payload, []byte(`{"lastUpdateId"`)) {
		return k.decoder.Decode(line.payload)
	}
	symbol := c.instruments[0].InstrumentID[:len(c.instruments[0].InstrumentID)-len(c.instruments[0].Venue())-1]
	if line.answer != "" {
		asked, err := url.Parse(line.answer)
		if err != nil {
			return nil, fmt.Errorf("address of an answer: %w", err)
		}
		symbol = asked.Query().Get("symbol")
	}
	return b.DecodeSnapshot(symbol, line.payload)
}

func (k *checker) update(m *feed.Message) {
	s := k.books[m.Instrument]
	if s == nil {
		s = &book.Synced{}
		k.books[m.Instrument] = s
	}
	applied := m.Kind == feed.Snapshot
	var err error
	if applied {
		err = s.Snapshot(m.Book)
	} else {
		applied, err = s.Delta(m.Book)
	}
	if err != nil {
		k.Gaps++
		k.LastError = err.Error()
	}
	if b := s.Book(); b != nil && applied && s.At() != 0 {
		bid, _ := b.Best(engine.Buy)
		ask, _ := b.Best(engine.Sell)
		k.states[m.Instrument] = append(k.states[m.Instrument], top{s.At(), bid, ask})
	}
}

// compare holds each state against the venue's last quote of the same number or before: the quote then was that until
// the next one, so that only states between two quotes count.
func (k *checker) compare() {
	for instrument, states := range k.states {
		quotes, next := k.quotes[instrument], 0
		for n, state := range states {
			for next < len(quotes) && quotes[next].at <= state.at {
				next++
			}
			if next == 0 || next == len(quotes) {
				continue
			}
			k.States++
			q := quotes[next-1]
			equal := q.bid == state.bid && q.ask == state.ask
			k.Equal += one(equal)
			if n%5 == 4 {
				k.Sampled++
				k.SampledEqual += one(equal)
			}
		}
	}
	for _, s := range k.books {
		if s.State() == book.Live {
			k.Live++
		}
	}
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
