package engine_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/sequencer"
)

// scenario is a sequencer with a gate whose Risk Service refuses orders of more than 1,000, an account A with cash,
// and the instruments ACME.X and OTHER.X in whole ticks and units. Its time is in seconds.
type scenario struct {
	t         *testing.T
	clock     *clock.Virtual
	engine    *engine.Engine
	journal   *journal.Memory
	gate      *teller
	sampler   *sequencer.Sampler
	sequencer *sequencer.Sequencer
	has       router.Capabilities
	list      *engine.OrderListDecision // that is being read
	session   string
	commands  int
	execs     int
	state     []byte
	at        uint64 // sequence of the state
}

func newScenario(t *testing.T) *scenario {
	s := &scenario{t: t, clock: &clock.Virtual{}, engine: engine.New(), journal: journal.NewMemory(),
		sampler: sequencer.NewSampler([]string{"ACME.X", "OTHER.X"}), has: router.Capabilities{Replace: true}}
	asked, _ := gatetest.New(t, s.engine, func(check *pb.PretradeCheck) *pb.CheckFailure {
		if check.GetNewOrder().GetOrderQty() <= 1000 {
			return nil
		}
		return &pb.CheckFailure{OrdRejReason: pb.OrdRejReason_ORD_REJ_REASON_MAX_ORDER_QTY, Scope: "firm", RiskLimit: "1000", Value: "too many"}
	})
	s.gate = &teller{Gate: asked}
	s.sequencer = sequencer.New(s.clock, s.engine, s.gate, s.journal, s.sampler)
	s.sequencer.AskVenues(func(string) (router.Capabilities, bool) { return s.has, true })
	s.process(scenarioInstrument("ACME.X"), scenarioInstrument("OTHER.X"), &engine.AccountOpened{Account: "A", BaseCurrency: "USD"})
	return s
}

func scenarioInstrument(id string) *engine.Instrument {
	i := definition(id, engine.Equity, 0, 0, engine.Decimal{Mantissa: 1})
	return &i
}

// do does one command.
func (s *scenario) do(words []string) []string {
	verb, rest := words[0], words[1:]
	switch verb {
	case "time":
		s.clock.Set(int64(s.number(rest[0]) * 1e9))
		return s.process()
	case "has": // what the venue has
		s.has = router.Capabilities{DisplayQty: has(rest, "iceberg"), PostOnly: has(rest, "post-only"), Replace: has(rest, "replace")}
		if has(rest, "stp") {
			s.has.STP = 1 << engine.STPCancelOldest
		}
		return nil
	case "session":
		s.session = strings.Join(rest, "")
		return nil
	case "lost":
		return s.process(&engine.SessionLost{SessionID: rest[0]})
	case "kill", "arm":
		return s.process(&engine.KillSwitchChange{Scope: scopeOf(rest), Engaged: verb == "kill", ChangedBy: "somebody"})
	case "state":
		states := map[string]engine.TradingState{"active": engine.Active, "reducing": engine.Reducing, "cancel-only": engine.CancelOnly, "halted": engine.Halted}
		return s.process(&engine.TradingStateChange{Scope: scopeOf(rest[1:]), TradingState: states[rest[0]], ChangedBy: "somebody"})
	case "position":
		return s.process(&engine.Adjustment{Account: "A", InstrumentID: "ACME.X", Qty: int64(s.number(rest[0])), Price: 100})
	case "snapshot":
		var state bytes.Buffer
		if err := s.engine.WriteState(&state); err != nil {
			s.t.Fatal(err)
		}
		s.state, s.at = state.Bytes(), s.engine.Sequence()
		return nil
	case "trade", "quote", "bar":
		return s.process(s.sampler.Observe(s.row(verb, rest))...)
	case "venue":
		return s.process(s.venueReport(rest))
	case "external":
		return s.process(s.external(rest))
	}
	return s.command(verb, rest)
}

func scopeOf(words []string) (scope engine.TradingScope) {
	for _, word := range words {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "account":
			scope.Account = value
		case "strategy":
			scope.StrategyID = value
		case "instrument":
			scope.InstrumentID = value
		case "venue":
			scope.Venue = value
		}
	}
	return scope
}

