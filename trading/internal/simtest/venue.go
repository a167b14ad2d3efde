package simtest

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
	"aetherion/trading/internal/market"
	"aetherion/trading/internal/venue/exchange"
)

const (
	account      = "SIM"
	house        = "HOUSE"
	instrumentID = "BTC-USDT.SIM"
	startPx      = 6_000_000 // 60,000.00
	quoteEvery   = time.Second
	houseEvery   = 500 * time.Millisecond
)

func definition() engine.Instrument {
	return engine.Instrument{
		InstrumentID: instrumentID, Version: 1, Class: engine.Spot, BaseCurrency: "BTC", QuoteCurrency: "USDT",
		PriceScale: 2, QtyScale: 3, PriceIncrement: 1, QtyIncrement: 1, MinQty: 1, Multiplier: engine.Decimal{Mantissa: 1},
		MakerFeeRatio: engine.Decimal{Mantissa: 1, Scale: 4}, TakerFeeRatio: engine.Decimal{Mantissa: 2, Scale: 4},
	}
}

// venue is the exchange, which never crashes, and the house that trades there so that the market moves.
type venue struct {
	*world
	x        *exchange.Exchange
	oracle   *oracle
	sessions []*venueStream
	readers  []*quoteStream
	encoder  *market.Encoder
	quote    market.Row
	next     int64  // when it is to be advanced
	down     int64  // nobody is connected before
	highest  uint64 // sequence of the newest report
	closed   bool   // the house does not trade
	mid      int64
	orders   int64 // of the house
	trace    hash.Hash
	buffer   []byte
}

func newVenue(w *world, oracle *oracle) (*venue, error) {
	x, err := exchange.New(exchange.Config{Instruments: []engine.Instrument{definition()}, Seed: w.seed})
	if err != nil {
		return nil, err
	}
	v := &venue{world: w, x: x, oracle: oracle, encoder: market.NewEncoder(x.Instruments()), mid: startPx, trace: sha256.New()}
	for _, of := range []string{account, house} {
		for _, money := range []*pb.Money{{Currency: "USDT", Units: 50_000_000}, {Currency: "BTC", Units: startCoins}} {
			if of == house {
				money.Units *= 1_000_000
			}
			v.do(&pb.VenueCommand{Command: &pb.VenueCommand_Deposit{Deposit: &pb.Deposit{Account: of, Amount: money}}})
		}
	}
	v.trade()
	v.show()
	return v, w.failed
}

// do takes a command and lets happen what follows at once.
func (v *venue) do(command *pb.VenueCommand) {
	if err := v.x.Handle(now(), command); err != nil {
		v.fail(fmt.Errorf("the exchange refuses a command: %w", err))
		return
	}
	v.advance()
}

func (v *venue) advance() {
	outputs, rows, err := v.x.Advance(now())
	if err != nil {
		v.fail(fmt.Errorf("the exchange: %w", err))
		return
	}
	for i := range rows {
		if rows[i].Kind == market.Quote {
			v.quote = rows[i]
		}
	}
	for _, o := range outputs {
		if o.Report.GetAccount() != account {
			continue
		}
		if o.Report.GetSequence() > v.highest { // not the answer to a name that was used before
			v.highest = o.Report.GetSequence()
			v.note(o.Report)
		}
		v.sessions = slices.DeleteFunc(v.sessions, (*venueStream).over)
		for _, s := range v.sessions {
			s.tell(&pb.TradeResponse{Response: &pb.TradeResponse_Report{Report: o.Report}})
		}
	}
	if at, waits := v.x.Next(); waits && (v.next <= now() || at < v.next) {
		v.next = at
		v.at(at, v.advance)
	}
}

// note lets the oracle see a report, and the trace.
func (v *venue) note(r *pb.ExecutionReport) {
	var err error
	if v.buffer, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(v.buffer[:0], r); err != nil {
		v.fail(err)
	}
	v.trace.Write(v.buffer)
	if err := v.oracle.see(r); err != nil {
		v.fail(err)
	}
}

// request is what came over a Trade stream.
func (v *venue) request(s *venueStream, r *pb.TradeRequest) {
	switch {
	case now() < v.down:
		s.close(errCut)
	case s.over(): // What was on its way when the connection broke is lost.
	case r.GetStart() != nil:
		s.started, s.lost = true, map[uint64]uint64{}
		v.sessions = append(v.sessions, s)
		for _, report := range v.x.Reports(account, r.GetStart().GetAfterSequence()) {
			s.tell(&pb.TradeResponse{Response: &pb.TradeResponse_Report{Report: report}})
		}
	case r.GetCommand() != nil:
		v.do(r.GetCommand())
	default:
		s.tell(&pb.TradeResponse{Response: &pb.TradeResponse_Heartbeat{Heartbeat: r.GetHeartbeat()}})
	}
}

