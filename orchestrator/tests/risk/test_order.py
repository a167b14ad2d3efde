"""Names, and not places, decide what belongs to what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from aetherion import risk
from aetherion.risk import DeltaGammaBook, RiskInputError
from local_risk import local_service, sample_returns

RETURNS = pd.DataFrame(sample_returns(), columns=list("ABC"))
PORTFOLIO = {"A": 1e6, "B": -5e5, "C": 2e5}
COVARIANCE = RETURNS.cov()
DELTA = pd.Series([1e6, -5e5, 2e5], index=list("ABC"))
GAMMA = pd.DataFrame(
    [[-2e6, 1e5, 0], [1e5, 0, 3e5], [0, 3e5, 1e6]], index=list("ABC"), columns=list("ABC")
)


@pytest.fixture(scope="module", autouse=True)
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with local_service(tmp_path_factory.mktemp("risk")):
        yield


def stressed(returns: Any, covariance: Any, portfolio: Any = PORTFOLIO) -> risk.StressTable:
    return risk.stress(
        portfolio,
        {"mixed": {"A": -0.1, "B": 0.1}},
        returns=returns,
        window_days=5,
        covariance=covariance,
        reverse_loss=5e4,
    )


@pytest.mark.parametrize(
    ("returns", "covariance", "portfolio"),
    [
        (RETURNS, COVARIANCE.loc[list("CAB"), list("CAB")], PORTFOLIO),
        (RETURNS[list("BCA")], COVARIANCE, PORTFOLIO),
        (RETURNS[list("BCA")], COVARIANCE.loc[list("CAB")], [-5e5, 2e5, 1e6]),
        (RETURNS.to_numpy(), COVARIANCE.loc[list("CAB"), list("CAB")], PORTFOLIO),
    ],
)
def test_stress_puts_returns_and_covariance_in_one_order(
    returns: Any, covariance: Any, portfolio: Any
) -> None:
    expected = stressed(RETURNS, COVARIANCE)
    found = stressed(returns, covariance, portfolio)
    for one, other in zip(found.records(), expected.records(), strict=True):
        assert one["scenario"] == other["scenario"]
        assert one["pnl"] == pytest.approx(other["pnl"], rel=1e-12)
    assert found.reverse_shock() == pytest.approx(expected.reverse_shock(), rel=1e-9)


@pytest.mark.parametrize(
    ("covariance", "says"),
    [
        (COVARIANCE.rename(columns={"C": "D"}), "covariance: C is in covariance but not in the"),
        (COVARIANCE.iloc[:2], "covariance: must be square, got 2 rows of 3 columns"),
        (
            pl.DataFrame(COVARIANCE.to_numpy(), schema=["A", "B", "D"]),
            "covariance: C is in portfolio but not in covariance",
        ),
    ],
)
def test_covariance_of_other_names_is_refused(covariance: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        stressed(RETURNS, covariance)


@pytest.mark.parametrize(
    ("delta", "gamma", "columns"),
    [
        (DELTA, GAMMA, "CAB"),
        (DELTA[list("CBA")], GAMMA, "ABC"),
        (DELTA, GAMMA.loc[list("BCA"), list("CAB")], "BAC"),
        (DELTA.tolist(), GAMMA.to_numpy().tolist(), "ABC"),
        (dict(DELTA), pl.DataFrame(GAMMA[list("BAC")].loc[list("BAC")].to_dict("list")), "ABC"),
    ],
)
def test_delta_and_gamma_are_matched_by_name(delta: Any, gamma: Any, columns: str) -> None:
    plain = DeltaGammaBook(DELTA.to_numpy(), GAMMA.to_numpy())
    expected = risk.var(plain, RETURNS.to_numpy(), method="fourier").var
    found = risk.var(DeltaGammaBook(delta, gamma), RETURNS[list(columns)], method="fourier")
    assert found.var == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("delta", "gamma", "says"),
    [
        (DELTA, GAMMA.loc[list("AB"), list("AB")], r"gamma: must have shape \(3, 3\) as delta"),
        (DELTA, [[1.0, 2.0]], "gamma: must be square, got 1 rows of 2 columns"),
        (["x"], [[1.0]], "delta: must be numbers"),
        (
            DELTA.rename({"C": "D"}),
            GAMMA,
            "gamma: C is in gamma but not in delta",
        ),
    ],
)
def test_bad_delta_gamma_books_are_named(delta: Any, gamma: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        DeltaGammaBook(delta, gamma)


def test_delta_gamma_book_of_other_names_than_the_returns_is_refused() -> None:
    with pytest.raises(RiskInputError, match="portfolio: C is in portfolio but not in returns"):
        risk.var(DeltaGammaBook(DELTA, GAMMA), RETURNS.rename(columns={"C": "D"}), method="fourier")


def test_scenarios_are_matched_by_name() -> None:
    expected = risk.simulate(PORTFOLIO, RETURNS.to_numpy()).var
    turned = RETURNS[list("CAB")]
    for given in (turned, pl.DataFrame(turned.to_dict("list")), turned.to_dict("list")):
        assert risk.simulate(PORTFOLIO, given).var == expected
    assert risk.simulate(PORTFOLIO, RETURNS.to_numpy().tolist()).var == expected
    for several in ([turned[:200], turned[200:]], iter([RETURNS[:200], turned[200:]])):
        assert risk.simulate(PORTFOLIO, several, n_scenarios=500).var == expected
    other = RETURNS.rename(columns={"C": "D"})
    for unknown in (other, iter([other])):
        with pytest.raises(RiskInputError, match="scenarios: C is in portfolio but not in"):
            risk.simulate(PORTFOLIO, unknown, n_scenarios=500)
    with pytest.raises(RiskInputError, match="scenarios: must have 1 or 2 dimensions, got 0"):
        risk.simulate(PORTFOLIO, 5)
    with pytest.raises(RiskInputError, match=r"n_scenarios: must be a whole number .* got -5"):
        risk.simulate(PORTFOLIO, RETURNS, n_scenarios=-5)


def test_backtest_matches_days_by_name() -> None:
    days = [f"d{k}" for k in range(500)]
    pnl = pd.Series(RETURNS["A"].to_numpy() * 1e6, index=days)
    var = pd.Series(np.linspace(10_000, 30_000, 500), index=days)
    expected = risk.backtest(pnl.to_numpy(), var.to_numpy(), var.to_numpy() * 1.2)
    found = risk.backtest(pnl, var.sample(frac=1, random_state=1), (var * 1.2)[::-1])
    assert found.verdict == expected.verdict
    assert found.days()["var"].to_list() == var.to_list()
    late = pd.Series(var.to_numpy(), index=[*days[1:], "d500"])
    with pytest.raises(RiskInputError, match="var: d0 is in pnl but not in var"):
        risk.backtest(pnl, late)
    with pytest.raises(RiskInputError, match="es: d0 is in pnl but not in es"):
        risk.backtest(pnl, var, late)
    with pytest.raises(RiskInputError, match="var: 0 is in var but not in pnl"):
        risk.backtest(var.reset_index(drop=True)[1:], var.reset_index(drop=True)[:-1])
    with pytest.raises(RiskInputError, match="var: each row must come once"):
        risk.backtest(pnl, pd.Series(var.to_numpy(), index=["d0", "d0", *days[2:]]))
