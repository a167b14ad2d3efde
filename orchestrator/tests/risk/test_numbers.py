"""What is no number of the kind that is asked for is refused by its name, before the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aetherion import risk
from aetherion.risk import RiskInputError
from aetherion.risk.inputs import UINT64, number, whole
from local_risk import sample_returns

RETURNS = sample_returns()


def simulated(**options: Any) -> Callable[[], Any]:
    return lambda: risk.var([1, 2, 3], RETURNS, method="monte_carlo", **options)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (simulated(seed=1.5), "seed: must be a whole number from 0 to 18446744073709551615, got"),
        (simulated(seed=-1), "seed: must be a whole number .* got -1"),
        (simulated(seed=2**64), "seed: must be a whole number .* got 18446744073709551616"),
        (simulated(n_scenarios=2.5), "n_scenarios: must be a whole number .* got 2.5"),
        (simulated(n_scenarios=-5), "n_scenarios: must be a whole number .* got -5"),
        (simulated(replications="few"), "replications: must be a whole number .* got 'few'"),
        (simulated(strata=True), "strata: must be a whole number .* got True"),
        (simulated(horizon_days=1.5), "horizon_days: must be a whole number .* got 1.5"),
        (simulated(horizon_years="x"), "horizon_years: must be a number, got 'x'"),
        (simulated(nu="five"), "nu: must be a number, got 'five'"),
        (lambda: risk.var([1], RETURNS, method=["x"]), r"method: must be one of .* got \['x'\]"),  # type: ignore[arg-type]
        (
            lambda: risk.var([1, 2, 3], RETURNS, method="age_weighted", decay="x"),  # type: ignore[arg-type]
            "decay: must be a number, got 'x'",
        ),
        (
            lambda: risk.var([1, 2, 3], RETURNS, method="filtered", decay="x"),  # type: ignore[arg-type]
            "decay: must be a number, got 'x'",
        ),
        (
            lambda: risk.covariance(RETURNS, method="ewma", decay="x"),  # type: ignore[arg-type]
            "decay: must be a number, got 'x'",
        ),
        (
            lambda: risk.covariance(RETURNS, method=["x"]),  # type: ignore[arg-type]
            "method: must be one of sample",
        ),
        (
            lambda: risk.backtest(RETURNS[:, 0], window=250, method=["x"]),  # type: ignore[arg-type]
            "method: must be one of historical",
        ),
        (
            lambda: risk.backtest(RETURNS[:, 0], window=2.5),  # type: ignore[arg-type]
            "window: must be a whole number .* got 2.5",
        ),
        (
            lambda: risk.price("call", 100, 100, 1, 0.2, model="leisen_reimer", steps=-1),
            "steps: must be a whole number .* got -1",
        ),
        (
            lambda: risk.stress([1, 2, 3], returns=RETURNS, window_days=-1),
            "window_days: must be a whole number .* got -1",
        ),
        (
            lambda: risk.stress([1, 2, 3], covariance=np.eye(3), reverse_loss="x"),  # type: ignore[arg-type]
            "reverse_loss: must be a number, got 'x'",
        ),
        (
            lambda: risk.backtest(
                RETURNS[:, 0],
                window=250,
                method="filtered",
                volatility=risk.Garch(1, 2, "x"),  # type: ignore[arg-type]
            ),
            "beta: must be a number, got 'x'",
        ),
        (
            lambda: risk.backtest([1.0, 2.0], [1.0, 1.0], confidence=["95%", "99%"]),  # type: ignore[arg-type]
            "confidence: must be one level, got 2",
        ),
        (
            lambda: risk.var([1, 2, 3], covariance=np.eye(2), method="parametric"),
            "portfolio: must have 2 values, one a column of covariance, got 3",
        ),
        (lambda: risk.covariance(RETURNS, repair="x"), "repair: must be True or False, got 'x'"),  # type: ignore[arg-type]
        (simulated(simulate_factors="x"), "simulate_factors: must be True or False, got 'x'"),
        (lambda: risk.spot("A", 1j, 1.0), "qty: must be a number, got 1j"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_such_number_is_named(asked: Callable[[], Any], says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        asked()


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (lambda: risk.var(np.array([1, 2, 3j]), RETURNS), "portfolio"),
        (lambda: risk.var([1, 2, 3j], RETURNS), "portfolio"),
        (lambda: risk.var([1, 2, 3], RETURNS + 1j), "returns"),
        (lambda: risk.var([1, 2, 3], {"A": [1j]}), "returns"),
        (lambda: risk.price("call", 100 + 1j, 100, 1, 0.2), "underlying_price"),
        (lambda: risk.stress([1, 2, 3], {"s": 1j}), "scenario s"),
        (lambda: risk.backtest(RETURNS[:, 0] * 1j, window=250), "pnl"),
    ],
)
def test_complex_numbers_are_refused(asked: Callable[[], Any], field: str) -> None:
    with pytest.raises(RiskInputError, match=f"^{field}: .*must be numbers"):
        asked()


def test_numbers_of_any_type_are_taken() -> None:
    assert whole(np.int64(7), "seed") == whole(7.0, "seed") == 7
    assert whole(UINT64, "seed", UINT64) == UINT64
    assert number(np.float32(0.5), "nu") == number(0.5, "nu") == 0.5


def test_matrix_that_fits_no_message_is_named() -> None:
    wide = np.broadcast_to(0.0, (1_000, 40_000))  # takes no memory itself
    says = (
        r"^returns: must be at most 260,046,848 bytes .* got 320,000,000 of shape \(1000, 40000\)"
    )
    with pytest.raises(RiskInputError, match=f"{says}; risk.simulate streams"):
        risk.var(np.ones(40_000), wide)
