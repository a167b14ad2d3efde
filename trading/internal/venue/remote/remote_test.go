package remote

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/router"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/exchange/serve"
	"aetherion/trading/internal/venue/fault"
	"aetherion/trading/internal/venue/flow"
)

const (
	account    = "A"
	instrument = "AAA-USD.SIM"
	patience   = 20 * time.Second
)

func definition() engine.Instrument {
	return engine.Instrument{
		InstrumentID: instrument, Version: 1, Class: engine.Spot, BaseCurrency: "AAA", QuoteCurrency: "USD",
		PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: engine.Decimal{Mantissa: 1},
	}
}

// process is a venue that serves on a socket, and its log.
type process struct {
	venue  *serve.Venue
	stop   context.CancelFunc
	ended  chan error
	client pb.VenueServiceClient
	conn   *grpc.ClientConn
}

// start serves the venue of a log on a socket in the same folder.
func start(t *testing.T, folder string, faults string) *process {
	t.Helper()
	venue, err := serve.Open(exchange.Config{Seed: 5, Instruments: []engine.Instrument{definition()}}, filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	if err := venue.Enliven([]flow.Market{{Instrument: definition(), Price: 10_000, Size: 10}}, 1); err != nil {
		t.Fatal(err)
	}
	if faults != "" {
		rates, err := fault.ParseRates(faults)
		if err != nil {
			t.Fatal(err)
		}
		rules, err := fault.Parse("at 50ms disconnect 100ms\nat 300ms disconnect 1ms")
		if err != nil {
			t.Fatal(err)
		}
		venue.Misbehave(rules, rates, 1)
	}
	socket := filepath.Join(folder, "venue.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &process{venue: venue, stop: stop, ended: make(chan error, 1)}
	go func() { p.ended <- venue.Serve(ctx, listener) }()
	p.conn, err = grpc.NewClient("unix:"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.conn.Close() })
	p.client = pb.NewVenueServiceClient(p.conn)
	for _, currency := range []string{"USD", "AAA"} {
		money := &pb.Money{Currency: currency, Units: 1_000_000_000}
		command := &pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: &pb.Deposit{Account: account, Amount: money}}}
		if _, err := p.client.Administer(t.Context(), &pb.AdministerRequest{Command: command}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *process) end(t *testing.T) {
	t.Helper()
	p.stop()
	if err := <-p.ended; err != nil {
		t.Error(err)
	}
	if err := p.venue.Close(); err != nil {
		t.Error(err)
	}
}

// book is what an engine makes of the inputs, in the simplest form.
type book struct {
	mu     sync.Mutex
	fills  map[string]fill
	closed map[uint64]engine.ExecType
	doubts map[uint64]bool // now
	all    int             // doubts ever
}

type fill struct {
	order uint64
	qty   int64
	px    int64
}

func newBook() *book {
	return &book{fills: map[string]fill{}, closed: map[uint64]engine.ExecType{}, doubts: map[uint64]bool{}}
}

func (b *book) report(_ context.Context, inputs []engine.Input) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, input := range inputs {
		switch r := input.(type) {
		case *engine.OrderInDoubt:
			b.doubts[r.OrderID] = true
			b.all++
		case *engine.VenueReport:
			delete(b.doubts, r.OrderID)
			switch r.ExecType {
			case engine.ExecTrade:
				if _, known := b.fills[r.ExecID]; !known {
					b.fills[r.ExecID] = fill{r.OrderID, r.LastQty, r.LastPx}
				}
			case engine.ExecCanceled, engine.ExecRejected, engine.ExecExpired:
				b.closed[r.OrderID] = r.ExecType
			}
		}
	}
	return nil
}

// truth is what the venue says when asked.
func (p *process) truth(t *testing.T) (cum map[string]int64, open int) {
	t.Helper()
	cum = map[string]int64{}
	for after := ""; ; {
		page, err := p.client.QueryOrders(t.Context(), &pb.QueryOrdersRequest{Account: account, AfterVenueOrderId: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, order := range page.GetOrders() {
			after = order.GetLastReport().GetVenueOrderId()
			cum[order.GetNewOrder().GetClOrdId()] = order.GetLastReport().GetCumQty()
			if order.GetLastReport().GetLeavesQty() > 0 {
				open++
			}
		}
		if len(page.GetOrders()) == 0 {
			return cum, open
		}
	}
}

// eventually waits until nothing is said against it.
func eventually(t *testing.T, against func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		said := against()
		if said == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(said)
		}
	}
}

