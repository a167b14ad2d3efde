package rpc

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	pb "aetherion/trading/gen/aetherion/v1"
)

func TestHealthAndStatus(t *testing.T) {
	s := start(t, options{bars: 10})
	health := healthpb.NewHealthClient(s)
	for _, service := range []string{"", "aetherion.v1.OrderService", "aetherion.v1.SimulationService", "aetherion.v1.VenueService"} {
		response, err := health.Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || response.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: got %v, %v", service, response, err)
		}
	}
	admin := pb.NewAdminServiceClient(s)
	status, err := admin.GetStatus(t.Context(), &pb.GetStatusRequest{})
	if err != nil || !status.GetRiskAvailable() || status.GetSequence() != 4 || status.GetDurability() != "memory" ||
		len(status.GetDataSets()) != 1 || status.GetDataSets()[0] != "bars" {
		t.Errorf("got %v, %v", status, err)
	}
	s.risk.Stop(t, s.session.Gate)
	if status, err := admin.GetStatus(t.Context(), &pb.GetStatusRequest{}); err != nil || status.GetRiskAvailable() {
		t.Errorf("with risk down: got %v, %v", status, err)
	}
	venue, err := pb.NewVenueServiceClient(s).DescribeVenue(t.Context(), &pb.DescribeVenueRequest{Venue: "XNAS"})
	if err != nil || !venue.GetSimulated() || venue.GetMaxVolumeShareBps() != 10_000 || len(venue.GetOrdTypes()) != 2 || len(venue.GetTimeInForces()) != 4 {
		t.Errorf("got %v, %v", venue, err)
	}
}

func TestLimitsChangeOnlyFromTheVersionThatWasRead(t *testing.T) {
	s := start(t, options{bars: 10})
	admin := pb.NewAdminServiceClient(s)
	limits := &pb.RiskLimits{Limits: []*pb.RiskLimit{{Account: account, MaxOrderQty: &pb.Decimal{Mantissa: 5}}}}
	request := func(version uint64) *pb.SetLimitsRequest {
		return &pb.SetLimitsRequest{RiskLimits: limits, ExpectedVersion: version, ChangedBy: "test", Reason: "a test"}
	}
	first, err := admin.SetLimits(t.Context(), request(0))
	if err != nil || first.GetRiskLimits().GetVersion() != 1 || first.GetSequence() != 5 {
		t.Fatalf("got %v, %v", first, err)
	}
	for _, version := range []uint64{0, 2, 1<<64 - 1} {
		_, err = admin.SetLimits(t.Context(), request(version))
		checkStatus(t, err, codes.FailedPrecondition, "expected_version: ")
	}
	got, err := admin.GetLimits(t.Context(), &pb.GetLimitsRequest{})
	if err != nil || got.GetRiskLimits().GetVersion() != 1 || got.GetRiskLimits().GetLimits()[0].GetMaxOrderQty().GetMantissa() != 5 {
		t.Errorf("got %v, %v", got, err)
	}
	for want, change := range map[string]func(*pb.SetLimitsRequest){
		"risk_limits: is missing":                          func(r *pb.SetLimitsRequest) { r.RiskLimits = nil },
		"changed_by: must have 1 to 64 characters, got 0":  func(r *pb.SetLimitsRequest) { r.ChangedBy = "" },
		"reason: must have 1 to 1000 characters, got 1001": func(r *pb.SetLimitsRequest) { r.Reason = strings.Repeat("é", 1001) },
		"risk_limits.limits[0].max_order_qty.scale: must be at most 18, got 19": func(r *pb.SetLimitsRequest) {
			r.RiskLimits = &pb.RiskLimits{Limits: []*pb.RiskLimit{{MaxOrderQty: &pb.Decimal{Scale: 19}}}}
		},
		"risk_limits.limits[1]: account": func(r *pb.SetLimitsRequest) {
			r.RiskLimits = &pb.RiskLimits{Limits: []*pb.RiskLimit{{Account: "A"}, {Account: "A"}}}
		},
	} {
		r := request(1)
		change(r)
		_, err := admin.SetLimits(t.Context(), r)
		checkStatus(t, err, codes.InvalidArgument, want)
	}
}

