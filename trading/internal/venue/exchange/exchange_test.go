package exchange

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/testseed"
	"aetherion/trading/internal/venue/sim"
)

func instruments() []engine.Instrument {
	one := engine.Instrument{
		InstrumentID: "AAA-USD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "AAA", QuoteCurrency: "USD", PriceScale: 2, QtyScale: 3,
		PriceIncrement: 5, QtyIncrement: 10, MinQty: 10, Multiplier: engine.Decimal{Mantissa: 1},
		MakerFeeRatio: engine.Decimal{Mantissa: -1, Scale: 4}, TakerFeeRatio: engine.Decimal{Mantissa: 7, Scale: 4},
	}
	two := one
	// Fees of this one are rounded: 9 + 9 decimal places and 3 of the ratio.
	two.InstrumentID, two.BaseCurrency, two.QuoteCurrency = "BBB-AAA.SIM", "BBB", "AAA"
	two.PriceScale, two.QtyScale = 9, 9
	two.MakerFeeRatio, two.TakerFeeRatio = engine.Decimal{Mantissa: 1, Scale: 3}, engine.Decimal{Mantissa: 333, Scale: 5}
	return []engine.Instrument{one, two}
}

func newExchange(t testing.TB, config Config) *Exchange {
	config.Instruments = instruments()
	x, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func deposit(account, currency string, units int64) *pb.VenueCommand {
	return &pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: &pb.Deposit{
		Account: account, Amount: &pb.Money{Currency: currency, Units: units},
	}}}
}

func limit(account, name string, side pb.Side, qty, price int64) *pb.NewOrder {
	return &pb.NewOrder{
		Account: account, ClOrdId: name, InstrumentId: "AAA-USD.SIM", Side: side, OrdType: pb.OrdType_ORD_TYPE_LIMIT,
		TimeInForce: pb.TimeInForce_TIME_IN_FORCE_GTC, OrderQty: qty, Price: &price,
	}
}

func command(n *pb.NewOrder) *pb.VenueCommand {
	return &pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: n}}
}

func do(t testing.TB, x *Exchange, now int64, commands ...*pb.VenueCommand) []*pb.ExecutionReport {
	t.Helper()
	for _, c := range commands {
		if err := x.Handle(now, c); err != nil {
			t.Fatal(err)
		}
	}
	outputs, _, err := x.Advance(now)
	if err != nil {
		t.Fatal(err)
	}
	var reports []*pb.ExecutionReport
	for _, o := range outputs {
		reports = append(reports, o.Report)
	}
	return reports
}

const (
	buy  = pb.Side_SIDE_BUY
	sell = pb.Side_SIDE_SELL
)

func TestATradeMovesMoneyAssetAndFees(t *testing.T) {
	x := newExchange(t, Config{})
	reports := do(t, x, 1, deposit("A", "USD", 1000), deposit("B", "AAA", 10),
		command(limit("B", "s", sell, 2000, 10_000)), command(limit("A", "b", buy, 3000, 10_100)))
	if len(reports) != 4 || reports[3].GetLastPx() != 10_000 || reports[3].GetLastQty() != 2000 {
		t.Fatalf("reports: %v", reports)
	}
	// 2 at 100.00: the taker pays 0.14, the maker gets 0.02; 1 more rests at 101.00 plus 0.0707.
	for account, want := range map[string]string{"A": "[AAA 2/0 USD 799.86/101.0707]", "B": "[AAA 8/0 USD 200.02/0]"} {
		a := x.accounts[account]
		got := "["
		for _, c := range a.total.currencies() {
			got += fmt.Sprintf("%s %s/%s ", c, a.total[c], a.held[c])
		}
		if got = got[:len(got)-1] + "]"; got != want {
			t.Errorf("account %s: got %s, want %s", account, got, want)
		}
	}
	if got := x.fees["USD"].String(); got != "0.12" {
		t.Errorf("fees: got %s, want 0.12", got)
	}
}

