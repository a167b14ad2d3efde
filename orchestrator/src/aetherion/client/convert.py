"""Orders and accounts between the contract and the values that Python works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from aetherion.account import AccountState, Position
from aetherion.client.money import (
    enum_of,
    money_of,
    optional_money,
)
from aetherion.instrument import Instrument
from aetherion.order import (
    CancelOrder,
    CheckFailure,
    CommandAck,
    ContingencyType,
    CxlRejReason,
    ExecInst,
    ExecType,
    ExecutionReport,
    LiquidityInd,
    MassCancelOrders,
    NewOrder,
    NewOrderList,
    Order,
    OrderCommand,
    OrdRejReason,
    OrdStatus,
    OrdType,
    RejectedBy,
    ReplaceOrder,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from aetherion.v1 import account_pb2, order_pb2

# Gives the definition that a message's numbers are written in.
InstrumentOf = Callable[[str], Instrument]


def command_message(command: OrderCommand, instrument_of: InstrumentOf) -> order_pb2.OrderCommand:
    """Return a command for the wire.

    Raises:
        GridError: a price or a quantity is off its instrument's grid.
    """
    match command:
        case NewOrder():
            return order_pb2.OrderCommand(new_order=new_order_message(command, instrument_of))
        case NewOrderList():
            return order_pb2.OrderCommand(new_order_list=list_message(command, instrument_of))
        case ReplaceOrder():
            return order_pb2.OrderCommand(replace_order=replace_message(command, instrument_of))
        case CancelOrder():
            return order_pb2.OrderCommand(cancel_order=cancel_message(command))
        case MassCancelOrders():
            return order_pb2.OrderCommand(mass_cancel_orders=mass_cancel_message(command))


def instruments_of(command: OrderCommand) -> tuple[str, ...]:
    """Return the instruments on whose grids a command's numbers are."""
    match command:
        case NewOrder() | ReplaceOrder():
            return (command.instrument_id,)
        case NewOrderList():
            return tuple(order.instrument_id for order in command.orders)
        case CancelOrder() | MassCancelOrders():
            return ()


def new_order_message(order: NewOrder, instrument_of: InstrumentOf) -> order_pb2.NewOrder:
    """Return an order for the wire.

    Raises:
        GridError: its price or quantity is off the instrument's grid.
    """
    i = instrument_of(order.instrument_id)
    return order_pb2.NewOrder(
        cl_ord_id=order.cl_ord_id,
        account=order.account,
        strategy_id=order.strategy_id,
        instrument_id=order.instrument_id,
        side=order.side.value,  # type: ignore[arg-type]  # the same numbers, tested
        ord_type=order.ord_type.value,  # type: ignore[arg-type]
        time_in_force=order.time_in_force.value,  # type: ignore[arg-type]
        order_qty=i.qty(order.order_qty, "order_qty"),
        price=None if order.price is None else i.px(order.price),
        stop_px=None if order.stop_px is None else i.px(order.stop_px, "stop_px"),
        display_qty=0 if order.display_qty is None else i.qty(order.display_qty, "display_qty"),
        expire_time_ns=order.expire_time_ns,
        exec_insts=sorted(order.exec_insts),  # type: ignore[arg-type]
        self_trade_prevention=order.self_trade_prevention.value,  # type: ignore[arg-type]
        trailing_amount=(
            0 if order.trailing_amount is None else i.px(order.trailing_amount, "trailing_amount")
        ),
        trailing_bps=order.trailing_bps,
    )


def list_message(listed: NewOrderList, instrument_of: InstrumentOf) -> order_pb2.NewOrderList:
    """Return a list of orders for the wire."""
    return order_pb2.NewOrderList(
        list_id=listed.list_id,
        account=listed.account,
        contingency_type=listed.contingency_type.value,  # type: ignore[arg-type]
        orders=[new_order_message(order, instrument_of) for order in listed.orders],
    )


def replace_message(replace: ReplaceOrder, instrument_of: InstrumentOf) -> order_pb2.ReplaceOrder:
    """Return a change of an order for the wire."""
    i = instrument_of(replace.instrument_id)
    return order_pb2.ReplaceOrder(
        cl_ord_id=replace.cl_ord_id,
        orig_cl_ord_id=replace.orig_cl_ord_id,
        account=replace.account,
        order_qty=i.qty(replace.order_qty, "order_qty"),
        price=None if replace.price is None else i.px(replace.price),
        stop_px=None if replace.stop_px is None else i.px(replace.stop_px, "stop_px"),
    )


def cancel_message(cancel: CancelOrder) -> order_pb2.CancelOrder:
    """Return a cancel for the wire."""
    return order_pb2.CancelOrder(
        cl_ord_id=cancel.cl_ord_id, orig_cl_ord_id=cancel.orig_cl_ord_id, account=cancel.account
    )


def mass_cancel_message(cancel: MassCancelOrders) -> order_pb2.MassCancelOrders:
    """Return a mass cancel for the wire."""
    return order_pb2.MassCancelOrders(
        cl_ord_id=cancel.cl_ord_id,
        account=cancel.account,
        strategy_id=cancel.strategy_id,
        instrument_id=cancel.instrument_id,
        side=cancel.side.value,  # type: ignore[arg-type]
    )


def order_of(message: order_pb2.Order, instrument_of: InstrumentOf) -> Order:
    """Return an order and its last report."""
    new_order = new_order_of(message.new_order, instrument_of)
    return Order(new_order, report_of(message.last_report, instrument_of))


