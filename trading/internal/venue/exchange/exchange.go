// Package exchange is a simulated venue: the matching engine of package sim with accounts, holds, fees and
// reports around it. It is pure: it reads no clock, and from the same configuration and the same commands
// at the same times it says the same, however often Advance is called in between.
package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/sim"
)

// Config is what a venue is made of.
type Config struct {
	Instruments    []engine.Instrument // spot and equity; all of one venue
	MaxOrders      int                 // in one book; 2^20 when zero
	ProtectionBps  int64               // how far a market or stop order may go through the book; 500 when zero
	Seed           uint64              // of the latencies
	CommandLatency Latency             // client to venue
	ReportLatency  Latency             // venue to client
}

const (
	defaultMaxOrders     = 1 << 20
	defaultProtectionBps = 500
	maxProtectionBps     = 10_000
)

// Output is a report and when it reaches its client.
type Output struct {
	Time   int64
	Report *pb.ExecutionReport // not to be changed
}

// Exchange is a venue. It is for one goroutine.
type Exchange struct {
	config   Config
	up, down *rand.Rand // one a direction, so that neither sees how often the other is asked
	books    []*book
	byID     map[string]*book
	accounts map[string]*account
	owners   []*account // by the number that books know them under
	fees     ledger     // what the venue earned
	supply   ledger     // all that was ever deposited
	now      int64
	sequence uint64 // of the newest report
	orders   uint64 // number of orders
	// delivered is the sequence of the newest report that has reached its client.
	delivered uint64
	admin     queue[*pb.VenueCommand] // what an administrator asks for, which does not travel
	commands  queue[*pb.VenueCommand]
	reports   queue[*pb.ExecutionReport]
	trades    []*trade // oldest first
	rows      []market.Row
	orderRows []market.Row
	err       error // the first sum that did not work out; the venue stands still then
}

// book is the market of one instrument.
type book struct {
	index      uint32
	instrument engine.Instrument
	matching   *sim.Book
	orders     map[uint64]*order // open ones, by the matching engine's id
	market     bookData
	ordersFeed orderData
}

