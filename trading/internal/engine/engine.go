// Package engine is the deterministic state machine of orders, positions and cash: Apply takes one
// stamped event and says what follows from it. It reads no clock, file, socket or random source.
package engine

import (
	"errors"
	"fmt"
)

// ErrNothingNew says that a venue report repeats what is known already; nothing was changed.
var ErrNothingNew = errors.New("nothing new")

// ErrVersion says that a definition is at another version than the change expects.
var ErrVersion = errors.New("version conflict")

// VersionConflict says that limits or a model are at another version than the change was made from.
type VersionConflict struct{ InForce, Expected uint64 }

func (c VersionConflict) Error() string {
	return fmt.Sprintf("expected_version: must be %d, the version in force, got %d", c.InForce, c.Expected)
}

// Engine is the whole state. It has one writer, and no lock.
type Engine struct {
	sequence    uint64
	now         int64
	instruments map[string]*instrument
	accounts    map[string]*account
	orders      OrderMap[Order]
	execs       map[string]execs // by venue
	limits      RiskLimits
	fx          rates
	model       *PretradeModel       // nil: none
	states      []TradingStateChange // other than ACTIVE, by scope
	kills       []KillSwitchChange   // that are engaged, by scope
	sessions    map[string]int64     // by their id, how long they may be away
	forgettable []forgettable        // in the order of their time

	// What follows from the orders.
	open      OrderMap[Order] // orders that still work
	held      OrderMap[Order] // those of them that wait with us
	rewatched []uint64        // ids of orders of which what they wait for has changed, until somebody asks
	expiries  []expiry        // in the order of their time
}

// account holds cash and positions. It exists from the first order that names it, so that refusals
// have their chain of reports too; it trades only once it is opened.
type account struct {
	name         string
	opened       bool
	baseCurrency string
	lastReport   uint64
	cash         map[string]Amount
	positions    map[string]*position
	names        map[string]named
	orders       []*Order        // as they came
	forgotten    int             // of those
	reduceOnly   OrderMap[Order] // that are open
}

// Effects are what follows from events. Apply appends, so that a caller can use one for a batch.
type Effects struct {
	Reports  []*ExecutionReport // not to be changed
	Routes   []Route
	Pretrade []PretradeEvent
	Ack      CommandAck // the outcome of the last command
}

// RouteKind is what a route asks of a venue.
type RouteKind uint8

// The kinds of routes.
const (
	RouteNew RouteKind = iota
	RouteCancel
	RouteReplace
)

// Route is something to be sent to a venue.
type Route struct {
	Kind         RouteKind
	OrderID      uint64
	NewOrder     *NewOrder // the order as it is, or is to be; not to be changed
	VenueOrderID string
}

// Reset empties the effects and keeps their memory.
func (e *Effects) Reset() {
	clear(e.Reports)
	clear(e.Routes)
	clear(e.Pretrade)
	e.Reports, e.Routes, e.Pretrade = e.Reports[:0], e.Routes[:0], e.Pretrade[:0]
}

// New is an engine before its first event.
func New() *Engine {
	return &Engine{
		instruments: map[string]*instrument{},
		accounts:    map[string]*account{},
		execs:       map[string]execs{},
		fx:          rates{},
		sessions:    map[string]int64{},
	}
}

// Apply takes the next event and appends what follows from it to effects. On an error nothing was
// changed and the sequence is still free: the event must not stand in a journal.
func (e *Engine) Apply(event Event, effects *Effects) error {
	if event.Sequence != e.sequence+1 {
		return fmt.Errorf("sequence: must be %d, got %d", e.sequence+1, event.Sequence)
	}
	if event.TransactTime < e.now {
		return fmt.Errorf("transact_time_ns: must be at least %d, got %d", e.now, event.TransactTime)
	}
	if err := e.apply(&event, effects); err != nil {
		return err
	}
	e.sequence, e.now = event.Sequence, event.TransactTime
	e.forget(e.now)
	return nil
}

