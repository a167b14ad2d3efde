package sequencer

import (
	"fmt"
	"slices"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
)

// pending is a command that is stamped when its run is.
type pending struct {
	result int // index into the output
	input  engine.Input
	checks int // how many of the run's the gate is to decide for it
}

// name is what a command is called.
type name struct{ account, clOrdID string }

// take applies an input, or puts a command into the run that is decided with one question.
func (s *Sequencer) take(n int, input engine.Input) error {
	switch command := input.(type) {
	case *engine.OrderDecision:
		return s.takeOrder(n, command)
	case *engine.OrderListDecision:
		return s.takeList(n, command)
	case *engine.ReplaceDecision:
		return s.takeReplace(n, command)
	case *engine.CancelOrder:
		return s.takeCancel(n, command)
	case *engine.MassCancelOrders:
		return s.takeMassCancel(n, command)
	}
	if err := s.decideRun(); err != nil {
		return err
	}
	return s.takeOther(n, input)
}

// takeOther applies what is no command. That it does not apply is an answer; that it cannot be written is not.
func (s *Sequencer) takeOther(n int, input engine.Input) error {
	result := &s.output.Results[n]
	result.Sequence = s.engine.Sequence() + 1
	err := s.apply(input)
	if refused, ok := err.(notApplied); ok {
		*result = Result{Err: refused.unlessNothingNew()}
		return nil
	}
	if _, kills := input.(*engine.KillSwitchChange); kills {
		result.Ack = s.effects.Ack
	}
	return err
}

// settled brings the engine to where a command can be held against it: what the run says of the command's names
// is decided first. It says whether the command's name was used before, and whether by the same command, which is
// answered again.
func (s *Sequencer) settled(n int, command engine.Input, names ...name) (repeated, used bool, err error) {
	for _, named := range names {
		if _, waits := s.named[named]; waits {
			if err := s.decideRun(); err != nil {
				return false, false, err
			}
			break
		}
	}
	ack, repeated, used := s.engine.Known(command)
	if repeated {
		s.output.Results[n] = Result{Sequence: ack.Sequence, Ack: ack}
	}
	return repeated, used, nil
}

// enqueue puts a command into the run, under its names.
func (s *Sequencer) enqueue(p pending, names ...name) {
	s.run = append(s.run, p)
	for _, named := range names {
		s.named[named] = struct{}{}
	}
}

func (s *Sequencer) takeOrder(n int, asked *engine.OrderDecision) error {
	order := &asked.NewOrder
	named := name{order.Account, order.ClOrdID}
	repeated, used, err := s.settled(n, asked, named)
	if repeated || err != nil {
		return err
	}
	if s.isFull(n, named) {
		return nil
	}
	if order.ExecInsts&engine.ReduceOnly != 0 {
		// What is left to reduce depends on the orders before it.
		if err := s.decideRun(); err != nil {
			return err
		}
	}
	decision := &engine.OrderDecision{NewOrder: *order, SessionID: asked.SessionID}
	p := pending{result: n, input: decision}
	if refusal := s.refusal(asked, used); refusal != nil {
		refuse(decision, refusal)
	} else {
		p.checks = s.check(engine.PretradeCheck{NewOrder: &decision.NewOrder})
	}
	s.enqueue(p, named)
	return nil
}

// isFull refuses a command that could wait while the journal lives on what it kept back. The refusal is not
// journaled: what room there is is for cancels.
func (s *Sequencer) isFull(n int, command name) bool {
	if kept, ok := s.journal.(interface{ Low() bool }); !ok || !kept.Low() {
		return false
	}
	s.output.Results[n] = Result{Ack: engine.CommandAck{
		Account: command.account, ClOrdID: command.clOrdID, OrdStatus: engine.StatusRejected, ExecType: engine.ExecRejected,
		OrdRejReason: engine.RejJournalFull, RejectedBy: engine.ByEngine, Text: "journal: its disk is full, only cancels and reductions are taken",
	}}
	return true
}

