"""Backtests of VaR, asked from Python, equal the reference values; two of them on real prices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.risk import (
    BacktestVerdict,
    Ewma,
    Filtered,
    Garch,
    LedoitWolf,
    Parametric,
    QuantileRule,
    ReturnModel,
    RollingForecasts,
    SampleCovariance,
    VarForecasts,
)
from risk_cases import Array, cases, check, check_all, level_of, prices_of


async def judge(client: RiskClient, hits: Array, p: float) -> BacktestVerdict:
    """Return the verdict on days that were exceptions or not."""
    forecasts = VarForecasts(np.ones(len(hits)))
    return await client.backtest_var(-2.0 * hits, level_of(round(1 - p, 6)), forecasts)


def first_of(n_days: int, exceptions: int) -> Array:
    """Return so many exceptions, then days without."""
    return np.where(np.arange(n_days) < exceptions, 1.0, 0.0)


def check_tests(name: str, got: BacktestVerdict, expected: Any, lr: Any, p: Any) -> None:
    """All likelihood ratios and p-values that are expected."""
    assert got.independence is not None
    assert got.conditional_coverage is not None
    tests = {"uc": got.kupiec, "ind": got.independence, "cc": got.conditional_coverage}
    for kind, test in tests.items():
        if f"lr_{kind}" in expected:
            check(f"{name} lr_{kind}", test.value, expected[f"lr_{kind}"], **lr)
            p_value = expected.get(f"p_{kind}", expected.get("p_value"))
            check(f"{name} p_{kind}", test.p_value, p_value, **p)
    if "exceptions" in expected:
        assert got.n_exceptions == expected["exceptions"], name
    if "cum_prob" in expected:
        check(name, got.cumulative_probability, expected["cum_prob"], rel=1e-10)


async def test_tests(client: RiskClient, shared: Path) -> None:
    """Kupiec, Christoffersen, Acerbi and Szekely, and the Basel table, of stated days."""
    document, listed = cases(shared, "backtest")
    tol = document["tol"]
    lr = {"rel": tol["lr"]["rel"], "tol": tol["lr"]["abs"]}
    p = {"rel": tol["p_value"]["rel"], "tol": tol["p_value"]["abs"]}
    z = {"rel": tol["Z"]["rel"], "tol": tol["Z"]["abs"]}
    for case in listed:
        name, expected = case["id"], case["expected"]
        match case["kind"]:
            case "kupiec":
                got = await judge(client, first_of(case["T"], case["exceptions"]), case["p"])
                check_tests(name, got, expected, lr, p)
            case "christoffersen":
                hits = np.array([float(hit) for hit in case["hits"]])
                check_tests(name, await judge(client, hits, case["p"]), expected, lr, p)
            case "christoffersen_counts":
                got = await judge(client, hits_of_counts(case), case["p"])
                check_tests(name, got, expected, lr, p)
            case "acerbi_szekely":
                forecasts = VarForecasts(np.array(case["var"]), np.array(case["es"]))
                got = await client.backtest_var(
                    np.array(case["pnl"]), level_of(round(1 - case["p"], 6)), forecasts
                )
                assert got.n_exceptions == expected["exceptions"], name
                assert got.acerbi_szekely_z2 is not None
                check(name, got.acerbi_szekely_z2, expected["Z2"], **z)
                if "Z1" in expected:
                    assert got.acerbi_szekely_z1 is not None
                    check(name, got.acerbi_szekely_z1, expected["Z1"], **z)
            case "basel_table":
                await check_basel(client, case)
            case "kupiec_regions":
                await check_regions(client, expected["rows"])
            case "acerbi_szekely_critical":
                await check_critical(client, case)
            case other:
                raise AssertionError(f"unknown kind {other}")


async def check_critical(client: RiskClient, case: dict[str, Any]) -> None:
    """Critical values of our own histories are those of the reference's, within both errors."""
    forecast = level_of(round(1 - case["p"], 6))
    for row in case["expected"]["rows"]:
        name = row["distribution"]
        nu = None if name == "normal" else float(name.removeprefix("t"))
        found = await client.critical_z2(case["T"], forecast, [9500, 9999], nu=nu)
        for got, below in zip(found, ("0.05", "0.0001"), strict=True):
            allowed = 4 * np.hypot(got.standard_error, row[f"se_{below}"])
            check(f"{name} {below}", got.value, row[f"z2_crit_{below}"], tol=allowed)


async def test_bad_critical_values_are_named(client: RiskClient) -> None:
    """Field, value and rule."""
    with pytest.raises(InvalidArgumentError, match=r"n_days must be within 1\.\.=10000, got 0"):
        await client.critical_z2(0, 9750, [9500])
    with pytest.raises(InvalidArgumentError, match=r"n_scenarios must leave 10 beyond .* got 9999"):
        await client.critical_z2(250, 9750, [9990], n_scenarios=9_999)
    with pytest.raises(InvalidArgumentError, match="nu must be finite and above 2, got 2"):
        await client.critical_z2(250, 9750, [9500], nu=2.0)
    with pytest.raises(InvalidArgumentError, match=r"confidence_bp must be 1 to 100 levels, got 0"):
        await client.critical_z2(250, 9750, [])


