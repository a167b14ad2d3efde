"""What an order and a position are, to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from aetherion.v1 import journal_pb2, order_pb2
from aetherion.v1.order_pb2 import (
    EXEC_INST_REDUCE_ONLY,
    ORD_STATUS_IN_DOUBT,
    ORD_STATUS_NEW,
    ORD_STATUS_PARTIALLY_FILLED,
    ORD_STATUS_PENDING_CANCEL,
    ORD_STATUS_PENDING_NEW,
    ORD_STATUS_PENDING_REPLACE,
    ORD_STATUS_SUSPENDED,
    ORD_TYPE_STOP,
    ORD_TYPE_STOP_LIMIT,
    ORD_TYPE_TRAILING_STOP,
    SIDE_BUY,
)

ATTOS = 10**18
DAY_NS = 86_400 * 10**9
TRIGGERED_TYPES = (ORD_TYPE_STOP, ORD_TYPE_STOP_LIMIT, ORD_TYPE_TRAILING_STOP)


def order_id_at(sequence: int, index: int) -> int:
    """The id of the order at an index of a list."""
    return sequence + (index << 56)


def came(order_id: int) -> tuple[int, int]:
    """What orders are sorted by: the sequence, and in a list the index."""
    return order_id & ((1 << 56) - 1), order_id >> 56


def sign(side: int) -> int:
    return 1 if side == SIDE_BUY else -1


@dataclass
class Change:
    """What is asked of the venue, and on its way."""

    qty: int
    price: int | None
    name: str | None  # the client's; None: we asked


@dataclass
class Order:
    """One order."""

    order_id: int
    asked: order_pb2.NewOrder
    session: str
    came_ns: int
    name: str = ""
    qty: int = 0
    price: int | None = None
    stop_px: int | None = None
    best: int | None = None  # that a trailing stop has seen
    cum: int = 0
    ended: int = 0  # the status that it ended with
    known: bool = False  # to the venue
    held: bool = False
    waits: bool = False  # for the first order of its list
    triggered: bool = False
    canceling: bool = False
    cancel_name: str = ""  # of the client's cancel that is on its way; empty: we asked
    expiring: bool = False
    doubt: bool = False
    change: Change | None = None
    want: int | None = None  # a quantity that the venue is to be asked for next
    kind: int = 0  # contingency
    orders: list[Order] = field(default_factory=list)  # of its list, itself too

    @property
    def open(self) -> bool:
        return not self.ended

    @property
    def leaves(self) -> int:
        return self.qty - self.cum if self.open else 0

    @property
    def status(self) -> int:
        if self.ended:
            return self.ended
        if self.canceling:
            return ORD_STATUS_PENDING_CANCEL
        if self.change:
            return ORD_STATUS_PENDING_REPLACE
        if self.held:
            return ORD_STATUS_SUSPENDED
        if self.doubt:
            return ORD_STATUS_IN_DOUBT
        if self.cum:
            return ORD_STATUS_PARTIALLY_FILLED
        return ORD_STATUS_NEW if self.known else ORD_STATUS_PENDING_NEW

    @property
    def reduce_only(self) -> bool:
        return EXEC_INST_REDUCE_ONLY in self.asked.exec_insts

    @property
    def others(self) -> list[Order]:
        return [order for order in self.orders if order is not self]

    @property
    def is_first(self) -> bool:
        return self.orders[0] is self

    @property
    def target(self) -> int:
        """The quantity that it will have when all that was asked for is done."""
        if self.want is not None:
            return self.want
        return self.change.qty if self.change else self.qty


def reduces(order: Order, replace: order_pb2.ReplaceOrder) -> bool:
    """Whether a replace only lowers the quantity: nobody is asked about that."""
    price = replace.price if replace.HasField("price") else order.price
    stop_px = replace.stop_px if replace.HasField("stop_px") else order.stop_px
    same = (price, stop_px) == (order.price, order.stop_px)
    return same and replace.order_qty < order.qty


@dataclass
class Holding:
    """A position of an account in an instrument: average cost, exact to 10^-18."""

    qty: int = 0
    cost: int = 0
    realized: int = 0
    fees: int = 0

    def trade(self, qty: int, value: Callable[[int], int]) -> None:
        """Buy a signed quantity; `value` gives the worth of a signed quantity at the price."""
        if self.qty * qty < 0:
            closed = min(abs(self.qty), abs(qty)) * (1 if qty > 0 else -1)
            out = round(Fraction(self.cost * -closed, self.qty))  # a tie to the even one
            self.realized -= value(closed) + out
            self.cost -= out
            self.cost += value(qty - closed)
        else:
            self.cost += value(qty)
        self.qty += qty


Scope = tuple[str, str, str, str]


def key_of(scope: journal_pb2.TradingScope) -> Scope:
    """Whom a scope binds."""
    return scope.account, scope.strategy_id, scope.instrument_id, scope.venue


def in_scope(scope: journal_pb2.TradingScope, asked: order_pb2.NewOrder) -> bool:
    """Whether an order is of a scope; an empty field is of all."""
    venue = asked.instrument_id.rpartition(".")[2]
    return (
        scope.account in ("", asked.account)
        and scope.strategy_id in ("", asked.strategy_id)
        and scope.instrument_id in ("", asked.instrument_id)
        and scope.venue in ("", venue)
    )
