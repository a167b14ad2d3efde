package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/venue/remote"
)

// Adoption is what becomes of orders and balances that a venue has and we do not.
type Adoption string

// The ways.
const (
	// Adopt takes the orders for ours, and adjusts positions and cash.
	Adopt Adoption = "adopt"
	// Cancel has the orders canceled, and adjusts positions and cash.
	Cancel Adoption = "cancel"
	// Refuse does not start; what is found later is logged, and shown until it is gone.
	Refuse Adoption = "refuse"
)

// A balance is compared with fills that were asked for just before, and one may have come between. So a difference
// counts when it was the same so many times in a row.
const (
	timesAtStart = 2
	timesRunning = 3
)

const (
	auditPause  = 100 * time.Millisecond // between two comparisons at the start
	auditsStart = 50                     // at most
)

// audit holds what the venue has of the account against what the engine has, and makes them one.
type audit struct {
	adoption    Adoption
	account     string
	venue       *remote.Venue
	instruments []engine.Instrument
	price       func(ctx context.Context, instrumentID string) (int64, error)
	sequence    func(ctx context.Context, inputs []engine.Input) error
	query       func(ctx context.Context, read func(*engine.Engine)) error
	fresh       bool // the account never had anything here: what it has there is where it begins
	starting    bool // nobody trades yet

	strangers   []remote.OpenOrder
	differences map[string]engine.Amount // what the venue has more, by currency
	times       int                      // comparisons in a row in which that was the same
	told        atomic.Pointer[string]   // what was logged last and still is so; nil: nothing
}

// atStart compares until both say the same. What remains different is an error where it may not be mended.
func (a *audit) atStart(ctx context.Context) error {
	a.starting = true
	defer func() { a.starting, a.fresh = false, false }()
	for n := 1; n <= auditsStart; n++ {
		if err := a.venue.Compare(ctx, a.sequence); err != nil {
			return err
		}
		if len(a.differences) == 0 && (len(a.strangers) == 0 || a.adoption != Refuse) {
			return nil
		}
		if a.adoption == Refuse && n >= timesAtStart && (len(a.strangers) > 0 || !a.fresh && a.lasts()) {
			return errors.New(a.String())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(auditPause):
		}
	}
	return fmt.Errorf("%s, and that does not come to rest", a)
}

// String is one line.
func (a *audit) String() string {
	var has []string
	for i := range a.strangers {
		o := &a.strangers[i].External
		has = append(has, fmt.Sprintf("order %s (%q)", o.VenueOrderID, o.VenueClOrdID))
	}
	for _, currency := range slices.Sorted(maps.Keys(a.differences)) {
		has = append(has, engine.Money{Currency: currency, Amount: a.differences[currency]}.String())
	}
	return fmt.Sprintf("venue %s has what we do not: %s", a.venue.Name(), strings.Join(has, ", "))
}

// Orders is remote.Audit's.
func (a *audit) Orders(ctx context.Context, open []remote.OpenOrder) (adopted bool, err error) {
	err = a.query(ctx, func(e *engine.Engine) {
		a.strangers = slices.DeleteFunc(open, func(o remote.OpenOrder) bool { return o.OrderID != 0 && e.Order(o.OrderID) != nil })
	})
	if err != nil {
		return false, err
	}
	a.tell()
	if len(a.strangers) == 0 {
		return false, nil
	}
	switch a.adoption {
	case Cancel:
		for i := range a.strangers {
			slog.Warn("an order that is not ours is canceled", "venue", a.venue.Name(), "cl_ord_id", a.strangers[i].External.VenueClOrdID)
			a.venue.CancelExternal(a.strangers[i].External.VenueClOrdID)
		}
	case Adopt:
		return true, a.adopt(ctx)
	}
	return false, nil
}

func (a *audit) adopt(ctx context.Context) error {
	external := make([]*engine.ExternalOrder, len(a.strangers))
	for i := range a.strangers {
		external[i] = &a.strangers[i].External
	}
	if err := a.venue.Prepare(ctx, external); err != nil {
		return err
	}
	inputs := make([]engine.Input, len(external))
	for i, order := range external {
		inputs[i] = order
	}
	if err := a.sequence(ctx, inputs); err != nil {
		return err
	}
	return a.query(ctx, func(e *engine.Engine) {
		for _, order := range external {
			// One that has just been filled was not taken.
			ours := e.OrderByName(a.account, order.NewOrder.ClOrdID)
			if ours != nil && ours.VenueClOrdID == order.VenueClOrdID && ours.VenueOrderID == order.VenueOrderID {
				slog.Warn("an order that did not come from us is ours now", "venue", a.venue.Name(), "cl_ord_id", order.NewOrder.ClOrdID)
				a.venue.Adopted(ours)
			}
		}
	})
}