func TestAnOrderThatCannotBePaidIsRefused(t *testing.T) {
	x := newExchange(t, Config{})
	r := do(t, x, 1, deposit("A", "USD", 100), command(limit("A", "b", buy, 1000, 10_000)))
	if len(r) != 1 || r[0].GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_VENUE {
		t.Fatalf("reports: %v", r)
	}
}

func TestARepeatIsTheSameOrder(t *testing.T) {
	x := newExchange(t, Config{})
	first := do(t, x, 1, deposit("A", "USD", 1000), command(limit("A", "b", buy, 1000, 10_000)))
	again := do(t, x, 2, command(limit("A", "b", buy, 1000, 10_000)))
	if len(again) != 1 || !proto.Equal(again[0], first[0]) {
		t.Fatalf("repeat: got %v, want %v", again, first)
	}
	other := do(t, x, 3, command(limit("A", "b", buy, 2000, 10_000)))
	if len(other) != 1 || other[0].GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_DUPLICATE_ORDER {
		t.Fatalf("same name, other content: %v", other)
	}
	if orders := x.Orders("A", 0, true, 10); len(orders) != 1 || orders[0].GetNewOrder().GetOrderQty() != 1000 {
		t.Fatalf("orders: %v", orders)
	}
}

func TestDayAndGTDOrdersEndAtTheirTimeWhateverTheClock(t *testing.T) {
	x := newExchange(t, Config{})
	day, gtd := limit("A", "day", buy, 10, 100), limit("A", "gtd", buy, 10, 100)
	day.TimeInForce = pb.TimeInForce_TIME_IN_FORCE_DAY
	gtd.TimeInForce, gtd.ExpireTimeNs = pb.TimeInForce_TIME_IN_FORCE_GTD, 500
	do(t, x, 1, deposit("A", "USD", 1000), command(day), command(gtd))
	r := do(t, x, 3*nsPerDay)
	if len(r) != 2 || r[0].GetTransactTimeNs() != 500 || r[1].GetTransactTimeNs() != nsPerDay {
		t.Fatalf("reports: %v", r)
	}
	if held := x.accounts["A"].held["USD"]; held.Sign() != 0 {
		t.Errorf("held after all orders ended: %s", held)
	}
}

// generator makes commands of four accounts that meet each other.
type generator struct {
	*rand.Rand
	names []string
}

func (g *generator) command(i int) *pb.VenueCommand {
	account := string(rune('A' + g.IntN(4)))
	name := strconv.Itoa(i)
	old := "none"
	if len(g.names) > 0 {
		old = g.names[max(0, len(g.names)-1-g.IntN(200))]
	}
	switch kind := g.IntN(100); {
	case kind < 20:
		return &pb.VenueCommand{Command: &pb.VenueCommand_CancelOrder{CancelOrder: &pb.CancelOrder{Account: account, ClOrdId: "c" + name, OrigClOrdId: old}}}
	case kind < 35:
		price, stop := g.price(), g.price()
		r := &pb.ReplaceOrder{Account: account, ClOrdId: "r" + name, OrigClOrdId: old, OrderQty: 10 * int64(1+g.IntN(100))}
		if g.IntN(8) != 0 {
			r.Price = &price
		}
		if g.IntN(3) == 0 {
			r.StopPx = &stop
		}
		return &pb.VenueCommand{Command: &pb.VenueCommand_ReplaceOrder{ReplaceOrder: r}}
	case kind == 35:
		return &pb.VenueCommand{Command: &pb.VenueCommand_MassCancel{MassCancel: &pb.MassCancel{Account: account}}}
	case kind == 36:
		return &pb.VenueCommand{Command: &pb.VenueCommand_TradingHalt{TradingHalt: &pb.TradingHalt{InstrumentId: "AAA-USD.SIM", Halted: g.IntN(3) == 0}}}
	}
	g.names = append(g.names, name)
	return command(g.order(account, name, i))
}

func (g *generator) price() int64 { return 5 * int64(1900+g.IntN(200)) }

