package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/testseed"
	"aetherion/trading/internal/venue/binance"
	"aetherion/trading/internal/venue/coinbase"
	"aetherion/trading/internal/venue/feed"
)

const patience = 2 * time.Minute

func config() feed.Config {
	return feed.Config{Silence: patience, Ping: patience, BackOffMin: time.Millisecond, BackOffMax: 4 * time.Millisecond,
		SnapshotEvery: time.Millisecond}
}

func (m *market) check(t *testing.T, b *book.Book, number int64) {
	at, known := slices.BinarySearch(m.numbers, number)
	if !known {
		t.Fatalf("book %d: the venue has none of that number", number)
	}
	for _, one := range []struct {
		side engine.Side
		want side
	}{{engine.Buy, m.bids[at]}, {engine.Sell, m.asks[at]}} {
		got := side{}
		for _, level := range b.Levels(nil, one.side, 0) {
			got[level.Px] = level.Qty
		}
		if !maps.Equal(got, one.want) {
			t.Errorf("book %d, side %d: got %v, want %v", number, one.side, got, one.want)
		}
	}
}

// server speaks a venue's protocol and misbehaves while faults are on.
type server struct {
	*market
	at       atomic.Int64 // updates that happened
	random   *rand.Rand
	speaking sync.Mutex // one connection at a time moves the market
	throttle atomic.Int64
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/depth" {
		s.snapshot(w)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	gone := conn.CloseRead(r.Context())
	s.speaking.Lock()
	whole := s.stream(gone, conn)
	s.speaking.Unlock()
	if whole {
		<-gone.Done()
	}
}

func (s *server) snapshot(w http.ResponseWriter) {
	if s.throttle.Add(-1) >= 0 {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	at := s.at.Load()
	_ = json.NewEncoder(w).Encode(map[string]any{"lastUpdateId": s.numbers[at], "bids": s.bids[at].pairs(), "asks": s.asks[at].pairs()})
}

// stream sends the rest of the market. It cuts, loses, repeats, garbles and reorders, but for the last ones.
func (s *server) stream(ctx context.Context, conn *websocket.Conn) (whole bool) {
	send := func(text string) bool {
		// Waiting for each pong keeps the market from being over before the client has read its first message.
		return conn.Write(ctx, websocket.MessageText, []byte(text)) == nil && conn.Ping(ctx) == nil
	}
	for at := int(s.at.Load()); at < len(s.deltas); at = int(s.at.Add(1)) {
		delta := s.deltas[at]
		ok := true
		if at >= len(s.deltas)-s.clean || s.random.IntN(100) >= s.faults {
			if !send(delta) {
				return false
			}
			continue
		}
		switch fault := s.random.IntN(6); {
		case fault == 0:
			return false
		case fault == 1: // lost
		case fault == 2:
			ok = send(delta)
			ok = send(delta) && ok
		case fault == 3:
			ok = send(delta[:len(delta)/2])
		case fault == 4 && at > 10:
			ok = send(s.deltas[at-10]) && send(delta)
		default:
			ok = send(strings.Replace(delta, `"s":"`, `"s":"OTHER`, 1))
		}
		if !ok {
			return false
		}
	}
	return true
}

// watcher holds every live book against the market, and says when the last is reached.
type watcher struct {
	t      *testing.T
	market *market
	live   int
	reason []error
	end    func()
}

func (w *watcher) Message(m *feed.Message, b *book.Book, _ int64) {
	if b == nil || m.Kind != feed.Delta && m.Kind != feed.Snapshot {
		return
	}
	w.live++
	w.market.check(w.t, b, m.Book.Last)
	if m.Book.Last == w.market.numbers[len(w.market.numbers)-1] {
		w.end()
	}
}

func (w *watcher) Stale(_ []uint32, why error) { w.reason = append(w.reason, why) }

// run runs the client against a server until the watcher ends it.
func run(t *testing.T, s *server, c feed.Config) (*watcher, *feed.Client) {
	t.Helper()
	local := httptest.NewServer(s)
	defer local.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w := &watcher{t: t, market: s.market, end: cancel}
	where := binance.Market{Stream: "ws" + strings.TrimPrefix(local.URL, "http"), Depth: local.URL + "/depth", Streams: []string{"depth"}}
	client := feed.NewClient(binance.NewVenue(where, s.instruments), w, []uint32{0}, c, clock.System{})
	if err := client.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the end was not reached: %v", err)
	}
	return w, client
}

