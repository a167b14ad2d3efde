"""Orders and what happened to them, in the terms of FIX. Quantities and prices are decimals."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from aetherion.account import Money


class Side(IntEnum):
    """The direction of an order (FIX 54)."""

    UNSPECIFIED = 0
    BUY = 1
    SELL = 2


class OrdType(IntEnum):
    """How an order finds its price (FIX 40)."""

    UNSPECIFIED = 0
    MARKET = 1
    LIMIT = 2
    STOP = 3
    STOP_LIMIT = 4


class TimeInForce(IntEnum):
    """How long an order works (FIX 59)."""

    UNSPECIFIED = 0
    DAY = 1
    GTC = 2
    IOC = 3
    FOK = 4
    GTD = 5


class OrdStatus(IntEnum):
    """Where an order is (FIX 39)."""

    UNSPECIFIED = 0
    PENDING_NEW = 1
    NEW = 2
    PARTIALLY_FILLED = 3
    FILLED = 4
    CANCELED = 5
    REJECTED = 6
    EXPIRED = 7
    PENDING_CANCEL = 8

    @property
    def is_open(self) -> bool:
        """Whether the order can still fill."""
        return self in _OPEN


_OPEN = frozenset(
    {
        OrdStatus.PENDING_NEW,
        OrdStatus.NEW,
        OrdStatus.PARTIALLY_FILLED,
        OrdStatus.PENDING_CANCEL,
    }
)


class ExecType(IntEnum):
    """What just happened to an order (FIX 150)."""

    UNSPECIFIED = 0
    PENDING_NEW = 1
    NEW = 2
    TRADE = 3
    CANCELED = 4
    REJECTED = 5
    EXPIRED = 6
    PENDING_CANCEL = 7
    CANCEL_REJECTED = 8
    REPLACED = 9
    TRIGGERED = 10
    TRADE_CANCEL = 11
    TRADE_CORRECT = 12


class OrdRejReason(IntEnum):
    """Why an order was refused."""

    UNSPECIFIED = 0
    INVALID_FIELD = 1
    INVALID_PRICE = 2
    INVALID_QTY = 3
    UNKNOWN_INSTRUMENT = 4
    UNKNOWN_ACCOUNT = 5
    DUPLICATE_ORDER = 6
    MAX_ORDER_QTY = 7
    MAX_ORDER_NOTIONAL = 8
    POSITION_LIMIT = 9
    REF_PRICE_STALE = 10
    RISK_UNAVAILABLE = 11
    GATEWAY_BLOCK = 12
    VENUE = 13


class CxlRejReason(IntEnum):
    """Why a cancel was refused (FIX 102)."""

    UNSPECIFIED = 0
    TOO_LATE = 1
    UNKNOWN_ORDER = 2
    ALREADY_PENDING = 3


class RejectedBy(IntEnum):
    """Who refused."""

    UNSPECIFIED = 0
    ENGINE = 1
    RISK = 2
    VENUE = 3


class LiquidityInd(IntEnum):
    """Whether a fill added or removed liquidity (FIX 851)."""

    UNSPECIFIED = 0
    ADDED = 1
    REMOVED = 2


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A wish for an order (FIX NewOrderSingle). A limit order has a price, a market order none."""

    cl_ord_id: str
    account: str
    instrument_id: str
    side: Side
    order_qty: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    strategy_id: str = ""

    @property
    def ord_type(self) -> OrdType:
        """LIMIT when there is a price."""
        return OrdType.MARKET if self.price is None else OrdType.LIMIT


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """A wish that an order no longer work (FIX OrderCancelRequest)."""

    cl_ord_id: str
    orig_cl_ord_id: str
    account: str


OrderCommand = NewOrder | CancelOrder


@dataclass(frozen=True, slots=True)
class CheckFailure:
    """One pre-trade check that an order fails; limit and value in the unit of the check."""

    ord_rej_reason: OrdRejReason
    scope: str
    risk_limit: str
    value: str


@dataclass(frozen=True, slots=True)
class CommandAck:
    """The durable outcome of one command."""

    account: str
    cl_ord_id: str
    sequence: int
    order_id: int
    ord_status: OrdStatus
    exec_type: ExecType
    ord_rej_reason: OrdRejReason
    cxl_rej_reason: CxlRejReason
    rejected_by: RejectedBy
    text: str
    check_failures: tuple[CheckFailure, ...]


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What happened to an order (FIX ExecutionReport).

    When a cancel named an order that nobody knows, instrument, side and type are unspecified.
    """

    sequence: int
    prev_sequence: int
    transact_time_ns: int
    account: str
    cl_ord_id: str
    order_id: int
    venue_order_id: str
    exec_id: str
    strategy_id: str
    instrument_id: str
    side: Side
    ord_type: OrdType
    time_in_force: TimeInForce
    exec_type: ExecType
    ord_status: OrdStatus
    order_qty: Decimal
    cum_qty: Decimal
    leaves_qty: Decimal
    price: Decimal | None
    last_qty: Decimal
    last_px: Decimal
    last_liquidity_ind: LiquidityInd
    commission: Money | None
    cum_notional: Money | None
    avg_px: float
    ord_rej_reason: OrdRejReason
    cxl_rej_reason: CxlRejReason
    rejected_by: RejectedBy
    text: str
    check_failures: tuple[CheckFailure, ...]
    exec_ref_id: str = ""  # of a bust or correction: the fill that it is of

    @property
    def reason(self) -> str:
        """Why it was refused, as one name; empty when it was not."""
        if self.exec_type is ExecType.REJECTED:
            return self.ord_rej_reason.name
        if self.exec_type is ExecType.CANCEL_REJECTED:
            return self.cxl_rej_reason.name
        return ""


@dataclass(frozen=True, slots=True)
class Order:
    """An order and the last that was heard of it, nothing before its acknowledgement."""

    new_order: NewOrder
    last_report: ExecutionReport | None = None

    @property
    def ord_status(self) -> OrdStatus:
        """Where it is."""
        return self.last_report.ord_status if self.last_report else OrdStatus.PENDING_NEW

    @property
    def cum_qty(self) -> Decimal:
        """Quantity filled so far."""
        return self.last_report.cum_qty if self.last_report else Decimal(0)

    @property
    def leaves_qty(self) -> Decimal:
        """Quantity still open."""
        return self.last_report.leaves_qty if self.last_report else self.new_order.order_qty
