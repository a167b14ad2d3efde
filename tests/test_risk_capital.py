"""Margin, Basel's shortfall, trades, functions and numbers, from Python, equal the references."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.risk import (
    DistributionFunction,
    Ewma,
    Filtered,
    FutureOption,
    Garch,
    Historical,
    MonteCarlo,
    OptionType,
    Parametric,
    PlacedTrade,
    ReturnModel,
    RiskMethod,
    ScanPosition,
    ScanRanges,
    ShareHolding,
)
from risk_cases import Array, cases, check, check_all, prices_of

SCAN = ("risk_array", "scan_risk", "short_option_minimum", "net_option_value", "requirement")


async def test_margin(client: RiskClient, shared: Path) -> None:
    """Accounts in exact money, scans, and the floors against procyclicality."""
    document, listed = cases(shared, "margin")
    tol = {"rel": document["tol"]["money"]["rel"], "tol": document["tol"]["money"]["abs"]}
    for case in listed:
        expected = case["expected"]
        match case["kind"]:
            case "regt":
                await check_account(client, case)
            case "span16":
                found = await client.scan_margin(*scan_of(case))
                assert found.worst_scenario == expected["worst_scenario"]
                for name in SCAN:
                    check_all(f"{case['id']} {name}", getattr(found, name), expected[name], **tol)
            case "apc":
                floors = await client.margin_floors(case["current"], case["stressed"])
                name = case["id"]
                check(name, floors.stress_weighted, expected["stress_weight_25"], **tol)
                check(name, floors.buffered, expected["buffer_25"], **tol)
            case other:
                raise AssertionError(f"unknown kind {other}")
    assert len(listed) == 9


async def check_account(client: RiskClient, case: dict[str, Any]) -> None:
    """Every amount of an account, exactly."""
    holdings = [ShareHolding(decimal(p["qty"]), decimal(p["price"])) for p in case["positions"]]
    found = await client.account_margin(holdings, decimal(case["cash"]), "USD")
    names = {"long_mv": "long_value", "short_mv": "short_value"}
    for name, expected in case["expected"].items():
        got = getattr(found, names.get(name, name))
        assert (got.currency, got.amount) == ("USD", decimal(expected)), (case["id"], name)


def decimal(value: float) -> Decimal:
    """Return a number of the vectors as it is written."""
    return Decimal(repr(value))


def scan_of(case: dict[str, Any]) -> tuple[list[ScanPosition], ScanRanges]:
    """Return the book of a scan, and its ranges."""

    def position(row: dict[str, Any]) -> ScanPosition:
        if row["kind"] == "future":
            return ScanPosition(row["qty"], row["mult"])
        kind = OptionType[row["kind"].upper()]
        option = FutureOption(kind, row["F"], row["K"], row["T"], row["vol"], row["r"])
        return ScanPosition(row["qty"], row["mult"], option)

    ranges = ScanRanges(
        price_scan_range=case["price_scan_range"],
        volatility_scan_range=case["vol_scan_range"],
        extreme_multiple=case["extreme_multiple"],
        extreme_cover=case["extreme_cover"],
        short_option_minimum=case["short_option_min"],
    )
    return [position(row) for row in case["book"]], ranges


async def test_basel(client: RiskClient, shared: Path) -> None:
    """ES over the liquidity horizons from its parts, and calibrated to stress."""
    document, listed = cases(shared, "stress")
    rel = document["tol"]["es"]["rel"]
    done = 0
    for case in listed:
        match case["kind"]:
            case "liquidity_horizon_es":
                es = (await client.combine_horizons(np.array(case["es_T10_by_bucket"]))).es
            case "stressed_es":
                es = await client.stressed_es(case["es_r_s"], case["es_f_c"], case["es_r_c"])
            case _:
                continue
        check(case["id"], es, case["expected"]["es"], rel=rel)
        done += 1
    assert done == 5


async def test_basel_parts_are_those_of_each_horizon(client: RiskClient, shared: Path) -> None:
    """Each part is the ES of the factors that take so long, by every kind of method."""
    _, _, prices = prices_of(shared / "vectors" / "risk" / "prices_sp500_20.csv.gz")
    prices = prices[-1500:, :4]
    daily, ten_days = prices[1:] / prices[:-1] - 1, prices[10:] / prices[:-10] - 1
    exposures, days = np.array([1e5, -4e4, 3e4, 2e4]), [10, 20, 20, 60]
    methods: list[tuple[RiskMethod, int]] = [
        (Historical(ten_days), 1),
        (Parametric(ReturnModel(returns=daily)), 10),
        (Filtered(daily, Garch(8e4, 0.07, 0.9), n_paths=2_000, seed=3), 10),
        (MonteCarlo(ReturnModel(returns=daily), n_scenarios=2_000, seed=3), 10),
    ]
    for method, horizon in methods:
        asked = (9750, method, days)
        found = await client.basel_shortfall(exposures, *asked, horizon_days=horizon)
        for least, es in zip((10, 20, 40, 60), found.es_by_horizon, strict=False):
            part = np.where(np.array(days) >= least, exposures, 0.0)
            alone = await client.calculate_risk(part, [9750], method, horizon_days=horizon)
            assert es == alone.figures[0].es, (method, least)
        assert found.es_by_horizon[4] == 0.0
        steps = np.sqrt([1, 1, 2, 2, 6])
        check("es", found.es, float(np.linalg.norm(found.es_by_horizon * steps)), rel=1e-12)
        with pytest.raises(InvalidArgumentError, match="horizon_days must be 10, or 1"):
            await client.basel_shortfall(exposures, *asked, horizon_days=11 - horizon)


async def test_pretrade_var(client: RiskClient, shared: Path) -> None:
    """VaR before and after trades, with open orders at their worst."""
    _, listed = cases(shared, "pretrade_var")
    done = 0
    for case in listed:
        inputs, steps = case["inputs"], case["steps"]
        found = await client.assess_trades(
            np.array(inputs["x"]),
            ReturnModel(covariance=np.array(inputs["cov"]), nu=inputs.get("nu")),
            inputs["confidence_bp"],
            [PlacedTrade(s["factor"], s["delta_exposure"], s["fill"]) for s in steps],
            horizon_days=inputs["h"],
            open_orders=[
                PlacedTrade(o["factor"], o["delta_exposure"]) for o in inputs["open_orders"]
            ],
        )
        for got, step in zip(found, steps, strict=True):
            name, expected, tol = case["id"], step["expected"], step["tol"]
            square = tol["sigma_sq_abs"]
            check(name, got.variance_now, expected["sigma_sq_now"], tol=square)
            check(name, got.variance_after, expected["sigma_sq_after"], tol=square)
            for field in ("var_now", "var_after", "var_worst_case"):
                check(f"{name} {field}", getattr(got, field), expected[field], tol=tol["var_abs"])
            assert got.reduces is expected.get("reduces", got.reduces), name
            done += 1
    print(f"{done} trades")
    assert done >= 20


async def test_volatility_paths(client: RiskClient, shared: Path) -> None:
    """Variances day by day, forecasts, likelihoods, and the fit of a GARCH."""
    document, listed = cases(shared, "volatility")
    tol = document["tol"]
    rel = tol["variance"]["rel"]
    for case in listed:
        name, expected = case["id"], case["expected"]
        if case["kind"] == "garch11_fit_zero_mean":
            _, _, prices = prices_of(shared / "vectors" / "risk" / "prices_sp500_index.csv.gz")
            percent = 100 * (prices[1:, 0] / prices[:-1, 0] - 1)
            fit = await client.forecast_volatility(percent, Garch())
            assert fit.fitted is not None
            assert fit.log_likelihood is not None
            reached = expected["loglik"]
            check(name, fit.log_likelihood, reached, tol=tol["fit"]["loglik_abs"])
            check(name, fit.fitted.alpha, expected["alpha"], tol=tol["fit"]["alpha_abs"])
            check(name, fit.fitted.beta, expected["beta"], tol=tol["fit"]["beta_abs"])
            continue
        series = np.array(document["series"][case["series"]])
        model = (
            Ewma(case["lambda"])
            if case["kind"] == "ewma"
            else Garch(case["omega"], case["alpha"], case["beta"])
        )
        found = await client.forecast_volatility(series, model, horizon_days=10)
        check_all(name, found.variances, expected["variance"], rel=rel)
        check(name, found.forecasts[0], expected["next_variance"], rel=rel)
        if isinstance(model, Ewma):
            check(name, found.variances[0], expected["seed_variance"], rel=rel)
            assert (found.forecasts == found.forecasts[0]).all()
            continue
        assert found.log_likelihood is not None
        assert found.long_run_variance is not None
        check(name, found.log_likelihood, expected["loglik"], rel=tol["loglik"]["rel"])
        check_all(name, found.forecasts, expected["forecast_10d"], rel=rel)
        check(name, float(found.forecasts.sum()), expected["variance_10d_total"], rel=rel)
        check(name, found.long_run_variance, expected["long_run_variance"], rel=rel)


async def test_special_functions(client: RiskClient, shared: Path) -> None:
    """Every distribution function, a request each and all of its cases in it."""
    document, listed = cases(shared, "special_functions")
    for function in DistributionFunction:
        of = [case for case in listed if case["fn"] == function.name.lower()]
        assert of, function

        def column(*names: str, of: list[dict[str, Any]] = of) -> Array:
            return np.array([case[name] for case in of for name in names], np.float64)

        match function:
            case DistributionFunction.BINOM_CDF:
                columns = (column("k"), column("n"), column("p"))
            case DistributionFunction.CHI2_SF:
                columns = (column("x"), column("k"), column())
            case DistributionFunction.T_PPF:
                columns = (column("p"), column("nu"), column())
            case DistributionFunction.T_CDF | DistributionFunction.T_PDF:
                columns = (column("x"), column("nu"), column())
            case DistributionFunction.NORM_PPF:
                columns = (column("p"), column(), column())
            case _:
                columns = (column("x"), column(), column())
        found = await client.evaluate_function(function, *columns)
        for case, got in zip(of, found, strict=True):
            rel = case.get("tol_rel", document["tol"]["default"]["rel"])
            check(case["id"], got, case["expected"], rel=rel, tol=case.get("tol_abs", 0.0))
    print(f"{len(listed)} values")
    assert {case["fn"] for case in listed} == {f.name.lower() for f in DistributionFunction}


async def test_numbers(client: RiskClient, shared: Path) -> None:
    """Sobol points and Philox words, exactly."""
    _, listed = cases(shared, "sobol_rng")
    for case in listed:
        expected = case["expected"]
        match case["kind"]:
            case "sobol":
                points = await client.sobol_points(case["dim"], case["n"], case["first_index"])
                assert points.tolist() == expected["points_u32"], case["id"]
            case "philox4x64_10":
                counter = [int(word) for word in case["counter_before_increment"]]
                key = [int(word) for word in case["key"]]
                # The counter counts up before each block.
                words = (await client.philox_words(key, counter, 3))[1:].ravel().tolist()
                assert words == [int(word) for word in expected["u64"]], case["id"]
            case "philox4x64_10_kat":
                key, counter = (
                    [int(word, 16) for word in case[f"{name}_hex"]] for name in ("key", "counter")
                )
                words = (await client.philox_words(key, counter)).ravel().tolist()
                assert words == [int(word, 16) for word in expected["u64_hex"]], case["id"]
            case other:
                raise AssertionError(f"unknown kind {other}")


async def test_a_counter_carries(client: RiskClient) -> None:
    """The counter of Philox has 256 bits."""
    full = 2**64 - 1
    across = await client.philox_words([1, 2], [full, full, 7, 0], 2)
    after = await client.philox_words([1, 2], [0, 0, 8, 0])
    assert across[1].tolist() == after[0].tolist()


async def test_bad_questions_are_named(client: RiskClient) -> None:
    """Field, value and rule, and the row where there are rows."""
    one, none = np.ones(1), np.empty(0)
    cdf, ppf = DistributionFunction.T_CDF, DistributionFunction.NORM_PPF
    with pytest.raises(InvalidArgumentError, match=r"row 1: parameter .*positive, got -1"):
        await client.evaluate_function(cdf, np.ones(2), np.array([3.0, -1.0]), none)
    with pytest.raises(InvalidArgumentError, match=r"row 0: argument .*\(0, 1\), got 1"):
        await client.evaluate_function(ppf, one, none, none)
    with pytest.raises(InvalidArgumentError, match="parameters must be empty here, got 1 values"):
        await client.evaluate_function(ppf, one, one, none)
    with pytest.raises(InvalidArgumentError, match=r"dimension must be within 1\.\.=21201, got 0"):
        await client.sobol_points(0, 1)
    with pytest.raises(InvalidArgumentError, match=r"n_points .*at most 4000000.*got 4000001 of 1"):
        await client.sobol_points(1, 4_000_001)
    with pytest.raises(InvalidArgumentError, match="price must be at least 0, got -1"):
        await client.account_margin([ShareHolding(Decimal(1), Decimal(-1))], Decimal(0), "USD")
    with pytest.raises(InvalidArgumentError, match=r"es of 20 days must be .*at least 0, got -1"):
        await client.combine_horizons(np.array([1.0, -1.0, 0.0, 0.0, 0.0]))
    model = ReturnModel(covariance=np.eye(1))
    with pytest.raises(InvalidArgumentError, match=r"factor must be below 1.*got 1"):
        await client.assess_trades(one, model, 9900, [PlacedTrade(1, 1.0)])
    with pytest.raises(InvalidArgumentError, match="must be 10, 20, 40, 60 or 120, got 30"):
        await client.basel_shortfall(one, 9750, Parametric(model), [30])
