"""Value at risk and expected shortfall, as asked and as answered. Losses are positive."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class QuantileRule(IntEnum):
    """Which value of an ordered sample is its quantile."""

    INVERTED_CDF = 1
    UPPER = 2
    LINEAR7 = 3
    MEDIAN_UNBIASED8 = 4
    HARRELL_DAVIS = 5


class RiskWarning(IntEnum):
    """Something the reader of a figure ought to know."""

    FEW_TAIL_SCENARIOS = 1
    CORNISH_FISHER_NOT_MONOTONE = 2


@dataclass(frozen=True, slots=True)
class ReturnModel:
    """Mean, covariance and distribution of the factors' one-day returns.

    One of `covariance`, shape (K, K), and `returns`, shape (n, K) oldest row first, is given.
    `mean`, shape (K,): None is zero. `nu`: degrees of freedom of a Student t; None is Gaussian.
    """

    returns: NDArray[np.float64] | None = None
    covariance: NDArray[np.float64] | None = None
    mean: NDArray[np.float64] | None = None
    nu: float | None = None


@dataclass(frozen=True, slots=True)
class Parametric:
    """VaR and ES in closed form."""

    model: ReturnModel


@dataclass(frozen=True, slots=True)
class Historical:
    """Past returns as scenarios: shape (n, K), oldest row first."""

    returns: NDArray[np.float64]
    quantile_rule: QuantileRule = QuantileRule.INVERTED_CDF


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """Simulated returns; the same seed gives the same bits."""

    model: ReturnModel
    n_scenarios: int
    seed: int


RiskMethod = Parametric | Historical | MonteCarlo


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
    marginal_var: NDArray[np.float64]
    component_var: NDArray[np.float64]
    standalone_var: NDArray[np.float64]
    incremental_var: NDArray[np.float64]
    marginal_es: NDArray[np.float64]
    component_es: NDArray[np.float64]
    warnings: tuple[RiskWarning, ...]


@dataclass(frozen=True, slots=True)
class RiskAnswer:
    """What the Risk Service computed, one entry of figures a level, in the order asked."""

    figures: tuple[RiskFigures, ...]
    sigma_1d: float | None
    n_scenarios: int
    seed: int | None


@dataclass(frozen=True, slots=True)
class RiskLimit:
    """Limits at one scope, in whole units; empty account and instrument: every account."""

    account: str = ""
    instrument_id: str = ""
    max_order_qty: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_position_qty: Decimal | None = None

    @property
    def scope(self) -> str:
        """Whose limits these are, in words."""
        parts = [self.account and f"account {self.account}", self.instrument_id]
        return " ".join(p for p in parts if p) or "firm"


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """All limits, as one versioned document."""

    limits: tuple[RiskLimit, ...] = ()
    market_order_band_bps: int = 0
    version: int = 0
