// Package sequencer stamps everything that may change state, in one order: it validates, asks the
// gate, applies to the engine and writes to the journal. What it returns is durable.
package sequencer

import (
	"errors"
	"fmt"
	"strings"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/failpoint"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/router"
)

// Gate decides on orders and hears of everything else that its decisions depend on. Both are called
// with rising sequences.
type Gate interface {
	// Ask gives one decision for each check, in their order.
	Ask(checks []engine.PretradeCheck) []gate.Decision
	// Tell needs no answer.
	Tell(events []engine.PretradeEvent)
}

// Journal keeps events.
type Journal interface {
	// Append returns when the events are as durable as the journal makes them.
	Append(firstSequence uint64, events [][]byte) error
}

// Prices is where marks and triggers are sampled from.
type Prices interface {
	// LastPrice is the newest price of an instrument.
	LastPrice(instrumentID string) (px int64, has bool)
	// Watch says of orders what they wait for from now on, and which wait no more.
	Watch(changed []engine.Watch, gone []uint64)
}

// Result is the outcome of one input.
type Result struct {
	Sequence uint64            // of its event; 0 when it left none
	Ack      engine.CommandAck // of a command
	Err      error             // of any other input: it does not apply, and nothing was changed; a repetition is none
}

// Output is the outcome of a batch. All of it is durable.
type Output struct {
	Results []Result // one an input
	Reports []*engine.ExecutionReport
	Routes  []router.Route
}

// Sequencer is the one writer of an engine and its journal. It belongs to one goroutine.
//
// Within a batch the engine runs ahead of the journal: one append, at the end, carries all of its
// events. Nothing leaves before that append has succeeded, and after one that failed nothing ever
// does, so that outside the order is always ask, write, act.
type Sequencer struct {
	clock   clock.Clock
	engine  *engine.Engine
	gate    Gate
	journal Journal
	prices  Prices
	failed  error

	// Of the batch that is being processed.
	now       int64
	output    Output
	effects   engine.Effects
	encoded   [][]byte
	bytes     []byte // that they lie in; the journal copies them
	first     uint64
	stamped   uint64          // sequence of the last event
	approvals []gate.Approved // that the command which is applied came with
	together  together        // the orders of the request whose inputs are taken
	run       []pending
	checks    []engine.PretradeCheck // of the run
	named     map[name]struct{}      // the commands of the run

	venues func(venue string) (router.Capabilities, bool) // nil: nothing is known of them
}

// New is the sequencer of an engine that has applied all of the journal.
func New(clock clock.Clock, engine *engine.Engine, gate Gate, journal Journal, prices Prices) *Sequencer {
	prices.Watch(engine.Watched(), nil)
	return &Sequencer{
		clock: clock, engine: engine, gate: gate, journal: journal, prices: prices, named: map[name]struct{}{},
	}
}

// AskVenues lets venues say what they have, so that an order that asks for more is refused by name. It comes
// before Process.
func (s *Sequencer) AskVenues(capabilities func(venue string) (router.Capabilities, bool)) {
	s.venues = capabilities
}

// capabilities are those of an instrument's venue; false where nothing is known of it.
func (s *Sequencer) capabilities(instrumentID string) (router.Capabilities, bool) {
	if s.venues == nil {
		return router.Capabilities{}, false
	}
	return s.venues(instrumentID[strings.LastIndexByte(instrumentID, '.')+1:])
}

// Engine may be read between batches, on the sequencer's goroutine, and not changed.
func (s *Sequencer) Engine() *engine.Engine { return s.engine }

// Process takes the inputs of requests in their order. A new order, a list and a replace come as decisions that
// are made here. An error is final: the journal has failed, or the program is wrong.
func (s *Sequencer) Process(requests ...[]engine.Input) (Output, error) {
	if s.failed != nil {
		return Output{}, s.failed
	}
	if err := s.process(requests); err != nil {
		s.failed = err
		return Output{}, err
	}
	if changed, gone := s.engine.Rewatched(); len(changed)+len(gone) > 0 {
		s.prices.Watch(changed, gone)
	}
	return s.output, nil
}

