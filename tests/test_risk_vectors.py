"""The Risk Service, asked from Python, equals the reference values computed by other libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.risk import (
    AgeWeighted,
    Ewma,
    Filtered,
    Garch,
    Historical,
    MonteCarlo,
    Parametric,
    ReturnModel,
    RiskMethod,
    RollingForecasts,
)
from risk_cases import Array, basis_points, cases, check, check_all, level_of, prices_of


def covariance_of(inputs: dict[str, Any]) -> NDArray[np.float64]:
    """Return the covariance of a case, by value or by the formula that its text states."""
    if "cov" in inputs:
        return np.array(inputs["cov"])
    index = np.arange(len(inputs["x"]))
    sigma = 0.01 + 0.0001 * index
    correlation = np.power(0.9, np.abs(index[:, None] - index))
    return np.asarray(np.outer(sigma, sigma) * correlation, np.float64)


async def test_parametric(client: RiskClient, shared: Path) -> None:
    """Every case of parametric.json; the textbooks' own numbers have a test of their own."""
    _, listed = cases(shared, "parametric")
    done = 0
    for case in (c for c in listed if "inputs" in c):
        inputs = case["inputs"]
        level = basis_points(inputs["alpha"])
        assert level is not None, case["id"]
        model = ReturnModel(
            covariance=covariance_of(inputs), mean=np.array(inputs["mu"]), nu=inputs.get("nu")
        )
        exposures = np.array(inputs["x"])
        answer = await client.calculate_risk(
            exposures, [level], Parametric(model), horizon_days=inputs["h"]
        )
        figures = answer.figures[0]
        assert answer.sigma_1d is not None
        got = {
            name: answer.sigma_1d if name == "sigma_1d" else getattr(figures, name)
            for name in case["expected"]
        }
        scale = max(1.0, float(np.abs(exposures).max()))
        for name, expected in case["expected"].items():
            per_unit = name.startswith("marginal")
            tol = case["tol"]["abs"] / (scale if per_unit else 1.0)
            difference = np.abs(np.asarray(got[name]) - np.asarray(expected)).max()
            assert difference <= tol, (case["id"], name, difference, tol)
        done += 1
    print(f"{done} parametric cases")
    assert done >= 12


TEXTBOOKS = {
    # Jorion: 2m at 5 %, 1m at 12 %. Hull: 10m at 2 % a day, 5m at 1 % a day; and of the two the
    # rounded standard deviation that his text goes on with.
    "pub_jorion_portfolio_var": ([2e6, 1e6], [0.05, 0.12], 1.65, 1),
    "pub_jorion_standalone_cad": ([2e6, 0.0], [0.05, 0.12], 1.65, 1),
    "pub_jorion_standalone_eur": ([0.0, 1e6], [0.05, 0.12], 1.65, 1),
    "pub_hull_msft_10d_99": ([10e6, 0.0], [0.02, 0.01], 2.33, 10),
    "pub_hull_att_10d_99": ([0.0, 5e6], [0.02, 0.01], 2.33, 10),
    "pub_hull_2asset_10d_99": ([220_227.0], [1.0], 2.33, 10),
}


async def test_textbooks(client: RiskClient, shared: Path) -> None:
    """Textbooks round the normal quantile: their figures are ours times theirs over ours."""
    _, listed = cases(shared, "parametric")
    published = {case["id"]: case for case in listed if "published" in case}
    components = {"pub_jorion_component_cad": 0, "pub_jorion_component_eur": 1}
    assert published.keys() == TEXTBOOKS.keys() | components.keys()
    for name, (exposures, sigma, z, days) in TEXTBOOKS.items():
        method = Parametric(ReturnModel(covariance=np.diag(np.square(sigma))))
        x = np.array(exposures)
        answer = await client.calculate_risk(x, [9900], method, horizon_days=days)
        scale = z / stats.norm.ppf(0.99)
        got = [(name, answer.figures[0].var)]
        if name == "pub_jorion_portfolio_var":
            parts = answer.figures[0].component_var
            got += [(part, parts[place]) for part, place in components.items()]
        for of, figure in got:
            case = published[of]
            check(of, figure * scale, case["expected"]["var"], tol=case["tol"]["abs"])


async def test_historical(client: RiskClient, shared: Path) -> None:
    """Every kind of historical.json, the paths of several days too."""
    document, listed = cases(shared, "historical")
    tol = document["tol"]
    done = 0
    for case in listed:
        returns, exposures = np.array(document["data"][case["returns_ref"]]), np.array(case["x"])
        for entry in case["expected"]["levels"]:
            for kind, expected in entry.items():
                if kind == "alpha":
                    continue
                days, rows = 1, ()
                if kind == "fhs_garch_multi_day":
                    days = expected["h"]
                    rows = tuple(np.ravel(document["data"][f"idx_{case['id']}"]).tolist())
                block = entry["fhs_garch_portfolio"] if rows else expected
                method = historical_method(kind, block, returns, rows)
                name = f"{case['id']} {entry['alpha']} {kind}"
                answer = await client.calculate_risk(
                    exposures, [level_of(entry["alpha"])], method, horizon_days=days
                )
                figures = answer.figures[0]
                check(name, figures.var, expected["var"], rel=tol["var"]["rel"])
                check(name, figures.es, expected["es"], rel=tol["es"]["rel"])
                if "component_es" in expected:
                    rel, least = tol["component_es"]["rel"], tol["component_es"]["abs"]
                    wanted = expected["component_es"]
                    check_all(name, figures.component_es, wanted, rel=rel, tol=least)
                if "next_vol" in expected:
                    assert answer.next_volatility is not None
                    check(name, answer.next_volatility, expected["next_vol"], rel=1e-9)
                done += 1
    print(f"{done} historical figures")
    assert done >= 38


