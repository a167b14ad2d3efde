package serve

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

type instrument = engine.Instrument

const (
	maxPage     = 1000
	stopTimeout = 2 * time.Second
)

// service is VenueService of a venue.
type service struct {
	pb.UnimplementedVenueServiceServer
	venue *Venue
}

// Serve runs the venue and serves it on a listener until ctx ends.
func (v *Venue) Serve(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer()
	pb.RegisterVenueServiceServer(server, service{venue: v})
	healthpb.RegisterHealthServer(server, health.NewServer())
	ctx, stop := context.WithCancel(ctx)
	ran := make(chan error, 1)
	go func() {
		err := v.Run(ctx)
		force := time.AfterFunc(stopTimeout, server.Stop)
		server.GracefulStop()
		force.Stop()
		ran <- err
	}()
	err := server.Serve(listener)
	stop()
	return errors.Join(err, <-ran)
}

func (s service) DescribeVenue(_ context.Context, r *pb.DescribeVenueRequest) (*pb.DescribeVenueResponse, error) {
	name := s.venue.exchange.Venue()
	if r.GetVenue() != "" && r.GetVenue() != name {
		return nil, status.Errorf(codes.NotFound, "venue: there is no venue %q, this is %q", r.GetVenue(), name)
	}
	var instruments []*pb.Instrument
	for _, i := range s.venue.exchange.Instruments() {
		instruments = append(instruments, contract.EncodeInstrument(&i))
	}
	return &pb.DescribeVenueResponse{
		Venue: name, Instruments: instruments,
		OrdTypes: []pb.OrdType{
			pb.OrdType_ORD_TYPE_MARKET, pb.OrdType_ORD_TYPE_LIMIT, pb.OrdType_ORD_TYPE_STOP, pb.OrdType_ORD_TYPE_STOP_LIMIT,
		},
		TimeInForces: []pb.TimeInForce{
			pb.TimeInForce_TIME_IN_FORCE_DAY, pb.TimeInForce_TIME_IN_FORCE_GTC, pb.TimeInForce_TIME_IN_FORCE_IOC,
			pb.TimeInForce_TIME_IN_FORCE_FOK, pb.TimeInForce_TIME_IN_FORCE_GTD,
		},
		DisplayQty: true, PostOnly: true, Replace: true,
		SelfTradePreventions: []pb.SelfTradePrevention{
			pb.SelfTradePrevention_SELF_TRADE_PREVENTION_NONE, pb.SelfTradePrevention_SELF_TRADE_PREVENTION_CANCEL_NEWEST,
			pb.SelfTradePrevention_SELF_TRADE_PREVENTION_CANCEL_OLDEST, pb.SelfTradePrevention_SELF_TRADE_PREVENTION_CANCEL_BOTH,
		},
		UniqueClOrdId: true,
		Simulated:     true,
	}, nil
}

// Administer deposits, halts, busts or corrects.
func (s service) Administer(ctx context.Context, r *pb.AdministerRequest) (*pb.AdministerResponse, error) {
	switch c := r.GetCommand().GetCommand().(type) {
	case *pb.VenueCommand_Deposit:
		if err := s.countable(c.Deposit); err != nil {
			return nil, err
		}
	case *pb.VenueCommand_TradingHalt:
		known := func(i instrument) bool { return i.InstrumentID == c.TradingHalt.GetInstrumentId() }
		if !slices.ContainsFunc(s.venue.exchange.Instruments(), known) {
			return nil, status.Errorf(codes.NotFound, "instrument_id: there is no instrument %q", c.TradingHalt.GetInstrumentId())
		}
	case *pb.VenueCommand_TradeCancel, *pb.VenueCommand_TradeCorrect:
		if err := s.settlement(r.GetCommand()); err != nil {
			return nil, err
		}
	default:
		return nil, status.Error(codes.InvalidArgument, "command: must be a deposit, a trading halt, a bust or a correction")
	}
	if err := s.venue.Do(ctx, r.GetCommand()); err != nil {
		return nil, err
	}
	return &pb.AdministerResponse{}, nil
}

