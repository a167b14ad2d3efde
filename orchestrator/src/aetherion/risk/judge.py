"""How good forecasts of risk were, and what the covariance of returns is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from aetherion.risk.analysis import (
    BacktestVerdict,
    CovarianceEstimate,
    CovarianceEstimator,
    GivenCovariance,
    LedoitWolf,
    RollingForecasts,
    SampleCovariance,
    VarForecasts,
)
from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import (
    Confidence,
    Names,
    Table,
    arrange_rows,
    enum_of,
    flag,
    index_of,
    level_of,
    number,
    one_of,
    square_of,
    table_of,
    whole,
)
from aetherion.risk.measure import volatility_of
from aetherion.risk.methods import Ewma, Floats, Garch, QuantileRule
from aetherion.risk.results import Record, Result, percent


@dataclass(frozen=True, slots=True, repr=False)
class BacktestResult(Result):
    """The verdict on forecasts, one row a test. `pnl` and `forecasts` are of the days tested."""

    confidence_bp: int
    verdict: BacktestVerdict
    pnl: Floats
    forecasts: VarForecasts
    rows: Names | None

    @property
    def title(self) -> str:
        """What it is, in a line."""
        v = self.verdict
        expected = v.n_days * (10_000 - self.confidence_bp) / 10_000
        return (
            f"VaR {percent(self.confidence_bp)}: {v.n_exceptions} exceptions in {v.n_days} days, "
            f"{expected:g} expected; {v.zone.name.lower()} zone"
        )

    def records(self) -> list[Record]:
        """Return one row a test."""
        v = self.verdict
        tests = {
            "Kupiec, coverage": v.kupiec,
            "Christoffersen, independence": v.independence,
            "Christoffersen, both": v.conditional_coverage,
        }
        rows: list[Record] = [
            {"test": name, "statistic": t and t.value, "p_value": t and t.p_value}
            for name, t in tests.items()
        ]
        rows.append(
            {
                "test": "Basel, cumulative probability",
                "statistic": v.cumulative_probability,
                "p_value": None,
            }
        )
        others = {
            "Basel, multiplier": v.basel_multiplier,
            "Acerbi-Szekely, Z1": v.acerbi_szekely_z1,
            "Acerbi-Szekely, Z2": v.acerbi_szekely_z2,
        }
        rows += [
            {"test": name, "statistic": value, "p_value": None}
            for name, value in others.items()
            if value is not None
        ]
        return rows

    def days(self) -> pl.DataFrame:
        """Return the days tested: P&L, forecasts, and whether the loss exceeded VaR."""
        is_exception = np.zeros(len(self.pnl), bool)
        is_exception[list(self.verdict.exception_rows)] = True
        columns: dict[str, Any] = {"pnl": self.pnl, "var": self.forecasts.var}
        if self.forecasts.es is not None:
            columns["es"] = self.forecasts.es
        days = {} if self.rows is None else {"day": list(self.rows)}
        return pl.DataFrame(days | columns | {"exception": is_exception})

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, with the counts and the days that were exceptions."""
        v = self.verdict
        return {
            "title": self.title,
            "confidence_bp": self.confidence_bp,
            "n_days": v.n_days,
            "n_exceptions": v.n_exceptions,
            "zone": v.zone.name.lower(),
            "exception_rows": list(v.exception_rows),
            "rows": self.records(),
        }

    def plot(self) -> Any:
        """Return a plotly figure: P&L, the VaR forecasts below it, and the exceptions."""
        from plotly import graph_objects as go

        days = list(self.rows or range(len(self.pnl)))
        hits = list(self.verdict.exception_rows)
        figure = go.Figure(
            [
                go.Scatter(name="P&L", x=days, y=self.pnl, mode="lines", line={"width": 1}),
                go.Scatter(name="-VaR", x=days, y=-self.forecasts.var, mode="lines"),
                go.Scatter(
                    name="exception", x=[days[k] for k in hits], y=self.pnl[hits], mode="markers"
                ),
            ]
        )
        return figure.update_layout(title=self.title, yaxis_title="P&L")


