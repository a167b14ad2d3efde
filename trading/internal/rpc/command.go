package rpc

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// decodeCommand reads a command of a session; an empty session is none.
func decodeCommand(command *pb.OrderCommand, sessionID string) (engine.Input, error) {
	switch c := command.GetCommand().(type) {
	case *pb.OrderCommand_NewOrder:
		order, err := decodeNewOrder(c.NewOrder)
		return &engine.OrderDecision{NewOrder: order, SessionID: sessionID}, within("new_order", err)
	case *pb.OrderCommand_CancelOrder:
		cancel, err := contract.DecodeCancelOrder(c.CancelOrder)
		return &cancel, within("cancel_order", cmp.Or(err, notReserved("cl_ord_id", cancel.ClOrdID)))
	case *pb.OrderCommand_ReplaceOrder:
		replace, err := contract.DecodeReplaceOrder(c.ReplaceOrder)
		return &engine.ReplaceDecision{Replace: replace}, within("replace_order", cmp.Or(err, notReserved("cl_ord_id", replace.ClOrdID)))
	case *pb.OrderCommand_MassCancelOrders:
		cancel, err := contract.DecodeMassCancelOrders(c.MassCancelOrders)
		return &cancel, within("mass_cancel_orders", cmp.Or(err, notReserved("cl_ord_id", cancel.ClOrdID)))
	case *pb.OrderCommand_NewOrderList:
		list, err := contract.DecodeNewOrderList(c.NewOrderList)
		err = cmp.Or(err, notReserved("list_id", list.ListID))
		for i := range list.Orders {
			err = cmp.Or(err, within(fmt.Sprintf("orders[%d]", i), notReserved("cl_ord_id", list.Orders[i].ClOrdID)))
		}
		return &engine.OrderListDecision{List: list, SessionID: sessionID}, within("new_order_list", err)
	}
	return nil, errors.New("command: must be set")
}

func decodeNewOrder(message *pb.NewOrder) (engine.NewOrder, error) {
	order, err := contract.DecodeNewOrder(message)
	return order, cmp.Or(err, notReserved("cl_ord_id", order.ClOrdID))
}

// notReserved refuses a name that an order which did not come from us is to have. The engine takes them: journals may
// hold some from before.
func notReserved(field, name string) error {
	if strings.HasPrefix(name, engine.ExternalPrefix) {
		return fmt.Errorf("%s: must not begin with %q, which orders have that did not come from us, got %.70q", field, engine.ExternalPrefix, name)
	}
	return nil
}

// decodeCommands reads what can be read. A command that cannot, or that a kill switch refuses before the
// engine could, has its acknowledgement already; it leaves no trace, and the others go their way.
func (s orderService) decodeCommands(commands []*pb.OrderCommand, sessionID string) (inputs []engine.Input, acks []*pb.CommandAck) {
	inputs, acks = make([]engine.Input, 0, len(commands)), make([]*pb.CommandAck, len(commands))
	for i, command := range commands {
		input, err := decodeCommand(command, sessionID)
		switch {
		case err != nil:
			acks[i] = refused(command, pb.OrdRejReason_ORD_REJ_REASON_INVALID_FIELD, err.Error())
		case s.killed(input):
			acks[i] = refused(command, pb.OrdRejReason_ORD_REJ_REASON_KILL_SWITCH, "kill_switch: one is being engaged")
		default:
			inputs = append(inputs, input)
		}
	}
	return inputs, acks
}

// killed says whether a kill switch on its way to the engine binds a command. Cancels are never refused.
func (s orderService) killed(input engine.Input) bool {
	switch command := input.(type) {
	case *engine.OrderDecision:
		return s.session.Emergency.Refuses(&command.NewOrder)
	case *engine.ReplaceDecision:
		return s.session.Emergency.Refuses(&engine.NewOrder{Account: command.Replace.Account})
	case *engine.OrderListDecision:
		for i := range command.List.Orders {
			if s.session.Emergency.Refuses(&command.List.Orders[i]) {
				return true
			}
		}
	}
	return false
}

// refused is the outcome of a command that goes no further. Its sequence is 0: the journal does not have it.
func refused(command *pb.OrderCommand, reason pb.OrdRejReason, text string) *pb.CommandAck {
	ack := &pb.CommandAck{OrdRejReason: reason, RejectedBy: pb.RejectedBy_REJECTED_BY_ENGINE, Text: text}
	switch c := command.GetCommand().(type) {
	case *pb.OrderCommand_NewOrder:
		ack.Account, ack.ClOrdId = c.NewOrder.GetAccount(), c.NewOrder.GetClOrdId()
	case *pb.OrderCommand_NewOrderList:
		ack.Account, ack.ClOrdId = c.NewOrderList.GetAccount(), c.NewOrderList.GetListId()
	case *pb.OrderCommand_CancelOrder:
		ack.Account, ack.ClOrdId = c.CancelOrder.GetAccount(), c.CancelOrder.GetClOrdId()
		ack.CxlRejReason = pb.CxlRejReason_CXL_REJ_REASON_REFUSED
	case *pb.OrderCommand_ReplaceOrder:
		ack.Account, ack.ClOrdId = c.ReplaceOrder.GetAccount(), c.ReplaceOrder.GetClOrdId()
		ack.CxlRejReason = pb.CxlRejReason_CXL_REJ_REASON_REFUSED
	case *pb.OrderCommand_MassCancelOrders:
		ack.Account, ack.ClOrdId = c.MassCancelOrders.GetAccount(), c.MassCancelOrders.GetClOrdId()
		ack.CxlRejReason = pb.CxlRejReason_CXL_REJ_REASON_REFUSED
	}
	ack.ExecType, ack.OrdStatus = pb.ExecType_EXEC_TYPE_REJECTED, pb.OrdStatus_ORD_STATUS_REJECTED
	if ack.CxlRejReason != 0 {
		ack.ExecType, ack.OrdStatus = pb.ExecType_EXEC_TYPE_CANCEL_REJECTED, pb.OrdStatus_ORD_STATUS_UNSPECIFIED
	}
	return ack
}

// decodeAll refuses all commands when one cannot be read: a simulation tells its strategy of a mistake at once.
func decodeAll(commands []*pb.OrderCommand, most int) ([]engine.Input, error) {
	if err := checkCount(commands, most); err != nil {
		return nil, err
	}
	inputs := make([]engine.Input, len(commands))
	for i, command := range commands {
		var err error
		if inputs[i], err = decodeCommand(command, ""); err != nil {
			return nil, fmt.Errorf("commands[%d].%w", i, err)
		}
	}
	return inputs, nil
}

// checkCount bounds a message.
func checkCount(commands []*pb.OrderCommand, most int) error {
	if len(commands) > most {
		return fmt.Errorf("commands: must be at most %d, got %d", most, len(commands))
	}
	return nil
}
