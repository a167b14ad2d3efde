"""Runs one strategy: events in, commands out. No I/O, so any driver can stand behind it."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from types import MappingProxyType, TracebackType
from typing import Any

from aetherion.account import AccountState
from aetherion.errors import AetherionError
from aetherion.instrument import Instrument
from aetherion.market_data import Bar, BookLevel, BookOrder, Quote, Row, Trade
from aetherion.order import CommandAck, ExecType, ExecutionReport, OrderCommand
from aetherion.strategy.base import Clock, Strategy
from aetherion.strategy.book import LevelBook
from aetherion.strategy.desk import OrderDesk
from aetherion.strategy.portfolio import Portfolio

_TRADES = (ExecType.TRADE, ExecType.TRADE_CANCEL, ExecType.TRADE_CORRECT)


class StrategyError(AetherionError):
    """The strategy raised: where, and what."""


class Host:
    """One strategy with its view of the world.

    Each method hands it events; `take_commands` returns what it asked for meanwhile. An exception
    of the strategy leaves as `StrategyError`.
    """

    def __init__(
        self,
        strategy: Strategy,
        instruments: Sequence[Instrument],
        account: str,
        currency: str,
        cash: Decimal,
    ) -> None:
        self.strategy = strategy
        self.clock = Clock()
        self.instruments: Mapping[str, Instrument] = MappingProxyType(
            {i.instrument_id: i for i in instruments}
        )
        self.desk = OrderDesk(type(strategy).__name__, account, self.instruments)
        self._last_rows: dict[str, Row] = {}  # of those with a price
        self.last_rows: Mapping[str, Row] = MappingProxyType(self._last_rows)
        self.portfolio = Portfolio(currency, cash, self.instruments, self._last_rows)
        self._on_row = {
            Bar: strategy.on_bar,
            Quote: strategy.on_quote,
            Trade: strategy.on_trade,
            BookLevel: None,  # a part of a book: see `_level`
            BookOrder: None,  # for the venue, which fills by it
        }
        self._sees_books = type(strategy).on_book is not Strategy.on_book
        self._books: dict[str, LevelBook] = {}
        strategy._host = self

    # Events in

    def start(self) -> None:
        """Before the first row."""
        with _Blame(self):
            self.strategy.on_start()

    def rows(self, rows: Sequence[Row], begin: int, end: int) -> int:
        """Hand over rows[begin:end] until commands are given; return the index after the last."""
        clock, last_rows, on_row, commands = (
            self.clock,
            self._last_rows,
            self._on_row,
            self.desk.commands,
        )
        index = begin
        with _Blame(self):
            for row in islice(rows, begin, end):
                index += 1
                clock._row = row
                handler = on_row[type(row)]
                if handler is None:
                    if not self._sees_books or type(row) is not BookLevel:
                        continue
                    self._level(row)
                else:
                    # A quote with both sides empty is no price; the last one stays. Of a bar and a
                    # trade, field 4 is a price always.
                    if row[4] is not None or row[6] is not None:
                        last_rows[row[0].instrument_id] = row
                    handler(row)  # type: ignore[arg-type]  # the handler of this very type
                if commands:
                    break
        return index

    def _level(self, row: BookLevel) -> None:
        book = self._books.setdefault(row.instrument_id, LevelBook()).take(row)
        if book is not None:
            self.strategy.on_book(book)

    def report(self, report: ExecutionReport) -> None:
        """Something happened to an order."""
        self.clock._report_ns = report.transact_time_ns
        self.desk.follow(report)
        if report.exec_type in _TRADES:
            self.portfolio.apply(report)
        with _Blame(self):
            self.strategy.on_order(report)
            if report.exec_type is ExecType.TRADE:
                self.strategy.on_fill(report)

    def ack(self, ack: CommandAck) -> None:
        """A command has its outcome."""
        self.desk.refused(ack)

    def day_end(self, account: AccountState) -> None:
        """A UTC day is over."""
        with _Blame(self):
            self.strategy.on_day_end(account)

    def stop(self) -> None:
        """After the last event."""
        self.desk.closed = True
        with _Blame(self):
            self.strategy.on_stop()

    # Commands out

    @property
    def has_commands(self) -> bool:
        """Whether commands were given since they were last taken."""
        return bool(self.desk.commands)

    def take_commands(self) -> list[OrderCommand]:
        """Return the commands given since the last call."""
        taken = self.desk.commands.copy()
        self.desk.commands.clear()  # the list itself is watched by the loop in `rows`
        return taken


class _Blame:
    """Turns what a strategy raises into a StrategyError that names the strategy's own line."""

    __slots__ = ("_host",)

    def __init__(self, host: Host) -> None:
        self._host = host

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            now = self._host.clock.now.isoformat() if self._host.clock.now_ns else "the start"
            where = own_line(type(self._host.strategy), trace)
            raise StrategyError(f"{where}: {kind_of(error)}{error} (at {now})") from error


def kind_of(error: BaseException) -> str:
    """Return the name of an exception and a colon, nothing for our own: their text is enough."""
    return "" if isinstance(error, AetherionError) else f"{type(error).__name__}: "


def own_line(owner: Any, trace: TracebackType | None) -> str:
    """Return "file:line in function" of the innermost frame in the file that defines `owner`."""
    try:
        source = inspect.getsourcefile(owner)
    except TypeError:  # defined in an interactive session
        source = None
    frames = traceback.extract_tb(trace)
    own = [f for f in frames if f.filename == source] or frames
    return f"{own[-1].filename}:{own[-1].lineno} in {own[-1].name}"
