package main

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "aetherion/trading/gen/aetherion/v1"
)

type asked struct {
	Checks  int       `json:"checks"`
	Seconds float64   `json:"seconds"`
	Latency latencies `json:"latency_us"` // of a message
}

// asker is one stream of checks, in messages as the gate sends them.
type asker struct {
	stream   grpc.BidiStreamingClient[pb.CheckRequest, pb.CheckResponse]
	batch    int
	sequence uint64
}

func risk(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("risk", flag.ExitOnError)
	address := flags.String("address", "", "of the Risk Service, host:port or unix:path")
	batch := flags.Int("batch", 1, "checks in a message")
	window := flags.Int("window", 1, "messages that are out at once")
	lasts := flags.Duration("lasts", 3*time.Second, "for how long")
	_ = flags.Parse(args) // It exits on an error.
	conn, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stream, err := pb.NewPretradeServiceClient(conn).Check(ctx)
	if err != nil {
		return nil, err
	}
	a := &asker{stream: stream, batch: *batch, sequence: 1}
	if err := stream.Send(&pb.CheckRequest{Epoch: 1, Events: []*pb.PretradeEvent{world()}}); err != nil {
		return nil, err
	}
	return a.measure(*window, *lasts)
}

// measure keeps so many messages out.
func (a *asker) measure(window int, lasts time.Duration) (*asked, error) {
	var out []time.Time // when each message that is out was sent
	var took []time.Duration
	for begin := time.Now(); ; {
		for time.Since(begin) < lasts && len(out) < window {
			request := a.request()
			out = append(out, time.Now())
			if err := a.stream.Send(request); err != nil {
				return nil, err
			}
		}
		if len(out) == 0 {
			return &asked{len(took) * a.batch, time.Since(begin).Seconds(), percentiles(took)}, nil
		}
		response, err := a.stream.Recv()
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(out[0]))
		out = out[1:]
		if err := a.approved(response); err != nil {
			return nil, err
		}
	}
}

// request has the next checks.
func (a *asker) request() *pb.CheckRequest {
	request := &pb.CheckRequest{Epoch: 1}
	for range a.batch {
		a.sequence++
		request.Events = append(request.Events, &pb.PretradeEvent{Sequence: a.sequence, TransactTimeNs: int64(a.sequence), Event: &pb.PretradeEvent_Check{
			Check: &pb.PretradeCheck{OrderId: a.sequence, NewOrder: order("order-"+strconv.FormatUint(a.sequence, 10), "DEMO", "AAPL.XNAS")},
		}})
	}
	return request
}

func (a *asker) approved(response *pb.CheckResponse) error {
	if got := len(response.GetDecisions()); got != a.batch {
		return fmt.Errorf("%d decisions, want %d", got, a.batch)
	}
	for _, decision := range response.GetDecisions() {
		if !decision.GetApproved() {
			return fmt.Errorf("refused: %v", decision)
		}
	}
	return nil
}

// world is an account that may trade one instrument, within limits that are checked and not reached.
func world() *pb.PretradeEvent {
	ample := func() *pb.Decimal { return &pb.Decimal{Mantissa: 1e15} }
	return &pb.PretradeEvent{Sequence: 1, TransactTimeNs: 1, Event: &pb.PretradeEvent_Snapshot{Snapshot: &pb.PretradeSnapshot{
		Instruments: []*pb.Instrument{{
			InstrumentId: "AAPL.XNAS", Version: 1, InstrumentClass: pb.InstrumentClass_INSTRUMENT_CLASS_EQUITY, BaseCurrency: "AAPL",
			QuoteCurrency: "USD", PriceScale: 4, PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: &pb.Decimal{Mantissa: 1},
			MakerFeeRatio: &pb.Decimal{}, TakerFeeRatio: &pb.Decimal{},
		}},
		Accounts: []*pb.AccountOpened{{Account: "DEMO", BaseCurrency: "USD"}},
		RiskLimits: &pb.RiskLimits{Version: 1, Limits: []*pb.RiskLimit{
			{MaxOrderQty: ample(), MaxOrderNotional: ample(), MaxPositionQty: ample()},
			{Account: "DEMO", MaxOrderQty: ample(), MaxOrderNotional: ample(), MaxPositionQty: ample()},
		}},
		Marks: []*pb.Mark{{InstrumentId: "AAPL.XNAS", MarkPx: 1_000_000}},
	}}}
}
