package exchange

import (
	"testing"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

func TestARefusalNamesFieldRuleAndValue(t *testing.T) {
	replaceTo := func(qty, price int64) *pb.VenueCommand {
		return &pb.VenueCommand{Command: &pb.VenueCommand_ReplaceOrder{ReplaceOrder: &pb.ReplaceOrder{
			Account: "A", ClOrdId: "r", OrigClOrdId: "open", OrderQty: qty, Price: proto.Int64(price)}}}
	}
	order := func(change func(*pb.NewOrder)) *pb.VenueCommand {
		n := limit("A", "n", buy, 1000, 10_000)
		change(n)
		return command(n)
	}
	for want, c := range map[string]*pb.VenueCommand{
		"price: must be set for a limit order and not otherwise, got 10000 with ORD_TYPE_MARKET": order(func(n *pb.NewOrder) { n.OrdType = pb.OrdType_ORD_TYPE_MARKET }),
		"stop_px: must be set for a stop order and not otherwise, got 1 with ORD_TYPE_LIMIT":     order(func(n *pb.NewOrder) { n.StopPx = proto.Int64(1) }),
		"expire_time_ns: must be set for GTD and not otherwise, got 7 with TIME_IN_FORCE_GTC":    order(func(n *pb.NewOrder) { n.ExpireTimeNs = 7 }),
		"trailing_amount, trailing_bps: must be 0, got 5 and 0":                                  order(func(n *pb.NewOrder) { n.TrailingAmount = 5 }),
		"order_qty: must be a positive multiple of 10, got 1005":                                 replaceTo(1005, 10_000),
		`instrument_id: unknown instrument "NONE.SIM"`: {Command: &pb.VenueCommand_MassCancel{
			MassCancel: &pb.MassCancel{Account: "A", InstrumentId: "NONE.SIM"}}},
	} {
		x := newExchange(t, Config{})
		do(t, x, 1, deposit("A", "USD", 1000), command(limit("A", "open", buy, 1000, 9_000)))
		reports := do(t, x, 2, c)
		if len(reports) != 1 || reports[0].GetText() != want {
			t.Errorf("got %v, want %q", reports, want)
			continue
		}
		if r := reports[0]; r.GetOrdRejReason() == 0 && r.GetCxlRejReason() == 0 {
			t.Errorf("%s: no reason in %v", want, r)
		}
	}
}
