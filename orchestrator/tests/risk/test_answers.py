"""An answer says how it was made, printed and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest

from aetherion import risk
from local_risk import local_service, sample_returns

RETURNS = sample_returns()
EXPOSURES = [1e6, -5e5, 2e5]


@pytest.fixture(scope="module", autouse=True)
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with local_service(tmp_path_factory.mktemp("risk")):
        yield


def test_one_dimensional_form_is_said() -> None:
    short = risk.monte_carlo(EXPOSURES, RETURNS, n_scenarios=10_000)
    assert "one-dimensional: the portfolio's own return was simulated" in repr(short)
    assert "<p>one-dimensional:" in short._repr_html_()
    assert short.to_dict()["one_dimensional"] is True
    full = risk.monte_carlo(EXPOSURES, RETURNS, n_scenarios=10_000, simulate_factors=True)
    assert "one-dimensional" not in repr(full)
    assert "one_dimensional" not in full.to_dict()


def test_how_it_was_simulated_is_in_json() -> None:
    made = risk.monte_carlo(
        EXPOSURES,
        RETURNS,
        n_scenarios=16_384,
        sampler="sobol",
        replications=16,
        horizon_days=10,
        horizon_method="square_root_of_time",
    )
    said = json.loads(json.dumps(made.to_dict()))
    assert (said["sampler"], said["replications"]) == ("sobol", 16)
    assert said["horizon_method"] == "square_root_of_time"
    pseudo = risk.monte_carlo(EXPOSURES, RETURNS, n_scenarios=16_384)
    interval = pseudo.answer.figures[0].es_ci95
    assert interval is not None
    row = pseudo.to_dict()["rows"][0]
    assert (row["es_lower"], row["es_upper"]) == (interval.lower, interval.upper)


def test_fitted_parameters_and_cumulants_are_in_json() -> None:
    garch = risk.var(EXPOSURES, RETURNS, method="filtered", volatility="garch").to_dict()
    assert garch["fitted_garch"]["omega"] > 0
    assert set(garch["fitted_garch"]) == {"omega", "alpha", "beta"}
    book = risk.DeltaGammaBook(np.array(EXPOSURES), np.diag([-2e6, 0.0, 1e6]))
    near = risk.var(book, RETURNS, method="cornish_fisher")
    assert near.to_dict()["cumulants"] == list(near.answer.cumulants)
    assert len(near.answer.cumulants) == 4


def test_covariance_says_what_was_done_to_it() -> None:
    bad = np.array([[1.0, 2.0], [2.0, 1.0]])
    left = risk.covariance(bad, method="given")
    assert "warning: not positive semidefinite, smallest eigenvalue -1; repair=True" in repr(left)
    assert left.to_dict()["repaired"] is False
    assert left.to_dict()["smallest_eigenvalue"] == pytest.approx(-1)
    mended = risk.covariance(bad, method="given", repair=True)
    assert "repaired: smallest eigenvalue -1 before" in repr(mended)
    assert mended.to_dict()["repaired"] is True
    shrunk = risk.covariance(RETURNS, method="ledoit_wolf")
    assert f"shrinkage {shrunk.estimate.shrinkage:.6g}" in repr(shrunk)
    assert shrunk.to_dict()["shrinkage"] == shrunk.estimate.shrinkage
    singular = risk.covariance(np.ones((3, 3)), method="given")
    assert "warning" not in repr(singular)


def test_tests_of_a_single_day_are_absent() -> None:
    found = risk.backtest([-1.0], [2.0])
    assert found.verdict.independence is None
    assert found.verdict.conditional_coverage is None
    rows = {row["test"]: row for row in found.records()}
    assert rows["Kupiec, coverage"]["statistic"] is not None
    for name in ("Christoffersen, independence", "Christoffersen, both"):
        assert rows[name] == {"test": name, "statistic": None, "p_value": None}
    assert "Christoffersen, both" in repr(found)
