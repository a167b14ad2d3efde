package simulation

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
)

const day = int64(nsPerDay)

// recorded is rows from memory.
type recorded struct{ rows []market.Row }

func (r *recorded) Next(rows []market.Row) (int, error) {
	n := copy(rows, r.rows)
	r.rows = r.rows[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func config(batch int) Config {
	c := Config{Account: "A", MaxVolumeShareBps: 5000, MaxBatchRows: batch}
	for n := range 3 {
		c.Instruments = append(c.Instruments, engine.Instrument{
			InstrumentID: fmt.Sprintf("I%d.X", n), Version: 1, Class: engine.Equity, BaseCurrency: "I", QuoteCurrency: "USD",
			PriceScale: 2, PriceIncrement: 1, QtyIncrement: 1, Multiplier: engine.Decimal{Mantissa: 1},
			TakerFeeRatio: engine.Decimal{Mantissa: 1, Scale: 4}, MakerFeeRatio: engine.Decimal{Mantissa: -3, Scale: 5},
		})
	}
	cash, err := engine.NewAmount(1_000_000, 0)
	if err != nil {
		panic(err)
	}
	c.InitialCash = engine.Money{Currency: "USD", Amount: cash}
	return c
}

// client is a strategy and how it answers. It keeps a line for everything it was told, in order.
type client struct {
	onRow   func(c *client, row *market.Row) []engine.Input
	onEvent func(c *client, event *Event) []engine.Input
	most    func() int // rows that it handles of a step; nil: all
	log     []string
	steps   int
}

// run is a whole session; what it leaves.
type run struct {
	finished Finished
	log      []string
	journal  []string
	steps    int
}

func (c *client) run(t testing.TB, config Config, rows []market.Row) run {
	t.Helper()
	e, kept := engine.New(), journal.NewMemory()
	g, _ := gatetest.New(t, e, gatetest.Approve)
	s, err := New(config, &recorded{rows}, e, g, kept)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for {
		step, finished, err := s.Step()
		if err != nil {
			t.Fatal(err)
		}
		if finished {
			break
		}
		if step.FirstRow != next || len(step.Rows) > config.MaxBatchRows || len(step.Rows)+len(step.Events) == 0 {
			t.Fatalf("step %+v, want it to start at row %d and to have at most %d", step, next, config.MaxBatchRows)
		}
		checkOneTime(t, &step)
		c.steps++
		handled, commands := c.handle(&step)
		if err := s.Advance(handled, commands, false); err != nil {
			t.Fatal(err)
		}
		next += uint64(handled)
	}
	r := run{finished: s.Finished(), log: c.log, steps: c.steps}
	err = kept.ReadFrom(1, func(_ uint64, event []byte) error { r.journal = append(r.journal, string(event)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkOneTime holds that the events of a step happened at one point of time, so that what a client
// commands on one of them is not stamped later than it could be.
func checkOneTime(t testing.TB, step *Step) {
	t.Helper()
	var times []int64
	for i := range step.Events {
		if report := step.Events[i].Report; report != nil {
			times = append(times, report.TransactTime)
		}
		if step.Events[i].DayEnd != nil && step.Events[0].Ack != nil {
			t.Errorf("a day end came together with what was to be answered before it")
		}
	}
	if len(slices.Compact(times)) > 1 {
		t.Errorf("events of one step at %v", times)
	}
}

// handle goes through a step until it commands something.
func (c *client) handle(step *Step) (handled int, commands []engine.Input) {
	for i := range step.Events {
		c.log = append(c.log, eventLine(&step.Events[i]))
		if c.onEvent != nil {
			commands = append(commands, c.onEvent(c, &step.Events[i])...)
		}
	}
	if len(commands) > 0 {
		return 0, commands
	}
	rows := step.Rows
	if c.most != nil {
		rows = rows[:min(len(rows), c.most())]
	}
	for n := range rows {
		c.log = append(c.log, fmt.Sprintf("row %d at %d", rows[n].Instrument, rows[n].TransactTime))
		if commands := c.onRow(c, &rows[n]); len(commands) > 0 {
			return n + 1, commands
		}
	}
	return len(rows), nil
}

func eventLine(event *Event) string {
	switch {
	case event.Ack != nil:
		return fmt.Sprintf("ack %s %d", event.Ack.ClOrdID, event.Ack.ExecType)
	case event.DayEnd != nil:
		equity := "?"
		if event.DayEnd.HasEquity {
			equity = event.DayEnd.Equity.String()
		}
		return fmt.Sprintf("day end %s", equity)
	}
	r := event.Report
	name := strings.TrimPrefix(pb.ExecType(r.ExecType).String(), "EXEC_TYPE_")
	line := fmt.Sprintf("%s %s at %d", strings.ReplaceAll(strings.ToLower(name), "_", " "), r.NewOrder.ClOrdID, r.TransactTime)
	if r.ExecType == engine.ExecTrade {
		line += fmt.Sprintf(" %d@%d", r.LastQty, r.LastPx)
	}
	return line
}

func bar(instrument uint32, open, closed, px int64) market.Row {
	return market.Row{Kind: market.Bar, Instrument: instrument, OpenTime: open, TransactTime: closed,
		OpenPx: px, HighPx: px + 2, LowPx: px - 2, ClosePx: px + 1, Volume: 1000}
}

func order(name, instrument string, side engine.Side, qty int64) *engine.OrderDecision {
	return &engine.OrderDecision{NewOrder: engine.NewOrder{ClOrdID: name, Account: "A", InstrumentID: instrument, Side: side,
		OrdType: engine.Market, TimeInForce: engine.GTC, OrderQty: qty}}
}

func TestWhatAClientSeesOfDailyBars(t *testing.T) {
	var rows []market.Row
	for d := range int64(3) {
		for i := range uint32(2) {
			rows = append(rows, bar(i, d*day+100, d*day+200, 1000+100*d))
		}
	}
	c := &client{onRow: func(c *client, row *market.Row) []engine.Input {
		if row.TransactTime == 200 && row.Instrument == 0 {
			return []engine.Input{order("a", "I1.X", engine.Buy, 10), order("b", "I9.X", engine.Buy, 10)}
		}
		return nil
	}}
	r := c.run(t, config(4096), rows)
	at := func(d int64) string { return fmt.Sprint(d*day + 200) }
	want := []string{
		"row 0 at 200",
		"ack a 1", "ack b 5", "pending new a at 200", "rejected b at 200",
		"row 1 at 200", // the same close: no fill in it
		"new a at 200",
		"day end 1000000 USD",
		"row 0 at " + at(1),
		"trade a at " + at(1) + " 10@1100", // at the open of the next bar of its instrument
		"row 1 at " + at(1),
		"day end 1000000.089 USD", // 10 at 11.00, marked at the close of 11.01, less a fee of 0.011
		"row 0 at " + at(2), "row 1 at " + at(2),
		"day end 1000010.089 USD",
	}
	if !slices.Equal(r.log, want) {
		t.Errorf("saw\n%s\nwant\n%s", strings.Join(r.log, "\n"), strings.Join(want, "\n"))
	}
	if r.finished.Rows != 6 || r.finished.OpenOrders != 0 || r.finished.LastSequence != uint64(len(r.journal)) {
		t.Errorf("finished %+v", r.finished)
	}
}

func TestOrderFillsFromTheQuoteAtItsArrival(t *testing.T) {
	quote := func(at, ask int64) market.Row {
		return market.Row{Kind: market.Quote, TransactTime: at, HasAsk: true, AskPx: ask, AskQty: 100}
	}
	rows := []market.Row{quote(1, 100), quote(5, 101), quote(11, 102), quote(12, 103), quote(20, 104)}
	cfg := config(100)
	cfg.OrderLatency = 10
	c := &client{onRow: func(c *client, row *market.Row) []engine.Input {
		if row.TransactTime == 1 {
			return []engine.Input{order("a", "I0.X", engine.Buy, 70)}
		}
		return nil
	}}
	r := c.run(t, cfg, rows)
	want := []string{
		"row 0 at 1", "ack a 1", "pending new a at 1", "row 0 at 5", "row 0 at 11",
		"new a at 11", "trade a at 11 50@102", // half of the size in force at 1 + 10
		"trade a at 12 20@103", "row 0 at 12", "row 0 at 20",
		"day end 1000001.19284 USD", // - 50 * 1.02 - 20 * 1.03 + 70 * 1.04, less fees of 0.0051 and 0.00206
	}
	if !slices.Equal(r.log, want) {
		t.Errorf("saw\n%s\nwant\n%s", strings.Join(r.log, "\n"), strings.Join(want, "\n"))
	}
}

func TestDayOrdersExpireAndCommandsOnDayEndsCount(t *testing.T) {
	rows := []market.Row{bar(0, 100, 200, 1000), bar(0, day+100, day+200, 1000), bar(0, 2*day+100, 2*day+200, 1000)}
	c := &client{
		onRow: func(c *client, row *market.Row) []engine.Input {
			if row.TransactTime != 200 {
				return nil
			}
			d := order("day", "I0.X", engine.Buy, 10)
			d.NewOrder.TimeInForce = engine.Day
			return []engine.Input{d}
		},
		onEvent: func(c *client, event *Event) []engine.Input {
			if event.DayEnd != nil && len(c.log) > 8 && len(c.log) < 12 {
				return []engine.Input{order("last", "I0.X", engine.Buy, 10)}
			}
			if event.DayEnd != nil && event.DayEnd.TransactTime <= day {
				return []engine.Input{order(fmt.Sprint(len(c.log)), "I0.X", engine.Buy, 10)}
			}
			return nil
		},
	}
	r := c.run(t, config(100), rows)
	midnight := fmt.Sprint(day)
	want := []string{
		"row 0 at 200", "ack day 1", "pending new day at 200", "new day at 200",
		"expired day at " + midnight, "day end 1000000 USD",
		"ack 6 1", "pending new 6 at " + midnight, "new 6 at " + midnight,
		"trade 6 at " + fmt.Sprint(day+200) + " 10@1000", "row 0 at " + fmt.Sprint(day+200),
		"day end 1000000.09 USD",
	}
	if len(r.log) < len(want) || !slices.Equal(r.log[:len(want)], want) {
		t.Errorf("saw\n%s\nwant it to start with\n%s", strings.Join(r.log, "\n"), strings.Join(want, "\n"))
	}
}

func TestStopEndsAtOnceWithMarks(t *testing.T) {
	e := engine.New()
	g, _ := gatetest.New(t, e, gatetest.Approve)
	rows := []market.Row{bar(0, 100, 200, 1000), bar(0, 200, 300, 1000), bar(0, 300, 400, 2000), bar(0, 400, 500, 3000)}
	s, err := New(config(100), &recorded{rows}, e, g, journal.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	answer := func(rows int, stop bool, commands ...engine.Input) {
		t.Helper()
		if _, _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if err := s.Advance(rows, commands, stop); err != nil {
			t.Fatal(err)
		}
	}
	answer(1, false, order("a", "I0.X", engine.Buy, 10))
	answer(0, false) // its acknowledgement
	answer(1, false) // its fill, and the row of it
	answer(1, true, order("b", "I0.X", engine.Buy, 10))
	if _, finished, err := s.Step(); !finished || err != nil {
		t.Fatalf("finished %t, %v, want the end", finished, err)
	}
	f := s.Finished()
	if f.Rows != 3 || f.OpenOrders != 1 || f.Account.Positions[0].MarkPx != 2001 || !f.Account.HasEquity {
		t.Errorf("finished %+v", f)
	}
}

func TestAdvanceBeyondTheStepIsRefused(t *testing.T) {
	e := engine.New()
	g, _ := gatetest.New(t, e, gatetest.Approve)
	s, err := New(config(2), &recorded{[]market.Row{bar(0, 1, 2, 10), bar(0, 2, 3, 10), bar(0, 3, 4, 10)}}, e, g, journal.NewMemory())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Step(); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{-1, 3} {
		if err := s.Advance(rows, nil, false); err == nil || !strings.Contains(err.Error(), "rows_handled: must be at most the 2 rows of the step") {
			t.Errorf("%d rows: %v", rows, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"account: must be set":                                                 func(c *Config) { c.Account = "" },
		"initial_cash.currency: must be set":                                   func(c *Config) { c.InitialCash.Currency = "" },
		"max_volume_share_bps: must be 1 to 10,000, got 10001":                 func(c *Config) { c.MaxVolumeShareBps = 10_001 },
		"order_latency_ns: must be 0 to one day, got -1":                       func(c *Config) { c.OrderLatency = -1 },
		"max_batch_rows: must be 1 to 65,536, got 0":                           func(c *Config) { c.MaxBatchRows = 0 },
		`limits[1]: account "", strategy_id "", instrument_id "" stands twice`: func(c *Config) { c.RiskLimits.Limits = make([]engine.RiskLimit, 2) },
		"price_increment: must be positive, got 0":                             func(c *Config) { c.Instruments[0].PriceIncrement = 0 },
	} {
		c := config(10)
		change(&c)
		e := engine.New()
		g, _ := gatetest.New(t, e, gatetest.Approve)
		if _, err := New(c, &recorded{}, e, g, journal.NewMemory()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNoRowsAtAll(t *testing.T) {
	c := &client{onRow: func(*client, *market.Row) []engine.Input { return nil }}
	if r := c.run(t, config(10), nil); !slices.Equal(r.log, []string{"day end 1000000 USD"}) {
		t.Errorf("saw %v", r.log)
	}
}

// randomRows mixes bars, quotes and trades of three instruments over some days, many at equal times.
func randomRows(random *rand.Rand, n int) []market.Row {
	var rows []market.Row
	at := day
	for range n {
		if random.IntN(3) > 0 {
			at += random.Int64N(day / 20)
		}
		px := 1000 + random.Int64N(40)
		row := market.Row{Kind: market.Kind(1 + random.IntN(3)), Instrument: uint32(random.IntN(3)), TransactTime: at}
		if row.Instrument == 2 {
			row.Kind = market.Bar // one instrument that has bars only
		}
		switch row.Kind {
		case market.Bar:
			row.OpenTime = at - random.Int64N(day/20)
			row.OpenPx, row.ClosePx, row.HighPx, row.LowPx, row.Volume = px, px+random.Int64N(9)-4, px+5, px-5, random.Int64N(200)
		case market.Quote:
			row.HasBid, row.HasAsk = random.IntN(8) > 0, random.IntN(8) > 0
			row.BidPx, row.BidQty, row.AskPx, row.AskQty = px-2, random.Int64N(100), px+2, random.Int64N(100)
		case market.Trade:
			row.TradePx, row.TradeQty = px, random.Int64N(100)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestResultsDoNotDependOnBatches(t *testing.T) {
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 0))
		rows, latency := randomRows(random, 300), []int64{0, 1, 1e9, day / 10}[seed%4]
		var first run
		for n, batch := range []struct {
			rows int
			most func() int
		}{
			{4096, nil}, {4096, nil}, {7, nil}, {1, nil},
			{4096, func() int { return 1 }},
			{50, func() int { return random.IntN(9) }}, // sometimes none at all
		} {
			cfg := config(batch.rows)
			cfg.OrderLatency = latency
			c := trader(seed)
			c.most = batch.most
			r := c.run(t, cfg, rows)
			if n == 0 {
				first = r
				continue
			}
			if !slices.Equal(r.log, first.log) {
				t.Fatalf("seed %d, batch %d: the client saw something else:%s", seed, batch.rows, difference(r.log, first.log))
			}
			if !slices.Equal(r.journal, first.journal) || r.finished.StateHash != first.finished.StateHash {
				t.Fatalf("seed %d, batch %d: another journal or state", seed, batch.rows)
			}
		}
		if fills := count(first.log, "trade "); fills < 20 {
			t.Errorf("seed %d: only %d fills to compare", seed, fills)
		}
	}
}

func difference(a, b []string) string {
	for n := range min(len(a), len(b)) {
		if a[n] != b[n] {
			return fmt.Sprintf(" line %d is %q, was %q", n, a[n], b[n])
		}
	}
	return fmt.Sprintf(" %d lines, were %d", len(a), len(b))
}

func count(log []string, prefix string) (n int) {
	for _, line := range log {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func TestReplayedJournalGivesTheStateOfTheSession(t *testing.T) {
	r := trader(3).run(t, config(100), randomRows(rand.New(rand.NewPCG(3, 0)), 300))
	again := engine.New()
	var effects engine.Effects
	for _, encoded := range r.journal {
		event, err := journal.Decode([]byte(encoded))
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Apply(event, &effects); err != nil {
			t.Fatal(err)
		}
	}
	if again.StateHash() != r.finished.StateHash {
		t.Error("replaying the journal gives another state")
	}
}

// Rows that no order can meet travel in full batches; a client that stops at every row gets few.
func TestStepsAreAsLongAsTheyCanBe(t *testing.T) {
	var rows []market.Row
	for n := range int64(10_000) {
		rows = append(rows, bar(0, day+n, day+n+1, 1000))
	}
	idle := &client{onRow: func(*client, *market.Row) []engine.Input { return nil }}
	if r := idle.run(t, config(4096), rows); r.steps != 4 { // three of rows and the day end
		t.Errorf("%d steps for 10,000 rows without an order, want 4", r.steps)
	}
	resting := &client{onRow: func(_ *client, row *market.Row) []engine.Input {
		if row.TransactTime != day+1 {
			return nil
		}
		o := order("a", "I0.X", engine.Buy, 1)
		o.NewOrder.OrdType, o.NewOrder.HasPrice, o.NewOrder.Price = engine.Limit, true, 500
		return []engine.Input{o}
	}}
	if r := resting.run(t, config(4096), rows); r.steps > 15 { // the batch grows again after the stop
		t.Errorf("%d steps beside a resting order, want few", r.steps)
	}
}
