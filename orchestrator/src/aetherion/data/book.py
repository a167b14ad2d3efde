"""Levels and orders of a book: from where on it is known, and which rows belong together."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from aetherion.data.problems import DataError
from aetherion.instrument import Instrument
from aetherion.v1 import market_data_pb2

_SNAPSHOT = market_data_pb2.BOOK_FLAG_SNAPSHOT
_LAST = market_data_pb2.BOOK_FLAG_LAST_OF_EVENT
_CLEAR = market_data_pb2.BOOK_FLAG_CLEAR
_TRADED = market_data_pb2.BOOK_FLAG_TRADED
# What a row of orders does, as `action` has it.
ADD, MODIFY, DELETE = 1, 2, 3


def known(frame: pl.DataFrame, instruments: Sequence[Instrument]) -> tuple[pl.DataFrame, list[str]]:
    """Return the levels from each instrument's first snapshot on, with `flags`, and notes.

    Rows of one `update` (or without any, of one time) are one event. Those older than the snapshot
    before them are in it already, and are left out.

    Args:
        frame: `instrument`, `snapshot`, `update` and the times, in the order of the files.

    Raises:
        DataError: an instrument has no snapshot.
    """
    parts, notes = [], []
    for rows in frame.partition_by("instrument", maintain_order=True):
        name = instruments[rows["instrument"][0]].instrument_id
        if not rows["snapshot"].any():
            raise DataError(
                f"{name}: levels must begin with a snapshot, got none: import the file before too"
            )
        kept = _flagged(rows)
        if dropped := rows.height - kept.height:
            notes.append(f"{name}: {dropped:,} levels older than the snapshot were left out")
        parts.append(kept)
    return pl.concat(parts), notes


def _flagged(rows: pl.DataFrame) -> pl.DataFrame:
    event = pl.coalesce("update", "time_ns", "receive_time_ns")
    changed = (pl.col("event") != pl.col("event").shift(1)).fill_null(True)
    starts = pl.col("snapshot") & (changed | ~pl.col("snapshot").shift(1))
    since = pl.when("clear").then("event").forward_fill()
    rows = rows.with_columns(event=event).with_columns(clear=starts).with_columns(since=since)
    rows = rows.filter(pl.col("event") >= pl.col("since"))
    ends = pl.col("event") != pl.col("event").shift(-1)
    ends |= pl.col("snapshot") != pl.col("snapshot").shift(-1)
    flags = (
        pl.col("snapshot").cast(pl.Int32) * _SNAPSHOT
        + ends.fill_null(True).cast(pl.Int32) * _LAST
        + pl.col("clear").cast(pl.Int32) * _CLEAR
    )
    return rows.with_columns(flags=flags)


def since_added(
    frame: pl.DataFrame, instruments: Sequence[Instrument]
) -> tuple[pl.DataFrame, list[str]]:
    """Return the orders that the files saw added, with `flags`, and notes.

    What became less traded: an order that is deleted with nothing left, or modified. One that is
    deleted with something left was canceled. `size` is what stands from then on.

    Args:
        frame: `instrument`, `order_id`, `action` and `size`, in the order of the files.

    Raises:
        DataError: none was added.
    """
    added = (pl.col("action") == ADD).cum_max().over("instrument", "order_id")
    kept = frame.filter(added)
    if kept.is_empty():
        raise DataError("orders must begin with one that is added, got none")
    unknown = frame.filter(~added).group_by("instrument", maintain_order=True).len()
    deleted = pl.col("action") == DELETE
    traded = (pl.col("action") == MODIFY) | (deleted & (pl.col("size") == 0))
    kept = kept.with_columns(
        flags=traded.cast(pl.Int32) * _TRADED + _LAST,
        size=pl.when(deleted).then(0).otherwise("size"),
    )
    return kept, [
        f"{instruments[index].instrument_id}: {count:,} changes of orders that stood before the "
        "file were left out"
        for index, count in unknown.iter_rows()
    ]
