package simtest

import (
	"context"
	"io"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

const (
	latency    = 150 * time.Microsecond
	maxJitter  = 200 * time.Microsecond
	maxDelay   = 900 * time.Millisecond // of a message that is delayed
	everything = 10_000                 // of a rate
)

// network is between the Trading Service and the exchange. Its faults end by themselves.
type network struct {
	*world
	until int64 // of the rates
	rates rates
}

// rates are of messages, in ten thousandths.
type rates struct {
	Drop, Duplicate, Delay, Lose int64
}

// hit says whether a fault of a rate happens to a message.
func (n *network) hit(fault string, rate int64, of int64) bool {
	return now() < n.until && int64(n.chance(fault, of, now())%everything) < rate
}

func (n *network) latency(link string) time.Duration {
	return latency + time.Duration(n.chance(link, now())%uint64(maxJitter))
}

var errCut = status.Error(codes.Unavailable, "the connection is lost")

// venueConn is the connection of one Trading Service to the exchange.
type venueConn struct {
	network *network
	venue   *venue
	dead    <-chan struct{} // closed when its process is
	sends   crossing        // is passed with each command
}

// Invoke asks over the network, there and back.
func (c *venueConn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	type answer struct {
		message proto.Message
		err     error
	}
	answered := make(chan answer, 1)
	link := "query " + method[strings.LastIndexByte(method, '/')+1:]
	c.network.post(link, func() {
		c.network.arrive(link, c.network.latency(link), func() {
			message, err := c.venue.query(args)
			c.network.arrive(link+" answer", c.network.latency(link), func() { answered <- answer{message, err} })
		})
	})
	select {
	case a := <-answered:
		if a.err == nil {
			proto.Merge(reply.(proto.Message), a.message)
		}
		return a.err
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	case <-c.dead:
		return errCut
	}
}

func (c *venueConn) NewStream(ctx context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	s := &venueStream{inbox: newInbox(ctx), conn: c}
	select {
	case <-c.dead:
		return nil, errCut
	default:
	}
	if strings.HasSuffix(method, "/StreamMarketData") {
		return &quoteStream{s}, nil
	}
	return s, nil
}

// venueStream is the Trading Service's end of a Trade stream.
type venueStream struct {
	*inbox
	conn *venueConn
	// Of the world: what the venue knows of it.
	started bool
	lost    map[uint64]uint64 // the report before one that is to be taken for never sent, by its sequence
}

func (s *venueStream) SendMsg(m any) error {
	request := m.(*pb.TradeRequest)
	if s.over() || request.GetCommand() != nil && !s.conn.sends.pass() {
		return io.EOF
	}
	n := s.conn.network
	n.post("trade", func() {
		n.arrive("trade", n.latency("trade"), func() { s.conn.venue.request(s, request) })
		if request.GetCommand() != nil && n.hit("command again", n.rates.Duplicate, 0) {
			n.arrive("trade", n.latency("trade"), func() { s.conn.venue.request(s, request) })
		}
	})
	return nil
}

// tell carries a message to the Trading Service.
func (s *venueStream) tell(response *pb.TradeResponse) {
	n := s.conn.network
	deliver := func() {
		s.put(0, func(into any) { into.(*pb.TradeResponse).Response = response.Response })
	}
	report := response.GetReport()
	if report == nil {
		n.arrive("reports", n.latency("reports"), deliver)
		return
	}
	sequence := int64(report.GetSequence())
	if before, was := s.lost[report.GetPrevSequence()]; was {
		delete(s.lost, report.GetPrevSequence())
		report = proto.CloneOf(report)
		report.PrevSequence = before
		response = &pb.TradeResponse{Response: &pb.TradeResponse_Report{Report: report}}
	}
	switch {
	case n.hit("lose", n.rates.Lose, sequence):
		// As if it had never been: nothing shows that it is missing.
		s.lost[report.GetSequence()] = report.GetPrevSequence()
		return
	case n.hit("drop", n.rates.Drop, sequence):
		return
	case n.hit("delay", n.rates.Delay, sequence):
		n.after(time.Duration(n.chance("late", sequence)%uint64(maxDelay)), deliver)
		return
	}
	n.arrive("reports", n.latency("reports"), deliver)
	if n.hit("again", n.rates.Duplicate, sequence) {
		n.after(time.Duration(n.chance("later", sequence)%uint64(maxDelay)), deliver)
	}
}

// quoteStream is the Trading Service's end of a stream of market data.
type quoteStream struct{ *venueStream }

func (s *quoteStream) SendMsg(any) error {
	n := s.conn.network
	n.post("quotes", func() { n.arrive("quotes", n.latency("quotes"), func() { s.conn.venue.subscribe(s) }) })
	return nil
}

func (s *quoteStream) tell(batch *pb.MarketDataBatch) {
	s.put(0, func(into any) { into.(*pb.VenueServiceStreamMarketDataResponse).Batch = batch })
}