def historical_method(
    kind: str, block: Any, returns: Array, path_rows: tuple[int, ...]
) -> RiskMethod:
    """Return the method of a block of historical.json."""
    match kind:
        case "hs":
            return Historical(returns)
        case "brw":
            return AgeWeighted(returns, block["lambda"])
        case "fhs_ewma_portfolio":
            return Filtered(returns, Ewma(block["lambda"]))
        case "hull_white_factors":
            return Filtered(returns, Ewma(block["lambda"]), by_factor=True)
        case "fhs_garch_portfolio" | "fhs_garch_multi_day":
            garch = Garch(block["omega"], block["alpha_g"], block["beta"])
            return Filtered(returns, garch, path_rows=path_rows)
    raise AssertionError(f"unknown kind {kind}")


async def test_volatility(client: RiskClient, shared: Path) -> None:
    """The variances of volatility.json, as the forecasts of one factor, and the fit of a GARCH."""
    document, listed = cases(shared, "volatility")
    rel = document["tol"]["variance"]["rel"]
    for case in listed:
        expected = case["expected"]
        if case["kind"] == "garch11_fit_zero_mean":
            await check_fit(client, shared, expected, document["tol"]["fit"])
            continue
        series = np.array(document["series"][case["series"]])
        volatility = (
            Ewma(case["lambda"])
            if case["kind"] == "ewma"
            else Garch(case["omega"], case["alpha"], case["beta"])
        )
        method = Filtered(series[:, None], volatility)
        answer = await client.calculate_risk(np.ones(1), [9900], method)
        assert answer.next_volatility is not None
        check(case["id"], answer.next_volatility**2, expected["next_variance"], rel=rel)
        if isinstance(volatility, Ewma):
            verdict = await client.backtest_var(series, 9900, RollingForecasts(1, volatility))
            assert verdict.forecasts is not None
            variance = (verdict.forecasts.var / stats.norm.ppf(0.99)) ** 2
            check_all(case["id"], variance, expected["variance"][1:], rel=rel)


async def check_fit(client: RiskClient, shared: Path, expected: Any, tol: Any) -> None:
    """Fit a GARCH to 32 years of an index in percent."""
    _, _, prices = prices_of(shared / "vectors" / "risk" / "prices_sp500_index.csv.gz")
    method = Filtered(100 * (prices[1:] / prices[:-1] - 1), Garch())
    fitted = (await client.calculate_risk(np.ones(1), [9900], method)).fitted_garch
    assert fitted is not None
    check("alpha", fitted.alpha, expected["alpha"], tol=tol["alpha_abs"])
    check("beta", fitted.beta, expected["beta"], tol=tol["beta_abs"])


async def test_same_seed_same_bits(client: RiskClient) -> None:
    """A simulation is repeated exactly, and another seed gives another answer."""
    model = ReturnModel(covariance=np.diag([1e-4, 4e-4]), nu=5.0)
    exposures = np.array([1e6, -5e5])

    async def simulate(seed: int) -> float:
        method = MonteCarlo(model, n_scenarios=50_000, seed=seed)
        return (await client.calculate_risk(exposures, [9900], method)).figures[0].var

    assert await simulate(7) == await simulate(7)
    assert await simulate(7) != await simulate(8)


@pytest.mark.parametrize(
    ("exposures", "levels", "horizon", "covariance", "words"),
    [
        ([1.0], [10_000], 1, [[1e-4]], ["confidence_bp", "5001..=9999", "10000"]),
        ([1.0], [5000], 1, [[1e-4]], ["confidence_bp", "5000"]),
        ([1.0], [], 1, [[1e-4]], ["confidence_bp"]),
        ([], [9900], 1, [[1e-4]], ["exposures", "got 0"]),
        ([1.0, 2.0], [9900], 1, [[1e-4]], ["covariance", "2x2", "1x1"]),
        ([float("nan")], [9900], 1, [[1e-4]], ["exposures[0]", "finite", "NaN"]),
        ([1.0], [9900], 1, [[float("inf")]], ["covariance", "inf"]),
        ([1.0], [9900], 1, [[-1e-4]], ["covariance", "-0.0001"]),
        ([1.0, 1.0], [9900], 1, [[1e-4, 0.0], [1e-5, 1e-4]], ["covariance", "symmetric"]),
        ([1.0, 1.0], [9900], 1, [[1e-4, 2e-4], [2e-4, 1e-4]], ["covariance", "semidefinite"]),
        ([1.0], [9900], 0, [[1e-4]], ["horizon_days", "0"]),
    ],
)
async def test_bad_input_is_named(
    client: RiskClient,
    exposures: list[float],
    levels: list[int],
    horizon: int,
    covariance: list[list[float]],
    words: list[str],
) -> None:
    """The answer to bad input names the field and the value."""
    method = Parametric(ReturnModel(covariance=np.array(covariance)))
    with pytest.raises(InvalidArgumentError) as caught:
        await client.calculate_risk(np.array(exposures), levels, method, horizon_days=horizon)
    text = str(caught.value).lower()
    assert all(word.lower() in text for word in words), text
