"""Our enumerations, commands and money are those of the contract."""

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aetherion import controls, instrument, market_data, order, risk
from aetherion.client.control_messages import limits_message, limits_of, model_message
from aetherion.client.convert import (
    command_message,
    list_message,
    new_order_message,
    new_order_of,
    report_of,
)
from aetherion.client.money import (
    decimal_message,
    decimal_of,
    money_message,
    money_of,
    unknown_instrument,
)
from aetherion.controls import ControlError, PretradeModel
from aetherion.errors import AetherionError
from aetherion.exact import GridError
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.order import (
    CancelOrder,
    ExecInst,
    ExecType,
    NewOrder,
    NewOrderList,
    OrdRejReason,
    OrdType,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from aetherion.order_list import bracket, oco, oto, ouo
from aetherion.risk import RiskLimit, RiskLimits
from aetherion.v1 import (
    account_pb2,
    instrument_pb2,
    journal_pb2,
    market_data_pb2,
    order_pb2,
    risk_book_pb2,
    risk_figures_pb2,
    risk_limit_pb2,
    risk_model_pb2,
    risk_reference_pb2,
)

AAPL = Instrument("AAPL.XNAS", InstrumentClass.EQUITY, "AAPL", "USD", price_scale=2, qty_scale=1)


@pytest.mark.parametrize(
    ("ours", "contract", "prefix"),
    [
        (order.Side, order_pb2.Side, "SIDE_"),
        (order.OrdType, order_pb2.OrdType, "ORD_TYPE_"),
        (order.TimeInForce, order_pb2.TimeInForce, "TIME_IN_FORCE_"),
        (order.ExecInst, order_pb2.ExecInst, "EXEC_INST_"),
        (order.ContingencyType, order_pb2.ContingencyType, "CONTINGENCY_TYPE_"),
        (order.SelfTradePrevention, order_pb2.SelfTradePrevention, "SELF_TRADE_PREVENTION_"),
        (controls.TradingState, journal_pb2.TradingState, "TRADING_STATE_"),
        (order.OrdStatus, order_pb2.OrdStatus, "ORD_STATUS_"),
        (order.ExecType, order_pb2.ExecType, "EXEC_TYPE_"),
        (order.OrdRejReason, order_pb2.OrdRejReason, "ORD_REJ_REASON_"),
        (order.CxlRejReason, order_pb2.CxlRejReason, "CXL_REJ_REASON_"),
        (order.RejectedBy, order_pb2.RejectedBy, "REJECTED_BY_"),
        (order.LiquidityInd, order_pb2.LiquidityInd, "LIQUIDITY_IND_"),
        (instrument.InstrumentClass, instrument_pb2.InstrumentClass, "INSTRUMENT_CLASS_"),
        (market_data.MarketDataKind, market_data_pb2.MarketDataKind, "MARKET_DATA_KIND_"),
        (market_data.ColumnId, market_data_pb2.ColumnId, "COLUMN_ID_"),
        (risk.QuantileRule, risk_model_pb2.QuantileRule, "QUANTILE_RULE_"),
        (risk.ShortfallRule, risk_model_pb2.ShortfallRule, "SHORTFALL_RULE_"),
        (risk.PricingModel, risk_book_pb2.PricingModel, "PRICING_MODEL_"),
        (
            risk.DistributionFunction,
            risk_reference_pb2.DistributionFunction,
            "DISTRIBUTION_FUNCTION_",
        ),
        (risk.RiskWarning, risk_figures_pb2.RiskWarning, "RISK_WARNING_"),
    ],
)
def test_enumerations_are_those_of_the_contract(
    ours: type[IntEnum], contract: Any, prefix: str
) -> None:
    theirs = {n.removeprefix(prefix): number for n, number in contract.items()}
    assert {m.name: m.value for m in ours} | {"UNSPECIFIED": 0} == theirs


def test_limit_order_goes_out_in_the_instrument_s_units() -> None:
    order = NewOrder(
        "a-1", "main", "AAPL.XNAS", Side.BUY, Decimal("1.5"), Decimal("99.99"), TimeInForce.IOC, "a"
    )
    message = command_message(order, lambda _: AAPL).new_order
    assert message == order_pb2.NewOrder(
        cl_ord_id="a-1",
        account="main",
        strategy_id="a",
        instrument_id="AAPL.XNAS",
        side=order_pb2.SIDE_BUY,
        ord_type=order_pb2.ORD_TYPE_LIMIT,
        time_in_force=order_pb2.TIME_IN_FORCE_IOC,
        order_qty=15,
        price=9999,
    )


def test_market_order_has_no_price() -> None:
    order = NewOrder("a-1", "main", "AAPL.XNAS", Side.SELL, Decimal(2))
    message = command_message(order, lambda _: AAPL).new_order
    assert message.ord_type == order_pb2.ORD_TYPE_MARKET
    assert not message.HasField("price")


def test_off_grid_order_is_refused_before_it_leaves() -> None:
    order = NewOrder("a-1", "main", "AAPL.XNAS", Side.BUY, Decimal("0.15"))
    with pytest.raises(GridError, match=r"order_qty: must be a multiple of 0\.1, got 0\.15"):
        command_message(order, lambda _: AAPL)


def test_cancel_goes_out() -> None:
    message = command_message(CancelOrder("a-2", "a-1", "main"), lambda _: AAPL)
    assert message.cancel_order == order_pb2.CancelOrder(
        cl_ord_id="a-2", orig_cl_ord_id="a-1", account="main"
    )


@pytest.mark.parametrize(
    ("fields", "ord_type"),
    [
        ({}, OrdType.MARKET),
        ({"price": "99.99"}, OrdType.LIMIT),
        ({"stop_px": "99.99"}, OrdType.STOP),
        ({"price": "99.99", "stop_px": 100}, OrdType.STOP_LIMIT),
        ({"trailing_amount": "0.05"}, OrdType.TRAILING_STOP),
        ({"trailing_bps": 25}, OrdType.TRAILING_STOP),
        ({"price": 1.25, "display_qty": "0.5"}, OrdType.LIMIT),
        (
            {
                "price": 1,
                "time_in_force": TimeInForce.GTD,
                "expire_time_ns": 5,
                "exec_insts": {ExecInst.POST_ONLY, ExecInst.REDUCE_ONLY},
                "self_trade_prevention": SelfTradePrevention.CANCEL_BOTH,
            },
            OrdType.LIMIT,
        ),
    ],
)
def test_what_is_set_says_the_order_type_and_survives_the_wire(
    fields: dict[str, Any], ord_type: OrdType
) -> None:
    order = NewOrder("a-1", "main", "AAPL.XNAS", Side.BUY, "1.5", **fields)  # type: ignore[arg-type]
    message = new_order_message(order, lambda _: AAPL)
    assert int(message.ord_type) == ord_type
    assert new_order_of(message, lambda _: AAPL) == order


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"price": 99.995}, r"price: must be a multiple of 0\.01, got 99\.995; nearest are 99\.99"),
        ({"stop_px": "99.999"}, r"stop_px: must be a multiple of 0\.01, got 99\.999"),
        ({"trailing_amount": "0.005"}, r"trailing_amount: must be a multiple of 0\.01"),
        ({"display_qty": "0.05"}, r"display_qty: must be a multiple of 0\.1"),
    ],
)
def test_each_number_off_the_grid_is_named(fields: dict[str, Any], says: str) -> None:
    order = NewOrder("a-1", "main", "AAPL.XNAS", Side.BUY, Decimal(1), **fields)
    with pytest.raises(GridError, match=says):
        new_order_message(order, lambda _: AAPL)


