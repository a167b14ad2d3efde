package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

func backtestConfig(change ...func(*pb.BacktestConfig)) *pb.BacktestConfig {
	c := &pb.BacktestConfig{
		DataSet: "bars", Account: "B", InitialCash: &pb.Money{Currency: "USD", Units: 1_000_000}, MaxVolumeShareBps: 10_000,
	}
	for _, one := range change {
		one(c)
	}
	return c
}

// backtestRun is what a client saw.
type backtestRun struct {
	started  *pb.BacktestStarted
	finished *pb.BacktestFinished
	rows     int
	acks     []*pb.CommandAck
	fills    []*pb.ExecutionReport
	dayEnds  int
}

// strategy buys a share of AAA at every 10th row.
func strategy(row int) *pb.OrderCommand {
	if row%10 != 9 {
		return nil
	}
	order := buy(fmt.Sprint(row), aaa, 1)
	order.Account = "B"
	return newOrder(order)
}

func openBacktest(t *testing.T, ctx context.Context, s *service, config *pb.BacktestConfig) pb.SimulationService_RunBacktestClient {
	t.Helper()
	stream, err := pb.NewSimulationServiceClient(s).RunBacktest(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = stream.Send(&pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Config{Config: config}})
	if err != nil && !errors.Is(err, io.EOF) { // io.EOF: it has ended already, and Recv says why.
		t.Fatal(err)
	}
	return stream
}

func advance(t *testing.T, stream pb.SimulationService_RunBacktestClient, answer *pb.BacktestAdvance) {
	t.Helper()
	if err := stream.Send(&pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Advance{Advance: answer}}); err != nil {
		t.Fatal(err)
	}
}

// run plays a strategy, which stops at each row at which it has something to say.
func run(t *testing.T, s *service, config *pb.BacktestConfig, strategy func(row int) *pb.OrderCommand) backtestRun {
	t.Helper()
	stream, r := openBacktest(t, t.Context(), s, config), backtestRun{}
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		switch m := response.GetResponse().(type) {
		case *pb.RunBacktestResponse_Started:
			r.started = m.Started
		case *pb.RunBacktestResponse_Finished:
			r.finished = m.Finished
			if _, err := stream.Recv(); err != io.EOF { // The service is done with it only then.
				t.Fatal(err)
			}
			return r
		case *pb.RunBacktestResponse_Step:
			if m.Step.GetFirstRow() != uint64(r.rows) {
				t.Fatalf("first_row %d, want %d", m.Step.GetFirstRow(), r.rows)
			}
			r.take(m.Step.GetEvents())
			advance(t, stream, r.answer(m.Step, strategy))
		}
	}
}

func (r *backtestRun) take(events []*pb.BacktestEvent) {
	for _, event := range events {
		switch e := event.GetEvent().(type) {
		case *pb.BacktestEvent_Ack:
			r.acks = append(r.acks, e.Ack)
		case *pb.BacktestEvent_DayEnd:
			r.dayEnds++
		case *pb.BacktestEvent_ExecutionReport:
			if e.ExecutionReport.GetExecType() == pb.ExecType_EXEC_TYPE_TRADE {
				r.fills = append(r.fills, e.ExecutionReport)
			}
		}
	}
}

func (r *backtestRun) answer(step *pb.BacktestStep, strategy func(row int) *pb.OrderCommand) *pb.BacktestAdvance {
	answer := &pb.BacktestAdvance{}
	for range step.GetBatch().GetRowCount() {
		command := strategy(r.rows)
		r.rows++
		answer.RowsHandled++
		if command != nil {
			answer.Commands = append(answer.Commands, command)
			break
		}
	}
	return answer
}

func TestBacktestFromEndToEnd(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 500})
	r := run(t, s, backtestConfig(), strategy)
	if r.rows != 1000 || r.finished.GetRows() != 1000 || r.started.GetTotalRows() != 1000 || len(r.started.GetInstruments()) != 2 ||
		len(r.started.GetDataSha256()) != 64 || r.dayEnds != 1 {
		t.Errorf("got %d rows, %v, %v", r.rows, r.started, r.finished)
	}
	// The last order finds no bar after it.
	if len(r.acks) != 100 || len(r.fills) != 99 || r.finished.GetOpenOrders() != 1 {
		t.Fatalf("%d acks, %d fills, %d open orders", len(r.acks), len(r.fills), r.finished.GetOpenOrders())
	}
	// Row 9 is BBB's 5th bar, which closes when AAA's 6th opens at 105 cents.
	if fill := r.fills[0]; fill.GetLastPx() != 105 || fill.GetTransactTimeNs() != 6*second {
		t.Errorf("got %v", fill)
	}
	for name, change := range map[string]func(*pb.BacktestConfig){
		"again":           func(*pb.BacktestConfig) {},
		"a row at a time": func(c *pb.BacktestConfig) { c.MaxBatchRows = 1 },
		"at a pace":       func(c *pb.BacktestConfig) { c.Speed = 2000 },
	} {
		if other := run(t, s, backtestConfig(change), strategy); other.finished.GetStateSha256() != r.finished.GetStateSha256() ||
			other.finished.GetLastSequence() != r.finished.GetLastSequence() {
			t.Errorf("%s: got %v, want %v", name, other.finished, r.finished)
		}
	}
}

