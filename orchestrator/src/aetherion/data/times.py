"""Times of many spellings to nanoseconds since the Unix epoch, UTC, a column at a time."""

from __future__ import annotations

import re

import polars as pl
from polars.exceptions import PolarsError

from aetherion.data.decimals import decimals, plain, to_scaled

DAY_NS = 86_400_000_000_000

_UNIT_SCALE = {"s": 9, "ms": 6, "us": 3, "ns": 0}  # decimals down to a nanosecond
_DATE = r"^\d{4}-\d{2}-\d{2}$"
_OFFSET = r"(Z|z|[+-]\d{2}:?\d{2})$"
# 64 bits of nanoseconds reach from 1677 to 2262; whole years inside them.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261

RULE = "must be a time: ISO 8601, an epoch number, or as --time-format says"


def to_ns(column: pl.Series, time_format: str | None = None) -> tuple[pl.Series, bool]:
    """Return times in ns, null where they cannot be read, and whether all are dates without a time.

    An epoch number is read in the unit that the column's name ends with (`_ns`, `_us`, `_ms`, `_s`)
    or else in the one that puts the first value between 1973 and 5138. A time without an offset is
    UTC.

    Args:
        column: shape (n,), dates, datetimes, integers or text.
        time_format: of text, as in strftime; None recognises it.
    """
    if column.dtype == pl.Date:
        return _ns_of(column.cast(pl.Datetime("us"))), True
    if isinstance(column.dtype, pl.Datetime):
        return _ns_of(column if _naive(column) else _utc(column)), False
    text = column.cast(pl.String).str.strip_chars()
    if time_format is not None:
        return _formatted(text, time_format)
    first = text.drop_nulls().head(1)
    if len(first) and re.fullmatch(r"(19|20)\d{6}", first[0]):
        return _formatted(text, "%Y%m%d")
    if len(first) and re.fullmatch(r"[+-]?\d+(\.\d*)?(e\+?\d+)?", first[0]):
        return _epoch(text, column.name), False
    return _iso(text)


def _naive(column: pl.Series) -> bool:
    return isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None


def _utc(column: pl.Series) -> pl.Series:
    return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def _epoch(text: pl.Series, name: str) -> pl.Series:
    numbers = plain(text)
    suffix = name.lower().rpartition("_")[2]
    scale = _UNIT_SCALE[suffix if suffix in _UNIT_SCALE else _unit(numbers)]
    exact = decimals(numbers) <= scale
    ns = to_scaled(numbers, scale)
    return pl.select(pl.when(exact).then(ns)).to_series()


def _unit(numbers: pl.Series) -> str:
    first = float(numbers.drop_nulls().head(1)[0])
    for unit, most in (("s", 1e11), ("ms", 1e14), ("us", 1e17)):
        if abs(first) < most:
            return unit
    return "ns"


def _iso(text: pl.Series) -> tuple[pl.Series, bool]:
    dates = text.str.contains(_DATE).fill_null(False)
    offset = text.str.extract(_OFFSET, 1)
    # The offset of a date is part of the date: "2024-01-02" does not end with "-0102".
    has_offset = offset.is_not_null() & text.str.contains(r"[T ]")
    base = pl.select(
        pl.when(dates)
        .then(text + "T00:00:00")
        .when(has_offset)
        .then(text.str.replace(r"\s*" + _OFFSET, ""))
        .otherwise(text)
    ).to_series()
    base = base.str.replace(" ", "T", literal=True).str.replace(r"(T\d{2}:\d{2})$", "$1:00")
    local = _parsed(base, "%Y-%m-%dT%H:%M:%S%.f")
    seconds = _offset_seconds(offset)
    ns = pl.select(pl.when(has_offset).then(local - seconds * 1_000_000_000).otherwise(local))
    return ns.to_series(), bool(dates.all()) and len(dates) > 0


def _offset_seconds(offset: pl.Series) -> pl.Series:
    hours = offset.str.extract(r"(\d{2}):?\d{2}$", 1).cast(pl.Int64).fill_null(0)
    minutes = offset.str.extract(r"(\d{2})$", 1).cast(pl.Int64).fill_null(0)
    sign = pl.select(pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)).to_series()
    return sign * (hours * 3600 + minutes * 60)


def _formatted(text: pl.Series, time_format: str) -> tuple[pl.Series, bool]:
    dates_only = not re.search(r"%[HIMSTRXcs]", time_format)
    if dates_only:
        days = text.str.to_date(time_format, strict=False)
        return _ns_of(days.cast(pl.Datetime("us"))), True
    return _parsed(text, time_format), False


def _parsed(text: pl.Series, time_format: str) -> pl.Series:
    try:
        coarse = text.str.to_datetime(time_format, time_unit="us", strict=False)
        fine = text.str.to_datetime(time_format, time_unit="ns", strict=False)
    except PolarsError:
        # Polars refuses a format that no value has; none of them can be read then.
        return pl.Series(text.name, [None] * len(text), dtype=pl.Int64)
    if not _naive(coarse):
        coarse, fine = _utc(coarse), _utc(fine)
    return pl.select(pl.when(_in_range(coarse)).then(fine.cast(pl.Int64))).to_series()


def _ns_of(times: pl.Series) -> pl.Series:
    """Return naive datetimes in ns; null outside 64 bits, where a cast would wrap."""
    inside = pl.select(pl.when(_in_range(times)).then(times)).to_series()
    return inside.cast(pl.Datetime("ns")).cast(pl.Int64)


def _in_range(times: pl.Series) -> pl.Series:
    return times.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)


def readable(ns: pl.Series) -> pl.Series:
    """Return times as people read them, for messages."""
    return ns.cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")


def iso(ns: int) -> str:
    """Return one time as people read it."""
    return str(readable(pl.Series([ns]))[0])
