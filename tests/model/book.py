"""What open orders reserve, and what a position may become at worst."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aetherion.v1 import order_pb2
from aetherion.v1.order_pb2 import (
    CONTINGENCY_TYPE_BRACKET,
    CONTINGENCY_TYPE_OCO,
    CONTINGENCY_TYPE_OUO,
    ORD_TYPE_LIMIT,
    ORD_TYPE_MARKET,
    ORD_TYPE_STOP_LIMIT,
    SIDE_BUY,
)
from model.orders import Order

Place = tuple[int, str, str, int]  # list, strategy, instrument, side


@dataclass(frozen=True)
class Held:
    """What one open order keeps reserved."""

    order_id: int
    asked: order_pb2.NewOrder
    qty: int
    limit_px: int | None
    kind: int
    waits: bool  # for its trigger
    list_id: int  # of its first order; its own, when it has no list
    place: Place  # orders of the same place do not simply add up
    shares: bool  # whether there may be others at its place


def held_for(
    order_id: int,
    asked: order_pb2.NewOrder,
    qty: int,
    limit_px: int | None,
    kind: int,
    list_id: int,
    *,
    triggered: bool = False,
) -> Held:
    """Return what an order of a quantity reserves."""
    shares = kind in (CONTINGENCY_TYPE_OCO, CONTINGENCY_TYPE_OUO) or (
        kind == CONTINGENCY_TYPE_BRACKET and order_id != list_id
    )
    side = int(asked.side)
    place = (list_id if shares else order_id, asked.strategy_id, asked.instrument_id, side)
    waits = asked.ord_type not in (ORD_TYPE_MARKET, ORD_TYPE_LIMIT) and not triggered
    return Held(order_id, asked, qty, limit_px, kind, waits, list_id, place, shares)


def held_of(order: Order) -> Held:
    """Return what an open order reserves: while it is being replaced, the larger of both."""
    qty, limit_px = order.qty - order.cum, None
    triggered = order.asked.ord_type == ORD_TYPE_STOP_LIMIT and order.triggered
    if triggered or order.asked.ord_type == ORD_TYPE_LIMIT:
        limit_px = order.price
    if order.change is not None and order.change.name is not None:
        qty = max(qty, order.change.qty - order.cum)
        limit_px = worse(order.asked.side, limit_px, order.change.price)
    first = order.orders[0].order_id
    return held_for(
        order.order_id, order.asked, qty, limit_px, order.kind, first, triggered=order.triggered
    )


def worse(side: int, one: int | None, other: int | None) -> int | None:
    """The limit price at which more may trade."""
    if one is None or other is None:
        return one
    return max(one, other) if side == SIDE_BUY else min(one, other)


@dataclass
class Sums:
    """One position and its orders, in quantities."""

    net: int = 0
    buys: int = 0
    sells: int = 0
    open: int = 0

    def worst(self, side: int) -> int:
        """How far the position gets when all orders of a side fill; a short counts positive."""
        return self.net + self.buys if side == SIDE_BUY else self.sells - self.net


class Book:
    """All open orders, and the positions of each strategy."""

    def __init__(self) -> None:
        self.orders: dict[int, Held] = {}
        self.parts: dict[tuple[str, str, str], int] = {}  # by account, strategy, instrument
        self.budgets: dict[Place, int] = {}
        self._at: dict[tuple[str, str], dict[int, Held]] = {}  # by account and instrument

    def update(self, order: Order) -> None:
        """Take an order as it is now."""
        held = held_of(order)
        at = self._at.setdefault((held.asked.account, held.asked.instrument_id), {})
        if order.open:
            self.orders[order.order_id] = at[order.order_id] = held
        else:
            self.orders.pop(order.order_id, None)
            at.pop(order.order_id, None)

    def of(self, account: str, name: str) -> Iterable[Held]:
        """The open orders in an instrument."""
        return self._at.get((account, name), {}).values()

    def sums(
        self,
        account: str,
        name: str,
        strategy: str | None,
        without: int = 0,
        plus: Iterable[Held] = (),
    ) -> Sums:
        """Add up a position and its open orders, of an account or of one strategy in it."""
        found = Sums()
        for (a, s, i), qty in self.parts.items():
            if (a, i) == (account, name) and strategy in (None, s):
                found.net += qty
        places: dict[Place, list[Held]] = {}
        extra = [h for h in plus if (h.asked.account, h.asked.instrument_id) == (account, name)]
        for held in (*self.of(account, name), *extra):
            is_asked = held.order_id == without and held not in extra
            if not is_asked and strategy in (None, held.asked.strategy_id):
                places.setdefault(held.place, []).append(held)
        for place, orders in places.items():
            adds, opens = self._reserve(place, orders)
            found.open += opens
            if place[3] == SIDE_BUY:
                found.buys += adds
            else:
                found.sells += adds
        return found

    def _reserve(self, place: Place, orders: list[Held]) -> tuple[int, int]:
        """What orders of one place may add to the position, and may trade."""
        largest = max(held.qty for held in orders)
        if not orders[0].shares:
            return largest, largest
        live = [held.qty for held in orders if not held.waits]
        waiting = max((held.qty for held in orders if held.waits), default=0)
        if orders[0].kind == CONTINGENCY_TYPE_BRACKET:
            budget, first = self.budgets.get(place, 0), max(live, default=0)
            adds = sum(live) - first + min(first, budget)
            return max(adds, min(waiting, budget)), max(sum(live), waiting)
        most = max(sum(live), min(waiting, self._budget(place, orders, largest)))
        return most, most

    def _budget(self, place: Place, orders: list[Held], largest: int) -> int:
        """What they may still fill together; with one that would grow, that much more."""
        known = self.budgets.get(place)
        if known is None:
            return largest
        grown = sum(
            max(0, held.qty - self.orders[held.order_id].qty)
            for held in orders
            if held.order_id in self.orders
        )
        new = max((held.qty for held in orders if held.order_id not in self.orders), default=0)
        return max(known + grown, new)