func (s *Sequencer) process(requests [][]engine.Input) error {
	s.begin(requests)
	if err := s.tellTime(); err != nil {
		return err
	}
	for _, inputs := range requests {
		if err := s.markOrders(inputs); err != nil {
			return err
		}
	}
	n := 0
	for _, inputs := range requests {
		s.together = togetherOf(inputs, s.engine)
		for _, input := range inputs {
			if err := s.take(n, input); err != nil {
				return err
			}
			n++
		}
	}
	if err := s.decideRun(); err != nil {
		return err
	}
	if len(s.encoded) == 0 {
		return nil
	}
	failpoint.Hit("decided")
	if err := s.journal.Append(s.first, s.encoded); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// Overdue says whether a time has come at which the engine ends something. Process tells it.
func (s *Sequencer) Overdue() bool {
	at, any := s.engine.NextExpiry()
	return any && at <= s.clock.Now()
}

// tellTime stamps a Timer when a time has come at which the engine ends something.
func (s *Sequencer) tellTime() error {
	at, any := s.engine.NextExpiry()
	if !any || at > s.now {
		return nil
	}
	return s.apply(&engine.Timer{DayBegan: s.now/nsPerDay > s.engine.Now()/nsPerDay})
}

const nsPerDay = 24 * 60 * 60 * 1_000_000_000

func (s *Sequencer) begin(requests [][]engine.Input) {
	inputs := 0
	for _, r := range requests {
		inputs += len(r)
	}
	// Time never runs back, whatever the clock does.
	s.now = max(s.clock.Now(), s.engine.Now())
	s.output = Output{Results: make([]Result, inputs), Reports: make([]*engine.ExecutionReport, 0, inputs)}
	s.first = s.engine.Sequence() + 1
	s.encoded, s.bytes = s.encoded[:0], s.bytes[:0]
	s.checks = s.checks[:0]
	s.endRun()
}

// markOrders stamps the newest prices of what is about to be ordered. It does so before all else in
// the batch, so that no mark parts a run of orders that could be decided with one question.
func (s *Sequencer) markOrders(inputs []engine.Input) error {
	for _, input := range inputs {
		switch command := input.(type) {
		case *engine.OrderDecision:
			if err := s.mark(command.NewOrder.InstrumentID, input); err != nil {
				return err
			}
		case *engine.ReplaceDecision:
			order := s.engine.OrderByName(command.Replace.Account, command.Replace.OrigClOrdID)
			if order == nil {
				continue
			}
			if err := s.mark(order.NewOrder.InstrumentID, input); err != nil {
				return err
			}
		case *engine.OrderListDecision:
			for i := range command.List.Orders {
				if err := s.mark(command.List.Orders[i].InstrumentID, input); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mark stamps the newest price of an instrument for a command, unless that is a repetition.
func (s *Sequencer) mark(instrumentID string, command engine.Input) error {
	mark := s.news(instrumentID)
	if mark == nil {
		return nil
	}
	if _, _, used := s.engine.Known(command); used {
		return nil
	}
	err := s.apply(mark)
	if _, refused := err.(notApplied); refused {
		return nil // A price that the definition forbids is no mark.
	}
	return err
}

// HeldMarks are marks at the newest prices of all that is held, to be processed before a valuation.
func (s *Sequencer) HeldMarks() []engine.Input {
	var marks []engine.Input
	for _, instrumentID := range s.engine.Held() {
		if mark := s.news(instrumentID); mark != nil {
			marks = append(marks, mark)
		}
	}
	return marks
}

// news is a mark at the newest price of an instrument, nil when it stands in the journal already.
func (s *Sequencer) news(instrumentID string) *engine.Mark {
	px, has := s.prices.LastPrice(instrumentID)
	if marked, ok := s.engine.MarkPx(instrumentID); !has || ok && marked == px {
		return nil
	}
	return &engine.Mark{InstrumentID: instrumentID, MarkPx: px}
}

// notApplied wraps the engine's refusal of an event.
type notApplied struct{ error }

// unlessNothingNew is nil for a repetition, which is no error.
func (n notApplied) unlessNothingNew() error {
	if errors.Is(n.error, engine.ErrNothingNew) {
		return nil
	}
	return n.error
}

// apply stamps an input, applies it, tells the gate and keeps the event for the journal.
func (s *Sequencer) apply(input engine.Input) error {
	event := engine.Event{Sequence: s.engine.Sequence() + 1, TransactTime: s.now, Input: input}
	s.stamped = event.Sequence
	s.effects.Reset()
	if err := s.engine.Apply(event, &s.effects); err != nil {
		return notApplied{err}
	}
	at := len(s.bytes)
	var err error
	if s.bytes, err = journal.AppendEvent(s.bytes, &event); err != nil {
		return err
	}
	s.encoded = append(s.encoded, s.bytes[at:])
	s.output.Reports = append(s.output.Reports, s.effects.Reports...)
	if len(s.effects.Pretrade) > 0 {
		// The gate keeps what it is told, so this is not reused.
		s.gate.Tell(s.effects.Pretrade)
		s.effects.Pretrade = nil
	}
	for i := range s.effects.Routes {
		s.output.Routes = append(s.output.Routes, s.route(&s.effects.Routes[i]))
	}
	return nil
}

func (s *Sequencer) route(r *engine.Route) router.Route {
	instrument, _ := s.engine.Instrument(r.NewOrder.InstrumentID)
	route := router.Route{Venue: instrument.Venue()}
	switch r.Kind {
	case engine.RouteNew:
		route.Approved = s.approval(r)
	case engine.RouteCancel:
		route.Cancel = &router.Cancel{OrderID: r.OrderID, VenueOrderID: r.VenueOrderID, InstrumentID: r.NewOrder.InstrumentID}
	case engine.RouteReplace:
		route.Replace = &router.Replace{Approved: s.approval(r), VenueOrderID: r.VenueOrderID}
	}
	return route
}

// Unheard are the routes of the orders of which no venue has said anything, to be sent once more to one that began
// with this process, and so has none of them.
func (s *Sequencer) Unheard() []router.Route {
	var routes []router.Route
	for _, id := range s.engine.Unanswered() {
		if order := s.engine.Order(id); order.Unheard() {
			routes = append(routes, s.route(&engine.Route{Kind: engine.RouteNew, OrderID: id, NewOrder: order.Terms()}))
		}
	}
	return routes
}

// approval is the one that the event which is applied came with, or that of an order which has waited with the
// engine or is changed by it.
func (s *Sequencer) approval(r *engine.Route) gate.Approved {
	for _, approved := range s.approvals {
		if approved.OrderID() == r.OrderID {
			return approved
		}
	}
	if r.Kind == engine.RouteNew && engine.SequenceOf(r.OrderID) == s.stamped {
		return gate.Approved{} // which approves nothing: the gate made none
	}
	return gate.Held(s.engine.Order(r.OrderID), r.NewOrder)
}
