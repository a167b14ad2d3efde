// Package simulation runs one backtest in virtual time: recorded rows, the simulated venue, and the
// same sequencer, gate, journal and engine that trade live.
//
// A step hands over rows, and before them the private events that happened at one point of time. The
// client answers with how many rows it handled and what it commands at the last of them. A row
// reaches engine and venue only once the client has handled it, but for one: the row that fills an
// order does so at the time at which it is known, and so the fill comes just before the row itself.
// Rows after it, and rows not handled, have left no trace and come again.
package simulation

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
	"aetherion/trading/internal/venue/queue"
	"aetherion/trading/internal/venue/replay"
)

const (
	nsPerDay = 24 * 60 * 60 * 1_000_000_000
	// minBatchRows is how many rows a client gets that stops at every one.
	minBatchRows = 16
)

// Config is what a session depends on besides the rows.
type Config struct {
	Instruments       []engine.Instrument // as a row's instrument counts them
	Used              []uint32            // indexes of those that can be traded; nil is all
	Account           string
	InitialCash       engine.Money
	RiskLimits        engine.RiskLimits
	MaxVolumeShareBps uint32 // 1 to 10,000
	OrderLatency      int64  // ns
	MaxBatchRows      int
	Queue             queue.Choice // in recorded levels; nil: queue.RiskAverse
}

// Rows are recorded rows in the order of time; io.EOF when there are none left.
type Rows interface {
	Next(rows []market.Row) (int, error)
}

// Step is what the client is to handle next: first the events, then the rows.
type Step struct {
	FirstRow uint64       // index of the first row in the whole run
	Rows     []market.Row // meant until the next call of Advance
	Events   []Event
}

// Event is something private. Exactly one of the pointers is set.
type Event struct {
	Report *engine.ExecutionReport
	DayEnd *engine.AccountState
	Ack    *engine.CommandAck
}

// Finished is how it ended.
type Finished struct {
	Account      engine.AccountState
	StateHash    [32]byte
	LastSequence uint64
	Rows         uint64
	OpenOrders   int
}

// Session is one backtest. It belongs to one goroutine.
type Session struct {
	config    Config
	clock     *clock.Virtual
	engine    *engine.Engine
	sequencer *sequencer.Sequencer
	sampler   *sequencer.Sampler
	venue     *replay.Venue
	router    *router.Router

	rows    lookAhead
	applied bool    // the first row ahead has reached the venue already
	sent    int     // rows of the last step
	batch   int     // rows of the next step at most
	handled uint64  // rows in all
	events  []Event // that the next step brings
	day     int64   // UTC day of the market data
	ended   bool    // the last day end was sent
	stopped bool
}

// New starts a session on a new engine, of which the gate takes its snapshots.
func New(config Config, rows Rows, engine *engine.Engine, gate sequencer.Gate, journal sequencer.Journal) (*Session, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	s := &Session{config: config, clock: &clock.Virtual{}, engine: engine,
		rows: lookAhead{source: rows, size: config.MaxBatchRows}, batch: config.MaxBatchRows}
	ids := make([]string, len(config.Instruments))
	venues := map[string]router.Venue{}
	s.venue = replay.New(s.clock, config.Instruments, replay.Config{
		MaxVolumeShareBps: config.MaxVolumeShareBps, OrderLatency: config.OrderLatency, Queue: config.Queue})
	for i := range config.Instruments {
		ids[i] = config.Instruments[i].InstrumentID
		venues[config.Instruments[i].Venue()] = s.venue
	}
	s.sampler, s.router = sequencer.NewSampler(ids), router.New(venues)
	s.sequencer = sequencer.New(s.clock, engine, gate, journal, s.sampler)
	s.sequencer.AskVenues(s.router.Capabilities)
	if err := s.rows.fill(); err != nil {
		return nil, err
	}
	if first := s.rows.first(); first != nil {
		s.clock.Set(startTime(first))
		s.day = first.Day()
	}
	return s, s.open()
}

func (c *Config) check() error {
	switch {
	case c.Account == "":
		return errors.New("account: must be set")
	case c.InitialCash.Currency == "":
		return errors.New("initial_cash.currency: must be set")
	case c.InitialCash.Amount.Sign() < 0:
		return fmt.Errorf("initial_cash: must not be negative, got %s", c.InitialCash)
	case c.MaxVolumeShareBps < 1 || c.MaxVolumeShareBps > 10_000:
		return fmt.Errorf("max_volume_share_bps: must be 1 to 10,000, got %d", c.MaxVolumeShareBps)
	case c.OrderLatency < 0 || c.OrderLatency > nsPerDay:
		return fmt.Errorf("order_latency_ns: must be 0 to one day, got %d", c.OrderLatency)
	case c.MaxBatchRows < 1 || c.MaxBatchRows > 65_536:
		return fmt.Errorf("max_batch_rows: must be 1 to 65,536, got %d", c.MaxBatchRows)
	}
	return nil
}

