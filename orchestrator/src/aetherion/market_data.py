"""Market data: rows travel in columns, a strategy sees them one by one as Bar, Quote or Trade.

Fields named `*_px` and `*_qty` are integers in units of 10^-price_scale and 10^-qty_scale of the
instrument: exact, fast, and enough for ratios. The properties beside them are `Decimal`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, IntFlag
from itertools import repeat
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from aetherion.instrument import Instrument
from aetherion.order import Side


class MarketDataKind(IntEnum):
    """What a row of market data is."""

    BAR = 1
    QUOTE = 2
    TRADE = 3
    BOOK_LEVEL = 4
    BOOK_ORDER = 5


class BookFlag(IntFlag):
    """Bits of a BookLevel's and BookOrder's `flags`; see market_data.proto."""

    SNAPSHOT = 1
    LAST_OF_EVENT = 2
    CLEAR = 4
    TRADED = 8


class ColumnId(IntEnum):
    """The columns of a batch; see market_data.proto for each."""

    KIND = 1
    INSTRUMENT = 2
    MD_SEQUENCE = 3
    TRANSACT_TIME_NS = 4
    RECEIVE_TIME_NS = 5
    OPEN_TIME_NS = 6
    OPEN_PX = 7
    HIGH_PX = 8
    LOW_PX = 9
    CLOSE_PX = 10
    VOLUME = 11
    BID_PX = 12
    BID_QTY = 13
    ASK_PX = 14
    ASK_QTY = 15
    TRADE_PX = 16
    TRADE_QTY = 17
    AGGRESSOR_SIDE = 18
    BOOK_SIDE = 19
    BOOK_PX = 20
    BOOK_QTY = 21
    BOOK_ORDER_ID = 22
    BOOK_FLAGS = 23


# Tuples, because they are immutable and 65,536 of them are made without a Python loop.


class Bar(NamedTuple):
    """Open, high, low, close and volume of an interval, known only once it has closed."""

    instrument: Instrument
    transact_time_ns: int  # its close
    md_sequence: int
    open_time_ns: int
    open_px: int
    high_px: int
    low_px: int
    close_px: int
    volume_qty: int

    @property
    def instrument_id(self) -> str:
        return self.instrument.instrument_id

    @property
    def open(self) -> Decimal:
        return self.instrument.price_of(self.open_px)

    @property
    def high(self) -> Decimal:
        return self.instrument.price_of(self.high_px)

    @property
    def low(self) -> Decimal:
        return self.instrument.price_of(self.low_px)

    @property
    def close(self) -> Decimal:
        return self.instrument.price_of(self.close_px)

    @property
    def volume(self) -> Decimal:
        return self.instrument.qty_of(self.volume_qty)

    @property
    def mark_px(self) -> int | None:
        """The reference price that this row gives."""
        return self.close_px


class Quote(NamedTuple):
    """Best bid and offer; an empty side has neither price nor quantity."""

    instrument: Instrument
    transact_time_ns: int
    md_sequence: int
    receive_time_ns: int
    bid_px: int | None
    bid_qty: int
    ask_px: int | None
    ask_qty: int

    @property
    def instrument_id(self) -> str:
        return self.instrument.instrument_id

    @property
    def bid(self) -> Decimal | None:
        return None if self.bid_px is None else self.instrument.price_of(self.bid_px)

    @property
    def ask(self) -> Decimal | None:
        return None if self.ask_px is None else self.instrument.price_of(self.ask_px)

    @property
    def bid_size(self) -> Decimal:
        return self.instrument.qty_of(self.bid_qty)

    @property
    def ask_size(self) -> Decimal:
        return self.instrument.qty_of(self.ask_qty)

    @property
    def mark_px(self) -> int | None:
        """The middle, rounded down, or the one side that is there; None when both are empty."""
        if self.bid_px is None or self.ask_px is None:
            return self.ask_px if self.bid_px is None else self.bid_px
        return (self.bid_px + self.ask_px) // 2


class Trade(NamedTuple):
    """One trade of the venue."""

    instrument: Instrument
    transact_time_ns: int
    md_sequence: int
    receive_time_ns: int
    trade_px: int
    trade_qty: int
    aggressor: int  # 1 bought, 2 sold, 0 when the source does not say

    @property
    def instrument_id(self) -> str:
        return self.instrument.instrument_id

    @property
    def price(self) -> Decimal:
        return self.instrument.price_of(self.trade_px)

    @property
    def size(self) -> Decimal:
        return self.instrument.qty_of(self.trade_qty)

    @property
    def aggressor_side(self) -> Side | None:
        return Side(self.aggressor) if self.aggressor else None

    @property
    def mark_px(self) -> int | None:
        """The reference price that this row gives."""
        return self.trade_px


class BookLevel(NamedTuple):
    """The quantity that stands at one price of the book from now on; 0 when none does."""

    instrument: Instrument
    transact_time_ns: int
    md_sequence: int
    receive_time_ns: int
    side: int  # 1 bid, 2 ask
    book_px: int
    book_qty: int
    flags: int  # bits of BookFlag

    @property
    def instrument_id(self) -> str:
        return self.instrument.instrument_id

    @property
    def mark_px(self) -> int | None:
        """None: a level alone is no reference price."""
        return None


class BookOrder(NamedTuple):
    """What one order of the book is from now on; quantity 0 when it is gone."""

    instrument: Instrument
    transact_time_ns: int
    md_sequence: int
    receive_time_ns: int
    order_id: int  # the venue's
    side: int  # 1 bid, 2 ask
    book_px: int
    book_qty: int
    flags: int  # bits of BookFlag

    @property
    def instrument_id(self) -> str:
        return self.instrument.instrument_id

    @property
    def mark_px(self) -> int | None:
        """None: an order alone is no reference price."""
        return None


Row = Bar | Quote | Trade | BookLevel | BookOrder


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows in time order as numpy columns, each of shape (row_count,).

    `columns` lacks those that apply to no row. `validity` has an entry only for columns with gaps.
    """

    row_count: int
    instrument_ids: tuple[str, ...]
    columns: Mapping[ColumnId, NDArray[Any]]
    validity: Mapping[ColumnId, NDArray[np.bool_]]

    def column(self, column_id: ColumnId) -> NDArray[Any]:
        """Return a column; zeros when the batch lacks it."""
        found = self.columns.get(column_id)
        return np.zeros(self.row_count, np.int64) if found is None else found


