"""Figures of a series of returns or trades."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from aetherion.analytics.equity import checked_equity, checked_periods


def volatility(returns: NDArray[np.float64], periods_per_year: float) -> float:
    """Return the yearly standard deviation: `std(returns, ddof=1) * sqrt(periods_per_year)`.

    Args:
        returns: shape (n,), n >= 2, simple returns of one period each, as ratios.
        periods_per_year: how many periods make a year; 252 for trading days.

    Raises:
        ValueError: fewer than two returns, one not finite, or no periods a year.
    """
    _check(returns, periods_per_year)
    return float(np.std(returns, ddof=1)) * math.sqrt(periods_per_year)


def sharpe_ratio(
    returns: NDArray[np.float64], periods_per_year: float, risk_free_return: float = 0.0
) -> float:
    """Return the yearly Sharpe ratio: mean excess return over its standard deviation.

    NaN where the returns do not vary.

    Args:
        returns: shape (n,), n >= 2, simple returns of one period each, as ratios.
        periods_per_year: how many periods make a year; 252 for trading days.
        risk_free_return: of one period, as a ratio.

    Raises:
        ValueError: fewer than two returns, one not finite, or no periods a year.

    Source: Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21(1), 1994.
    """
    _check(returns, periods_per_year)
    excess = returns - risk_free_return
    return _ratio(float(np.mean(excess)), float(np.std(excess, ddof=1)), periods_per_year)


def sortino_ratio(
    returns: NDArray[np.float64], periods_per_year: float, target_return: float = 0.0
) -> float:
    """Return the yearly Sortino ratio: mean return above the target over the downside deviation.

    The downside deviation is the root of the mean, over all n periods, of the squared shortfall.
    NaN where no return is below the target.

    Args:
        returns: shape (n,), n >= 2, simple returns of one period each, as ratios.
        periods_per_year: how many periods make a year; 252 for trading days.
        target_return: of one period, as a ratio.

    Raises:
        ValueError: fewer than two returns, one not finite, or no periods a year.

    Source: Sortino & Price, "Performance Measurement in a Downside Risk Framework", Journal of
    Investing 3(3), 1994.
    """
    _check(returns, periods_per_year)
    excess = returns - target_return
    downside = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return _ratio(float(np.mean(excess)), downside, periods_per_year)


def turnover(
    traded: NDArray[np.float64], equity: NDArray[np.float64], periods_per_year: float
) -> float:
    """Return how often a year the account was traded: all that was traded over mean equity.

    A purchase and its sale count twice.

    Args:
        traded: shape (n,), absolute notional traded in each period, in the account currency.
        equity: shape (n,), account value at the end of each period.
        periods_per_year: how many periods make a year; 252 for trading days.

    Raises:
        ValueError: shapes differ, `traded` is somewhere negative or not finite, `equity` not
            finite or not positive, or no periods a year.
    """
    checked_equity(equity)
    checked_periods(periods_per_year)
    if traded.shape != equity.shape:
        raise ValueError(f"traded: must have shape {equity.shape}, got {traded.shape}")
    if not (np.isfinite(traded) & (traded >= 0)).all():
        raise ValueError("traded: must be finite and not negative")
    return float(np.mean(traded) / np.mean(equity)) * periods_per_year


def hit_rate(pnl: NDArray[np.float64]) -> float:
    """Return the share of periods with a gain among those with a gain or a loss.

    NaN where there are none.

    Args:
        pnl: shape (n,), profit and loss, of any unit.

    Raises:
        ValueError: somewhere not finite.
    """
    if not np.isfinite(pnl).all():
        raise ValueError("pnl: must be finite")
    moved = int(np.count_nonzero(pnl))
    return int(np.count_nonzero(pnl > 0)) / moved if moved else math.nan


def _ratio(mean: float, deviation: float, periods_per_year: float) -> float:
    # Equal returns leave a deviation of a few 1e-19 from rounding, and a ratio of nothing.
    if deviation <= 1e-15 * abs(mean):
        return math.nan
    return mean / deviation * math.sqrt(periods_per_year)


def _check(returns: NDArray[np.float64], periods_per_year: float) -> None:
    checked_periods(periods_per_year)
    if returns.ndim != 1 or returns.size < 2:
        raise ValueError(f"returns: must have shape (n,), n > 1, got {returns.shape}")
    if not np.isfinite(returns).all():
        raise ValueError("returns: must be finite")
