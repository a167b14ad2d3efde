package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
)

// plan is the arrival of messages of orders at a service, fixed before it begins: no answer, however late,
// delays or spares a message, and each is measured from when it was due.
type plan struct {
	batch      int
	rate       float64 // orders a second; 0: as fast as the service takes them
	lasts      time.Duration
	account    string
	instrument string
	prefix     string // of the orders' names
	begin      time.Time
}

type loaded struct {
	Orders int `json:"orders"`
	// From the first message to the last acknowledgement, and to the venue's word on the last order.
	AckedSeconds float64   `json:"acked_s"`
	VenueSeconds float64   `json:"venue_s"`
	Latency      latencies `json:"latency_us"`
}

func load(ctx context.Context, args []string) (any, error) {
	var p plan
	flags := flag.NewFlagSet("load", flag.ExitOnError)
	address := flags.String("address", "", "of the service, host:port or unix:path")
	flags.IntVar(&p.batch, "batch", 1, "orders in a message")
	flags.Float64Var(&p.rate, "rate", 0, "orders a second, 0: as fast as the service takes them")
	flags.DurationVar(&p.lasts, "lasts", 3*time.Second, "for how long messages are sent")
	flags.StringVar(&p.account, "account", "DEMO", "of the orders")
	flags.StringVar(&p.instrument, "instrument", "AAPL.XNAS", "of the orders")
	_ = flags.Parse(args) // It exits on an error.
	conn, err := grpc.NewClient(*address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	orders := pb.NewOrderServiceClient(conn)
	stream, err := orders.SubmitOrders(ctx)
	if err != nil {
		return nil, err
	}
	p.prefix = strconv.FormatInt(time.Now().UnixNano(), 36) + "-"
	p.begin = time.Now().Add(10 * time.Millisecond)
	sent := make(chan error, 1)
	go func() { sent <- p.send(stream) }()
	last, took, err := p.receive(stream)
	if err = errors.Join(err, <-sent); err != nil {
		return nil, err
	}
	measured := &loaded{Orders: len(took) * p.batch, AckedSeconds: time.Since(p.begin).Seconds()}
	if err := confirmed(ctx, orders, p.account, last); err != nil {
		return nil, err
	}
	measured.VenueSeconds = time.Since(p.begin).Seconds()
	if p.rate > 0 {
		measured.Latency = percentiles(took)
	}
	return measured, nil
}

// due is when a message is to be sent.
func (p *plan) due(message int) time.Time {
	if p.rate == 0 {
		return p.begin
	}
	return p.begin.Add(time.Duration(float64(message*p.batch) / p.rate * float64(time.Second)))
}

func (p *plan) send(stream pb.OrderService_SubmitOrdersClient) error {
	runtime.LockOSThread() // of its own, for precise timers
	const setTimerSlack = 29
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setTimerSlack, 1, 0); errno != 0 {
		return fmt.Errorf("prctl: %w", errno)
	}
	for message := 0; ; message++ {
		due := p.due(message)
		if due.Sub(p.begin) >= p.lasts || time.Since(p.begin) >= p.lasts {
			return stream.CloseSend()
		}
		sleepUntil(due)
		if err := stream.Send(p.message(message)); err != nil {
			return nil // The receiver says why.
		}
	}
}

// sleepUntil wakes within microseconds; the runtime's own timers take up to a millisecond.
func sleepUntil(due time.Time) {
	if left := time.Until(due); left > 0 {
		sleep := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&sleep, nil) // Woken early, a message goes early: it is measured from when it was due.
	}
}

func (p *plan) message(number int) *pb.SubmitOrdersRequest {
	request := &pb.SubmitOrdersRequest{Commands: make([]*pb.OrderCommand, p.batch)}
	for i := range request.Commands {
		name := p.prefix + strconv.Itoa(number*p.batch+i)
		request.Commands[i] = &pb.OrderCommand{Command: &pb.OrderCommand_NewOrder{NewOrder: order(name, p.account, p.instrument)}}
	}
	return request
}

// order rests far below the market.
func order(name, account, instrument string) *pb.NewOrder {
	return &pb.NewOrder{
		ClOrdId: name, Account: account, StrategyId: "bench", InstrumentId: instrument, Side: pb.Side_SIDE_BUY,
		OrdType: pb.OrdType_ORD_TYPE_LIMIT, TimeInForce: pb.TimeInForce_TIME_IN_FORCE_GTC, OrderQty: 10, Price: proto.Int64(100),
	}
}

// receive measures each message when the last of its orders is acknowledged, until there are no more.
func (p *plan) receive(stream pb.OrderService_SubmitOrdersClient) (last *pb.CommandAck, took []time.Duration, err error) {
	acks := 0
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, took, nil
		}
		if err != nil {
			return nil, nil, err
		}
		now := time.Now()
		for _, last = range response.GetAcks() {
			if last.GetOrdRejReason() != 0 {
				return nil, nil, fmt.Errorf("order %q was refused: %v %s", last.GetClOrdId(), last.GetOrdRejReason(), last.GetText())
			}
		}
		for acks += len(response.GetAcks()); acks >= (len(took)+1)*p.batch; {
			took = append(took, now.Sub(p.due(len(took))))
		}
	}
}

// confirmed waits until the venue has taken the last order, so that nothing is still queued somewhere. An echo
// has no venue.
func confirmed(ctx context.Context, orders pb.OrderServiceClient, account string, last *pb.CommandAck) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	asked := &pb.GetOrderRequest{Account: account, Id: &pb.GetOrderRequest_OrderId{OrderId: last.GetOrderId()}}
	for {
		// A stream of all reports would be load of its own.
		response, err := orders.GetOrder(ctx, asked)
		switch {
		case status.Code(err) == codes.Unimplemented:
			return nil
		case err != nil || response.GetOrder().GetLastReport().GetOrdStatus() == pb.OrdStatus_ORD_STATUS_NEW:
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
