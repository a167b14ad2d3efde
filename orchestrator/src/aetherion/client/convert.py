"""Orders, accounts and limits between the contract and the values that Python works with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from aetherion.account import AccountState, Position
from aetherion.client.money import (
    decimal_message,
    decimal_of,
    enum_of,
    money_of,
    optional_money,
)
from aetherion.instrument import Instrument
from aetherion.order import (
    CheckFailure,
    CommandAck,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    LiquidityInd,
    NewOrder,
    Order,
    OrderCommand,
    OrdRejReason,
    OrdStatus,
    OrdType,
    RejectedBy,
    Side,
    TimeInForce,
)
from aetherion.risk import RiskLimit, RiskLimits
from aetherion.v1 import account_pb2, order_pb2, risk_limit_pb2

# Gives the definition that a message's numbers are written in.
InstrumentOf = Callable[[str], Instrument]


def command_message(command: OrderCommand, instrument_of: InstrumentOf) -> order_pb2.OrderCommand:
    """Return a command for the wire."""
    if isinstance(command, NewOrder):
        return order_pb2.OrderCommand(new_order=new_order_message(command, instrument_of))
    return order_pb2.OrderCommand(
        cancel_order=order_pb2.CancelOrder(
            cl_ord_id=command.cl_ord_id,
            orig_cl_ord_id=command.orig_cl_ord_id,
            account=command.account,
        )
    )


def new_order_message(order: NewOrder, instrument_of: InstrumentOf) -> order_pb2.NewOrder:
    """Return an order for the wire.

    Raises:
        GridError: its price or quantity is off the instrument's grid.
    """
    instrument = instrument_of(order.instrument_id)
    return order_pb2.NewOrder(
        cl_ord_id=order.cl_ord_id,
        account=order.account,
        strategy_id=order.strategy_id,
        instrument_id=order.instrument_id,
        side=order.side.value,  # type: ignore[arg-type]  # the same numbers, tested
        ord_type=order.ord_type.value,  # type: ignore[arg-type]
        time_in_force=order.time_in_force.value,  # type: ignore[arg-type]
        order_qty=instrument.qty(order.order_qty, "order_qty"),
        price=None if order.price is None else instrument.px(order.price),
    )


def order_of(message: order_pb2.Order, instrument_of: InstrumentOf) -> Order:
    """Return an order and its last report."""
    asked = message.new_order
    instrument = instrument_of(asked.instrument_id)
    new_order = NewOrder(
        cl_ord_id=asked.cl_ord_id,
        account=asked.account,
        instrument_id=asked.instrument_id,
        side=enum_of(Side, asked.side),
        order_qty=instrument.qty_of(asked.order_qty),
        price=instrument.price_of(asked.price) if asked.HasField("price") else None,
        time_in_force=enum_of(TimeInForce, asked.time_in_force),
        strategy_id=asked.strategy_id,
    )
    return Order(new_order, report_of(message.last_report, instrument_of))


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
        check_failures=_failures_of(m.check_failures),
        exec_ref_id=m.exec_ref_id,
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
        check_failures=_failures_of(message.check_failures),
    )


def _failures_of(messages: Iterable[order_pb2.CheckFailure]) -> tuple[CheckFailure, ...]:
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
    )


def limits_message(limits: RiskLimits) -> risk_limit_pb2.RiskLimits:
    """Return limits for the wire."""
    return risk_limit_pb2.RiskLimits(
        version=limits.version,
        limits=[_limit_message(limit) for limit in limits.limits],
        market_order_band_bps=limits.market_order_band_bps,
    )


def _limit_message(limit: RiskLimit) -> risk_limit_pb2.RiskLimit:
    def encode(value: Decimal | None, field: str) -> account_pb2.Decimal | None:
        return None if value is None else decimal_message(value, field)

    return risk_limit_pb2.RiskLimit(
        account=limit.account,
        instrument_id=limit.instrument_id,
        max_order_qty=encode(limit.max_order_qty, "max_order_qty"),
        max_order_notional=encode(limit.max_order_notional, "max_order_notional"),
        max_position_qty=encode(limit.max_position_qty, "max_position_qty"),
    )


def limits_of(message: risk_limit_pb2.RiskLimits) -> RiskLimits:
    """Return limits as Python works with them."""
    return RiskLimits(
        limits=tuple(_limit_of(m) for m in message.limits),
        market_order_band_bps=message.market_order_band_bps,
        version=message.version,
    )


def _limit_of(m: risk_limit_pb2.RiskLimit) -> RiskLimit:
    return RiskLimit(
        account=m.account,
        instrument_id=m.instrument_id,
        max_order_qty=decimal_of(m.max_order_qty) if m.HasField("max_order_qty") else None,
        max_order_notional=(
            decimal_of(m.max_order_notional) if m.HasField("max_order_notional") else None
        ),
        max_position_qty=decimal_of(m.max_position_qty) if m.HasField("max_position_qty") else None,
    )