// Balances is remote.Audit's.
func (a *audit) Balances(ctx context.Context, balances []engine.Money) error {
	var found map[string]engine.Amount
	var err error
	if asked := a.query(ctx, func(e *engine.Engine) { found, err = a.compare(e, balances) }); asked != nil || err != nil {
		return errors.Join(asked, err)
	}
	if a.times++; !maps.Equal(found, a.differences) {
		a.times = 1
	}
	a.differences = found
	if len(found) == 0 {
		a.times = 0
	}
	if a.tell(); !a.lasts() || a.adoption == Refuse && !a.fresh {
		return nil
	}
	reason := "reconciled with " + a.venue.Name()
	if a.fresh {
		reason = "adopted from " + a.venue.Name()
	}
	inputs, err := a.adjustments(ctx, reason)
	if err != nil {
		return err
	}
	return a.sequence(ctx, inputs)
}

// lasts says whether the differences are no chance.
func (a *audit) lasts() bool {
	return a.times >= timesRunning || a.starting && a.times >= timesAtStart
}

// tell logs what differs and is not mended, once, and when it no longer does. At the start that is why there is none.
func (a *audit) tell() {
	told := a.told.Load()
	switch differs := len(a.strangers) > 0 || a.lasts(); {
	case a.adoption != Refuse || a.starting:
	case differs:
		if text := a.String(); told == nil || *told != text {
			slog.Error(text)
			a.told.Store(&text)
		}
	case told != nil:
		slog.Info("the venue has what we have again", "venue", a.venue.Name())
		a.told.Store(nil)
	}
}

// compare is by how much the venue has more of each currency or asset. Less than the least quantity of an
// instrument is no difference of a position.
func (a *audit) compare(e *engine.Engine, balances []engine.Money) (map[string]engine.Amount, error) {
	ours, err := a.ours(e)
	if err != nil {
		return nil, err
	}
	more := map[string]engine.Amount{}
	for _, balance := range balances {
		more[balance.Currency] = balance.Amount
	}
	for currency, amount := range ours {
		if more[currency], err = more[currency].Sub(amount); err != nil {
			return nil, fmt.Errorf("balance of %s: %w", currency, err)
		}
	}
	maps.DeleteFunc(more, func(currency string, amount engine.Amount) bool {
		if i := a.instrumentOf(currency); i != nil {
			return scaledQty(amount, i.QtyScale) == 0
		}
		return amount.Sign() == 0
	})
	return more, nil
}

// ours is what the engine has: cash, and positions as amounts of what they are of. A future is of nothing.
func (a *audit) ours(e *engine.Engine) (map[string]engine.Amount, error) {
	state, _ := e.Account(a.account)
	ours := map[string]engine.Amount{}
	for _, balance := range state.Balances {
		ours[balance.Currency] = balance.Amount
	}
	for i := range state.Positions {
		p := &state.Positions[i]
		instrument, _ := e.Instrument(p.InstrumentID)
		if instrument.Class == engine.Future {
			continue
		}
		qty, err := amountOf(p.NetQty, instrument.QtyScale)
		if err == nil {
			ours[instrument.BaseCurrency], err = ours[instrument.BaseCurrency].Add(qty)
		}
		if err != nil {
			return nil, fmt.Errorf("position in %s: %w", p.InstrumentID, err)
		}
	}
	return ours, nil
}

// instrumentOf is the first instrument whose position is of a currency or asset; nil: that is cash.
func (a *audit) instrumentOf(currency string) *engine.Instrument {
	for i := range a.instruments {
		if a.instruments[i].BaseCurrency == currency && a.instruments[i].Class != engine.Future {
			return &a.instruments[i]
		}
	}
	return nil
}

// adjustments end the differences: a position begins at the middle of the book.
func (a *audit) adjustments(ctx context.Context, reason string) ([]engine.Input, error) {
	var inputs []engine.Input
	for _, currency := range slices.Sorted(maps.Keys(a.differences)) {
		amount := a.differences[currency]
		adjustment := &engine.Adjustment{Account: a.account, Reason: reason}
		if i := a.instrumentOf(currency); i != nil {
			adjustment.InstrumentID, adjustment.Qty = i.InstrumentID, scaledQty(amount, i.QtyScale)
			var err error
			if adjustment.Price, err = a.price(ctx, i.InstrumentID); err != nil {
				return nil, err
			}
		} else {
			adjustment.Cash = engine.Money{Currency: currency, Amount: amount}
		}
		slog.Warn("adjusted", "account", a.account, "by", engine.Money{Currency: currency, Amount: amount}, "reason", reason)
		inputs = append(inputs, adjustment)
	}
	return inputs, nil
}