// trader runs a Venue against a process.
func trader(t *testing.T, p *process, b *book) *Venue {
	t.Helper()
	v, err := Open(t.Context(), p.conn, Config{Account: account, Prefix: "j", Heartbeat: 100 * time.Millisecond, Reconcile: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.Run(ctx, b.report) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return v
}

// send hands over n orders, some of which are canceled.
func send(v *Venue, from, n int) {
	for i := from; i < from+n; i++ {
		order := engine.NewOrder{
			InstrumentID: instrument, Side: engine.Side(1 + i%2), OrdType: engine.Limit, TimeInForce: engine.GTC,
			OrderQty: int64(1 + i%3), Price: 10_000 + int64(i%7-3), HasPrice: true,
		}
		v.put(v.newOrder(uint64(i), &order))
		if i%3 == 0 {
			v.Cancel(router.Cancel{OrderID: uint64(i)})
		}
	}
}

// agrees says what of the book is not as the venue says.
func (b *book) agrees(t *testing.T, p *process, v *Venue, orders int) string {
	cum, open := p.truth(t)
	b.mu.Lock()
	defer b.mu.Unlock()
	ours := map[string]int64{}
	for _, f := range b.fills {
		ours[v.name(f.order)] += f.qty
	}
	if len(cum) != orders {
		return fmt.Sprintf("the venue has %d orders, sent %d", len(cum), orders)
	}
	for name, want := range cum {
		if ours[name] != want {
			return fmt.Sprintf("order %s: filled %d, the venue says %d", name, ours[name], want)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(b.doubts) > 0 || len(v.unanswered) > 0 {
		return fmt.Sprintf("in doubt: %v, unanswered: %d", b.doubts, len(v.unanswered))
	}
	if len(v.working) != open {
		return fmt.Sprintf("%d orders work, the venue says %d", len(v.working), open)
	}
	return ""
}

// Whatever goes wrong with reports and connections, what was traded is known in the end, and no order is at
// the venue twice.
func TestEveryFaultIsMended(t *testing.T) {
	p := start(t, t.TempDir(), "drop=.05,delay=.05,duplicate=.05,reorder=.05,lose=.05,reject=.03,cancel-fill=.3")
	t.Cleanup(func() { p.end(t) })
	b := newBook()
	v := trader(t, p, b)
	const orders = 300
	for i := 1; i <= orders; i += 10 {
		send(v, i, 10)
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, func() string { return b.agrees(t, p, v, orders) })
	faults, err := p.client.QueryFaults(t.Context(), &pb.QueryFaultsRequest{})
	if err != nil || len(faults.GetFaults()) < 20 {
		t.Errorf("%d faults were done, %v", len(faults.GetFaults()), err)
	}
}

// A venue that dies with orders on their way and starts again on its log has each of them once. The
// connection finds the new process by itself.
func TestOrdersInDoubtAreSettledAfterTheVenueDied(t *testing.T) {
	folder := t.TempDir()
	p := start(t, folder, "")
	b := newBook()
	v := trader(t, p, b)
	const orders = 400
	for i := 1; i <= orders/2; i += 20 {
		send(v, i, 20)
	}
	time.Sleep(5 * time.Millisecond)
	p.end(t)
	send(v, orders/2+1, orders/2)
	again := start(t, folder, "")
	defer again.end(t)
	eventually(t, func() string { return b.agrees(t, again, v, orders) })
}

// A venue that takes orders and says nothing is left, and what was sent is in doubt.
func TestASilentVenueIsLost(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterVenueServiceServer(server, &silent{})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	b := newBook()
	v := trader(t, &process{conn: conn}, b)
	send(v, 1, 1)
	eventually(t, func() string {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.all != 1 {
			return fmt.Sprintf("%d doubts, want 1", b.all)
		}
		return ""
	})
}

// silent takes everything and answers nothing.
type silent struct {
	pb.UnimplementedVenueServiceServer
}

func (*silent) DescribeVenue(context.Context, *pb.DescribeVenueRequest) (*pb.DescribeVenueResponse, error) {
	return &pb.DescribeVenueResponse{Venue: "SIM"}, nil
}

func (*silent) Trade(stream pb.VenueService_TradeServer) error {
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

// Names of the largest ids fit what venues take, and say which order they are of.
func TestNamesFitAndAreUnderstood(t *testing.T) {
	v := &Venue{config: Config{Prefix: strings.Repeat("f", 32)}}
	for _, id := range []uint64{1, 36, 1<<56 - 1, engine.OrderID(1<<56-1, engine.MaxListOrders-1)} {
		seen := map[string]bool{v.name(id): true}
		for range 100 {
			seen[v.request(id)] = true
		}
		for name := range seen {
			if got, ours := v.ownID(name); !ours || got != id || len(name) > 64 {
				t.Errorf("%q of %d characters is of order %d, %v, want %d", name, len(name), got, ours, id)
			}
		}
		if len(seen) != 101 {
			t.Errorf("%d different names, want 101", len(seen))
		}
	}
}

func TestAVenueIsAskedAsOftenAsItAllows(t *testing.T) {
	for perMinute, want := range map[uint32]time.Duration{0: 2 * time.Second, 1200: 2 * time.Second, 60: 8 * time.Second} {
		if got := paced(2*time.Second, perMinute); got != want {
			t.Errorf("%d queries a minute: every %v, want %v", perMinute, got, want)
		}
	}
}
