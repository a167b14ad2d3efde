from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.typing import NDArray
from scipy import stats

from aetherion import risk
from aetherion.client import InvalidArgumentError
from aetherion.risk import DeltaGammaBook, Result, RiskInputError
from local_risk import local_service, sample_returns

PORTFOLIO = {"A": 1e6, "B": -5e5, "C": 2e5}
Array = NDArray[np.float64]


@pytest.fixture(scope="module", autouse=True)
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with local_service(tmp_path_factory.mktemp("risk")):
        yield


@pytest.fixture
def returns() -> NDArray[np.float64]:
    return sample_returns()


def named(returns: Array) -> pd.DataFrame:
    return pd.DataFrame(returns, columns=list("ABC"))


def check_shows(result: Result) -> None:
    """Every answer prints, plots, and goes on as frames of the same rows."""
    rows = len(result.records())
    assert result.to_polars().height == len(result.to_pandas()) == rows
    assert result.title.split(",")[0].split(":")[0] in repr(result)
    assert result._repr_html_().count("<tr>") == rows + 1
    assert json.loads(json.dumps(result.to_dict()))["title"] == result.title
    assert len(result.plot().data) >= 1


def test_historical_var_is_the_ordered_loss(returns: Array) -> None:
    losses = np.sort(-(returns @ list(PORTFOLIO.values())))
    found = risk.var(PORTFOLIO, named(returns), confidence=["95%", 0.99])
    assert found.at("95%").var == pytest.approx(losses[475 - 1], rel=1e-12)
    assert found.at(9900).var == pytest.approx(losses[495 - 1], rel=1e-12)
    assert float(found) == found.var == found.at(0.95).var
    assert found.es == pytest.approx(losses[-25:].mean(), rel=1e-12)
    check_shows(found)


def test_parts_of_parametric_var_add_up_by_name(returns: Array) -> None:
    sigma = float(
        np.sqrt(np.array(list(PORTFOLIO.values())) @ np.cov(returns.T) @ list(PORTFOLIO.values()))
    )
    found = risk.var(PORTFOLIO, named(returns), method="parametric", confidence="99%")
    assert found.var == pytest.approx(stats.norm.ppf(0.99) * sigma, rel=1e-9)
    parts = found.components()
    assert list(parts) == ["A", "B", "C"]
    assert sum(parts.values()) == pytest.approx(found.var, rel=1e-12)
    assert found.by_factor()["name"].to_list() == ["A", "B", "C"]
    expected = risk.es(PORTFOLIO, named(returns), method="parametric")
    assert float(expected) == found.es
    assert sum(expected.components().values()) == pytest.approx(found.es, rel=1e-12)
    check_shows(expected)


@pytest.mark.parametrize("shuffled", [True, False])
def test_names_and_not_places_decide(returns: Array, shuffled: bool) -> None:
    frame = named(returns)[list("CAB")] if shuffled else pl.DataFrame(returns, schema=list("ABC"))
    plain = risk.var(list(PORTFOLIO.values()), returns, method="parametric")
    assert risk.var(PORTFOLIO, frame, method="parametric").var == pytest.approx(
        plain.var, rel=1e-12
    )


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("age_weighted", {"decay": 0.99}),
        ("filtered", {}),
        ("filtered", {"decay": 0.97, "by_factor": True}),
        ("filtered", {"volatility": "garch"}),
        ("monte_carlo", {"n_scenarios": 50_000, "nu": 5.0}),
        ("monte_carlo", {"n_scenarios": 65_536, "sampler": "sobol"}),
    ],
)
def test_methods_agree_roughly(returns: Array, method: str, options: Any) -> None:
    exact = risk.var(PORTFOLIO, returns_of(returns), method="parametric").var
    found = risk.var(PORTFOLIO, returns_of(returns), method=method, **options)
    assert found.var == pytest.approx(exact, rel=0.35)
    assert found.es > found.var
    check_shows(found)


def returns_of(returns: Array) -> dict[str, Array]:
    return dict(zip("ABC", returns.T, strict=True))


def test_monte_carlo_tells_its_progress(returns: Array) -> None:
    told: list[int] = []
    found = risk.monte_carlo(
        PORTFOLIO,
        returns_of(returns),
        n_scenarios=10_000_000,
        simulate_factors=True,
        progress=lambda at: told.append(at.done),
    )
    assert found.answer.n_scenarios == 10_000_000
    assert told == sorted(told)
    exact = risk.var(PORTFOLIO, returns_of(returns), method="parametric").var
    se = found.answer.figures[0].var_se
    assert se is not None
    assert abs(found.var - exact) < 4 * se