// open journals the world in which the session trades.
func (s *Session) open() error {
	var inputs []engine.Input
	for i := range s.config.Instruments {
		if s.config.Used != nil && !slices.Contains(s.config.Used, uint32(i)) {
			continue
		}
		definition := s.config.Instruments[i]
		definition.Version = 1 // a new engine's first
		inputs = append(inputs, &definition)
	}
	limits := s.config.RiskLimits
	limits.Version = 1
	inputs = append(inputs,
		&engine.AccountOpened{Account: s.config.Account, BaseCurrency: s.config.InitialCash.Currency},
		&engine.Adjustment{Account: s.config.Account, Cash: s.config.InitialCash, Reason: "initial cash"},
		&engine.LimitChange{RiskLimits: limits, ChangedBy: "backtest", Reason: "limits of the configuration"})
	return s.process(inputs)
}

// Step gives what comes next. When it says finished there is no step.
func (s *Session) Step() (step Step, finished bool, err error) {
	if err := s.rows.fill(); err != nil {
		return Step{}, false, err
	}
	if err := s.untilFirstRow(); err != nil {
		return Step{}, false, err
	}
	if len(s.events) == 0 && s.rows.first() == nil || s.stopped {
		return Step{}, true, nil
	}
	if err := s.applyFirstRow(); err != nil {
		return Step{}, false, err
	}
	s.sent = s.quietRows()
	return Step{FirstRow: s.handled, Rows: s.rows.ahead()[:s.sent], Events: s.events}, false, nil
}

// Advance takes the answer to a step.
func (s *Session) Advance(rowsHandled int, commands []engine.Input, stop bool) error {
	if rowsHandled < 0 || rowsHandled > s.sent {
		return fmt.Errorf("rows_handled: must be at most the %d rows of the step, got %d", s.sent, rowsHandled)
	}
	for n := range rowsHandled {
		if n == 0 && s.applied {
			continue
		}
		if err := s.applyQuiet(&s.rows.ahead()[n]); err != nil {
			return err
		}
	}
	s.adapt(rowsHandled)
	if rowsHandled > 0 {
		s.applied = false
		s.rows.drop(rowsHandled)
		s.handled += uint64(rowsHandled)
	}
	s.sent, s.events = 0, nil
	if err := s.process(commands); err != nil {
		return err
	}
	if stop {
		s.stopped = true
		return s.process(s.sequencer.HeldMarks())
	}
	return nil
}

// adapt hands over fewer rows to a client that stops early, so that rows are not sent again and again,
// and more to one that goes on. What happens does not depend on it.
func (s *Session) adapt(rowsHandled int) {
	if rowsHandled < s.sent {
		s.batch = 2 * rowsHandled
	} else if rowsHandled > 0 {
		s.batch = max(s.batch, 2*rowsHandled)
	}
	s.batch = min(max(s.batch, minBatchRows), s.config.MaxBatchRows)
}

// Finished is the state at the end, once Step has said that it is there.
func (s *Session) Finished() Finished {
	account, _ := s.engine.Account(s.config.Account)
	return Finished{Account: account, StateHash: s.engine.StateHash(), LastSequence: s.engine.Sequence(),
		Rows: s.handled, OpenOrders: s.engine.OpenOrders()}
}

// untilFirstRow lets happen what comes before the next row, up to the first point of time at which
// there is an event. What happens at another time than the events that wait already, waits for the
// client's answer to those.
func (s *Session) untilFirstRow() error {
	first := s.rows.first()
	if first == nil {
		return s.untilEnd()
	}
	until := first.TransactTime
	newDay := first.Day() > s.day
	if newDay {
		until = first.Day() * nsPerDay
	}
	if at, any := s.nextBefore(until, newDay); any {
		if err := s.arrive(at); err != nil || len(s.events) > 0 {
			return err
		}
		return s.untilFirstRow() // It was nothing to tell.
	}
	if newDay && len(s.events) == 0 {
		s.day = first.Day()
		s.clock.Set(until)
		return s.endDay(true)
	}
	return nil
}

// untilEnd is the same behind the last row.
func (s *Session) untilEnd() error {
	if at, any := s.nextBefore(s.clock.Now()+1, false); any {
		if err := s.arrive(at); err != nil || len(s.events) > 0 {
			return err
		}
		return s.untilEnd()
	}
	if !s.ended && len(s.events) == 0 {
		s.ended = true
		return s.endDay(false)
	}
	return nil
}

// nextBefore is when something happens without a row, before a row of a time, or before a day ends: an order
// arrives, or its time is over. An order that arrives at the time of a row sees that row before it; one whose time
// is over then does not. What ends with the day does so when the day does.
func (s *Session) nextBefore(row int64, dayEnds bool) (at int64, any bool) {
	at, any = s.venue.NextArrival()
	any = any && at < row
	expiry, expires := s.engine.NextExpiry()
	if expires && (expiry < row || expiry == row && !dayEnds) && (!any || expiry <= at) {
		return expiry, true
	}
	return at, any
}

