package sequencer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
)

// bench is a sequencer with a real gate, whose Risk Service refuses orders of more than 1,000.
type bench struct {
	t         testing.TB
	clock     *clock.Virtual
	engine    *engine.Engine
	gate      *gate.Gate
	risk      *gatetest.Risk
	journal   *journal.Memory
	sampler   *Sampler
	sequencer *Sequencer
}

func newBench(t testing.TB) *bench {
	b := &bench{t: t, clock: &clock.Virtual{}, engine: engine.New(), journal: journal.NewMemory(), sampler: NewSampler([]string{"ACME.X", "OTHER.X"})}
	b.gate, b.risk = gatetest.New(t, b.engine, func(check *pb.PretradeCheck) *pb.CheckFailure {
		if check.GetNewOrder().GetOrderQty() <= 1000 {
			return nil
		}
		return &pb.CheckFailure{OrdRejReason: pb.OrdRejReason_ORD_REJ_REASON_MAX_ORDER_QTY, Scope: "firm", RiskLimit: "1000"}
	})
	b.sequencer = New(b.clock, b.engine, b.gate, b.journal, b.sampler)
	b.clock.Set(100)
	b.process(instrument("ACME.X"), instrument("OTHER.X"), &engine.AccountOpened{Account: "A", BaseCurrency: "USD"})
	return b
}

func instrument(id string) *engine.Instrument {
	return &engine.Instrument{InstrumentID: id, Version: 1, Class: engine.Equity, BaseCurrency: "ACME", QuoteCurrency: "USD",
		PriceScale: 2, PriceIncrement: 5, QtyIncrement: 10, MinQty: 20, MaxQty: 5000, Multiplier: engine.Decimal{Mantissa: 1}}
}

func order(name string, qty int64) *engine.OrderDecision {
	return &engine.OrderDecision{NewOrder: engine.NewOrder{ClOrdID: name, Account: "A", InstrumentID: "ACME.X", Side: engine.Buy,
		OrdType: engine.Limit, TimeInForce: engine.GTC, OrderQty: qty, Price: 1000, HasPrice: true}}
}

func cancel(name string) *engine.CancelOrder {
	return &engine.CancelOrder{ClOrdID: "cancel " + name, OrigClOrdID: name, Account: "A"}
}

func (b *bench) process(inputs ...engine.Input) Output {
	b.t.Helper()
	output, err := b.sequencer.Process(inputs)
	if err != nil {
		b.t.Fatal(err)
	}
	return output
}

func TestOrderIsStampedAskedJournaledAndRouted(t *testing.T) {
	b := newBench(t)
	output := b.process(order("1", 100))
	ack := output.Results[0].Ack
	if ack.Sequence != 4 || ack.OrderID != 4 || ack.ExecType != engine.ExecPendingNew || ack.OrdStatus != engine.StatusPendingNew || ack.ClOrdID != "1" {
		t.Errorf("ack %+v", ack)
	}
	if len(output.Reports) != 1 || output.Reports[0].TransactTime != 100 {
		t.Errorf("reports %+v", output.Reports)
	}
	if len(output.Routes) != 1 || output.Routes[0].Venue != "X" || output.Routes[0].Approved.OrderID() != 4 || output.Routes[0].Approved.NewOrder() != order("1", 100).NewOrder {
		t.Errorf("routes %+v", output.Routes)
	}
	if b.journal.LastSequence() != 4 {
		t.Errorf("the journal ends at %d, want 4", b.journal.LastSequence())
	}
}

