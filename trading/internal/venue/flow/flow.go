// Package flow makes a market without data: market makers, takers who split large orders, trend followers
// and noise, around a value that nobody sees. It trades like any client of a venue, and only through it.
//
// It is pure: it reads no clock, and from the same seed, the same times and the same market data it asks
// the same. What it asks for is in whole numbers; the chances behind it are drawn in floating point.
//
// The stylised facts that it is made to show, and their sources: Cont, Empirical properties of asset
// returns, Quantitative Finance 1, 2001; Lillo, Mike & Farmer, Theory for long memory in supply and
// demand, Physical Review E 71, 2005 (order splitting); Avellaneda & Stoikov, High-frequency trading in a
// limit order book, Quantitative Finance 8, 2008 (quotes that lean against the inventory).
package flow

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
)

// Market is one instrument to be brought to life.
type Market struct {
	Instrument engine.Instrument
	// Price it starts at, a multiple of the price increment.
	Price int64
	// Size is a usual order, a multiple of the quantity increment.
	Size int64
	// Volatility is that of returns over a day of trading without end; 0.03 when zero.
	Volatility float64
}

// Config is what a flow is made of.
type Config struct {
	Markets []Market
	Seed    uint64
	// Prefix of the accounts' names; "flow" when empty.
	Prefix string
}

const (
	defaultVolatility = 0.03
	makers            = 3
	nsPerSecond       = 1_000_000_000
	// What each account is given of each currency and asset, in usual orders: more than it can ever use.
	endowment = 1_000_000
)

// Flow asks for orders. It is for one goroutine.
type Flow struct {
	random  *rand.Rand
	prefix  string
	markets []*trading
	next    int64 // when it acts again
	orders  uint64
	asked   []*pb.VenueCommand
}

// trading is one market with those who trade in it.
type trading struct {
	Market
	index    uint32
	value    value
	makers   []*maker
	splitter splitter
	trend    trend
	noise    noise
	bid, ask int64 // best; 0: none
	lastPx   int64
}

// New is a flow at a time before its first act.
func New(config Config) (*Flow, error) {
	if len(config.Markets) == 0 {
		return nil, fmt.Errorf("markets: must name at least one")
	}
	if config.Prefix == "" {
		config.Prefix = "flow"
	}
	f := &Flow{random: rand.New(rand.NewPCG(config.Seed, 0x666c6f77)), prefix: config.Prefix}
	for i, m := range config.Markets {
		if m.Volatility == 0 {
			m.Volatility = defaultVolatility
		}
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("markets[%d]: %w", i, err)
		}
		f.markets = append(f.markets, f.open(m, uint32(i)))
	}
	return f, nil
}

func (m *Market) check() error {
	i := &m.Instrument
	switch {
	case m.Price < 100*i.PriceIncrement || m.Price%i.PriceIncrement != 0:
		return fmt.Errorf("price: must be a multiple of %d and at least a hundred of it, got %d", i.PriceIncrement, m.Price)
	case m.Size < max(i.MinQty, i.QtyIncrement) || m.Size%i.QtyIncrement != 0:
		return fmt.Errorf("size: must be a multiple of %d from %d on, got %d", i.QtyIncrement, i.MinQty, m.Size)
	case !(m.Volatility > 0 && m.Volatility <= 1):
		return fmt.Errorf("volatility: must be above 0 and at most 1, got %v", m.Volatility)
	}
	return nil
}

func (f *Flow) open(m Market, index uint32) *trading {
	t := &trading{Market: m, index: index, value: newValue(&m), lastPx: m.Price}
	for n := range makers {
		t.makers = append(t.makers, &maker{account: f.account("maker", index, n), quotes: map[int64]*quote{}})
	}
	t.splitter = splitter{account: f.account("taker", index, 0)}
	t.trend = trend{account: f.account("trend", index, 0)}
	t.noise = noise{account: f.account("noise", index, 0)}
	return t
}

func (f *Flow) account(kind string, index uint32, n int) string {
	return f.prefix + "-" + kind + "-" + strconv.Itoa(int(index)) + "-" + strconv.Itoa(n)
}

// Start gives the accounts what they trade with: to be asked for before anything else.
func (f *Flow) Start() ([]*pb.VenueCommand, error) {
	f.asked = nil
	for _, t := range f.markets {
		accounts := []string{t.splitter.account, t.trend.account, t.noise.account}
		for _, m := range t.makers {
			accounts = append(accounts, m.account)
		}
		money, err := engine.Notional(&t.Instrument, t.Size, t.Price)
		if err != nil {
			return nil, err
		}
		if money, err = money.MulDiv(endowment, 1); err != nil {
			return nil, err
		}
		asset, err := engine.NewAmount(units(t.Size, t.Instrument.QtyScale), 0)
		if err != nil {
			return nil, err
		}
		if asset, err = asset.MulDiv(endowment, 1); err != nil {
			return nil, err
		}
		for _, account := range accounts {
			f.deposit(account, engine.Money{Currency: t.Instrument.QuoteCurrency, Amount: money})
			f.deposit(account, engine.Money{Currency: t.Instrument.BaseCurrency, Amount: asset})
		}
	}
	return f.asked, nil
}

