package live

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/flow"
)

// forgetInterval is how often the exchange forgets what has ended: the journal keeps what is ours.
const forgetInterval = 10 * time.Second

// batchesWaiting is how many batches of rows the market may be ahead of its slowest reader; then it waits.
const batchesWaiting = 1024

// syntheticDesk owns an exchange on which the account of the session and synthetic order flow meet, in real
// time. It speaks to the exchange as any client does, in the exchange's own messages.
type syntheticDesk struct {
	core
	clock    clock.Clock
	inbox    *inbox
	exchange *exchange.Exchange
	flow     *flow.Flow
	account  string
	// since is the journal's last sequence when the exchange was made. It tells what this exchange names
	// from what one before it did, in a process that died, under the same account.
	since    uint64
	requests uint64
	now      int64 // never runs back, whatever the clock does
	err      error // of an order that could not be handed over
	market   *market.Replay
	rows     chan []market.Row
}

// openSynthetic makes an exchange on which the account has what the journal says that it has.
func (s *Session) openSynthetic(config Config, now clock.Clock, inbox *inbox, state *engine.Engine) error {
	for _, m := range config.Synthetic.Markets {
		s.Instruments = append(s.Instruments, m.Instrument)
	}
	venue, err := exchange.New(exchange.Config{Instruments: slices.Clone(s.Instruments), Seed: config.Synthetic.Seed})
	if err != nil {
		return err
	}
	agents, err := flow.New(*config.Synthetic)
	if err != nil {
		return err
	}
	s.Replay = market.NewBroadcast()
	d := &syntheticDesk{
		clock: now, inbox: inbox, exchange: venue, flow: agents, account: config.Account, since: state.Sequence(),
		now: max(now.Now(), state.Now()), market: s.Replay, rows: make(chan []market.Row, batchesWaiting),
	}
	inbox.has = d.Capabilities()
	s.desk, s.MaxVolumeShareBps = d, 10_000 // whatever rests in the book is there for all
	if agents.Owns(config.Account) {
		return fmt.Errorf("account: must not be named as those of the synthetic order flow, got %q", config.Account)
	}
	start, err := agents.Start()
	if err != nil {
		return err
	}
	return d.ask(append(start, endowment(config, state)...))
}

// endowment is what the account has: its cash at the start, or what the journal left it.
func endowment(config Config, state *engine.Engine) []*pb.VenueCommand {
	var deposits []*pb.VenueCommand
	deposit := func(money engine.Money) {
		if money.Amount.Sign() > 0 {
			deposits = append(deposits, &pb.VenueCommand{Command: &pb.VenueCommand_Deposit{
				Deposit: &pb.Deposit{Account: config.Account, Amount: contract.EncodeMoney(money)},
			}})
		}
	}
	account, opened := state.Account(config.Account)
	if !opened {
		deposit(config.InitialCash)
		return deposits
	}
	for _, balance := range account.Balances {
		deposit(balance)
	}
	for _, position := range account.Positions {
		instrument, _ := state.Instrument(position.InstrumentID)
		if amount, err := exchange.Quantity(&instrument, position.NetQty); err == nil {
			deposit(engine.Money{Currency: instrument.BaseCurrency, Amount: amount})
		}
	}
	return deposits
}

func (d *syntheticDesk) ask(commands []*pb.VenueCommand) error {
	for _, command := range commands {
		if err := d.exchange.Handle(d.now, command); err != nil {
			return fmt.Errorf("exchange: %w", err)
		}
	}
	return nil
}

func (d *syntheticDesk) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		d.market.Broadcast(ctx, d.rows)
	}()
	defer func() {
		stop()
		<-told
	}()
	return d.trade(ctx)
}

// trade lets time go on: at the next act of the flow, and whenever an order of ours arrives.
func (d *syntheticDesk) trade(ctx context.Context) error {
	marks := time.NewTicker(markInterval)
	defer marks.Stop()
	forget := time.NewTicker(forgetInterval)
	defer forget.Stop()
	acts := time.NewTimer(0)
	defer acts.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-marks.C:
			if err := d.markMoved(ctx); err != nil {
				return err
			}
			continue
		case <-forget.C:
			d.exchange.Forget()
			continue
		case <-acts.C:
		case <-d.inbox.arrived:
		}
		if err := d.step(ctx); err != nil {
			return err
		}
		acts.Reset(time.Duration(max(0, d.next()-d.clock.Now())))
	}
}

func (d *syntheticDesk) next() int64 {
	next := d.flow.Next()
	if at, waits := d.exchange.Next(); waits {
		next = min(next, at)
	}
	return next
}

