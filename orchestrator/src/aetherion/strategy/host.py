"""Runs one strategy: events in, commands out. No I/O, so any driver can stand behind it."""

from __future__ import annotations

import difflib
import inspect
import traceback
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from types import MappingProxyType, TracebackType
from typing import Any

from aetherion.account import AccountState
from aetherion.errors import AetherionError
from aetherion.exact import GridError, Number
from aetherion.instrument import Instrument
from aetherion.market_data import Bar, BookLevel, BookOrder, Quote, Row, Trade
from aetherion.order import (
    CancelOrder,
    CommandAck,
    ExecType,
    ExecutionReport,
    NewOrder,
    Order,
    OrderCommand,
    Side,
    TimeInForce,
)
from aetherion.strategy.base import Clock, Strategy
from aetherion.strategy.book import LevelBook
from aetherion.strategy.portfolio import Portfolio


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
        self._account = account
        self._orders: dict[str, Order] = {}
        self._last_rows: dict[str, Row] = {}  # of those with a price
        self._commands: list[OrderCommand] = []
        self._ids_used = 0
        self._stopped = False
        self.orders: Mapping[str, Order] = MappingProxyType(self._orders)
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
            self._commands,
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
        self._follow(report)
        if report.exec_type is ExecType.TRADE:
            self.portfolio.apply(report)
        with _Blame(self):
            self.strategy.on_order(report)
            if report.exec_type is ExecType.TRADE:
                self.strategy.on_fill(report)

    def ack(self, ack: CommandAck) -> None:
        """A command has its outcome."""
        if ack.exec_type is ExecType.REJECTED:
            self._orders.pop(ack.cl_ord_id, None)

    def day_end(self, account: AccountState) -> None:
        """A UTC day is over."""
        with _Blame(self):
            self.strategy.on_day_end(account)

    def stop(self) -> None:
        """After the last event."""
        self._stopped = True
        with _Blame(self):
            self.strategy.on_stop()

    # Commands out

    @property
    def has_commands(self) -> bool:
        """Whether commands were given since they were last taken."""
        return bool(self._commands)

    def take_commands(self) -> list[OrderCommand]:
        """Return the commands given since the last call."""
        taken = self._commands.copy()
        self._commands.clear()  # the list itself is watched by the loop in `rows`
        return taken

    def submit(
        self,
        instrument_id: str,
        side: Side,
        qty: Number,
        price: Number | None,
        time_in_force: TimeInForce,
    ) -> str:
        """Take a new order from the strategy."""
        instrument = self._instrument(instrument_id)
        quantity = instrument.qty_of(instrument.qty(qty))
        if quantity <= 0:
            raise GridError(f"{instrument_id} qty: must be positive, got {qty}")
        order = NewOrder(
            cl_ord_id=self._next_id(),
            account=self._account,
            instrument_id=instrument_id,
            side=side,
            order_qty=quantity,
            price=None if price is None else instrument.price_of(instrument.px(price)),
            time_in_force=time_in_force,
            strategy_id=type(self.strategy).__name__,
        )
        self._orders[order.cl_ord_id] = Order(order)
        self._commands.append(order)
        return order.cl_ord_id

    def cancel(self, cl_ord_id: str) -> None:
        """Take a cancel from the strategy."""
        if not isinstance(cl_ord_id, str) or not cl_ord_id:
            raise AetherionError(f"cancel: must name an order by cl_ord_id, got {cl_ord_id!r}")
        self._commands.append(CancelOrder(self._next_id(), cl_ord_id, self._account))

    def _next_id(self) -> str:
        if self._stopped:
            raise AetherionError("on_stop: the run is over, no commands any more")
        self._ids_used += 1
        return f"{type(self.strategy).__name__[:40]}-{self._ids_used}"

    def _instrument(self, instrument_id: str) -> Instrument:
        found = self.instruments.get(instrument_id)
        if found is None:
            near = difflib.get_close_matches(instrument_id, self.instruments, n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise AetherionError(f"instrument_id: unknown instrument {instrument_id!r}{hint}")
        return found

    def _follow(self, report: ExecutionReport) -> None:
        order = self._orders.get(report.cl_ord_id)
        if order is None:
            return
        if report.ord_status.is_open:
            self._orders[report.cl_ord_id] = Order(order.new_order, report)
        else:
            del self._orders[report.cl_ord_id]


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
