"""Orders, positions and cash as order.proto and journal.proto describe them: plain, slow, readable.

What a journal says came in is applied to dictionaries, one event after the other;
`tests/test_model.py` compares what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from aetherion.v1 import instrument_pb2, journal_pb2, order_pb2
from aetherion.v1.order_pb2 import (
    CONTINGENCY_TYPE_BRACKET,
    CONTINGENCY_TYPE_OCO,
    CONTINGENCY_TYPE_OTO,
    CONTINGENCY_TYPE_OUO,
    EXEC_INST_CANCEL_ON_DISCONNECT,
    EXEC_TYPE_CANCEL_REJECTED,
    EXEC_TYPE_CANCELED,
    EXEC_TYPE_EXPIRED,
    EXEC_TYPE_NEW,
    EXEC_TYPE_REJECTED,
    EXEC_TYPE_REPLACED,
    EXEC_TYPE_RESTATED,
    EXEC_TYPE_TRADE,
    ORD_STATUS_CANCELED,
    ORD_STATUS_EXPIRED,
    ORD_STATUS_FILLED,
    ORD_STATUS_REJECTED,
    SIDE_BUY,
    TIME_IN_FORCE_DAY,
    TIME_IN_FORCE_GTD,
)
from model.orders import (
    ATTOS,
    DAY_NS,
    TRIGGERED_TYPES,
    Change,
    Holding,
    Order,
    Scope,
    came,
    in_scope,
    key_of,
    order_id_at,
    sign,
)

_OFF: dict[int, str] = {
    journal_pb2.TRADING_STATE_HALTED: "STATE_HALTED",
    journal_pb2.TRADING_STATE_CANCEL_ONLY: "STATE_CANCEL_ONLY",
}


class Engine:
    """All accounts of a journal."""

    def __init__(self) -> None:
        self.instruments: dict[str, instrument_pb2.Instrument] = {}
        self.orders: dict[int, Order] = {}
        self.names: dict[tuple[str, str], Order | None] = {}  # None: used for no order
        self.cash: dict[tuple[str, str], int] = {}  # by account and currency
        self.holdings: dict[tuple[str, str], Holding] = {}  # by account and instrument
        self.fills: set[tuple[str, str]] = set()  # by venue and exec_id
        self.open: dict[int, Order] = {}
        self.kills: dict[Scope, journal_pb2.KillSwitchChange] = {}
        self.states: dict[Scope, journal_pb2.TradingStateChange] = {}
        self.now = 0
        self.changed: dict[int, Order] = {}  # by the event at hand
        self.request = ""  # that the event at hand refuses, if it refuses one

    # One event

    def apply(self, event: journal_pb2.JournalEvent) -> dict[int, Order]:
        """Apply an event; return the orders that it changed."""
        self.changed, self.request = {}, ""
        self.now = event.transact_time_ns
        kind = event.WhichOneof("input")
        assert kind is not None
        getattr(self, f"_{kind}")(getattr(event, kind), event)
        for order in self.changed.values():
            if order.open:
                self.open[order.order_id] = order
            else:
                self.open.pop(order.order_id, None)
        return self.changed

    def _nothing(self, *_: object) -> None:
        """What changes no order, position or cash."""

    _mark = _account_opened = _limit_change = _fx_rates = _nothing
    _pretrade_model = _session_began = _nothing

    def _trading_state_change(self, change: journal_pb2.TradingStateChange, _: object) -> None:
        self.states[key_of(change.scope)] = change

    def _instrument(self, instrument: instrument_pb2.Instrument, _: object) -> None:
        self.instruments[instrument.instrument_id] = instrument

    def _adjustment(self, a: journal_pb2.Adjustment, _: object) -> None:
        if a.cash.currency:
            self.pay(a.account, a.cash.currency, a.cash.units * ATTOS + a.cash.attos)
        if a.instrument_id:
            held = self.holding(a.account, a.instrument_id)
            held.trade(a.qty, lambda qty: self.value(a.instrument_id, qty, a.price))
            self._reduce(a.account, a.instrument_id)

    def _new_order(
        self, decision: journal_pb2.OrderDecision, event: journal_pb2.JournalEvent
    ) -> None:
        order = self._take(event.sequence, decision.new_order, decision.session_id)
        self._admit(order, decision.approved)

    def _new_order_list(
        self, decision: journal_pb2.OrderListDecision, event: journal_pb2.JournalEvent
    ) -> None:
        listed = decision.new_order_list
        orders = [
            self._take(order_id_at(event.sequence, index), asked, decision.session_id)
            for index, asked in enumerate(listed.orders)
        ]
        self.names.setdefault((listed.account, listed.list_id), None)
        for order in orders:
            order.kind, order.orders = listed.contingency_type, orders
        for order in orders:
            self._admit(order, decision.approved)

    def _cancel_order(self, cancel: order_pb2.CancelOrder, _: object) -> None:
        order = self.names.get((cancel.account, cancel.orig_cl_ord_id))
        name, self.request = (cancel.account, cancel.cl_ord_id), cancel.cl_ord_id
        if name in self.names:
            return
        self.names[name] = order
        if order is not None:
            self._cancel(order, cancel.cl_ord_id)

    def _mass_cancel_orders(self, mass: order_pb2.MassCancelOrders, _: object) -> None:
        if (mass.account, mass.cl_ord_id) in self.names:
            return
        self.names[mass.account, mass.cl_ord_id] = None
        self._cancel_all(
            lambda asked: (
                asked.account == mass.account
                and mass.strategy_id in ("", asked.strategy_id)
                and mass.instrument_id in ("", asked.instrument_id)
                and mass.side in (0, asked.side)
            ),
            mass.cl_ord_id,
        )

    def _kill_switch_change(self, change: journal_pb2.KillSwitchChange, _: object) -> None:
        self.kills[key_of(change.scope)] = change
        if change.engaged:
            self._cancel_all(lambda asked: in_scope(change.scope, asked))

    def _session_lost(self, lost: journal_pb2.SessionLost, _: object) -> None:
        for order in self._open_orders():
            bound = EXEC_INST_CANCEL_ON_DISCONNECT in order.asked.exec_insts
            if bound and order.session == lost.session_id:
                self._cancel(order)

    def _replace_order(self, decision: journal_pb2.ReplaceDecision, _: object) -> None:
        asked = decision.replace_order
        self.request = asked.cl_ord_id
        order = self.names.get((asked.account, asked.orig_cl_ord_id))
        self.names.setdefault((asked.account, asked.cl_ord_id), order)
        if not decision.approved or order is None:
            return
        price = asked.price if asked.HasField("price") else None
        self.changed[order.order_id] = order
        if not order.held:
            order.change = Change(asked.order_qty, price, asked.cl_ord_id)
            return
        order.qty, order.price, order.name = asked.order_qty, price, asked.cl_ord_id
        if asked.HasField("stop_px"):
            order.stop_px = asked.stop_px

    def _triggered(self, triggered: journal_pb2.Triggered, _: object) -> None:
        order = self.orders.get(triggered.order_id)
        if order is None or not order.open or not order.held or order.waits:
            return
        stop_px = order.stop_px
        if stop_px is None or (triggered.price - stop_px) * sign(order.asked.side) < 0:
            return
        if self.switched_off(order.asked):
            self._cancel(order)
            return
        order.held, order.triggered = False, True
        self.changed[order.order_id] = order
        if order.kind == CONTINGENCY_TYPE_BRACKET and not order.is_first:
            self._cancel(order.orders[0])

    def _watermark(self, mark: journal_pb2.Watermark, _: object) -> None:
        order = self.orders.get(mark.order_id)
        if order is None or not order.open or not order.held or order.waits:
            return
        better = order.best is None or (mark.price - order.best) * sign(order.asked.side) < 0
        stop_px = self.behind(order.asked, mark.price)
        if better and stop_px != order.stop_px:
            order.best, order.stop_px = mark.price, stop_px

    def _timer(self, _timer: journal_pb2.Timer, _: object) -> None:
        for order in sorted(self._open_orders(), key=self._ends_ns):
            if self._ends_ns(order) > self.now or not order.open:
                continue
            if order.held:
                self._end(order, ORD_STATUS_EXPIRED)
            elif order.asked.time_in_force == TIME_IN_FORCE_GTD and not order.canceling:
                order.expiring = True
                self._cancel(order)

    def _order_in_doubt(self, doubt: journal_pb2.OrderInDoubt, _: object) -> None:
        order = self.orders.get(doubt.order_id)
        if order is not None and order.open and not order.held and not order.doubt:
            order.doubt = True
            self.changed[order.order_id] = order

    def _venue_report(self, report: journal_pb2.VenueReport, _: object) -> None:
        order = self.orders.get(report.order_id)
        if order is None:
            return
        fill = (report.venue, report.exec_id)
        if report.exec_type == EXEC_TYPE_TRADE:
            if fill not in self.fills:
                self.fills.add(fill)
                self._fill(order, report)
            return
        what = {
            EXEC_TYPE_NEW: self._venue_new,
            EXEC_TYPE_CANCELED: self._venue_ended,
            EXEC_TYPE_EXPIRED: self._venue_ended,
            EXEC_TYPE_REJECTED: self._venue_ended,
            EXEC_TYPE_CANCEL_REJECTED: self._venue_refused,
            EXEC_TYPE_REPLACED: self._venue_replaced,
            EXEC_TYPE_RESTATED: self._venue_replaced,
        }[report.exec_type]
        what(order, report)

    # What a venue says

    def _venue_new(self, order: Order, _: journal_pb2.VenueReport) -> None:
        if order.open and not order.known:
            order.known, order.doubt = True, False
            self.changed[order.order_id] = order

    def _venue_ended(self, order: Order, report: journal_pb2.VenueReport) -> None:
        if not order.open:
            return
        status = {
            EXEC_TYPE_CANCELED: ORD_STATUS_EXPIRED if order.expiring else ORD_STATUS_CANCELED,
            EXEC_TYPE_EXPIRED: ORD_STATUS_EXPIRED,
            EXEC_TYPE_REJECTED: ORD_STATUS_REJECTED,
        }[report.exec_type]
        self._end(order, status)

    def _venue_refused(self, order: Order, _: journal_pb2.VenueReport) -> None:
        """A replace was refused, which goes out before a cancel and never after it, or a cancel."""
        self.changed[order.order_id], self.request = order, order.cancel_name
        if order.change is not None:
            change, order.change = order.change, None
            self.request = change.name or ""
            if change.name is None and change.qty < order.qty:
                self._cancel(order)
            else:
                self._ask_venue(order)
        elif order.canceling:
            order.canceling = order.expiring = False
            self._ask_venue(order)

    def _venue_replaced(self, order: Order, report: journal_pb2.VenueReport) -> None:
        change = order.change
        if change is None and not order.open:
            return
        self.changed[order.order_id] = order
        if change is not None and report.exec_type == EXEC_TYPE_REPLACED:
            order.change = None
            order.qty, order.price = change.qty, change.price
            order.name = change.name or order.name
        order.qty = report.order_qty or order.qty
        if report.HasField("price") and order.price is not None:
            order.price = report.price
        order.known, order.doubt = True, False
        if order.ended == ORD_STATUS_FILLED and order.cum < order.qty:
            order.ended = 0
        elif order.open and order.cum >= order.qty:
            self._end(order, ORD_STATUS_FILLED)
        self._ask_venue(order)

    def _fill(self, order: Order, report: journal_pb2.VenueReport) -> None:
        asked, qty = order.asked, report.last_qty
        self.changed[order.order_id] = order
        order.cum += qty
        order.known, order.doubt = True, False
        signed = sign(asked.side) * qty
        held = self.holding(asked.account, asked.instrument_id)
        before = held.realized
        held.trade(signed, lambda q: self.value(asked.instrument_id, q, report.last_px))
        instrument = self.instruments[asked.instrument_id]
        paid = self.value(asked.instrument_id, signed, report.last_px)
        if instrument.instrument_class == instrument_pb2.INSTRUMENT_CLASS_FUTURE:
            paid = before - held.realized
        self.pay(asked.account, instrument.quote_currency, -paid)
        fee = report.commission.units * ATTOS + report.commission.attos
        if fee:
            held.fees += fee
            self.pay(asked.account, report.commission.currency, -fee)
        if order.cum >= order.qty and order.open:
            self._end(order, ORD_STATUS_FILLED)
        self._after_fill(order, qty)
        self._reduce(asked.account, asked.instrument_id)

    # What orders of a list do to each other

    def _after_fill(self, order: Order, qty: int) -> None:
        if order.kind == CONTINGENCY_TYPE_OCO:
            for other in order.others:
                self._cancel(other)
        elif order.kind == CONTINGENCY_TYPE_OUO:
            for other in order.others:
                if other.open:
                    self._resize(other, other.target - qty)
        elif order.kind == CONTINGENCY_TYPE_OTO:
            if order.is_first and order.ended == ORD_STATUS_FILLED:
                for other in order.others:
                    self._release(other, other.qty)
        elif order.kind == CONTINGENCY_TYPE_BRACKET:
            self._size_exits(order.orders)
            if not order.is_first:
                self._cancel(order.orders[0])

    def _size_exits(self, orders: list[Order]) -> None:
        """Each exit works for what the entry has filled, less what the other exits have."""
        entry, *exits = orders
        for order in exits:
            want = entry.cum - sum(other.cum for other in exits if other is not order)
            want = min(want, order.cum + self._reducible(order, want - order.cum))
            if not order.open:
                continue
            if order.waits:
                self._release(order, want)
            elif want != order.target:
                self._resize(order, want)

    def _release(self, order: Order, qty: int) -> None:
        """The first order of the list has brought this one about."""
        if not order.open or not order.waits:
            return
        qty = min(qty, self._reducible(order, order.qty))
        is_sent = order.asked.ord_type not in TRIGGERED_TYPES
        if qty <= 0 or (is_sent and self.switched_off(order.asked)):
            self._cancel(order)
            return
        if is_sent or qty != order.qty:  # else it goes on waiting, for its trigger now
            self.changed[order.order_id] = order
        order.qty, order.waits, order.held = qty, False, not is_sent

    def _resize(self, order: Order, qty: int) -> None:
        """We change the quantity of an order; what leaves nothing to do ends it."""
        if qty <= order.cum:
            self._cancel(order)
        elif order.held:
            order.qty = qty
            self.changed[order.order_id] = order
        else:
            order.want = qty
            self._ask_venue(order)

    def _ask_venue(self, order: Order) -> None:
        """Ask for the quantity that we want, one change at a time."""
        if order.want is None or not order.open or order.canceling or order.change is not None:
            return
        want, order.want = order.want, None
        if want == order.qty:
            return
        if want <= order.cum:
            self._cancel(order)
            return
        order.change = Change(want, order.price, None)
        self.changed[order.order_id] = order

    def _reduce(self, account: str, instrument_id: str) -> None:
        """Cut down the orders that may only reduce a position that has moved."""
        for order in self._open_orders():
            asked = order.asked
            if not order.reduce_only or order.waits or not order.open:
                continue
            if (asked.account, asked.instrument_id) != (account, instrument_id):
                continue
            left = self.against(asked)
            if order.target - order.cum > left:
                self._resize(order, order.cum + left)

    def _reducible(self, order: Order, qty: int) -> int:
        return min(qty, self.against(order.asked)) if order.reduce_only else qty

    # Orders begin and end

    def _take(self, order_id: int, asked: order_pb2.NewOrder, session: str) -> Order:
        order = Order(
            order_id,
            asked,
            session,
            self.now,
            name=asked.cl_ord_id,
            qty=asked.order_qty,
            price=asked.price if asked.HasField("price") else None,
            stop_px=asked.stop_px if asked.HasField("stop_px") else None,
        )
        order.orders = [order]
        self.orders[order_id] = self.changed[order_id] = order
        self.names.setdefault((asked.account, asked.cl_ord_id), order)
        return order

    def _admit(self, order: Order, approved: bool) -> None:
        if not approved:
            order.ended = ORD_STATUS_REJECTED
            return
        chained = order.kind in (CONTINGENCY_TYPE_OTO, CONTINGENCY_TYPE_BRACKET)
        order.waits = chained and not order.is_first
        order.held = order.waits or order.asked.ord_type in TRIGGERED_TYPES

    def _cancel(self, order: Order, name: str = "") -> None:
        if not order.open or order.canceling:
            return
        if order.held:
            self._end(order, ORD_STATUS_CANCELED)
        else:
            order.canceling, order.cancel_name = True, name
            self.changed[order.order_id] = order

    def _cancel_all(self, matches: Callable[[order_pb2.NewOrder], bool], name: str = "") -> None:
        for order in self._open_orders():
            if matches(order.asked):
                self._cancel(order, name)

    def _end(self, order: Order, status: int) -> None:
        order.ended = status
        order.held = order.waits = order.canceling = order.doubt = False
        if status != ORD_STATUS_FILLED:
            order.change = None
        self.changed[order.order_id] = order
        chained = order.kind in (CONTINGENCY_TYPE_OTO, CONTINGENCY_TYPE_BRACKET)
        if chained and order.is_first and status != ORD_STATUS_FILLED:
            for other in order.others:
                if other.waits:
                    self._cancel(other)

    def _open_orders(self) -> Iterable[Order]:
        live = {**self.open, **{i: o for i, o in self.changed.items() if o.open}}
        return [live[i] for i in sorted(live, key=came) if live[i].open]

    def _ends_ns(self, order: Order) -> int:
        if order.asked.time_in_force == TIME_IN_FORCE_GTD:
            return order.asked.expire_time_ns
        if order.asked.time_in_force == TIME_IN_FORCE_DAY and order.held:
            return (order.came_ns // DAY_NS + 1) * DAY_NS
        return 2**63

    def switched_off(self, asked: order_pb2.NewOrder) -> set[str]:
        """Why nothing may be sent of an order, in the engine's own eyes."""
        states = [s for s in self.states.values() if in_scope(s.scope, asked)]
        names = {_OFF[s.trading_state] for s in states if s.trading_state in _OFF}
        kills = (k for k in self.kills.values() if k.engaged and in_scope(k.scope, asked))
        return names | {"KILL_SWITCH"} if any(kills) else names

    # Numbers

    def holding(self, account: str, instrument_id: str) -> Holding:
        return self.holdings.setdefault((account, instrument_id), Holding())

    def against(self, asked: order_pb2.NewOrder) -> int:
        """The quantity of the position that an order reduces."""
        return max(0, -sign(asked.side) * self.holding(asked.account, asked.instrument_id).qty)

    def left_to_reduce(
        self, asked: order_pb2.NewOrder, *, waits: bool, but: Order | None = None
    ) -> int:
        """What of it no other reduce-only order works on at the venue; all, for one that waits."""
        left = self.against(asked)
        if waits:
            return left
        for order in self._open_orders():
            same = (order.asked.account, order.asked.instrument_id, order.asked.side) == (
                asked.account,
                asked.instrument_id,
                asked.side,
            )
            if same and order is not but and order.reduce_only and not order.held:
                left -= order.leaves
        return max(0, left)

    def pay(self, account: str, currency: str, attos: int) -> None:
        self.cash[account, currency] = self.cash.get((account, currency), 0) + attos

    def value(self, instrument_id: str, qty: int, px: int) -> int:
        """The worth of a quantity at a price, in 10^-18 of the quote currency."""
        i = self.instruments[instrument_id]
        unit = Fraction(ATTOS, 10 ** (i.price_scale + i.qty_scale))
        worth = qty * px * Fraction(i.multiplier.mantissa, 10**i.multiplier.scale) * unit
        return round(worth)

    def behind(self, asked: order_pb2.NewOrder, best: int) -> int:
        """The trigger price of a trailing stop that has seen `best`, on a tick, away from it."""
        tick = self.instruments[asked.instrument_id].price_increment
        distance = Fraction(asked.trailing_amount)
        if asked.trailing_bps:
            distance = abs(best) * Fraction(asked.trailing_bps, 10_000)
        exact = best + sign(asked.side) * distance
        ticks = exact / tick
        if asked.side == SIDE_BUY:
            return -(-ticks.numerator // ticks.denominator) * tick
        return ticks.numerator // ticks.denominator * tick
