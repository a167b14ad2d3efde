"""Busts and corrections: as if the fill had been right from the start."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from test_strategy import report

from aetherion.account import Money
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.order import ExecType, OrdStatus, Side
from aetherion.strategy import Portfolio

DAY_NS = 86_400 * 10**9
FEE = Money("USD", 10**18)


def portfolio_of(kind: InstrumentClass) -> Portfolio:
    instrument = Instrument("BTC.X", kind, "BTC", "USD", price_scale=2, qty_scale=3)
    return Portfolio("USD", Decimal(1000), {"BTC.X": instrument}, {})


def tell(portfolio: Portfolio, side: Side, qty: str, px: str, exec_id: str, **fields: Any) -> None:
    known: dict[str, Any] = {"exec_type": ExecType.TRADE, "commission": FEE} | fields
    exec_type = known.pop("exec_type")
    portfolio.apply(
        report(
            "x",
            exec_type,
            OrdStatus.FILLED,
            side=side,
            last_qty=Decimal(qty),
            last_px=Decimal(px),
            exec_id=exec_id,
            **known,
        )
    )


def view(portfolio: Portfolio) -> tuple[Decimal, Decimal, Decimal]:
    return portfolio.position("BTC.X"), portfolio.cost("BTC.X"), portfolio.cash


@pytest.mark.parametrize("kind", [InstrumentClass.SPOT, InstrumentClass.FUTURE])
@pytest.mark.parametrize("later", [0, 2 * DAY_NS])  # fills of long before are settled
def test_a_busted_fill_never_was(kind: InstrumentClass, later: int) -> None:
    portfolio, expected = portfolio_of(kind), portfolio_of(kind)
    for target in (portfolio, expected):
        tell(target, Side.BUY, "2", "10", "e1")
    tell(portfolio, Side.SELL, "3", "12", "e2", transact_time_ns=later)
    for target in (portfolio, expected):
        tell(target, Side.BUY, "1", "11", "e3", transact_time_ns=later + 1)
    bust = {"exec_type": ExecType.TRADE_CANCEL, "exec_ref_id": "e2", "commission": None}
    tell(portfolio, Side.SELL, "3", "12", "e4", **bust, transact_time_ns=later + 2)
    assert view(portfolio) == view(expected)


def test_a_correction_of_a_correction_is_of_the_fill() -> None:
    portfolio, expected = portfolio_of(InstrumentClass.SPOT), portfolio_of(InstrumentClass.SPOT)
    tell(portfolio, Side.BUY, "2", "10", "e1")
    correct = {"exec_type": ExecType.TRADE_CORRECT, "commission": None}
    tell(portfolio, Side.BUY, "3", "10", "e2", **correct, exec_ref_id="e1")
    tell(portfolio, Side.BUY, "3", "9.5", "e3", **correct, exec_ref_id="e2")
    tell(expected, Side.BUY, "3", "9.5", "e1")
    assert view(portfolio) == view(expected)
    other_fee = {"commission": Money("USD", 2 * 10**18), "exec_type": ExecType.TRADE_CORRECT}
    tell(portfolio, Side.BUY, "3", "9.5", "e4", **other_fee, exec_ref_id="e1")
    assert portfolio.cash == expected.cash - 1