func (s service) countable(d *pb.Deposit) error {
	s.venue.mu.Lock()
	defer s.venue.mu.Unlock()
	if err := s.venue.exchange.Countable(d); err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return nil
}

// settlement refuses a bust or correction that cannot be; one that has become so until it is done changes nothing.
func (s service) settlement(command *pb.VenueCommand) error {
	s.venue.mu.Lock()
	defer s.venue.mu.Unlock()
	if err := s.venue.exchange.Settlement(command); err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	return nil
}

func (s service) QueryOrders(_ context.Context, r *pb.QueryOrdersRequest) (*pb.QueryOrdersResponse, error) {
	after, limit, err := page("after_venue_order_id", r.GetAfterVenueOrderId(), r.GetPageSize())
	if err != nil {
		return nil, err
	}
	response := &pb.QueryOrdersResponse{}
	return response, s.of(r.GetAccount(), func() {
		response.Orders = s.venue.exchange.Orders(r.GetAccount(), after, r.GetOpenOnly(), limit)
	})
}

func (s service) QueryFills(_ context.Context, r *pb.QueryFillsRequest) (*pb.QueryFillsResponse, error) {
	after, limit, err := page("after_exec_id", r.GetAfterExecId(), r.GetPageSize())
	if err != nil {
		return nil, err
	}
	response := &pb.QueryFillsResponse{}
	return response, s.of(r.GetAccount(), func() {
		response.Fills = slices.Clone(s.venue.exchange.Fills(r.GetAccount(), after, r.GetFromTimeNs(), limit))
	})
}

func (s service) QueryBalances(_ context.Context, r *pb.QueryBalancesRequest) (*pb.QueryBalancesResponse, error) {
	response := &pb.QueryBalancesResponse{}
	return response, s.of(r.GetAccount(), func() { response.Balances = s.venue.exchange.Balances(r.GetAccount()) })
}

// QueryFaults tells what went wrong on purpose.
func (s service) QueryFaults(_ context.Context, r *pb.QueryFaultsRequest) (*pb.QueryFaultsResponse, error) {
	s.venue.mu.Lock()
	defer s.venue.mu.Unlock()
	response := &pb.QueryFaultsResponse{}
	if s.venue.faults != nil {
		records := s.venue.faults.Records()
		records = records[min(r.GetAfter(), uint64(len(records))):]
		response.Faults = slices.Clone(records[:min(maxPage, len(records))])
	}
	return response, nil
}

func (s service) QueryBook(_ context.Context, r *pb.QueryBookRequest) (*pb.QueryBookResponse, error) {
	s.venue.mu.Lock()
	defer s.venue.mu.Unlock()
	book, known := s.venue.exchange.Book(r.GetInstrumentId())
	if !known {
		return nil, status.Errorf(codes.NotFound, "instrument_id: there is no instrument %q", r.GetInstrumentId())
	}
	if r.GetWithStateHash() {
		hash := s.venue.exchange.Hash()
		book.StateHash = hash[:]
	}
	return book, nil
}

// of reads what is an account's.
func (s service) of(account string, read func()) error {
	s.venue.mu.Lock()
	defer s.venue.mu.Unlock()
	if !s.venue.exchange.Known(account) {
		return status.Errorf(codes.NotFound, "account: there is no account %q; a deposit opens it", account)
	}
	read()
	return nil
}

// page reads where a page starts, and how long it may be.
func page(field, after string, size uint32) (uint64, int, error) {
	if size > maxPage {
		return 0, 0, status.Errorf(codes.InvalidArgument, "page_size: must be at most %d, got %d", maxPage, size)
	}
	if size == 0 {
		size = maxPage
	}
	if after == "" {
		return 0, int(size), nil
	}
	number, err := strconv.ParseUint(after, 10, 64)
	if err != nil {
		return 0, 0, status.Errorf(codes.InvalidArgument, "%s: must be one that the venue gave, got %q", field, after)
	}
	return number, int(size), nil
}
