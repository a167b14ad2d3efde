"""Whether a VaR held: its exceptions, and the test that their number is the one promised."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Coverage:
    """The unconditional coverage test of a VaR."""

    days: int
    exceptions: int
    expected: float  # days * (1 - confidence)
    likelihood_ratio: float
    p_value: float  # small: the VaR is wrong


def var_exceptions(var: NDArray[np.float64], pnl: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return on which days the loss was strictly greater than the VaR, shape (n,).

    Args:
        var: shape (n,), loss forecast for each day, positive, in the account currency.
        pnl: shape (n,), that day's profit and loss; NaN where not known, which is no exception.

    Raises:
        ValueError: shapes differ, or `var` is somewhere not finite.
    """
    if var.shape != pnl.shape:
        raise ValueError(f"pnl: must have shape {var.shape}, got {pnl.shape}")
    if not np.isfinite(var).all():
        raise ValueError("var: must be finite")
    return np.asarray(-pnl > var, dtype=np.bool_)


def kupiec_test(days: int, exceptions: int, confidence: float) -> Coverage:
    """Return Kupiec's proportion-of-failures test of a VaR.

    Formula: `LR = -2 ln[(1-p)^(T-x) p^x / ((1-x/T)^(T-x) (x/T)^x)]` with `p = 1 - confidence` and
    `0 ln 0 = 0`; the p-value is that of chi-square with one degree of freedom, which is
    `erfc(sqrt(LR / 2))`.

    Args:
        days: T, the number of forecasts that were judged.
        exceptions: x, how many of them were exceeded.
        confidence: of the VaR, such as 0.99.

    Raises:
        ValueError: no days, exceptions outside 0..days, or a confidence outside (0, 1).

    Source: Kupiec, "Techniques for Verifying the Accuracy of Risk Measurement Models", Journal of
    Derivatives 3(2), 1995.
    """
    if days < 1:
        raise ValueError(f"days: must be positive, got {days}")
    if not 0 <= exceptions <= days:
        raise ValueError(f"exceptions: must be from 0 to {days}, got {exceptions}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: must be between 0 and 1, got {confidence}")
    p = 1.0 - confidence
    # As a sum of differences, not a difference of sums: near the promised share nothing cancels.
    excess = exceptions / days - p
    hits = exceptions * math.log1p(excess / p) if exceptions else 0.0
    misses = days - exceptions
    quiet = misses * math.log1p(-excess / (1.0 - p)) if misses else 0.0
    ratio = max(0.0, 2.0 * (hits + quiet))
    return Coverage(days, exceptions, days * p, ratio, math.erfc(math.sqrt(ratio / 2.0)))
