"""The book of an instrument as a strategy sees it: its best levels after each event."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from aetherion.instrument import Instrument
from aetherion.market_data import BookFlag, BookLevel
from aetherion.order import Side

# So many levels of a side are shown: what most venues publish, and cheap to take at each event.
SHOWN_LEVELS = 10

# Plain integers: `&` of an IntFlag takes longer than all else that a level needs.
_CLEAR, _LAST = int(BookFlag.CLEAR), int(BookFlag.LAST_OF_EVENT)


class Level(NamedTuple):
    """What stands at one price."""

    instrument: Instrument
    level_px: int
    level_qty: int

    @property
    def price(self) -> Decimal:
        return self.instrument.price_of(self.level_px)

    @property
    def size(self) -> Decimal:
        return self.instrument.qty_of(self.level_qty)


@dataclass(frozen=True, slots=True)
class Book:
    """The best `SHOWN_LEVELS` of each side, the best first. It does not change any more."""

    instrument: Instrument
    transact_time_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]

    @property
    def instrument_id(self) -> str:
        return self.instrument.instrument_id

    @property
    def bid(self) -> Level | None:
        """The best bid; None without any."""
        return self.bids[0] if self.bids else None

    @property
    def ask(self) -> Level | None:
        """The best offer; None without any."""
        return self.asks[0] if self.asks else None


class LevelBook:
    """All levels of one instrument, changed row by row."""

    def __init__(self) -> None:
        self._bids = _LevelSide(sign=-1)
        self._asks = _LevelSide(sign=1)

    def take(self, row: BookLevel) -> Book | None:
        """Change a level; return the book if it is whole now.

        A level that grows removes those of the other side that it crosses, as the venue's book of
        the simulation does: their removal was missed, or comes next.
        """
        if row.flags & _CLEAR:
            self._bids.clear()
            self._asks.clear()
        own, other = self._bids, self._asks
        if row.side == Side.SELL:
            own, other = other, own
        if own.set(row.book_px, row.book_qty):
            other.drop_crossed(row.book_px)
        if not row.flags & _LAST:
            return None
        best = (side.best(row.instrument) for side in (self._bids, self._asks))
        return Book(row.instrument, row.transact_time_ns, *best)


class _LevelSide:
    """The levels of a side by `sign * price`, so that the best is the first."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []  # ascending
        self._qty: dict[int, int] = {}

    def clear(self) -> None:
        self._keys.clear()
        self._qty.clear()

    def set(self, px: int, qty: int) -> bool:
        """Take what stands at a price; return whether that is more than before."""
        key = self._sign * px
        before = self._qty.get(key, 0)
        if qty:
            if not before:
                self._keys.insert(bisect_left(self._keys, key), key)
            self._qty[key] = qty
        elif before:
            del self._qty[key]
            del self._keys[bisect_left(self._keys, key)]
        return qty > before

    def drop_crossed(self, px: int) -> None:
        """Remove the levels that an order of the other side at `px` would trade with."""
        count = bisect_left(self._keys, self._sign * px + 1)
        for key in self._keys[:count]:
            del self._qty[key]
        del self._keys[:count]

    def best(self, instrument: Instrument) -> tuple[Level, ...]:
        shown = islice(self._keys, SHOWN_LEVELS)
        return tuple(Level(instrument, self._sign * key, self._qty[key]) for key in shown)