func TestRefusals(t *testing.T) {
	edit := func(change func(*engine.NewOrder)) *engine.OrderDecision {
		d := order("x", 100)
		change(&d.NewOrder)
		return d
	}
	for _, c := range []struct {
		order  *engine.OrderDecision
		reason engine.OrdRejReason
		by     engine.RejectedBy
		text   string
	}{
		{edit(func(o *engine.NewOrder) { o.ClOrdID = "" }), engine.RejInvalidField, engine.ByEngine, `cl_ord_id: must be 1 to 64 printable ASCII characters, got ""`},
		{edit(func(o *engine.NewOrder) { o.ClOrdID = strings.Repeat("x", 65) }), engine.RejInvalidField, engine.ByEngine, "cl_ord_id"},
		{edit(func(o *engine.NewOrder) { o.ClOrdID = "a\nb" }), engine.RejInvalidField, engine.ByEngine, "cl_ord_id"},
		{edit(func(o *engine.NewOrder) { o.Side = 0 }), engine.RejInvalidField, engine.ByEngine, "side: must be BUY or SELL, got 0"},
		{edit(func(o *engine.NewOrder) { o.OrdType = 6 }), engine.RejInvalidField, engine.ByEngine, "ord_type: unknown value 6"},
		{edit(func(o *engine.NewOrder) { o.TimeInForce = 6 }), engine.RejInvalidField, engine.ByEngine, "time_in_force: unknown value 6"},
		{edit(func(o *engine.NewOrder) { o.Account = "B" }), engine.RejUnknownAccount, engine.ByEngine, `account: unknown account "B"`},
		{edit(func(o *engine.NewOrder) { o.InstrumentID = "B" }), engine.RejUnknownInstrument, engine.ByEngine, `instrument_id: unknown instrument "B"`},
		{edit(func(o *engine.NewOrder) { o.OrderQty = 0 }), engine.RejInvalidQty, engine.ByEngine, "order_qty: must be positive, got 0"},
		{edit(func(o *engine.NewOrder) { o.OrderQty = 25 }), engine.RejInvalidQty, engine.ByEngine, "order_qty: must be a multiple of 10, got 25"},
		{edit(func(o *engine.NewOrder) { o.OrderQty = 10 }), engine.RejInvalidQty, engine.ByEngine, "order_qty: must be at least 20, got 10"},
		{edit(func(o *engine.NewOrder) { o.OrderQty = 5010 }), engine.RejInvalidQty, engine.ByEngine, "order_qty: must be at most 5000, got 5010"},
		{edit(func(o *engine.NewOrder) { o.Price = 1001 }), engine.RejInvalidPrice, engine.ByEngine, "price: must be a multiple of 0.05, got 10.01"},
		{edit(func(o *engine.NewOrder) { o.Price = -5 }), engine.RejInvalidPrice, engine.ByEngine, "price: must be positive, got -5"},
		{edit(func(o *engine.NewOrder) { o.HasPrice = false }), engine.RejInvalidPrice, engine.ByEngine, "price: a limit or stop-limit order must have one"},
		{edit(func(o *engine.NewOrder) { o.OrdType = engine.Market }), engine.RejInvalidPrice, engine.ByEngine, "price: only a limit or stop-limit order has one, got 1000"},
		{order("x", 2000), engine.RejMaxOrderQty, engine.ByRisk, ""},
	} {
		b := newBench(t)
		output := b.process(c.order)
		ack := output.Results[0].Ack
		if ack.ExecType != engine.ExecRejected || ack.OrdRejReason != c.reason || ack.RejectedBy != c.by || !strings.Contains(ack.Text, c.text) {
			t.Errorf("%+v: ack %+v, want reason %d by %d, %q", c.order.NewOrder, ack, c.reason, c.by, c.text)
		}
		if len(output.Routes) != 0 || b.journal.LastSequence() != 4 {
			t.Errorf("%+v: %d routes, journal at %d; want none, and the refusal in the journal", c.order.NewOrder, len(output.Routes), b.journal.LastSequence())
		}
	}
}

func TestIdempotency(t *testing.T) {
	for name, together := range map[string]bool{"in one batch": true, "in batches of their own": false} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			inputs := []engine.Input{order("1", 100), order("1", 100), order("1", 200), order("2", 2000), order("2", 2000)}
			var acks []engine.CommandAck
			routes := 0
			process := func(inputs ...engine.Input) {
				output := b.process(inputs...)
				routes += len(output.Routes)
				for _, r := range output.Results {
					acks = append(acks, r.Ack)
				}
			}
			if together {
				process(inputs...)
			} else {
				for _, input := range inputs {
					process(input)
				}
			}
			var got []string
			for _, ack := range acks {
				got = append(got, fmt.Sprintf("%d %d %d", ack.Sequence, ack.ExecType, ack.OrdRejReason))
			}
			want := "[4 1 0 4 1 0 5 5 6 6 5 7 6 5 7]"
			if fmt.Sprint(got) != want || routes != 1 || b.engine.Sequence() != 6 {
				t.Errorf("acks %v, %d routes, sequence %d; want %s, 1 and 6", got, routes, b.engine.Sequence(), want)
			}
		})
	}
}