def test_delta_gamma_methods_agree(returns: Array) -> None:
    book = DeltaGammaBook(np.array([1e6, -5e5, 2e5]), np.diag([-2e6, 0.0, 1e6]), theta=100.0)
    exact = risk.var(book, returns, method="fourier")
    near = risk.var(book, returns, method="cornish_fisher")
    simulated = risk.monte_carlo(book, returns, strata=16)
    assert near.var == pytest.approx(exact.var, rel=1e-3)
    se = simulated.answer.figures[0].var_se
    assert se is not None
    assert abs(simulated.var - exact.var) < 4 * se
    assert simulated.answer.figures[0].component_var.size == 0
    check_shows(simulated)


def test_books_are_revalued(returns: Array) -> None:
    held = risk.book(
        pl.DataFrame(
            {
                "underlying": ["A", "A"],
                "qty": [100.0, -50.0],
                "spot": [100.0, 100.0],
                "option_type": [None, "call"],
                "strike": [None, 105.0],
                "years": [None, 0.5],
                "volatility": [None, 0.2],
            }
        )
    )
    cov = np.array([[1e-4]])
    found = risk.monte_carlo(
        held, covariance=pd.DataFrame(cov, columns=["A"]), spot_shock="log", horizon_years=1 / 365
    )
    greeks = risk.greeks(held)
    delta = greeks.records()[-1]["delta"]
    assert found.var == pytest.approx(delta * 100 * 0.01 * 2.326, rel=0.15)
    assert greeks["delta"][:-1].sum() == pytest.approx(delta)
    check_shows(greeks)


def test_simulate_takes_arrays_and_parts(returns: Array) -> None:
    whole = risk.simulate(PORTFOLIO, returns)
    parts = risk.simulate(PORTFOLIO, iter(np.split(returns, 5)), n_scenarios=500)
    assert whole.answer.figures[0].var == parts.answer.figures[0].var
    assert whole.var == risk.var(list(PORTFOLIO.values()), returns).var
    with pytest.raises(RiskInputError, match="n_scenarios: must be given"):
        risk.simulate(PORTFOLIO, iter([returns]))
    with pytest.raises(RiskInputError, match=r"scenarios: must have shape \(n, 3\)"):
        risk.simulate(PORTFOLIO, returns[:, :2])
    with pytest.raises(InvalidArgumentError, match="rows must be 501 in all"):
        risk.simulate(PORTFOLIO, iter([returns]), n_scenarios=501)


def test_stress_of_exposures(returns: Array) -> None:
    found = risk.stress(
        PORTFOLIO,
        {"crash": -0.2, "mixed": {"B": 0.1, "A": -0.1, "C": 0}},
        returns=named(returns),
        window_days=10,
        window_count=3,
        covariance=pd.DataFrame(np.cov(returns.T), columns=list("ABC")),
        reverse_loss=50_000,
    )
    rows = {r["scenario"]: r["pnl"] for r in found.records()}
    assert rows["crash"] == pytest.approx(-140_000)
    assert rows["mixed"] == pytest.approx(-150_000)
    assert len(found.answer.windows) == 3
    shock = found.reverse_shock()
    assert sum(shock[k] * PORTFOLIO[k] for k in "ABC") == pytest.approx(-50_000)
    assert found.by_position()["crash"].to_list() == pytest.approx([-200_000, 100_000, -40_000])
    check_shows(found)


