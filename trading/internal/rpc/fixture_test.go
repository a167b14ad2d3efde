package rpc

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/live"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/market/markettest"
)

const (
	account = "DEMO"
	aaa     = "AAA.XNAS"
	bbb     = "BBB.XNAS"
	second  = 1_000_000_000
)

// service is the whole Trading Service over a loopback connection, with a Risk Service of the test.
type service struct {
	*grpc.ClientConn
	risk    *gatetest.Risk
	session *live.Session
	server  *Server
	stop    func() // ends it and waits
}

type options struct {
	bars   int // recorded bars of each of two instruments; 0: no live market
	decide gatetest.Decide
	change func(*Config)
	speed  float64
	kept   int             // reports in memory; 0: as many as usual
	after  *journal.Memory // of a service before this one; nil: there was none
}

func start(t testing.TB, o options) *service {
	t.Helper()
	if o.decide == nil {
		o.decide = gatetest.Approve
	}
	if o.after == nil {
		o.after = journal.NewMemory()
	}
	conn, risk := gatetest.Serve(t, o.decide)
	catalog := market.Catalog{Dir: t.TempDir()}
	dataset := writeBars(t, catalog, max(o.bars, 10))
	if o.bars == 0 {
		dataset = nil
	}
	session, err := live.New(live.Config{
		Account: account, InitialCash: dollars(t, 1_000_000), MaxVolumeShareBps: 10_000, RiskTimeout: 10 * time.Second, Speed: o.speed,
		ReportsKept: o.kept,
	}, dataset, conn, o.after)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{
		Version: "test", Epoch: 1, Durability: "memory", RequestTimeout: 10 * time.Second, SendTimeout: 10 * time.Second,
		MaxMessageBytes: 4 << 20, MaxConcurrentStreams: 100, MaxBatchCommands: 1024, MaxBacktests: 2,
	}
	if o.change != nil {
		o.change(&config)
	}
	s := &service{risk: risk, session: session, server: New(config, session, catalog, conn)}
	s.serve(t)
	return s
}

func (s *service) serve(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Windows that do not grow with how fast the others read: a frozen reader stays one.
	if s.ClientConn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithStaticStreamWindowSize(64<<10), grpc.WithStaticConnWindowSize(4<<20)); err != nil {
		t.Fatal(err)
	}
	serving, stopServing := context.WithCancel(context.Background())
	trading, stopTrading := context.WithCancel(context.Background())
	served, traded := make(chan error, 1), make(chan error, 1)
	go func() { served <- s.server.Serve(serving, listener) }()
	go func() { traded <- s.session.Run(trading) }()
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		stopServing()
		if err := <-served; err != nil {
			t.Error(err)
		}
		stopTrading()
		if err := <-traded; err != nil {
			t.Error(err)
		}
		if err := s.session.Close(); err != nil {
			t.Error(err)
		}
		s.Close()
	}
	t.Cleanup(s.stop)
	if err := s.session.Gate.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// reports are the account's, as far as they are in memory.
func (s *service) reports(t testing.TB) []*engine.ExecutionReport {
	t.Helper()
	page, err := s.session.Reports.From(account, live.Cursor{}, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	return page.Reports
}

// writeBars records a bar a second of two instruments, as the data set "bars". Bar n opens at 100 + n
// cents and closes one cent higher.
func writeBars(t testing.TB, catalog market.Catalog, n int) *market.Dataset {
	t.Helper()
	var rows []markettest.Bar
	for i := range n {
		for instrument := range int32(2) {
			at, px := int64(i+1)*second, int64(100+i)
			rows = append(rows, markettest.Bar{Instrument: instrument, OpenTime: at - second, TransactTime: at,
				Open: px, High: px + 1, Low: px, Close: px + 1, Volume: 1000})
		}
	}
	f := markettest.Add(markettest.New(t, filepath.Join(catalog.Dir, "bars")), "bars.parquet", "bar", rows,
		parquet.MaxRowsPerRowGroup(65_536), parquet.PageBufferSize(1<<20))
	f.Write(f.Manifest())
	dataset, err := catalog.Open("bars")
	if err != nil {
		t.Fatal(err)
	}
	return dataset
}

func dollars(t testing.TB, units int64) engine.Money {
	t.Helper()
	amount, err := engine.NewAmount(units, 0)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Money{Currency: "USD", Amount: amount}
}

func buy(name, instrument string, qty int64) *pb.NewOrder {
	return &pb.NewOrder{
		ClOrdId: name, Account: account, InstrumentId: instrument, Side: pb.Side_SIDE_BUY,
		OrdType: pb.OrdType_ORD_TYPE_MARKET, TimeInForce: pb.TimeInForce_TIME_IN_FORCE_GTC, OrderQty: qty,
	}
}

func newOrder(order *pb.NewOrder) *pb.OrderCommand {
	return &pb.OrderCommand{Command: &pb.OrderCommand_NewOrder{NewOrder: order}}
}

func cancelOf(name, original string) *pb.OrderCommand {
	return &pb.OrderCommand{Command: &pb.OrderCommand_CancelOrder{CancelOrder: &pb.CancelOrder{
		ClOrdId: name, OrigClOrdId: original, Account: account,
	}}}
}

func checkStatus(t testing.TB, err error, code codes.Code, text string) {
	t.Helper()
	if got := status.Convert(err); got.Code() != code || !strings.Contains(got.Message(), text) {
		t.Errorf("got %v %q, want %v %q", got.Code(), got.Message(), code, text)
	}
}

// checkNoLeaks says that what the test started is gone at its end. It must be called first.
func checkNoLeaks(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				stacks := make([]byte, 1<<20)
				t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}

// eventually polls for what happens soon.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}