def backtest(
    pnl: Any,
    var: Any = None,
    es: Any = None,
    *,
    confidence: Confidence = "99%",
    window: int | None = None,
    method: str | None = None,
    quantile_rule: QuantileRule | str | None = None,
    volatility: str | Ewma | Garch | None = None,
    decay: float | None = None,
) -> BacktestResult:
    """Judge forecasts of VaR, and of ES, by the P&L of the days that they were for.

    An exception is a day whose loss is above its VaR. Kupiec tests their number, Christoffersen
    whether they cluster, Acerbi and Szekely their size; the zones are the Basel Committee's.

    Formula: of x exceptions in T days, p = 1 - c: Kupiec 2 (x ln(x / Tp) + (T - x) ln((T - x) /
    (T (1 - p)))), chi-square of 1 degree; independence: the likelihood ratio of a Markov chain of
    exceptions, of 1 degree; both: their sum, of 2. Zones: P(X <= x), X binomial(T, p): yellow from
    0.95, red from 0.9999. With I of an exception, Z1 = sum(pnl I / es) / x + 1, Z2 = sum(pnl I /
    es) / (T p) + 1: negative where ES is too small.

    Args:
        pnl: shape (T,), gain-positive, oldest first.
        var, es: shape (T,), forecasts made the day before, losses positive, in units of `pnl`; or
            a `window`. Days are matched by name where both have names.
        confidence: one level, c.
        window: forecasts are made here from so many days before, and the days after it are tested.
        method: with a window: historical (without), normal (times the EWMA volatility), or
            filtered.
        quantile_rule: of historical, inverted_cdf without.
        volatility, decay: of normal and filtered: "ewma" (without), an Ewma, or a Garch with its
            parameters.

    Returns: one row a test; statistics and p-values have no unit, a test that the days do not
    allow is None.

    Raises:
        RiskInputError: forecasts and window both or neither given, another length, or several
            levels; an option that the forecasts have no use for.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Kupiec 1995; Christoffersen 1998; Basel Committee MAR32 and MAR99; Acerbi & Szekely,
    "Back-testing expected shortfall", Risk, 2014.
    """
    level = level_of(confidence)
    days = _series(pnl, "pnl")
    if (var is None) == (window is None):
        got = "neither" if var is None else "both"
        raise RiskInputError(f"var: give var or window, one of them, got {got}")
    source: VarForecasts | RollingForecasts
    options = {"quantile_rule": quantile_rule, "volatility": volatility, "decay": decay}
    if window is None:
        _require_absent({"method": method} | options, "goes with window only")
        size, index = len(days.values), index_of(pnl, days)
        shortfall = None if es is None else _forecasts(es, "es", size, index)
        source = VarForecasts(_forecasts(var, "var", size, index), shortfall)
    else:
        _require_absent({"es": es}, "goes with var only")
        source = RollingForecasts(
            whole(window, "window"),
            _rolling(method or "historical", quantile_rule, volatility, decay),
            filtered=method == "filtered",
        )
    values = days.values[:, 0]
    verdict = DESK.ask(lambda client: client.backtest_var(values, level, source))
    made = verdict.forecasts or source
    assert isinstance(made, VarForecasts)  # the service answers those that it made
    tested = len(values) - verdict.n_days
    rows = None if days.rows is None else days.rows[tested:]
    return BacktestResult(level, verdict, values[tested:], made, rows)


def _series(value: Any, field: str) -> Table:
    table = table_of(value, field)
    if table.values.shape[1] != 1:
        raise RiskInputError(f"{field}: must be one column, got {table.values.shape[1]}")
    return table


def _forecasts(value: Any, field: str, size: int, days: Names | None) -> Floats:
    table = _series(value, field)
    got = len(table.values)
    if got != size:
        raise RiskInputError(f"{field}: must have {size} values, one a day, got {got}")
    table = replace(table, rows=index_of(value, table))
    return arrange_rows(table, days, field, "pnl").values[:, 0]


def _rolling(
    method: str,
    rule: QuantileRule | str | None,
    volatility: str | Ewma | Garch | None,
    decay: float | None,
) -> QuantileRule | Ewma | Garch:
    if one_of(("historical", "normal", "filtered"), method, "method") == "historical":
        others = {"volatility": volatility, "decay": decay}
        _require_absent(others, "goes with method normal or filtered only")
        return enum_of(QuantileRule, "inverted_cdf" if rule is None else rule, "quantile_rule")
    _require_absent({"quantile_rule": rule}, "goes with method historical only")
    return volatility_of("ewma" if volatility is None else volatility, decay)


def _require_absent(options: dict[str, Any], rule: str) -> None:
    """Refuse an option that would be ignored."""
    for name, value in options.items():
        if value is not None:
            raise RiskInputError(f"{name}: {rule}, got {value!r}")