// refusal is why an order is refused before the gate is asked; nil: it is not.
func (s *Sequencer) refusal(asked *engine.OrderDecision, used bool) *engine.Refusal {
	if used {
		return s.duplicate(&asked.NewOrder)
	}
	return s.validate(&asked.NewOrder, asked.SessionID)
}

// Preview is what the gate would be asked if an order came now, or why it would not be. It is called where the
// engine may be read, and changes nothing.
func (s *Sequencer) Preview(asked *engine.OrderDecision) (engine.PretradeCheck, *engine.Refusal) {
	s.now = max(s.clock.Now(), s.engine.Now())
	_, _, used := s.engine.Known(asked)
	if refusal := s.refusal(asked, used); refusal != nil {
		return engine.PretradeCheck{}, refusal
	}
	next := s.engine.Sequence() + 1
	return engine.PretradeCheck{Sequence: next, OrderID: next, TransactTime: s.now, NewOrder: &asked.NewOrder}, nil
}

func (s *Sequencer) duplicate(order *engine.NewOrder) *engine.Refusal {
	text := fmt.Sprintf("cl_ord_id: %q was used before", order.ClOrdID)
	if before := s.engine.OrderByName(order.Account, order.ClOrdID); before != nil {
		text = fmt.Sprintf("cl_ord_id: %q is the name of order %d, which has other content", order.ClOrdID, before.OrderID)
	}
	return &engine.Refusal{OrdRejReason: engine.RejDuplicateOrder, Text: text}
}

// validate adds to the engine's rules those of where an order comes from and goes to.
func (s *Sequencer) validate(order *engine.NewOrder, sessionID string) *engine.Refusal {
	if refusal := s.engine.ValidateAt(order, s.now); refusal != nil {
		return refusal
	}
	return s.validateEnds(order, sessionID)
}

func (s *Sequencer) validateEnds(order *engine.NewOrder, sessionID string) *engine.Refusal {
	if order.ExecInsts&engine.CancelOnDisconnect != 0 && sessionID == "" {
		return &engine.Refusal{OrdRejReason: engine.RejInvalidField, Text: "exec_insts: CANCEL_ON_DISCONNECT needs a session, and the order came without"}
	}
	capabilities, connected := s.capabilities(order.InstrumentID)
	if !connected {
		return nil // The router says so.
	}
	if lack := capabilities.Lacks(order); lack != "" {
		return &engine.Refusal{OrdRejReason: engine.RejInvalidField, Text: lack}
	}
	return nil
}

func refuse(decision *engine.OrderDecision, refusal *engine.Refusal) {
	decision.OrdRejReason, decision.RejectedBy, decision.Text = refusal.OrdRejReason, engine.ByEngine, refusal.Text
}

// check adds to what the gate is asked of the run; the stamp comes later.
func (s *Sequencer) check(checks ...engine.PretradeCheck) int {
	for i := range checks {
		checks[i].TransactTime = s.now
		s.together.describe(&checks[i], s.engine)
	}
	s.checks = append(s.checks, checks...)
	return len(checks)
}

func (s *Sequencer) takeList(n int, asked *engine.OrderListDecision) error {
	list := &asked.List
	if orders := len(list.Orders); orders < 1 || orders > engine.MaxListOrders {
		s.output.Results[n].Err = fmt.Errorf("orders: must be 2 to %d, got %d", engine.MaxListOrders, orders)
		return nil
	}
	names := []name{{list.Account, list.ListID}}
	for i := range list.Orders {
		names = append(names, name{list.Account, list.Orders[i].ClOrdID})
	}
	if repeated, _, err := s.settled(n, asked, names...); repeated || err != nil {
		return err
	}
	if s.isFull(n, names[0]) {
		return nil
	}
	if slices.ContainsFunc(list.Orders, func(o engine.NewOrder) bool { return o.ExecInsts&engine.ReduceOnly != 0 }) {
		if err := s.decideRun(); err != nil { // As of an order alone.
			return err
		}
	}
	decision := &engine.OrderListDecision{List: *list, SessionID: asked.SessionID}
	p := pending{result: n, input: decision}
	if refusals := s.validateList(list, asked.SessionID); refusals != nil {
		decision.Decisions = make([]engine.OrderDecision, len(list.Orders))
		for i, refusal := range refusals {
			if refusal == nil {
				refusal = otherOfList
			}
			refuse(&decision.Decisions[i], refusal)
		}
	} else {
		checks := make([]engine.PretradeCheck, len(list.Orders))
		for i := range checks {
			checks[i].NewOrder, checks[i].ContingencyType = &list.Orders[i], list.ContingencyType
		}
		checks[0].ListOrders = len(checks)
		p.checks = s.check(checks...)
	}
	s.enqueue(p, names...)
	return nil
}