// Whatever the venue loses, repeats, garbles or cuts: no live book is ever wrong, and at the end it is live.
func TestFaults(t *testing.T) {
	seed := testseed.Of(t)
	checkFaults(t, newMarket(seed, 3_000), seed)
}

// The same of a recorded market.
func TestFaultsOfACapture(t *testing.T) { checkFaults(t, recorded(t, "NKNUSDT"), testseed.Of(t)) }

func checkFaults(t *testing.T, m *market, seed uint64) {
	s := &server{market: m, random: rand.New(rand.NewPCG(seed, 9))}
	w, client := run(t, s, config())
	counts := &client.Counts
	t.Logf("%d live books checked; %d connections, %d messages, %d malformed, %d gaps, %d snapshots (%d of no use)", w.live,
		counts.Connections.Load(), counts.Messages.Load(), counts.Malformed.Load(), counts.Gaps.Load(), counts.Snapshots.Load(),
		counts.BadSnapshots.Load())
	if len(w.reason) < 2 { // of which the end is one
		t.Error("the server did not misbehave")
	}
}

// A venue that throttles is not asked again before it allows.
func TestThrottled(t *testing.T) {
	s := &server{market: newMarket(1, 200), random: rand.New(rand.NewPCG(1, 9))}
	s.at.Store(101)
	s.throttle.Store(1)
	begin := time.Now()
	_, client := run(t, s, config())
	if waited := time.Since(begin); waited < time.Second || client.Counts.BadSnapshots.Load() != 1 {
		t.Errorf("asked again after %s, %d refused", waited, client.Counts.BadSnapshots.Load())
	}
}

// A venue that accepts and says nothing is left, and tried again.
func TestSilence(t *testing.T) {
	var connections atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn, err := websocket.Accept(w, r, nil); err == nil {
			if connections.Add(1) == 3 {
				cancel()
			}
			drain(r.Context(), conn)
		}
	}))
	defer local.Close()
	c := config()
	c.Silence = 50 * time.Millisecond
	w := &watcher{t: t, end: cancel}
	instruments := feed.NewInstruments([]engine.Instrument{{InstrumentID: "ABC-USD.COINBASE"}})
	venue := coinbase.NewVenue("ws"+strings.TrimPrefix(local.URL, "http"), instruments)
	client := feed.NewClient(venue, w, []uint32{0}, c, clock.System{})
	if err := client.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if client.Counts.Silences.Load() == 0 || len(w.reason) < 2 {
		t.Errorf("%d silences, stale for %v", client.Counts.Silences.Load(), w.reason)
	}
}

// drain reads until the client leaves, and says nothing.
func drain(ctx context.Context, conn *websocket.Conn) {
	defer func() { _ = conn.CloseNow() }()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			return
		}
	}
}

// Coinbase numbers nothing: a garbled message may have been a delta, so that the client subscribes anew.
func TestCoinbaseSubscribesAnew(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var connections atomic.Int64
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		if _, subscription, err := conn.Read(r.Context()); err != nil || !strings.Contains(string(subscription), `["ABC-USD"]`) {
			t.Errorf("subscription %s, %v", subscription, err)
		}
		n := connections.Add(1)
		for _, text := range []string{
			fmt.Sprintf(`{"type":"snapshot","product_id":"ABC-USD","bids":[["10","%d"]],"asks":[]}`, n),
			`{"type":"l2update","product_id":"ABC-USD","changes":[["buy","10"`,
		} {
			_ = conn.Write(r.Context(), websocket.MessageText, []byte(text))
		}
		_, _, _ = conn.Read(r.Context())
	}))
	defer local.Close()
	w := &snapshots{end: cancel}
	instruments := feed.NewInstruments([]engine.Instrument{{InstrumentID: "ABC-USD.COINBASE"}})
	venue := coinbase.NewVenue("ws"+strings.TrimPrefix(local.URL, "http"), instruments)
	if err := feed.NewClient(venue, w, []uint32{0}, config(), clock.System{}).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if fmt.Sprint(w.quantities) != "[1 2 3]" || w.stale < 2 {
		t.Errorf("books %v, stale %d times", w.quantities, w.stale)
	}
}

// snapshots notes the quantity at the best bid of each.
type snapshots struct {
	quantities []int64
	stale      int
	end        func()
}

func (s *snapshots) Message(_ *feed.Message, b *book.Book, _ int64) {
	best, _ := b.Best(engine.Buy)
	if s.quantities = append(s.quantities, best.Qty); len(s.quantities) == 3 {
		s.end()
	}
}

func (s *snapshots) Stale([]uint32, error) { s.stale++ }