// New is a venue without accounts and orders.
func New(config Config) (*Exchange, error) {
	if config.MaxOrders == 0 {
		config.MaxOrders = defaultMaxOrders
	}
	if config.ProtectionBps == 0 {
		config.ProtectionBps = defaultProtectionBps
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	x := &Exchange{
		config: config, up: rand.New(rand.NewPCG(config.Seed, 0)), down: rand.New(rand.NewPCG(config.Seed, 1)), byID: map[string]*book{},
		accounts: map[string]*account{}, fees: ledger{}, supply: ledger{},
	}
	for i, instrument := range config.Instruments {
		if x.byID[instrument.InstrumentID] != nil {
			return nil, fmt.Errorf("instruments[%d]: instrument_id: must be unique, got %q again", i, instrument.InstrumentID)
		}
		b := &book{
			index: uint32(i), instrument: instrument, orders: map[uint64]*order{},
			matching: sim.NewBook(uint32(i), config.MaxOrders), market: newBookData(),
			ordersFeed: orderData{shown: map[uint64]shownOrder{}},
		}
		x.books, x.byID[instrument.InstrumentID] = append(x.books, b), b
	}
	return x, nil
}

func (c *Config) check() error {
	if len(c.Instruments) == 0 {
		return errors.New("instruments: must name at least one instrument")
	}
	if c.MaxOrders < 0 {
		return fmt.Errorf("max_orders: must be positive, got %d", c.MaxOrders)
	}
	if c.ProtectionBps < 0 || c.ProtectionBps > maxProtectionBps {
		return fmt.Errorf("protection_bps: must be 1 to %d, got %d", maxProtectionBps, c.ProtectionBps)
	}
	for i := range c.Instruments {
		if err := checkInstrument(&c.Instruments[i]); err != nil {
			return fmt.Errorf("instruments[%d]: %w", i, err)
		}
		if venue := c.Instruments[i].Venue(); venue != c.Instruments[0].Venue() {
			return fmt.Errorf("instruments[%d]: venue: must be %q, got %q", i, c.Instruments[0].Venue(), venue)
		}
	}
	return cmp.Or(c.CommandLatency.check("command_latency"), c.ReportLatency.check("report_latency"))
}

// checkInstrument refuses what cannot be paid for in full: no account ever owes the venue anything.
func checkInstrument(i *engine.Instrument) error {
	if err := engine.CheckInstrument(i); err != nil {
		return err
	}
	if i.Class != engine.Spot && i.Class != engine.Equity {
		return fmt.Errorf("instrument_class: must be SPOT or EQUITY, got %d", i.Class)
	}
	if i.AllowNegativePrice {
		return fmt.Errorf("allow_negative_price: must be false, got true")
	}
	if i.BaseCurrency == i.QuoteCurrency {
		return fmt.Errorf("base_currency: must differ from quote_currency, got %q twice", i.BaseCurrency)
	}
	for name, ratio := range map[string]engine.Decimal{"maker_fee_ratio": i.MakerFeeRatio, "taker_fee_ratio": i.TakerFeeRatio} {
		if one := int64(pow10(ratio.Scale)); ratio.Mantissa > one || ratio.Mantissa < -one {
			return fmt.Errorf("%s: must be from -1 to 1, got %d * 10^-%d", name, ratio.Mantissa, ratio.Scale)
		}
	}
	return nil
}

// Venue is the name of the venue.
func (x *Exchange) Venue() string { return x.config.Instruments[0].Venue() }

// Instruments are the definitions, in the order of Row.Instrument.
func (x *Exchange) Instruments() []engine.Instrument { return x.config.Instruments }

// Handle takes a command that is sent at a time, which does not go back. It arrives after the latency, what
// an administrator asks for at once; what follows from it comes out of Advance. A command that is not well-formed is an error, and changes nothing.
func (x *Exchange) Handle(now int64, command *pb.VenueCommand) error {
	if err := Check(command); err != nil {
		return err
	}
	now = max(now, x.now)
	switch command.GetCommand().(type) {
	case *pb.VenueCommand_Deposit, *pb.VenueCommand_TradingHalt, *pb.VenueCommand_TradeCancel, *pb.VenueCommand_TradeCorrect:
		x.admin.push(now, command)
		return nil
	}
	x.commands.push(now+x.config.CommandLatency.sample(x.up), command)
	return nil
}

// Advance lets time go on to now, and returns the reports that have reached their clients and the rows of
// market data since, both in the order of their times. The rows are valid until the next call.
func (x *Exchange) Advance(now int64) ([]Output, []market.Row, error) {
	x.rows, x.orderRows = x.rows[:0], x.orderRows[:0]
	for x.err == nil {
		at, ok := x.nextInside()
		if !ok || at > now {
			break
		}
		x.now = max(x.now, at)
		x.expire()
		if due, ok := x.admin.next(); ok && due <= x.now {
			x.apply(x.admin.pop())
		} else if due, ok := x.commands.next(); ok && due <= x.now {
			x.apply(x.commands.pop())
		}
	}
	x.now = max(x.now, now)
	var outputs []Output
	for at, ok := x.reports.next(); ok && at <= x.now; at, ok = x.reports.next() {
		r := x.reports.pop()
		x.delivered = max(x.delivered, r.GetSequence())
		outputs = append(outputs, Output{Time: at, Report: r})
	}
	return outputs, x.rows, x.err
}

// Next is when something will happen without a further command: the time to call Advance.
func (x *Exchange) Next() (time int64, ok bool) {
	time, ok = x.nextInside()
	if at, waits := x.reports.next(); waits && (!ok || at < time) {
		return at, true
	}
	return time, ok
}

func (x *Exchange) nextInside() (time int64, ok bool) {
	time, ok = x.commands.next()
	if at, waits := x.admin.next(); waits && (!ok || at < time) {
		time, ok = at, true
	}
	for _, b := range x.books {
		if at, waits := b.matching.NextExpiry(); waits && (!ok || at < time) {
			time, ok = at, true
		}
	}
	return time, ok
}

// expire ends what has come to its time, before any command of the same time.
func (x *Exchange) expire() {
	for _, b := range x.books {
		x.follow(b, b.matching.Advance(x.now))
	}
}

func (x *Exchange) apply(command *pb.VenueCommand) {
	switch c := command.GetCommand().(type) {
	case *pb.VenueCommand_NewOrder:
		x.submit(c.NewOrder, command.GetRefuse())
	case *pb.VenueCommand_ReplaceOrder:
		x.replace(c.ReplaceOrder)
	case *pb.VenueCommand_CancelOrder:
		x.cancel(c.CancelOrder)
	case *pb.VenueCommand_MassCancel:
		x.massCancel(c.MassCancel)
	case *pb.VenueCommand_Deposit:
		x.deposit(c.Deposit)
	case *pb.VenueCommand_TradeCancel, *pb.VenueCommand_TradeCorrect:
		x.settle(command)
	case *pb.VenueCommand_TradingHalt:
		if b := x.byID[c.TradingHalt.GetInstrumentId()]; b != nil {
			x.follow(b, b.matching.SetHalted(c.TradingHalt.GetHalted()))
		}
	}
}
