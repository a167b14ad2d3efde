package serve

import (
	"context"
	"errors"
	"io"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/market"
)

const (
	maxRepeats = 1024 // answers to repeated names that wait for a client
	maxBatches = 256  // batches of market data that wait for a reader
)

func invalid(err error) error { return status.Error(codes.InvalidArgument, err.Error()) }

// session is one client of one account. Its reports are read from the venue's own list, so that a slow
// client costs nothing and misses nothing; only answers to repeated names are kept for it.
type session struct {
	account string
	after   uint64                // the venue's lock guards it and the repeats
	repeats []*pb.ExecutionReport // sent before
	wake    chan struct{}
	beats   chan uint64
	cut     chan struct{} // closed when the venue disconnects it
	severed bool
	limit   int // of repeats
}

func (s *session) tell(r *pb.ExecutionReport, again bool) {
	if again && len(s.repeats) < s.limit {
		s.repeats = append(s.repeats, r)
	} else if again && s.limit > maxRepeats {
		s.sever() // It would miss a report.
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Trade serves one client until it or the venue ends.
func (s service) Trade(stream pb.VenueService_TradeServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	start := first.GetStart()
	if start == nil {
		return status.Error(codes.InvalidArgument, "start: must be the first request")
	}
	one := &session{
		account: start.GetAccount(), after: start.GetAfterSequence(), wake: make(chan struct{}, 1), beats: make(chan uint64, 16),
		cut: make(chan struct{}), limit: maxRepeats,
	}
	s.venue.mu.Lock()
	known := s.venue.exchange.Known(one.account)
	down := s.venue.down()
	s.venue.resume(one)
	s.venue.sessions[one] = struct{}{}
	s.venue.mu.Unlock()
	defer func() {
		s.venue.mu.Lock()
		delete(s.venue.sessions, one)
		s.venue.mu.Unlock()
	}()
	if down != nil {
		return down
	}
	if !known {
		return status.Errorf(codes.NotFound, "account: there is no account %q; a deposit opens it", one.account)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.listen(stream, one) }()
	return s.speak(stream, one, ended)
}

// listen hands in what the client sends.
func (s service) listen(stream pb.VenueService_TradeServer, one *session) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch c := r.GetRequest().(type) {
		case *pb.TradeRequest_Command:
			if err := mayTrade(c.Command, one.account); err != nil {
				return err
			}
			if err := s.venue.Do(stream.Context(), c.Command); err != nil {
				return err
			}
		case *pb.TradeRequest_Heartbeat:
			select {
			case one.beats <- c.Heartbeat:
			case <-stream.Context().Done():
				return stream.Context().Err()
			}
		default:
			return status.Error(codes.InvalidArgument, "request: must be a command or a heartbeat")
		}
	}
}

func mayTrade(c *pb.VenueCommand, account string) error {
	if c.GetRefuse() {
		return status.Error(codes.InvalidArgument, "refuse: must be false, it is a fault of the venue")
	}
	var named string
	switch c := c.GetCommand().(type) {
	case *pb.VenueCommand_NewOrder:
		named = c.NewOrder.GetAccount()
	case *pb.VenueCommand_ReplaceOrder:
		named = c.ReplaceOrder.GetAccount()
	case *pb.VenueCommand_CancelOrder:
		named = c.CancelOrder.GetAccount()
	case *pb.VenueCommand_MassCancel:
		named = c.MassCancel.GetAccount()
	default:
		return status.Error(codes.InvalidArgument, "command: must be an order, replace, cancel or mass cancel")
	}
	if named != account {
		return status.Errorf(codes.InvalidArgument, "account: must be %q, which the stream started with, got %q", account, named)
	}
	return nil
}

func (s service) speak(stream pb.VenueService_TradeServer, one *session, ended <-chan error) error {
	one.tell(nil, false)
	for {
		select {
		case err := <-ended:
			return err
		case <-s.venue.stopped:
			return errStopped
		case <-one.cut:
			return errDown
		case beat := <-one.beats:
			if err := stream.Send(&pb.TradeResponse{Response: &pb.TradeResponse_Heartbeat{Heartbeat: beat}}); err != nil {
				return err
			}
		case <-one.wake:
			for _, r := range s.venue.news(one) {
				if err := stream.Send(&pb.TradeResponse{Response: &pb.TradeResponse_Report{Report: r}}); err != nil {
					return err
				}
			}
		}
	}
}

// news is what a session was not told yet.
func (v *Venue) news(s *session) []*pb.ExecutionReport {
	v.mu.Lock()
	defer v.mu.Unlock()
	reports := slices.Clone(v.exchange.Reports(s.account, s.after))
	if n := len(reports); n > 0 {
		s.after = reports[n-1].GetSequence()
	}
	reports = append(s.repeats, reports...)
	s.repeats = nil
	return reports
}

// reader is one reader of market data.
type reader struct {
	wanted  map[uint32]bool // nil: all
	orders  bool            // L3 instead of L2
	batches chan []market.Row
	cut     bool // it fell behind or was disconnected; batches is closed
	down    bool // it was disconnected
}

func (r *reader) tell(rows []market.Row) {
	var wanted []market.Row
	for i := range rows {
		if r.wanted == nil || r.wanted[rows[i].Instrument] {
			wanted = append(wanted, rows[i])
		}
	}
	if len(wanted) == 0 || r.cut {
		return
	}
	select {
	case r.batches <- wanted:
	default:
		r.cut = true
		close(r.batches)
	}
}

// StreamMarketData sends the books as they are and then every change.
func (s service) StreamMarketData(q *pb.VenueServiceStreamMarketDataRequest, stream pb.VenueService_StreamMarketDataServer) error {
	one := &reader{orders: q.GetOrders(), batches: make(chan []market.Row, maxBatches)}
	instruments := s.venue.exchange.Instruments()
	for _, id := range q.GetInstrumentIds() {
		index := slices.IndexFunc(instruments, func(i instrument) bool { return i.InstrumentID == id })
		if index < 0 {
			return status.Errorf(codes.NotFound, "instrument_ids: there is no instrument %q", id)
		}
		if one.wanted == nil {
			one.wanted = map[uint32]bool{}
		}
		one.wanted[uint32(index)] = true
	}
	s.venue.mu.Lock()
	if err := s.venue.down(); err != nil {
		s.venue.mu.Unlock()
		return err
	}
	if one.orders {
		one.tell(s.venue.exchange.OrderSnapshot())
	} else {
		one.tell(s.venue.exchange.Snapshot())
	}
	s.venue.readers[one] = struct{}{}
	s.venue.mu.Unlock()
	defer func() {
		s.venue.mu.Lock()
		delete(s.venue.readers, one)
		s.venue.mu.Unlock()
	}()
	return s.forward(stream.Context(), one, market.NewEncoder(instruments), stream)
}

func (s service) forward(ctx context.Context, one *reader, encoder *market.Encoder, stream pb.VenueService_StreamMarketDataServer) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.venue.stopped:
			return errStopped
		case rows, ok := <-one.batches:
			if !ok && one.down {
				return errDown
			}
			if !ok {
				return status.Errorf(codes.ResourceExhausted, "market data: the reader is %d batches behind; start anew", maxBatches)
			}
			if err := stream.Send(&pb.VenueServiceStreamMarketDataResponse{Batch: encoder.Encode(rows)}); err != nil {
				return err
			}
		}
	}
}