@pytest.mark.parametrize(
    ("portfolio", "scenario", "says"),
    [
        (PORTFOLIO, {"D": -0.1}, "scenario s: D is not in portfolio"),
        ([1.0, 2.0], {"": -0.1}, "scenario s: shocks by name need a portfolio with names"),
        (PORTFOLIO, [0.1, 0.2], "scenario s: must have 3 values"),
        (PORTFOLIO, {"A": "much"}, "scenario s: must be numbers"),
        (risk.book([risk.spot("A", 1, 1.0)]), {"A": {"skew": 1}}, "shocks are spot, .* got skew"),
        (risk.book([risk.spot("A", 1, 1.0)]), {"A": "much"}, "spot: must be a number"),
        (risk.book([risk.spot("A", 1, 1.0)]), {"Z": -0.5}, "scenario s: Z is not in portfolio"),
        (risk.book([risk.spot("A", 1, 1.0)]), risk.Shock("Z", -0.5), "s: Z is not in portfolio"),
    ],
)
def test_bad_scenarios_are_named(portfolio: Any, scenario: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        risk.stress(portfolio, {"s": scenario})


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"qty": 1, "spot": 1}, "row 0: underlying must be a name"),
        ({"underlying": "A", "spot": 1}, "row 0: qty: must be a number, got None"),
        ({"underlying": "A", "qty": 1, "spot": "x"}, "row 0: spot: must be a number, got 'x'"),
        ({"underlying": "A", "qty": 1, "spot": 1, "vol": 1}, "columns are .* got vol"),
        ({"underlying": "A", "qty": 1, "spot": 1, "option_type": "put"}, "row 0: strike: must be"),
        ({"underlying": "A", "qty": 1, "option_type": "swap", "spot": 1}, "row 0: "),
    ],
)
def test_bad_positions_are_named(row: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        risk.book([row])


def test_stress_of_a_book() -> None:
    held = risk.book([risk.spot("A", 10, 100.0), risk.spot("B", 5, 20.0)])
    order = risk.spot("A", -10, 100.0)
    found = risk.stress(held, {"all": -0.5, "A": {"A": {"spot": -0.1}, "": 0.1}}, proposed=order)
    assert [r["pnl"] for r in found.records()] == pytest.approx([-550, -90])
    assert [r["pnl_with_proposed"] for r in found.records()] == pytest.approx([-50, 10])
    assert found.by_position()["A"].to_list() == pytest.approx([-100, 10])


def test_prices_come_back_as_volatilities() -> None:
    strikes = [80.0, 100.0, 120.0]
    priced = risk.price("put", 100, strikes, 0.5, [0.3, 0.2, 0.25], rate=0.03, dividend_yield=0.01)
    implied = risk.implied_volatility(
        "put", priced["price"], 100, strikes, 0.5, rate=0.03, dividend_yield=0.01
    )
    assert implied["volatility"].tolist() == pytest.approx([0.3, 0.2, 0.25], rel=1e-10)
    check_shows(priced)
    check_shows(implied)
    american = float(risk.price("put", 100, 100, 0.5, 0.2, rate=0.03, model="leisen_reimer"))
    assert american > float(risk.price("put", 100, 100, 0.5, 0.2, rate=0.03))
    lost = risk.implied_volatility(["call", "call"], [200, 5], 100, 100, 1)
    assert lost.records()[0]["volatility"] is None
    assert "must be below 100" in lost.records()[0]["failure"]


def test_backtest_of_given_and_of_rolling_forecasts(returns: Array) -> None:
    pnl = pd.Series(returns[:, 0] * 1e6, index=[f"d{k}" for k in range(500)])
    rolling = risk.backtest(pnl, window=250, confidence="97.5%")
    tested = pnl.to_numpy()[250:]
    assert rolling.verdict.n_days == 250
    assert rolling.verdict.n_exceptions == int((tested < -rolling.forecasts.var).sum())
    again = risk.backtest(tested, rolling.forecasts.var, rolling.forecasts.es, confidence=0.975)
    assert again.verdict.kupiec == rolling.verdict.kupiec
    assert again.verdict.exception_rows == rolling.verdict.exception_rows
    assert rolling.days()["day"][0] == "d250"
    assert rolling.days()["exception"].sum() == rolling.verdict.n_exceptions
    check_shows(rolling)
    for method, volatility in (("normal", "ewma"), ("filtered", "ewma")):
        other = risk.backtest(pnl, window=250, method=method, volatility=volatility)
        assert other.verdict.n_days == 250


def test_covariance_carries_names(returns: Array) -> None:
    found = risk.covariance(named(returns))
    assert np.allclose(found.covariance, np.cov(returns.T), rtol=1e-12)
    assert found.to_polars()["name"].to_list() == ["A", "B", "C"]
    check_shows(found)
    assert risk.covariance(returns, method="ledoit_wolf").estimate.shrinkage is not None
    bad = np.array([[1.0, 2.0], [2.0, 1.0]])
    repaired = risk.covariance(bad, method="given", repair=True).estimate
    assert repaired.repaired
    assert repaired.smallest_eigenvalue == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"method": "magic"}, "method: must be one of parametric"),
        ({"nu": 5.0}, "nu: historical takes quantile_rule, got nu"),
        ({"quantile_rule": "odd"}, "quantile_rule: must be one of inverted_cdf"),
        ({"method": "filtered", "volatility": "garch", "decay": 0.9}, "decay: goes with"),
        ({"method": "parametric", "covariance": np.eye(3)}, "returns or covariance.*both"),
        ({"method": "parametric", "mean": [0.0]}, "mean: must have 3 values"),
        ({"confidence": 0.99999}, "confidence: must be whole basis points"),
    ],
)
def test_bad_arguments_are_named(returns: Array, arguments: Any, says: str) -> None:
    with pytest.raises(RiskInputError, match=says):
        risk.var(PORTFOLIO, named(returns), **arguments)


def test_what_the_service_refuses_is_named(returns: Array) -> None:
    with pytest.raises(InvalidArgumentError, match="horizon_days"):
        risk.var(PORTFOLIO, named(returns), horizon_days=10)
    with pytest.raises(InvalidArgumentError, match="portfolio must be"):
        risk.var(PORTFOLIO, named(returns), method="fourier")
