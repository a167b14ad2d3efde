// Package sequencer stamps everything that may change state, in one order: it validates, asks the
// gate, applies to the engine and writes to the journal. What it returns is durable.
package sequencer

import (
	"errors"
	"fmt"
	"slices"

	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
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

// Prices is where marks are sampled from.
type Prices interface {
	// LastPrice is the newest price of an instrument.
	LastPrice(instrumentID string) (px int64, has bool)
}

// Result is the outcome of one input.
type Result struct {
	Sequence uint64            // of its event; 0 when it left none
	Ack      engine.CommandAck // of an order or a cancel
	Err      error             // of any other input: it does not apply, and nothing was changed; a repetition is none
}

// Output is the outcome of a batch. All of it is durable.
type Output struct {
	Results []Result // one an input
	Reports []engine.ExecutionReport
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
	first     uint64
	approvals map[uint64]gate.Approved
	run       []pending
	named     map[orderName]struct{} // the orders of the run
}

// orderName is what an order is called, and compared by.
type orderName struct{ account, clOrdID string }

func nameOf(order *engine.NewOrder) orderName { return orderName{order.Account, order.ClOrdID} }

// pending is a command that is stamped when its run is.
type pending struct {
	result int // index into the output
	input  engine.Input
	check  bool // whether the gate is to decide
}

// New is the sequencer of an engine that has applied all of the journal.
func New(clock clock.Clock, engine *engine.Engine, gate Gate, journal Journal, prices Prices) *Sequencer {
	return &Sequencer{
		clock: clock, engine: engine, gate: gate, journal: journal, prices: prices, named: map[orderName]struct{}{},
	}
}

// Engine may be read between batches, on the sequencer's goroutine, and not changed.
func (s *Sequencer) Engine() *engine.Engine { return s.engine }

// Process takes inputs in their order. A new order comes as an OrderDecision whose decision is made
// here. An error is final: the journal has failed, or the program is wrong.
func (s *Sequencer) Process(inputs []engine.Input) (Output, error) {
	if s.failed != nil {
		return Output{}, s.failed
	}
	s.begin(len(inputs))
	if err := s.markOrders(inputs); err != nil {
		return s.fail(err)
	}
	for n, input := range inputs {
		if err := s.take(n, input); err != nil {
			return s.fail(err)
		}
	}
	if err := s.decideRun(); err != nil {
		return s.fail(err)
	}
	if len(s.encoded) > 0 {
		if err := s.journal.Append(s.first, s.encoded); err != nil {
			return s.fail(fmt.Errorf("append sequence %d: %w", s.first, err))
		}
	}
	return s.output, nil
}

func (s *Sequencer) begin(inputs int) {
	// Time never runs back, whatever the clock does.
	s.now = max(s.clock.Now(), s.engine.Now())
	s.output = Output{Results: make([]Result, inputs), Reports: make([]engine.ExecutionReport, 0, inputs)}
	s.first = s.engine.Sequence() + 1
	s.encoded = s.encoded[:0]
	s.approvals = nil
	s.endRun()
}

func (s *Sequencer) fail(err error) (Output, error) {
	s.failed = err
	return Output{}, err
}

// take applies an input, or puts a command into the run that is decided with one question.
func (s *Sequencer) take(n int, input engine.Input) error {
	switch command := input.(type) {
	case *engine.OrderDecision:
		return s.takeOrder(n, &command.NewOrder)
	case *engine.CancelOrder:
		s.run = append(s.run, pending{result: n, input: command})
		return nil
	}
	if err := s.decideRun(); err != nil {
		return err
	}
	return s.takeOther(n, input)
}

// takeOther applies what is neither order nor cancel. That it does not apply is an answer; that it
// cannot be written is not.
func (s *Sequencer) takeOther(n int, input engine.Input) error {
	result := &s.output.Results[n]
	result.Sequence = s.engine.Sequence() + 1
	err := s.apply(input)
	if refused, ok := err.(notApplied); ok {
		*result = Result{}
		if !errors.Is(refused.error, engine.ErrNothingNew) {
			result.Err = refused.error
		}
		return nil
	}
	return err
}

func (s *Sequencer) takeOrder(n int, order *engine.NewOrder) error {
	// An earlier order of that name in the run must be decided first, to be compared with.
	if _, named := s.named[nameOf(order)]; named {
		if err := s.decideRun(); err != nil {
			return err
		}
	}
	decision := &engine.OrderDecision{NewOrder: *order}
	if refusal := s.engine.Validate(order); refusal != nil {
		refuse(decision, refusal.OrdRejReason, refusal.Text)
	}
	if before := s.engine.OrderByName(order.Account, order.ClOrdID); before != nil {
		if before.NewOrder == *order {
			s.output.Results[n] = Result{Sequence: before.OrderID, Ack: before.Outcome()}
			return nil
		}
		refuse(decision, engine.RejDuplicateOrder,
			fmt.Sprintf("cl_ord_id: %q is the name of order %d, which has other content", order.ClOrdID, before.OrderID))
	}
	s.run = append(s.run, pending{result: n, input: decision, check: decision.OrdRejReason == 0})
	s.named[nameOf(order)] = struct{}{}
	return nil
}

func refuse(decision *engine.OrderDecision, reason engine.OrdRejReason, text string) {
	decision.OrdRejReason, decision.RejectedBy, decision.Text = reason, engine.ByEngine, text
}

// markOrders stamps the newest prices of what is about to be ordered. It does so before all else in
// the batch, so that no mark parts a run of orders that could be decided with one question.
func (s *Sequencer) markOrders(inputs []engine.Input) error {
	for _, input := range inputs {
		order, ok := input.(*engine.OrderDecision)
		if !ok || s.engine.OrderByName(order.NewOrder.Account, order.NewOrder.ClOrdID) != nil {
			continue
		}
		mark := s.news(order.NewOrder.InstrumentID)
		if mark == nil {
			continue
		}
		if err := s.apply(mark); err != nil {
			if _, refused := err.(notApplied); !refused { // A price that the definition forbids is no mark.
				return err
			}
		}
	}
	return nil
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

// decideRun stamps the run, asks the gate about its orders with one question, and applies it.
func (s *Sequencer) decideRun() error {
	if len(s.run) == 0 {
		return nil
	}
	s.output.Routes = slices.Grow(s.output.Routes, len(s.run))
	// The gate keeps what it is asked, so this is not reused.
	checks := make([]engine.PretradeCheck, 0, len(s.run))
	for i, p := range s.run {
		if p.check {
			sequence := s.engine.Sequence() + 1 + uint64(i)
			checks = append(checks, engine.PretradeCheck{Sequence: sequence, OrderID: sequence, TransactTime: s.now,
				NewOrder: p.input.(*engine.OrderDecision).NewOrder})
		}
	}
	decisions := s.ask(checks)
	for _, p := range s.run {
		if p.check {
			s.decide(p.input.(*engine.OrderDecision), decisions[0])
			decisions = decisions[1:]
		}
		if err := s.applyCommand(p); err != nil {
			return err
		}
	}
	s.endRun()
	return nil
}

func (s *Sequencer) endRun() {
	clear(s.run)
	s.run = s.run[:0]
	clear(s.named)
}

func (s *Sequencer) ask(checks []engine.PretradeCheck) []gate.Decision {
	if len(checks) == 0 {
		return nil
	}
	return s.gate.Ask(checks)
}

// decide takes over the gate's decision on an order whose sequence comes next.
func (s *Sequencer) decide(order *engine.OrderDecision, decision gate.Decision) {
	asked := order.NewOrder
	*order = decision.OrderDecision
	order.NewOrder = asked
	if order.Approved {
		if s.approvals == nil {
			s.approvals = make(map[uint64]gate.Approved, len(s.run))
		}
		s.approvals[s.engine.Sequence()+1] = decision.Approved
	}
}

func (s *Sequencer) applyCommand(p pending) error {
	sequence := s.engine.Sequence() + 1
	reports := len(s.output.Reports)
	if err := s.apply(p.input); err != nil {
		return fmt.Errorf("sequence %d: %w", sequence, err)
	}
	s.output.Results[p.result] = Result{Sequence: sequence, Ack: acknowledge(p.input, &s.output.Reports[reports])}
	return nil
}

// acknowledge is the outcome of a command, from the report that it caused.
func acknowledge(command engine.Input, r *engine.ExecutionReport) engine.CommandAck {
	ack := engine.CommandAck{
		Account: r.NewOrder.Account, ClOrdID: r.NewOrder.ClOrdID, Sequence: r.Sequence, OrderID: r.OrderID,
		OrdStatus: r.OrdStatus, ExecType: r.ExecType, OrdRejReason: r.OrdRejReason, CxlRejReason: r.CxlRejReason,
		RejectedBy: r.RejectedBy, Text: r.Text, CheckFailures: r.CheckFailures,
	}
	if cancel, ok := command.(*engine.CancelOrder); ok {
		ack.ClOrdID = cancel.ClOrdID
	}
	return ack
}

// notApplied wraps the engine's refusal of an event.
type notApplied struct{ error }

// apply stamps an input, applies it, tells the gate and keeps the event for the journal.
func (s *Sequencer) apply(input engine.Input) error {
	event := engine.Event{Sequence: s.engine.Sequence() + 1, TransactTime: s.now, Input: input}
	s.effects.Reset()
	if err := s.engine.Apply(event, &s.effects); err != nil {
		return notApplied{err}
	}
	encoded, err := journal.Encode(&event)
	if err != nil {
		return err
	}
	s.encoded = append(s.encoded, encoded)
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
	if r.Cancel {
		route.Cancel = &router.Cancel{OrderID: r.OrderID, VenueOrderID: r.VenueOrderID, InstrumentID: r.NewOrder.InstrumentID}
	} else {
		route.Approved = s.approvals[r.OrderID]
	}
	return route
}
