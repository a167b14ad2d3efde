package simtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing/synctest"
	"time"

	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// patience is how long everything may take to be as it should, without faults, in virtual time.
const patience = 60 * time.Second

// healed ends all faults, waits until nothing is under way, and compares.
func (r *run) healed() error {
	r.heal()
	r.venue.closed = true
	reason := "nothing was looked at"
	for until := now() + int64(patience); now() < until; {
		if err := r.run(now() + int64(250*time.Millisecond)); err != nil {
			return err
		}
		r.client.hear()
		if reason = r.different(); reason == "" {
			break
		}
	}
	if r.failed != nil {
		return r.failed
	}
	if reason != "" {
		return errors.New(reason)
	}
	r.venue.closed = false
	if r.client.latched > 0 {
		r.client.send(func() []engine.Input {
			return []engine.Input{&engine.TradingStateChange{Scope: engine.TradingScope{Account: account}, TradingState: engine.Active,
				ChangedBy: "simulation", Reason: "the loss was looked at"}}
		})
	}
	return r.kept()
}

func (r *run) heal() {
	r.network.until, r.venue.down = 0, 0
	r.trading.riskDown.Store(0)
	r.trading.riskLate.Store(0)
	if p := r.trading.process; p != nil {
		p.disk.SetCapacity(0)
		for _, armed := range []crossing{{p, &p.writes}, {p, &p.sends}, {p, &p.asks}} {
			armed.left.Store(0)
		}
		if r.trading.expected && !p.isDead() { // Its disk fails whenever it comes to it.
			p.die()
		}
	}
}

// query reads the engine where it may be read; an error says that nobody could.
func (r *run) query(read func(e *engine.Engine)) error {
	p := r.trading.process
	if p == nil || p.session == nil || !r.trading.isOpen || p.isDead() {
		return errors.New("the Trading Service is not open")
	}
	return p.session.Sequencer.Query(context.Background(), read)
}

// different says what is still under way, or not as the exchange has it; empty: nothing.
func (r *run) different() string {
	if len(r.client.waiting) > 0 {
		return fmt.Sprintf("%d messages of the client have no answer", len(r.client.waiting))
	}
	reason := ""
	err := r.query(func(e *engine.Engine) {
		if reason = r.unsettled(e); reason == "" {
			reason = r.unequal(e)
		}
	})
	if err != nil {
		return err.Error()
	}
	if reason == "" && !r.trading.process.session.Gate.Status().Available {
		reason = "the Risk Service is not available"
	}
	return reason
}

// unsettled finds an order of which something is still to be heard.
func (r *run) unsettled(e *engine.Engine) (reason string) {
	working := map[string]bool{}
	oldest := uint64(0)
	e.Orders(account, r.oldest, func(o *engine.Order) bool {
		if o.Open() && oldest == 0 {
			oldest = o.OrderID
		}
		if !o.Open() || o.Held() {
			return true
		}
		switch status := o.OrdStatus(); status {
		case engine.StatusNew, engine.StatusPartiallyFilled:
			working[o.VenueOrderID] = true
		default:
			reason = fmt.Sprintf("order %d (%s) is still in status %d", o.OrderID, o.NewOrder.ClOrdID, status)
		}
		return reason == ""
	})
	theirs := r.venue.x.Orders(account, 0, true, 1<<30)
	for _, o := range theirs {
		if id := o.GetLastReport().GetVenueOrderId(); reason == "" && !working[id] {
			reason = fmt.Sprintf("order %s works at the exchange, and not with us", id)
		}
	}
	if reason == "" && len(theirs) == len(working) && oldest > 0 {
		r.oldest = oldest - 1
	} else if reason == "" && len(theirs) != len(working) {
		reason = fmt.Sprintf("%d orders work at the exchange, and %d with us", len(theirs), len(working))
	}
	return reason
}

// unequal compares position and cash with the exchange's.
func (r *run) unequal(e *engine.Engine) string {
	state, _ := e.Account(account)
	position := int64(0)
	for _, p := range state.Positions {
		position += p.NetQty
	}
	if position != r.oracle.position {
		return fmt.Sprintf("position: %d lots, and %d by the exchange's fills", position, r.oracle.position)
	}
	cash := map[string]engine.Amount{}
	for _, b := range state.Balances {
		cash[b.Currency] = b.Amount
	}
	for _, b := range r.venue.x.Balances(account) {
		if theirs, err := contract.DecodeMoney("total", b.GetTotal()); err != nil || theirs.Currency == "USDT" && theirs.Amount != cash["USDT"] {
			return fmt.Sprintf("cash: %s, and %s at the exchange", cash["USDT"], theirs)
		}
	}
	return ""
}

