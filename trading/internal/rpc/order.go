package rpc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

type orderService struct {
	pb.UnimplementedOrderServiceServer
	*Server
}

func (s orderService) SubmitOrder(ctx context.Context, r *pb.SubmitOrderRequest) (*pb.SubmitOrderResponse, error) {
	order, err := decodeNewOrder(r.GetNewOrder())
	if err != nil {
		return nil, invalid(err)
	}
	ack, err := s.command(ctx, order)
	return &pb.SubmitOrderResponse{Ack: ack}, err
}

func (s orderService) CancelOrder(ctx context.Context, r *pb.CancelOrderRequest) (*pb.CancelOrderResponse, error) {
	cancel, err := decodeCancelOrder(r.GetCancelOrder())
	if err != nil {
		return nil, invalid(err)
	}
	ack, err := s.command(ctx, cancel)
	return &pb.CancelOrderResponse{Ack: ack}, err
}

func (s orderService) command(ctx context.Context, command engine.Input) (*pb.CommandAck, error) {
	results, err := s.session.Sequencer.Submit(ctx, command)
	if err != nil {
		return nil, unavailable(err)
	}
	return contract.EncodeCommandAck(&results[0].Ack), nil
}

func (s orderService) GetOrder(ctx context.Context, r *pb.GetOrderRequest) (*pb.GetOrderResponse, error) {
	var found *pb.Order
	err := s.query(ctx, func(e *engine.Engine) {
		if o := findOrder(e, r); o != nil && o.NewOrder.Account == r.GetAccount() {
			found = encodeOrder(o)
		}
	})
	switch {
	case err != nil:
		return nil, err
	case r.GetId() == nil:
		return nil, invalidf("id: order_id or cl_ord_id must be set")
	case found == nil:
		return nil, notFound("%s: account %q has no such order", idText(r), r.GetAccount())
	}
	return &pb.GetOrderResponse{Order: found}, nil
}

// idText names the order that was asked for, by whichever id was given.
func idText(r *pb.GetOrderRequest) string {
	if id, ours := r.GetId().(*pb.GetOrderRequest_OrderId); ours {
		return fmt.Sprintf("order_id %d", id.OrderId)
	}
	return fmt.Sprintf("cl_ord_id %q", r.GetClOrdId())
}

func findOrder(e *engine.Engine, r *pb.GetOrderRequest) *engine.Order {
	if name, ok := r.GetId().(*pb.GetOrderRequest_ClOrdId); ok {
		return e.OrderByName(r.GetAccount(), name.ClOrdId)
	}
	return e.Order(r.GetOrderId())
}

func (s orderService) ListOrders(ctx context.Context, r *pb.ListOrdersRequest) (*pb.ListOrdersResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	after := uint64(0)
	if token := r.GetPageToken(); token != "" {
		if after, err = strconv.ParseUint(token, 10, 64); err != nil {
			return nil, invalidf("page_token: must be a next_page_token, got %q", token)
		}
	}
	if _, err := s.account(ctx, r.GetAccount()); err != nil {
		return nil, err
	}
	response := &pb.ListOrdersResponse{}
	err = s.query(ctx, func(e *engine.Engine) {
		e.Orders(r.GetAccount(), after, func(o *engine.Order) bool {
			if r.GetOpenOnly() && !o.Open() {
				return true
			}
			if len(response.Orders) == size {
				response.NextPageToken = strconv.FormatUint(after, 10)
				return false
			}
			after = o.OrderID
			response.Orders = append(response.Orders, encodeOrder(o))
			return true
		})
	})
	return response, err
}

func (s orderService) ListFills(ctx context.Context, r *pb.ListFillsRequest) (*pb.ListFillsResponse, error) {
	size, err := pageSize(r.GetPageSize())
	if err != nil {
		return nil, err
	}
	if _, err := s.account(ctx, r.GetAccount()); err != nil {
		return nil, err
	}
	if err := s.checkNotCompacted(r.GetFromSequence()); err != nil {
		return nil, err
	}
	response := &pb.ListFillsResponse{}
	for next := r.GetFromSequence(); ; {
		reports, _ := s.session.Reports.From(r.GetAccount(), next, maxPage)
		for i := range reports {
			if reports[i].ExecType != engine.ExecTrade {
				continue
			}
			if len(response.Fills) == size {
				response.NextSequence = reports[i].Sequence
				return response, nil
			}
			response.Fills = append(response.Fills, contract.EncodeExecutionReport(&reports[i]))
		}
		if len(reports) < maxPage {
			return response, nil
		}
		next = reports[len(reports)-1].Sequence + 1
	}
}

// encodeOrder runs where the engine may be read.
func encodeOrder(o *engine.Order) *pb.Order {
	return &pb.Order{NewOrder: contract.EncodeNewOrder(&o.NewOrder), LastReport: contract.EncodeExecutionReport(&o.LastReport)}
}

func decodeNewOrder(o *pb.NewOrder) (engine.Input, error) {
	if o == nil {
		return nil, errors.New("new_order: is missing")
	}
	order, err := contract.DecodeNewOrder(o)
	if err != nil {
		return nil, within("new_order", err)
	}
	return &engine.OrderDecision{NewOrder: order}, nil
}

func decodeCancelOrder(c *pb.CancelOrder) (engine.Input, error) {
	if c == nil {
		return nil, errors.New("cancel_order: is missing")
	}
	cancel, err := contract.DecodeCancelOrder(c)
	if err != nil {
		return nil, within("cancel_order", err)
	}
	return &cancel, nil
}

// decodeCommands refuses all when one cannot be read, so that no client wonders which were taken.
func decodeCommands(commands []*pb.OrderCommand, most int) ([]engine.Input, error) {
	if len(commands) > most {
		return nil, fmt.Errorf("commands: must be at most %d, got %d", most, len(commands))
	}
	inputs := make([]engine.Input, len(commands))
	for i, command := range commands {
		var err error
		switch c := command.GetCommand().(type) {
		case *pb.OrderCommand_NewOrder:
			inputs[i], err = decodeNewOrder(c.NewOrder)
		case *pb.OrderCommand_CancelOrder:
			inputs[i], err = decodeCancelOrder(c.CancelOrder)
		default:
			err = errors.New("command: must be set")
		}
		if err != nil {
			return nil, fmt.Errorf("commands[%d].%w", i, err)
		}
	}
	return inputs, nil
}
