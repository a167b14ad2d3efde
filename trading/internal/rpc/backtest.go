package rpc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/clock"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/simulation"
)

const (
	// riskConnect is how long a backtest waits for the Risk Service before it starts.
	riskConnect = 2 * time.Second
	// simulatedRiskTimeout is long, as the result of a backtest must not depend on how busy the machine is.
	simulatedRiskTimeout = 10 * time.Second
)

type simulationService struct {
	pb.UnimplementedSimulationServiceServer
	*Server
}

func (s simulationService) RunBacktest(stream pb.SimulationService_RunBacktestServer) error {
	select {
	case s.backtests <- struct{}{}:
		defer func() { <-s.backtests }()
	default:
		return status.Errorf(codes.ResourceExhausted, "%d backtests run already, the most that AETHERION_TRADING_MAX_BACKTESTS allows",
			s.config.MaxBacktests)
	}
	request, err := stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return unavailable(err)
	}
	if request.GetConfig() == nil {
		return invalidf("config: must come first")
	}
	b, err := s.openBacktest(stream.Context(), request.GetConfig())
	if err != nil {
		return err
	}
	defer b.close()
	b.stream = stream
	return b.run()
}

// backtest is one session with what it holds.
type backtest struct {
	server  *Server
	stream  pb.SimulationService_RunBacktestServer
	dataset *market.Dataset
	config  simulation.Config
	reader  *market.Reader
	gate    *gate.Gate
	session *simulation.Session
	encoder *market.Encoder
	pacer   *market.Pacer
}

// openBacktest opens the data and a stream to the Risk Service of the session's own.
func (s simulationService) openBacktest(ctx context.Context, c *pb.BacktestConfig) (*backtest, error) {
	dataset, err := s.catalog.Open(c.GetDataSet())
	switch {
	case errors.Is(err, market.ErrNotFound):
		return nil, notFound("config.%v", err)
	case errors.Is(err, market.ErrName):
		return nil, invalidf("config.%v", err)
	case err != nil:
		return nil, status.Error(codes.FailedPrecondition, err.Error())
	}
	config, window, err := decodeBacktestConfig(c, dataset)
	if err != nil {
		return nil, err
	}
	b := &backtest{
		server: s.Server, dataset: dataset, config: config,
		encoder: market.NewEncoder(dataset.Instruments), pacer: market.NewPacer(clock.System{}, c.GetSpeed()),
	}
	if err := b.open(ctx, window); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *backtest) open(ctx context.Context, window market.Window) error {
	reader, err := b.dataset.Read(window)
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	b.reader = reader
	state := engine.New()
	b.gate = gate.New(b.server.risk, state.PretradeSnapshot, gate.Config{Deadline: simulatedRiskTimeout})
	ctx, cancel := context.WithTimeout(ctx, riskConnect)
	defer cancel()
	if err := b.gate.Ready(ctx); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	b.session, err = simulation.New(b.config, reader, state, b.gate, journal.NewMemory())
	if err != nil && !isFault(err) {
		return invalid(fmt.Errorf("config.%w", err))
	}
	return failed(err)
}

func (b *backtest) close() {
	if b.gate != nil {
		b.gate.Close()
	}
	if b.reader != nil {
		b.reader.Close()
	}
}

func (b *backtest) run() error {
	if err := b.send(&pb.RunBacktestResponse{Response: &pb.RunBacktestResponse_Started{Started: b.started()}}); err != nil {
		return err
	}
	for {
		step, finished, err := b.session.Step()
		if err != nil {
			return failed(err)
		}
		if finished {
			return b.send(&pb.RunBacktestResponse{Response: &pb.RunBacktestResponse_Finished{Finished: b.finished()}})
		}
		if err := b.turn(&step); err != nil {
			return err
		}
	}
}

