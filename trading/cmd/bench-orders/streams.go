package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "aetherion/trading/gen/aetherion/v1"
)

// streamed is what readers saw before and after others came that ask for everything and read nothing.
type streamed struct {
	Before seen `json:"before"`
	After  seen `json:"after"`
}

// seen is from when the service stamped a report or a row to when a reader had it.
type seen struct {
	Messages int       `json:"messages"`
	Reports  latencies `json:"reports_us"`
	Rows     latencies `json:"rows_us"`
	// Memory of the service at the begin and the end.
	BeginMB float64 `json:"begin_mb"`
	EndMB   float64 `json:"end_mb"`
}

// readers are clients with a connection each, half of them of market data and half of execution reports.
type readers struct {
	address, account, instrument string
	pid                          int
	from                         uint64 // sequence of the first report that is read
	all                          []*reader
	running                      sync.WaitGroup
}

// reader is one client.
type reader struct {
	rows bool // market data
	mu   sync.Mutex
	took []time.Duration
}

func streams(ctx context.Context, args []string) (any, error) {
	r := &readers{}
	flags := flag.NewFlagSet("streams", flag.ExitOnError)
	flags.StringVar(&r.address, "address", "", "of the service, host:port")
	flags.IntVar(&r.pid, "pid", 0, "process of the service")
	flags.StringVar(&r.account, "account", "DEMO", "of the orders and their reports")
	flags.StringVar(&r.instrument, "instrument", "BTCUSD.SIM", "of the orders and the market data")
	clients := flags.Int("clients", 900, "that read")
	frozen := flags.Int("frozen", 100, "that come later and read nothing")
	rate := flags.Float64("rate", 10, "orders a second")
	lasts := flags.Duration("lasts", 10*time.Second, "before and after they come, each")
	_ = flags.Parse(args) // It exits on an error.
	ctx, stop := context.WithCancel(ctx)
	defer r.running.Wait()
	defer stop()
	if err := r.start(ctx, *clients); err != nil {
		return nil, err
	}
	trading := make(chan error, 1)
	r.running.Go(func() { trading <- r.trade(ctx, *rate) })
	if _, err := r.watch(ctx, trading, *lasts/2); err != nil { // While they connect.
		return nil, err
	}
	before, err := r.watch(ctx, trading, *lasts)
	if err != nil {
		return nil, err
	}
	for i := range *frozen {
		if err := r.freeze(ctx, i%2 == 0); err != nil {
			return nil, err
		}
	}
	if _, err := r.watch(ctx, trading, *lasts/2); err != nil { // While their connections fill up.
		return nil, err
	}
	after, err := r.watch(ctx, trading, *lasts)
	return &streamed{before, after}, err
}

// watch is what is seen from now on.
func (r *readers) watch(ctx context.Context, trading <-chan error, lasts time.Duration) (seen, error) {
	r.collect()
	begin, err := residentMB(r.pid)
	if err != nil {
		return seen{}, err
	}
	select {
	case <-time.After(lasts):
	case err := <-trading:
		return seen{}, fmt.Errorf("orders: %w", err)
	case <-ctx.Done():
		return seen{}, ctx.Err()
	}
	reports, rows := r.collect()
	end, err := residentMB(r.pid)
	return seen{len(reports) + len(rows), percentiles(reports), percentiles(rows), begin, end}, err
}

// collect takes what was measured since it was called last.
func (r *readers) collect() (reports, rows []time.Duration) {
	for _, one := range r.all {
		one.mu.Lock()
		took := one.took
		one.took = nil
		one.mu.Unlock()
		if one.rows {
			rows = append(rows, took...)
		} else {
			reports = append(reports, took...)
		}
	}
	return reports, rows
}