// validateList is one answer an order, nil when all of them are valid.
func (s *Sequencer) validateList(list *engine.NewOrderList, sessionID string) []*engine.Refusal {
	refusals, refused := s.engine.ValidateList(list, s.now), false
	for i := range refusals {
		if refusals[i] == nil {
			refusals[i] = s.validateEnds(&list.Orders[i], sessionID)
		}
		refused = refused || refusals[i] != nil
	}
	if !refused {
		return nil
	}
	return refusals
}

var otherOfList = &engine.Refusal{OrdRejReason: engine.RejList, Text: "new_order_list: another order of the list was refused"}

func (s *Sequencer) takeReplace(n int, asked *engine.ReplaceDecision) error {
	replace := &asked.Replace
	named, orig := name{replace.Account, replace.ClOrdID}, name{replace.Account, replace.OrigClOrdID}
	if repeated, _, err := s.settled(n, asked, named, orig); repeated || err != nil {
		return err
	}
	decision := &engine.ReplaceDecision{Replace: *replace}
	p := pending{result: n, input: decision}
	order, terms, refusal := s.validateReplace(replace)
	if refusal == nil && order.Reduces(&terms) {
		// By how much depends on what came before it.
		if err := s.decideRun(); err != nil {
			return err
		}
		if order, terms, refusal = s.validateReplace(replace); refusal == nil && order.Reduces(&terms) {
			decision.Approved = true
			return s.applyCommand(p)
		}
	}
	if s.isFull(n, named) {
		return nil
	}
	if refusal != nil {
		refuseReplace(decision, refusal)
	} else {
		p.checks = s.check(engine.PretradeCheck{OrderID: order.OrderID, NewOrder: &terms, Replaces: true, CumQty: order.CumQty})
	}
	s.enqueue(p, named)
	return nil
}

// validateReplace adds to the engine's rules that of where the order is.
func (s *Sequencer) validateReplace(replace *engine.ReplaceOrder) (*engine.Order, engine.NewOrder, *engine.ReplaceRefusal) {
	order, terms, refusal := s.engine.ValidateReplace(replace)
	if refusal == nil && !order.Held() {
		if capabilities, connected := s.capabilities(terms.InstrumentID); connected && !capabilities.Replace {
			refusal = &engine.ReplaceRefusal{CxlRejReason: engine.CxlRefused, Text: "replace_order: the venue replaces no orders"}
		}
	}
	return order, terms, refusal
}

func refuseReplace(decision *engine.ReplaceDecision, refusal *engine.ReplaceRefusal) {
	*decision = engine.ReplaceDecision{Replace: decision.Replace, OrdRejReason: refusal.OrdRejReason, CxlRejReason: refusal.CxlRejReason,
		RejectedBy: engine.ByEngine, Text: refusal.Text}
}

func (s *Sequencer) takeCancel(n int, cancel *engine.CancelOrder) error {
	named := name{cancel.Account, cancel.ClOrdID}
	if repeated, _, err := s.settled(n, cancel, named); repeated || err != nil {
		return err
	}
	s.enqueue(pending{result: n, input: cancel}, named)
	return nil
}

func (s *Sequencer) takeMassCancel(n int, mass *engine.MassCancelOrders) error {
	if err := s.decideRun(); err != nil {
		return err
	}
	if repeated, _, err := s.settled(n, mass); repeated || err != nil {
		return err
	}
	return s.applyCommand(pending{result: n, input: mass})
}