def test_a_bracket_has_exits_of_the_other_side() -> None:
    entry = NewOrder("e", "main", "AAPL.XNAS", Side.BUY, Decimal(2), Decimal(100), strategy_id="s")
    listed = bracket("b", entry, take_profit="110", stop_loss=95)
    message = list_message(listed, lambda _: AAPL)
    assert message.contingency_type == order_pb2.CONTINGENCY_TYPE_BRACKET
    assert [
        (o.cl_ord_id, o.side, o.ord_type, o.price, o.stop_px, o.order_qty, o.strategy_id)
        for o in message.orders
    ] == [
        ("e", order_pb2.SIDE_BUY, order_pb2.ORD_TYPE_LIMIT, 10_000, 0, 20, "s"),
        ("e-tp", order_pb2.SIDE_SELL, order_pb2.ORD_TYPE_LIMIT, 11_000, 0, 20, "s"),
        ("e-sl", order_pb2.SIDE_SELL, order_pb2.ORD_TYPE_STOP, 0, 9_500, 20, "s"),
    ]


@pytest.mark.parametrize("make", [oco, oto, ouo, bracket])
def test_a_list_of_one_order_is_refused(make: Callable[[str, NewOrder], NewOrderList]) -> None:
    with pytest.raises(AetherionError, match="orders: a list has at least 2, got 1"):
        make("l", NewOrder("a", "main", "AAPL.XNAS", Side.BUY, Decimal(1)))