func (e *Engine) apply(event *Event, effects *Effects) error {
	switch input := event.Input.(type) {
	case *OrderDecision:
		return e.applyDecision(event, input, effects)
	case *CancelOrder:
		return e.applyCancel(event, input, effects)
	case *VenueReport:
		return e.applyVenueReport(event, input, effects)
	case *Mark:
		return e.applyMark(event, input, effects)
	case *Adjustment:
		return e.applyAdjustment(event, input, effects)
	case *LimitChange:
		return e.applyLimitChange(event, input, effects)
	case *Instrument:
		return e.applyInstrument(event, input, effects)
	case *AccountOpened:
		return e.applyAccountOpened(event, input, effects)
	}
	return e.applyOrderEvent(event, effects)
}

// applyOrderEvent takes what is about orders besides the plain order, its cancel and what venues say.
func (e *Engine) applyOrderEvent(event *Event, effects *Effects) error {
	switch input := event.Input.(type) {
	case *OrderListDecision:
		return e.applyList(event, input, effects)
	case *ReplaceDecision:
		return e.applyReplace(event, input, effects)
	case *MassCancelOrders:
		return e.applyMassCancel(event, input, effects)
	case *SessionBegan:
		return e.applySessionBegan(input)
	case *SessionLost:
		return e.applySessionLost(event, input, effects)
	case *Triggered:
		return e.applyTriggered(event, input, effects)
	case *Watermark:
		return e.applyWatermark(input)
	case *Timer:
		return e.applyTimer(event, effects)
	case *OrderInDoubt:
		return e.applyInDoubt(event, input, effects)
	case *ExternalOrder:
		return e.applyExternalOrder(event, input, effects)
	}
	return e.applyControl(event, effects)
}

// applyControl takes what binds orders and values them.
func (e *Engine) applyControl(event *Event, effects *Effects) error {
	switch input := event.Input.(type) {
	case *TradingStateChange:
		return e.applyTradingState(event, input, effects)
	case *KillSwitchChange:
		return e.applyKillSwitch(event, input, effects)
	case *FxRates:
		return e.applyFxRates(event, input, effects)
	case *PretradeModel:
		return e.applyModel(event, input, effects)
	}
	return fmt.Errorf("input: unknown type %T", event.Input)
}

func (e *Engine) applyMark(event *Event, mark *Mark, effects *Effects) error {
	instrument, known := e.instruments[mark.InstrumentID]
	if !known {
		return fmt.Errorf("instrument_id: unknown instrument %q", mark.InstrumentID)
	}
	if err := instrument.checkPrice("mark_px", mark.MarkPx); err != nil {
		return err
	}
	instrument.markPx, instrument.hasMark, instrument.markTime = mark.MarkPx, true, event.TransactTime
	effects.tell(event, PretradeEvent{Mark: mark})
	return nil
}

func (e *Engine) applyAccountOpened(event *Event, opened *AccountOpened, effects *Effects) error {
	if opened.Account == "" || opened.BaseCurrency == "" {
		return fmt.Errorf("account_opened: account and base_currency must be set, got %q and %q", opened.Account, opened.BaseCurrency)
	}
	account := e.accounts[opened.Account]
	if account != nil && account.opened {
		return fmt.Errorf("account: %q is open already", opened.Account)
	}
	account = e.account(opened.Account)
	account.opened, account.baseCurrency = true, opened.BaseCurrency
	effects.tell(event, PretradeEvent{AccountOpened: opened})
	return nil
}

// account gives the account of that name, a new one that is not open if need be.
func (e *Engine) account(name string) *account {
	a := e.accounts[name]
	if a == nil {
		a = newAccount()
		a.name = name
		e.accounts[name] = a
	}
	return a
}

func newAccount() *account {
	return &account{cash: map[string]Amount{}, positions: map[string]*position{}, names: map[string]named{}}
}

func (e *Engine) openAccount(name string) (*account, error) {
	a := e.accounts[name]
	if a == nil || !a.opened {
		return nil, fmt.Errorf("account: unknown account %q", name)
	}
	return a, nil
}

// tell adds an event for the gate.
func (e *Effects) tell(event *Event, pretrade PretradeEvent) {
	pretrade.Sequence, pretrade.TransactTime = event.Sequence, event.TransactTime
	e.Pretrade = append(e.Pretrade, pretrade)
}
