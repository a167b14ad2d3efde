package live

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/gate/gatetest"
	"aetherion/trading/internal/journal"
	"aetherion/trading/internal/venue/exchange"
	"aetherion/trading/internal/venue/exchange/serve"
)

// elsewhere is an exchange at which the account trades past us, and another one with it.
type elsewhere struct {
	t       *testing.T
	address string
	conn    *grpc.ClientConn
	client  pb.VenueServiceClient
	streams map[string]grpc.BidiStreamingClient[pb.TradeRequest, pb.TradeResponse]
	journal string
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	folder := t.TempDir()
	venue, err := serve.Open(exchange.Config{Instruments: []engine.Instrument{{
		InstrumentID: "AAA-USD.SIM", Version: 1, Class: engine.Spot, BaseCurrency: "AAA", QuoteCurrency: "USD",
		PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, QtyScale: 2, Multiplier: engine.Decimal{Mantissa: 1},
	}}}, filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(folder, "venue"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- venue.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, venue.Close()); err != nil {
			t.Error(err)
		}
	})
	x := &elsewhere{t: t, address: "unix:" + listener.Addr().String(), journal: filepath.Join(folder, "journal"),
		streams: map[string]grpc.BidiStreamingClient[pb.TradeRequest, pb.TradeResponse]{}}
	x.conn = x.dial(nil)
	x.client = pb.NewVenueServiceClient(x.conn)
	for _, name := range []string{account, "OTHER"} {
		x.deposit(name, "USD", 1_000_000)
		x.deposit(name, "AAA", 100)
		if x.streams[name], err = x.client.Trade(ctx); err != nil {
			t.Fatal(err)
		}
		start := &pb.StartTrading{Account: name}
		if err := x.streams[name].Send(&pb.TradeRequest{Request: &pb.TradeRequest_Start{Start: start}}); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

// dial connects; alter, unless it is nil, comes between.
func (x *elsewhere) dial(alter grpc.UnaryClientInterceptor) *grpc.ClientConn {
	x.t.Helper()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if alter != nil {
		options = append(options, grpc.WithUnaryInterceptor(alter))
	}
	conn, err := grpc.NewClient(x.address, options...)
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (x *elsewhere) deposit(name, currency string, units int64) {
	x.t.Helper()
	deposit := &pb.Deposit{Account: name, Amount: &pb.Money{Currency: currency, Units: units}}
	request := &pb.AdministerRequest{Command: &pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: deposit}}}
	if _, err := x.client.Administer(x.t.Context(), request, grpc.WaitForReady(true)); err != nil {
		x.t.Fatal(err)
	}
}

// order has an account order past us, a limit of 100, and waits for the venue's first word of it.
func (x *elsewhere) order(of, name string, side pb.Side, qty int64) {
	x.t.Helper()
	price := int64(100)
	command := &pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: &pb.NewOrder{
		ClOrdId: name, Account: of, InstrumentId: "AAA-USD.SIM", Side: side, OrdType: pb.OrdType_ORD_TYPE_LIMIT,
		TimeInForce: pb.TimeInForce_TIME_IN_FORCE_GTC, OrderQty: qty, Price: &price,
	}}}
	if err := x.streams[of].Send(&pb.TradeRequest{Request: &pb.TradeRequest_Command{Command: command}}); err != nil {
		x.t.Fatal(err)
	}
	for {
		response, err := x.streams[of].Recv()
		if err != nil {
			x.t.Fatal(err)
		}
		if response.GetReport().GetClOrdId() == name {
			return
		}
	}
}

// cancelAll cancels past us.
func (x *elsewhere) cancelAll() {
	x.t.Helper()
	cancel := &pb.VenueCommand{Command: &pb.VenueCommand_MassCancel{MassCancel: &pb.MassCancel{Account: account}}}
	if err := x.streams[account].Send(&pb.TradeRequest{Request: &pb.TradeRequest_Command{Command: cancel}}); err != nil {
		x.t.Fatal(err)
	}
}