// step hands over what was asked for by now, and passes on what comes of it.
func (d *syntheticDesk) step(ctx context.Context) error {
	d.now = max(d.now, d.clock.Now())
	for _, send := range d.inbox.take() {
		send(d)
	}
	if d.err == nil && d.flow.Next() <= d.now {
		d.err = d.ask(d.flow.Act(d.now))
	}
	if d.err != nil {
		return d.err
	}
	outputs, rows, err := d.exchange.Advance(d.now)
	if err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	// The marks see a row before anyone can act on it.
	d.flow.See(rows)
	var seen []engine.Input
	for i := range rows {
		seen = append(seen, d.sampler.Observe(&rows[i])...)
		d.moved = true
	}
	// What the rows fill comes before what they trigger.
	if err := d.hear(ctx, outputs); err != nil {
		return err
	}
	if err := d.report(ctx, seen); err != nil {
		return err
	}
	return d.publish(ctx, slices.Clone(rows)) // the exchange uses its own again
}

func (d *syntheticDesk) hear(ctx context.Context, outputs []exchange.Output) error {
	var inputs []engine.Input
	for i := range outputs {
		report := outputs[i].Report
		if report.GetAccount() != d.account {
			d.flow.Hear(report)
			continue
		}
		input, err := d.decode(report)
		if err != nil {
			return fmt.Errorf("report %s of the exchange: %w", report.GetExecId(), err)
		}
		inputs = append(inputs, input)
	}
	return d.report(ctx, inputs)
}

func (d *syntheticDesk) publish(ctx context.Context, rows []market.Row) error {
	if len(rows) == 0 {
		return nil
	}
	select {
	case d.rows <- rows:
	case <-ctx.Done():
	}
	return nil
}

// Submit is router.Venue's.
func (d *syntheticDesk) Submit(approved gate.Approved) {
	order := approved.NewOrder()
	message := contract.EncodeNewOrder(&order)
	message.ClOrdId, message.Account = d.name(approved.OrderID()), d.account
	d.put(&pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: message}})
}

// Cancel is router.Venue's.
func (d *syntheticDesk) Cancel(cancel router.Cancel) {
	d.put(&pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: &pb.CancelOrder{
		ClOrdId: d.request(cancel.OrderID), OrigClOrdId: d.name(cancel.OrderID), Account: d.account,
	}}})
}

// Replace is router.Venue's.
func (d *syntheticDesk) Replace(replace router.Replace) {
	id, order := replace.Approved.OrderID(), replace.Approved.NewOrder()
	message := contract.EncodeReplaceOrder(&engine.ReplaceOrder{ClOrdID: d.request(id), OrigClOrdID: d.name(id), Account: d.account,
		OrderQty: order.OrderQty, Price: order.Price, HasPrice: order.HasPrice})
	d.put(&pb.VenueCommand{Command: &pb.VenueCommand_ReplaceOrder{ReplaceOrder: message}})
}

// Capabilities is router.Venue's.
func (d *syntheticDesk) Capabilities() router.Capabilities {
	return router.Capabilities{
		DisplayQty: true, PostOnly: true, Replace: true,
		STP: 1<<engine.STPNone | 1<<engine.STPCancelNewest | 1<<engine.STPCancelOldest | 1<<engine.STPCancelBoth,
	}
}

func (d *syntheticDesk) put(command *pb.VenueCommand) {
	if err := d.exchange.Handle(d.now, command); err != nil && d.err == nil {
		d.err = fmt.Errorf("exchange: %w", err)
	}
}

// name is the exchange's for an order: our id of it, which the journal gives once.
func (d *syntheticDesk) name(orderID uint64) string { return strconv.FormatUint(orderID, 10) }

// request is the exchange's name for something that is asked of an order.
func (d *syntheticDesk) request(orderID uint64) string {
	d.requests++
	return d.name(orderID) + "-" + strconv.FormatUint(d.requests, 10)
}

// orderID finds our id in the name of an order, or of a request to cancel it.
func (d *syntheticDesk) orderID(name string) (uint64, error) {
	id, _, _ := strings.Cut(name, "-")
	return strconv.ParseUint(id, 10, 64)
}

// decode gives a report of the exchange as the engine takes it.
func (d *syntheticDesk) decode(r *pb.ExecutionReport) (*engine.VenueReport, error) {
	orderID, err := d.orderID(r.GetClOrdId())
	if err != nil {
		return nil, fmt.Errorf("cl_ord_id: %w", err)
	}
	report, err := contract.DecodeVenueReport(d.exchange.Venue(), orderID, r)
	if err != nil {
		return nil, err
	}
	report.ExecID = d.execID(report.ExecID)
	if report.ExecRefID != "" {
		report.ExecRefID = d.execID(report.ExecRefID)
	}
	return report, nil
}

func (d *syntheticDesk) execID(id string) string { return strconv.FormatUint(d.since, 10) + "-" + id }
