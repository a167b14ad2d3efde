"""Decimal text to scaled integers, a column at a time, without a float on the way."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

import polars as pl

_PLAIN = r"^[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})$"
# Far outside 64 bits in any scale; written out, "1e999999999" would fill the memory.
_WIDEST_EXPONENT = 30
_LONGEST = 80
_WIDE = Context(prec=300)

_DOUBLE_DIGITS, _MEANT_DIGITS = 15, 13
_DOUBLE = Context(prec=_DOUBLE_DIGITS, rounding=ROUND_HALF_EVEN)


def plain(text: pl.Series) -> pl.Series:
    """Return decimal numbers without exponents, as text; null for what is not a finite number.

    Args:
        text: shape (n,), strings such as "1.5", "1e-7", "NaN", "" or null.
    """
    stripped = text.str.strip_chars()
    ordinary = stripped.str.contains(_PLAIN).fill_null(False)
    if ordinary.all():
        return stripped
    return _mapped(stripped, ~ordinary & stripped.is_not_null(), _without_exponent)


def decimals(numbers: pl.Series) -> pl.Series:
    """Return how many decimals each plain number needs: 2 for "1.250", 0 for "7"."""
    return numbers.str.extract(r"\.(\d*?)0*$", 1).str.len_chars().fill_null(0).cast(pl.Int64)


def to_scaled(numbers: pl.Series, scale: int) -> pl.Series:
    """Return plain numbers in units of 10^-scale; null for those outside 64 bits.

    Decimals beyond `scale` must be zeros: see `decimals` and `rounded`.
    """
    whole = numbers.str.extract(r"^[+-]?(\d*)", 1)
    fraction = numbers.str.extract(r"\.(\d*)$", 1).fill_null("")
    digits = whole + fraction.str.slice(0, scale).str.pad_end(scale, "0")
    magnitude = digits.str.to_integer(strict=False, dtype=pl.Int64)
    return pl.select(
        pl.when(numbers.str.starts_with("-")).then(-magnitude).otherwise(magnitude)
    ).to_series()


def rounded(numbers: pl.Series, scale: int) -> pl.Series:
    """Return plain numbers with at most `scale` decimals, halves to even."""
    step = Decimal(1).scaleb(-scale)

    def to_step(text: str) -> str:
        return f"{Decimal(text).quantize(step, ROUND_HALF_EVEN, _WIDE):f}"

    return _mapped(numbers, decimals(numbers) > scale, to_step)


def denoised(numbers: pl.Series) -> tuple[pl.Series, int]:
    """Return plain numbers without the noise of printed doubles, and how many had some.

    A double holds 15 significant digits. A number written with more, and with 13 or fewer once
    it is rounded to 15, was meant to be the short one: "218102.59507500002" is 218102.595075. All
    others stay: "74.05999755859375" is as it is.
    """
    digits = numbers.str.replace_all(r"^[+-]?[0.]*|\.", "").str.replace(r"0+$", "").str.len_chars()
    clean = _mapped(numbers, digits > _DOUBLE_DIGITS, _shortest)
    return clean, int((clean != numbers).sum())


def _shortest(text: str) -> str:
    short = _DOUBLE.create_decimal(text).normalize()
    return f"{short:f}" if len(short.as_tuple().digits) <= _MEANT_DIGITS else text


def _without_exponent(text: str) -> str | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if not number.is_finite() or "_" in text:
        return None
    if len(text) > _LONGEST or (number and abs(number.adjusted()) > _WIDEST_EXPONENT):
        return None
    return f"{number:f}"


def _mapped(text: pl.Series, where: pl.Series, change: Callable[[str], str | None]) -> pl.Series:
    """Return `text` with `change` applied at the few places where `where` is true."""
    at = where.fill_null(False).arg_true()
    changed = [change(value) for value in text.gather(at)]
    return text.clone().scatter(at, pl.Series(changed, dtype=pl.String))