func has(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func (s *scenario) number(word string) float64 {
	n, err := strconv.ParseFloat(word, 64)
	if err != nil {
		s.t.Fatalf("%q is no number", word)
	}
	return n
}

// command does what a client may ask.
func (s *scenario) command(verb string, words []string) []string {
	switch verb {
	case "order":
		order := s.order(words)
		if s.list != nil {
			s.list.List.Orders = append(s.list.List.Orders, order)
			return nil
		}
		return s.process(&engine.OrderDecision{NewOrder: order, SessionID: s.session})
	case "list":
		kind := map[string]engine.ContingencyType{"oco": engine.OCO, "oto": engine.OTO, "ouo": engine.OUO, "bracket": engine.Bracket}[words[1]]
		s.list = &engine.OrderListDecision{List: engine.NewOrderList{ListID: words[0], Account: "A", ContingencyType: kind}, SessionID: s.session}
		return nil
	case "send":
		list := s.list
		s.list = nil
		return s.process(list)
	case "cancel":
		return s.process(&engine.CancelOrder{ClOrdID: s.name(words[1:]), OrigClOrdID: words[0], Account: "A"})
	case "replace":
		r := engine.ReplaceOrder{ClOrdID: words[1], OrigClOrdID: words[0], Account: "A", OrderQty: int64(s.number(words[2]))}
		for _, word := range words[3:] {
			key, value, _ := strings.Cut(word, "=")
			switch key {
			case "price":
				r.Price, r.HasPrice = int64(s.number(value)), true
			case "stop":
				r.StopPx, r.HasStopPx = int64(s.number(value)), true
			}
		}
		return s.process(&engine.ReplaceDecision{Replace: r})
	case "cancel-all":
		mass := &engine.MassCancelOrders{Account: "A"}
		for _, word := range words {
			switch key, value, _ := strings.Cut(word, "="); key {
			case "strategy":
				mass.StrategyID = value
			case "instrument":
				mass.InstrumentID = value
			case "side":
				mass.Side = sideOf(value)
			case "name":
				mass.ClOrdID = value
			}
		}
		if mass.ClOrdID == "" {
			mass.ClOrdID = s.name(nil)
		}
		return s.process(mass)
	}
	s.t.Fatalf("unknown command %q", verb)
	return nil
}

// name is the one given, or one that was not used.
func (s *scenario) name(given []string) string {
	if len(given) > 0 {
		return given[0]
	}
	s.commands++
	return fmt.Sprint("request ", s.commands)
}

func sideOf(word string) engine.Side {
	if word == "buy" {
		return engine.Buy
	}
	return engine.Sell
}

// order reads "name side type qty key=value...".
func (s *scenario) order(words []string) engine.NewOrder {
	types := map[string]engine.OrdType{"market": engine.Market, "limit": engine.Limit, "stop": engine.Stop, "stop-limit": engine.StopLimit, "trail": engine.TrailingStop}
	tifs := map[string]engine.TimeInForce{"day": engine.Day, "gtc": engine.GTC, "ioc": engine.IOC, "fok": engine.FOK, "gtd": engine.GTD}
	o := engine.NewOrder{ClOrdID: words[0], Account: "A", InstrumentID: "ACME.X", Side: sideOf(words[1]), OrdType: types[words[2]],
		TimeInForce: engine.GTC, OrderQty: int64(s.number(words[3]))}
	for _, word := range words[4:] {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "price":
			o.Price, o.HasPrice = int64(s.number(value)), true
		case "stop":
			o.StopPx, o.HasStopPx = int64(s.number(value)), true
		case "by":
			o.TrailingAmount = int64(s.number(value))
		case "bps":
			o.TrailingBps = uint32(s.number(value))
		case "tif":
			o.TimeInForce = tifs[value]
		case "until":
			o.TimeInForce, o.ExpireTime = engine.GTD, int64(s.number(value)*1e9)
		case "show":
			o.DisplayQty = int64(s.number(value))
		case "strategy":
			o.StrategyID = value
		case "instrument":
			o.InstrumentID = value
		case "post-only":
			o.ExecInsts |= engine.PostOnly
		case "reduce-only":
			o.ExecInsts |= engine.ReduceOnly
		case "cod":
			o.ExecInsts |= engine.CancelOnDisconnect
		case "stp":
			o.STP = engine.STPCancelOldest
		default:
			s.t.Fatalf("unknown word %q", word)
		}
	}
	return o
}

// external reads an order that stands at the venue, before it its fill "qty@px", whose exec id is 1; "0@0": none.
func (s *scenario) external(words []string) engine.Input {
	order := s.order(words[1:])
	external := &engine.ExternalOrder{NewOrder: order, VenueClOrdID: "by hand", VenueOrderID: "V1"}
	qty, px, _ := strings.Cut(words[0], "@")
	if filled := int64(s.number(qty)); filled != 0 {
		external.Fills = []engine.ExternalFill{{ExecID: "1", LastQty: filled, LastPx: int64(s.number(px))}}
	}
	return external
}

