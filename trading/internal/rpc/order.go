package rpc

import (
	"context"
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
	ack, err := s.command(ctx, &pb.OrderCommand{Command: &pb.OrderCommand_NewOrder{NewOrder: r.GetNewOrder()}})
	return &pb.SubmitOrderResponse{Ack: ack}, err
}

func (s orderService) CancelOrder(ctx context.Context, r *pb.CancelOrderRequest) (*pb.CancelOrderResponse, error) {
	ack, err := s.command(ctx, &pb.OrderCommand{Command: &pb.OrderCommand_CancelOrder{CancelOrder: r.GetCancelOrder()}})
	return &pb.CancelOrderResponse{Ack: ack}, err
}

func (s orderService) ReplaceOrder(ctx context.Context, r *pb.ReplaceOrderRequest) (*pb.ReplaceOrderResponse, error) {
	ack, err := s.command(ctx, &pb.OrderCommand{Command: &pb.OrderCommand_ReplaceOrder{ReplaceOrder: r.GetReplaceOrder()}})
	return &pb.ReplaceOrderResponse{Ack: ack}, err
}

func (s orderService) MassCancel(ctx context.Context, r *pb.MassCancelRequest) (*pb.MassCancelResponse, error) {
	ack, err := s.command(ctx, &pb.OrderCommand{Command: &pb.OrderCommand_MassCancelOrders{MassCancelOrders: r.GetMassCancelOrders()}})
	return &pb.MassCancelResponse{Ack: ack}, err
}

func (s orderService) SubmitOrderList(ctx context.Context, r *pb.SubmitOrderListRequest) (*pb.SubmitOrderListResponse, error) {
	ack, err := s.command(ctx, &pb.OrderCommand{Command: &pb.OrderCommand_NewOrderList{NewOrderList: r.GetNewOrderList()}})
	return &pb.SubmitOrderListResponse{Ack: ack}, err
}

// command is a command that is a call of its own. One that cannot be read is a call that did not work.
func (s orderService) command(ctx context.Context, command *pb.OrderCommand) (*pb.CommandAck, error) {
	input, err := decodeCommand(command, "")
	if err != nil {
		return nil, invalid(err)
	}
	if s.killed(input) {
		return refused(command, pb.OrdRejReason_ORD_REJ_REASON_KILL_SWITCH, "kill_switch: one is being engaged"), nil
	}
	results, err := s.session.Sequencer.Submit(ctx, input)
	if err != nil {
		return nil, unavailable(err)
	}
	return contract.EncodeCommandAck(&results[0].Ack), nil
}

// PreviewOrder does not ask for a session of an order that belongs to one: it would come with one.
func (s orderService) PreviewOrder(ctx context.Context, r *pb.PreviewOrderRequest) (*pb.PreviewOrderResponse, error) {
	order, err := decodeNewOrder(r.GetNewOrder())
	if err != nil {
		return nil, invalid(within("new_order", err))
	}
	decision, err := s.session.Preview(ctx, &engine.OrderDecision{NewOrder: order, SessionID: "preview"})
	if err != nil {
		return nil, unavailable(err)
	}
	return &pb.PreviewOrderResponse{
		Approved: decision.Approved, OrdRejReason: pb.OrdRejReason(decision.OrdRejReason), RejectedBy: pb.RejectedBy(decision.RejectedBy),
		Text: decision.Text, CheckFailures: contract.EncodeCheckFailures(decision.CheckFailures),
	}, nil
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
			if r.GetOpenOnly() && !o.Open() || r.GetInDoubtOnly() && !o.InDoubt() {
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

// encodeOrder runs where the engine may be read.
func encodeOrder(o *engine.Order) *pb.Order {
	return &pb.Order{NewOrder: contract.EncodeNewOrder(&o.NewOrder), LastReport: contract.EncodeExecutionReport(o.LastReport)}
}