_FIELDS: dict[MarketDataKind, tuple[type[Row], tuple[ColumnId, ...]]] = {
    MarketDataKind.BAR: (
        Bar,
        (
            ColumnId.OPEN_TIME_NS,
            ColumnId.OPEN_PX,
            ColumnId.HIGH_PX,
            ColumnId.LOW_PX,
            ColumnId.CLOSE_PX,
            ColumnId.VOLUME,
        ),
    ),
    MarketDataKind.QUOTE: (
        Quote,
        (
            ColumnId.RECEIVE_TIME_NS,
            ColumnId.BID_PX,
            ColumnId.BID_QTY,
            ColumnId.ASK_PX,
            ColumnId.ASK_QTY,
        ),
    ),
    MarketDataKind.TRADE: (
        Trade,
        (
            ColumnId.RECEIVE_TIME_NS,
            ColumnId.TRADE_PX,
            ColumnId.TRADE_QTY,
            ColumnId.AGGRESSOR_SIDE,
        ),
    ),
    MarketDataKind.BOOK_LEVEL: (
        BookLevel,
        (
            ColumnId.RECEIVE_TIME_NS,
            ColumnId.BOOK_SIDE,
            ColumnId.BOOK_PX,
            ColumnId.BOOK_QTY,
            ColumnId.BOOK_FLAGS,
        ),
    ),
    MarketDataKind.BOOK_ORDER: (
        BookOrder,
        (
            ColumnId.RECEIVE_TIME_NS,
            ColumnId.BOOK_ORDER_ID,
            ColumnId.BOOK_SIDE,
            ColumnId.BOOK_PX,
            ColumnId.BOOK_QTY,
            ColumnId.BOOK_FLAGS,
        ),
    ),
}
_OPTIONAL = frozenset({ColumnId.BID_PX, ColumnId.ASK_PX})


def rows_of(batch: Batch, instruments: Mapping[str, Instrument]) -> Sequence[Row]:
    """Return the batch's rows as the tuples of their kinds, in order."""
    if not batch.row_count:
        return ()
    table = np.empty(len(batch.instrument_ids), object)
    table[:] = [instruments[i] for i in batch.instrument_ids]
    kinds = batch.column(ColumnId.KIND)
    if (kinds == kinds[0]).all():
        return list(_rows_of_kind(batch, MarketDataKind(kinds[0]), table, slice(None)))
    present = {int(k): MarketDataKind(k) for k in np.unique(kinds)}
    streams = {k: _rows_of_kind(batch, kind, table, kinds == k) for k, kind in present.items()}
    return [next(streams[k]) for k in kinds.tolist()]


def _rows_of_kind(
    batch: Batch, kind: MarketDataKind, table: NDArray[Any], where: NDArray[np.bool_] | slice
) -> Iterator[Row]:
    row_type, fields = _FIELDS[kind]
    columns: list[list[Any]] = [
        table[batch.column(ColumnId.INSTRUMENT)[where]].tolist(),
        batch.column(ColumnId.TRANSACT_TIME_NS)[where].tolist(),
        batch.column(ColumnId.MD_SEQUENCE)[where].tolist(),
    ]
    columns += [_values(batch, column_id, where) for column_id in fields]
    return cast(Iterator[Row], map(tuple.__new__, repeat(row_type), zip(*columns, strict=True)))


def _values(batch: Batch, column_id: ColumnId, where: NDArray[np.bool_] | slice) -> list[Any]:
    values: list[Any] = batch.column(column_id)[where].tolist()
    valid = batch.validity.get(column_id) if column_id in _OPTIONAL else None
    if valid is None:
        return values
    return [v if ok else None for v, ok in zip(values, valid[where].tolist(), strict=True)]
