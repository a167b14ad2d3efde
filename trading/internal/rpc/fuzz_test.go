package rpc

import (
	"testing"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/market"
)

// Whatever bytes come as a request, decoding gives inputs or an error.
func FuzzDecode(f *testing.F) {
	for _, m := range []proto.Message{
		&pb.SubmitOrdersRequest{Commands: []*pb.OrderCommand{newOrder(buy("a", aaa, 1)), cancelOf("c", "a")}},
		&pb.BacktestConfig{DataSet: "x", Account: "A", InitialCash: &pb.Money{Currency: "USD", Units: 1}, MaxVolumeShareBps: 1,
			RiskLimits: &pb.RiskLimits{Limits: []*pb.RiskLimit{{MaxOrderQty: &pb.Decimal{Mantissa: 1, Scale: 2}}}}},
		&pb.SetLimitsRequest{RiskLimits: &pb.RiskLimits{Limits: []*pb.RiskLimit{{Account: "A"}}}, ChangedBy: "me", Reason: "why"},
	} {
		seed, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(seed)
	}
	dataset := &market.Dataset{}
	f.Fuzz(func(t *testing.T, data []byte) {
		var commands pb.SubmitOrdersRequest
		if proto.Unmarshal(data, &commands) == nil {
			for _, command := range commands.GetCommands() {
				if input, err := decodeCommand(command, "s"); input == nil && err == nil {
					t.Errorf("got nothing of %v", command)
				} else if err != nil && refused(command, 1, err.Error()).GetText() == "" {
					t.Errorf("nobody is told what is wrong with %v", command)
				}
			}
			_, _ = decodeSession(commands.GetSession())
		}
		var config pb.BacktestConfig
		if proto.Unmarshal(data, &config) == nil {
			_, _, _ = decodeBacktestConfig(&config, dataset)
		}
		var limits pb.SetLimitsRequest
		if proto.Unmarshal(data, &limits) == nil {
			if change, err := decodeLimitChange(&limits); (change == nil) == (err == nil) {
				t.Errorf("got %v and %v", change, err)
			}
		}
	})
}
