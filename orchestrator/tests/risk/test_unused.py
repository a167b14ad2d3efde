"""An argument that would be ignored, or is no such thing, is refused by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aetherion import risk
from aetherion.risk import RiskInputError
from local_risk import sample_returns

RETURNS = sample_returns()
PNL = RETURNS[:, 0]
VAR = np.full(len(PNL), 0.02)
BOOK = risk.Book((risk.spot("a", 1.0, 100.0),))
EYE = np.eye(3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"var": VAR, "method": "nonsense"}, "method: goes with window only, got 'nonsense'"),
        ({"var": VAR, "volatility": "x"}, "volatility: goes with window only, got 'x'"),
        ({"var": VAR, "decay": 7}, "decay: goes with window only, got 7"),
        ({"var": VAR, "quantile_rule": "zz"}, "quantile_rule: goes with window only, got 'zz'"),
        ({"window": 50, "es": VAR}, "es: goes with var only, got"),
        ({"window": 50, "volatility": "x"}, "volatility: goes with method normal or filtered"),
        ({"window": 50, "decay": 9}, "decay: goes with method normal or filtered only, got 9"),
        ({"window": 50, "method": "x"}, "method: must be one of historical"),
        (
            {"window": 50, "method": "normal", "quantile_rule": "upper"},
            "quantile_rule: goes with method historical only, got 'upper'",
        ),
    ],
)
def test_option_of_backtest_without_use(options: dict[str, Any], says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        risk.backtest(PNL, **options)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (lambda: risk.stress(BOOK, {"a": -0.1}, reverse_loss=5.0), "reverse_loss: goes with expo"),
        (lambda: risk.stress(BOOK, {"a": -0.1}, covariance=EYE), "covariance: goes with expo"),
        (lambda: risk.stress(BOOK, ["a"]), "scenarios: must be shocks by name, got"),  # type: ignore[arg-type]
        (
            lambda: risk.assess_trades([1, 2, 3], [1], covariance=EYE),  # type: ignore[list-item]
            "trades: must be of Trade, got 1",
        ),
        (lambda: risk.account_margin([1, 2]), "holdings: must be of ShareHolding, got 1"),  # type: ignore[list-item]
        (
            lambda: risk.scan_margin([1], price_scan_range=1.0),  # type: ignore[list-item]
            "book: must be of ScanPosition, got 1",
        ),
        (
            lambda: risk.scan_margin(None, price_scan_range=1.0),  # type: ignore[arg-type]
            "book: must be several ScanPosition, got None",
        ),
        (
            lambda: risk.stress(BOOK, {"s": risk.Shock("a", years=-1.0)}),
            "scenario s: years: must be at least 0, got -1",
        ),
        (lambda: risk.account_margin({}, currency=""), "currency: must be a code"),
        (lambda: risk.price("call", [], 100, 1, 0.2), "underlying_price: must have 1 value, got 0"),
        (lambda: risk.var([True, False, True], RETURNS), "portfolio: must be numbers"),
        (lambda: risk.var([1, 2, 3], RETURNS.astype("M8[ns]")), "returns: must be numbers"),
    ],
)
def test_what_is_no_such_thing(asked: Callable[[], Any], says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        asked()