// row reads "trade px", "quote bid ask" or "bar open high low close"; a bar lasts a second up to now.
func (s *scenario) row(kind string, words []string) *market.Row {
	px := make([]int64, len(words))
	for i, word := range words {
		px[i] = int64(s.number(word))
	}
	now := s.clock.Now()
	switch kind {
	case "trade":
		return &market.Row{Kind: market.Trade, TransactTime: now, TradePx: px[0]}
	case "quote":
		return &market.Row{Kind: market.Quote, TransactTime: now, BidPx: px[0], HasBid: true, AskPx: px[1], HasAsk: true}
	}
	return &market.Row{Kind: market.Bar, TransactTime: now, OpenTime: now - 1e9, OpenPx: px[0], HighPx: px[1], LowPx: px[2], ClosePx: px[3]}
}

// venueReport reads "word name ...".
func (s *scenario) venueReport(words []string) engine.Input {
	order := s.engine.OrderByName("A", words[1])
	if order == nil {
		s.t.Fatalf("there is no order %q", words[1])
	}
	r := &engine.VenueReport{Venue: "X", OrderID: order.OrderID, TransactTime: s.clock.Now()}
	kinds := map[string]engine.ExecType{"new": engine.ExecNew, "canceled": engine.ExecCanceled, "expired": engine.ExecExpired, "rejected": engine.ExecRejected,
		"refused": engine.ExecCancelRejected, "replaced": engine.ExecReplaced, "fill": engine.ExecTrade}
	switch r.ExecType = kinds[words[0]]; r.ExecType {
	case engine.ExecTrade:
		s.execs++
		r.ExecID, r.LastQty, r.LastPx = fmt.Sprint(s.execs), int64(s.number(words[2])), int64(s.number(words[3]))
	case engine.ExecCancelRejected:
		r.CxlRejReason = engine.CxlTooLate
	}
	return r
}

// process sequences inputs, and says what they caused.
func (s *scenario) process(inputs ...engine.Input) []string {
	output, err := s.sequencer.Process(inputs)
	if err != nil {
		s.t.Fatal(err)
	}
	var lines []string
	for i := range output.Results {
		result := &output.Results[i]
		switch {
		case result.Err != nil:
			lines = append(lines, "error "+result.Err.Error())
		case result.Ack.ExecType != 0:
			lines = append(lines, ackLine("ack", &result.Ack))
			for n := range result.Ack.ListAcks {
				lines = append(lines, ackLine("  ack", &result.Ack.ListAcks[n]))
			}
		}
	}
	for _, report := range output.Reports {
		lines = append(lines, reportLine(report))
		s.checkQuantities(report)
	}
	for i := range output.Routes {
		lines = append(lines, s.routeLine(&output.Routes[i]))
	}
	return append(lines, s.holds()...)
}

// checkQuantities: order_qty = cum_qty + leaves_qty while an order is open, and leaves_qty is 0 once it is closed.
func (s *scenario) checkQuantities(r *engine.ExecutionReport) {
	open := r.OrdStatus != engine.StatusFilled && r.OrdStatus != engine.StatusCanceled && r.OrdStatus != engine.StatusExpired && r.OrdStatus != engine.StatusRejected
	if open && r.NewOrder.OrderQty != r.CumQty+r.LeavesQty || !open && r.LeavesQty != 0 {
		s.t.Errorf("%s: order_qty %d, cum_qty %d, leaves_qty %d", r.NewOrder.ClOrdID, r.NewOrder.OrderQty, r.CumQty, r.LeavesQty)
	}
}

// checkReplay: the journal gives the same state again.
func (s *scenario) checkReplay() {
	replay := func(e *engine.Engine, from uint64) {
		var effects engine.Effects
		err := s.journal.ReadFrom(from, func(_ uint64, encoded []byte) error {
			event, err := journal.Decode(encoded)
			if err != nil {
				return err
			}
			return e.Apply(event, &effects)
		})
		if err != nil || e.StateHash() != s.engine.StateHash() {
			s.t.Errorf("replay from %d: %v, same state: %t", from, err, e.StateHash() == s.engine.StateHash())
		}
	}
	replay(engine.New(), 1)
	if s.state == nil {
		return
	}
	restored, err := engine.ReadState(s.state)
	if err != nil {
		s.t.Fatal(err)
	}
	replay(restored, s.at+1)
}
