package feed_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/binance"
	"aetherion/trading/internal/venue/feed"
)

// side is the quantities of one side by price.
type side map[int64]int64

// market is what the venue knows: its books, their numbers, and the messages between them.
type market struct {
	instruments *feed.Instruments
	numbers     []int64
	bids, asks  []side
	deltas      []string
	clean       int // how many of the last deltas are sent without a fault
	faults      int // of a hundred others
}

func (m *market) add(number int64, bids, asks []book.Level) {
	nextBids, nextAsks := side{}, side{}
	if n := len(m.numbers); n > 0 {
		nextBids, nextAsks = maps.Clone(m.bids[n-1]), maps.Clone(m.asks[n-1])
	}
	nextBids.set(bids)
	nextAsks.set(asks)
	m.numbers, m.bids, m.asks = append(m.numbers, number), append(m.bids, nextBids), append(m.asks, nextAsks)
}

func (s side) set(levels []book.Level) {
	for _, level := range levels {
		if s[level.Px] = level.Qty; level.Qty == 0 {
			delete(s, level.Px)
		}
	}
}

// scale of the prices and quantities of both markets.
const scale = 8

func (s side) pairs() [][2]string {
	pairs := [][2]string{}
	for px, qty := range s {
		pairs = append(pairs, [2]string{text(px), text(qty)})
	}
	return pairs
}

func text(value int64) string { return fmt.Sprintf("%d.%08d", value/1e8, value%1e8) }

// newMarket walks a book at random.
func newMarket(seed uint64, updates int) *market {
	random := rand.New(rand.NewPCG(seed, 8))
	m := &market{instruments: listed("ABC"), clean: 100, faults: 6}
	m.add(0, []book.Level{{Px: 1, Qty: 1}}, []book.Level{{Px: 100, Qty: 1}})
	for n := range updates {
		bid := book.Level{Px: 1 + random.Int64N(40), Qty: random.Int64N(3)}
		ask := book.Level{Px: 60 + random.Int64N(40), Qty: random.Int64N(3)}
		m.add(int64(n)+1, []book.Level{bid}, []book.Level{ask})
		m.deltas = append(m.deltas, fmt.Sprintf(`{"e":"depthUpdate","E":1,"s":"ABC","U":%d,"u":%d,"b":[["%s","%s"]],"a":[["%s","%s"]]}`,
			n+1, n+1, text(bid.Px), text(bid.Qty), text(ask.Px), text(ask.Qty)))
	}
	return m
}

func listed(symbol string) *feed.Instruments {
	return feed.NewInstruments([]engine.Instrument{{InstrumentID: symbol + ".BINANCE", PriceScale: scale, QtyScale: scale}})
}

// recorded is the market of a capture of Binance, from its snapshot on. It is not in the project.
func recorded(t *testing.T, symbol string) *market {
	t.Helper()
	folder := filepath.Join("..", "..", "..", "..", "..", "shared", "data", "captures_exchanges")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("shared/ is not beside the repository")
	}
	m := &market{instruments: listed(symbol), clean: 30, faults: 40}
	decoder := binance.NewDecoder(m.instruments)
	for _, answer := range recordedLines(t, filepath.Join(folder, "BINANCE.http.0.0.txt.gz"), "symbol="+symbol+"&") {
		snapshot, err := decoder.DecodeSnapshot(symbol, answer)
		if err != nil {
			t.Fatal(err)
		}
		m.add(snapshot.Book.Last, snapshot.Book.Bids, snapshot.Book.Asks)
	}
	for _, line := range recordedLines(t, filepath.Join(folder, "BINANCE.ws.1.0.txt.gz"), strings.ToLower(symbol)+"@depth@100ms\"") {
		delta, err := decoder.Decode(line)
		if err != nil {
			t.Fatal(err)
		}
		if delta.Book.Last > m.numbers[0] {
			m.add(delta.Book.Last, delta.Book.Bids, delta.Book.Asks)
			m.deltas = append(m.deltas, string(line))
		}
	}
	return m
}

// recordedLines are the payloads of the lines that hold a text.
func recordedLines(t *testing.T, path, holding string) (payloads [][]byte) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unzipped)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if stamp, payload, ok := bytes.Cut(lines.Bytes(), []byte(": {")); ok && bytes.Contains(lines.Bytes(), []byte(holding)) && len(stamp) < 120 {
			payloads = append(payloads, append([]byte("{"), payload...))
		}
	}
	return payloads
}
