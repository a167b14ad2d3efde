"""Returns by month and year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aetherion.analytics.equity import checked_equity


@dataclass(frozen=True, slots=True)
class MonthlyReturns:
    """Returns as ratios; NaN for a month without a day."""

    years: tuple[int, ...]
    months: NDArray[np.float64]  # shape (years, 12)
    totals: NDArray[np.float64]  # shape (years,): of the whole year


def monthly_returns(dates: Sequence[str], equity: NDArray[np.float64]) -> MonthlyReturns:
    """Return the growth of each month and year, from the last value before it to its last.

    Args:
        dates: n ISO dates, the days that ended, in order.
        equity: shape (n + 1,), the value at the start and at the end of each day.

    Raises:
        ValueError: lengths do not fit, dates not in order, or `equity` not finite or not positive.
    """
    checked_equity(equity)
    if len(dates) + 1 != equity.size:
        raise ValueError(f"equity: must have {len(dates) + 1} values, got {equity.size}")
    days = np.array(dates, dtype="datetime64[D]")
    if (days[1:] <= days[:-1]).any():
        raise ValueError("dates: must be in order, each once")
    if not dates:
        return MonthlyReturns((), np.empty((0, 12)), np.empty(0))
    month = days.astype("datetime64[M]").astype(int)  # months since January 1970
    years = np.arange(month[0] // 12, month[-1] // 12 + 1)
    table = np.full((years.size, 12), np.nan)
    for number, growth in _growth(month, equity):
        table[number // 12 - years[0], number % 12] = growth
    totals = np.full(years.size, np.nan)
    for number, growth in _growth(month // 12, equity):
        totals[number - years[0]] = growth
    return MonthlyReturns(tuple(int(y) + 1970 for y in years), table, totals)


def _growth(period: NDArray[np.int64], equity: NDArray[np.float64]) -> list[tuple[int, float]]:
    """Return each period's number and its growth, for the period that each day belongs to."""
    last = np.append(np.flatnonzero(np.diff(period)), period.size - 1)
    first = np.append(0, last[:-1] + 1)
    growth = equity[last + 1] / equity[first] - 1.0
    return [(int(period[i]), float(g)) for i, g in zip(last, growth, strict=True)]
