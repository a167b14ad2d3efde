"""What a strategy asks for, and how its orders are followed under their names."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from aetherion.errors import AetherionError
from aetherion.exact import GridError
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.order import (
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
    OrderCommand,
    OrdRejReason,
    OrdStatus,
    OrdType,
    RejectedBy,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from aetherion.strategy import Host, Strategy

BTC = Instrument("BTC.X", InstrumentClass.SPOT, "BTC", "USD", price_scale=2, qty_scale=3)


class Trader(Strategy):
    """Does what the test tells it to."""


@pytest.fixture
def trader() -> Trader:
    strategy = Trader()
    Host(strategy, [BTC], "main", "USD", Decimal(1000))
    return strategy


def given(trader: Trader) -> list[OrderCommand]:
    assert trader._host is not None
    return trader._host.take_commands()


def tell(trader: Trader, exec_type: ExecType, ord_status: OrdStatus, **fields: Any) -> None:
    """Report something of order 1."""
    known: dict[str, Any] = {
        "cl_ord_id": "Trader-1",
        "order_qty": Decimal(2),
        "price": Decimal(9),
        "stop_px": None,
        "cum_qty": Decimal(0),
        "leaves_qty": Decimal(2),
        "last_qty": Decimal(0),
        "last_px": Decimal(0),
        "orig_cl_ord_id": "",
    } | fields
    assert trader._host is not None
    trader._host.report(
        ExecutionReport(
            sequence=1,
            prev_sequence=0,
            transact_time_ns=0,
            account="main",
            order_id=1,
            venue_order_id="",
            exec_id="",
            strategy_id="Trader",
            instrument_id="BTC.X",
            side=Side.BUY,
            ord_type=OrdType.LIMIT,
            time_in_force=TimeInForce.GTC,
            exec_type=exec_type,
            ord_status=ord_status,
            last_liquidity_ind=LiquidityInd.UNSPECIFIED,
            commission=None,
            cum_notional=None,
            avg_px=0.0,
            ord_rej_reason=OrdRejReason.UNSPECIFIED,
            cxl_rej_reason=CxlRejReason.UNSPECIFIED,
            rejected_by=RejectedBy.UNSPECIFIED,
            text="",
            check_failures=(),
            **known,
        )
    )


@pytest.mark.parametrize(
    ("ask", "ord_type", "fields"),
    [
        (lambda s: s.buy("BTC.X", 1), OrdType.MARKET, {}),
        (lambda s: s.buy("BTC.X", 1, "9.5"), OrdType.LIMIT, {"price": Decimal("9.5")}),
        (lambda s: s.sell("BTC.X", 1, stop_px="8"), OrdType.STOP, {"stop_px": Decimal(8)}),
        (lambda s: s.sell("BTC.X", 1, 7, stop_px=8), OrdType.STOP_LIMIT, {"price": Decimal(7)}),
        (lambda s: s.sell("BTC.X", 1, trailing_bps=50), OrdType.TRAILING_STOP, {}),
        (
            lambda s: s.sell("BTC.X", 1, trailing_amount="0.25"),
            OrdType.TRAILING_STOP,
            {"trailing_amount": Decimal("0.25")},
        ),
        (
            lambda s: s.buy("BTC.X", 1, 9, post_only=True, reduce_only=True),
            OrdType.LIMIT,
            {"exec_insts": {ExecInst.POST_ONLY, ExecInst.REDUCE_ONLY}},
        ),
        (
            lambda s: s.buy("BTC.X", 1, 9, TimeInForce.GTD, expire_time_ns=7, display_qty="0.1"),
            OrdType.LIMIT,
            {"expire_time_ns": 7, "display_qty": Decimal("0.1")},
        ),
    ],
)
def test_options_say_what_an_order_is(
    trader: Trader, ask: Callable[[Strategy], str], ord_type: OrdType, fields: dict[str, Any]
) -> None:
    name = ask(trader)
    (order,) = given(trader)
    assert isinstance(order, NewOrder)
    assert (order.cl_ord_id, order.ord_type, order.strategy_id) == (name, ord_type, "Trader")
    for field, value in fields.items():
        assert getattr(order, field) == value, field


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"stop_px": "8.001"}, r"stop_px: must be a multiple of 0\.01, got 8\.001"),
        ({"trailing_amount": "0.001"}, "trailing_amount: must be a multiple"),
        ({"stop": 8}, "stop: no such option of an order; there is stop_px, trailing_amount"),
    ],
)
def test_a_bad_option_is_named_and_nothing_is_sent(
    trader: Trader, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(AetherionError, match=says):
        trader.sell("BTC.X", 1, **options)
    assert given(trader) == []


def test_a_bracket_is_one_command_and_its_orders_are_open(trader: Trader) -> None:
    entry = trader.order("BTC.X", Side.BUY, 2, 9)
    assert given(trader) == []
    list_id = trader.bracket(entry, take_profit=11, stop_loss="8.5")
    (listed,) = given(trader)
    assert isinstance(listed, NewOrderList)
    assert (listed.list_id, listed.contingency_type) == (list_id, ContingencyType.BRACKET)
    names = ["Trader-1", "Trader-1-tp", "Trader-1-sl"]
    assert [order.cl_ord_id for order in listed.orders] == names
    assert list(trader.orders) == names
    with pytest.raises(GridError, match=r"stop_loss: must be a multiple of 0\.01"):
        trader.bracket(entry, stop_loss="8.505")


def test_a_refused_list_is_forgotten(trader: Trader) -> None:
    one, other = trader.order("BTC.X", Side.SELL, 1, 11), trader.order("BTC.X", Side.SELL, 1, 12)
    trader.submit_list(ContingencyType.OCO, one, other)
    refused = [
        CommandAck(
            "main", name, 1, 1, OrdStatus.REJECTED, ExecType.REJECTED, OrdRejReason.LIST,
            CxlRejReason.UNSPECIFIED, RejectedBy.RISK, "", (),
        )
        for name in (one.cl_ord_id, other.cl_ord_id)
    ]  # fmt: skip
    assert trader._host is not None
    trader._host.ack(
        CommandAck(
            "main", "Trader-3", 1, 0, OrdStatus.REJECTED, ExecType.REJECTED, OrdRejReason.LIST,
            CxlRejReason.UNSPECIFIED, RejectedBy.RISK, "", (), list_acks=tuple(refused),
        )
    )  # fmt: skip
    assert dict(trader.orders) == {}


def test_a_replace_keeps_what_is_not_given_and_renames_the_order(trader: Trader) -> None:
    first = trader.buy("BTC.X", 2, 9)
    tell(trader, ExecType.NEW, OrdStatus.NEW)
    second = trader.replace(first, price="9.25")
    assert given(trader)[1] == ReplaceOrder(
        second, first, "main", "BTC.X", Decimal(2), Decimal("9.25")
    )
    names = {"cl_ord_id": second, "orig_cl_ord_id": first}
    tell(trader, ExecType.PENDING_REPLACE, OrdStatus.PENDING_REPLACE, **names)
    assert trader.orders[first].ord_status is OrdStatus.PENDING_REPLACE
    tell(trader, ExecType.REPLACED, OrdStatus.NEW, **names, price=Decimal("9.25"))
    assert list(trader.orders) == [second]
    assert trader.orders[second].new_order.price == Decimal("9.25")
    third = trader.replace(second, qty=3)
    assert given(trader) == [
        ReplaceOrder(third, second, "main", "BTC.X", Decimal(3), Decimal("9.25"))
    ]
    with pytest.raises(AetherionError, match=f"replace: no open order '{first}'"):
        trader.replace(first, qty=1)


def test_a_trigger_is_kept_while_it_waits_and_left_out_after(trader: Trader) -> None:
    name = trader.sell("BTC.X", 2, 7, stop_px=8)
    fields = {"price": Decimal(7), "stop_px": Decimal(8)}
    tell(trader, ExecType.SUSPENDED, OrdStatus.SUSPENDED, **fields)
    trader.replace(name, qty=1)
    tell(trader, ExecType.TRIGGERED, OrdStatus.PENDING_NEW, **fields)
    trader.replace(name, qty=1)
    _, waiting, working = given(trader)
    assert isinstance(waiting, ReplaceOrder)
    assert isinstance(working, ReplaceOrder)
    assert (waiting.stop_px, working.stop_px) == (Decimal(8), None)


def test_a_cancel_in_flight_is_of_the_order(trader: Trader) -> None:
    name = trader.buy("BTC.X", 2, 9)
    trader.cancel(name)
    names = {"cl_ord_id": "Trader-2", "orig_cl_ord_id": name}
    tell(trader, ExecType.PENDING_CANCEL, OrdStatus.PENDING_CANCEL, **names)
    assert trader.orders[name].ord_status is OrdStatus.PENDING_CANCEL
    tell(trader, ExecType.CANCELED, OrdStatus.CANCELED, **names, leaves_qty=Decimal(0))
    assert dict(trader.orders) == {}


def test_closing_a_position_cancels_first_and_may_only_reduce(trader: Trader) -> None:
    assert trader.close_position("BTC.X") is None
    assert given(trader) == [MassCancelOrders("Trader-1", "main", "Trader", "BTC.X")]
    tell(
        trader, ExecType.TRADE, OrdStatus.FILLED, last_qty=Decimal(2), last_px=Decimal(9),
        leaves_qty=Decimal(0),
    )  # fmt: skip
    name = trader.close_position("BTC.X")
    cancel, order = given(trader)
    assert isinstance(cancel, MassCancelOrders)
    assert isinstance(order, NewOrder)
    assert (order.cl_ord_id, order.side, order.order_qty) == (name, Side.SELL, Decimal(2))
    assert order.exec_insts == {ExecInst.REDUCE_ONLY}


def test_cancel_all_may_be_of_a_side(trader: Trader) -> None:
    trader.cancel_all(side=Side.BUY)
    assert given(trader) == [MassCancelOrders("Trader-1", "main", "Trader", side=Side.BUY)]
    with pytest.raises(AetherionError, match="unknown instrument 'BTC'"):
        trader.cancel_all("BTC")
