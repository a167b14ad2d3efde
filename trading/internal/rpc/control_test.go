package rpc

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
)

func (s *service) submit(t *testing.T, order *pb.NewOrder) *pb.CommandAck {
	t.Helper()
	response, err := pb.NewOrderServiceClient(s).SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: order})
	if err != nil {
		t.Fatal(err)
	}
	return response.GetAck()
}

// Every command has a call of its own on the same path.
func TestUnaryCommands(t *testing.T) {
	s := start(t, options{bars: 10})
	orders := pb.NewOrderServiceClient(s)
	limit := buy("a", aaa, 10)
	limit.OrdType, limit.Price = pb.OrdType_ORD_TYPE_LIMIT, proto.Int64(50)
	stop := buy("held", aaa, 10)
	stop.OrdType, stop.StopPx = pb.OrdType_ORD_TYPE_STOP, proto.Int64(900)
	s.submit(t, limit)
	if ack := s.submit(t, stop); ack.GetOrdStatus() != pb.OrdStatus_ORD_STATUS_SUSPENDED {
		t.Errorf("a stop: got %v", ack)
	}
	replaced, err := orders.ReplaceOrder(t.Context(), &pb.ReplaceOrderRequest{ReplaceOrder: &pb.ReplaceOrder{
		ClOrdId: "held2", OrigClOrdId: "held", Account: account, OrderQty: 20, StopPx: proto.Int64(901)}})
	if err != nil || replaced.GetAck().GetExecType() != pb.ExecType_EXEC_TYPE_REPLACED || s.status(t, "held2") != pb.OrdStatus_ORD_STATUS_SUSPENDED {
		t.Errorf("got %v, %v", replaced, err)
	}
	listed := func(name string, price int64) *pb.NewOrder {
		order := proto.Clone(limit).(*pb.NewOrder)
		order.ClOrdId, order.Price = name, &price
		return order
	}
	list, err := orders.SubmitOrderList(t.Context(), &pb.SubmitOrderListRequest{NewOrderList: &pb.NewOrderList{
		ListId: "l", Account: account, ContingencyType: pb.ContingencyType_CONTINGENCY_TYPE_OCO, Orders: []*pb.NewOrder{listed("l1", 51), listed("l2", 52)}}})
	if err != nil || list.GetAck().GetClOrdId() != "l" || len(list.GetAck().GetListAcks()) != 2 || list.GetAck().GetListAcks()[1].GetExecType() != pb.ExecType_EXEC_TYPE_PENDING_NEW {
		t.Errorf("got %v, %v", list, err)
	}
	canceled, err := orders.MassCancel(t.Context(), &pb.MassCancelRequest{MassCancelOrders: &pb.MassCancelOrders{ClOrdId: "m", Account: account}})
	if err != nil || canceled.GetAck().GetTotalAffectedOrders() != 4 {
		t.Errorf("got %v, %v", canceled, err)
	}
	for _, call := range []func() error{
		func() error { _, err := orders.ReplaceOrder(t.Context(), &pb.ReplaceOrderRequest{}); return err },
		func() error { _, err := orders.MassCancel(t.Context(), &pb.MassCancelRequest{}); return err },
		func() error { _, err := orders.SubmitOrderList(t.Context(), &pb.SubmitOrderListRequest{}); return err },
		func() error { _, err := orders.PreviewOrder(t.Context(), &pb.PreviewOrderRequest{}); return err },
	} {
		checkStatus(t, call(), codes.InvalidArgument, "is missing")
	}
	// Pages of orders go on after the last id, also in the middle of a list.
	var names []string
	for token, first := "", true; first || token != ""; first = false {
		page, err := orders.ListOrders(t.Context(), &pb.ListOrdersRequest{Account: account, PageSize: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, order := range page.GetOrders() {
			names = append(names, order.GetNewOrder().GetClOrdId())
		}
		token = page.GetNextPageToken()
	}
	if got := strings.Join(names, " "); got != "a held l1 l2" {
		t.Errorf("the orders, one a page, are %q", got)
	}
}

func TestPreviewLeavesNoTrace(t *testing.T) {
	s := start(t, options{bars: 10, decide: func(c *pb.PretradeCheck) *pb.CheckFailure {
		if c.GetNewOrder().GetOrderQty() < 100 {
			return nil
		}
		return &pb.CheckFailure{OrdRejReason: pb.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT, Scope: "account:DEMO", RiskLimit: "99", Value: "100"}
	}})
	orders := pb.NewOrderServiceClient(s)
	s.submit(t, buy("used", aaa, 1))
	for _, c := range []struct {
		order *pb.NewOrder
		want  pb.OrdRejReason
		by    pb.RejectedBy
	}{
		{buy("a", aaa, 1), 0, 0},
		{bound("b").GetNewOrder(), 0, 0},
		{buy("c", aaa, 100), pb.OrdRejReason_ORD_REJ_REASON_POSITION_LIMIT, pb.RejectedBy_REJECTED_BY_RISK},
		{buy("d", aaa, 0), pb.OrdRejReason_ORD_REJ_REASON_INVALID_QTY, pb.RejectedBy_REJECTED_BY_ENGINE},
		{buy("used", aaa, 2), pb.OrdRejReason_ORD_REJ_REASON_DUPLICATE_ORDER, pb.RejectedBy_REJECTED_BY_ENGINE},
	} {
		got, err := orders.PreviewOrder(t.Context(), &pb.PreviewOrderRequest{NewOrder: c.order})
		if err != nil || got.GetApproved() != (c.want == 0) || got.GetOrdRejReason() != c.want || got.GetRejectedBy() != c.by || (got.GetText() == "") != (c.want == 0) {
			t.Errorf("%s: got %v, %v", c.order.GetClOrdId(), got, err)
		}
	}
	if reports := s.reports(t); len(reports) > 2 {
		t.Errorf("%d reports", len(reports))
	}
	s.risk.Stop(t, s.session.Gate)
	got, err := orders.PreviewOrder(t.Context(), &pb.PreviewOrderRequest{NewOrder: buy("a", aaa, 1)})
	if err != nil || got.GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_RISK_UNAVAILABLE {
		t.Errorf("with risk down: got %v, %v", got, err)
	}
}

// A kill switch refuses and cancels, risk or no risk, and takes two people to release.
func TestKillSwitch(t *testing.T) {
	s := start(t, options{bars: 10})
	admin := pb.NewAdminServiceClient(s)
	s.submit(t, buy("a", aaa, 1))
	s.submit(t, buy("b", bbb, 1))
	eventually(t, "both work", func() bool { return s.status(t, "b") == pb.OrdStatus_ORD_STATUS_NEW })
	s.risk.Stop(t, s.session.Gate)
	scope := &pb.TradingScope{InstrumentId: aaa}
	engaged, err := admin.EngageKillSwitch(t.Context(), &pb.EngageKillSwitchRequest{Scope: scope, ChangedBy: "alice", Reason: "a test"})
	if err != nil || engaged.GetSequence() == 0 || engaged.GetTotalAffectedOrders() != 1 {
		t.Errorf("got %v, %v", engaged, err)
	}
	eventually(t, "the order is canceled", func() bool { return s.status(t, "a") == pb.OrdStatus_ORD_STATUS_CANCELED })
	if status := s.status(t, "b"); status != pb.OrdStatus_ORD_STATUS_NEW {
		t.Errorf("the order of another instrument is %v", status)
	}
	if ack := s.submit(t, buy("c", aaa, 1)); ack.GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_KILL_SWITCH {
		t.Errorf("got %v", ack)
	}
	states, err := admin.GetTradingStates(t.Context(), &pb.GetTradingStatesRequest{})
	if err != nil || len(states.GetKillSwitches()) != 1 || !proto.Equal(states.GetKillSwitches()[0].GetScope(), scope) || states.GetKillSwitches()[0].GetChangedBy() != "alice" {
		t.Errorf("got %v, %v", states, err)
	}
	release := func(by string, scope *pb.TradingScope) error {
		_, err := admin.ReleaseKillSwitch(t.Context(), &pb.ReleaseKillSwitchRequest{Scope: scope, ChangedBy: by, Reason: "a test"})
		return err
	}
	checkStatus(t, release("alice", scope), codes.FailedPrecondition, `changed_by: must be somebody else than who engaged it, got "alice"`)
	checkStatus(t, release("bob", &pb.TradingScope{}), codes.FailedPrecondition, "scope: no kill switch is engaged for firm")
	checkStatus(t, release("", scope), codes.InvalidArgument, "changed_by: must have 1 to 64 characters, got 0")
	if err := release("bob", scope); err != nil {
		t.Error(err)
	}
	_, err = admin.EngageKillSwitch(t.Context(), &pb.EngageKillSwitchRequest{Scope: &pb.TradingScope{Venue: "NONE"}, ChangedBy: "alice", Reason: "a test"})
	checkStatus(t, err, codes.InvalidArgument, `scope.venue: no instrument is of venue "NONE"`)
	if s.session.Emergency.Refuses(&engine.NewOrder{Account: account, InstrumentID: "X.NONE"}) {
		t.Error("a kill switch that the engine refused stays latched")
	}
}

func TestTradingStates(t *testing.T) {
	s := start(t, options{bars: 10})
	admin := pb.NewAdminServiceClient(s)
	set := func(state pb.TradingState) (*pb.SetTradingStateResponse, error) {
		return admin.SetTradingState(t.Context(), &pb.SetTradingStateRequest{TradingStateChange: &pb.TradingStateChange{
			Scope: &pb.TradingScope{Account: account}, TradingState: state, ChangedBy: "me", Reason: "a test"}})
	}
	response, err := set(pb.TradingState_TRADING_STATE_HALTED)
	if err != nil || response.GetSequence() == 0 {
		t.Fatalf("got %v, %v", response, err)
	}
	if ack := s.submit(t, buy("a", aaa, 1)); ack.GetOrdRejReason() != pb.OrdRejReason_ORD_REJ_REASON_STATE_HALTED {
		t.Errorf("got %v", ack)
	}
	states, err := admin.GetTradingStates(t.Context(), &pb.GetTradingStatesRequest{})
	if err != nil || len(states.GetTradingStates()) != 1 || states.GetTradingStates()[0].GetTradingState() != pb.TradingState_TRADING_STATE_HALTED {
		t.Errorf("got %v, %v", states, err)
	}
	if _, err := set(pb.TradingState_TRADING_STATE_ACTIVE); err != nil {
		t.Fatal(err)
	}
	if ack := s.submit(t, buy("b", aaa, 1)); ack.GetExecType() != pb.ExecType_EXEC_TYPE_PENDING_NEW {
		t.Errorf("got %v", ack)
	}
	_, err = set(0)
	checkStatus(t, err, codes.InvalidArgument, "trading_state_change.trading_state: must be specified")
	_, err = admin.SetTradingState(t.Context(), &pb.SetTradingStateRequest{})
	checkStatus(t, err, codes.InvalidArgument, "trading_state_change: is missing")
}

func TestRatesModelsAndAdjustments(t *testing.T) {
	s := start(t, options{bars: 10})
	admin := pb.NewAdminServiceClient(s)
	rates := &pb.FxRates{Rates: []*pb.FxRate{{Currency: "EUR", QuoteCurrency: "USD", Rate: &pb.Decimal{Mantissa: 11, Scale: 1}}}}
	if response, err := admin.SetFxRates(t.Context(), &pb.SetFxRatesRequest{FxRates: rates}); err != nil || response.GetSequence() == 0 {
		t.Errorf("got %v, %v", response, err)
	}
	_, err := admin.SetFxRates(t.Context(), &pb.SetFxRatesRequest{})
	checkStatus(t, err, codes.InvalidArgument, "fx_rates.rates: must not be empty")
	model := &pb.PretradeModel{InstrumentIds: []string{aaa}, Covariance: []float64{1e-4}, ConfidenceBp: 9900, HorizonDays: 1}
	for version, want := range []codes.Code{codes.OK, codes.OK, codes.FailedPrecondition} {
		_, err := admin.SetPretradeModel(t.Context(), &pb.SetPretradeModelRequest{PretradeModel: model, ExpectedVersion: uint64(min(version, 1))})
		checkStatus(t, err, want, "")
	}
	_, err = admin.SetPretradeModel(t.Context(), &pb.SetPretradeModelRequest{})
	checkStatus(t, err, codes.InvalidArgument, "pretrade_model: is missing")
	deposit := &pb.Adjustment{Account: account, Cash: &pb.Money{Currency: "EUR", Units: 100}, Reason: "a deposit"}
	if response, err := admin.AdjustAccount(t.Context(), &pb.AdjustAccountRequest{Adjustment: deposit}); err != nil || response.GetSequence() == 0 {
		t.Errorf("got %v, %v", response, err)
	}
	state, err := pb.NewAccountServiceClient(s).GetAccount(t.Context(), &pb.GetAccountRequest{Account: account})
	if err != nil || state.GetAccountState().GetEquity().GetUnits() != 1_000_110 {
		t.Errorf("got %v, %v", state, err)
	}
	for want, change := range map[string]func(*pb.Adjustment){
		"adjustment.reason: must have 1 to 1000 characters, got 0":              func(a *pb.Adjustment) { a.Reason = "" },
		"adjustment.account: must have 1 to 64 characters, got 0":               func(a *pb.Adjustment) { a.Account = "" },
		"adjustment.cash, instrument_id: at least one must be set, got neither": func(a *pb.Adjustment) { a.Cash = nil },
		"adjustment.qty: must be 0 without an instrument_id, got 5":             func(a *pb.Adjustment) { a.Qty = 5 },
		"account: ": func(a *pb.Adjustment) { a.Account = "other" },
		`adjustment.cash.currency: no account, instrument or exchange rate is in "EURO"`: func(a *pb.Adjustment) { a.Cash.Currency = "EURO" },
	} {
		adjustment := proto.Clone(deposit).(*pb.Adjustment)
		change(adjustment)
		_, err := admin.AdjustAccount(t.Context(), &pb.AdjustAccountRequest{Adjustment: adjustment})
		checkStatus(t, err, codes.InvalidArgument, want)
	}
}

// Where it is set so, a looser limit waits for somebody else; a tighter one does not.
func TestALooserLimitNeedsTwoPeople(t *testing.T) {
	s := start(t, options{bars: 10, change: func(c *Config) { c.TwoPersonLimits = true }})
	admin := pb.NewAdminServiceClient(s)
	set := func(version uint64, qty int64) *pb.SetLimitsResponse {
		t.Helper()
		response, err := admin.SetLimits(t.Context(), &pb.SetLimitsRequest{ExpectedVersion: version, ChangedBy: "alice", Reason: "a test",
			RiskLimits: &pb.RiskLimits{Limits: []*pb.RiskLimit{{MaxOrderQty: &pb.Decimal{Mantissa: qty}}}}})
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	approve := func(version uint64, by string) (*pb.ApproveLimitsResponse, error) {
		return admin.ApproveLimits(t.Context(), &pb.ApproveLimitsRequest{Version: version, ApprovedBy: by})
	}
	inForce := func(version uint64, qty int64) {
		t.Helper()
		limits, err := admin.GetLimits(t.Context(), &pb.GetLimitsRequest{})
		if err != nil || limits.GetRiskLimits().GetVersion() != version || limits.GetRiskLimits().GetLimits()[0].GetMaxOrderQty().GetMantissa() != qty {
			t.Errorf("got %v, %v, want %d at version %d", limits, err, qty, version)
		}
	}
	if first, tighter := set(0, 10), set(1, 9); first.GetSequence() == 0 || tighter.GetSequence() == 0 {
		t.Errorf("got %v and %v, want both in force", first, tighter)
	}
	proposed := set(2, 11)
	if proposed.GetSequence() != 0 || proposed.GetLoosened() != "max_order_qty" || proposed.GetRiskLimits().GetVersion() != 3 {
		t.Errorf("got %v, want a proposal", proposed)
	}
	inForce(2, 9)
	_, err := approve(3, "alice")
	checkStatus(t, err, codes.FailedPrecondition, `approved_by: must be somebody else than who proposed them, got "alice"`)
	_, err = approve(4, "bob")
	checkStatus(t, err, codes.FailedPrecondition, "version: no limits of version 4 are proposed")
	_, err = approve(3, "")
	checkStatus(t, err, codes.InvalidArgument, "approved_by: must have 1 to 64 characters, got 0")
	// Whoever changes the limits meanwhile ends the proposal.
	set(2, 8)
	_, err = approve(3, "bob")
	checkStatus(t, err, codes.FailedPrecondition, "expected_version: must be 3, the version in force, got 2")
	inForce(3, 8)
	set(3, 12)
	if approved, err := approve(4, "bob"); err != nil || approved.GetSequence() == 0 || approved.GetRiskLimits().GetVersion() != 4 {
		t.Errorf("got %v, %v", approved, err)
	}
	inForce(4, 12)
	_, err = approve(4, "bob")
	checkStatus(t, err, codes.FailedPrecondition, "version: no limits of version 4 are proposed")
}

// Every limit is known to the comparison, in one direction at least.
func TestLoosened(t *testing.T) {
	known := map[string]bool{}
	fields := (&pb.RiskLimit{}).ProtoReflect().Descriptor().Fields()
	decimal := func(n int64) *engine.Decimal { return &engine.Decimal{Mantissa: n} }
	number := func(n uint32) *uint32 { return &n }
	of := func(n uint32) *engine.RiskLimit {
		d, b := decimal(int64(n)), n > 1
		return &engine.RiskLimit{MaxOrderQty: d, MaxOrderNotional: d, MaxPositionQty: d, MaxLongQty: d, MaxShortQty: d, NoShort: b, Restricted: b,
			StaticCollarBps: number(n), StaticReferencePx: d, PriceCollarBps: number(n), MaxMarkAgeMs: number(n), MaxAggressiveTicks: number(n),
			OrderRatePerS: number(n), OrderBurst: number(n), DuplicateCount: number(n), DuplicateWindowMs: number(n), MaxOpenOrders: number(n),
			MaxOpenNotional: d, MaxGrossNotional: d, MaxNetNotional: d, MaxLeverage: d, InitialMarginRatio: d, MaxDailyNotional: d, MaxDailyQty: d,
			MaxDailyLoss: d, MaxDrawdown: d, MaxVar: d, MaxAdvShareBps: number(n), AdvQty: d, MaxBatchNotional: d, MaxBatchOrders: number(n),
			RepeatCount: number(n), RepeatWindowMs: number(n), MaxConsecutiveRejects: number(n), MaxOrderToTradeRatio: number(n),
			OtrWindowMs: number(n), PreventSelfTrade: b}
	}
	if got := loosenedField(of(2), of(2)); got != "" {
		t.Errorf("the same limits: %s is looser", got)
	}
	// A limit that is gone is looser: one after the other, until none is left to be gone.
	for before := of(2); ; {
		field := loosenedField(before, &engine.RiskLimit{})
		if field == "" {
			break
		}
		if known[field] {
			t.Fatalf("%s is named again", field)
		}
		known[field] = true
		clearField(t, before, field)
	}
	for i := range fields.Len() {
		name := string(fields.Get(i).Name())
		if !known[name] && !slices.Contains([]string{"account", "strategy_id", "instrument_id"}, name) {
			t.Errorf("%s is not compared", name)
		}
	}
	for _, c := range []struct {
		name          string
		before, after engine.RiskLimit
		want          string
	}{
		{"higher", engine.RiskLimit{MaxOrderQty: decimal(1)}, engine.RiskLimit{MaxOrderQty: decimal(2)}, "max_order_qty"},
		{"lower", engine.RiskLimit{MaxOrderQty: decimal(2)}, engine.RiskLimit{MaxOrderQty: decimal(1)}, ""},
		{"the same at another scale", engine.RiskLimit{MaxOrderQty: decimal(1)}, engine.RiskLimit{MaxOrderQty: &engine.Decimal{Mantissa: 10, Scale: 1}}, ""},
		{"new", engine.RiskLimit{}, engine.RiskLimit{MaxOrderQty: decimal(1)}, ""},
		{"a lower margin", engine.RiskLimit{InitialMarginRatio: decimal(2)}, engine.RiskLimit{InitialMarginRatio: decimal(1)}, "initial_margin_ratio"},
		{"a shorter window", engine.RiskLimit{DuplicateWindowMs: number(2)}, engine.RiskLimit{DuplicateWindowMs: number(1)}, "duplicate_window_ms"},
		{"another reference", engine.RiskLimit{StaticReferencePx: decimal(2)}, engine.RiskLimit{StaticReferencePx: decimal(1)}, "static_reference_px"},
		{"short again", engine.RiskLimit{NoShort: true}, engine.RiskLimit{}, "no_short"},
		{"no longer short", engine.RiskLimit{}, engine.RiskLimit{NoShort: true}, ""},
	} {
		if got := loosened(&engine.RiskLimits{Limits: []engine.RiskLimit{c.before}}, &engine.RiskLimits{Limits: []engine.RiskLimit{c.after}}); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	limits := &engine.RiskLimits{MarketOrderBandBps: 10, Limits: []engine.RiskLimit{{MaxOrderQty: decimal(1)}, {Account: "A", MaxOrderQty: decimal(1)}}}
	if got := loosened(limits, &engine.RiskLimits{MarketOrderBandBps: 10, Limits: limits.Limits[:1]}); got != "max_order_qty" {
		t.Errorf("a scope that is gone: got %q", got)
	}
	if got := loosened(limits, &engine.RiskLimits{MarketOrderBandBps: 9, Limits: limits.Limits}); got != "market_order_band_bps" {
		t.Errorf("a lower band: got %q", got)
	}
}

// clearField unsets what stands under the contract's name.
func clearField(t *testing.T, limit *engine.RiskLimit, name string) {
	t.Helper()
	goName := ""
	for part := range strings.SplitSeq(name, "_") {
		goName += strings.ToUpper(part[:1]) + part[1:]
	}
	field := reflect.ValueOf(limit).Elem().FieldByName(goName)
	if !field.IsValid() {
		t.Fatalf("%s: there is no %s", name, goName)
	}
	field.SetZero()
}