// disconnect ends every stream, and refuses new ones for a while.
func (v *venue) disconnect(d time.Duration) {
	v.down = now() + int64(d)
	for _, s := range v.sessions {
		s.close(errCut)
	}
	for _, s := range v.readers {
		s.close(errCut)
	}
	v.sessions, v.readers = nil, nil
}

func (v *venue) query(r any) (proto.Message, error) {
	if now() < v.down {
		return nil, errCut
	}
	switch r := r.(type) {
	case *pb.DescribeVenueRequest:
		definition := definition()
		return &pb.DescribeVenueResponse{
			Venue: v.x.Venue(), UniqueClOrdId: true, Simulated: true, Instruments: []*pb.Instrument{contract.EncodeInstrument(&definition)},
			DisplayQty: true, PostOnly: true, Replace: true,
		}, nil
	case *pb.QueryBalancesRequest:
		return &pb.QueryBalancesResponse{Balances: v.x.Balances(r.GetAccount())}, nil
	case *pb.QueryFillsRequest:
		return &pb.QueryFillsResponse{Fills: v.x.Fills(r.GetAccount(), number(r.GetAfterExecId()), r.GetFromTimeNs(), pageSize(r.GetPageSize()))}, nil
	case *pb.QueryOrdersRequest:
		return &pb.QueryOrdersResponse{
			Orders: v.x.Orders(r.GetAccount(), number(r.GetAfterVenueOrderId()), r.GetOpenOnly(), pageSize(r.GetPageSize())),
		}, nil
	case *pb.QueryBookRequest:
		book, _ := v.x.Book(r.GetInstrumentId())
		return book, nil
	}
	return nil, status.Errorf(codes.Unimplemented, "%T", r)
}

func number(id string) uint64 {
	n, _ := strconv.ParseUint(id, 10, 64) // empty: from the first
	return n
}

func pageSize(asked uint32) int {
	if asked == 0 {
		return 1000
	}
	return int(asked)
}

func (v *venue) subscribe(s *quoteStream) {
	if now() < v.down {
		s.close(errCut)
		return
	}
	v.readers = append(v.readers, s)
	s.tell(v.encoder.Encode([]market.Row{v.quote}))
}

// show tells the best prices now and then.
func (v *venue) show() {
	v.after(quoteEvery, v.show)
	v.readers = slices.DeleteFunc(v.readers, func(s *quoteStream) bool { return s.over() })
	for _, s := range v.readers {
		s.tell(v.encoder.Encode([]market.Row{v.quote}))
	}
}

// trade lets the house quote anew around a price that moves, and now and then take what others offer.
func (v *venue) trade() {
	v.after(houseEvery, v.trade)
	if v.closed {
		return
	}
	draw := func(of string, n uint64) int64 { return int64(v.chance(of, now()) % n) }
	v.do(&pb.VenueCommand{Command: &pb.VenueCommand_MassCancel{MassCancel: &pb.MassCancel{Account: house}}})
	v.mid = max(startPx/2, v.mid+draw("mid", 4001)-2000)
	spread := v.mid / 2000
	v.order(pb.Side_SIDE_BUY, v.mid-spread, 100+draw("bid", 400), pb.TimeInForce_TIME_IN_FORCE_GTC)
	v.order(pb.Side_SIDE_SELL, v.mid+spread, 100+draw("ask", 400), pb.TimeInForce_TIME_IN_FORCE_GTC)
	switch reach := draw("reach", 40) * v.mid / 10_000; draw("take", 4) {
	case 0:
		v.order(pb.Side_SIDE_BUY, v.mid+reach, 1+draw("much", 600), pb.TimeInForce_TIME_IN_FORCE_IOC)
	case 1:
		v.order(pb.Side_SIDE_SELL, v.mid-reach, 1+draw("much", 600), pb.TimeInForce_TIME_IN_FORCE_IOC)
	}
}

func (v *venue) order(side pb.Side, price, qty int64, tif pb.TimeInForce) {
	v.orders++
	v.do(&pb.VenueCommand{Command: &pb.VenueCommand_NewOrder{NewOrder: &pb.NewOrder{
		Account: house, ClOrdId: strconv.FormatInt(v.orders, 36), InstrumentId: instrumentID, Side: side, OrdType: pb.OrdType_ORD_TYPE_LIMIT,
		TimeInForce: tif, OrderQty: qty, Price: &price,
	}}})
}
