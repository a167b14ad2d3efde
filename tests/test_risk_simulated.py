"""Simulations, delta-gamma books and given scenarios, from Python, equal the reference values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.risk import (
    AgeWeighted,
    CornishFisher,
    DeltaGammaBook,
    DistributionFunction,
    Fourier,
    GivenCovariance,
    MonteCarlo,
    QuantileRule,
    ReturnModel,
    RiskFigures,
    RiskWarning,
    ShortfallRule,
    SpotShock,
)
from risk_cases import Array, basis_points, book_of, cases, check, check_all, level_of

RULES = [rule.name.lower() for rule in QuantileRule]


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


def within(figures: RiskFigures, expected: dict[str, Any], name: str) -> None:
    """Estimates lie within four standard errors, of both sides where the reference has some."""
    for measure in ("var", "es"):
        se = getattr(figures, f"{measure}_se")
        both = np.hypot(se, expected.get(f"{measure}_se", 0.0))
        assert abs(getattr(figures, measure) - expected[measure]) <= 4 * both, (name, measure)


@pytest.mark.parametrize("strata", [None, 0, 64])
async def test_full_revaluation(client: RiskClient, shared: Path, strata: int | None) -> None:
    """Books of options, plainly and where the losses are, agree with the exact figures."""
    _, listed = cases(shared, "montecarlo")
    for case in (c for c in listed if c["kind"].startswith("full_revaluation")):
        inputs, levels = case["inputs"], case["expected"]["levels"]
        cov = np.array(inputs["cov"])
        method = MonteCarlo(
            ReturnModel(covariance=cov, nu=inputs.get("nu")),
            n_scenarios=262_144,
            seed=11,
            strata=None if "nu" in inputs else strata,  # books: Gaussian only
            spot_shock=SpotShock[inputs["shock"].upper()],
        )
        answer = await client.calculate_risk(
            book_of(inputs["book"], len(cov)),
            [level_of(entry["alpha"]) for entry in levels],
            method,
            horizon_years=inputs["dt_years"],
        )
        for figures, entry in zip(answer.figures, levels, strict=True):
            within(figures, entry, f"{case['id']} {entry['alpha']}")


async def test_given_normals(client: RiskClient, shared: Path) -> None:
    """Cholesky factor, P&L and VaR of the pipelines' own scenarios, linear and delta-gamma."""
    document, listed = cases(shared, "montecarlo")
    tol = document["tol"]["pipeline"]
    for case in (c for c in listed if c["kind"] == "pipeline"):
        inputs, expected = case["inputs"], case["expected"]
        cov = np.array(inputs["cov"])
        lower = (await client.estimate_covariance(cov, GivenCovariance(), factor=True)).cholesky
        assert lower is not None
        check_all(case["id"], lower, expected["chol_lower"], rel=tol["rel"], tol=1e-16)
        rows = np.array(inputs["Z"]) @ lower.T
        if "nu" in inputs:
            chi2 = np.array(next(v for k, v in inputs.items() if "chi" in k))
            rows *= np.sqrt((inputs["nu"] - 2) / chi2)[:, None]
        for row, name in ((0, "x_first_row"), (-1, "x_last_row")):
            check_all(f"{case['id']} {name}", rows[row], expected[name], rel=tol["rel"], tol=1e-16)
        levels = [level_of(entry["alpha"]) for entry in expected["levels"]]
        delta, gamma = np.array(inputs["delta"]), np.array(inputs["gamma"])
        books: dict[str, Array | DeltaGammaBook] = {"linear": delta}
        books["delta_gamma"] = DeltaGammaBook(delta, gamma, inputs["theta"])
        for kind, book in books.items():
            answer = await client.simulate_scenarios(book, rows, levels, return_pnl=True)
            name, pnl = f"{case['id']} {kind}", expected[f"pnl_{kind}"]
            check_all(name, answer.pnl, pnl, rel=tol["rel"], tol=tol["abs"])
            for figures, entry in zip(answer.figures, expected["levels"], strict=True):
                check(name, figures.var, entry[f"var_{kind}"], rel=tol["rel"], tol=tol["abs"])