func TestBacktestOfAPart(t *testing.T) {
	s := start(t, options{bars: 100})
	nothing := func(int) *pb.OrderCommand { return nil }
	for _, c := range []struct {
		name   string
		change func(*pb.BacktestConfig)
		rows   int
	}{
		{"one instrument", func(c *pb.BacktestConfig) { c.InstrumentIds = []string{bbb} }, 100},
		{"from", func(c *pb.BacktestConfig) { c.StartTimeNs = 91 * second }, 20},
		{"until", func(c *pb.BacktestConfig) { c.EndTimeNs = 11 * second }, 20},
		{"nothing", func(c *pb.BacktestConfig) { c.StartTimeNs = 101 * second }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r := run(t, s, backtestConfig(c.change), nothing); r.rows != c.rows || r.finished.GetRows() != uint64(c.rows) {
				t.Errorf("%d rows, want %d", r.rows, c.rows)
			}
		})
	}
}

func TestBacktestPace(t *testing.T) {
	s := start(t, options{bars: 11})
	begun := time.Now()
	run(t, s, backtestConfig(func(c *pb.BacktestConfig) { c.Speed = 100 }), func(int) *pb.OrderCommand { return nil })
	// From the first row to the last it is ten recorded seconds.
	if took := time.Since(begun); took < 100*time.Millisecond || took > 5*time.Second {
		t.Errorf("took %v, want 100 ms", took)
	}
}

func TestBacktestEndsEarly(t *testing.T) {
	s := start(t, options{bars: 100})
	stream := openBacktest(t, t.Context(), s, backtestConfig())
	for {
		response, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if finished := response.GetFinished(); finished != nil {
			if finished.GetRows() != 3 {
				t.Errorf("%d rows, want 3", finished.GetRows())
			}
			return
		}
		if response.GetStep() != nil {
			advance(t, stream, &pb.BacktestAdvance{RowsHandled: 3, Stop: true})
		}
	}
}

func TestBacktestWithRiskDown(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 100})
	stopped := false
	r := run(t, s, backtestConfig(), func(row int) *pb.OrderCommand {
		if row == 55 && !stopped {
			stopped = true
			s.risk.Stop(t, s.session.Gate)
			time.Sleep(50 * time.Millisecond) // The backtest has a gate of its own.
		}
		return strategy(row)
	})
	if len(r.acks) != 20 {
		t.Fatalf("%d acks, want 20", len(r.acks))
	}
	for i, ack := range r.acks {
		want := pb.OrdRejReason_ORD_REJ_REASON_UNSPECIFIED
		if i >= 5 {
			want = pb.OrdRejReason_ORD_REJ_REASON_RISK_UNAVAILABLE
		}
		if ack.GetOrdRejReason() != want {
			t.Errorf("order %d: got %v, want %v", i, ack.GetOrdRejReason(), want)
		}
	}
	_, err := openBacktest(t, t.Context(), s, backtestConfig()).Recv()
	checkStatus(t, err, codes.Unavailable, "risk service: ")
}