func (g *generator) order(account, name string, i int) *pb.NewOrder {
	n := limit(account, name, pb.Side(1+g.IntN(2)), 10*int64(1+g.IntN(100)), g.price())
	n.InstrumentId = []string{"AAA-USD.SIM", "BBB-AAA.SIM"}[g.IntN(2)]
	n.OrdType = pb.OrdType(1 + g.IntN(4))
	n.TimeInForce = pb.TimeInForce(1 + g.IntN(5))
	n.SelfTradePrevention = pb.SelfTradePrevention(g.IntN(5))
	if n.OrdType == pb.OrdType_ORD_TYPE_STOP || n.OrdType == pb.OrdType_ORD_TYPE_STOP_LIMIT {
		stop := g.price()
		n.StopPx = &stop
	}
	if n.OrdType == pb.OrdType_ORD_TYPE_MARKET || n.OrdType == pb.OrdType_ORD_TYPE_STOP {
		n.Price = nil
	} else if g.IntN(5) == 0 {
		n.DisplayQty = 10
	}
	if n.TimeInForce == pb.TimeInForce_TIME_IN_FORCE_GTD {
		n.ExpireTimeNs = int64(i*1000 + g.IntN(300_000))
	}
	if g.IntN(10) == 0 {
		n.ExecInsts = []pb.ExecInst{pb.ExecInst_EXEC_INST_POST_ONLY}
	}
	if g.IntN(50) == 0 {
		n.OrderQty = g.Int64() >> g.IntN(60)
	}
	return n
}

// open deposits little, so that orders are refused for want of money, too.
func open(t testing.TB, x *Exchange) {
	for _, account := range []string{"A", "B", "C", "D"} {
		do(t, x, 0, deposit(account, "USD", 1000), deposit(account, "AAA", 20), deposit(account, "BBB", 1))
	}
}

// check asserts what must hold at every step.
func check(t *testing.T, x *Exchange) {
	t.Helper()
	sum := ledger{}
	for currency, fees := range x.fees {
		x.add(sum, currency, fees)
	}
	for name, a := range x.accounts {
		held := ledger{}
		for _, o := range a.open {
			x.add(held, o.currency(), o.held)
		}
		for currency, total := range a.total {
			x.add(sum, currency, total)
			if free, err := total.Sub(a.held[currency]); err != nil || free.Sign() < 0 || a.held[currency].Sign() < 0 {
				t.Fatalf("account %s has %s %s, of which %s are held", name, total, currency, a.held[currency])
			}
			if held[currency] != a.held[currency] {
				t.Fatalf("account %s: orders need %s %s, held are %s", name, held[currency], currency, a.held[currency])
			}
		}
	}
	for currency, supply := range x.supply {
		if sum[currency] != supply {
			t.Fatalf("all have %s %s together, %s were deposited", sum[currency], currency, supply)
		}
	}
	for _, b := range x.books {
		bid, _, hasBid := b.matching.Best(sim.Buy)
		ask, _, hasAsk := b.matching.Best(sim.Sell)
		if hasBid && hasAsk && bid >= ask {
			t.Fatalf("crossed: bid %d, ask %d", bid, ask)
		}
	}
}

func TestMoneyAndQuantityAreConservedAtEveryStep(t *testing.T) {
	x := newExchange(t, Config{})
	open(t, x)
	g := generator{Rand: rand.New(rand.NewPCG(testseed.Of(t), 1))}
	rebuilt := [2]map[int64]int64{{}, {}} // of the first instrument
	counts := map[pb.ExecType]int{}
	compared, steps := 0, 100_000
	if raceEnabled {
		steps = 20_000
	}
	for i := range steps {
		now := int64(i * 1000)
		if err := x.Handle(now, g.command(i)); err != nil {
			t.Fatal(err)
		}
		outputs, rows, err := x.Advance(now)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range outputs {
			counts[o.Report.GetExecType()]++
		}
		rebuild(rebuilt, rows)
		check(t, x)
		if i%100 == 0 {
			compared += sameBook(t, x, rebuilt)
		}
	}
	if compared < steps/100 {
		t.Errorf("only %d levels were compared with market data", compared)
	}
	t.Logf("reports by type: %v", counts)
	for execType := pb.ExecType_EXEC_TYPE_NEW; execType <= pb.ExecType_EXEC_TYPE_TRIGGERED; execType++ {
		if execType != pb.ExecType_EXEC_TYPE_PENDING_CANCEL && counts[execType] < steps/1500 {
			t.Errorf("%s: only %d times", execType, counts[execType])
		}
	}
}

