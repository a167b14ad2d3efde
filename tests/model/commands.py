"""Random commands, most of them sensible, as a crowd of careless clients would send them."""

from __future__ import annotations

import random

from aetherion.v1 import account_pb2, journal_pb2, order_pb2, risk_limit_pb2
from aetherion.v1.order_pb2 import (
    CONTINGENCY_TYPE_BRACKET,
    CONTINGENCY_TYPE_OCO,
    CONTINGENCY_TYPE_OTO,
    CONTINGENCY_TYPE_OUO,
    EXEC_INST_REDUCE_ONLY,
    ORD_TYPE_LIMIT,
    ORD_TYPE_MARKET,
    ORD_TYPE_STOP,
    ORD_TYPE_STOP_LIMIT,
    ORD_TYPE_TRAILING_STOP,
    SIDE_BUY,
    SIDE_SELL,
    SIDE_UNSPECIFIED,
    TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTC,
    TIME_IN_FORCE_GTD,
    TIME_IN_FORCE_IOC,
)

STRATEGIES = ("", "s1", "s2", "s3")
TICK = 5  # cents
_ORD_TYPES = (
    ORD_TYPE_MARKET,
    *[ORD_TYPE_LIMIT] * 6,
    ORD_TYPE_STOP,
    ORD_TYPE_STOP_LIMIT,
    ORD_TYPE_TRAILING_STOP,
)
_TIFS = (
    *[TIME_IN_FORCE_GTC] * 6,
    TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_IOC,
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTD,
)
_DECIMALS = (
    ("max_order_qty", 20, 80),
    ("max_order_notional", 3_000, 7_000),
    ("max_position_qty", 200, 2_000),
    ("max_long_qty", 200, 2_000),
    ("max_short_qty", 200, 2_000),
    ("max_gross_notional", 50_000, 400_000),
    ("max_net_notional", 20_000, 200_000),
    ("max_leverage", 1, 3),
    ("initial_margin_ratio", 1, 2),
    ("max_daily_qty", 20_000, 400_000),
)
_WHOLE = (
    ("static_collar_bps", 500, 2_000),
    ("price_collar_bps", 300, 1_500),
    ("max_mark_age_ms", 2_000, 60_000),
    ("max_aggressive_ticks", 10, 200),
    ("order_rate_per_s", 20, 400),
    ("duplicate_count", 2, 4),
    ("max_open_orders", 50, 400),
    ("max_adv_share_bps", 200, 600),
    ("max_consecutive_rejects", 100, 300),
)
_RECENT = 400  # commands are about orders as young as these


