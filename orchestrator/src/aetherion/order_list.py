"""Lists of orders that depend on each other: each is accepted or refused as one."""

from __future__ import annotations

from aetherion.errors import AetherionError
from aetherion.exact import Number, to_decimal
from aetherion.order import ContingencyType, NewOrder, NewOrderList, Side, TimeInForce


def oco(list_id: str, *orders: NewOrder) -> NewOrderList:
    """One cancels the other: the first fill of one cancels the others.

    For orders of one instrument and side, as a take-profit and a stop-loss of a position.
    """
    return _listed(list_id, ContingencyType.OCO, orders)


def oto(list_id: str, *orders: NewOrder) -> NewOrderList:
    """One triggers the other: all but the first wait until the first is filled in full."""
    return _listed(list_id, ContingencyType.OTO, orders)


def ouo(list_id: str, *orders: NewOrder) -> NewOrderList:
    """One updates the other: a fill of one reduces the others by its quantity."""
    return _listed(list_id, ContingencyType.OUO, orders)


def bracket(
    list_id: str,
    entry: NewOrder,
    *,
    take_profit: Number | None = None,
    stop_loss: Number | None = None,
) -> NewOrderList:
    """An entry with a limit order and a stop that end what it fills.

    Args:
        take_profit: price of the limit order, named as the entry with "-tp".
        stop_loss: trigger price of the stop, named as the entry with "-sl".

    With each fill of the entry its exits work for the quantity filled so far, and a fill of one
    reduces the other. For other exits, as a trailing stop, make the `NewOrderList` yourself.
    """
    exits = []
    if take_profit is not None:
        exits.append(_exit(entry, "tp", price=take_profit))
    if stop_loss is not None:
        exits.append(_exit(entry, "sl", stop_px=stop_loss))
    return _listed(list_id, ContingencyType.BRACKET, (entry, *exits))


def _exit(
    entry: NewOrder, name: str, *, price: Number | None = None, stop_px: Number | None = None
) -> NewOrder:
    return NewOrder(
        cl_ord_id=f"{entry.cl_ord_id}-{name}",
        account=entry.account,
        instrument_id=entry.instrument_id,
        side=Side.SELL if entry.side is Side.BUY else Side.BUY,
        order_qty=entry.order_qty,
        price=None if price is None else to_decimal(price, "take_profit"),
        stop_px=None if stop_px is None else to_decimal(stop_px, "stop_loss"),
        time_in_force=TimeInForce.GTC,
        strategy_id=entry.strategy_id,
    )


def _listed(
    list_id: str, contingency_type: ContingencyType, orders: tuple[NewOrder, ...]
) -> NewOrderList:
    if len(orders) < 2:
        raise AetherionError(f"orders: a list has at least 2, got {len(orders)}")
    return NewOrderList(list_id, orders[0].account, contingency_type, orders)