func rebuild(levels [2]map[int64]int64, rows []market.Row) {
	for _, r := range rows {
		if r.Kind != market.BookLevel || r.Instrument != 0 {
			continue
		}
		levels[r.BookSide-1][r.BookPx] = r.BookQty
		if r.BookQty == 0 {
			delete(levels[r.BookSide-1], r.BookPx)
		}
	}
}

func sameBook(t *testing.T, x *Exchange, rebuilt [2]map[int64]int64) (compared int) {
	t.Helper()
	book, _ := x.Book("AAA-USD.SIM")
	for side, levels := range [][]*pb.BookPriceLevel{book.GetBids(), book.GetAsks()} {
		compared += len(levels)
		if len(levels) != len(rebuilt[side]) {
			t.Errorf("side %d: the book has %d levels, market data %d", side, len(levels), len(rebuilt[side]))
		}
		for _, l := range levels {
			if rebuilt[side][l.GetPrice()] != l.GetQty() {
				t.Errorf("side %d at %d: the book shows %d, market data %d", side, l.GetPrice(), l.GetQty(), rebuilt[side][l.GetPrice()])
			}
		}
	}
	return compared
}

// Every way to call Advance between the same commands gives the same reports at the same times.
func TestSameCommandsSameBytesWhateverTheTiming(t *testing.T) {
	run := func(advance func(i int) bool) (bytes []byte, hash [32]byte) {
		x := newExchange(t, Config{
			Seed: 7, CommandLatency: Latency{Median: 50 * time.Microsecond, Sigma: 0.5},
			ReportLatency: Latency{Observed: []time.Duration{time.Microsecond, time.Millisecond}},
		})
		open(t, x)
		g := generator{Rand: rand.New(rand.NewPCG(3, 1))}
		take := func(now int64) {
			outputs, _, err := x.Advance(now)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range outputs {
				encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(o.Report)
				if err != nil {
					t.Fatal(err)
				}
				bytes = append(fmt.Appendf(bytes, "%d ", o.Time), encoded...)
			}
		}
		for i := range 10_000 {
			if err := x.Handle(int64(i*10_000), g.command(i)); err != nil {
				t.Fatal(err)
			}
			if advance(i) {
				take(int64(i*10_000) + 5000)
			}
		}
		take(1 << 40)
		return bytes, x.Hash()
	}
	often, oftenHash := run(func(int) bool { return true })
	seldom, seldomHash := run(func(i int) bool { return i%997 == 0 })
	if string(often) != string(seldom) || oftenHash != seldomHash {
		t.Errorf("outputs differ: %d and %d bytes, states %x and %x", len(often), len(seldom), oftenHash, seldomHash)
	}
	if len(often) < 100_000 {
		t.Errorf("only %d bytes of reports", len(often))
	}
}

func FuzzCommand(f *testing.F) {
	for _, c := range []*pb.VenueCommand{deposit("A", "USD", 5), command(limit("A", "b", buy, 1000, 10_000)), {}} {
		encoded, err := proto.Marshal(c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var c pb.VenueCommand
		if proto.Unmarshal(data, &c) != nil {
			return
		}
		x := newExchange(t, Config{})
		open(t, x)
		for range 2 {
			if x.Handle(1, &c) != nil {
				return
			}
			if _, _, err := x.Advance(2); err != nil {
				t.Fatal(err)
			}
		}
		check(t, x)
	})
}
