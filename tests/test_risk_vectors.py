"""The Risk Service, asked from Python, equals the reference values computed by other libraries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.risk import Historical, MonteCarlo, Parametric, ReturnModel
from processes import Service


def cases(shared: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a file of vectors and its cases."""
    document = json.loads((shared / "vectors" / "risk" / f"{name}.json").read_text())
    return document, document["cases"]


def basis_points(alpha: float) -> int | None:
    """Return a confidence level in basis points, None when it is finer than that."""
    level = Decimal(repr(alpha)) * 10_000
    return int(level) if level == int(level) else None


def covariance_of(inputs: dict[str, Any]) -> NDArray[np.float64]:
    """Return the covariance of a case, by value or by the formula that its text states."""
    if "cov" in inputs:
        return np.array(inputs["cov"])
    index = np.arange(len(inputs["x"]))
    sigma = 0.01 + 0.0001 * index
    correlation = np.power(0.9, np.abs(index[:, None] - index))
    return np.asarray(np.outer(sigma, sigma) * correlation, np.float64)


@pytest.fixture
async def client(risk: Service) -> AsyncIterator[RiskClient]:
    """A client of the session's Risk Service."""
    async with RiskClient(risk.address) as connected:
        yield connected


def close(got: float, expected: float, tol: dict[str, float]) -> bool:
    """Compare as the vectors' README says."""
    return abs(got - expected) <= tol.get("abs", 0.0) + tol.get("rel", 0.0) * abs(expected)


async def test_parametric(client: RiskClient, shared: Path) -> None:
    """Every case of parametric.json that is stated in whole basis points."""
    _, listed = cases(shared, "parametric")
    done = 0
    for case in listed:
        inputs = case.get("inputs")
        if inputs is None:
            continue
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


async def test_historical(client: RiskClient, shared: Path) -> None:
    """The plain historical figures of historical.json, components of ES included."""
    document, listed = cases(shared, "historical")
    done = 0
    for case in listed:
        returns = np.array(document["data"][case["returns_ref"]])
        levels = case["expected"]["levels"]
        answer = await client.calculate_risk(
            np.array(case["x"]),
            [level for entry in levels if (level := basis_points(entry["alpha"]))],
            Historical(returns),
        )
        assert answer.n_scenarios == len(returns)
        for figures, entry in zip(answer.figures, levels, strict=True):
            expected = entry["hs"]
            assert close(figures.var, expected["var"], document["tol"]["var"]), case["id"]
            assert close(figures.es, expected["es"], document["tol"]["es"]), case["id"]
            tol = document["tol"]["component_es"]
            pairs = zip(figures.component_es, expected["component_es"], strict=True)
            assert all(close(got, want, tol) for got, want in pairs), case["id"]
            done += 1
    print(f"{done} historical levels")
    assert done >= 8


@pytest.mark.parametrize("seed", [1, 2])
async def test_monte_carlo(client: RiskClient, shared: Path, seed: int) -> None:
    """Simulated figures lie within four standard errors of the exact ones, and so do the errors."""
    n = 1_000_000
    _, listed = cases(shared, "montecarlo")
    done = 0
    for case in (c for c in listed if c["kind"] == "converged_linear"):
        inputs, levels = case["inputs"], case["expected"]["levels"]
        model = ReturnModel(covariance=np.array(inputs["cov"]), nu=inputs.get("nu"))
        answer = await client.calculate_risk(
            np.array(inputs["x"]),
            [level for entry in levels if (level := basis_points(entry["alpha"]))],
            MonteCarlo(model, n_scenarios=n, seed=seed),
        )
        assert answer.seed == seed
        for figures, entry in zip(answer.figures, levels, strict=True):
            assert figures.var_se is not None
            assert figures.es_se is not None
            assert abs(figures.var - entry["var"]) <= 4 * figures.var_se, (case["id"], entry)
            assert abs(figures.es - entry["es"]) <= 4 * figures.es_se, (case["id"], entry)
            half_width = max(1, round((n * (1 - entry["alpha"]) * entry["alpha"]) ** 0.5))
            expected = entry["var_se_times_sqrtN"] / n**0.5
            assert abs(figures.var_se / expected - 1) <= 4 / (2 * half_width) ** 0.5, case["id"]
            done += 1
    print(f"{done} simulated levels")
    assert done >= 8


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
        ([], [9900], 1, [[1e-4]], ["x must have", "got 0"]),
        ([1.0, 2.0], [9900], 1, [[1e-4]], ["cov", "2x2", "1x1"]),
        ([float("nan")], [9900], 1, [[1e-4]], ["x[0]", "finite", "NaN"]),
        ([1.0], [9900], 1, [[float("inf")]], ["cov", "inf"]),
        ([1.0], [9900], 1, [[-1e-4]], ["cov", "-0.0001"]),
        ([1.0, 1.0], [9900], 1, [[1e-4, 0.0], [1e-5, 1e-4]], ["cov", "symmetric"]),
        ([1.0, 1.0], [9900], 1, [[1e-4, 2e-4], [2e-4, 1e-4]], ["cov", "semidefinite"]),
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
