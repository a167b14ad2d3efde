"""The class that a strategy derives from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Unpack

from aetherion.account import AccountState
from aetherion.errors import AetherionError
from aetherion.exact import Number
from aetherion.instrument import Instrument
from aetherion.market_data import Bar, Quote, Row, Trade
from aetherion.order import (
    ContingencyType,
    ExecutionReport,
    NewOrder,
    Order,
    Side,
    TimeInForce,
)
from aetherion.strategy.book import Book
from aetherion.strategy.desk import OrderOptions
from aetherion.strategy.parameters import check_parameters
from aetherion.strategy.portfolio import Portfolio

if TYPE_CHECKING:
    from aetherion.strategy.host import Host

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """The strategy's time: that of the event it is handed, never the machine's."""

    __slots__ = ("_report_ns", "_row")

    def __init__(self) -> None:
        self._row: Row | None = None  # the newest
        self._report_ns = 0

    @property
    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch, UTC; 0 before the first event."""
        return self._report_ns if self._row is None else max(self._row[1], self._report_ns)

    @property
    def now(self) -> datetime:
        """The same as a datetime in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.now_ns // 1000)

    @property
    def today(self) -> date:
        """UTC day of the newest row; a bar that closes at midnight belongs to the day before."""
        ends_day = isinstance(self._row, Bar)
        row_ns = 0 if self._row is None else self._row[1] - ends_day
        return (_EPOCH + timedelta(microseconds=row_ns // 1000)).date()


class Strategy:
    """A strategy is handed events in time order and gives commands; it does no I/O.

    Annotated class attributes are its parameters::

        class BuyTheDip(Strategy):
            drop: float = 0.03

            def on_bar(self, bar: Bar) -> None:
                if bar.close_px / bar.open_px - 1 < -self.drop:
                    self.buy(bar.instrument_id, 10)

    and are set when it is made: `BuyTheDip(drop=0.05)`, or `--param drop=0.05`.
    """

    def __init__(self, **parameters: Any) -> None:
        self._host: Host | None = None  # while it runs
        self.parameters = check_parameters(type(self), parameters)
        for name, value in self.parameters.items():
            setattr(self, name, value)

    # Handlers, to be overridden. Nothing in an event is from the future.

    def on_start(self) -> None:
        """Before the first row."""

    def on_bar(self, bar: Bar) -> None:
        """A bar has closed."""

    def on_quote(self, quote: Quote) -> None:
        """Best bid and offer changed."""

    def on_trade(self, trade: Trade) -> None:
        """The venue traded."""

    def on_book(self, book: Book) -> None:
        """The levels of a book changed, and are whole again; only where the data has levels."""

    def on_order(self, report: ExecutionReport) -> None:
        """Something happened to one of our orders: accepted, filled, canceled, refused, ..."""

    def on_fill(self, report: ExecutionReport) -> None:
        """One of our orders was filled, in part or whole; after `on_order`."""

    def on_day_end(self, account: AccountState) -> None:
        """A UTC day is over; all of its rows have been seen."""

    def on_stop(self) -> None:
        """After the last event; too late for commands."""

    # Verbs

    def buy(
        self,
        instrument_id: str,
        qty: Number,
        price: Number | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        **options: Unpack[OrderOptions],
    ) -> str:
        """Buy at `price` or better, at the market without one; return the order's cl_ord_id.

        `stop_px` makes it a stop, `trailing_amount` or `trailing_bps` a trailing stop; see
        `OrderOptions` for the rest.

        Raises:
            GridError: price or quantity is off the instrument's grid; nearest values are named.
        """
        return self.submit(instrument_id, Side.BUY, qty, price, time_in_force, **options)

    def sell(
        self,
        instrument_id: str,
        qty: Number,
        price: Number | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        **options: Unpack[OrderOptions],
    ) -> str:
        """Sell, likewise."""
        return self.submit(instrument_id, Side.SELL, qty, price, time_in_force, **options)

    def submit(
        self,
        instrument_id: str,
        side: Side,
        qty: Number,
        price: Number | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        **options: Unpack[OrderOptions],
    ) -> str:
        """Submit an order and return its cl_ord_id."""
        desk = self._running().desk
        return desk.submit(desk.new_order(instrument_id, side, qty, price, time_in_force, options))

    def order(
        self,
        instrument_id: str,
        side: Side,
        qty: Number,
        price: Number | None = None,
        time_in_force: TimeInForce = TimeInForce.GTC,
        **options: Unpack[OrderOptions],
    ) -> NewOrder:
        """Return an order for `submit_list`, which sends it."""
        desk = self._running().desk
        return desk.new_order(instrument_id, side, qty, price, time_in_force, options)

    def submit_list(self, contingency_type: ContingencyType, *orders: NewOrder) -> str:
        """Submit orders that depend on each other, all or none; return the list's list_id."""
        return self._running().desk.submit_list(contingency_type, orders)

    def bracket(
        self,
        entry: NewOrder,
        *,
        take_profit: Number | None = None,
        stop_loss: Number | None = None,
    ) -> str:
        """Submit an entry whose fills a limit order and a stop end; return the list's list_id."""
        return self._running().desk.bracket(entry, take_profit, stop_loss)

    def replace(
        self,
        cl_ord_id: str,
        qty: Number | None = None,
        price: Number | None = None,
        stop_px: Number | None = None,
    ) -> str:
        """Ask that an open order change; what is not given stays.

        Returns:
            The order's cl_ord_id once it is changed. `qty` is the new total, fills included.
        """
        return self._running().desk.replace(cl_ord_id, qty, price, stop_px)

    def cancel(self, cl_ord_id: str) -> None:
        """Ask that an order no longer work; it may fill before the cancel arrives."""
        self._running().desk.cancel(cl_ord_id)

    def cancel_all(self, instrument_id: str = "", side: Side = Side.UNSPECIFIED) -> None:
        """Ask that none of our orders work any more, of one instrument or side if named."""
        self._running().desk.cancel_all(instrument_id, side)

    def close_position(self, instrument_id: str) -> str | None:
        """Cancel our orders in an instrument and trade its position away at the market.

        Returns:
            The cl_ord_id of the order that does; None when nothing is held.
        """
        self.cancel_all(instrument_id)
        held = self.portfolio.position(instrument_id)
        if not held:
            return None
        side = Side.SELL if held > 0 else Side.BUY
        return self.submit(instrument_id, side, abs(held), reduce_only=True)

    # What it can look at

    @property
    def portfolio(self) -> Portfolio:
        """Positions, cash and equity."""
        return self._running().portfolio

    @property
    def orders(self) -> Mapping[str, Order]:
        """Open orders by cl_ord_id, oldest first."""
        return self._running().desk.orders

    @property
    def clock(self) -> Clock:
        """The time of the event being handled."""
        return self._running().clock

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All instruments of the run by id."""
        return self._running().instruments

    def _running(self) -> Host:
        if self._host is None:
            raise AetherionError(f"{type(self).__name__}: only while it runs, from on_start on")
        return self._host
