package rpc

import (
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/journal"
)

// A limit that would do nothing is refused by field, value and rule, with all others that would not.
func TestLimitsThatWouldNotBindAreRefused(t *testing.T) {
	s := start(t, options{bars: 10})
	admin := pb.NewAdminServiceClient(s)
	set := func(limits ...*pb.RiskLimit) error {
		_, err := admin.SetLimits(t.Context(), &pb.SetLimitsRequest{RiskLimits: &pb.RiskLimits{Limits: limits}, ChangedBy: "alice", Reason: "a test"})
		return err
	}
	one, some := &pb.Decimal{Mantissa: 1}, proto.Uint32(5)
	for _, c := range []struct {
		limit *pb.RiskLimit
		want  string
	}{
		{&pb.RiskLimit{StaticCollarBps: some}, "static_collar_bps: needs static_reference_px, which is not set"},
		{&pb.RiskLimit{StaticReferencePx: one}, "static_reference_px: needs static_collar_bps, which is not set"},
		{&pb.RiskLimit{MaxAdvShareBps: some}, "max_adv_share_bps: needs adv_qty, which is not set"},
		{&pb.RiskLimit{AdvQty: one}, "adv_qty: needs max_adv_share_bps, which is not set"},
		{&pb.RiskLimit{OrderBurst: some}, "order_burst: needs order_rate_per_s, which is not set"},
		{&pb.RiskLimit{DuplicateCount: some}, "duplicate_count: needs duplicate_window_ms, which is not set"},
		{&pb.RiskLimit{RepeatWindowMs: some}, "repeat_window_ms: needs repeat_count, which is not set"},
		{&pb.RiskLimit{MaxOrderToTradeRatio: some}, "max_order_to_trade_ratio: needs otr_window_ms, which is not set"},
		{&pb.RiskLimit{DuplicateCount: some, DuplicateWindowMs: proto.Uint32(0)}, "duplicate_window_ms: must be at least 1, got 0"},
		{&pb.RiskLimit{MaxVar: one}, "max_var: needs a pre-trade model, and none is set"},
		{&pb.RiskLimit{Account: "NOBODY", Restricted: true}, `account: unknown account "NOBODY"`},
		{&pb.RiskLimit{InstrumentId: "ZZZ.NONE", Restricted: true}, `instrument_id: unknown instrument "ZZZ.NONE"`},
	} {
		checkStatus(t, set(c.limit), codes.InvalidArgument, "risk_limits.limits[0]."+c.want)
	}
	checkStatus(t, set(&pb.RiskLimit{Account: "NOBODY", StaticCollarBps: some}, &pb.RiskLimit{InstrumentId: aaa, AdvQty: one}), codes.InvalidArgument,
		`risk_limits.limits[0].account: unknown account "NOBODY"; limits[0].static_collar_bps: needs static_reference_px, which is not set; `+
			`limits[1].adv_qty: needs max_adv_share_bps, which is not set`)
	model, err := admin.SetPretradeModel(t.Context(), &pb.SetPretradeModelRequest{
		PretradeModel: &pb.PretradeModel{InstrumentIds: []string{aaa}, Covariance: []float64{1}, ConfidenceBp: 9900, HorizonDays: 1}})
	if err != nil || model.GetVersion() != 1 {
		t.Errorf("got %v, %v", model, err)
	}
	if err := set(&pb.RiskLimit{OrderRatePerS: some, MaxVar: one, StrategyId: "new"}, &pb.RiskLimit{Account: account, InstrumentId: aaa,
		StaticCollarBps: some, StaticReferencePx: one, DuplicateCount: some, DuplicateWindowMs: some}); err != nil {
		t.Error(err)
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	s := start(t, options{bars: 10})
	limits := &pb.RiskLimits{}
	for _, id := range strings.Split(strings.Repeat("a", 30), "") {
		limits.Limits = append(limits.Limits, &pb.RiskLimit{Account: id, StrategyId: strings.Repeat("s", len(limits.Limits)+1)})
	}
	_, err := pb.NewAdminServiceClient(s).SetLimits(t.Context(), &pb.SetLimitsRequest{RiskLimits: limits, ChangedBy: "alice", Reason: "a test"})
	checkStatus(t, err, codes.InvalidArgument, `limits[19].account: unknown account "a"; and 10 more`)
}

// A service that nothing limits says so, and so does one whose journal has no room.
func TestStatusWarns(t *testing.T) {
	var room atomic.Pointer[journal.Room]
	room.Store(&journal.Room{Free: 9, Headroom: 4})
	s := start(t, options{bars: 10, change: func(c *Config) { c.JournalRoom = func() (journal.Room, error) { return *room.Load(), nil } }})
	admin := pb.NewAdminServiceClient(s)
	check := func(want *pb.JournalRoom, warnings ...string) {
		t.Helper()
		status, err := admin.GetStatus(t.Context(), &pb.GetStatusRequest{})
		if err != nil || !proto.Equal(status.GetJournalRoom(), want) || len(status.GetWarnings()) != len(warnings) {
			t.Fatalf("got %v, %v", status, err)
		}
		for i, warning := range warnings {
			if !strings.HasPrefix(status.GetWarnings()[i], warning) {
				t.Errorf("got %q, want %q", status.GetWarnings()[i], warning)
			}
		}
	}
	set := func(version uint64, limit *pb.RiskLimit) {
		t.Helper()
		if _, err := admin.SetLimits(t.Context(), &pb.SetLimitsRequest{RiskLimits: &pb.RiskLimits{Limits: []*pb.RiskLimit{limit}},
			ExpectedVersion: version, ChangedBy: "alice", Reason: "a test"}); err != nil {
			t.Fatal(err)
		}
	}
	check(&pb.JournalRoom{FreeBytes: 9, HeadroomBytes: 4}, "no limits are set: ")
	set(0, &pb.RiskLimit{Account: account})
	check(&pb.JournalRoom{FreeBytes: 9, HeadroomBytes: 4}, "no limits are set: ")
	set(1, &pb.RiskLimit{Account: account, NoShort: true})
	check(&pb.JournalRoom{FreeBytes: 9, HeadroomBytes: 4})
	room.Store(&journal.Room{Low: true})
	check(&pb.JournalRoom{Low: true}, "the disk of the journal is full: ")
}