// decideRun stamps the run, asks the gate about its orders with one question, and applies it.
func (s *Sequencer) decideRun() error {
	if len(s.run) == 0 {
		return nil
	}
	s.output.Routes = slices.Grow(s.output.Routes, len(s.run))
	decisions := s.ask()
	for _, p := range s.run {
		s.decide(p, decisions[:p.checks])
		decisions = decisions[p.checks:]
		if err := s.applyCommand(p); err != nil {
			return err
		}
	}
	s.endRun()
	return nil
}

func (s *Sequencer) endRun() {
	clear(s.run)
	s.run, s.approvals = s.run[:0], s.approvals[:0]
	clear(s.named)
}

// ask stamps the run's checks and puts them as one question. Once it is answered the gate is done with them.
func (s *Sequencer) ask() []gate.Decision {
	rest, sequence := s.checks, s.engine.Sequence()
	for i := range s.run {
		sequence++
		for index := range rest[:s.run[i].checks] {
			check := &rest[index]
			if check.Sequence = sequence; !check.Replaces {
				check.OrderID = engine.OrderID(sequence, index)
			}
		}
		rest = rest[s.run[i].checks:]
	}
	if len(s.checks) == 0 {
		return nil
	}
	decisions := s.gate.Ask(s.checks)
	clear(s.checks)
	s.checks = s.checks[:0]
	return decisions
}

// decide takes over the gate's decisions on a command whose sequence comes next.
func (s *Sequencer) decide(p pending, decisions []gate.Decision) {
	s.approvals = s.approvals[:0]
	if len(decisions) == 0 {
		return
	}
	approved := true
	for i := range decisions {
		approved = approved && decisions[i].OrderDecision.Approved
	}
	switch command := p.input.(type) {
	case *engine.OrderDecision:
		d := decisions[0].OrderDecision
		command.Approved, command.OrdRejReason, command.RejectedBy = d.Approved, d.OrdRejReason, d.RejectedBy
		command.Text, command.CheckFailures = d.Text, d.CheckFailures
	case *engine.OrderListDecision:
		decideList(command, approved, decisions)
	case *engine.ReplaceDecision:
		approved = s.decideReplace(command, decisions[0].OrderDecision)
	}
	for i := range decisions {
		if approved {
			s.approvals = append(s.approvals, decisions[i].Approved)
		}
	}
}

func decideList(list *engine.OrderListDecision, approved bool, decisions []gate.Decision) {
	if list.Approved = approved; approved {
		return
	}
	list.Decisions = make([]engine.OrderDecision, len(decisions))
	for i := range decisions {
		own := &list.Decisions[i]
		if *own = *decisions[i].OrderDecision; own.Approved {
			own.Approved = false
			refuse(own, otherOfList)
			own.RejectedBy = engine.ByRisk
		}
	}
}

// decideReplace says whether the replace may go. Since it was put into the run an earlier command of the run may
// have changed its order.
func (s *Sequencer) decideReplace(replace *engine.ReplaceDecision, decision *engine.OrderDecision) bool {
	if _, _, refusal := s.engine.ValidateReplace(&replace.Replace); refusal != nil {
		refuseReplace(replace, refusal)
		return false
	}
	if replace.Approved = decision.Approved; replace.Approved {
		return true
	}
	replace.OrdRejReason, replace.CxlRejReason, replace.RejectedBy = decision.OrdRejReason, engine.CxlRefused, decision.RejectedBy
	replace.Text, replace.CheckFailures = decision.Text, decision.CheckFailures
	return false
}

func (s *Sequencer) applyCommand(p pending) error {
	sequence := s.engine.Sequence() + 1
	if err := s.apply(p.input); err != nil {
		return fmt.Errorf("sequence %d: %w", sequence, err)
	}
	s.output.Results[p.result] = Result{Sequence: sequence, Ack: s.effects.Ack}
	return nil
}
