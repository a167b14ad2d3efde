package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"

	pb "aetherion/trading/gen/aetherion/v1"
)

// echoService acknowledges every order at once: gRPC and the messages, and nothing else.
type echoService struct {
	pb.UnimplementedOrderServiceServer
}

func echo(ctx context.Context, args []string) (any, error) {
	flags := flag.NewFlagSet("echo", flag.ExitOnError)
	address := flags.String("listen", "127.0.0.1:0", "host:port")
	_ = flags.Parse(args) // It exits on an error.
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer()
	pb.RegisterOrderServiceServer(server, echoService{})
	fmt.Println(listener.Addr())
	go func() {
		<-ctx.Done()
		server.Stop()
	}()
	return nil, server.Serve(listener)
}

func (echoService) SubmitOrders(stream pb.OrderService_SubmitOrdersServer) error {
	for sequence := uint64(1); ; {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		response := &pb.SubmitOrdersResponse{Acks: make([]*pb.CommandAck, len(request.GetCommands()))}
		for i, command := range request.GetCommands() {
			order := command.GetNewOrder()
			response.Acks[i] = &pb.CommandAck{
				Account: order.GetAccount(), ClOrdId: order.GetClOrdId(), Sequence: sequence, OrderId: sequence,
				OrdStatus: pb.OrdStatus_ORD_STATUS_PENDING_NEW, ExecType: pb.ExecType_EXEC_TYPE_PENDING_NEW,
			}
			sequence++
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}
