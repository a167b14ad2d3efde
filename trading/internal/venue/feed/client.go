package feed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"

	"aetherion/trading/internal/book"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
)

// maxFrame bounds a message of a venue; the largest snapshots are some MB.
const maxFrame = 16 << 20

// dialTimeout bounds a connect with its handshake.
const dialTimeout = 30 * time.Second

// Venue is what the client must know of one.
type Venue interface {
	// URL is where its stream is.
	URL() string
	// Subscriptions are sent after each connect.
	Subscriptions() [][]byte
	Decode(data []byte) (*Message, error)
	// SnapshotURL is where the snapshot of a book is asked for; "" where the stream brings it.
	SnapshotURL(instrument uint32) string
	DecodeSnapshot(instrument uint32, data []byte) (*Message, error)
}

// Handler takes what the venue says, on one goroutine: a snapshot, then each delta that follows it, once. The book is nil
// while it is not right; message and book last for the call.
type Handler interface {
	Message(m *Message, b *book.Book, receiveTime int64)
	// Stale says that the books of these instruments are no longer right, and why.
	Stale(instruments []uint32, why error)
}

// Config is how patient the client is.
type Config struct {
	// Silence is how long nothing may come before the connection counts as lost.
	Silence time.Duration
	// Ping is how often the venue is pinged; its pong may take as long.
	Ping time.Duration
	// BackOffMin doubles with each connection that brings nothing, up to BackOffMax.
	BackOffMin, BackOffMax time.Duration
	// SnapshotEvery is the least time between two requests of snapshots: the venue's weight limit.
	SnapshotEvery time.Duration
}

// DefaultConfig keeps well within the limits of the venues here: a request of depth weighs 50 of 6,000 a minute.
func DefaultConfig() Config {
	return Config{Silence: 30 * time.Second, Ping: 15 * time.Second, BackOffMin: 250 * time.Millisecond,
		BackOffMax: 30 * time.Second, SnapshotEvery: time.Second}
}

// Client keeps the books of a venue's instruments right over connections that break.
type Client struct {
	Counts Counts

	venue   Venue
	handler Handler
	config  Config
	clock   clock.Clock
	all     []uint32
	books   map[uint32]*book.Synced
	asked   map[uint32]bool // for a snapshot, on this connection
	fetch   *fetcher
}

// NewClient keeps the books of instruments.
func NewClient(venue Venue, handler Handler, instruments []uint32, config Config, clock clock.Clock) *Client {
	c := &Client{venue: venue, handler: handler, config: config, clock: clock, all: instruments,
		books: make(map[uint32]*book.Synced, len(instruments)), fetch: newFetcher(config.SnapshotEvery, len(instruments))}
	for _, instrument := range instruments {
		c.books[instrument] = &book.Synced{}
	}
	return c
}

// Run connects again and again until ctx is done.
func (c *Client) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return c.fetch.run(ctx) })
	group.Go(func() error {
		backOff := c.config.BackOffMin
		for {
			heard, err := c.connection(ctx)
			c.stale(c.all, err)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if heard {
				backOff = c.config.BackOffMin
			}
			if !sleep(ctx, backOff) {
				return ctx.Err()
			}
			backOff = min(2*backOff, c.config.BackOffMax)
		}
	})
	return group.Wait()
}

// connection lives until the connection breaks; heard says whether it brought anything.
func (c *Client) connection(ctx context.Context) (heard bool, err error) {
	c.Counts.Connections.Add(1)
	dialing, done := context.WithTimeout(ctx, dialTimeout)
	conn, _, err := websocket.Dial(dialing, c.venue.URL(), nil)
	done()
	if err != nil {
		return false, fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(maxFrame)
	c.fetch.epoch.Add(1)
	c.asked = make(map[uint32]bool, len(c.all))
	for _, message := range c.venue.Subscriptions() {
		if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
			return false, fmt.Errorf("subscribe: %w", err)
		}
	}
	frames := make(chan []byte, 1024)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return read(ctx, conn, frames) })
	group.Go(func() error { return ping(ctx, conn, c.config.Ping) })
	group.Go(func() (err error) { heard, err = c.loop(ctx, frames); return err })
	return heard, group.Wait()
}

