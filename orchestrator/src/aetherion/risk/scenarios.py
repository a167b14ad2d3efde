"""What a portfolio loses under scenarios, in past windows, and what would make it lose so much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import polars as pl

from aetherion.risk.analysis import (
    BookStress,
    ExposureStress,
    FactorShock,
    HistoricalWindows,
    ReverseStress,
    StressAnswer,
)
from aetherion.risk.book import Book, BookPosition, Shock, StressScenario
from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import (
    Names,
    Table,
    Vector,
    align,
    arrange_square,
    number,
    square_of,
    table_of,
    vector_of,
    whole,
)
from aetherion.risk.pricing import name_of
from aetherion.risk.results import Record, Result, bars


def stress(
    portfolio: Any,
    scenarios: Mapping[str, Any] | None = None,
    *,
    proposed: BookPosition | None = None,
    returns: Any = None,
    window_days: int | None = None,
    window_count: int = 5,
    covariance: Any = None,
    reverse_loss: float | None = None,
) -> StressTable:
    """Return the P&L of scenarios, gain-positive, by position too.

    Formula: of exposures x . r, so that a return of -2 loses twice an exposure; of a book the sum
    of qty (V(max(S (1 + spot), 0), v + volatility, r + rate, t - years) - V), V as of `price`; of a
    window x . R, R = prod(1 + r) - 1 of its days. Reverse, with s^2 = x' cov x: the move is
    -l cov x / s^2, its distance l / s, its probability N(-l / s).

    Args:
        portfolio: a Book, revalued in full; or exposures, shape (K,), money per unit return.
        scenarios: by name: one return for all, or one by name, where "" is every other one and
            what is not named does not move. Of exposures also an array, one return a factor; of a
            book also a Shock, or a dict of spot, volatility, rate, years, by name.
        proposed: of a book: an order; every scenario is answered with and without it.
        returns, window_days, window_count: of exposures: the worst overlapping windows of so many
            days in the past returns, shape (n, K).
        covariance, reverse_loss: of exposures: the most likely Gaussian move that loses l, given
            the covariance of returns, shape (K, K).

    Returns: one row a scenario, window and reverse stress, in that order.

    Units: returns and spot shocks are relative, -0.2 falls by 20 %; volatility and rate are added,
    a year; years pass. P&L and `reverse_loss` in the money of the exposures or prices.

    Raises:
        RiskInputError: names that do not match, or shocks that are no numbers.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Basel Committee MAR33; Kupiec, "Stress testing in a value at risk framework", 1998;
    Breuer et al., "How to find plausible, severe and useful stress scenarios", 2009.
    """
    given = {} if scenarios is None else scenarios
    if not isinstance(given, Mapping):
        raise RiskInputError(f"scenarios: must be shocks by name, got {given!r}")
    if isinstance(portfolio, Book):
        of_exposures = {
            "returns": returns,
            "window_days": window_days,
            "covariance": covariance,
            "reverse_loss": reverse_loss,
        }
        for field, value in of_exposures.items():
            if value is not None:
                raise RiskInputError(f"{field}: goes with exposures only, got a Book")
        asked = BookStress(portfolio.positions, shock_scenarios(given), proposed)
        _check_underlyings(asked)
        answer = DESK.ask(lambda client: client.stress_test(asked))
        return StressTable(tuple(map(name_of, portfolio.positions)), answer)
    if proposed is not None:
        raise RiskInputError("proposed: goes with a Book only, got exposures")
    past = None if returns is None else table_of(returns, "returns")
    matrix = None if covariance is None else square_of(covariance, "covariance")
    vector, matrix = _exposures(portfolio, past, matrix)
    linear = ExposureStress(
        vector.values,
        tuple(_factor_shock(name, s, vector) for name, s in given.items()),
        _windows(past, window_days, window_count),
        _reverse(matrix, reverse_loss),
    )
    answer = DESK.ask(lambda client: client.stress_test(linear))
    rows = None if past is None else past.rows
    return StressTable(vector.names or (), answer, reverse_loss, rows)


def shock_scenarios(given: Mapping[str, Any]) -> tuple[StressScenario, ...]:
    """Return scenarios by name as shocks of underlyings, as `stress` takes them of a Book.

    Raises:
        RiskInputError: shocks that are no numbers.
    """
    return tuple(StressScenario(name, _shocks(name, shocks)) for name, shocks in given.items())


def _check_underlyings(asked: BookStress) -> None:
    """Refuse a shock of what is not held: it would count as no loss."""
    held = {p.underlying for p in (*asked.positions, asked.proposed) if p is not None}
    for scenario in asked.scenarios:
        for shock in scenario.shocks:
            if shock.underlying and shock.underlying not in held:
                raise RiskInputError(
                    f"scenario {scenario.name}: {shock.underlying} is not in portfolio"
                )


def _exposures(
    portfolio: Any, past: Table | None, matrix: Table | None
) -> tuple[Vector, Table | None]:
    """Return exposures and covariance in the order of the returns, or else of the portfolio.

    What has no names is in that order already.
    """
    vector = vector_of(portfolio, "portfolio")
    if past is not None:
        vector = align(vector, past.names, past.values.shape[1], "portfolio", "returns")
    if matrix is not None:
        matrix = arrange_square(matrix, vector.names, "covariance", "portfolio")
        vector = align(vector, matrix.names, matrix.values.shape[1], "portfolio", "covariance")
    return vector, matrix


def _windows(past: Table | None, days: int | None, count: int) -> HistoricalWindows | None:
    if (past is None) != (days is None):
        raise RiskInputError("window_days: goes with returns, got one of them")
    return (
        None
        if past is None or days is None
        else HistoricalWindows(
            past.values, whole(days, "window_days"), whole(count, "window_count")
        )
    )


def _reverse(matrix: Table | None, loss: float | None) -> ReverseStress | None:
    if (matrix is None) != (loss is None):
        raise RiskInputError("reverse_loss: goes with covariance, got one of them")
    return (
        None
        if matrix is None or loss is None
        else ReverseStress(matrix.values, number(loss, "reverse_loss"))
    )


def _factor_shock(name: str, shock: Any, portfolio: Vector) -> FactorShock:
    field = f"scenario {name}"
    if not isinstance(shock, Mapping):
        values = vector_of([shock] if np.ndim(shock) == 0 else shock, field)
        if len(values.values) == 1:  # the service moves all factors alike
            return FactorShock(name, values.values)
        size = len(portfolio.values)
        return FactorShock(name, align(values, portfolio.names, size, field, "portfolio").values)
    others = shock.get("", 0.0)
    names = portfolio.names
    if names is None:
        raise RiskInputError(f"{field}: shocks by name need a portfolio with names")
    for factor in shock:
        if factor and factor not in names:
            raise RiskInputError(f"{field}: {factor} is not in portfolio")
    return FactorShock(name, vector_of([shock.get(n, others) for n in names], field).values)


_SHOCKED = tuple(f.name for f in fields(Shock) if f.name != "underlying")


def _shocks(scenario: str, given: Any) -> tuple[Shock, ...]:
    by_name = given if isinstance(given, Mapping) else {"": given}
    return tuple(_shock(scenario, str(name), shock) for name, shock in by_name.items())


def _shock(scenario: str, underlying: str, given: Any) -> Shock:
    if isinstance(given, Shock):
        underlying = underlying or given.underlying
        given = {name: getattr(given, name) for name in _SHOCKED}
    moves = given if isinstance(given, Mapping) else {"spot": given}
    for name in moves:
        if name not in _SHOCKED:
            raise RiskInputError(
                f"scenario {scenario}: shocks are {', '.join(_SHOCKED)}, got {name}"
            )
    made = Shock(
        underlying, **{n: number(v, f"scenario {scenario}: {n}") for n, v in moves.items()}
    )
    if made.years < 0:
        raise RiskInputError(f"scenario {scenario}: years: must be at least 0, got {made.years:g}")
    return made


@dataclass(frozen=True, slots=True, repr=False)
class StressTable(Result):
    """P&L of scenarios, gain-positive: one row a scenario, past window or reverse stress."""

    names: Names
    answer: StressAnswer
    reverse_loss: float | None = None
    rows: Names | None = None  # the days of the past returns

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return "Stress test"

    def records(self) -> list[Record]:
        """Return one row a scenario."""
        rows: list[Record] = [{"scenario": r.name, "pnl": r.pnl} for r in self.answer.results]
        for record, result in zip(rows, self.answer.results, strict=True):
            if result.pnl_with_proposed is not None:
                record["pnl_with_proposed"] = result.pnl_with_proposed
        for window in self.answer.windows:
            first = self.rows[window.first_row] if self.rows else f"row {window.first_row}"
            rows.append({"scenario": f"window from {first}", "pnl": window.pnl})
        if (reverse := self.answer.reverse) is not None:
            name = f"reverse, {reverse.distance:.4g} deviations away"
            rows.append({"scenario": name, "pnl": -float(self.reverse_loss or 0)})
        return rows

    def by_position(self) -> pl.DataFrame:
        """Return the P&L of each position or factor, a row each, a column a scenario."""
        columns = {r.name: r.pnl_by_position for r in self.answer.results}
        count = max((len(c) for c in columns.values()), default=0)
        names = list(self.names) or [str(k) for k in range(count)]
        return pl.DataFrame({"name": names[:count], **columns})

    def reverse_shock(self) -> dict[str, float]:
        """Return the most likely move that loses the amount asked, by factor."""
        if self.answer.reverse is None:
            return {}
        shock = self.answer.reverse.shock.tolist()
        return dict(zip(self.names or [str(k) for k in range(len(shock))], shock, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, by position too."""
        made: dict[str, Any] = {"title": self.title, "rows": self.records()}
        for record, result in zip(made["rows"], self.answer.results, strict=False):
            record["pnl_by_position"] = result.pnl_by_position.tolist()
        if (reverse := self.answer.reverse) is not None:
            made["reverse"] = {
                "shock": self.reverse_shock(),
                "distance": reverse.distance,
                "probability": reverse.probability,
            }
        return made

    def plot(self) -> Any:
        """Return a plotly figure of the P&L."""
        rows = self.records()
        names = [str(r["scenario"]) for r in rows]
        return bars(self.title, names, {"P&L": [r["pnl"] for r in rows]}, "P&L")
