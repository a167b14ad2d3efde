"""Analytics against scipy, numpy and hand-made loops that work another way."""

import json
import math
import statistics
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from aetherion import analytics as a

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "risk"

positive = st.floats(min_value=1.0, max_value=1e4)
curves = st.lists(positive, min_size=1, max_size=60).map(np.array)
returns = st.lists(
    st.floats(min_value=-0.5, max_value=0.5).map(lambda x: round(x, 6)), min_size=2, max_size=60
).map(np.array)


@given(curves)
def test_drawdown_is_the_worst_pair(equity: NDArray[np.float64]) -> None:
    n = equity.size
    worst = max(1 - equity[j] / equity[i] for i in range(n) for j in range(i, n))
    found = a.max_drawdown(equity)
    assert found.ratio == pytest.approx(worst, abs=1e-12)
    assert found.ratio == pytest.approx(1 - equity[found.trough] / equity[found.peak], abs=1e-12)
    if found.recovered is not None:
        assert equity[found.recovered] >= equity[found.peak]
        assert (equity[found.trough : found.recovered] < equity[found.peak]).all()


def test_drawdown_of_a_known_curve() -> None:
    equity = np.array([100.0, 120.0, 90.0, 110.0, 121.0, 100.0])
    assert a.max_drawdown(equity) == a.Drawdown(0.25, 1, 2, 4)
    assert a.max_drawdown(np.array([1.0, 2.0])) == a.Drawdown(0.0, 0, 0, 0)
    assert a.max_drawdown(np.array([2.0, 1.0])).recovered is None
    np.testing.assert_allclose(a.drawdowns(equity)[[0, 2, 5]], [0, -0.25, 100 / 121 - 1])


@given(curves)
def test_returns_compound_to_the_total(equity: NDArray[np.float64]) -> None:
    growth = np.prod(1 + a.simple_returns(equity))
    assert growth == pytest.approx(1 + a.total_return(equity), rel=1e-9)
    assert a.daily_pnl(equity).sum() == pytest.approx(equity[-1] - equity[0], abs=1e-3)


def test_annual_return() -> None:
    equity = 100 * 1.1 ** (np.arange(505) / 252)  # ten per cent a year for two years
    assert a.annual_return(equity, 252) == pytest.approx(0.1)


@given(returns)
def test_ratios_are_those_of_scipy(sample: NDArray[np.float64]) -> None:
    deviation = statistics.stdev(sample.tolist())
    assert a.volatility(sample, 252) == pytest.approx(math.sqrt(252) * deviation, abs=1e-12)
    if np.ptp(sample) > 1e-3:
        # The t statistic of the mean is the Sharpe ratio of one period times sqrt(n).
        t = stats.ttest_1samp(sample, 0.001).statistic
        expected = t / math.sqrt(sample.size) * math.sqrt(12)
        assert a.sharpe_ratio(sample, 12, 0.001) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    below = [x for x in sample if x < 0]
    if below:
        downside = math.sqrt(math.fsum(x * x for x in below) / sample.size)
        expected = math.fsum(sample) / sample.size / downside * math.sqrt(252)
        assert a.sortino_ratio(sample, 252) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_ratios_without_risk_are_unknown() -> None:
    assert math.isnan(a.sharpe_ratio(np.full(10, 0.01), 252))
    assert math.isnan(a.sharpe_ratio(np.zeros(10), 252))
    assert math.isnan(a.sortino_ratio(np.array([0.01, 0.02]), 252))
    assert math.isnan(a.hit_rate(np.zeros(3)))


def test_turnover_and_hit_rate() -> None:
    traded, equity = np.array([100.0, 0.0, 300.0]), np.array([90.0, 100.0, 110.0])
    assert a.turnover(traded, equity, 252) == pytest.approx(400 / 3 / 100 * 252)
    assert a.hit_rate(np.array([1.0, -1.0, 0.0, 2.0, 5.0])) == 0.75


@given(st.integers(1, 2000), st.data(), st.sampled_from([0.9, 0.95, 0.975, 0.99]))
def test_kupiec_is_the_likelihood_ratio_of_binomials(
    days: int, data: st.DataObject, confidence: float
) -> None:
    hits = data.draw(st.integers(0, days))
    found = a.kupiec_test(days, hits, confidence)
    p = 1 - confidence
    ratio = 2 * (stats.binom.logpmf(hits, days, hits / days) - stats.binom.logpmf(hits, days, p))
    assert found.likelihood_ratio == pytest.approx(ratio, rel=1e-7, abs=1e-7)
    assert found.p_value == pytest.approx(stats.chi2.sf(found.likelihood_ratio, 1), rel=1e-9)
    assert found.expected == pytest.approx(days * p)


