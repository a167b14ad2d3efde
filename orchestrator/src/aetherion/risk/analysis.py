"""Requests and answers beside VaR and ES: stress, options, backtests, covariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from aetherion.risk.book import BookPosition, OptionType, PricingModel, StressScenario
from aetherion.risk.methods import Ewma, Floats, Garch, QuantileRule


@dataclass(frozen=True, slots=True)
class FactorShock:
    """A named simple return of every factor: shape (K,), or (1,) for all alike."""

    name: str
    returns: Floats


@dataclass(frozen=True, slots=True)
class HistoricalWindows:
    """The `count` worst overlapping windows of `days` days; returns shape (n, K)."""

    returns: Floats
    days: int
    count: int


@dataclass(frozen=True, slots=True)
class ReverseStress:
    """The most likely Gaussian move that loses an amount; covariance shape (K, K)."""

    covariance: Floats
    loss: float


@dataclass(frozen=True, slots=True)
class BookStress:
    """Scenarios that a book is revalued under; with a `proposed` order, also with it filled."""

    positions: tuple[BookPosition, ...]
    scenarios: tuple[StressScenario, ...]
    proposed: BookPosition | None = None


@dataclass(frozen=True, slots=True)
class ExposureStress:
    """What is asked of linear exposures, shape (K,)."""

    exposures: Floats
    factor_shocks: tuple[FactorShock, ...] = ()
    historical_windows: HistoricalWindows | None = None
    reverse_stress: ReverseStress | None = None


@dataclass(frozen=True, slots=True)
class StressResult:
    """P&L of one scenario, gain-positive; by position or exposure in the order given."""

    name: str
    pnl: float
    pnl_by_position: Floats
    pnl_with_proposed: float | None


@dataclass(frozen=True, slots=True)
class WindowResult:
    """P&L over one past window; `first_row` is its first day in the returns, from 0."""

    first_row: int
    pnl: float


@dataclass(frozen=True, slots=True)
class ReverseStressResult:
    """The most likely move, shape (K,), its distance in deviations and its probability."""

    shock: Floats
    distance: float
    probability: float


@dataclass(frozen=True, slots=True)
class StressAnswer:
    """All that was asked, in the order asked."""

    results: tuple[StressResult, ...]
    windows: tuple[WindowResult, ...]
    reverse: ReverseStressResult | None


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """Options as columns of one length N; rates, yields and volatilities may be of length 1."""

    pricing_model: PricingModel
    option_types: Sequence[OptionType]
    underlying_prices: Floats
    strikes: Floats
    years: Floats
    volatilities: Floats
    rates: Floats
    dividend_yields: Floats
    steps: int = 0


@dataclass(frozen=True, slots=True)
class OptionPrices:
    """Columns of length N; a Greek that the model does not give is empty."""

    prices: Floats
    deltas: Floats
    gammas: Floats
    vegas: Floats
    thetas: Floats
    rhos: Floats
    rho_qs: Floats
    vannas: Floats
    volgas: Floats


@dataclass(frozen=True, slots=True)
class ImpliedVolatilities:
    """A column of length N; NaN where `failures` says why there is none, by row."""

    volatilities: Floats
    failures: dict[int, str]


class BaselZone(IntEnum):
    """The traffic light of the Basel Committee."""

    GREEN = 1
    YELLOW = 2
    RED = 3


@dataclass(frozen=True, slots=True)
class VarForecasts:
    """Forecasts for each day, made the day before: shape (T,); without ES None."""

    var: Floats
    es: Floats | None = None


@dataclass(frozen=True, slots=True)
class RollingForecasts:
    """Forecasts from the `window` days before.

    `method` is the rule of plain historical simulation, or a volatility that `filtered` says to
    scale the losses of the window by; without, it scales the normal quantile (EWMA only).
    """

    window: int
    method: QuantileRule | Ewma | Garch
    filtered: bool = False


@dataclass(frozen=True, slots=True)
class TestStatistic:
    """A test's value, and the probability of one as large if the forecasts are right."""

    __test__ = False  # its name is no request to pytest

    value: float
    p_value: float


@dataclass(frozen=True, slots=True)
class BacktestVerdict:
    """How good the forecasts were; the tests are of Kupiec, Christoffersen, Acerbi and Szekely.

    Christoffersen's are of two days that follow each other, and None where there is one day only.
    """

    n_days: int
    n_exceptions: int
    exception_rows: tuple[int, ...]
    kupiec: TestStatistic
    independence: TestStatistic | None
    conditional_coverage: TestStatistic | None
    zone: BaselZone
    cumulative_probability: float
    basel_multiplier: float | None
    acerbi_szekely_z1: float | None
    acerbi_szekely_z2: float | None
    forecasts: VarForecasts | None


@dataclass(frozen=True, slots=True)
class SampleCovariance:
    """Two-pass sample covariance, divisor n - 1."""


@dataclass(frozen=True, slots=True)
class LedoitWolf:
    """Shrunk to a multiple of the identity."""

    assume_centered: bool = False


@dataclass(frozen=True, slots=True)
class GivenCovariance:
    """The matrix given is a covariance already; it is only repaired."""


CovarianceEstimator = SampleCovariance | Ewma | LedoitWolf | GivenCovariance


@dataclass(frozen=True, slots=True)
class CovarianceEstimate:
    """Shape (K, K); correlation None where a factor has no variance.

    `cholesky`: the lower triangle L of covariance = L L', where it was asked for; `mean`, shape
    (K,), of the sample's.
    """

    covariance: Floats
    correlation: Floats | None
    shrinkage: float | None
    smallest_eigenvalue: float
    repaired: bool
    cholesky: Floats | None = None
    mean: Floats | None = None
