"""Pre-trade checks as risk_limit.proto and docs/risk-controls.md describe them: plain and slow.

All sums are made anew from the open orders and positions at every check; nothing is kept that could
be added up wrongly. What is remembered is what was counted over time: buckets, windows, refusals,
fills of the day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from aetherion.v1 import account_pb2, journal_pb2, order_pb2, risk_limit_pb2
from aetherion.v1.journal_pb2 import (
    TRADING_STATE_ACTIVE,
    TRADING_STATE_REDUCING,
)
from aetherion.v1.order_pb2 import (
    CONTINGENCY_TYPE_BRACKET,
    ORD_TYPE_LIMIT,
    ORD_TYPE_MARKET,
    ORD_TYPE_STOP,
    ORD_TYPE_STOP_LIMIT,
    ORD_TYPE_TRAILING_STOP,
    SIDE_BUY,
)
from model.book import Book, Held, Sums, held_for, held_of, worse
from model.engine import Engine
from model.orders import ATTOS, Order, Scope, in_scope, key_of, order_id_at, reduces, sign

# The published order of the checks.
ORDER = (
    "KILL_SWITCH", "STATE_HALTED", "STATE_CANCEL_ONLY", "STATE_REDUCING", "RESTRICTED",
    "MAX_ORDER_QTY", "MAX_ORDER_NOTIONAL", "PRICE_COLLAR_STATIC", "REF_PRICE_STALE", "PRICE_COLLAR",
    "AGGRESSIVE_PRICE", "RATE_LIMIT", "DUPLICATE_FLOOD", "MAX_OPEN_ORDERS", "POSITION_LIMIT",
    "SHORT_NOT_ALLOWED", "MAX_EXPOSURE", "DAILY_VALUE", "INSUFFICIENT_MARGIN", "CONCENTRATION",
    "STP", "REJECT_STORM", "LIST",
)  # fmt: skip
_BLOCKED = ("KILL_SWITCH", "STATE_HALTED", "STATE_CANCEL_ONLY", "STATE_REDUCING")
SECOND_NS = 10**9
MILLI_NS = 10**6


def scope_of(limit: risk_limit_pb2.RiskLimit) -> Scope:
    return limit.account, limit.strategy_id, limit.instrument_id, ""


def number(decimal: account_pb2.Decimal) -> Fraction:
    return Fraction(decimal.mantissa, 10**decimal.scale)


@dataclass
class Memory:
    """What a scope remembers."""

    tokens: Fraction | None = None
    filled_ns: int = 0
    seen: list[tuple[int, tuple[object, ...]]] = field(default_factory=list)
    refused: int = 0
    venue_refused: int = 0
    storm: bool = False


class Pretrade:
    """Decides on orders from what the engine's model holds."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.limits = risk_limit_pb2.RiskLimits()
        self.marks: dict[str, tuple[int, int]] = {}
        self.memory: dict[Scope, Memory] = {}
        self.base: dict[str, str] = {}
        self.traded: dict[tuple[str, str, str], int] = {}  # today, by account, strategy, instrument
        self.day = 0
        self.book = Book()

    # What happens

    def before(self, event: journal_pb2.JournalEvent) -> list[list[str]]:
        """Return what each order of an event fails, and count them; empty: none is asked about."""
        now = event.transact_time_ns
        if now // (86_400 * SECOND_NS) != self.day:
            self.day = now // (86_400 * SECOND_NS)
            self.traded.clear()
        kind = event.WhichOneof("input")
        if kind == "new_order":
            return self._decide(now, [event.new_order.new_order], event.sequence, 0)
        if kind == "new_order_list":
            listed = event.new_order_list.new_order_list
            return self._decide(now, listed.orders, event.sequence, listed.contingency_type)
        if kind == "replace_order":
            return self._decide_replace(now, event.replace_order.replace_order)
        return []

    def after(self, event: journal_pb2.JournalEvent) -> None:
        """Take what was decided, or what came in."""
        for order in self.engine.changed.values():
            self.book.update(order)
        match event.WhichOneof("input"):
            case "limit_change":
                self.limits = event.limit_change.risk_limits
            case "mark":
                self.marks[event.mark.instrument_id] = event.mark.mark_px, event.transact_time_ns
            case "trading_state_change":
                self._armed(event.trading_state_change)
            case "account_opened":
                self.base[event.account_opened.account] = event.account_opened.base_currency
            case "adjustment":
                a = event.adjustment
                self._move(self.book.parts, a.account, "", a.instrument_id, a.qty)
            case "new_order" | "new_order_list":
                self._open_budgets(event.sequence)

    def fill(self, report: journal_pb2.VenueReport, order: Order) -> None:
        """A fill that counts, before the engine takes it."""
        asked, qty = order.asked, report.last_qty
        for table, moved in ((self.book.parts, sign(asked.side) * qty), (self.traded, qty)):
            self._move(table, asked.account, asked.strategy_id, asked.instrument_id, moved)
        for memory, _ in self._memories(asked):
            memory.venue_refused = 0
        if not order.open:
            return
        budgets, place = self.book.budgets, held_of(order).place
        if place in budgets:
            budgets[place] = max(0, budgets[place] - qty)
        if order.kind == CONTINGENCY_TYPE_BRACKET and order.is_first:
            for exit_place in [p for p in budgets if p[0] == order.order_id]:
                budgets[exit_place] += qty

    def venue_refused(self, order: Order) -> None:
        """The venue refused an order."""
        for memory, limit in self._memories(order.asked):
            memory.venue_refused += 1
            self._storm(memory, limit, memory.venue_refused)

    def _armed(self, change: journal_pb2.TradingStateChange) -> None:
        """Set ACTIVE, a scope is armed again."""
        key = key_of(change.scope)
        if change.trading_state == TRADING_STATE_ACTIVE and key in self.memory:
            memory = self.memory[key]
            memory.storm, memory.refused, memory.venue_refused = False, 0, 0

    def _open_budgets(self, sequence: int) -> None:
        """Of a list that was approved: what the orders of a place may fill together."""
        for order in self.engine.changed.values():
            held = held_of(order)
            if order.open and held.shares and held.list_id == sequence:
                start = 0 if order.kind == CONTINGENCY_TYPE_BRACKET else held.qty
                known = self.book.budgets.get(held.place, 0)
                self.book.budgets[held.place] = max(known, start)

    @staticmethod
    def _move(
        table: dict[tuple[str, str, str], int], account: str, strategy: str, name: str, qty: int
    ) -> None:
        table[account, strategy, name] = table.get((account, strategy, name), 0) + qty

    # Decisions

    def _decide(
        self, now: int, orders: Sequence[order_pb2.NewOrder], sequence: int, kind: int
    ) -> list[list[str]]:
        taken: list[Held] = []
        decided = []
        for index, asked in enumerate(orders):
            held = held_for(
                order_id_at(sequence, index),
                asked,
                asked.order_qty,
                asked.price if asked.ord_type == ORD_TYPE_LIMIT else None,
                kind,
                sequence,
            )
            failed = self._failures(now, held, taken)
            self._came(now, asked, is_new=True)
            decided.append(failed)
            if not failed:
                taken.append(held)
        all_go = not any(decided)
        for asked, failed in zip(orders, decided, strict=True):
            for memory, limit in self._memories(asked):
                if failed and failed[0] not in _BLOCKED:
                    memory.refused += 1
                    self._storm(memory, limit, memory.refused)
                elif not failed and all_go:
                    memory.refused = 0
        return decided if all_go else [failed or ["LIST"] for failed in decided]

    def _decide_replace(self, now: int, replace: order_pb2.ReplaceOrder) -> list[list[str]]:
        order = self.engine.names.get((replace.account, replace.orig_cl_ord_id))
        if order is None or reduces(order, replace):
            return [[]]
        asked = order_pb2.NewOrder()
        asked.CopyFrom(order.asked)
        asked.order_qty = replace.order_qty
        if replace.HasField("price"):
            asked.price = replace.price
        if replace.HasField("stop_px"):
            asked.stop_px = replace.stop_px
        known = held_of(order)
        limit_px = worse(asked.side, known.limit_px, asked.price)
        qty = max(known.qty, replace.order_qty - order.cum)
        held = held_for(
            order.order_id,
            asked,
            qty,
            limit_px,
            known.kind,
            known.list_id,
            triggered=order.triggered,
        )
        failed = self._failures(now, held, [])
        self._came(now, asked, is_new=False)
        if (
            not failed
            and held.place in self.book.budgets
            and order.kind != CONTINGENCY_TYPE_BRACKET
        ):
            self.book.budgets[held.place] += qty - known.qty
        return [failed]

    def _failures(self, now: int, held: Held, taken: list[Held]) -> list[str]:
        """All checks that an order fails, in the published order."""
        found: set[str] = set()
        asked = held.asked
        of_book = _Placed(self.book, held, taken, strategy=None)
        of_part = _Placed(self.book, held, taken, strategy=asked.strategy_id)

        def reduces(scope: journal_pb2.TradingScope | risk_limit_pb2.RiskLimit) -> bool:
            return (of_part if scope.strategy_id else of_book).reduces

        found |= self.engine.switched_off(asked)
        if not found and not self._may_reduce(asked, of_book, of_part):
            found.add("STATE_REDUCING")
        price = self.counted(asked)
        for limit in self._limits_of(asked):
            placed = of_part if limit.strategy_id else of_book
            if limit.restricted and not reduces(limit):
                found.add("RESTRICTED")
            found |= set(self._of_order(limit, asked, price))
            found |= set(self._of_price(now, limit, asked))
            found |= set(self._of_habit(now, limit, held, price))
            found |= set(self._of_sums(limit, held, placed, taken))
        needs = asked.ord_type in (ORD_TYPE_MARKET, ORD_TYPE_TRAILING_STOP)
        if needs and asked.instrument_id not in self.marks:
            found.add("REF_PRICE_STALE")
        return sorted(found, key=ORDER.index)

    def _may_reduce(self, asked: order_pb2.NewOrder, book: _Placed, part: _Placed) -> bool:
        """Whether an order reduces wherever only that is allowed."""
        states = (s for s in self.engine.states.values() if in_scope(s.scope, asked))
        return all(
            (part if s.scope.strategy_id else book).reduces
            for s in states
            if s.trading_state == TRADING_STATE_REDUCING
        )

    def _of_order(
        self, limit: risk_limit_pb2.RiskLimit, asked: order_pb2.NewOrder, price: int | None
    ) -> Iterator[str]:
        qty = self._units(asked.instrument_id, asked.order_qty)
        if limit.HasField("max_order_qty") and qty > number(limit.max_order_qty):
            yield "MAX_ORDER_QTY"
        if limit.HasField("max_order_notional") and price is not None:
            worth = Fraction(
                abs(self.engine.value(asked.instrument_id, asked.order_qty, price)), ATTOS
            )
            if worth > number(limit.max_order_notional):
                yield "MAX_ORDER_NOTIONAL"
        if limit.HasField("max_adv_share_bps"):
            most = number(limit.adv_qty) * limit.max_adv_share_bps / 10_000
            if qty > most:
                yield "CONCENTRATION"

    def _of_price(
        self, now: int, limit: risk_limit_pb2.RiskLimit, asked: order_pb2.NewOrder
    ) -> Iterator[str]:
        scale = 10 ** self.engine.instruments[asked.instrument_id].price_scale
        tick = self.engine.instruments[asked.instrument_id].price_increment
        prices = [asked.price] * asked.HasField("price") + [asked.stop_px] * asked.HasField(
            "stop_px"
        )
        if limit.HasField("static_collar_bps"):
            reference = number(limit.static_reference_px)
            room = reference * limit.static_collar_bps / 10_000
            if any(abs(Fraction(px, scale) - reference) > room for px in prices):
                yield "PRICE_COLLAR_STATIC"
        mark = self.marks.get(asked.instrument_id)
        if mark is None:
            return
        mark_px, marked_ns = mark
        if limit.HasField("max_mark_age_ms") and now - marked_ns > limit.max_mark_age_ms * MILLI_NS:
            yield "REF_PRICE_STALE"
        if asked.ord_type != ORD_TYPE_LIMIT:
            return
        away = abs(asked.price - mark_px) * 10_000
        if limit.HasField("price_collar_bps") and away > mark_px * limit.price_collar_bps:
            yield "PRICE_COLLAR"
        if limit.HasField("max_aggressive_ticks"):
            through = (asked.price - mark_px) * sign(asked.side)
            if through > limit.max_aggressive_ticks * tick:
                yield "AGGRESSIVE_PRICE"

    def _of_habit(
        self, now: int, limit: risk_limit_pb2.RiskLimit, held: Held, price: int | None
    ) -> Iterator[str]:
        asked, is_new = held.asked, held.order_id not in self.book.orders
        memory = self.memory.setdefault(scope_of(limit), Memory())
        tokens = self._tokens(now, limit, memory)
        if tokens is not None and tokens < 1:
            yield "RATE_LIMIT"
        if is_new and limit.HasField("duplicate_count"):
            window_ns = limit.duplicate_window_ms * MILLI_NS
            alike = [1 for at, what in memory.seen if now - at < window_ns and what == _like(asked)]
            if len(alike) + 1 >= limit.duplicate_count:
                yield "DUPLICATE_FLOOD"
        if memory.storm:
            yield "REJECT_STORM"
        if limit.prevent_self_trade and self._crosses(asked, price):
            yield "STP"

    def _crosses(self, asked: order_pb2.NewOrder, price: int | None) -> bool:
        """Whether it would trade with an open limit order: those of its list are not open yet."""
        if asked.ord_type not in (ORD_TYPE_MARKET, ORD_TYPE_LIMIT) or price is None:
            return False
        return any(
            (price - held.limit_px) * sign(asked.side) >= 0
            for held in self.book.of(asked.account, asked.instrument_id)
            if held.limit_px is not None and held.asked.side != asked.side
        )

    def _of_sums(
        self, limit: risk_limit_pb2.RiskLimit, held: Held, placed: _Placed, taken: list[Held]
    ) -> Iterator[str]:
        asked = held.asked
        side = asked.side
        worst = self._units(asked.instrument_id, placed.after.worst(side))
        if not placed.reduces:
            bounds = [limit.max_position_qty] * limit.HasField("max_position_qty")
            of_side = "max_long_qty" if side == SIDE_BUY else "max_short_qty"
            bounds += [getattr(limit, of_side)] * limit.HasField(of_side)  # type: ignore[arg-type]
            if any(worst > number(bound) for bound in bounds):
                yield "POSITION_LIMIT"
            if limit.no_short and side != SIDE_BUY and worst > 0:
                yield "SHORT_NOT_ALLOWED"
        if limit.HasField("max_open_orders") and held.order_id not in self.book.orders:
            others = (*self.book.orders.values(), *taken)
            if 1 + sum(_covers(limit, h.asked) for h in others) > limit.max_open_orders:
                yield "MAX_OPEN_ORDERS"
        if not placed.reduces:
            yield from self._of_money(limit, held, taken)

    def _of_money(
        self, limit: risk_limit_pb2.RiskLimit, held: Held, taken: list[Held]
    ) -> Iterator[str]:
        names = ("max_gross_notional", "max_net_notional", "max_leverage", "initial_margin_ratio")
        if any(limit.HasField(name) for name in names):  # type: ignore[arg-type]
            sums = list(self._positions(limit, held, taken))
            gross = sum(max(s.worst(1), s.worst(2)) * unit for s, unit in sums)
            net = max(sum(s.worst(side) * unit for s, unit in sums) for side in (1, 2))
            equity = self._equity(limit.account or held.asked.account)
            if limit.HasField("max_gross_notional") and gross > number(limit.max_gross_notional):
                yield "MAX_EXPOSURE"
            if limit.HasField("max_net_notional") and net > number(limit.max_net_notional):
                yield "MAX_EXPOSURE"
            if limit.HasField("max_leverage") and gross > equity * number(limit.max_leverage):
                yield "MAX_EXPOSURE"
            ratio = number(limit.initial_margin_ratio)
            if limit.HasField("initial_margin_ratio") and gross * ratio > equity:
                yield "INSUFFICIENT_MARGIN"
        if limit.HasField("max_daily_qty"):
            traded = sum(
                self._units(name, qty)
                for (account, strategy, name), qty in self.traded.items()
                if limit.account in ("", account)
                and limit.strategy_id in ("", strategy)
                and limit.instrument_id in ("", name)
            )
            opened = sum(
                s.open * self._units(name, 1) for name, s in self._cells(limit, held, taken)
            )
            if traded + opened > number(limit.max_daily_qty):
                yield "DAILY_VALUE"

    # Sums

    def _positions(
        self, limit: risk_limit_pb2.RiskLimit, held: Held, taken: list[Held]
    ) -> Iterator[tuple[Sums, Fraction]]:
        for name, sums in self._cells(limit, held, taken):
            if sums.net or sums.buys or sums.sells:
                mark_px, _ = self.marks[name]
                yield sums, Fraction(self.engine.value(name, 1, mark_px), ATTOS)

    def _cells(
        self, limit: risk_limit_pb2.RiskLimit, held: Held, taken: list[Held]
    ) -> Iterator[tuple[str, Sums]]:
        """The positions that a scope adds up, with their instruments."""
        strategy, plus = limit.strategy_id or None, [*taken, held]
        for account in self.base:
            for name in self.engine.instruments:
                if limit.account in ("", account) and limit.instrument_id in ("", name):
                    yield (
                        name,
                        self.book.sums(account, name, strategy, held.order_id, plus),
                    )

    def _equity(self, account: str) -> Fraction:
        currency = self.base[account]
        total = Fraction(self.engine.cash.get((account, currency), 0), ATTOS)
        for (a, name), held in self.engine.holdings.items():
            if a == account and held.qty:
                worth = self.engine.value(name, held.qty, self.marks[name][0])
                total += Fraction(worth, ATTOS)
        return total

    def _units(self, name: str, qty: int) -> Fraction:
        return Fraction(qty, 10 ** self.engine.instruments[name].qty_scale)

    def counted(self, asked: order_pb2.NewOrder) -> int | None:
        """The price that an order counts at; None: it needs a mark, and there is none."""
        mark = self.marks.get(asked.instrument_id)
        if asked.ord_type in (ORD_TYPE_LIMIT, ORD_TYPE_STOP_LIMIT):
            return asked.price
        if asked.ord_type == ORD_TYPE_STOP:
            px = asked.stop_px
        elif mark is None:
            return None
        else:
            px = mark[0]
            if asked.ord_type == ORD_TYPE_TRAILING_STOP and asked.side == SIDE_BUY:
                px += asked.trailing_amount + abs(px) * asked.trailing_bps // 10_000
        if asked.side != SIDE_BUY:
            return px
        return -(-px * (10_000 + self.limits.market_order_band_bps) // 10_000)

    # Open orders and scopes

    def _limits_of(self, asked: order_pb2.NewOrder) -> list[risk_limit_pb2.RiskLimit]:
        return [limit for limit in self.limits.limits if _covers(limit, asked)]

    def _memories(self, asked: order_pb2.NewOrder) -> list[tuple[Memory, risk_limit_pb2.RiskLimit]]:
        return [
            (self.memory.setdefault(scope_of(limit), Memory()), limit)
            for limit in self._limits_of(asked)
        ]

    @staticmethod
    def _storm(memory: Memory, limit: risk_limit_pb2.RiskLimit, count: int) -> None:
        if limit.HasField("max_consecutive_rejects") and count >= limit.max_consecutive_rejects:
            memory.storm = True

    def _tokens(self, now: int, limit: risk_limit_pb2.RiskLimit, memory: Memory) -> Fraction | None:
        if not limit.HasField("order_rate_per_s"):
            return None
        rate = limit.order_rate_per_s
        burst = limit.order_burst if limit.HasField("order_burst") else rate
        if memory.tokens is None:
            return Fraction(burst)
        passed = Fraction(max(0, now - memory.filled_ns), SECOND_NS)
        return min(Fraction(burst), memory.tokens + passed * rate)

    def _came(self, now: int, asked: order_pb2.NewOrder, *, is_new: bool) -> None:
        """Count an order that was asked about."""
        for memory, limit in self._memories(asked):
            tokens = self._tokens(now, limit, memory)
            if tokens is not None and tokens >= 1:
                tokens -= 1
            memory.tokens, memory.filled_ns = tokens, now
            if is_new and limit.HasField("duplicate_count"):
                window_ns = limit.duplicate_window_ms * MILLI_NS
                memory.seen = [(at, like) for at, like in memory.seen if now - at < window_ns]
                memory.seen.append((now, _like(asked)))


class _Placed:
    """A position without and with an order."""

    def __init__(self, book: Book, held: Held, taken: list[Held], *, strategy: str | None) -> None:
        asked = held.asked
        place = (asked.account, asked.instrument_id, strategy)
        before = book.sums(*place, plus=taken)
        self.after = book.sums(*place, held.order_id, [*taken, held])
        added = self.after.buys + self.after.sells - before.buys - before.sells
        self.reduces = added <= 0 or before.worst(asked.side) + added <= 0


def _covers(limit: risk_limit_pb2.RiskLimit, asked: order_pb2.NewOrder) -> bool:
    return (
        limit.account in ("", asked.account)
        and limit.strategy_id in ("", asked.strategy_id)
        and limit.instrument_id in ("", asked.instrument_id)
    )


def _like(asked: order_pb2.NewOrder) -> tuple[object, ...]:
    """In what two orders are alike."""
    price = asked.price if asked.HasField("price") else None
    stop_px = asked.stop_px if asked.HasField("stop_px") else None
    who = (asked.account, asked.strategy_id, asked.instrument_id)
    return (*who, asked.side, asked.order_qty, price, stop_px, asked.ord_type)