def test_kupiec_of_published_tables() -> None:
    # Jorion, Value at Risk, table 6.2: at 5 %, a 99 % VaR over 255 days is kept below 7 exceptions.
    assert a.kupiec_test(255, 6, 0.99).p_value > 0.05 > a.kupiec_test(255, 7, 0.99).p_value


@pytest.mark.skipif(not VECTORS.is_dir(), reason="shared/vectors is not here")
def test_kupiec_of_the_vectors() -> None:
    cases = json.loads((VECTORS / "backtest.json").read_text())["cases"]
    kupiec = [c for c in cases if c.get("kind") == "kupiec"]
    assert len(kupiec) > 10
    for case in kupiec:
        found = a.kupiec_test(case["T"], case["exceptions"], 1 - case["p"])
        expected = case["expected"]
        assert found.likelihood_ratio == pytest.approx(expected["lr_uc"], rel=1e-9, abs=1e-9)
        assert found.p_value == pytest.approx(expected["p_value"], rel=1e-8, abs=1e-10)


def test_an_exception_is_a_loss_strictly_above_var() -> None:
    var = np.array([10.0, 10.0, 10.0, 10.0, 0.0])
    pnl = np.array([-10.0, -10.01, 50.0, np.nan, 0.0])
    assert a.var_exceptions(var, pnl).tolist() == [False, True, False, False, False]


@given(st.lists(st.tuples(st.integers(1, 40), positive), min_size=1, max_size=80))
def test_months_are_those_of_a_plain_loop(steps: list[tuple[int, float]]) -> None:
    day, dates = date(2019, 11, 20), []
    for gap, _ in steps:
        day += timedelta(days=gap)
        dates.append(day)
    equity = np.array([100.0, *(value for _, value in steps)])
    table = a.monthly_returns([d.isoformat() for d in dates], equity)

    expected: dict[tuple[int, int], float] = {}
    before = 100.0
    for i, d in enumerate(dates):
        if i + 1 == len(dates) or (dates[i + 1].year, dates[i + 1].month) != (d.year, d.month):
            expected[d.year, d.month] = equity[i + 1] / before - 1
            before = equity[i + 1]
    assert table.years == tuple(range(dates[0].year, dates[-1].year + 1))
    for row, year in enumerate(table.years):
        for month in range(1, 13):
            got = table.months[row, month - 1]
            want = expected.get((year, month), math.nan)
            assert got == pytest.approx(want, nan_ok=True)
        months = table.months[row][np.isfinite(table.months[row])]
        if months.size:
            assert np.prod(1 + months) == pytest.approx(1 + table.totals[row], rel=1e-9)
        else:
            assert math.isnan(table.totals[row])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: a.max_drawdown(np.array([])), "equity: must have shape"),
        (lambda: a.max_drawdown(np.array([1.0, 0.0])), r"equity\[1\]: must be finite and positive"),
        (lambda: a.simple_returns(np.array([1.0, np.nan])), r"equity\[1\]"),
        (lambda: a.daily_pnl(np.array([np.inf])), "equity: must be finite"),
        (lambda: a.annual_return(np.array([1.0]), 252), "at least 2 values, got 1"),
        (lambda: a.volatility(np.array([0.1]), 252), "returns: must have shape"),
        (lambda: a.volatility(np.array([0.1, np.nan]), 252), "returns: must be finite"),
        (lambda: a.sharpe_ratio(np.array([0.1, 0.2]), 0), "periods_per_year: must be positive"),
        (lambda: a.turnover(np.ones(2), np.ones(3), 252), "traded: must have shape"),
        (lambda: a.turnover(-np.ones(2), np.ones(2), 252), "traded: must be finite and not neg"),
        (lambda: a.hit_rate(np.array([np.nan])), "pnl: must be finite"),
        (lambda: a.kupiec_test(0, 0, 0.99), "days: must be positive, got 0"),
        (lambda: a.kupiec_test(10, 11, 0.99), "exceptions: must be from 0 to 10, got 11"),
        (lambda: a.kupiec_test(10, 1, 1.0), "confidence: must be between 0 and 1"),
        (lambda: a.var_exceptions(np.ones(2), np.ones(3)), "pnl: must have shape"),
        (lambda: a.var_exceptions(np.array([np.nan]), np.ones(1)), "var: must be finite"),
        (lambda: a.monthly_returns(["2024-01-01"], np.ones(1)), "equity: must have 2 values"),
        (
            lambda: a.monthly_returns(["2024-01-02", "2024-01-01"], np.ones(3)),
            "dates: must be in order",
        ),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