async def test_delta_gamma(client: RiskClient, shared: Path) -> None:
    """Cumulants, Cornish-Fisher, the exact figures, and simulations of delta-gamma books."""
    document, listed = cases(shared, "delta_gamma")
    tol = document["tol"]
    for case in listed:
        inputs, expected = case["inputs"], case["expected"]
        book = DeltaGammaBook(np.array(inputs["delta"]), np.array(inputs["gamma"]), inputs["theta"])
        model = ReturnModel(covariance=np.array(inputs["cov"]))
        levels = [level_of(entry["alpha"]) for entry in expected["levels"]]
        near = await client.calculate_risk(book, levels, CornishFisher(model))
        exact = await client.calculate_risk(book, levels, Fourier(model))
        cumulants = [expected[k] for k in ("k1_mean", "k2_var", "k3", "k4")]
        check_all(case["id"], near.cumulants, cumulants, rel=tol["cumulants"]["rel"], tol=1e-300)
        simulated = [
            await client.calculate_risk(book, levels, MonteCarlo(model, 262_144, 5, strata=strata))
            for strata in (None, 64)
        ]
        for k, entry in enumerate(expected["levels"]):
            name = f"{case['id']} {entry['alpha']}"
            wanted = entry["cornish_fisher"]
            check(name, near.figures[k].var, wanted["var"], rel=tol["cornish_fisher"]["rel"])
            check(name, near.figures[k].es, wanted["es"], rel=tol["cornish_fisher"]["rel"])
            warned = RiskWarning.CORNISH_FISHER_NOT_MONOTONE in near.figures[k].warnings
            assert warned is not wanted["monotone"], name
            check(name, exact.figures[k].var, entry["exact_var"], rel=tol["exact_var"]["rel"])
            check(name, exact.figures[k].es, entry["exact_es"], rel=tol["exact_es"]["rel"])
            for answer in simulated:
                within(
                    answer.figures[k], {"var": entry["exact_var"], "es": entry["exact_es"]}, name
                )


async def test_quantiles(client: RiskClient, shared: Path) -> None:
    """All rules of VaR and ES, and weights, on losses that are the P&L of one exposure of -1."""
    document, listed = cases(shared, "quantile_es")
    done = 0
    for case in (c for c in listed if "loss_ref" in c):
        level = basis_points(case["alpha"])
        assert level is not None
        losses: Array = np.array(document["losses"][case["loss_ref"]])[:, None]
        expected = case["expected"]
        if "lambda" in case:
            # Returns are what is weighted: a return above -1 for each loss.
            method = AgeWeighted(losses, case["lambda"])
            figures = (await client.calculate_risk(np.array([-1.0]), [level], method)).figures[0]
            assert figures.var == expected["var_weighted_inverted_cdf"], case["id"]
            check(case["id"], figures.es, expected["es_weighted_tail_mean"], rel=1e-12, tol=1e-12)
            done += 1
            continue
        for rule in RULES:
            answer = await client.simulate_scenarios(
                np.array([-1.0]), losses, [level], quantile_rule=QuantileRule[rule.upper()]
            )
            figures, wanted = answer.figures[0], expected["var"][rule]
            rel = 1e-9 if rule == "harrell_davis" else 1e-12
            if rule in ("inverted_cdf", "upper"):
                assert figures.var == wanted, (case["id"], rule)
            check(f"{case['id']} {rule}", figures.var, wanted, rel=rel, tol=1e-12)
            done += 1
        for shortfall in ShortfallRule:
            name, asked = f"{case['id']} {shortfall.name}", (np.array([-1.0]), losses, [level])
            wanted = expected["es"].get(shortfall.name.lower())
            if wanted is None:
                with pytest.raises(InvalidArgumentError, match="shortfall_rule needs a loss above"):
                    await client.simulate_scenarios(*asked, shortfall_rule=shortfall)
                continue
            answer = await client.simulate_scenarios(*asked, shortfall_rule=shortfall)
            check(name, answer.figures[0].es, wanted, rel=1e-12, tol=1e-12)
            done += 1
    print(f"{done} quantiles")
    assert done >= 120


async def test_rank_intervals(client: RiskClient, shared: Path) -> None:
    """The ranks that bound VaR, of losses that are their own ranks, and how often they hold it."""
    _, listed = cases(shared, "quantile_es")
    done = 0
    for case in (c for c in listed if "N" in c):
        assert case["level"] == 0.95, case["id"]
        expected, ranks = case["expected"], np.arange(1.0, case["N"] + 1)[:, None]
        level = level_of(case["alpha"])
        answer = await client.simulate_scenarios(np.array([-1.0]), ranks[::-1], [level])
        interval = answer.figures[0].var_ci95
        assert interval is not None
        assert (interval.lower, interval.upper) == (expected["rank_lo"], expected["rank_hi"])
        below = await client.evaluate_function(
            DistributionFunction.BINOM_CDF,
            np.array([expected["rank_hi"] - 1.0, expected["rank_lo"] - 1.0]),
            np.array([float(case["N"])]),
            np.array([case["alpha"]]),
        )
        check(case["id"], below[0] - below[1], expected["coverage"], rel=1e-12)
        done += 1
    assert done == 4
