package exchange

import (
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"

	pb "aetherion/trading/gen/aetherion/v1"
	"aetherion/trading/internal/contract"
	"aetherion/trading/internal/engine"
)

// maxCommand is far above what a command needs, and small enough that those of one log write fit it.
const maxCommand = 16 << 10

// Check refuses what is not a command at all. What breaks a rule of the market is a rejection.
func Check(command *pb.VenueCommand) error {
	if size := proto.Size(command); size > maxCommand {
		return fmt.Errorf("command: must have at most %d bytes, got %d", maxCommand, size)
	}
	switch c := command.GetCommand().(type) {
	case *pb.VenueCommand_NewOrder:
		n := c.NewOrder
		return errors.Join(contract.Name("cl_ord_id", n.GetClOrdId()), contract.Name("account", n.GetAccount()),
			contract.Name("instrument_id", n.GetInstrumentId()), contract.StrategyID(n.GetStrategyId()))
	case *pb.VenueCommand_ReplaceOrder:
		r := c.ReplaceOrder
		return errors.Join(contract.Name("cl_ord_id", r.GetClOrdId()), contract.Name("account", r.GetAccount()),
			contract.Name("orig_cl_ord_id", r.GetOrigClOrdId()))
	case *pb.VenueCommand_CancelOrder:
		r := c.CancelOrder
		return errors.Join(contract.Name("cl_ord_id", r.GetClOrdId()), contract.Name("account", r.GetAccount()),
			contract.Name("orig_cl_ord_id", r.GetOrigClOrdId()))
	case *pb.VenueCommand_MassCancel:
		return contract.Name("account", c.MassCancel.GetAccount())
	case *pb.VenueCommand_Deposit:
		return checkDeposit(c.Deposit)
	case *pb.VenueCommand_TradeCancel:
		return contract.Name("exec_id", c.TradeCancel.GetExecId())
	case *pb.VenueCommand_TradeCorrect:
		return contract.Name("exec_id", c.TradeCorrect.GetExecId())
	case *pb.VenueCommand_TradingHalt:
		return contract.Name("instrument_id", c.TradingHalt.GetInstrumentId())
	}
	return errors.New("command: is missing")
}

func checkDeposit(d *pb.Deposit) error {
	if err := contract.Name("account", d.GetAccount()); err != nil {
		return err
	}
	money, err := contract.DecodeMoney("amount", d.GetAmount())
	if err != nil {
		return err
	}
	if money.Amount.Sign() <= 0 {
		return fmt.Errorf("amount: must be positive, got %s", money)
	}
	return nil
}

// known is an order without the values of enumerations that nobody defines. It is refused for them, and a
// client could not read a report that repeats them.
func known(n *pb.NewOrder) *pb.NewOrder {
	o := proto.CloneOf(n)
	if _, defined := pb.Side_name[int32(o.GetSide())]; !defined {
		o.Side = pb.Side_SIDE_UNSPECIFIED
	}
	if _, defined := pb.OrdType_name[int32(o.GetOrdType())]; !defined {
		o.OrdType = pb.OrdType_ORD_TYPE_UNSPECIFIED
	}
	if _, defined := pb.TimeInForce_name[int32(o.GetTimeInForce())]; !defined {
		o.TimeInForce = pb.TimeInForce_TIME_IN_FORCE_UNSPECIFIED
	}
	return o
}

// breach is the rule that an order breaks.
type breach struct {
	reason pb.OrdRejReason
	text   string
}

func breaks(reason pb.OrdRejReason, format string, args ...any) *breach {
	return &breach{reason, fmt.Sprintf(format, args...)}
}

