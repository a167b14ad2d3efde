"""A book that has no value is refused by position, field, value and rule, whoever uses it."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from aetherion import risk
from aetherion.client import InvalidArgumentError
from aetherion.risk import BookPosition, EuropeanOption, OptionType, RiskInputError
from local_risk import local_service

CALL = {"spot": 100.0, "strike": 100.0, "years": 1.0, "volatility": 0.2}
POSITIVE, AT_LEAST_0 = "finite and positive", "finite and at least 0"


@pytest.fixture(scope="module", autouse=True)
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with local_service(tmp_path_factory.mktemp("risk")):
        yield


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("qty", nan, "finite"),
        ("qty", -inf, "finite"),
        ("spot", -5.0, POSITIVE),
        ("spot", 0.0, POSITIVE),
        ("strike", inf, POSITIVE),
        ("years", -0.5, AT_LEAST_0),
        ("volatility", nan, AT_LEAST_0),
        ("rate", nan, "finite"),
        ("dividend_yield", inf, "finite"),
    ],
)
def test_bad_option_is_named(field: str, value: float, rule: str) -> None:
    says = f"A: {field}: must be {rule}, got {value}"
    with pytest.raises(RiskInputError, match=f"^{says}"):
        risk.option("call", "A", **({"qty": 1.0} | CALL | {field: value}))
    if value == value:  # an empty cell of a frame is NaN
        row = {"underlying": "A", "option_type": "call", "qty": 1.0} | CALL | {field: value}
        with pytest.raises(RiskInputError, match=f"^positions: row 1: {says}"):
            risk.greeks([{"underlying": "B", "qty": 1.0, "spot": 1.0}, row])


@pytest.mark.parametrize("price", [nan, inf, -5.0, 0.0])
def test_bad_underlying_is_named(price: float) -> None:
    with pytest.raises(RiskInputError, match=f"^A: price: must be {POSITIVE}, got {price}"):
        risk.spot("A", 1.0, price)


def test_positions_made_by_hand_are_checked_too() -> None:
    made = EuropeanOption(OptionType.PUT, 100.0, -1.0, 1.0, 0.2)
    with pytest.raises(RiskInputError, match=f"^A: strike: must be {POSITIVE}, got -1"):
        BookPosition("A", 1.0, made)
    with pytest.raises(RiskInputError, match=r"^A: qty: must be a number, got 'x'"):
        BookPosition("A", "x", 1.0)  # type: ignore[arg-type]


def test_greeks_beyond_doubles_are_named() -> None:
    held = [risk.spot("A", 1.0, 1.0), risk.spot("B", 1e300, 1e300)]
    with pytest.raises(RiskInputError, match="row 1, B: value must be representable, got inf"):
        risk.greeks(held)


def test_rows_that_the_service_names_are_those_of_the_book() -> None:
    beyond: Any = CALL | {"dividend_yield": -800.0}
    held = [
        risk.spot("A", 1.0, 1.0),
        risk.spot("A", 1.0, 1.0),
        risk.option("call", "A", 1, **beyond),
    ]
    with pytest.raises(InvalidArgumentError, match=r"row 2: .*must be representable"):
        risk.greeks(held)


def test_underlyings_are_worth_their_price() -> None:
    found = risk.greeks([risk.spot("A", -3.0, 12.345678901), risk.spot("B", 2.0, 1e-200)])
    assert found["value"][:2].tolist() == [-3.0 * 12.345678901, 2.0 * 1e-200]
    assert found["delta"].tolist() == [-3.0, 2.0, -1.0]
    others = np.stack([found[name] for name in ("gamma", "vega", "theta", "rho", "rho_q", "volga")])
    assert not others.any()
    assert not np.signbit(others).any()


def test_the_figure_of_a_result_is_what_was_asked_for() -> None:
    priced = risk.price("call", 100, 100, 1, 0.2)
    implied = risk.implied_volatility("call", float(priced), 100, 100, 1)
    assert float(implied) == pytest.approx(0.2, rel=1e-12)
    assert float(priced) == priced["price"][0]
    with pytest.raises(RiskInputError, match=r"price: float\(\) must be of one row, got 2"):
        float(risk.price("call", 100, [90, 100], 1, 0.2))
    with pytest.raises(RiskInputError, match=r"volatility: there is none: .*must be below 100"):
        float(risk.implied_volatility("call", 200, 100, 100, 1))
