"""Stress, options and covariance, asked from Python, equal the reference values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.risk import (
    BookStress,
    CovarianceEstimate,
    Ewma,
    ExposureStress,
    GivenCovariance,
    HistoricalWindows,
    LedoitWolf,
    OptionColumns,
    OptionType,
    PricingModel,
    ReverseStress,
    SampleCovariance,
    Shock,
    StressScenario,
)
from risk_cases import Array, book_of, cases, check, check_all, prices_of

GREEKS = ("delta", "gamma", "vega", "theta", "rho", "rho_q", "vanna", "volga")
MODELS = {
    "bsm": PricingModel.BLACK_SCHOLES_MERTON,
    "black76": PricingModel.BLACK_76,
    "bachelier": PricingModel.BACHELIER,
}


async def test_stress_scenarios(client: RiskClient, shared: Path) -> None:
    """P&L by full revaluation, by position."""
    document, listed = cases(shared, "stress")
    tol = document["tol"]["pnl"]
    for case in (c for c in listed if c["kind"] == "scenario"):
        shocks = tuple(
            Shock(name, s.get("spot", 0.0), s.get("vol", 0.0), s.get("rate", 0.0), s.get("dt", 0.0))
            for name, s in case["shocks"].items()
        )
        for shock in case["shocks"].values():
            assert set(shock) <= {"spot", "vol", "rate", "dt"}, shock
        book = book_of(case["book"])
        asked = BookStress(book.positions, (StressScenario(case["id"], shocks),))
        (result,) = (await client.stress_test(asked)).results
        wanted = case["expected"]
        assert result.name == case["id"]
        check(case["id"], result.pnl, wanted["pnl"], rel=tol["rel"], tol=tol["abs"])
        by_position = wanted["pnl_by_position"]
        check_all(case["id"], result.pnl_by_position, by_position, rel=tol["rel"], tol=tol["abs"])


async def test_reverse_stress(client: RiskClient, shared: Path) -> None:
    """The most likely move that loses an amount."""
    document, listed = cases(shared, "stress")
    rel = document["tol"]["shock"]["rel"]
    for case in (c for c in listed if c["kind"] == "reverse_stress"):
        reverse = ReverseStress(np.array(case["cov"]), case["loss"])
        asked = ExposureStress(np.array(case["x"]), reverse_stress=reverse)
        found = (await client.stress_test(asked)).reverse
        assert found is not None
        check_all(case["id"], found.shock, case["expected"]["shock"], rel=rel)
        check(case["id"], found.distance, case["expected"]["mahalanobis"], rel=rel)
        check(case["id"], found.probability, case["expected"]["one_sided_prob"], rel=1e-9)


async def test_worst_windows(client: RiskClient, shared: Path) -> None:
    """The worst windows of 32 years of an index, by the day that they end."""
    document, listed = cases(shared, "stress")
    dates, _, prices = prices_of(shared / "vectors" / "risk" / "prices_sp500_index.csv.gz")
    returns = prices[1:] / prices[:-1] - 1
    for case in (c for c in listed if c["kind"] == "historical_window"):
        rows = case["expected"]["rows"]
        windows = HistoricalWindows(returns, case["h"], len(rows))
        asked = ExposureStress(np.ones(1), historical_windows=windows)
        found = (await client.stress_test(asked)).windows
        for got, wanted in zip(found, rows, strict=True):
            assert dates[got.first_row + case["h"]] == wanted["end"], case["id"]
            check(case["id"], got.pnl, wanted["ret"], rel=document["tol"]["window"]["rel"])


@pytest.mark.parametrize("model", MODELS)
async def test_options(client: RiskClient, shared: Path, model: str) -> None:
    """Prices and all Greeks, a whole model in one request."""
    _, every = cases(shared, "options")
    listed = [case for case in every if case["model"] == model]

    def column(name: str, default: float | None = None) -> Array:
        return np.array([case.get(name, default) for case in listed], np.float64)

    forward = model != "bsm"
    columns = OptionColumns(
        MODELS[model],
        [OptionType[case["type"].upper()] for case in listed],
        column("F" if forward else "S"),
        column("K"),
        column("T"),
        column("vol"),
        column("r", 0.0),
        np.empty(0) if forward else column("q", 0.0),
    )
    found = await client.price_options(columns)
    for k, case in enumerate(listed):
        for name, wanted in case["expected"].items():
            tol = case["tol"]["price" if name == "price" else "greeks"]
            got = getattr(found, f"{name}s")[k]
            check(
                f"{case['id']} {name}",
                got,
                wanted,
                rel=tol.get("rel", 0.0),
                tol=tol.get("abs", 0.0),
            )
    print(f"{len(listed)} options of {model}")
    assert len(listed) >= 3


TREES = {
    "american": PricingModel.LEISEN_REIMER,
    "european": PricingModel.LEISEN_REIMER_EUROPEAN,
}


async def test_trees(client: RiskClient, shared: Path) -> None:
    """The tree's price and delta, American and European."""
    document, listed = cases(shared, "binomial_lr")
    tol = document["tol"]
    for case in listed:
        market = {
            field: np.array([case[name]], np.float64)
            for field, name in (
                ("underlying_prices", "S"),
                ("strikes", "K"),
                ("years", "T"),
                ("volatilities", "vol"),
                ("rates", "r"),
                ("dividend_yields", "q"),
            )
        }
        kind = OptionType[case["type"].upper()]
        model = TREES[case["exercise"]]
        columns = OptionColumns(model, [kind], steps=case["steps"], **market)
        found = await client.price_options(columns)
        wanted = case["expected"]
        price, delta = tol["price"], tol["delta_lattice"]
        check(case["id"], found.prices[0], wanted["price"], rel=price["rel"], tol=price["abs"])
        got = found.deltas[0]
        check(case["id"], got, wanted["delta_lattice"], rel=delta["rel"], tol=delta["abs"])
        assert not len(found.gammas)


