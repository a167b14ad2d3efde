"""What the engine itself refuses, as order.proto says what fields must be.

Of an order with several faults any of them may be the reason: the order in which they are looked
for is nobody's business. So these are sets.
"""

from __future__ import annotations

from aetherion.v1 import order_pb2
from aetherion.v1.order_pb2 import (
    CONTINGENCY_TYPE_BRACKET,
    CONTINGENCY_TYPE_OTO,
    CONTINGENCY_TYPE_OUO,
    EXEC_INST_POST_ONLY,
    EXEC_INST_REDUCE_ONLY,
    ORD_TYPE_LIMIT,
    ORD_TYPE_STOP,
    ORD_TYPE_STOP_LIMIT,
    ORD_TYPE_TRAILING_STOP,
    TIME_IN_FORCE_FOK,
    TIME_IN_FORCE_GTD,
    TIME_IN_FORCE_IOC,
)
from model.engine import Engine
from model.orders import TRIGGERED_TYPES, reduces

_LIMITS = (ORD_TYPE_LIMIT, ORD_TYPE_STOP_LIMIT)
_STOPS = (ORD_TYPE_STOP, ORD_TYPE_STOP_LIMIT)


def of_order(
    engine: Engine, order: order_pb2.NewOrder, now: int, *, waits: bool = False
) -> set[str]:
    """Why the engine refuses an order."""
    faults = engine.switched_off(order)
    if (order.account, order.cl_ord_id) in engine.names:
        faults.add("DUPLICATE_ORDER")
    is_gtd = order.time_in_force == TIME_IN_FORCE_GTD
    if is_gtd != bool(order.expire_time_ns) or (is_gtd and order.expire_time_ns <= now):
        faults.add("INVALID_FIELD")
    immediate = order.time_in_force in (TIME_IN_FORCE_IOC, TIME_IN_FORCE_FOK)
    rests = order.ord_type in _LIMITS and not immediate
    if EXEC_INST_POST_ONLY in order.exec_insts and not rests:
        faults.add("INVALID_FIELD")
    if order.instrument_id not in engine.instruments:
        return faults | {"UNKNOWN_INSTRUMENT"}
    faults |= _of_qty(engine, order.instrument_id, order.order_qty)
    faults |= _of_prices(engine, order)
    if EXEC_INST_REDUCE_ONLY in order.exec_insts and not waits:
        left = engine.left_to_reduce(order, waits=order.ord_type in TRIGGERED_TYPES)
        faults |= {"REDUCE_ONLY"} if order.order_qty > left else set()
    return faults


def of_list(engine: Engine, listed: order_pb2.NewOrderList, now: int) -> list[set[str]]:
    """Why the engine refuses each order of a list."""
    kind, first = listed.contingency_type, listed.orders[0]
    used = (listed.account, listed.list_id) in engine.names
    chained = kind in (CONTINGENCY_TYPE_OTO, CONTINGENCY_TYPE_BRACKET)
    found = []
    for n, order in enumerate(listed.orders):
        faults = of_order(engine, order, now, waits=chained and n > 0)
        faults |= {"DUPLICATE_ORDER"} if used else set()
        if kind != CONTINGENCY_TYPE_OTO:
            is_exit = kind == CONTINGENCY_TYPE_BRACKET and n > 0
            same_side = (order.side == first.side) != is_exit
            if order.instrument_id != first.instrument_id or not same_side:
                faults.add("INVALID_FIELD")
            if is_exit and order.order_qty != first.order_qty:
                faults.add("INVALID_QTY")
        found.append(faults)
    return found


def of_replace(engine: Engine, replace: order_pb2.ReplaceOrder) -> set[str]:
    """Why the engine refuses a replace."""
    order = engine.names.get((replace.account, replace.orig_cl_ord_id))
    faults = set()
    if (replace.account, replace.cl_ord_id) in engine.names:
        faults.add("DUPLICATE_CL_ORD_ID")
    if order is None:
        return faults | {"UNKNOWN_ORDER"}
    if not order.open:
        return faults | {"TOO_LATE"}
    if order.canceling or order.change is not None:
        faults.add("ALREADY_PENDING")
    waits_for_stop = order.asked.HasField("stop_px") and not order.triggered
    left = replace.order_qty - order.cum
    keeps_qty = order.kind in (CONTINGENCY_TYPE_OUO, CONTINGENCY_TYPE_BRACKET)
    refused = (
        (not reduces(order, replace) and bool(engine.switched_off(order.asked)))
        or replace.HasField("price") != order.asked.HasField("price")
        or replace.HasField("stop_px") != waits_for_stop
        or left <= 0
        or (keeps_qty and replace.order_qty != order.qty)
        or (
            order.reduce_only
            and not order.waits
            and left > engine.left_to_reduce(order.asked, waits=order.held, but=order)
        )
        or (
            replace.order_qty != order.qty
            and bool(_of_qty(engine, order.asked.instrument_id, replace.order_qty))
        )
        or any(
            px % engine.instruments[order.asked.instrument_id].price_increment or px <= 0
            for px, given in (
                (replace.price, replace.HasField("price")),
                (replace.stop_px, replace.HasField("stop_px")),
            )
            if given
        )
    )
    return faults | ({"REFUSED"} if refused else set())


def _of_qty(engine: Engine, name: str, qty: int) -> set[str]:
    i = engine.instruments[name]
    fits = qty > 0 and qty % i.qty_increment == 0 and qty >= i.min_qty
    return set() if fits and (not i.max_qty or qty <= i.max_qty) else {"INVALID_QTY"}


def _of_prices(engine: Engine, order: order_pb2.NewOrder) -> set[str]:
    tick = engine.instruments[order.instrument_id].price_increment
    trails = order.ord_type == ORD_TYPE_TRAILING_STOP
    amounts = bool(order.trailing_amount) + bool(order.trailing_bps)
    prices = [order.price] * order.HasField("price") + [order.stop_px] * order.HasField("stop_px")
    fits = (
        order.HasField("price") == (order.ord_type in _LIMITS)
        and order.HasField("stop_px") == (order.ord_type in _STOPS)
        and amounts == (1 if trails else 0)
        and order.trailing_amount % tick == 0
        and all(px > 0 and px % tick == 0 for px in prices)
    )
    return set() if fits else {"INVALID_PRICE"}