def new_order_of(m: order_pb2.NewOrder, instrument_of: InstrumentOf) -> NewOrder:
    """Return an order as it was asked for."""
    i = instrument_of(m.instrument_id)
    return NewOrder(
        cl_ord_id=m.cl_ord_id,
        account=m.account,
        instrument_id=m.instrument_id,
        side=enum_of(Side, m.side),
        order_qty=i.qty_of(m.order_qty),
        price=i.price_of(m.price) if m.HasField("price") else None,
        time_in_force=enum_of(TimeInForce, m.time_in_force),
        strategy_id=m.strategy_id,
        stop_px=i.price_of(m.stop_px) if m.HasField("stop_px") else None,
        trailing_amount=i.price_of(m.trailing_amount) if m.trailing_amount else None,
        trailing_bps=m.trailing_bps,
        display_qty=i.qty_of(m.display_qty) if m.display_qty else None,
        expire_time_ns=m.expire_time_ns,
        exec_insts=frozenset(enum_of(ExecInst, value) for value in m.exec_insts),
        self_trade_prevention=enum_of(SelfTradePrevention, m.self_trade_prevention),
    )


def report_of(m: order_pb2.ExecutionReport, instrument_of: InstrumentOf) -> ExecutionReport:
    """Return an execution report with its numbers as decimals."""
    instrument = instrument_of(m.instrument_id)
    price_of, qty_of = instrument.price_of, instrument.qty_of
    return ExecutionReport(
        sequence=m.sequence,
        prev_sequence=m.prev_sequence,
        transact_time_ns=m.transact_time_ns,
        account=m.account,
        cl_ord_id=m.cl_ord_id,
        order_id=m.order_id,
        venue_order_id=m.venue_order_id,
        exec_id=m.exec_id,
        strategy_id=m.strategy_id,
        instrument_id=m.instrument_id,
        side=enum_of(Side, m.side),
        ord_type=enum_of(OrdType, m.ord_type),
        time_in_force=enum_of(TimeInForce, m.time_in_force),
        exec_type=enum_of(ExecType, m.exec_type),
        ord_status=enum_of(OrdStatus, m.ord_status),
        order_qty=qty_of(m.order_qty),
        cum_qty=qty_of(m.cum_qty),
        leaves_qty=qty_of(m.leaves_qty),
        price=price_of(m.price) if m.HasField("price") else None,
        last_qty=qty_of(m.last_qty),
        last_px=price_of(m.last_px),
        last_liquidity_ind=enum_of(LiquidityInd, m.last_liquidity_ind),
        commission=optional_money(m, "commission"),
        cum_notional=optional_money(m, "cum_notional"),
        avg_px=m.avg_px,
        ord_rej_reason=enum_of(OrdRejReason, m.ord_rej_reason),
        cxl_rej_reason=enum_of(CxlRejReason, m.cxl_rej_reason),
        rejected_by=enum_of(RejectedBy, m.rejected_by),
        text=m.text,
        check_failures=failures_of(m.check_failures),
        exec_ref_id=m.exec_ref_id,
        stop_px=price_of(m.stop_px) if m.HasField("stop_px") else None,
        orig_cl_ord_id=m.orig_cl_ord_id,
        list_id=m.list_id,
        contingency_type=enum_of(ContingencyType, m.contingency_type),
    )


def ack_of(message: order_pb2.CommandAck) -> CommandAck:
    """Return the outcome of a command."""
    return CommandAck(
        account=message.account,
        cl_ord_id=message.cl_ord_id,
        sequence=message.sequence,
        order_id=message.order_id,
        ord_status=enum_of(OrdStatus, message.ord_status),
        exec_type=enum_of(ExecType, message.exec_type),
        ord_rej_reason=enum_of(OrdRejReason, message.ord_rej_reason),
        cxl_rej_reason=enum_of(CxlRejReason, message.cxl_rej_reason),
        rejected_by=enum_of(RejectedBy, message.rejected_by),
        text=message.text,
        check_failures=failures_of(message.check_failures),
        total_affected_orders=message.total_affected_orders,
        list_acks=tuple(map(ack_of, message.list_acks)),
    )


def failures_of(messages: Iterable[order_pb2.CheckFailure]) -> tuple[CheckFailure, ...]:
    """Return the checks that an order fails."""
    return tuple(
        CheckFailure(enum_of(OrdRejReason, m.ord_rej_reason), m.scope, m.risk_limit, m.value)
        for m in messages
    )


def account_of(message: account_pb2.AccountState, instrument_of: InstrumentOf) -> AccountState:
    """Return the state of an account."""
    return AccountState(
        account=message.account,
        sequence=message.sequence,
        transact_time_ns=message.transact_time_ns,
        base_currency=message.base_currency,
        balances=tuple(money_of(b.cash) for b in message.balances),
        positions=tuple(position_of(p, instrument_of) for p in message.positions),
        equity=optional_money(message, "equity"),
        strategy_positions=tuple(position_of(p, instrument_of) for p in message.strategy_positions),
    )


def position_of(message: account_pb2.Position, instrument_of: InstrumentOf) -> Position:
    """Return a position with its numbers as decimals."""
    instrument = instrument_of(message.instrument_id)
    return Position(
        account=message.account,
        instrument_id=message.instrument_id,
        net_qty=instrument.qty_of(message.net_qty),
        cost=money_of(message.cost),
        realized_pnl=money_of(message.realized_pnl),
        unrealized_pnl=optional_money(message, "unrealized_pnl"),
        fees=money_of(message.fees),
        mark=instrument.price_of(message.mark_px) if message.HasField("mark_px") else None,
        avg_px=message.avg_px,
        strategy_id=message.strategy_id,
    )
