"""Tables to the rows of a data set: one frame a kind, in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from aetherion.data import book, clock, naming, rules, scales
from aetherion.data.clock import Clock, refuse_steps
from aetherion.data.layout import PRICES, QUANTITIES
from aetherion.data.options import KINDS, ImportOptions, Kind
from aetherion.data.problems import DataError, Problems
from aetherion.data.table import Table
from aetherion.data.times import DAY_NS, readable
from aetherion.instrument import Instrument

# The columns of each kind's Parquet file, after `instrument`, and the field that each holds.
COLUMNS: dict[Kind, dict[str, str]] = {
    "bar": {
        "open_time_ns": "time_ns",
        "transact_time_ns": "transact_time_ns",
        "open_px": "open",
        "high_px": "high",
        "low_px": "low",
        "close_px": "close",
        "volume": "volume",
    },
    "quote": {
        "transact_time_ns": "transact_time_ns",
        "receive_time_ns": "receive_time_ns",
        "bid_px": "bid_price",
        "bid_qty": "bid_size",
        "ask_px": "ask_price",
        "ask_qty": "ask_size",
    },
    "trade": {
        "transact_time_ns": "transact_time_ns",
        "receive_time_ns": "receive_time_ns",
        "trade_px": "price",
        "trade_qty": "size",
        "aggressor_side": "aggressor",
    },
    "level": {
        "transact_time_ns": "transact_time_ns",
        "receive_time_ns": "receive_time_ns",
        "book_side": "side",
        "book_px": "price",
        "book_qty": "size",
        "book_flags": "flags",
    },
    "order": {
        "transact_time_ns": "transact_time_ns",
        "receive_time_ns": "receive_time_ns",
        "book_side": "side",
        "book_px": "price",
        "book_qty": "size",
        "book_flags": "flags",
        "book_order_id": "order_id",
    },
}


# What each kind has that is not a number to be scaled.
_OTHER: dict[Kind, tuple[str, ...]] = {
    "bar": (),
    "quote": (),
    "trade": ("aggressor",),
    "level": ("side", "snapshot", "update"),
    "order": ("side", "order_id", "action"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """All that an import found; `frames` have `instrument` and the columns of `COLUMNS`."""

    instruments: tuple[Instrument, ...]
    frames: dict[Kind, pl.DataFrame]
    clocks: dict[str, Clock]
    notes: tuple[str, ...]


def assemble(tables: Sequence[Table], options: ImportOptions, problems: Problems) -> Rows:
    """Validate every row of every table and merge them.

    Raises:
        DataError: a row breaks a rule; the first are named, all are counted.
    """
    problems.raise_any()
    instruments = scales.define(tables, options)
    frames = {
        kind: _concatenated([t for t in tables if t.kind == kind], instruments, options, problems)
        for kind in KINDS
        if any(t.kind == kind for t in tables)
    }
    notes = []
    if "bar" in frames:
        frames["bar"] = _closed(frames["bar"], instruments, options, problems)
        notes += [] if options.adjust else rules.suspect_moves(frames["bar"], instruments)
    if "quote" in frames:
        notes += _crossed(frames["quote"])
    if "level" in frames:
        problems.raise_any()
        frames["level"], more = book.known(frames["level"], instruments)
        notes += more
    if "order" in frames:
        problems.raise_any()
        frames["order"], more = book.since_added(frames["order"], instruments)
        notes += more
    ticks: dict[Kind, pl.DataFrame] = {
        kind: frame for kind, frame in frames.items() if kind != "bar"
    }
    clocks = clock.choose(ticks, instruments, problems)
    problems.raise_any()
    frames |= {kind: _stamped(frame, clocks) for kind, frame in ticks.items()}
    names = {instruments[index].instrument_id: clocks[index] for index in sorted(clocks)}
    notes += _clock_notes(ticks, instruments, clocks)
    notes += [
        f"{i.instrument_id}: margined in coins, but its P&L is taken as linear in the price"
        for i in instruments
        if naming.is_inverse(i.instrument_id)
    ]
    ordered = {kind: _ordered(kind, frame) for kind, frame in frames.items()}
    return Rows(instruments, ordered, names, tuple(notes))


def _concatenated(
    tables: Sequence[Table],
    instruments: Sequence[Instrument],
    options: ImportOptions,
    problems: Problems,
) -> pl.DataFrame:
    """Return the tables of one kind below each other, numbers scaled and checked."""
    kind = tables[0].kind
    parts = []
    for table in tables:
        frame = scales.scale(table, instruments, problems)
        rules.check(kind, frame, table.frame, instruments, problems)
        if kind == "quote" and options.strict:
            rules.refuse_crossed(frame, table.frame, problems)
        for name in ("time_ns", "receive_time_ns"):
            if name not in frame.columns:
                frame = frame.with_columns(pl.lit(None, dtype=pl.Int64).alias(name))
        names = ["file", "row", "instrument", "time_ns", "receive_time_ns"]
        names += [*PRICES[kind], *QUANTITIES[kind], *_OTHER[kind]]
        parts.append(frame.select(names, dates_only=pl.lit(table.dates_only)))
    return pl.concat(parts)


def _closed(
    frame: pl.DataFrame,
    instruments: Sequence[Instrument],
    options: ImportOptions,
    problems: Problems,
) -> pl.DataFrame:
    """Return bars with the time at which they close: what a bar says is known only then."""
    parts = []
    for bars in frame.partition_by("instrument", maintain_order=True):
        opens = bars["time_ns"]
        refuse_steps(bars, opens, "time", problems)
        again = "must be later than that of the bar before"
        problems.refuse(bars, opens == opens.shift(1), "time", again, readable(opens))
        name = instruments[bars["instrument"][0]].instrument_id
        ends = opens + _interval(name, bars, options)
        # A day at a change of the clocks is shorter, and no bar reaches into the next.
        closes = pl.min_horizontal(ends, opens.shift(-1))
        parts.append(bars.with_columns(closes.alias("transact_time_ns")))
    return pl.concat(parts)


def _interval(name: str, bars: pl.DataFrame, options: ImportOptions) -> int:
    if options.interval_ns is not None:
        return options.interval_ns
    if bars["dates_only"].all():
        return DAY_NS
    spacing = bars["time_ns"].diff().drop_nulls()
    spacing = spacing.filter(spacing > 0)
    if spacing.is_empty():
        raise DataError(f"{name}: one bar alone does not show its interval: give --interval")
    return int(spacing.mode().min())  # type: ignore[arg-type]


def _crossed(frame: pl.DataFrame) -> list[str]:
    crossed = rules.crossed(frame)
    counts = frame.filter(crossed).group_by("file", maintain_order=True).len()
    total = dict(frame.group_by("file").len().iter_rows())
    return [
        f"{file}: {count:,} of {total[file]:,} quotes are crossed (bid above ask)"
        for file, count in counts.iter_rows()
    ]


def _stamped(frame: pl.DataFrame, clocks: dict[int, Clock]) -> pl.DataFrame:
    by_receive = [index for index, chosen in clocks.items() if chosen == "receive"]
    transact = pl.when(pl.col("instrument").is_in(by_receive)).then("receive_time_ns")
    return frame.with_columns(
        transact_time_ns=transact.otherwise("time_ns"),
        receive_time_ns=pl.col("receive_time_ns").fill_null(0),
    )


def _clock_notes(
    ticks: dict[Kind, pl.DataFrame], instruments: Sequence[Instrument], clocks: dict[int, Clock]
) -> list[str]:
    """Say where recorded event times were given up for receive times."""
    notes = []
    for kind, frame in ticks.items():
        for rows in frame.partition_by("instrument", maintain_order=True):
            index = rows["instrument"][0]
            if clocks[index] == "receive" and rows["time_ns"].null_count() < rows.height:
                steps = (rows["time_ns"] < rows["time_ns"].shift(1)).sum()
                why = f"event times step back {steps:,} times" if steps else "to share one clock"
                notes.append(
                    f"{instruments[index].instrument_id}: {kind}s are timed by receive time: {why}"
                )
    return notes


def _ordered(kind: Kind, frame: pl.DataFrame) -> pl.DataFrame:
    columns = [pl.col(field).alias(name) for name, field in COLUMNS[kind].items()]
    rows = frame.select("instrument", *columns)
    return rows.sort("transact_time_ns", "instrument", maintain_order=True)