def hits_of_counts(case: dict[str, Any]) -> Array:
    """Return days with so many exceptions in so many runs, no exception first or last."""
    runs = case["n01"]
    assert runs == case["n10"]
    pattern = [0] + [1] * case["n11"] + [1, 0] * runs
    hits = np.array(pattern + [0] * (case["T"] - len(pattern)), np.float64)
    assert hits.sum() == case["exceptions"]
    return hits


async def check_basel(client: RiskClient, case: dict[str, Any]) -> None:
    """Zone, probability and multiplier of each number of exceptions."""
    for row in case["expected"]["rows"]:
        got = await judge(client, first_of(case["n"], row["exceptions"]), case["p"])
        assert got.zone.name.lower() == row["zone"], row
        assert got.basel_multiplier == row["multiplier_mar99"], row
        check(str(row), got.cumulative_probability, row["cum_prob"], rel=1e-10)


async def check_regions(client: RiskClient, rows: list[dict[str, Any]]) -> None:
    """Kupiec's test accepts at the ends of each region, and not one further."""
    for row in rows:
        lo, hi = row["accept_lo"], row["accept_hi"]
        for exceptions, accepted in ((lo - 1, False), (lo, True), (hi, True), (hi + 1, False)):
            if exceptions >= 0:
                got = await judge(client, first_of(row["T"], exceptions), row["p"])
                assert (got.kupiec.p_value >= 0.05) is accepted, (row, exceptions)


@dataclass(frozen=True)
class Real:
    """Portfolio returns of real prices, and how they are forecast."""

    dates: list[str]  # of the returns
    returns: Array  # by stock
    pnl: Array
    window: int
    lambda_: float
    garch: Garch | None = None

    def rolling(self, method: str) -> RollingForecasts:
        """Return the forecasts of a method of the files."""
        match method:
            case "hs" | "historical":
                return RollingForecasts(self.window, QuantileRule.INVERTED_CDF)
            case "hs_upper":
                return RollingForecasts(self.window, QuantileRule.UPPER)
            case "hs_linear7":
                return RollingForecasts(self.window, QuantileRule.LINEAR7)
            case "ewma":
                return RollingForecasts(self.window, Ewma(self.lambda_))
            case "fhs_ewma":
                return RollingForecasts(self.window, Ewma(self.lambda_), filtered=True)
            case "fhs_garch" if self.garch is not None:
                return RollingForecasts(self.window, self.garch, filtered=True)
        raise AssertionError(f"unknown method {method}")

    @property
    def days(self) -> list[str]:
        """The days tested."""
        return self.dates[self.window :]


def real(path: Path, weights: dict[str, float], inputs: dict[str, Any]) -> Real:
    """Return the returns of a file of prices, rebalanced daily."""
    dates, names, prices = prices_of(path)
    assert names == list(weights)
    returns = prices[1:] / prices[:-1] - 1
    garch = Garch(**inputs["garch"]) if "garch" in inputs else None
    pnl = returns @ np.array(list(weights.values()))
    return Real(dates[1:], returns, pnl, inputs["window"], inputs["lambda"], garch)


async def check_method(client: RiskClient, data: Real, name: str, expected: Any) -> None:
    """Counts, dates, ratios, sums, and the zone of each year, of one method."""
    got = await client.backtest_var(data.pnl, 9900, data.rolling(name))
    assert got.forecasts is not None
    var = got.forecasts.var
    assert got.n_days == expected["T"] == len(data.days)
    check_tests(name, got, expected, {"rel": 1e-8, "tol": 1e-9}, {"rel": 1e-7, "tol": 1e-12})
    dates = [data.days[row] for row in got.exception_rows]
    if "exception_rows" in expected:
        assert dates == expected["exception_rows"]
    assert dates[:10] == expected.get("exception_dates_first10", dates[:10])
    for field, figure in (("first", var[0]), ("last", var[-1]), ("max", var.max())):
        check(f"{name} {field}", figure, expected[f"var_{field}"], rel=1e-9)
    check(f"{name} sum", var.sum(), expected["var_sum"], rel=1e-10)
    years = np.array([int(date[:4]) for date in data.days])
    pnl = data.pnl[data.window :]
    for row in expected.get("years", expected.get("periods")):
        of = years == row["year"]
        verdict = await client.backtest_var(pnl[of], 9900, VarForecasts(var[of]))
        assert (verdict.n_days, verdict.n_exceptions) == (row["days"], row["exceptions"])
        assert verdict.zone.name.lower() == row["zone"], (name, row)
        check(name, verdict.cumulative_probability, row["cum_prob"], rel=1e-9)
    for row in expected.get("basel_250_at_year_end", []):
        end = int(np.flatnonzero(years == row["year"])[-1]) + 1
        last = VarForecasts(var[end - 250 : end])
        verdict = await client.backtest_var(pnl[end - 250 : end], 9900, last)
        assert verdict.n_exceptions == row["exceptions_250"], (name, row)
        assert verdict.zone.name.lower() == row["zone"], (name, row)


