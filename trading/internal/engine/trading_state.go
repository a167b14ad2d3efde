package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// String is the scope as a CheckFailure names it.
func (s TradingScope) String() string {
	var parts []string
	for _, part := range []struct{ name, value string }{
		{"account", s.Account}, {"strategy", s.StrategyID}, {"instrument", s.InstrumentID}, {"venue", s.Venue},
	} {
		if part.value != "" {
			parts = append(parts, part.name+":"+part.value)
		}
	}
	if parts == nil {
		return "firm"
	}
	return strings.Join(parts, ",")
}

// binds says whether an order is in the scope.
func (s *TradingScope) binds(o *NewOrder) bool {
	return (s.Account == "" || s.Account == o.Account) &&
		(s.StrategyID == "" || s.StrategyID == o.StrategyID) &&
		(s.InstrumentID == "" || s.InstrumentID == o.InstrumentID) &&
		(s.Venue == "" || s.Venue == venueOf(o.InstrumentID))
}

func compareScopes(a, b TradingScope) int {
	return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.StrategyID, b.StrategyID),
		cmp.Compare(a.InstrumentID, b.InstrumentID), cmp.Compare(a.Venue, b.Venue))
}

// checkScope refuses a scope that can bind nothing, so that a name that is misspelt is told of.
func (e *Engine) checkScope(s *TradingScope) error {
	if s.Account != "" {
		if _, err := e.openAccount(s.Account); err != nil {
			return fmt.Errorf("scope.%w", err)
		}
	}
	if _, known := e.instruments[s.InstrumentID]; !known && s.InstrumentID != "" {
		return fmt.Errorf("scope.instrument_id: unknown instrument %q", s.InstrumentID)
	}
	if s.Venue == "" {
		return nil
	}
	for id := range e.instruments {
		if venueOf(id) == s.Venue {
			return nil
		}
	}
	return fmt.Errorf("scope.venue: no instrument is of venue %q", s.Venue)
}

func (e *Engine) applyTradingState(event *Event, change *TradingStateChange, effects *Effects) error {
	if change.TradingState < Active || change.TradingState > Halted {
		return fmt.Errorf("trading_state: must be ACTIVE, REDUCING, CANCEL_ONLY or HALTED, got %d", change.TradingState)
	}
	if err := e.checkScope(&change.Scope); err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(e.states, change.Scope,
		func(c TradingStateChange, s TradingScope) int { return compareScopes(c.Scope, s) })
	if found {
		e.states = slices.Delete(e.states, at, at+1)
	}
	if change.TradingState != Active {
		e.states = slices.Insert(e.states, at, *change)
	}
	effects.tell(event, PretradeEvent{TradingState: change})
	return nil
}

// applyKillSwitch latches a scope, and cancels what is open there: what comes later is refused. Engaged
// again it cancels again.
func (e *Engine) applyKillSwitch(event *Event, change *KillSwitchChange, effects *Effects) error {
	if err := e.checkScope(&change.Scope); err != nil {
		return err
	}
	at, found := slices.BinarySearchFunc(e.kills, change.Scope,
		func(c KillSwitchChange, s TradingScope) int { return compareScopes(c.Scope, s) })
	if !found && !change.Engaged {
		return fmt.Errorf("kill_switch: is not engaged for %s: %w", change.Scope, ErrNothingNew)
	}
	effects.tell(event, PretradeEvent{KillSwitch: change})
	effects.Ack = CommandAck{Sequence: event.Sequence}
	if !change.Engaged {
		e.kills = slices.Delete(e.kills, at, at+1)
		return nil
	}
	if !found { // One that is engaged stays that of who engaged it first: somebody else must release it.
		e.kills = slices.Insert(e.kills, at, *change)
	}
	bound := e.openOrders(func(o *Order) bool { return change.Scope.binds(o.terms) })
	effects.Ack.TotalAffectedOrders = e.cancelOpen(event, bound, "kill_switch: engaged for "+change.Scope.String(), effects)
	return nil
}

// latched is why an order may not be sent or get more, by a kill switch or a trading state; nil: it may. What
// waited with us and comes to be sent there is canceled. Whether an order reduces is for the Risk Service to
// say.
func (e *Engine) latched(order *NewOrder) *Refusal {
	for i := range e.kills {
		if k := &e.kills[i]; k.Scope.binds(order) {
			return refuse(RejKillSwitch, "kill_switch: engaged for %s", k.Scope)
		}
	}
	var worst *TradingStateChange
	for i := range e.states {
		if s := &e.states[i]; s.Scope.binds(order) && (worst == nil || s.TradingState > worst.TradingState) {
			worst = s
		}
	}
	switch {
	case worst == nil:
	case worst.TradingState == Halted:
		return refuse(RejStateHalted, "trading_state: HALTED for %s", worst.Scope)
	case worst.TradingState == CancelOnly:
		return refuse(RejStateCancelOnly, "trading_state: CANCEL_ONLY for %s", worst.Scope)
	}
	return nil
}

// TradingStates are those other than ACTIVE, by scope.
func (e *Engine) TradingStates() []TradingStateChange {
	return append([]TradingStateChange(nil), e.states...)
}

// KillSwitches are those that are engaged, by scope.
func (e *Engine) KillSwitches() []KillSwitchChange {
	return append([]KillSwitchChange(nil), e.kills...)
}

func walkScope(w walker, s *TradingScope) {
	walkString(w, &s.Account)
	walkString(w, &s.StrategyID)
	walkString(w, &s.InstrumentID)
	walkString(w, &s.Venue)
}

func walkTradingState(w walker, c *TradingStateChange) {
	walkScope(w, &c.Scope)
	walkSmall(w, &c.TradingState)
	walkString(w, &c.ChangedBy)
	walkString(w, &c.Reason)
}

func walkKillSwitch(w walker, c *KillSwitchChange) {
	walkScope(w, &c.Scope)
	walkBool(w, &c.Engaged)
	walkString(w, &c.ChangedBy)
	walkString(w, &c.Reason)
}
