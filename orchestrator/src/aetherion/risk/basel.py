"""Expected shortfall as Basel's market risk rules put it together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import Confidence, Vector, align, level_of, number, vector_of
from aetherion.risk.measure import Options, exposures_of
from aetherion.risk.methods import AgeWeighted, Floats, Historical
from aetherion.risk.results import Record, Result, bars

LIQUIDITY_HORIZONS_DAYS = (10, 20, 40, 60, 120)


@dataclass(frozen=True, slots=True, repr=False)
class BaselShortfall(Result):
    """ES over the liquidity horizons, and ES over ten days of the factors of each; `float()` is ES.

    `es_by_horizon`, shape (5,): of the factors whose horizon is at least 10, 20, 40, 60, 120 days.
    """

    es: float
    es_by_horizon: Floats

    def __float__(self) -> float:
        return self.es

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Expected shortfall over liquidity horizons {self.es:,.2f}"

    def records(self) -> list[Record]:
        """Return one row a horizon."""
        by_horizon = zip(LIQUIDITY_HORIZONS_DAYS, self.es_by_horizon.tolist(), strict=True)
        return [{"horizon_days": days, "es": es} for days, es in by_horizon]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"title": self.title, "es": self.es, "rows": self.records()}

    def plot(self) -> Any:
        """Return a plotly figure: the ES of each horizon."""
        names = [f"{days} days or more" for days in LIQUIDITY_HORIZONS_DAYS]
        return bars(self.title, names, {"ES over ten days": self.es_by_horizon.tolist()}, "loss")


def basel_es(
    portfolio: Any,
    returns: Any = None,
    *,
    liquidity_horizons: Any,
    method: str = "historical",
    confidence: Confidence = "97.5%",
    **options: Unpack[Options],
) -> BaselShortfall:
    """Return expected shortfall of linear exposures over the liquidity horizons of their factors.

    Formula: ES^2 = sum_j (ES_j sqrt((LH_j - LH_{j-1}) / 10))^2, LH = 10, 20, 40, 60, 120 days, ES_j
    over ten days of the exposures to factors whose horizon is at least LH_j.

    Args:
        portfolio, returns, method, options: as of `var`, exposures alone. historical and
            age_weighted take rows of ten-day returns; the others are asked for ten days.
        liquidity_horizons: shape (K,), days, by name or in the order of the factors.
        confidence: one level.

    Raises:
        RiskInputError: as of `var`; several levels.
        InvalidArgumentError: the service refuses a value: a horizon that is none of the five, an ES
            below 0; the text names field, value and rule.

    Source: Basel Committee, MAR33.5.
    """
    level = level_of(confidence)
    held, names, how = exposures_of(portfolio, returns, method, options)
    given = vector_of(liquidity_horizons, "liquidity_horizons")
    days = _days(align(given, names or None, len(held), "liquidity_horizons", "portfolio"))
    horizon = 1 if isinstance(how, Historical | AgeWeighted) else LIQUIDITY_HORIZONS_DAYS[0]
    return DESK.ask(
        lambda client: client.basel_shortfall(held, level, how, days, horizon_days=horizon)
    )


def _days(given: Vector) -> list[int]:
    for days in given.values:
        if days not in LIQUIDITY_HORIZONS_DAYS:
            raise RiskInputError(f"liquidity_horizons: must be 10, 20, 40, 60 or 120, got {days:g}")
    return [int(days) for days in given.values]


def combine_horizons(es_by_horizon: Sequence[float] | Floats) -> BaselShortfall:
    """Return ES over the liquidity horizons from its parts, shape (5,), as of `basel_es`.

    Raises:
        InvalidArgumentError: not five, or one below 0.

    Source: Basel Committee, MAR33.5.
    """
    parts = vector_of(es_by_horizon, "es_by_horizon").values
    return DESK.ask(lambda client: client.combine_horizons(parts))


def stressed_es(
    es_reduced_stressed: float, es_full_current: float, es_reduced_current: float
) -> float:
    """Return ES calibrated to a period of stress.

    Formula: ES_RS max(ES_FC / ES_RC, 1): that of the reduced set of factors in stress, times what
    the full set shows over the reduced one today. Money, each over the liquidity horizons.

    Raises:
        InvalidArgumentError: one is below 0, or es_reduced_current not positive.

    Source: Basel Committee, MAR33.6.
    """
    given = {
        "es_reduced_stressed": es_reduced_stressed,
        "es_full_current": es_full_current,
        "es_reduced_current": es_reduced_current,
    }
    three = [number(value, name) for name, value in given.items()]
    return DESK.ask(lambda client: client.stressed_es(*three))