// differs waits until a session says so of the venue.
func (x *elsewhere) differs(s *Session, want string) {
	x.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); s.VenueDiffers() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			x.t.Fatalf("the venue differs: %q, want %q", s.VenueDiffers(), want)
		}
	}
}

// openOrders are those of the account at the venue.
func (x *elsewhere) openOrders() int {
	page, err := x.client.QueryOrders(x.t.Context(), &pb.QueryOrdersRequest{Account: account, OpenOnly: true})
	if err != nil {
		x.t.Fatal(err)
	}
	return len(page.GetOrders())
}

// live opens a session on the journal, hands it to do and closes it; it gives why it did not open, or the state.
func (x *elsewhere) live(adoption Adoption, do func(s *Session)) (hash [32]byte, failed error) {
	x.t.Helper()
	kept, err := journal.Open(x.journal, journal.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	defer kept.Close()
	risk, _ := gatetest.Serve(x.t, gatetest.Approve)
	s, err := New(Config{Account: account, InitialCash: engine.Money{Currency: "USD"}, RiskTimeout: 10 * time.Second,
		Venue: x.conn, Adoption: adoption, Reconcile: 50 * time.Millisecond}, nil, risk, kept)
	if err != nil {
		return hash, err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	do(s)
	if err := s.Sequencer.Query(x.t.Context(), func(e *engine.Engine) { hash = e.StateHash() }); err != nil {
		x.t.Fatal(err)
	}
	stop()
	if err := errors.Join(<-done, s.Close()); err != nil {
		x.t.Fatal(err)
	}
	return hash, nil
}

// becomes waits until the account has this: cash, position, and its external orders.
func (x *elsewhere) becomes(s *Session, want string) {
	x.t.Helper()
	var got string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		got = x.state(s)
		if got == want {
			return
		}
	}
	x.t.Errorf("got  %s\nwant %s", got, want)
}

func (x *elsewhere) state(s *Session) string {
	var b strings.Builder
	err := s.Sequencer.Query(x.t.Context(), func(e *engine.Engine) {
		state, _ := e.Account(account)
		fmt.Fprint(&b, state.Balances, " ")
		for _, p := range state.Positions {
			fmt.Fprint(&b, p.NetQty, " ")
		}
		e.Orders(account, 0, func(o *engine.Order) bool {
			fmt.Fprintf(&b, "%s %d %d+%d, ", o.VenueClOrdID, o.OrdStatus(), o.CumQty, o.LeavesQty())
			return true
		})
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return b.String()
}

func TestWhatTheVenueHasAndWeDoNotRefusesTheStart(t *testing.T) {
	x := newElsewhere(t)
	if _, err := x.live(Refuse, func(s *Session) { x.becomes(s, "[1000000 USD] 10000 ") }); err != nil {
		t.Fatalf("the first start, where nothing is known: %v", err)
	}
	x.order(account, "by hand", pb.Side_SIDE_BUY, 10)
	x.deposit(account, "USD", 7)
	x.order("OTHER", "sell", pb.Side_SIDE_SELL, 4)
	before := x.openOrders()
	_, err := x.live(Refuse, func(*Session) { t.Error("it started") })
	want := `venue SIM has what we do not: order 1 ("by hand"), 0.04 AAA, 3 USD`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if before != 1 || x.openOrders() != 1 {
		t.Errorf("%d orders were open, now %d", before, x.openOrders())
	}
}

func TestOrdersThatDidNotComeFromUsAreAdopted(t *testing.T) {
	x := newElsewhere(t)
	x.order(account, "by hand", pb.Side_SIDE_BUY, 10)
	x.order("OTHER", "sell 1", pb.Side_SIDE_SELL, 4)
	hash, err := x.live(Adopt, func(s *Session) {
		x.becomes(s, "[999996 USD] 10004 by hand 3 4+6, ")
		x.order("OTHER", "sell 2", pb.Side_SIDE_SELL, 3)
		x.becomes(s, "[999993 USD] 10007 by hand 3 7+3, ")
	})
	if err != nil {
		t.Fatal(err)
	}
	x.order("OTHER", "sell 3", pb.Side_SIDE_SELL, 1)
	again, err := x.live(Refuse, func(s *Session) {
		x.becomes(s, "[999992 USD] 10008 by hand 3 8+2, ")
		cancel := &engine.CancelOrder{ClOrdID: "c", OrigClOrdID: "external-1", Account: account}
		if results, err := s.Sequencer.Submit(t.Context(), cancel); err != nil || results[0].Ack.CxlRejReason != 0 {
			t.Errorf("cancel: %+v, %v", results, err)
		}
		x.becomes(s, "[999992 USD] 10008 by hand 5 8+0, ")
	})
	if err != nil || again == hash || x.openOrders() != 0 {
		t.Errorf("%v; %d orders are open", err, x.openOrders())
	}
	if third, err := x.live(Refuse, func(*Session) {}); err != nil || third != again {
		t.Errorf("a start without anything to do changed the state: %v", err)
	}
}

// The kill switch knows it, too.
func TestAnAdoptedOrderIsCanceledInAnEmergency(t *testing.T) {
	x := newElsewhere(t)
	_, err := x.live(Adopt, func(s *Session) {
		x.order(account, "by hand", pb.Side_SIDE_BUY, 10)
		x.becomes(s, "[1000000 USD] 10000 by hand 2 0+10, ")
		if n := s.Emergency.cancel(engine.TradingScope{Account: account}); n != 1 {
			t.Errorf("%d orders were canceled, want 1", n)
		}
		x.becomes(s, "[1000000 USD] 10000 by hand 5 0+0, ")
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrdersThatDidNotComeFromUsAreCanceled(t *testing.T) {
	x := newElsewhere(t)
	x.order(account, "by hand", pb.Side_SIDE_BUY, 10)
	x.order("OTHER", "sell", pb.Side_SIDE_SELL, 4)
	_, err := x.live(Cancel, func(s *Session) {
		x.becomes(s, "[999996 USD] 10004 ")
		for deadline := time.Now().Add(10 * time.Second); x.openOrders() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("it still works")
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What trades past us while we run shows in the balances alone.
func TestBalancesAreReconciledWhileRunning(t *testing.T) {
	x := newElsewhere(t)
	_, err := x.live(Adopt, func(s *Session) {
		x.becomes(s, "[1000000 USD] 10000 ")
		x.order("OTHER", "sell", pb.Side_SIDE_SELL, 5)
		x.order(account, "by hand", pb.Side_SIDE_BUY, 5)
		x.deposit(account, "EUR", 3)
		x.becomes(s, "[3 EUR 999995 USD] 10005 ")
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = x.live(Refuse, func(s *Session) {
		x.differs(s, "")
		x.deposit(account, "EUR", 1)
		x.differs(s, "venue SIM has what we do not: 1 EUR")
		x.order(account, "stranger", pb.Side_SIDE_BUY, 1)
		x.differs(s, `venue SIM has what we do not: order 3 ("stranger"), 1 EUR`)
		x.becomes(s, "[3 EUR 999995 USD] 10005 ")
		x.cancelAll()
		x.differs(s, "venue SIM has what we do not: 1 EUR")
		one, _ := engine.NewAmount(1, 0)
		adjustment := &engine.Adjustment{Account: account, Cash: engine.Money{Currency: "EUR", Amount: one}, Reason: "as at the venue"}
		if results, err := s.Sequencer.Submit(t.Context(), adjustment); err != nil || results[0].Err != nil {
			t.Errorf("%+v, %v", results, err)
		}
		x.differs(s, "")
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRealMoneyNeedsADurableJournal(t *testing.T) {
	x := newElsewhere(t)
	x.conn = x.dial(func(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
		err := invoke(ctx, method, request, reply, conn, options...)
		if about, ok := reply.(*pb.DescribeVenueResponse); ok {
			about.Simulated = false
		}
		return err
	})
	_, err := x.live(Refuse, func(*Session) { t.Error("it started") })
	want := "venue SIM: real money moves there, so the journal's durability must be fsync"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