func (s *Session) arrive(at int64) error {
	if len(s.events) > 0 && at > s.clock.Now() {
		return nil
	}
	s.clock.Set(at)
	var reports []engine.Input
	if arrival, any := s.venue.NextArrival(); any && arrival <= at {
		var err error
		if reports, err = s.venue.Arrive(); err != nil {
			return err
		}
	}
	return s.sequence(reports)
}

// endDay values the account at the last prices of the day.
func (s *Session) endDay(expire bool) error {
	if expire {
		if err := s.sequence(s.venue.EndDay(s.clock.Now())); err != nil {
			return err
		}
	}
	if err := s.process(s.sequencer.HeldMarks()); err != nil {
		return err
	}
	account, _ := s.engine.Account(s.config.Account)
	s.events = append(s.events, Event{DayEnd: &account})
	return nil
}

// applyFirstRow lets the next row fill what it fills, when the client has been told of all before it.
func (s *Session) applyFirstRow() error {
	first := s.rows.first()
	if len(s.events) > 0 || s.applied || first == nil || s.venue.Quiet(first) && !s.sampler.Foresee().Triggers(first) {
		return nil
	}
	s.applied = true
	return s.apply(first)
}

// applyQuiet applies a row that was promised to be quiet.
func (s *Session) applyQuiet(row *market.Row) error {
	before := len(s.events)
	if err := s.apply(row); err != nil {
		return err
	}
	if len(s.events) != before {
		return fmt.Errorf("row %d of instrument %d caused an event that was not foreseen", row.MdSequence, row.Instrument)
	}
	return nil
}

func (s *Session) apply(row *market.Row) error {
	s.clock.Set(row.TransactTime)
	reports, err := s.venue.Row(row)
	if err != nil {
		return err
	}
	// What the row fills comes before what it triggers, as the venue sees it before anybody else.
	return s.process(append(reports, s.sampler.Observe(row)...))
}

// quietRows is how many of the rows ahead can be handed over: those before which, and because of
// which, nothing will happen.
func (s *Session) quietRows() int {
	idle, ahead := s.venue.Idle(), s.sampler.Foresee()
	rows := s.rows.ahead()
	rows = rows[:min(len(rows), s.batch)]
	for n := range rows {
		if n == 0 && s.applied {
			continue
		}
		row := &rows[n]
		if row.Day() > s.day {
			return n
		}
		if _, any := s.nextBefore(row.TransactTime, false); any || !idle && !s.venue.Quiet(row) || ahead.Triggers(row) {
			return n
		}
	}
	return len(rows)
}

// process sequences inputs, if there are any.
func (s *Session) process(inputs []engine.Input) error {
	if len(inputs) == 0 {
		return nil
	}
	return s.sequence(inputs)
}

// sequence sequences inputs and what the time has brought, sends what is to be routed, and keeps what the client
// is to hear.
func (s *Session) sequence(inputs []engine.Input) error {
	output, err := s.sequencer.Process(inputs)
	if err != nil {
		return err
	}
	for i := range output.Results {
		if err := output.Results[i].Err; err != nil {
			return err
		}
		if isCommand(inputs[i]) {
			s.events = append(s.events, Event{Ack: &output.Results[i].Ack})
		}
	}
	for _, report := range output.Reports {
		s.events = append(s.events, Event{Report: report})
	}
	return s.process(s.router.Send(output.Routes))
}

func isCommand(input engine.Input) bool {
	switch input.(type) {
	case *engine.OrderDecision, *engine.OrderListDecision, *engine.ReplaceDecision, *engine.CancelOrder, *engine.MassCancelOrders:
		return true
	}
	return false
}

// startTime is before what the first row tells.
func startTime(first *market.Row) int64 {
	if first.Kind == market.Bar {
		return first.OpenTime
	}
	return first.TransactTime
}

// lookAhead holds the rows that come next.
type lookAhead struct {
	source Rows
	size   int
	rows   []market.Row
	head   int
	eof    bool
}

// fill reads until as many rows as a step may have are ahead, or all there are.
func (l *lookAhead) fill() error {
	if l.eof || len(l.rows)-l.head >= l.size {
		return nil
	}
	if l.rows == nil {
		l.rows = make([]market.Row, 0, 2*l.size)
	}
	l.rows = append(l.rows[:0], l.rows[l.head:]...)
	l.head = 0
	for len(l.rows) < l.size && !l.eof {
		n, err := l.source.Next(l.rows[len(l.rows):cap(l.rows)])
		l.rows = l.rows[:len(l.rows)+n]
		if errors.Is(err, io.EOF) {
			l.eof = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (l *lookAhead) ahead() []market.Row {
	rows := l.rows[l.head:]
	return rows[:min(len(rows), l.size)]
}

func (l *lookAhead) first() *market.Row {
	if l.head == len(l.rows) {
		return nil
	}
	return &l.rows[l.head]
}

func (l *lookAhead) drop(n int) { l.head += n }
