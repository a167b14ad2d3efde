"""Margin, Basel's shortfall, trades, volatility, functions and numbers, as a notebook asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.stats import qmc

from aetherion import risk
from aetherion.client import InvalidArgumentError
from aetherion.exact import GridError
from aetherion.risk import Result, RiskInputError, Trade
from local_risk import local_service, sample_returns

PORTFOLIO = {"A": 1e6, "B": -5e5, "C": 2e5}


@pytest.fixture(scope="module", autouse=True)
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with local_service(tmp_path_factory.mktemp("risk")):
        yield


@pytest.fixture
def returns() -> NDArray[np.float64]:
    return sample_returns()


def check_shows(result: Result) -> None:
    """Every answer prints, plots, and goes on as frames of the same rows."""
    rows = len(result.records())
    assert result.to_polars().height == len(result.to_pandas()) == rows
    assert result.title in repr(result)
    assert json.loads(json.dumps(result.to_dict()))["title"] == result.title
    assert len(result.plot().data) >= 1


def test_an_account_is_exact() -> None:
    # 0.1 + 0.2 of something is 0.3, to the last digit.
    found = risk.account_margin({"X": ("0.1", 1), "Y": (0.2, "1")}, cash="-0.05", currency="EUR")
    assert found.long_value.amount == Decimal("0.30")
    assert found.equity.amount == Decimal("0.25")
    assert found.maintenance.amount == Decimal("0.075")
    assert (found.margin_call.attos, found.margin_call.currency) == (0, "EUR")
    # Short: 30 % of a value of 1,000 is less than 5 a share.
    short = risk.account_margin({"X": (-100, 10)}, cash=1_400)
    assert short.maintenance.amount == 500
    assert short.margin_call.amount == 100
    check_shows(short)
    with pytest.raises(RiskInputError, match="X must be quantity and price, got 3"):
        risk.account_margin({"X": 3})  # type: ignore[dict-item]
    with pytest.raises(GridError, match="X price: must be finite"):
        risk.account_margin({"X": (1, float("nan"))})


def test_a_scan_takes_the_worst_of_sixteen() -> None:
    future = risk.future_position(2, 50)
    found = risk.scan_margin([future], price_scan_range=120)
    assert float(found) == found.scan_risk == 2 * 50 * 120
    assert found.worst_scenario == 13
    call = risk.option_position("call", -10, 50, forward=100, strike=105, years=0.5, volatility=0.2)
    ranges = {"price_scan_range": 10.0, "volatility_scan_range": 0.05}
    naked = risk.scan_margin([call], **ranges, short_option_minimum=1e4)
    assert naked.requirement == naked.short_option_minimum == 1e5
    assert naked.net_option_value < 0
    assert float(risk.scan_margin([call, risk.future_position(5, 50)], **ranges)) < float(
        risk.scan_margin([call], **ranges)
    )
    check_shows(naked)
    floors = risk.margin_floors(100, 260)
    assert (floors.stress_weighted, floors.buffered) == (140.0, 125.0)
    with pytest.raises(InvalidArgumentError, match="current must be finite and at least 0, got -1"):
        risk.margin_floors(-1, 1)


def test_basel_takes_horizons_by_name(returns: NDArray[np.float64]) -> None:
    days = {"C": 120, "A": 10, "B": 40}
    frame = pd.DataFrame(returns, columns=list("ABC"))
    found = risk.basel_es(PORTFOLIO, frame, liquidity_horizons=days, method="parametric")
    covariance, exposures = np.cov(returns.T), np.array(list(PORTFOLIO.values()))
    tail = stats.norm.pdf(stats.norm.ppf(0.975)) / 0.025 * np.sqrt(10)
    for least, es in zip((10, 20, 40, 60, 120), found.es_by_horizon, strict=True):
        part = np.where(np.array([10, 40, 120]) >= least, exposures, 0.0)
        assert es == pytest.approx(tail * np.sqrt(part @ covariance @ part), rel=1e-9)
    assert float(risk.combine_horizons(found.es_by_horizon)) == pytest.approx(float(found))
    assert risk.stressed_es(180, 120, 100) == pytest.approx(216)
    check_shows(found)
    with pytest.raises(RiskInputError, match="liquidity_horizons: C is in portfolio but not in"):
        risk.basel_es(PORTFOLIO, frame, liquidity_horizons={"A": 10, "B": 40})
    with pytest.raises(RiskInputError, match="must be 10, 20, 40, 60 or 120, got 15"):
        risk.basel_es(PORTFOLIO, frame, liquidity_horizons=days | {"A": 15})


def test_trades_are_assessed_as_they_fill(returns: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(returns, columns=list("ABC"))
    trades = [Trade("B", 5e5, fills=True), Trade("A", -1e6)]
    found = risk.assess_trades(PORTFOLIO, trades, frame, horizon_days=10)
    first, second = found.assessments

    def var(**moved: float) -> float:
        held = PORTFOLIO | {k: PORTFOLIO[k] + v for k, v in moved.items()}
        return float(risk.var(held, frame, method="parametric", horizon_days=10))

    mean_free = risk.var(PORTFOLIO, frame, method="parametric", horizon_days=10)
    assert first.var_now == pytest.approx(float(mean_free), rel=1e-9)
    assert first.var_after == second.var_now == pytest.approx(var(B=5e5), rel=1e-9)
    assert second.var_after == pytest.approx(var(B=5e5, A=-1e6), rel=1e-9)
    assert second.reduces
    waiting = risk.assess_trades(
        PORTFOLIO, {"B": 5e5}, frame, horizon_days=10, open_orders={"C": -1e5}
    )
    (one,) = waiting.assessments
    alone = float(
        risk.var({"A": 0.0, "B": 0.0, "C": 1e5}, frame, method="parametric", horizon_days=10)
    )
    assert one.var_worst_case == pytest.approx(one.var_after + alone, rel=1e-9)
    check_shows(found)
    with pytest.raises(RiskInputError, match="trades: D is not in portfolio"):
        risk.assess_trades(PORTFOLIO, {"D": 1.0}, frame)


def test_volatility_forecasts_tend_to_the_long_run(returns: NDArray[np.float64]) -> None:
    series = returns[:, 0]
    fitted = risk.volatility(series, method="garch", horizon_days=250)
    assert fitted.fitted is not None
    assert fitted.long_run_variance is not None
    distance = np.abs(fitted.forecasts - fitted.long_run_variance)
    assert (np.diff(distance) <= 0).all()
    assert fitted.log_likelihood is not None
    worse = risk.volatility(series, method=risk.Garch(1e-5, 0.3, 0.3))
    assert worse.log_likelihood is not None
    assert fitted.log_likelihood > worse.log_likelihood
    ewma = risk.volatility(series, decay=0.9)
    assert float(ewma) == pytest.approx(np.sqrt(0.9 * ewma.variances[-1] + 0.1 * series[-1] ** 2))
    check_shows(fitted)


def test_functions_and_numbers_are_those_of_scipy() -> None:
    x = np.linspace(-8, 8, 101)
    assert risk.distribution("norm_cdf", x) == pytest.approx(stats.norm.cdf(x), rel=1e-12)
    assert risk.distribution("t_ppf", 0.01, 4) == pytest.approx([stats.t.ppf(0.01, 4)], rel=1e-11)
    assert risk.distribution("binom_cdf", 4, 250, 0.01) == pytest.approx(
        [stats.binom.cdf(4, 250, 0.01)], rel=1e-12
    )
    points = qmc.Sobol(3, scramble=False, bits=32).random(64)
    assert (risk.sobol_points(3, 64) == points * 2**32).all()
    words = risk.philox_words([1, 2], [1, 0, 0, 0], 2)
    theirs = np.random.Philox(key=[1, 2]).random_raw(8)
    assert words.ravel().tolist() == theirs.tolist()
    with pytest.raises(RiskInputError, match="function: must be one of norm_cdf"):
        risk.distribution("gamma_cdf", 1.0)
    with pytest.raises(RiskInputError, match="key: must be 2 words, got 1"):
        risk.philox_words([1], [0, 0, 0, 0])


def test_other_es_rules_and_books_of_given_scenarios(returns: NDArray[np.float64]) -> None:
    losses = np.sort(-(returns @ list(PORTFOLIO.values())))
    held = list(PORTFOLIO.values())
    above = risk.simulate(held, returns, confidence="95%", shortfall_rule="mean_gt_upper")
    assert above.es == pytest.approx(losses[losses > losses[475]].mean(), rel=1e-12)
    gamma = np.diag([1e6, 0.0, -2e6])
    book = risk.DeltaGammaBook(np.array(held), gamma, theta=-100.0)
    found = risk.simulate(book, returns, confidence="95%")
    pnl = -100 + returns @ held + 0.5 * np.einsum("ij,jk,ik->i", returns, gamma, returns)
    assert found.var == pytest.approx(np.sort(-pnl)[474], rel=1e-12)


def test_paths_may_be_given(returns: NDArray[np.float64]) -> None:
    rows = np.random.default_rng(1).integers(0, len(returns), (1_000, 5))
    garch = risk.Garch(1e6, 0.05, 0.9)
    asked = {"method": "filtered", "volatility": garch, "horizon_days": 5}
    given = risk.var(list(PORTFOLIO.values()), returns, path_rows=rows, **asked)  # type: ignore[arg-type]
    order = np.random.default_rng(2).permutation(len(rows))
    mixed = risk.var(list(PORTFOLIO.values()), returns, path_rows=rows[order], **asked)  # type: ignore[arg-type]
    assert float(given) == float(mixed)
    assert given.answer.seed is None