// turn sends what of a step is due and takes the answer.
func (b *backtest) turn(step *simulation.Step) error {
	if len(step.Rows) > 0 {
		if err := b.pacer.Wait(b.stream.Context(), step.Rows[0].TransactTime); err != nil {
			return unavailable(err)
		}
		// The session gives rows again that were not handled, so the rest of them may come later.
		step.Rows = step.Rows[:max(1, b.pacer.Due(step.Rows))]
	}
	if err := b.send(&pb.RunBacktestResponse{Response: &pb.RunBacktestResponse_Step{Step: b.encode(step)}}); err != nil {
		return err
	}
	advance, err := b.receive(len(step.Rows))
	if err != nil {
		return err
	}
	commands, err := decodeAll(advance.GetCommands(), b.server.config.MaxBatchCommands)
	if err != nil {
		return invalid(within("advance", err))
	}
	return failed(b.session.Advance(int(advance.GetRowsHandled()), commands, advance.GetStop()))
}

func (b *backtest) receive(rows int) (*pb.BacktestAdvance, error) {
	request, err := b.stream.Recv()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	advance := request.GetAdvance()
	switch {
	case advance == nil:
		return nil, invalidf("advance: must answer every step")
	case int64(advance.GetRowsHandled()) > int64(rows):
		return nil, invalidf("advance.rows_handled: must be at most the %d rows of the step, got %d", rows, advance.GetRowsHandled())
	}
	return advance, nil
}

func (b *backtest) send(response *pb.RunBacktestResponse) error {
	return send(b.server, b.stream, response, func() string { return "start the backtest again" })
}

// failed is a session that cannot go on: its data is at fault, or an amount would overflow.
func failed(err error) error {
	if err == nil {
		return nil
	}
	if isFault(err) {
		err = fmt.Errorf("data_set: %w", err)
	}
	return status.Error(codes.FailedPrecondition, err.Error())
}

func isFault(err error) bool {
	var fault *market.FaultError
	return errors.As(err, &fault)
}

func (b *backtest) started() *pb.BacktestStarted {
	started := &pb.BacktestStarted{TotalRows: b.dataset.Rows, DataSha256: b.dataset.SHA256}
	for i := range b.dataset.Instruments {
		if b.config.Used == nil || slices.Contains(b.config.Used, uint32(i)) {
			started.Instruments = append(started.Instruments, contract.EncodeInstrument(&b.dataset.Instruments[i]))
		}
	}
	return started
}

func (b *backtest) finished() *pb.BacktestFinished {
	f := b.session.Finished()
	return &pb.BacktestFinished{
		AccountState: contract.EncodeAccountState(&f.Account),
		StateSha256:  hex.EncodeToString(f.StateHash[:]),
		LastSequence: f.LastSequence,
		Rows:         f.Rows,
		OpenOrders:   uint32(f.OpenOrders),
	}
}

func (b *backtest) encode(step *simulation.Step) *pb.BacktestStep {
	encoded := &pb.BacktestStep{
		FirstRow: step.FirstRow, Batch: b.encoder.Encode(step.Rows), Events: make([]*pb.BacktestEvent, len(step.Events)),
	}
	for i := range step.Events {
		encoded.Events[i] = encodeEvent(&step.Events[i])
	}
	return encoded
}

// encodeEvent leaves before_row at 0: a session puts all events of a step before its rows.
func encodeEvent(e *simulation.Event) *pb.BacktestEvent {
	switch {
	case e.Report != nil:
		return &pb.BacktestEvent{Event: &pb.BacktestEvent_ExecutionReport{ExecutionReport: contract.EncodeExecutionReport(e.Report)}}
	case e.DayEnd != nil:
		return &pb.BacktestEvent{Event: &pb.BacktestEvent_DayEnd{DayEnd: contract.EncodeAccountState(e.DayEnd)}}
	default:
		return &pb.BacktestEvent{Event: &pb.BacktestEvent_Ack{Ack: contract.EncodeCommandAck(e.Ack)}}
	}
}
