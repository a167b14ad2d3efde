"""Figures of risk, as answered. Losses are positive; money is in the base currency."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from aetherion.risk.methods import Floats, Garch, HorizonMethod, Sampler


class RiskWarning(IntEnum):
    """Something the reader of a figure ought to know."""

    FEW_TAIL_SCENARIOS = 1
    CORNISH_FISHER_NOT_MONOTONE = 2


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A 95 % interval; an unbounded end is None."""

    lower: float | None
    upper: float | None


@dataclass(frozen=True, slots=True)
class RiskFigures:
    """VaR and ES at one level, in the base currency. Arrays have shape (K,), or (0,) if absent."""

    confidence_bp: int
    var: float
    es: float
    var_se: float | None
    es_se: float | None
    var_ci95: ConfidenceInterval | None
    es_ci95: ConfidenceInterval | None
    marginal_var: Floats
    component_var: Floats
    standalone_var: Floats
    incremental_var: Floats
    marginal_es: Floats
    component_es: Floats
    warnings: tuple[RiskWarning, ...]


@dataclass(frozen=True, slots=True)
class RiskAnswer:
    """What the Risk Service computed, one entry of figures a level, in the order asked."""

    figures: tuple[RiskFigures, ...]
    sigma_1d: float | None
    n_scenarios: int
    seed: int | None
    sampler: Sampler | None = None
    replications: int = 0
    horizon_method: HorizonMethod | None = None
    one_dimensional: bool = False
    fitted_garch: Garch | None = None
    next_volatility: float | None = None
    cumulants: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CalculationProgress:
    """How far a job is; `total` is 0 until known."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class ScenarioAnswer:
    """VaR and ES of a sample of scenarios, and each scenario's P&L when it was asked for."""

    figures: tuple[RiskFigures, ...]
    n_scenarios: int
    pnl: Floats | None
