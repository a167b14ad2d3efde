package simtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"testing/synctest"

	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/live"
	"aetherion/trading/internal/sequencer"
)

// client sends commands, remembers what it was acknowledged, and follows the reports of its account.
type client struct {
	*trading
	waiting []*sent
	recent  []*sent // that were answered, newest last
	acked   map[string]outcome
	unseen  []string // names acknowledged since the last check
	cursor  live.Cursor
	newest  uint64 // sequence of the newest report heard
	latched uint64 // sequence of the first order refused for a loss; 0: none
	armed   uint64 // sequence since which that counts
	reports int
	met     map[string]int
	answers int
	trace   hash.Hash
}

// sent is a message, and where its answer comes; nil while there is nobody to send it to.
type sent struct {
	make   func() []engine.Input // the same again each time
	answer <-chan []sequencer.Result
	by     *process
}

// outcome is what an order was acknowledged with.
type outcome struct {
	orderID  uint64
	rejected bool
}

const recentMessages = 20

func newClient(t *trading, met map[string]int) *client {
	return &client{trading: t, met: met, acked: map[string]outcome{}, trace: sha256.New()}
}

// What is counted when it is met, besides faults.
var (
	refusals = map[engine.OrdRejReason]string{
		engine.RejPositionLimit: "refused for a limit", engine.RejLossLimit: "refused for a loss", engine.RejJournalFull: "refused on a full disk",
		engine.RejRiskUnavailable: "refused without risk",
	}
	reported = map[engine.ExecType]string{
		engine.ExecInDoubt: "in doubt", engine.ExecReplaced: "replaced", engine.ExecExpired: "expired", engine.ExecTriggered: "triggered",
		engine.ExecCancelRejected: "cancel rejected",
	}
)

func (c *client) send(inputs func() []engine.Input) {
	s := &sent{make: inputs}
	c.waiting = append(c.waiting, s)
	c.put(s)
}

// put hands a message to the session, if there is one.
func (c *client) put(s *sent) {
	p := c.process
	if p == nil || p.session == nil || p.isDead() || !c.isOpen {
		return
	}
	s.by = p
	if answer, err := p.session.Sequencer.Enqueue(context.Background(), s.make()); err == nil {
		s.answer = answer
	}
}

// reconnect sends again what was not answered, under the same names, to a process that has opened.
func (c *client) reconnect() {
	c.together(func() {
		for _, s := range c.waiting {
			c.put(s)
		}
	})
}

// repeat sends again what was answered not long ago: it must be answered alike.
func (c *client) repeat() {
	c.together(func() {
		for _, s := range c.recent {
			c.send(s.make)
		}
	})
}

// together lets the sequencer take up several messages only when all are there, so that it is no matter of
// chance which of them it takes as one batch.
func (c *client) together(send func()) {
	if p := c.process; p != nil && c.isOpen && !p.isDead() {
		sent := make(chan struct{})
		defer close(sent)
		go func() {
			// An error says that the process has ended.
			_ = p.session.Sequencer.Query(context.Background(), func(*engine.Engine) { <-sent })
		}()
		synctest.Wait()
	}
	send()
}

// hear takes the answers and reports that are there.
func (c *client) hear() {
	left := c.waiting[:0]
	for _, s := range c.waiting {
		if s.by != nil && s.by.isDead() {
			s.answer, s.by = nil, nil // The connection died with it.
		}
		select {
		case results := <-s.answer: // Of nil there is never one.
			c.take(s.make(), results)
			if c.recent = append(c.recent, s); len(c.recent) > recentMessages {
				c.recent = c.recent[1:]
			}
		default:
			left = append(left, s)
		}
	}
	clear(c.waiting[len(left):])
	c.waiting = left
	c.follow()
}

func (c *client) take(inputs []engine.Input, results []sequencer.Result) {
	for i, input := range inputs {
		ack := &results[i].Ack
		c.answers++
		fmt.Fprintln(c.trace, ack.ClOrdID, ack.Sequence, ack.OrderID, ack.OrdStatus, ack.OrdRejReason, ack.CxlRejReason)
		if what := refusals[ack.OrdRejReason]; what != "" {
			c.met[what]++
		}
		switch input := input.(type) {
		case *engine.OrderDecision:
			c.acknowledged(ack)
			if input.NewOrder.Side == engine.Buy {
				c.watch(ack)
			}
		case *engine.OrderListDecision:
			for n := range ack.ListAcks {
				c.acknowledged(&ack.ListAcks[n])
			}
		case *engine.TradingStateChange:
			c.latched, c.armed = 0, results[i].Sequence
		}
	}
}

// acknowledged remembers what an order was acknowledged with: it must stay so.
func (c *client) acknowledged(ack *engine.CommandAck) {
	if ack.OrdRejReason == engine.RejJournalFull {
		return // It left no event, and may be sent again.
	}
	got := outcome{ack.OrderID, ack.ExecType == engine.ExecRejected}
	before, known := c.acked[ack.ClOrdID]
	if !known {
		c.acked[ack.ClOrdID] = got
		c.unseen = append(c.unseen, ack.ClOrdID)
	} else if before != got {
		c.fail(fmt.Errorf("order %s was acknowledged as %+v, and when it was sent again as %+v", ack.ClOrdID, before, got))
	}
}

// watch sees that a loss that latched refuses to buy, of which there is a lot already, until somebody says otherwise.
func (c *client) watch(ack *engine.CommandAck) {
	switch {
	case ack.Sequence <= c.armed:
	case ack.OrdRejReason == engine.RejLossLimit && (c.latched == 0 || ack.Sequence < c.latched):
		c.latched = ack.Sequence
	case c.latched > 0 && ack.Sequence > c.latched && ack.ExecType != engine.ExecRejected:
		c.fail(fmt.Errorf("a latch is forgotten: order %d was approved, after %d had been refused for a loss", ack.Sequence, c.latched))
	}
}

// follow takes the reports that are there: each once, in order, over every crash.
func (c *client) follow() {
	p := c.process
	if p == nil || p.session == nil || p.isDead() || !c.isOpen {
		return
	}
	for more := true; more; {
		page, err := p.session.Reports.From(account, c.cursor, 1024)
		var gone live.Gone
		if errors.As(err, &gone) {
			c.cursor, err = p.session.Past(p.context, account, c.cursor, func(page live.Page) error { return c.page(page) })
			if err != nil {
				c.fail(fmt.Errorf("reports from %d on: %w", c.cursor.Sequence, err))
				return
			}
			continue
		}
		if err == nil {
			err = c.page(page)
		}
		if err != nil {
			c.fail(err)
			return
		}
		c.cursor, more = page.Next, len(page.Reports) == 1024
	}
}

func (c *client) page(page live.Page) error {
	for _, r := range page.Reports {
		if r.PrevSequence != c.newest {
			return fmt.Errorf("a gap in the reports: that of sequence %d follows %d, and %d was heard last", r.Sequence, r.PrevSequence, c.newest)
		}
		c.newest = r.Sequence
		c.reports++
		if what := reported[r.ExecType]; what != "" {
			c.met[what]++
		}
	}
	return nil
}