// units rounds a quantity up to whole ones.
func units(qty int64, scale uint32) int64 {
	for range scale {
		qty = qty/10 + 1
	}
	return qty
}

func (f *Flow) deposit(account string, money engine.Money) {
	deposit := &pb.Deposit{Account: account, Amount: contract.EncodeMoney(money)}
	f.asked = append(f.asked, &pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: deposit}})
}

// Next is when the flow acts again.
func (f *Flow) Next() int64 { return f.next }

// See takes market data in the order of its time.
func (f *Flow) See(rows []market.Row) {
	for i := range rows {
		t := f.markets[rows[i].Instrument]
		switch rows[i].Kind {
		case market.Quote:
			t.bid, t.ask = 0, 0
			if rows[i].HasBid {
				t.bid = rows[i].BidPx
			}
			if rows[i].HasAsk {
				t.ask = rows[i].AskPx
			}
		case market.Trade:
			t.lastPx = rows[i].TradePx
		}
	}
}

// Hear takes what the venue reports to one of the flow's accounts.
func (f *Flow) Hear(report *pb.ExecutionReport) {
	for _, t := range f.markets {
		if t.Instrument.InstrumentID != report.GetInstrumentId() {
			continue
		}
		for _, m := range t.makers {
			if m.account == report.GetAccount() {
				m.hear(report)
				return
			}
		}
	}
}

// Owns says whether an account is one of the flow's.
func (f *Flow) Owns(account string) bool {
	return len(account) > len(f.prefix) && account[:len(f.prefix)] == f.prefix && account[len(f.prefix)] == '-'
}

// Act is what the flow asks for at a time, which is Next or later.
func (f *Flow) Act(now int64) []*pb.VenueCommand {
	f.asked = nil
	if f.next == 0 {
		f.next = now
	}
	for _, t := range f.markets {
		t.value.advance(f.random, now)
		for n, m := range t.makers {
			m.act(f, t, n, now)
		}
		t.noise.act(f, t, now)
		t.splitter.act(f, t, now)
		t.trend.act(f, t, now)
	}
	// A tenth of a second in the mean.
	f.next = now + 1 + int64(f.random.ExpFloat64()*nsPerSecond/10)
	return f.asked
}

// name is one that the venue has not seen.
func (f *Flow) name(account string) string {
	f.orders++
	return account + "-" + strconv.FormatUint(f.orders, 10)
}

// order asks for one and gives its name. Price 0 is a market order.
func (f *Flow) order(t *trading, account string, side pb.Side, qty, price int64, tif pb.TimeInForce, insts ...pb.ExecInst) string {
	o := &pb.NewOrder{
		ClOrdId: f.name(account), Account: account, InstrumentId: t.Instrument.InstrumentID, Side: side,
		OrdType: pb.OrdType_ORD_TYPE_MARKET, TimeInForce: tif, OrderQty: qty, ExecInsts: insts,
	}
	if price > 0 {
		o.OrdType, o.Price = pb.OrdType_ORD_TYPE_LIMIT, &price
	}
	f.asked = append(f.asked, &pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: o}})
	return o.ClOrdId
}

func (f *Flow) cancel(account, name string) {
	c := &pb.CancelOrder{ClOrdId: f.name(account), OrigClOrdId: name, Account: account}
	f.asked = append(f.asked, &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: c}})
}

// size draws an order's quantity: usual ones often, large ones sometimes.
func (f *Flow) size(t *trading) int64 {
	lots := t.Size / t.Instrument.QtyIncrement
	drawn := int64(float64(lots) * (0.2 + f.random.ExpFloat64()))
	least := max(t.Instrument.MinQty, t.Instrument.QtyIncrement)
	return max(least, min(drawn, 8*lots)*t.Instrument.QtyIncrement)
}

// grid rounds a price to the increment, down for a buyer and up for a seller, and keeps it positive.
func (t *trading) grid(price float64, side pb.Side) int64 {
	step := t.Instrument.PriceIncrement
	ticks := int64(price / float64(step))
	if side == pb.Side_SIDE_SELL {
		ticks++
	}
	return max(ticks, 1) * step
}
