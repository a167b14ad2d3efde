"""Equity curves: returns, profit and loss, drawdowns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The deepest fall from a peak; positions in the equity curve that it was made from."""

    ratio: float  # 0.25 is a fall of 25 % from the peak; 0 where equity never fell
    peak: int
    trough: int
    recovered: int | None  # first position at the peak's height again; None: not yet


def simple_returns(equity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `equity[t] / equity[t-1] - 1`, shape (n-1,), as ratios.

    Args:
        equity: shape (n,), account value in the account currency, oldest first.

    Raises:
        ValueError: `equity` is empty, or somewhere not finite or not positive.
    """
    checked_equity(equity)
    return equity[1:] / equity[:-1] - 1.0


def daily_pnl(equity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the change of each day, shape (n-1,), in the account currency.

    Args:
        equity: shape (n,), oldest first; of any sign.

    Raises:
        ValueError: `equity` is empty or somewhere not finite.
    """
    if equity.size == 0 or not np.isfinite(equity).all():
        raise ValueError("equity: must be finite and not empty")
    return np.diff(equity)


def total_return(equity: NDArray[np.float64]) -> float:
    """Return the last value over the first, less 1, as a ratio.

    Args:
        equity: shape (n,), oldest first.

    Raises:
        ValueError: `equity` is empty, or somewhere not finite or not positive.
    """
    checked_equity(equity)
    return float(equity[-1] / equity[0] - 1.0)


def annual_return(equity: NDArray[np.float64], periods_per_year: float) -> float:
    """Return the constant yearly return that gives the same growth (CAGR), as a ratio.

    Args:
        equity: shape (n,), n >= 2, one value a period, oldest first.
        periods_per_year: how many periods make a year; 252 for trading days.

    Raises:
        ValueError: fewer than two values, one not finite or not positive, or no periods a year.
    """
    checked_equity(equity)
    checked_periods(periods_per_year)
    if equity.size < 2:
        raise ValueError(f"equity: must have at least 2 values, got {equity.size}")
    growth = float(equity[-1] / equity[0])
    return float(growth ** (periods_per_year / (equity.size - 1)) - 1.0)


def drawdowns(equity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `equity / running peak - 1`, shape (n,): 0 at a peak, -0.25 a quarter below it.

    Args:
        equity: shape (n,), oldest first.

    Raises:
        ValueError: `equity` is empty, or somewhere not finite or not positive.
    """
    checked_equity(equity)
    return equity / np.maximum.accumulate(equity) - 1.0


def max_drawdown(equity: NDArray[np.float64]) -> Drawdown:
    """Return the deepest fall of an equity curve from its running peak.

    Args:
        equity: shape (n,), account value in the account currency, oldest first.

    Raises:
        ValueError: `equity` is empty, or somewhere not finite or not positive.

    Source: Magdon-Ismail & Atiya, "Maximum Drawdown", Risk 17(10), 2004.
    """
    falls = drawdowns(equity)
    trough = int(falls.argmin())
    peak = int(equity[: trough + 1].argmax())
    back = np.flatnonzero(equity[trough:] >= equity[peak])
    recovered = trough + int(back[0]) if back.size else None
    return Drawdown(-float(falls[trough]) + 0.0, peak, trough, recovered)


def checked_equity(equity: NDArray[np.float64]) -> None:
    """Raise ValueError unless all of `equity` is finite and positive, and there is some."""
    if equity.ndim != 1 or equity.size == 0:
        raise ValueError(f"equity: must have shape (n,), n > 0, got {equity.shape}")
    bad = np.flatnonzero(~(np.isfinite(equity) & (equity > 0)))
    if bad.size:
        raise ValueError(f"equity[{bad[0]}]: must be finite and positive, got {equity[bad[0]]}")


def checked_periods(periods_per_year: float) -> None:
    """Raise ValueError unless there is a positive, finite number of periods a year."""
    if not (np.isfinite(periods_per_year) and periods_per_year > 0):
        raise ValueError(f"periods_per_year: must be positive, got {periods_per_year}")
