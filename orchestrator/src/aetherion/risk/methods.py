"""How a figure of risk is computed: the returns that it assumes and the method."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class QuantileRule(IntEnum):
    """Which value of an ordered sample is its quantile (Hyndman and Fan 1996)."""

    INVERTED_CDF = 1
    UPPER = 2
    LINEAR7 = 3
    MEDIAN_UNBIASED8 = 4
    HARRELL_DAVIS = 5


class ShortfallRule(IntEnum):
    """How ES is read off an ordered sample of losses.

    The mean of the n (1 - c) largest, the last of them in part, which is coherent; of those not
    below VaR; or of those above the upper quantile, if there are any.
    """

    TAIL_MEAN = 1
    MEAN_GE_VAR = 2
    MEAN_GT_UPPER = 3


class HorizonMethod(IntEnum):
    """How a simulated figure reaches a horizon of several days."""

    PATHS = 1
    SQUARE_ROOT_OF_TIME = 2


class Sampler(IntEnum):
    """Which points a simulation takes."""

    PSEUDO = 1
    SOBOL = 2


class SpotShock(IntEnum):
    """How a return r moves a spot S: LOG is S exp(r), SIMPLE is S max(1 + r, 0)."""

    LOG = 1
    SIMPLE = 2


@dataclass(frozen=True, slots=True)
class ReturnModel:
    """Mean, covariance and distribution of the factors' one-day returns.

    One of `covariance`, shape (K, K), and `returns`, shape (n, K) oldest row first, is given.
    `mean`, shape (K,): None is zero. `nu`: degrees of freedom of a Student t; None is Gaussian.
    """

    returns: Floats | None = None
    covariance: Floats | None = None
    mean: Floats | None = None
    nu: float | None = None


@dataclass(frozen=True, slots=True)
class Parametric:
    """VaR and ES in closed form."""

    model: ReturnModel


@dataclass(frozen=True, slots=True)
class Historical:
    """Past returns as scenarios: shape (n, K), oldest row first."""

    returns: Floats
    quantile_rule: QuantileRule = QuantileRule.INVERTED_CDF


@dataclass(frozen=True, slots=True)
class AgeWeighted:
    """Past returns, a day weighing `decay` times the day after it; decay in (0, 1)."""

    returns: Floats
    decay: float


@dataclass(frozen=True, slots=True)
class Ewma:
    """Exponentially weighted variance; decay in (0, 1), 0.94 is usual for days."""

    decay: float = 0.94


@dataclass(frozen=True, slots=True)
class Garch:
    """GARCH(1,1): variance' = omega + alpha P&L^2 + beta variance, in money squared.

    All three zero: fitted by maximum likelihood to the portfolio's own past P&L.
    """

    omega: float = 0.0
    alpha: float = 0.0
    beta: float = 0.0


@dataclass(frozen=True, slots=True)
class Filtered:
    """Past returns scaled to today's volatility, of the portfolio or factor by factor.

    A horizon above one day needs a GARCH and draws `n_paths` paths from `seed`; or takes the rows
    of `path_rows`, path after path, one a day.
    """

    returns: Floats
    volatility: Ewma | Garch = Ewma()
    by_factor: bool = False
    n_paths: int = 0
    seed: int = 0
    path_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CornishFisher:
    """Delta-gamma books: the quantile expanded in the cumulants of the P&L."""

    model: ReturnModel


@dataclass(frozen=True, slots=True)
class Fourier:
    """Delta-gamma books: exact, by inversion of the characteristic function."""

    model: ReturnModel


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """Simulated returns, 1,000 to 10,000,000; the same seed gives the same bits.

    SOBOL: `replications` at least 16, and n_scenarios a power of two times them.
    `strata`: None draws from the distribution itself; a number, a power of two up to 256, draws
    where a book's losses are, in so many strata, and n_scenarios is a multiple of 1,024.
    `spot_shock`: for option books. `simulate_factors`: linear exposures factor by factor, not by
    the portfolio's own return, which has the same distribution.
    """

    model: ReturnModel
    n_scenarios: int
    seed: int
    sampler: Sampler = Sampler.PSEUDO
    replications: int = 0
    strata: int | None = None
    single_precision_normals: bool = False
    spot_shock: SpotShock | None = None
    horizon_method: HorizonMethod | None = None
    simulate_factors: bool = False


RiskMethod = Parametric | Historical | AgeWeighted | Filtered | CornishFisher | Fourier | MonteCarlo