async def test_implied_volatility(client: RiskClient, shared: Path) -> None:
    """Volatilities in one request; a row without one says why and spoils no other."""
    _, listed = cases(shared, "implied_vol")

    def column(name: str) -> Array:
        return np.array([case[name] for case in listed], np.float64)

    found = await client.implied_volatility(
        [OptionType[case["type"].upper()] for case in listed],
        column("price_undiscounted"),
        column("F"),
        column("K"),
        column("T"),
    )
    for k, case in enumerate(listed):
        if "expected_error" in case:
            assert "must be" in found.failures[k], case["id"]
            assert np.isnan(found.volatilities[k])
            continue
        assert k not in found.failures, (case["id"], found.failures[k])
        rel, tol = case.get("tol_rel", 0.0), case.get("tol_abs", 0.0)
        check(case["id"], found.volatilities[k], case["expected"]["vol"], rel=rel, tol=tol)
    print(f"{len(listed)} implied volatilities")
    assert len(found.failures) == sum("expected_error" in case for case in listed)


async def test_covariance(client: RiskClient, shared: Path) -> None:
    """All estimators, correlations and repairs."""
    _, listed = cases(shared, "covariance")
    for case in listed:
        expected = case["expected"]
        if "corr_in" in case:
            given = np.array(case["corr_in"])
            found = await client.estimate_covariance(given, GivenCovariance(), repair=True)
            assert found.repaired
            check(case["id"], found.smallest_eigenvalue, expected["min_eig_in"], tol=1e-12)
            check_all(case["id"], found.covariance, expected["clipped_corr"], tol=1e-12)
            continue
        returns = np.array(case["X"])
        factor = "cholesky_of_sample" in expected
        sample = await client.estimate_covariance(returns, SampleCovariance(), factor=factor)
        compare(case["id"], sample, expected["sample"])
        assert sample.mean is not None
        check_all(case["id"], sample.mean, expected["mean"], rel=1e-12, tol=1e-16)
        if factor:
            wanted = np.array(expected["cholesky_of_sample"])
            check_all(case["id"], sample.cholesky, wanted, tol=1e-10 * float(np.abs(wanted).max()))
        assert sample.correlation is not None
        check_all(case["id"], sample.correlation, expected["corr"], tol=1e-12)
        for name in (name for name in expected if name.startswith("ewma_")):
            decay = float(name.removeprefix("ewma_"))
            compare(name, await client.estimate_covariance(returns, Ewma(decay)), expected[name])
        for name, centered in (("ledoit_wolf", False), ("ledoit_wolf_assume_centered", True)):
            found = await client.estimate_covariance(returns, LedoitWolf(centered))
            compare(f"{case['id']} {name}", found, expected[name]["cov"])
            assert found.shrinkage is not None
            check(name, found.shrinkage, expected[name]["shrinkage"], tol=1e-10)


def compare(name: str, found: CovarianceEstimate, expected: Any) -> None:
    """Covariances agree relative to the largest entry."""
    scale = float(np.abs(expected).max())
    check_all(name, found.covariance, expected, tol=1e-12 * scale)


async def test_what_has_no_factor_is_named(client: RiskClient, shared: Path) -> None:
    """More factors than days: no Cholesky factor, and the pivot says so."""
    _, listed = cases(shared, "covariance")
    (case,) = [case for case in listed if case["id"] == "n8_p12_more_factors_than_obs"]
    with pytest.raises(
        InvalidArgumentError, match=r"cholesky: matrix must be positive definite.*row"
    ):
        await client.estimate_covariance(np.array(case["X"]), SampleCovariance(), factor=True)


async def test_bad_rows_are_named(client: RiskClient) -> None:
    """What is wrong with one option is said of that option."""
    one = np.ones(1)
    columns = OptionColumns(
        PricingModel.BLACK_76, [OptionType.CALL], one, -one, one, one, one, np.empty(0)
    )
    with pytest.raises(InvalidArgumentError, match=r"strike.*-1"):
        await client.price_options(columns)
