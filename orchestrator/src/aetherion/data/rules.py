"""The rules that every row of market data must keep."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aetherion.data.layout import PRICES, QUANTITIES
from aetherion.data.options import Kind
from aetherion.data.problems import Problems
from aetherion.instrument import Instrument

# A day's move beyond this share is more often a split than news.
_SUSPECT_MOVE = 0.4
_SHOWN = 4


def check(
    kind: Kind,
    frame: pl.DataFrame,
    text: pl.DataFrame,
    instruments: Sequence[Instrument],
    problems: Problems,
) -> None:
    """Note every value that breaks a rule of its kind.

    Args:
        frame: scaled integers, with `instrument`, `file` and `row`.
        text: the same rows as the file writes them, for messages.
    """
    negative = [i.allow_negative_price for i in instruments]
    may_be_negative = pl.Series(negative).gather(frame["instrument"])
    for field in PRICES[kind]:
        bad = (frame[field] <= 0) & ~may_be_negative
        problems.refuse(frame, bad, field, "must be positive", text[field])
    for field in QUANTITIES[kind]:
        problems.refuse(frame, frame[field] < 0, field, "must not be negative", text[field])
    if kind == "bar":
        _check_range(frame, text, problems)


def _check_range(frame: pl.DataFrame, text: pl.DataFrame, problems: Problems) -> None:
    """Note bars whose high is below their low, or whose open or close is outside of both."""
    low, high = frame["low"], frame["high"]
    inverted = high < low
    rule = "must not be below low " + text["low"]
    problems.refuse(frame, inverted, "high", rule, text["high"])
    for field in ("open", "close"):
        outside = ~inverted & ((frame[field] < low) | (frame[field] > high))
        rule = "must be between low " + text["low"] + " and high " + text["high"]
        problems.refuse(frame, outside, field, rule, text[field])


def crossed(frame: pl.DataFrame) -> pl.Series:
    """Return at which quotes the bid is above the ask."""
    return (frame["bid_price"] > frame["ask_price"]).fill_null(False)


def refuse_crossed(frame: pl.DataFrame, text: pl.DataFrame, problems: Problems) -> None:
    """Note quotes whose bid is above their ask."""
    rule = "must not be above ask_price " + text["ask_price"]
    problems.refuse(frame, crossed(frame), "bid_price", rule, text["bid_price"])


def suspect_moves(frame: pl.DataFrame, instruments: Sequence[Instrument]) -> list[str]:
    """Return a line for each instrument whose closes jump as they do at a split.

    Args:
        frame: bars in time order, with `instrument`, `close` and `time_ns`.
    """
    move = pl.col("close") / pl.col("close").shift(1).over("instrument") - 1
    day = pl.col("time_ns").cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%d")
    jumps = frame.select("instrument", day=day, move=move).filter(
        pl.col("move").is_finite() & (pl.col("move").abs() > _SUSPECT_MOVE)
    )
    lines = []
    for rows in jumps.partition_by("instrument", maintain_order=True):
        shown = ", ".join(f"{d} {m:+.0%}" for _, d, m in rows.head(_SHOWN).iter_rows())
        more = f" and {rows.height - _SHOWN} more" if rows.height > _SHOWN else ""
        name = instruments[rows["instrument"][0]].instrument_id
        lines.append(f"{name}: closes jump ({shown}{more}): prices not adjusted for splits?")
    return lines