// checkOrder finds the first rule of the instrument that an order breaks; the matching engine knows the rest.
func checkOrder(i *engine.Instrument, n *pb.NewOrder) *breach {
	limited := n.GetOrdType() == pb.OrdType_ORD_TYPE_LIMIT || n.GetOrdType() == pb.OrdType_ORD_TYPE_STOP_LIMIT
	stopped := n.GetOrdType() == pb.OrdType_ORD_TYPE_STOP || n.GetOrdType() == pb.OrdType_ORD_TYPE_STOP_LIMIT
	field := pb.OrdRejReason_ORD_REJ_REASON_INVALID_FIELD
	switch {
	case n.GetSide() != pb.Side_SIDE_BUY && n.GetSide() != pb.Side_SIDE_SELL:
		return breaks(field, "side: must be BUY or SELL, got %d", n.GetSide())
	case n.GetOrdType() < pb.OrdType_ORD_TYPE_MARKET || n.GetOrdType() > pb.OrdType_ORD_TYPE_STOP_LIMIT:
		return breaks(field, "ord_type: unknown value %d", n.GetOrdType())
	case n.GetTimeInForce() < pb.TimeInForce_TIME_IN_FORCE_DAY || n.GetTimeInForce() > pb.TimeInForce_TIME_IN_FORCE_GTD:
		return breaks(field, "time_in_force: unknown value %d", n.GetTimeInForce())
	case n.GetSelfTradePrevention() < 0 || n.GetSelfTradePrevention() > pb.SelfTradePrevention_SELF_TRADE_PREVENTION_CANCEL_BOTH:
		return breaks(field, "self_trade_prevention: unknown value %d", n.GetSelfTradePrevention())
	case len(n.GetExecInsts()) > 1 || len(n.GetExecInsts()) == 1 && n.GetExecInsts()[0] != pb.ExecInst_EXEC_INST_POST_ONLY:
		return breaks(field, "exec_insts: must be empty or POST_ONLY, got %v", n.GetExecInsts())
	case (n.GetTimeInForce() == pb.TimeInForce_TIME_IN_FORCE_GTD) != (n.GetExpireTimeNs() != 0):
		return breaks(field, "expire_time_ns: must be set for GTD and not otherwise, got %d with %v", n.GetExpireTimeNs(), n.GetTimeInForce())
	case n.GetTrailingAmount() != 0 || n.GetTrailingBps() != 0:
		return breaks(field, "trailing_amount, trailing_bps: must be 0, got %d and %d", n.GetTrailingAmount(), n.GetTrailingBps())
	case limited != (n.Price != nil):
		return breaks(pb.OrdRejReason_ORD_REJ_REASON_INVALID_PRICE, "price: must be set for a limit order and not otherwise, got %s with %v",
			optional(n.Price), n.GetOrdType())
	case stopped != (n.StopPx != nil):
		return breaks(pb.OrdRejReason_ORD_REJ_REASON_INVALID_PRICE, "stop_px: must be set for a stop order and not otherwise, got %s with %v",
			optional(n.StopPx), n.GetOrdType())
	}
	if limited {
		if b := checkPrice(i, "price", n.GetPrice()); b != nil {
			return b
		}
	}
	if stopped {
		if b := checkPrice(i, "stop_px", n.GetStopPx()); b != nil {
			return b
		}
	}
	return checkQty(i, n.GetOrderQty())
}

func optional(price *int64) string {
	if price == nil {
		return "none"
	}
	return strconv.FormatInt(*price, 10)
}

func checkPrice(i *engine.Instrument, field string, price int64) *breach {
	if price <= 0 || price%i.PriceIncrement != 0 {
		return breaks(pb.OrdRejReason_ORD_REJ_REASON_INVALID_PRICE, "%s: must be a positive multiple of %d, got %d",
			field, i.PriceIncrement, price)
	}
	return nil
}

func checkQty(i *engine.Instrument, qty int64) *breach {
	invalid := pb.OrdRejReason_ORD_REJ_REASON_INVALID_QTY
	switch {
	case qty <= 0 || qty%i.QtyIncrement != 0:
		return breaks(invalid, "order_qty: must be a positive multiple of %d, got %d", i.QtyIncrement, qty)
	case qty < i.MinQty:
		return breaks(invalid, "order_qty: must be at least %d, got %d", i.MinQty, qty)
	case i.MaxQty != 0 && qty > i.MaxQty:
		return breaks(invalid, "order_qty: must be at most %d, got %d", i.MaxQty, qty)
	}
	return nil
}
