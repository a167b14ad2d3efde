"""Orders and what happened to them, in the terms of FIX. Quantities and prices are decimals."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from aetherion.account import Money
from aetherion.errors import AetherionError
from aetherion.exact import Number, to_decimal


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
    TRAILING_STOP = 5


class TimeInForce(IntEnum):
    """How long an order works (FIX 59)."""

    UNSPECIFIED = 0
    DAY = 1
    GTC = 2
    IOC = 3
    FOK = 4
    GTD = 5


class ExecInst(IntEnum):
    """An instruction on how to handle an order (FIX 18)."""

    UNSPECIFIED = 0
    POST_ONLY = 1
    REDUCE_ONLY = 2
    CANCEL_ON_DISCONNECT = 3


class ContingencyType(IntEnum):
    """What the orders of a list mean to each other (FIX 1385)."""

    UNSPECIFIED = 0
    OCO = 1
    OTO = 2
    OUO = 3
    BRACKET = 4


class SelfTradePrevention(IntEnum):
    """What happens when an order would trade with one of the same account."""

    UNSPECIFIED = 0
    NONE = 1
    CANCEL_NEWEST = 2
    CANCEL_OLDEST = 3
    CANCEL_BOTH = 4
    DECREMENT = 5


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
    PENDING_REPLACE = 9
    SUSPENDED = 10
    IN_DOUBT = 11

    @property
    def is_open(self) -> bool:
        """Whether the order can still fill."""
        return self not in _CLOSED


_CLOSED = frozenset(
    {
        OrdStatus.UNSPECIFIED,
        OrdStatus.FILLED,
        OrdStatus.CANCELED,
        OrdStatus.REJECTED,
        OrdStatus.EXPIRED,
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
    PENDING_REPLACE = 13
    SUSPENDED = 14
    RESTATED = 15
    IN_DOUBT = 16


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
    KILL_SWITCH = 14
    STATE_HALTED = 15
    STATE_CANCEL_ONLY = 16
    STATE_REDUCING = 17
    NOT_PERMITTED = 18
    INSTRUMENT_CLOSED = 19
    RESTRICTED = 20
    SHORT_NOT_ALLOWED = 21
    PRICE_COLLAR_STATIC = 22
    PRICE_COLLAR = 23
    AGGRESSIVE_PRICE = 24
    RATE_LIMIT = 25
    DUPLICATE_FLOOD = 26
    MAX_OPEN_ORDERS = 27
    MAX_OPEN_NOTIONAL = 28
    MAX_EXPOSURE = 29
    INSUFFICIENT_MARGIN = 30
    DAILY_VALUE = 31
    LOSS_LIMIT = 32
    STP = 33
    VAR_LIMIT = 34
    CONCENTRATION = 35
    BATCH_VALUE = 36
    BATCH_SIZE = 37
    STRATEGY_LATCHED = 38
    REJECT_STORM = 39
    OTR_LIMIT = 40
    REPLACE_WORSE = 41
    REDUCE_ONLY = 42
    LIST = 43
    MODEL_STALE = 44
    JOURNAL_FULL = 45


class CxlRejReason(IntEnum):
    """Why a cancel was refused (FIX 102)."""

    UNSPECIFIED = 0
    TOO_LATE = 1
    UNKNOWN_ORDER = 2
    ALREADY_PENDING = 3
    DUPLICATE_CL_ORD_ID = 4
    REFUSED = 5
    VENUE = 6


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
    """A wish for an order (FIX NewOrderSingle).

    What is set says what kind of order it is: `price` makes it a limit order, `stop_px` a stop,
    both a stop-limit, `trailing_amount` or `trailing_bps` a trailing stop, none a market order.
    Numbers may be given as `str` or `int` too, and are kept as `Decimal`; whether they lie on the
    instrument's grid is seen when the order is sent.
    """

    cl_ord_id: str
    account: str
    instrument_id: str
    side: Side
    order_qty: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    strategy_id: str = ""
    stop_px: Decimal | None = None
    trailing_amount: Decimal | None = None
    trailing_bps: int = 0
    display_qty: Decimal | None = None  # iceberg: the most that is shown at a time
    expire_time_ns: int = 0  # of GTD
    exec_insts: Set[ExecInst] = frozenset()
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.UNSPECIFIED

    def __post_init__(self) -> None:
        _keep_decimals(self, "order_qty", "price", "stop_px", "trailing_amount", "display_qty")
        object.__setattr__(self, "exec_insts", frozenset(self.exec_insts))
        for field, kind in (("side", Side), ("time_in_force", TimeInForce)):
            value = getattr(self, field)
            if not isinstance(value, kind):
                raise AetherionError(f"{field}: must be a {kind.__name__}, got {value!r}")
        for field in ("trailing_bps", "expire_time_ns"):
            value = getattr(self, field)
            if not 0 <= value < 1 << 63:
                raise AetherionError(f"{field}: must be 0 or more and below 2^63, got {value}")

    @property
    def ord_type(self) -> OrdType:
        """How it finds its price, by what is set."""
        if self.trailing_amount is not None or self.trailing_bps:
            return OrdType.TRAILING_STOP
        if self.stop_px is not None:
            return OrdType.STOP if self.price is None else OrdType.STOP_LIMIT
        return OrdType.MARKET if self.price is None else OrdType.LIMIT


@dataclass(frozen=True, slots=True)
class NewOrderList:
    """A wish for orders that depend on each other, all or none (FIX NewOrderList).

    `oco`, `oto`, `ouo` and `bracket` make them.
    """

    list_id: str
    account: str
    contingency_type: ContingencyType
    orders: tuple[NewOrder, ...]


@dataclass(frozen=True, slots=True)
class ReplaceOrder:
    """A wish that an open order change (FIX OrderCancelReplaceRequest).

    The order is called `cl_ord_id` too from then on. `order_qty` is the new total, what is filled
    included; a price that the order has must be given again.
    """

    cl_ord_id: str
    orig_cl_ord_id: str
    account: str
    instrument_id: str  # whose grid the numbers are on
    order_qty: Decimal
    price: Decimal | None = None
    stop_px: Decimal | None = None

    def __post_init__(self) -> None:
        _keep_decimals(self, "order_qty", "price", "stop_px")


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """A wish that an order no longer work (FIX OrderCancelRequest)."""

    cl_ord_id: str
    orig_cl_ord_id: str
    account: str


@dataclass(frozen=True, slots=True)
class MassCancelOrders:
    """A wish that all open orders that match no longer work (FIX OrderMassCancelRequest).

    What is empty matches all.
    """

    cl_ord_id: str
    account: str
    strategy_id: str = ""
    instrument_id: str = ""
    side: Side = Side.UNSPECIFIED


OrderCommand = NewOrder | NewOrderList | ReplaceOrder | CancelOrder | MassCancelOrders


def _keep_decimals(command: NewOrder | ReplaceOrder, *fields: str) -> None:
    for field in fields:
        value: Number | None = getattr(command, field)
        if value is not None and type(value) is not Decimal:
            object.__setattr__(command, field, to_decimal(value, field))


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
    total_affected_orders: int = 0  # of a mass cancel
    list_acks: tuple[CommandAck, ...] = ()  # of a list, one for each order; its name is cl_ord_id

    @property
    def accepted(self) -> bool:
        """Whether the command was taken: what the venue makes of it is reported."""
        return self.exec_type not in (ExecType.REJECTED, ExecType.CANCEL_REJECTED)


@dataclass(frozen=True, slots=True)
class OrderPreview:
    """What would be decided on an order."""

    approved: bool
    ord_rej_reason: OrdRejReason
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
    stop_px: Decimal | None = None  # as it stands; it moves with a trailing stop
    orig_cl_ord_id: str = ""  # of a cancel or replace: the order's name before
    list_id: str = ""
    contingency_type: ContingencyType = ContingencyType.UNSPECIFIED

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