func TestUnaryCallsGetADeadlineAndPanicsStayInside(t *testing.T) {
	s := &Server{config: Config{RequestTimeout: time.Minute}, stopping: make(chan struct{})}
	info := &grpc.UnaryServerInfo{FullMethod: "/x/Y"}
	deadline := func(ctx context.Context) time.Duration {
		var left time.Duration
		_, err := s.unary(ctx, nil, info, func(ctx context.Context, _ any) (any, error) {
			at, _ := ctx.Deadline()
			left = time.Until(at)
			return nil, nil
		})
		if err != nil {
			t.Error(err)
		}
		return left
	}
	if left := deadline(t.Context()); left < 50*time.Second || left > time.Minute {
		t.Errorf("deadline in %v, want a minute", left)
	}
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if left := deadline(short); left > 5*time.Second {
		t.Errorf("deadline in %v, want the caller's", left)
	}
	_, err := s.unary(t.Context(), nil, info, func(context.Context, any) (any, error) { panic("secret") })
	checkStatus(t, err, codes.Internal, "internal error, see the service's log")
	err = s.stream(nil, nil, &grpc.StreamServerInfo{FullMethod: "/x/Y"}, func(any, grpc.ServerStream) error { panic("secret") })
	checkStatus(t, err, codes.Internal, "internal error, see the service's log")
}

func TestStreamsEndWhenTheServiceStops(t *testing.T) {
	checkNoLeaks(t)
	s := start(t, options{bars: 10})
	orders := pb.NewOrderServiceClient(s)
	commands, err := orders.SubmitOrders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	reports, err := orders.StreamExecutionReports(t.Context(), &pb.StreamExecutionReportsRequest{Account: account})
	if err != nil {
		t.Fatal(err)
	}
	backtest, err := pb.NewSimulationServiceClient(s).RunBacktest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// One answer, so that all three are known to be under way.
	if err := commands.Send(&pb.SubmitOrdersRequest{Commands: []*pb.OrderCommand{newOrder(buy("a", aaa, 1))}}); err != nil {
		t.Fatal(err)
	}
	if _, err := commands.Recv(); err != nil {
		t.Fatal(err)
	}
	if _, err := reports.Recv(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	s.stop()
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("stopping took %v", took)
	}
	_, err = commands.Recv()
	checkStatus(t, err, codes.Unavailable, "the service is stopping")
	for err = nil; err == nil; {
		_, err = reports.Recv()
	}
	checkStatus(t, err, codes.Unavailable, "the service is stopping")
	_, err = backtest.Recv()
	checkStatus(t, err, codes.Unavailable, "")
}

func TestListen(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	both, err := Listen("127.0.0.1:0", socket)
	if err != nil || len(both) != 2 {
		t.Fatal(both, err)
	}
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	address := both[0].Addr().String()
	for want, listen := range map[string]func() ([]net.Listener, error){
		"listen on " + address + ": address already in use":     func() ([]net.Listener, error) { return Listen(address, "") },
		"listen on unix:" + socket + ": address already in use": func() ([]net.Listener, error) { return Listen("", socket) },
	} {
		if _, err := listen(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// A process that is killed leaves its socket file behind.
	both[1].(*net.UnixListener).SetUnlinkOnClose(false)
	for _, listener := range both {
		listener.Close()
	}
	again, err := Listen("", socket)
	if err != nil {
		t.Fatal(err)
	}
	again[0].Close()
	// What is not a socket is nobody's to remove.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("", file); err == nil {
		t.Error("took the place of a file")
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is gone")
	}
}

func TestMessagesAreBounded(t *testing.T) {
	s := start(t, options{bars: 10, change: func(c *Config) { c.MaxMessageBytes = 1024 }})
	order := buy("a", aaa, 1)
	order.StrategyId = strings.Repeat("x", 2000)
	_, err := pb.NewOrderServiceClient(s).SubmitOrder(t.Context(), &pb.SubmitOrderRequest{NewOrder: order})
	checkStatus(t, err, codes.ResourceExhausted, "larger than max (2")
}

func TestUnixSocketServes(t *testing.T) {
	s := start(t, options{bars: 10})
	path := filepath.Join(t.TempDir(), "socket")
	listeners, err := Listen("", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := New(s.server.config, s.session, s.server.catalog, nil)
	done := make(chan error, 1)
	go func() { done <- second.Serve(ctx, listeners...) }()
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := pb.NewAdminServiceClient(conn).GetStatus(t.Context(), &pb.GetStatusRequest{}); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