func TestCancelFindsItsOrderInTheSameBatch(t *testing.T) {
	b := newBench(t)
	early := cancel("1")
	early.ClOrdID = "too early"
	output := b.process(early, order("1", 100), cancel("1"), order("2", 2000), cancel("2"))
	var got []string
	for _, r := range output.Results {
		got = append(got, fmt.Sprintf("%s %d %d", r.Ack.ClOrdID, r.Ack.ExecType, r.Ack.CxlRejReason))
	}
	if want := "[too early 8 2 1 1 0 cancel 1 7 0 2 5 0 cancel 2 8 1]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if len(output.Routes) != 2 || output.Routes[0].Cancel != nil || output.Routes[1].Cancel == nil || output.Routes[1].Cancel.OrderID != output.Routes[0].Approved.OrderID() {
		t.Errorf("routes %+v, want the order and then its cancel", output.Routes)
	}
}

func TestRiskHearsEverythingInTheOrderOfTheJournal(t *testing.T) {
	b := newBench(t)
	b.sampler.Observe(&market.Row{Kind: market.Trade, TradePx: 1000})
	b.process(order("1", 100), order("2", 100))
	fill := &engine.VenueReport{Venue: "X", OrderID: 5, ExecType: engine.ExecTrade, ExecID: "1", LastQty: 100, LastPx: 1000}
	if output := b.process(fill, fill); output.Results[0].Sequence != 7 || output.Results[1].Sequence != 0 || output.Results[1].Err != nil {
		t.Errorf("a fill and its repetition: %+v", output.Results)
	}
	b.process(&engine.VenueReport{Venue: "X", OrderID: 6, ExecType: engine.ExecCanceled}, order("3", 100))
	var got []string
	for _, e := range b.risk.Events() {
		got = append(got, strings.TrimPrefix(fmt.Sprintf("%d %T", e.GetSequence(), e.GetEvent()), ""))
	}
	// The first tell after the stream was there brought the snapshot; the three definitions may be in it.
	text := strings.ReplaceAll(strings.Join(got, ", "), "*aetherionv1.PretradeEvent_", "")
	if want := "4 Mark, 5 Check, 6 Check, 7 Fill, 8 Release, 9 Check"; !strings.HasSuffix(text, want) {
		t.Errorf("risk heard %s, want it to end with %s", text, want)
	}
}

func TestMarksAreStampedWhenTheyAreNews(t *testing.T) {
	b := newBench(t)
	b.process(order("0", 100)) // no price was seen: that there is no mark is risk's to judge
	if b.engine.Sequence() != 4 {
		t.Fatalf("sequence %d, want 4", b.engine.Sequence())
	}
	b.sampler.Observe(&market.Row{Kind: market.Bar, ClosePx: 1005})
	b.sampler.Observe(&market.Row{Kind: market.Bar, ClosePx: 1010})
	b.process(order("1", 100), order("2", 100))
	if px, _ := b.engine.MarkPx("ACME.X"); px != 1010 || b.engine.Sequence() != 7 || b.engine.OrderByName("A", "1").OrderID != 6 {
		t.Errorf("mark %d, sequence %d: want 1010 before both orders, once", px, b.engine.Sequence())
	}
	b.process(order("1", 100)) // a repetition does nothing, not even a mark
	b.sampler.Observe(&market.Row{Kind: market.Bar, ClosePx: 1015})
	b.process(order("1", 100))
	if b.engine.Sequence() != 7 {
		t.Errorf("sequence %d after repetitions, want 7", b.engine.Sequence())
	}
	if len(b.sequencer.HeldMarks()) != 0 {
		t.Error("nothing is held, and something is to be marked")
	}
	b.process(&engine.VenueReport{Venue: "X", OrderID: 6, ExecType: engine.ExecTrade, ExecID: "1", LastQty: 100, LastPx: 1000})
	if marks := b.sequencer.HeldMarks(); len(marks) != 1 || *marks[0].(*engine.Mark) != (engine.Mark{InstrumentID: "ACME.X", MarkPx: 1015}) {
		t.Errorf("marks %+v", marks)
	}
}