// kept checks what was acknowledged, and that the journal gives the same state.
func (r *run) kept() (err error) {
	asked := r.query(func(e *engine.Engine) {
		for _, name := range r.client.unseen {
			order, ack := e.OrderByName(account, name), r.client.acked[name]
			if order == nil || order.OrderID != ack.orderID {
				err = fmt.Errorf("an acknowledged order is lost: %s, acknowledged as %d", name, ack.orderID)
				return
			}
		}
		if e.Sequence() >= r.hashed { // It takes as long as there are orders.
			r.hashed = e.Sequence() + e.Sequence()/4
			err = r.trading.shadow.same(e)
		}
	})
	r.forget()
	return errors.Join(asked, err)
}

// forget drops what has ended and is as it should be, so that a run can go on for days.
func (r *run) forget() {
	r.venue.x.Forget()
	clear(r.oracle.numbers)
	for _, o := range r.venue.x.Orders(account, 0, true, 1<<30) {
		if err := r.oracle.once(o.GetLastReport()); err != nil {
			r.fail(err)
		}
	}
	r.client.unseen = r.client.unseen[:0]
	if len(r.client.acked) > namesKept {
		clear(r.client.acked)
		r.client.recent = nil
	}
}

// namesKept is how many names may be remembered to be sent again.
const namesKept = 10_000

// finish heals, cancels everything, sees that risk holds nothing any more, and that the journal replays.
func (r *run) finish() error {
	if err := r.healed(); err != nil {
		return err
	}
	r.client.send(func() []engine.Input {
		return []engine.Input{&engine.MassCancelOrders{ClOrdID: "all", Account: account}}
	})
	r.venue.closed = true
	if err := r.run(now() + int64(time.Second)); err != nil {
		return err
	}
	if err := r.healed(); err != nil {
		return err
	}
	if err := r.retold(); err != nil {
		return err
	}
	if err := r.unheld(); err != nil {
		return err
	}
	return r.trading.shadow.replayed(r.trading.disk)
}

// retold ends the Risk Service: one that is told the history comes to the same state.
func (r *run) retold() error {
	r.venue.closed = true
	if err := r.run(now() + int64(3*time.Second)); err != nil { // The last prices are marked.
		return err
	}
	before, err := r.remembered()
	if err != nil {
		return err
	}
	r.trading.process.risk.sever()
	if err := r.healed(); err != nil {
		return err
	}
	after, err := r.remembered()
	if err == nil && (before.Sequence != after.Sequence || !bytes.Equal(before.StateHash, after.StateHash)) {
		err = fmt.Errorf("risk's state differs when it is told again: %x after %d, and %x after %d",
			before.StateHash, before.Sequence, after.StateHash, after.Sequence)
	}
	return err
}

func (r *run) remembered() (*engine.PretradeMemory, error) {
	var saved <-chan *engine.PretradeMemory
	if err := r.query(func(*engine.Engine) { saved = r.trading.process.session.Gate.Save() }); err != nil {
		return nil, err
	}
	synctest.Wait()
	select {
	case memory := <-saved:
		if memory != nil {
			return memory, nil
		}
	default:
	}
	return nil, errors.New("the Risk Service does not say what it remembers")
}

// unheld orders what the limit leaves, far from the market: one lot more is refused, and that itself is not.
func (r *run) unheld() error {
	left := maxPosition - r.oracle.position
	for _, probe := range []struct {
		name     string
		qty      int64
		rejected bool
	}{{"beyond", left + 1, true}, {"within", left, false}} {
		if probe.qty <= 0 {
			continue
		}
		r.client.send(func() []engine.Input {
			return []engine.Input{&engine.OrderDecision{NewOrder: engine.NewOrder{
				ClOrdID: probe.name, Account: account, InstrumentID: instrumentID, Side: engine.Buy, OrdType: engine.Limit,
				TimeInForce: engine.GTC, OrderQty: probe.qty, Price: startPx / 100, HasPrice: true,
			}}}
		})
		if err := r.healed(); err != nil {
			return err
		}
		if r.client.latched > 0 {
			return nil // It is refused for another reason.
		}
		if ack := r.client.acked[probe.name]; ack.rejected != probe.rejected {
			return fmt.Errorf("holds are not as they should be: with no order open and position %d, an order of %d was %v, limit %d",
				r.oracle.position, probe.qty, map[bool]string{true: "refused", false: "approved"}[ack.rejected], maxPosition)
		}
	}
	return nil
}
