"""What a backtest of expected shortfall is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aetherion.risk.desk import DESK
from aetherion.risk.inputs import UINT64, Confidence, level_of, levels_of, number, whole
from aetherion.risk.results import Record, Result, bars, percent


@dataclass(frozen=True, slots=True)
class CriticalValue:
    """The Z2 below which forecasts are rejected, and its standard error of simulation."""

    test_confidence_bp: int
    value: float
    standard_error: float


@dataclass(frozen=True, slots=True, repr=False)
class CriticalValues(Result):
    """Critical values of Z2, one row a level of the test; `float()` of it is the first."""

    n_days: int
    confidence_bp: int
    nu: float | None
    values: tuple[CriticalValue, ...]

    def __float__(self) -> float:
        return self.values[0].value

    @property
    def title(self) -> str:
        """What it is, in a line."""
        law = "Gaussian" if self.nu is None else f"Student's t, nu {self.nu:g},"
        level = percent(self.confidence_bp)
        return f"Critical Z2 of ES {level}, {law} P&L of {self.n_days} days"

    def records(self) -> list[Record]:
        """Return one row a level of the test."""
        return [
            {
                "test": percent(found.test_confidence_bp),
                "z2": found.value,
                "standard_error": found.standard_error,
            }
            for found in self.values
        ]

    def plot(self) -> Any:
        """Return a plotly figure: a bar a level of the test."""
        names = [percent(found.test_confidence_bp) for found in self.values]
        return bars(self.title, names, {"Z2": [found.value for found in self.values]}, "Z2")


def critical_z2(
    n_days: int = 250,
    *,
    confidence: Confidence = "97.5%",
    nu: float | None = None,
    test_confidence: Confidence | Sequence[Confidence] = ("95%", "99.99%"),
    n_scenarios: int = 400_000,
    seed: int = 1,
) -> CriticalValues:
    """Return how low Acerbi and Szekely's Z2 falls when the forecasts of VaR and ES are right.

    A `backtest` whose Z2 is below has an ES that is too small, at that confidence.

    Formula: the quantile at 1 - c of Z2 = sum(pnl I / es) / (T p) + 1 of simulated histories, c the
    confidence of the test, p = 1 - `confidence`.

    Args:
        n_days: days of a history, T, 1 to 10,000.
        confidence: of the forecasts.
        nu: degrees of freedom of Student's t, above 2; without, the P&L is Gaussian.
        test_confidence: one level or several: of 95 %, one right forecast in twenty falls below.
        n_scenarios: histories, 1,000 to 10,000,000; ten at least beyond each level.

    Units: none; the scale of the P&L does not matter.

    Raises:
        RiskInputError: no levels, or no whole numbers.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Acerbi & Szekely, "Back-testing expected shortfall", Risk, 2014.
    """
    level, levels = level_of(confidence), levels_of(test_confidence)
    days, count = whole(n_days, "n_days"), whole(n_scenarios, "n_scenarios")
    freedom = None if nu is None else number(nu, "nu")
    drawn_from = whole(seed, "seed", UINT64)
    values = DESK.ask(
        lambda client: client.critical_z2(
            days, level, levels, nu=freedom, n_scenarios=count, seed=drawn_from
        )
    )
    return CriticalValues(days, level, freedom, values)