class Commands:
    """A source of commands for one account."""

    def __init__(self, seed: int, account: str, instrument_ids: tuple[str, ...]) -> None:
        self._random = random.Random(seed)
        self._account = account
        self._instrument_ids = instrument_ids
        self._count = 0
        self._orders: list[order_pb2.NewOrder] = []
        self._sent: list[order_pb2.OrderCommand] = []
        self.now_ns = 0  # the market's time, for GTD

    def messages(self, size: int) -> list[list[order_pb2.OrderCommand]]:
        """Return the commands of the next messages.

        A message has commands of one kind, and a replace is alone. What stands in one message is
        asked of risk with one question: risk hears of the cancels and replaces in it after the
        answer, and which decision that changes is not to be seen in the journal.
        """
        at = self._random.random()
        if at < 0.45 or not self._orders:
            return [self._keep([self._new() for _ in range(size)])]
        if at < 0.75:
            return [[self._end() for _ in range(size // 3)]]
        return [[order_pb2.OrderCommand(replace_order=self._replace())] for _ in range(size // 5)]

    def _keep(self, made: list[order_pb2.OrderCommand]) -> list[order_pb2.OrderCommand]:
        self._sent = (self._sent + made)[-_RECENT:]
        self._orders = self._orders[-_RECENT:]
        return made

    def limits(self) -> list[risk_limit_pb2.RiskLimit]:
        """Return limits at scopes that stay, each with some of its limits."""
        return [self._limit(*scope) for scope in self._scopes()]

    def scope(self) -> journal_pb2.TradingScope:
        """Return a scope for a state or a kill switch."""
        account, strategy_id, instrument_id = self._random.choice(self._scopes())
        return journal_pb2.TradingScope(
            account=account, strategy_id=strategy_id, instrument_id=instrument_id
        )

    def state(self) -> int:
        """Return a trading state other than ACTIVE."""
        return self._random.choice((2, 2, 3, 4))

    def chance(self, probability: float) -> bool:
        """Whether something is to happen."""
        return self._random.random() < probability

    def _scopes(self) -> list[tuple[str, str, str]]:
        return [
            ("", "", ""),
            (self._account, "", ""),
            ("", "s1", ""),
            (self._account, "s2", self._instrument_ids[0]),
            ("", "", self._instrument_ids[1]),
        ]

    def _limit(self, account: str, strategy_id: str, name: str) -> risk_limit_pb2.RiskLimit:
        limit = risk_limit_pb2.RiskLimit(
            account=account, strategy_id=strategy_id, instrument_id=name
        )
        for field, low, high in _DECIMALS:
            if self.chance(0.2):
                value = self._random.randint(low, high)
                getattr(limit, field).CopyFrom(account_pb2.Decimal(mantissa=value))
        for field, low, high in _WHOLE:
            if self.chance(0.03 if field == "max_consecutive_rejects" else 0.2):
                setattr(limit, field, self._random.randint(low, high))
        if limit.HasField("static_collar_bps"):
            limit.static_reference_px.CopyFrom(account_pb2.Decimal(mantissa=100))
        if limit.HasField("max_adv_share_bps"):
            limit.adv_qty.CopyFrom(account_pb2.Decimal(mantissa=1_000))
        if limit.HasField("order_rate_per_s"):
            limit.order_burst = 3 * limit.order_rate_per_s
        if limit.HasField("duplicate_count"):
            limit.duplicate_window_ms = 5_000
        limit.no_short = self.chance(0.05)
        limit.restricted = self.chance(0.01)
        limit.prevent_self_trade = self.chance(0.1)
        return limit

    def _new(self) -> order_pb2.OrderCommand:
        at = self._random.random()
        if at < 0.8 or not self._orders:
            return order_pb2.OrderCommand(new_order=self._remember(self._order()))
        if at < 0.95:
            return order_pb2.OrderCommand(new_order_list=self._list())
        return self._again()

    def _end(self) -> order_pb2.OrderCommand:
        if self._random.random() < 0.95:
            return order_pb2.OrderCommand(cancel_order=self._cancel())
        return order_pb2.OrderCommand(mass_cancel_orders=self._mass_cancel())

    def _name(self) -> str:
        self._count += 1
        return f"c{self._count}"

    def _remember(self, order: order_pb2.NewOrder) -> order_pb2.NewOrder:
        self._orders.append(order)
        return order

    def _price(self) -> int:
        return 10_000 + TICK * self._random.randint(-240, 240)

    def _qty(self) -> int:
        if self._random.random() < 0.02:
            return self._random.choice((0, -1, 3_001))
        return self._random.randint(1, 60)

    def _order(self) -> order_pb2.NewOrder:
        choose = self._random.choice
        order = order_pb2.NewOrder(
            cl_ord_id=self._name(),
            account=self._account,
            strategy_id=choose(STRATEGIES),
            instrument_id=choose(self._instrument_ids),
            side=choose((SIDE_BUY, SIDE_SELL)),
            ord_type=choose(_ORD_TYPES),
            time_in_force=choose(_TIFS),
            order_qty=self._qty(),
        )
        if order.ord_type in (ORD_TYPE_LIMIT, ORD_TYPE_STOP_LIMIT):
            order.price = self._price()
        if order.ord_type in (ORD_TYPE_STOP, ORD_TYPE_STOP_LIMIT):
            order.stop_px = self._price()
        if order.ord_type == ORD_TYPE_TRAILING_STOP:
            if self._random.random() < 0.5:
                order.trailing_amount = TICK * self._random.randint(1, 100)
            else:
                order.trailing_bps = self._random.randint(1, 900)
        if order.time_in_force == TIME_IN_FORCE_GTD:
            order.expire_time_ns = self.now_ns + self._random.randint(1, 60) * 10**9
        if self._random.random() < 0.08:
            order.exec_insts.append(EXEC_INST_REDUCE_ONLY)
        if self._random.random() < 0.02:
            self._spoil(order)
        return order

    def _spoil(self, order: order_pb2.NewOrder) -> None:
        """Make an order that has something wrong with it."""
        match self._random.randrange(5):
            case 0:
                order.price = 10_001  # off the tick
            case 1:
                order.stop_px = 10_000 if not order.HasField("stop_px") else 3
            case 2:
                order.instrument_id = "NONE.SIM"
            case 3:
                order.expire_time_ns = 1
            case 4:
                order.ClearField("price")

    def _cancel(self) -> order_pb2.CancelOrder:
        name = self._some().cl_ord_id if self._random.random() < 0.97 else "nobody"
        return order_pb2.CancelOrder(
            cl_ord_id=self._name(), orig_cl_ord_id=name, account=self._account
        )

    def _some(self) -> order_pb2.NewOrder:
        return self._random.choice(self._orders)

    def _replace(self) -> order_pb2.ReplaceOrder:
        order = self._some()
        replace = order_pb2.ReplaceOrder(
            cl_ord_id=self._name(),
            orig_cl_ord_id=order.cl_ord_id,
            account=self._account,
            order_qty=self._qty(),
        )
        moves = self.chance(0.7)
        if order.HasField("price"):
            replace.price = self._price() if moves else order.price
        if order.HasField("stop_px"):
            replace.stop_px = self._price() if moves else order.stop_px
        return replace

    def _list(self) -> order_pb2.NewOrderList:
        kind = self._random.choice(
            (
                CONTINGENCY_TYPE_OCO,
                CONTINGENCY_TYPE_OTO,
                CONTINGENCY_TYPE_OUO,
                CONTINGENCY_TYPE_BRACKET,
            )
        )
        first = self._order()
        orders = [first]
        for _ in range(self._random.randint(1, 2)):
            other = self._order()
            if kind != CONTINGENCY_TYPE_OTO:
                other.instrument_id, other.side = first.instrument_id, first.side
            if kind == CONTINGENCY_TYPE_BRACKET:
                other.side = SIDE_SELL if first.side == SIDE_BUY else SIDE_BUY
                other.order_qty = first.order_qty
            orders.append(other)
        for order in orders:
            self._remember(order)
        return order_pb2.NewOrderList(
            list_id=self._name(), account=self._account, contingency_type=kind, orders=orders
        )

    def _mass_cancel(self) -> order_pb2.MassCancelOrders:
        choose = self._random.choice
        return order_pb2.MassCancelOrders(
            cl_ord_id=self._name(),
            account=self._account,
            strategy_id=choose(STRATEGIES),
            instrument_id=choose(("", *self._instrument_ids)),
            side=choose((SIDE_UNSPECIFIED, SIDE_BUY, SIDE_SELL)),
        )

    def _again(self) -> order_pb2.OrderCommand:
        """Return a command that was sent before, now and then with other content."""
        again = order_pb2.OrderCommand()
        again.CopyFrom(self._random.choice(self._sent) if self._sent else self._new())
        if again.HasField("new_order") and self._random.random() < 0.3:
            again.new_order.order_qty += 1
        return again