@dataclass(frozen=True, slots=True, repr=False)
class CovarianceResult(Result):
    """A covariance matrix, one row a factor."""

    method: str
    names: Names
    estimate: CovarianceEstimate

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Covariance, {self.method.replace('_', ' ')}"

    def notes(self) -> list[str]:
        """Return what the estimate is like, and what was done to it."""
        found = self.estimate
        smallest = f"smallest eigenvalue {found.smallest_eigenvalue:.6g}"
        notes = []
        if found.shrinkage is not None:
            notes.append(f"shrinkage {found.shrinkage:.6g}")
        if found.repaired:
            notes.append(f"repaired: {smallest} before, negative ones clipped at 0")
        elif _is_indefinite(found):
            notes.append(f"warning: not positive semidefinite, {smallest}; repair=True repairs it")
        else:
            notes.append(smallest)
        return notes

    @property
    def covariance(self) -> Floats:
        """Shape (K, K)."""
        return self.estimate.covariance

    @property
    def correlation(self) -> Floats | None:
        """Shape (K, K); None where a factor has no variance."""
        return self.estimate.correlation

    def records(self) -> list[Record]:
        """Return one row a factor."""
        return [
            {"name": name, **dict(zip(self.names, row, strict=True))}
            for name, row in zip(self.names, self.covariance.tolist(), strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, with what was done to it."""
        found = self.estimate
        known = {
            "shrinkage": found.shrinkage,
            "smallest_eigenvalue": found.smallest_eigenvalue,
            "repaired": found.repaired,
        }
        return Result.to_dict(self) | {k: v for k, v in known.items() if v is not None}

    def plot(self) -> Any:
        """Return a plotly figure of the correlations, or of the covariance without any."""
        from plotly import graph_objects as go

        z = self.covariance if self.correlation is None else self.correlation
        return go.Figure(go.Heatmap(z=z, x=self.names, y=self.names)).update_layout(
            title=self.title, yaxis_autorange="reversed"
        )


def _is_indefinite(found: CovarianceEstimate) -> bool:
    """Whether an eigenvalue is below 0 by more than rounding can make it."""
    scale = len(found.covariance) * float(np.abs(found.covariance).max(initial=0.0))
    return found.smallest_eigenvalue < -scale * float(np.finfo(np.float64).eps)


def covariance(
    returns: Any,
    *,
    method: str = "sample",
    decay: float | None = None,
    assume_centered: bool = False,
    repair: bool = False,
) -> CovarianceResult:
    """Return the covariance of returns.

    Formula: sample sum((r - m) (r - m)') / (n - 1); ewma sum(w_i r_i r_i'), w_i = decay^(n - 1 - i)
    (1 - decay) / (1 - decay^n), i from 0; ledoit_wolf (1 - s) S + s mu I, S with divisor n, mu the
    mean of its diagonal, s the shrinkage estimated from the returns.

    Args:
        returns: shape (n, K), oldest row first; for given a covariance, shape (K, K).
        method: sample (divisor n - 1), ewma (zero mean), ledoit_wolf, or given.
        decay: of ewma: weight of a day relative to the day after it; 0.94 without.
        assume_centered: of ledoit_wolf: the mean is known to be zero.
        repair: clip negative eigenvalues at 0 and restore the diagonal.

    Returns: shape (K, K), squared units of the returns, a day if they are of one day; correlation,
    smallest eigenvalue and what was done to it beside.

    Raises:
        RiskInputError: another method, or an argument that it does not take.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: RiskMetrics, *Technical Document*, 1996; Ledoit & Wolf, "A well-conditioned estimator
    for large-dimensional covariance matrices", 2004; Higham 2002.
    """
    table = square_of(returns, "returns") if method == "given" else table_of(returns, "returns")
    estimators: dict[str, CovarianceEstimator] = {
        "sample": SampleCovariance(),
        "ewma": Ewma() if decay is None else Ewma(number(decay, "decay")),
        "ledoit_wolf": LedoitWolf(flag(assume_centered, "assume_centered")),
        "given": GivenCovariance(),
    }
    one_of(estimators, method, "method")
    if decay is not None and method != "ewma":
        raise RiskInputError(f"decay: goes with ewma only, got {decay} with {method}")
    if assume_centered and method != "ledoit_wolf":
        raise RiskInputError(f"assume_centered: goes with ledoit_wolf only, got {method}")
    estimator = estimators[method]
    repair = flag(repair, "repair")
    estimate = DESK.ask(
        lambda client: client.estimate_covariance(table.values, estimator, repair=repair)
    )
    names = table.names or tuple(str(k) for k in range(table.values.shape[1]))
    return CovarianceResult(method, names, estimate)
