package rpc

import (
	"testing"

	pb "aetherion/trading/gen/aetherion/v1"
)

// BenchmarkStreamMarketData is from the Parquet file to a Go client over loopback.
func BenchmarkStreamMarketData(b *testing.B) {
	const bars = 500_000
	for b.Loop() {
		b.StopTimer()
		s := start(b, options{bars: bars})
		stream := subscribe(b, s, &pb.StreamMarketDataRequest{})
		b.StartTimer()
		for rows := uint32(0); rows < 2*bars; {
			response, err := stream.Recv()
			if err != nil {
				b.Fatal(err)
			}
			rows += response.GetBatch().GetRowCount()
		}
		b.StopTimer()
		s.stop()
		b.StartTimer()
	}
	b.ReportMetric(2*bars*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// BenchmarkBacktestRows is a backtest whose strategy never trades: rows in steps, each answered.
func BenchmarkBacktestRows(b *testing.B) {
	const bars = 500_000
	s := start(b, options{bars: bars})
	for b.Loop() {
		stream, err := pb.NewSimulationServiceClient(s).RunBacktest(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		request := &pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Config{Config: backtestConfig()}}
		for finished := false; !finished; {
			if err := stream.Send(request); err != nil {
				b.Fatal(err)
			}
			response, err := stream.Recv()
			if err == nil && response.GetStarted() != nil {
				response, err = stream.Recv()
			}
			if err != nil {
				b.Fatal(err)
			}
			finished = response.GetFinished() != nil
			request = &pb.RunBacktestRequest{Request: &pb.RunBacktestRequest_Advance{Advance: &pb.BacktestAdvance{
				RowsHandled: response.GetStep().GetBatch().GetRowCount(),
			}}}
		}
	}
	b.ReportMetric(2*bars*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

// BenchmarkRepeatedOrder is a unary call through the sequencer and back.
func BenchmarkRepeatedOrder(b *testing.B) {
	orders := pb.NewOrderServiceClient(start(b, options{bars: 10}))
	// The same order again: the outcome comes from the journal, without asking risk or filling memory.
	for b.Loop() {
		if _, err := orders.SubmitOrder(b.Context(), &pb.SubmitOrderRequest{NewOrder: buy("a", aaa, 1)}); err != nil {
			b.Fatal(err)
		}
	}
}
