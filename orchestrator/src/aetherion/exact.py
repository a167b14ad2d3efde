"""Exact numbers: scaled integers inside, `Decimal` at the surface."""

from __future__ import annotations

import operator
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import SupportsIndex

from aetherion.errors import AetherionError

# What a price or a quantity may be given as. A `float` is taken as the decimal that it prints as.
Number = Decimal | str | int | float

# For sums and products of decimals that must not round: wide enough for every product of an int64
# price, an int64 quantity and 10^-18 money, and it raises rather than rounds.
EXACT = Context(prec=120, traps=[Inexact, InvalidOperation, Overflow])

INT64_MAX = 2**63 - 1
_MOST_DECIMALS = 100  # more than any grid has; an exact ratio of "1e-999999999" would take for ever


class GridError(AetherionError, ValueError):
    """A number that its instrument cannot express."""


def unscale(mantissa: int, scale: int) -> Decimal:
    """Return mantissa * 10^-scale, exactly."""
    return EXACT.scaleb(Decimal(mantissa), -scale)


def to_decimal(value: Number | SupportsIndex, field: str) -> Decimal:
    """Return `value` as the exact decimal that it prints as.

    Raises:
        GridError: it is not a finite number.
    """
    if isinstance(value, bool):
        raise GridError(f"{field}: must be a number, got {value}")
    try:
        if isinstance(value, Decimal):
            number = value
        elif isinstance(value, float):
            number = Decimal(repr(float(value)))
        elif isinstance(value, str):
            number = Decimal(value)
        else:
            number = Decimal(operator.index(value))
    except (InvalidOperation, TypeError):
        raise GridError(f"{field}: must be a number, got {value!r}") from None
    if not number.is_finite():
        raise GridError(f"{field}: must be finite, got {value}")
    return number


def scaled(value: Number, scale: int, increment: int, field: str) -> int:
    """Return the integer n with n * 10^-scale = `value`, a multiple of `increment`.

    Raises:
        GridError: `value` lies between two grid values (both are named) or outside 64 bits.
    """
    number = to_decimal(value, field)
    if number and number.adjusted() > 18:
        raise GridError(f"{field}: must fit 64 bits in units of 1e-{scale}, got {value}")
    if number.as_tuple().exponent < -_MOST_DECIMALS:  # type: ignore[operator]  # finite: an int
        raise GridError(f"{field}: must have at most {_MOST_DECIMALS} decimals, got {value}")
    numerator, denominator = number.as_integer_ratio()
    unit: int = 10**scale
    steps, rest = divmod(numerator * unit, increment * denominator)
    mantissa = steps * increment
    if rest:
        low, high = unscale(mantissa, scale), unscale(mantissa + increment, scale)
        raise GridError(
            f"{field}: must be a multiple of {unscale(increment, scale):f}, got {value}; "
            f"nearest are {low:f} and {high:f}"
        )
    if abs(mantissa) > INT64_MAX:
        raise GridError(f"{field}: must fit 64 bits in units of 1e-{scale}, got {value}")
    return mantissa


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to the nearest integer, a tie to the even one."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * abs(rest)
    if twice > abs(denominator) or (twice == abs(denominator) and quotient % 2):
        return quotient + 1
    return quotient