@pytest.mark.parametrize("name", ["historical", "ewma", "fhs_ewma"])
async def test_sp500_var_backtest(client: RiskClient, shared: Path, name: str) -> None:
    """99 % VaR of twenty stocks in equal parts over 31 years, forecast day by day."""
    _, (case,) = cases(shared, "sp500_var_backtest")
    inputs, expected = case["inputs"], case["expected"]
    weights = dict(zip(inputs["columns"], inputs["weights"], strict=True))
    data = real((shared / "vectors" / "risk" / inputs["data"]).resolve(), weights, inputs)
    assert len(data.pnl) == expected["n_returns"]
    assert data.days[0] == inputs["first_forecast"]
    check("first", data.pnl[0], expected["portfolio_return_first"], rel=1e-9)
    await check_method(client, data, name, expected["methods"][name])


@pytest.mark.parametrize("name", ["hs", "hs_upper", "hs_linear7", "ewma", "fhs_ewma", "fhs_garch"])
async def test_realdata_backtest(client: RiskClient, shared: Path, name: str) -> None:
    """The same by six methods, every forecast and the test of ES included."""
    _, (case,) = cases(shared, "realdata_backtest")
    data = realdata(shared, case)
    await check_method(client, data, name, case["expected"]["methods"][name])
    series = prices_of(shared / "vectors" / "risk" / f"series_{case['id']}.csv.gz")
    dates, names, rows = series
    assert dates == data.days
    got = await client.backtest_var(data.pnl, 9900, data.rolling(name))
    assert got.forecasts is not None
    check_all(name, got.forecasts.var, rows[:, names.index(name)], rel=1e-9, tol=1e-14)
    if name not in case["expected"]["es_backtest"]:
        return
    wanted = case["expected"]["es_backtest"][name]
    got = await client.backtest_var(data.pnl, 9750, data.rolling(name))
    assert got.forecasts is not None
    assert got.forecasts.es is not None
    check_all(name, got.forecasts.es, rows[:, names.index(f"es_{name}")], rel=1e-9, tol=1e-14)
    assert got.n_exceptions == wanted["exceptions"]
    assert got.acerbi_szekely_z1 is not None
    assert got.acerbi_szekely_z2 is not None
    check("Z1", got.acerbi_szekely_z1, wanted["Z1"], rel=1e-9, tol=1e-12)
    check("Z2", got.acerbi_szekely_z2, wanted["Z2"], rel=1e-9, tol=1e-12)


async def test_realdata_last_day(client: RiskClient, shared: Path) -> None:
    """Covariances and parts of VaR at the end of the real data."""
    _, (case,) = cases(shared, "realdata_backtest")
    data, expected = realdata(shared, case), case["expected"]["last_day"]
    weights = np.array(list(case["inputs"]["weights"].values()))

    def sigma(covariance: Array) -> float:
        return float(np.sqrt(weights @ covariance @ weights))

    ewma = (await client.estimate_covariance(data.returns, Ewma(data.lambda_))).covariance
    check("trace", float(np.trace(ewma)), expected["ewma_cov_trace"], rel=1e-9)
    answer = await client.calculate_risk(weights, [9900], Parametric(ReturnModel(covariance=ewma)))
    assert answer.sigma_1d is not None
    check("sigma", answer.sigma_1d, expected["sigma_p"], rel=1e-9)
    check("var", answer.figures[0].var, expected["var_alpha"], rel=1e-9)
    check_all("parts", answer.figures[0].component_var, expected["component_var"], rel=1e-9)
    filtered = Filtered(data.pnl[:, None], Ewma(data.lambda_))
    following = (await client.calculate_risk(np.ones(1), [9900], filtered)).next_volatility
    assert following is not None
    check("next", following, expected["sigma_from_portfolio_series"], rel=1e-9)
    last, wanted = data.returns[-data.window :], expected["ledoit_wolf_last_window"]
    shrunk = await client.estimate_covariance(last, LedoitWolf())
    assert shrunk.shrinkage is not None
    check("shrinkage", shrunk.shrinkage, wanted["shrinkage"], rel=1e-9)
    check("shrunk", sigma(shrunk.covariance), wanted["sigma_p"], rel=1e-9)
    sample = await client.estimate_covariance(last, SampleCovariance())
    check("sample", sigma(sample.covariance), expected["sample_last_window_sigma_p"], rel=1e-9)


def realdata(shared: Path, case: dict[str, Any]) -> Real:
    """Return the data of realdata_backtest.json."""
    inputs = case["inputs"]
    data = real(shared / "vectors" / "risk" / "prices_sp500_20.csv.gz", inputs["weights"], inputs)
    assert data.dates[0] == inputs["first_return"]
    assert len(data.days) == case["expected"]["n_forecasts"]
    return data