func read(ctx context.Context, conn *websocket.Conn, to chan<- []byte) error {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		select {
		case to <- data:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ping notices a connection that is dead but open. The venue's own pings are answered while we read.
func ping(ctx context.Context, conn *websocket.Conn, every time.Duration) error {
	for sleep(ctx, every) {
		waiting, done := context.WithTimeout(ctx, every)
		err := conn.Ping(waiting)
		done()
		if err != nil {
			return fmt.Errorf("ping: %w", err)
		}
	}
	return ctx.Err()
}

var errSilent = errors.New("silence: nothing came for too long")

func (c *Client) loop(ctx context.Context, frames <-chan []byte) (heard bool, err error) {
	for _, instrument := range c.all {
		c.ask(instrument)
	}
	silence := time.NewTimer(c.config.Silence)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return heard, ctx.Err()
		case <-silence.C:
			c.Counts.Silences.Add(1)
			return heard, errSilent
		case data := <-frames:
			heard = true
			silence.Reset(c.config.Silence)
			if err := c.frame(data); err != nil {
				return heard, err
			}
		case answer := <-c.fetch.answers:
			c.snapshot(answer)
		}
	}
}

// frame takes one message. An error ends the connection: a venue that does not number its deltas, and brings its
// snapshot when one subscribes, must be asked anew.
func (c *Client) frame(data []byte) error {
	c.Counts.Messages.Add(1)
	m, err := c.venue.Decode(data)
	if err != nil {
		c.Counts.Malformed.Add(1)
		if c.bringsSnapshots() {
			return err
		}
		return nil // if it was a delta, the number of the next shows it
	}
	s := c.books[m.Instrument]
	if m.Kind == Ignored || s == nil {
		return nil
	}
	applied, err := update(s, m)
	if err != nil {
		c.Counts.Gaps.Add(1)
		if c.bringsSnapshots() {
			return err
		}
		c.stale([]uint32{m.Instrument}, err)
		c.ask(m.Instrument)
		return nil
	}
	if applied {
		c.handler.Message(m, s.Book(), c.clock.Now())
	}
	return nil
}

func update(s *book.Synced, m *Message) (applied bool, err error) {
	switch m.Kind {
	case Snapshot:
		return true, s.Snapshot(m.Book)
	case Delta:
		return s.Delta(m.Book)
	default:
		return true, nil
	}
}

func (c *Client) bringsSnapshots() bool { return c.venue.SnapshotURL(c.all[0]) == "" }

// ask asks for a snapshot, once until it is answered.
func (c *Client) ask(instrument uint32) {
	if url := c.venue.SnapshotURL(instrument); url != "" && !c.asked[instrument] {
		c.asked[instrument] = true
		c.fetch.ask(request{instrument: instrument, epoch: c.fetch.epoch.Load(), url: url})
	}
}

// snapshot takes an answer. One of a connection before is of no use: no delta has shown yet that it is recent.
func (c *Client) snapshot(a answer) {
	if a.epoch != c.fetch.epoch.Load() {
		return
	}
	c.asked[a.instrument] = false
	c.Counts.Snapshots.Add(1)
	s := c.books[a.instrument]
	m, err := (*Message)(nil), a.err
	if err == nil {
		m, err = c.venue.DecodeSnapshot(a.instrument, a.body)
	}
	if err == nil {
		err = s.Snapshot(m.Book)
	}
	if err != nil {
		c.Counts.BadSnapshots.Add(1)
		c.ask(a.instrument) // the fetcher waits between requests
		return
	}
	if s.At() != m.Book.Last { // deltas that had come before it are in the book already
		m.Book.Last = s.At()
		m.Book.Bids = s.Book().Levels(m.Book.Bids[:0], engine.Buy, 0)
		m.Book.Asks = s.Book().Levels(m.Book.Asks[:0], engine.Sell, 0)
	}
	c.handler.Message(m, s.Book(), c.clock.Now())
}

func (c *Client) stale(instruments []uint32, why error) {
	for _, instrument := range instruments {
		if s := c.books[instrument]; s.State() == book.Live {
			s.Invalidate() // of a gap the book has done it itself, and keeps what comes
		}
	}
	c.handler.Stale(instruments, why)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
