"""What a strategy has asked for and what has become of it: names, orders, commands."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import TypedDict

from aetherion.errors import AetherionError
from aetherion.exact import GridError, Number
from aetherion.instrument import Instrument
from aetherion.order import (
    CancelOrder,
    CommandAck,
    ContingencyType,
    ExecInst,
    ExecType,
    ExecutionReport,
    MassCancelOrders,
    NewOrder,
    NewOrderList,
    Order,
    OrderCommand,
    OrdStatus,
    ReplaceOrder,
    SelfTradePrevention,
    Side,
    TimeInForce,
)
from aetherion.order_list import bracket


class OrderOptions(TypedDict, total=False):
    """What an order may have besides quantity, price and time in force."""

    stop_px: Number  # trigger: without a price a stop, with one a stop-limit
    trailing_amount: Number  # a trailing stop, so far behind the best price
    trailing_bps: int  # likewise, in basis points of it
    display_qty: Number  # iceberg
    expire_time_ns: int  # of GTD
    post_only: bool
    reduce_only: bool
    cancel_on_disconnect: bool
    self_trade_prevention: SelfTradePrevention


_INSTRUCTIONS = {
    "post_only": ExecInst.POST_ONLY,
    "reduce_only": ExecInst.REDUCE_ONLY,
    "cancel_on_disconnect": ExecInst.CANCEL_ON_DISCONNECT,
}


class OrderDesk:
    """Takes what one strategy wants, exact and named, and follows its orders."""

    def __init__(
        self, strategy_id: str, account: str, instruments: Mapping[str, Instrument]
    ) -> None:
        self._strategy_id = strategy_id
        self._account = account
        self._instruments = instruments
        self._orders: dict[str, Order] = {}
        self._ids_used = 0
        self.commands: list[OrderCommand] = []  # given and not yet taken
        self.orders: Mapping[str, Order] = MappingProxyType(self._orders)
        self.closed = False

    # What a strategy wants

    def new_order(
        self,
        instrument_id: str,
        side: Side,
        qty: Number,
        price: Number | None,
        time_in_force: TimeInForce,
        options: OrderOptions,
    ) -> NewOrder:
        """Return an order with its name, not sent yet.

        Raises:
            GridError: a number is off the instrument's grid; nearest values are named.
        """
        i = self._instrument(instrument_id)
        quantity = i.qty_of(i.qty(qty))
        if quantity <= 0:
            raise GridError(f"{instrument_id} qty: must be positive, got {qty}")
        unknown = options.keys() - OrderOptions.__annotations__.keys()
        if unknown:
            known = ", ".join(OrderOptions.__annotations__)
            raise AetherionError(f"{min(unknown)}: no such option of an order; there is {known}")

        def price_of(value: Number | None, field: str) -> Decimal | None:
            return None if value is None else i.price_of(i.px(value, field))

        shown = options.get("display_qty")
        return NewOrder(
            cl_ord_id=self._next_id(),
            account=self._account,
            instrument_id=instrument_id,
            side=side,
            order_qty=quantity,
            price=price_of(price, "price"),
            time_in_force=time_in_force,
            strategy_id=self._strategy_id,
            stop_px=price_of(options.get("stop_px"), "stop_px"),
            trailing_amount=price_of(options.get("trailing_amount"), "trailing_amount"),
            trailing_bps=options.get("trailing_bps", 0),
            display_qty=None if shown is None else i.qty_of(i.qty(shown, "display_qty")),
            expire_time_ns=options.get("expire_time_ns", 0),
            exec_insts={inst for name, inst in _INSTRUCTIONS.items() if options.get(name)},
            self_trade_prevention=options.get(
                "self_trade_prevention", SelfTradePrevention.UNSPECIFIED
            ),
        )

    def submit(self, order: NewOrder) -> str:
        """Send an order; return its cl_ord_id."""
        self._orders[order.cl_ord_id] = Order(order)
        self.commands.append(order)
        return order.cl_ord_id

    def bracket(self, entry: NewOrder, take_profit: Number | None, stop_loss: Number | None) -> str:
        """Send an entry with its exits; return the list's name.

        Raises:
            GridError: an exit's price is off the instrument's grid.
        """
        i = self._instrument(entry.instrument_id)
        for field, value in (("take_profit", take_profit), ("stop_loss", stop_loss)):
            if value is not None:
                i.px(value, field)
        made = bracket("", entry, take_profit=take_profit, stop_loss=stop_loss)
        return self.submit_list(made.contingency_type, made.orders)

    def submit_list(self, contingency_type: ContingencyType, orders: tuple[NewOrder, ...]) -> str:
        """Send orders that depend on each other; return the list's name."""
        listed = NewOrderList(self._next_id(), self._account, contingency_type, orders)
        self._orders.update((order.cl_ord_id, Order(order)) for order in orders)
        self.commands.append(listed)
        return listed.list_id

    def replace(
        self,
        cl_ord_id: str,
        qty: Number | None,
        price: Number | None,
        stop_px: Number | None,
    ) -> str:
        """Ask for a change of an open order; return its name once it is changed."""
        order = self._orders.get(cl_ord_id)
        if order is None:
            raise AetherionError(f"replace: no open order {cl_ord_id!r}")
        asked = order.new_order
        i = self._instrument(asked.instrument_id)
        # A trigger that has fired can change no more; that of a trailing stop only if asked for.
        waits = order.ord_status is OrdStatus.SUSPENDED
        stop = asked.stop_px if stop_px is None and waits else stop_px
        limit = asked.price if price is None else price
        change = ReplaceOrder(
            cl_ord_id=self._next_id(),
            orig_cl_ord_id=cl_ord_id,
            account=self._account,
            instrument_id=asked.instrument_id,
            order_qty=asked.order_qty if qty is None else i.qty_of(i.qty(qty)),
            price=None if limit is None else i.price_of(i.px(limit)),
            stop_px=None if stop is None else i.price_of(i.px(stop, "stop_px")),
        )
        self.commands.append(change)
        return change.cl_ord_id

    def cancel(self, cl_ord_id: str) -> None:
        """Ask that an order no longer work."""
        if not isinstance(cl_ord_id, str) or not cl_ord_id:
            raise AetherionError(f"cancel: must name an order by cl_ord_id, got {cl_ord_id!r}")
        self.commands.append(CancelOrder(self._next_id(), cl_ord_id, self._account))

    def cancel_all(self, instrument_id: str = "", side: Side = Side.UNSPECIFIED) -> None:
        """Ask that none of the strategy's orders that match work any more."""
        if instrument_id:
            self._instrument(instrument_id)
        self.commands.append(
            MassCancelOrders(self._next_id(), self._account, self._strategy_id, instrument_id, side)
        )

    # What has become of it

    def follow(self, report: ExecutionReport) -> None:
        """Take a report: a replaced order has a new name, a closed one is gone."""
        # A report of a cancel or a replace has that command's name, and the order's beside it.
        name = report.cl_ord_id if report.cl_ord_id in self._orders else report.orig_cl_ord_id
        order = self._orders.get(name)
        if order is None:
            return
        asked = order.new_order
        if report.exec_type is ExecType.REPLACED:
            del self._orders[name]
            name = report.cl_ord_id
            asked = replace(
                asked,
                cl_ord_id=name,
                order_qty=report.order_qty,
                price=report.price,
                stop_px=None if asked.stop_px is None else report.stop_px or asked.stop_px,
            )
        if report.ord_status.is_open:
            self._orders[name] = Order(asked, report)
        else:
            self._orders.pop(name, None)

    def refused(self, ack: CommandAck) -> None:
        """Forget what was refused."""
        for refused in (ack, *ack.list_acks):
            if refused.exec_type is ExecType.REJECTED:
                self._orders.pop(refused.cl_ord_id, None)

    def _next_id(self) -> str:
        if self.closed:
            raise AetherionError("on_stop: the run is over, no commands any more")
        self._ids_used += 1
        return f"{self._strategy_id[:40]}-{self._ids_used}"

    def _instrument(self, instrument_id: str) -> Instrument:
        found = self._instruments.get(instrument_id)
        if found is None:
            near = difflib.get_close_matches(instrument_id, self._instruments, n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise AetherionError(f"instrument_id: unknown instrument {instrument_id!r}{hint}")
        return found