func TestBacktestConfigErrors(t *testing.T) {
	s := start(t, options{bars: 10})
	for _, c := range []struct {
		name   string
		change func(*pb.BacktestConfig)
		code   codes.Code
		want   string
	}{
		{"data set", func(c *pb.BacktestConfig) { c.DataSet = "other" }, codes.NotFound, `config.data_set: no such data set "other"`},
		{"path", func(c *pb.BacktestConfig) { c.DataSet = "../x" }, codes.InvalidArgument, "config.data_set: must be the name of a folder"},
		{"instrument", func(c *pb.BacktestConfig) { c.InstrumentIds = []string{aaa, "X"} }, codes.NotFound, `config.instrument_ids[1]: there is no instrument "X"`},
		{"account", func(c *pb.BacktestConfig) { c.Account = "" }, codes.InvalidArgument, "config.account: must have 1 to 64 characters"},
		{"no cash", func(c *pb.BacktestConfig) { c.InitialCash = nil }, codes.InvalidArgument, "config.initial_cash.currency: must be set"},
		{"bad cash", func(c *pb.BacktestConfig) { c.InitialCash.Attos = -1 }, codes.InvalidArgument, "config.initial_cash.attos: must have the sign of units"},
		{"debt", func(c *pb.BacktestConfig) { c.InitialCash.Units = -1 }, codes.InvalidArgument, "config.initial_cash: must not be negative"},
		{"limits", func(c *pb.BacktestConfig) {
			c.RiskLimits = &pb.RiskLimits{Limits: []*pb.RiskLimit{{MaxOrderQty: &pb.Decimal{Mantissa: -1}}}}
		}, codes.InvalidArgument, "config.risk_limits.limits[0].max_order_qty: must not be negative"},
		{"a limit that would not bind", func(c *pb.BacktestConfig) {
			c.RiskLimits = &pb.RiskLimits{Limits: []*pb.RiskLimit{{Account: "OTHER", OrderBurst: proto.Uint32(1)}}}
		}, codes.InvalidArgument, `config.risk_limits.limits[0].account: unknown account "OTHER"; limits[0].order_burst: needs order_rate_per_s`},
		{"share", func(c *pb.BacktestConfig) { c.MaxVolumeShareBps = 0 }, codes.InvalidArgument, "config.max_volume_share_bps: must be 1 to 10,000, got 0"},
		{"latency", func(c *pb.BacktestConfig) { c.OrderLatencyNs = -1 }, codes.InvalidArgument, "config.order_latency_ns: must be 0 to one day, got -1"},
		{"rows", func(c *pb.BacktestConfig) { c.MaxBatchRows = 65_537 }, codes.InvalidArgument, "config.max_batch_rows: must be at most 65536, got 65537"},
		{"speed", func(c *pb.BacktestConfig) { c.Speed = -1 }, codes.InvalidArgument, "config.speed: must be from 0 to 1e+09, got -1"},
		{"queue", func(c *pb.BacktestConfig) { c.QueueModel = pb.QueueModel_QUEUE_MODEL_LOG }, codes.InvalidArgument,
			"config.queue_model: must be left out where the data has no levels, got QUEUE_MODEL_LOG"},
		{"queue of another contract", func(c *pb.BacktestConfig) { c.QueueModel = 9 }, codes.InvalidArgument, "config.queue_model: must be one of the contract, got 9"},
		{"end", func(c *pb.BacktestConfig) { c.StartTimeNs, c.EndTimeNs = 2, 2 }, codes.InvalidArgument, "config.end_time_ns: must be after start_time_ns 2, got 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := openBacktest(t, t.Context(), s, backtestConfig(c.change)).Recv()
			checkStatus(t, err, c.code, c.want)
		})
	}
}

func TestBacktestAnswersAreChecked(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	for _, c := range []struct {
		name   string
		answer *pb.RunBacktestRequest
		want   string
	}{
		{"rows", &pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Advance{Advance: &pb.BacktestAdvance{RowsHandled: 1000}}},
			"advance.rows_handled: must be at most the 20 rows of the step, got 1000"},
		{"command", &pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Advance{Advance: &pb.BacktestAdvance{Commands: []*pb.OrderCommand{{}}}}},
			"advance.commands[0].command: must be set"},
		{"config again", &pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Config{}}, "advance: must answer every step"},
		{"nothing", &pb.RunBacktestRequest{}, "advance: must answer every step"},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := openBacktest(t, t.Context(), s, backtestConfig())
			for range 2 { // started, and the first step
				if _, err := stream.Recv(); err != nil {
					t.Fatal(err)
				}
			}
			if err := stream.Send(c.answer); err != nil {
				t.Fatal(err)
			}
			_, err := stream.Recv()
			checkStatus(t, err, codes.InvalidArgument, c.want)
		})
	}
	stream, err := pb.NewSimulationServiceClient(s).RunBacktest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	advance(t, stream, &pb.BacktestAdvance{})
	_, err = stream.Recv()
	checkStatus(t, err, codes.InvalidArgument, "config: must come first")
}

func TestBacktestsAreBoundedAndEndWithTheirClient(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	ctx, leave := context.WithCancel(t.Context())
	for range 2 {
		if _, err := openBacktest(t, ctx, s, backtestConfig()).Recv(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := openBacktest(t, t.Context(), s, backtestConfig()).Recv()
	checkStatus(t, err, codes.ResourceExhausted, "2 backtests run already, the most that AETHERION_TRADING_MAX_BACKTESTS allows")
	leave()
	eventually(t, "the backtests end", func() bool { return len(s.server.backtests) == 0 })
	run(t, s, backtestConfig(), strategy)
}

func TestBadRowEndsTheBacktest(t *testing.T) {
	s := start(t, options{bars: 10})
	dir := filepath.Join(s.server.catalog.Dir, "bars")
	if err := os.WriteFile(filepath.Join(dir, "bars.parquet"), []byte("PAR1"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := openBacktest(t, t.Context(), s, backtestConfig()).Recv()
	checkStatus(t, err, codes.FailedPrecondition, "bars.parquet: sha256: must be ")
	manifest, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "manifest.json"), []byte(strings.Replace(string(manifest), "dataset/1", "dataset/2", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openBacktest(t, t.Context(), s, backtestConfig()).Recv()
	checkStatus(t, err, codes.FailedPrecondition, `format: must be "aetherion.dataset/1", got "aetherion.dataset/2"`)
}