// start connects clients that read from now on, until ctx ends.
func (r *readers) start(ctx context.Context, clients int) error {
	conn, err := r.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	status, err := pb.NewAdminServiceClient(conn).GetStatus(ctx, &pb.GetStatusRequest{})
	if err != nil {
		return err
	}
	r.from = status.GetSequence() + 1
	for i := range clients {
		one := &reader{rows: i%2 == 0}
		conn, err := r.dial()
		if err != nil {
			return err
		}
		next, err := r.subscribe(ctx, conn, one.rows)
		if err != nil {
			return err
		}
		r.all = append(r.all, one)
		r.running.Go(func() {
			defer conn.Close()
			read(ctx, one, next)
		})
	}
	return nil
}

func (r *readers) dial() (*grpc.ClientConn, error) {
	return grpc.NewClient(r.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// freeze connects a client that asks for all there is, more than its connection holds, and reads nothing.
func (r *readers) freeze(ctx context.Context, rows bool) error {
	conn, err := r.dial()
	if err != nil {
		return err
	}
	r.running.Go(func() {
		<-ctx.Done()
		conn.Close()
	})
	if !rows {
		_, err = pb.NewOrderServiceClient(conn).StreamExecutionReports(ctx, &pb.StreamExecutionReportsRequest{Account: r.account})
		return err
	}
	data, err := pb.NewMarketDataServiceClient(conn).StreamMarketData(ctx)
	if err != nil {
		return err
	}
	return data.Send(&pb.StreamMarketDataRequest{})
}

// subscribe gives what reads the next message, and when the newest in it was stamped.
func (r *readers) subscribe(ctx context.Context, conn *grpc.ClientConn, rows bool) (next func() (stamped int64, err error), err error) {
	if !rows {
		reports, err := pb.NewOrderServiceClient(conn).StreamExecutionReports(ctx, &pb.StreamExecutionReportsRequest{
			Account: r.account, FromSequence: r.from,
		})
		return func() (int64, error) {
			response, err := reports.Recv()
			if n := len(response.GetReports()); n > 0 {
				return response.GetReports()[n-1].GetTransactTimeNs(), err
			}
			return 0, err
		}, err
	}
	data, err := pb.NewMarketDataServiceClient(conn).StreamMarketData(ctx)
	if err != nil {
		return nil, err
	}
	return func() (int64, error) {
		response, err := data.Recv()
		return lastTime(response.GetBatch()), err
	}, data.Send(&pb.StreamMarketDataRequest{InstrumentIds: []string{r.instrument}, Kinds: []pb.MarketDataKind{pb.MarketDataKind_MARKET_DATA_KIND_TRADE}})
}

func lastTime(batch *pb.MarketDataBatch) int64 {
	for _, column := range batch.GetColumns() {
		if n := len(column.GetData()); column.GetId() == pb.ColumnId_COLUMN_ID_TRANSACT_TIME_NS && n >= 8 {
			return int64(binary.LittleEndian.Uint64(column.GetData()[n-8:]))
		}
	}
	return 0
}

// read goes on until the stream ends.
func read(ctx context.Context, one *reader, next func() (int64, error)) {
	for {
		stamped, err := next()
		if err != nil {
			if ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "bench-orders streams: a reader:", err)
			}
			return
		}
		one.mu.Lock()
		one.took = append(one.took, time.Duration(time.Now().UnixNano()-stamped))
		one.mu.Unlock()
	}
}

// trade makes reports.
func (r *readers) trade(ctx context.Context, rate float64) error {
	conn, err := r.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	orders := pb.NewOrderServiceClient(conn)
	prefix := strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	ticks := time.NewTicker(time.Duration(float64(time.Second) / rate))
	defer ticks.Stop()
	for i := 0; ; i++ {
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return nil
		}
		response, err := orders.SubmitOrder(ctx, &pb.SubmitOrderRequest{NewOrder: order(prefix+strconv.Itoa(i), r.account, r.instrument)})
		if err != nil {
			return err
		}
		if ack := response.GetAck(); ack.GetOrdRejReason() != 0 {
			return fmt.Errorf("refused: %v %s", ack.GetOrdRejReason(), ack.GetText())
		}
	}
}

// residentMB is the memory of a process.
func residentMB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(status))
	kB, err := strconv.ParseFloat(fields[slices.Index(fields, "VmRSS:")+1], 64)
	return kB / 1024, err
}