func TestWithoutRiskOrdersAreRefusedAndCancelsPass(t *testing.T) {
	b := newBench(t)
	b.process(order("1", 100))
	b.risk.Stop(t, b.gate)
	output := b.process(order("2", 100), cancel("1"))
	if ack := output.Results[0].Ack; ack.OrdRejReason != engine.RejRiskUnavailable || ack.RejectedBy != engine.ByRisk {
		t.Errorf("order: %+v, want RISK_UNAVAILABLE by risk", ack)
	}
	if ack := output.Results[1].Ack; ack.ExecType != engine.ExecPendingCancel || len(output.Routes) != 1 {
		t.Errorf("cancel: %+v and %d routes, want it to pass", ack, len(output.Routes))
	}
}

func TestWhatDoesNotApplyIsNotJournaled(t *testing.T) {
	b := newBench(t)
	output := b.process(&engine.VenueReport{Venue: "X", OrderID: 99, ExecType: engine.ExecNew}, order("1", 100))
	if output.Results[0].Err == nil || output.Results[0].Sequence != 0 || output.Results[1].Sequence != 4 || b.journal.LastSequence() != 4 {
		t.Errorf("results %+v, journal at %d", output.Results, b.journal.LastSequence())
	}
}

func TestTimeNeverRunsBack(t *testing.T) {
	b := newBench(t)
	b.sequencer.clock = past{}
	if output := b.process(order("1", 100)); output.Reports[0].TransactTime != 100 {
		t.Errorf("stamped %d after 100", output.Reports[0].TransactTime)
	}
}

type past struct{}

func (past) Now() int64 { return 1 }

func TestFailedAppendIsFinal(t *testing.T) {
	b := newBench(t)
	full := errors.New("disk full")
	b.sequencer.journal = brokenJournal{full}
	for range 2 {
		output, err := b.sequencer.Process([]engine.Input{order("1", 100)})
		if !errors.Is(err, full) || len(output.Results)+len(output.Reports)+len(output.Routes) != 0 {
			t.Errorf("got %+v and %v, want nothing but the error", output, err)
		}
		b.sequencer.journal = b.journal // It works again: too late, the engine is ahead of it.
	}
}

type brokenJournal struct{ err error }

func (j brokenJournal) Append(uint64, [][]byte) error { return j.err }

func TestReplayGivesTheSameState(t *testing.T) {
	b := newBench(t)
	b.process(order("1", 100), cancel("1"), order("2", 2000), order("1", 300), cancel("none"))
	again := engine.New()
	var effects engine.Effects
	err := b.journal.ReadFrom(1, func(_ uint64, encoded []byte) error {
		event, err := journal.Decode(encoded)
		if err != nil {
			return err
		}
		return again.Apply(event, &effects)
	})
	if err != nil || again.StateHash() != b.engine.StateHash() {
		t.Errorf("replay: %v, same state: %t", err, again.StateHash() == b.engine.StateHash())
	}
}

func TestSampledPrices(t *testing.T) {
	for _, c := range []struct {
		row  market.Row
		want int64
		has  bool
	}{
		{market.Row{Kind: market.Bar, OpenPx: 1, ClosePx: 2}, 2, true},
		{market.Row{Kind: market.Trade, TradePx: 3}, 3, true},
		{market.Row{Kind: market.Quote, BidPx: 4, AskPx: 7, HasBid: true, HasAsk: true}, 5, true},
		{market.Row{Kind: market.Quote, BidPx: 1<<63 - 3, AskPx: 1<<63 - 1, HasBid: true, HasAsk: true}, 1<<63 - 2, true},
		{market.Row{Kind: market.Quote, BidPx: 4, HasBid: true}, 4, true},
		{market.Row{Kind: market.Quote, AskPx: 7, HasAsk: true}, 7, true},
		{market.Row{Kind: market.Quote}, 0, false},
	} {
		s := NewSampler([]string{"ACME.X"})
		s.Observe(&c.row)
		if px, has := s.LastPrice("ACME.X"); px != c.want || has != c.has {
			t.Errorf("%+v: %d, %t, want %d, %t", c.row, px, has, c.want, c.has)
		}
	}
}