def test_every_limit_survives_the_wire() -> None:
    values = {"Decimal | None": Decimal("1.5"), "int | None": 7, "bool": True, "str": "x"}
    limit = RiskLimit(**{f.name: values[str(f.type)] for f in fields(RiskLimit)})  # type: ignore[arg-type]
    limits = RiskLimits((limit,), version=1)
    assert limits_of(limits_message(limits)) == limits
    names = {f.name for f in fields(RiskLimit)}
    assert names == {f.name for f in risk_limit_pb2.RiskLimit.DESCRIPTOR.fields}


def test_a_covariance_of_another_size_is_refused() -> None:
    with pytest.raises(ControlError, match=r"covariance: must have shape \(2, 2\), got \(3, 3\)"):
        PretradeModel(("A.X", "B.X"), np.eye(3))
    message = model_message(PretradeModel(("A.X", "B.X"), np.array([[4.0, 1.0], [1.0, 9.0]])))
    assert list(message.covariance) == [4.0, 1.0, 1.0, 9.0]


def test_report_shows_decimals() -> None:
    report = report_of(
        order_pb2.ExecutionReport(
            instrument_id="AAPL.XNAS",
            side=order_pb2.SIDE_BUY,
            ord_type=order_pb2.ORD_TYPE_MARKET,
            time_in_force=order_pb2.TIME_IN_FORCE_GTC,
            exec_type=order_pb2.EXEC_TYPE_TRADE,
            ord_status=order_pb2.ORD_STATUS_PARTIALLY_FILLED,
            order_qty=30,
            cum_qty=10,
            leaves_qty=20,
            last_qty=10,
            last_px=12_345,
            commission=account_pb2.Money(currency="USD", attos=50 * 10**15),
        ),
        lambda _: AAPL,
    )
    assert (str(report.last_qty), str(report.last_px), report.price) == ("1.0", "123.45", None)
    assert report.order_qty == report.cum_qty + report.leaves_qty
    assert report.commission is not None
    assert str(report.commission) == "0.05 USD"
    assert report.reason == ""


def test_rejected_cancel_of_an_unknown_order_can_be_read() -> None:
    report = report_of(
        order_pb2.ExecutionReport(
            cl_ord_id="nobody",
            exec_type=order_pb2.EXEC_TYPE_CANCEL_REJECTED,
            cxl_rej_reason=order_pb2.CXL_REJ_REASON_UNKNOWN_ORDER,
        ),
        unknown_instrument,
    )
    assert report.exec_type is ExecType.CANCEL_REJECTED
    assert report.ord_rej_reason is OrdRejReason.UNSPECIFIED
    assert report.reason == "UNKNOWN_ORDER"


def test_limits_survive_the_wire() -> None:
    limits = RiskLimits(
        (
            RiskLimit(max_order_notional=Decimal("250000.50")),
            RiskLimit("main", "AAPL.XNAS", Decimal(10), None, Decimal("0.001")),
        ),
        market_order_band_bps=100,
        version=3,
    )
    assert limits_of(limits_message(limits)) == limits


@given(st.integers(min_value=-(10**36), max_value=10**36))
def test_money_survives_the_wire(attos: int) -> None:
    amount = Decimal(attos).scaleb(-18) if abs(attos) < 10**27 else Decimal(attos // 10**18)
    message = money_message("USD", amount, "cash")
    assert money_of(message).amount == amount
    assert message.units * message.attos >= 0  # both parts have the same sign


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1), st.integers(min_value=0, max_value=18))
def test_decimals_survive_the_wire(mantissa: int, scale: int) -> None:
    value = Decimal(mantissa).scaleb(-scale)
    assert decimal_of(decimal_message(value, "limit")) == value


@pytest.mark.parametrize("text", ["1e19", "0.0000000000000000001", "NaN", "12345678901234567890"])
def test_decimal_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(GridError, match="limit: must"):
        decimal_message(Decimal(text), "limit")
