"""What must hold after a kill: ours against the venue's list of orders, fills and balances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from chaos_client import Acknowledged

from aetherion.client import TradingClient, VenueClient
from aetherion.order import (
    CommandAck,
    ExecType,
    ExecutionReport,
    Order,
    OrdRejReason,
    OrdStatus,
    RejectedBy,
    Side,
)

ACCOUNT = "CHAOS"
BTC = "BTC-USDT.SIM"
CASH = Decimal(50_000_000)
COINS = Decimal(100)
MAX_POSITION = COINS + Decimal("0.3")  # reached often


@dataclass
class Tally:
    """What happened."""

    seed: int
    cycles: int = 0  # that counted: orders were in flight when it happened
    idle: int = 0  # that did not
    kinds: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    approved: int = 0
    full: int = 0  # commands that were refused because the disk was full
    fills: int = 0
    reports: int = 0  # heard, each once and in order
    in_flight: int = 0  # summed over the cycles
    doubted: int = 0  # orders that were in doubt at some time
    probes: int = 0  # orders that the drawdown stop had to refuse
    seconds: float = 0.0

    def __str__(self) -> str:
        """One line a figure."""
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(self.kinds.items()))
        return "\n".join(
            (
                f"seed {self.seed}: {self.cycles} cycles in {self.seconds:.0f} s "
                f"({self.idle} more without orders in flight)",
                f"by kind: {kinds}; {self.in_flight / max(1, self.cycles):.1f} commands in flight "
                "on average",
                f"{self.acknowledged} commands acknowledged, {self.approved} orders approved, "
                f"{self.full} commands refused for a full disk, "
                f"{self.fills} fills, {self.reports} reports, {self.doubted} orders once in doubt",
                "0 acknowledged orders lost, 0 at the venue twice, 0 fills missing, "
                f"0 beyond a limit, 0 left in doubt, 0 of {self.probes} past a drawdown stop",
            )
        )


def acknowledged(acks: Mapping[str, CommandAck]) -> dict[str, Acknowledged]:
    """Return what was said of each order, those of lists too."""
    told = {}
    for name, ack in acks.items():
        for one in ack.list_acks or ((ack,) if name.startswith("o") else ()):
            told[one.cl_ord_id] = Acknowledged(one.order_id, one.exec_type, one.ord_rej_reason)
    return told


async def differences(
    venue: VenueClient, client: TradingClient, told: Mapping[str, Acknowledged]
) -> tuple[str, int]:
    """Return the first thing that must not be, empty when there is none, and the venue's fills."""
    ours = {o.new_order.cl_ord_id: o for o in await client.list_orders(ACCOUNT)}
    fills = {f.exec_id: f for f in await client.list_fills(ACCOUNT)}
    account = await client.get_account(ACCOUNT)
    theirs = await _all_orders(venue)
    their_fills = await _all_fills(venue)
    balances = await venue.query_balances(ACCOUNT)
    position = {p.instrument_id: p.net_qty for p in account.positions}.get(BTC, Decimal(0))
    cash = next((b.amount for b in account.balances if b.currency == "USDT"), Decimal(0))
    found = (
        _lost(told, ours)
        or _twice_or_missing(ours, theirs)
        or _different_fills(fills, their_fills)
        or _beyond_the_limit(their_fills)
        or _could_pass_the_limit(position, theirs)
        or _differ("position", position, balances["BTC"].total.amount)
        or _differ("cash", cash, balances["USDT"].total.amount)
    )
    return found, len(their_fills)


def unsettled(open_orders: tuple[Order, ...]) -> str:
    """Return the first order that the venue may still have to get."""
    waiting = (OrdStatus.IN_DOUBT, OrdStatus.PENDING_NEW)
    found = [o for o in open_orders if report(o).ord_status in waiting]
    return f"not settled: {found[0]}" if found else ""


def report(order: Order) -> ExecutionReport:
    """Return the last report of an order."""
    assert order.last_report is not None  # every order has one
    return order.last_report


def _differ(what: str, ours: Decimal, theirs: Decimal) -> str:
    return "" if ours == theirs else f"{what} {ours}, the venue has {theirs}"


def _lost(told: Mapping[str, Acknowledged], ours: Mapping[str, Order]) -> str:
    """Every acknowledged order is there as it was acknowledged."""
    for name, ack in told.items():
        order = ours.get(name)
        if ack.ord_rej_reason is OrdRejReason.JOURNAL_FULL:
            if order is not None:
                return f"order {name} was refused for a full disk, and is there: {order}"
            continue
        if order is None:
            return f"order {name}, acknowledged as {ack}, is lost"
        if report(order).order_id != ack.order_id or _refused(order) != (
            ack.exec_type is ExecType.REJECTED
        ):
            return f"order {name} was acknowledged as {ack}, is {report(order)}"
    return ""


def _refused(order: Order) -> bool:
    """Whether it was never to be sent."""
    return report(order).rejected_by in (RejectedBy.ENGINE, RejectedBy.RISK) and (
        report(order).ord_status is OrdStatus.REJECTED
    )


def _held(order: Order) -> bool:
    """Whether it waits with us, or ended while it did: only orders of lists wait."""
    waited = (OrdStatus.SUSPENDED, OrdStatus.CANCELED, OrdStatus.EXPIRED)
    last = report(order)
    return bool(last.list_id) and not last.venue_order_id and last.ord_status in waited


def _twice_or_missing(ours: Mapping[str, Order], theirs: list[Order]) -> str:
    """What was approved is at the venue, once, and in the same state; what was not is not."""
    at_venue = Counter(_order_id(o) for o in theirs)
    twice = [order_id for order_id, count in at_venue.items() if count > 1]
    if twice:
        return f"at the venue twice: {twice[:5]}"
    by_id = {_order_id(o): report(o) for o in theirs}
    for name, order in ours.items():
        here = report(order)
        there = by_id.pop(here.order_id, None)
        if there is None and not _refused(order) and not _held(order):
            return f"order {name} was approved and is not at the venue: {here}"
        if there is not None and _refused(order):
            return f"order {name} was refused and is at the venue: {there}"
        if there and (here.cum_qty, here.leaves_qty) != (there.cum_qty, there.leaves_qty):
            return f"order {name} is {here}, the venue says {there}"
    return f"at the venue, and unknown to us: {sorted(by_id)[:5]}" if by_id else ""


def _order_id(order: Order) -> int:
    """Our id, in the venue's name for an order."""
    return int(order.new_order.cl_ord_id.split("-")[1], 36)


def _different_fills(ours: dict[str, ExecutionReport], theirs: dict[str, ExecutionReport]) -> str:
    if missing := theirs.keys() - ours.keys():
        return f"{len(missing)} fills are missing: {sorted(missing)[:5]}"
    if unknown := ours.keys() - theirs.keys():
        return f"{len(unknown)} fills are not the venue's: {sorted(unknown)[:5]}"
    for exec_id, fill in theirs.items():
        if (fill.last_qty, fill.last_px) != (ours[exec_id].last_qty, ours[exec_id].last_px):
            return f"fill {exec_id} is {ours[exec_id]}, the venue says {fill}"
    return ""


def _beyond_the_limit(theirs: dict[str, ExecutionReport]) -> str:
    """The position never passed the limit, in the order in which the venue traded."""
    position = COINS
    for fill in sorted(theirs.values(), key=lambda f: f.sequence):
        position += fill.last_qty if fill.side is Side.BUY else -fill.last_qty
        if abs(position) > MAX_POSITION:
            return f"position {position} after {fill.exec_id}, the limit is {MAX_POSITION}"
    return ""


def _could_pass_the_limit(position: Decimal, theirs: list[Order]) -> str:
    """Nor would it if all that works on one side were filled."""
    for side, sign in ((Side.BUY, 1), (Side.SELL, -1)):
        works = sum(report(o).leaves_qty for o in theirs if o.new_order.side is side)
        if sign * position + works > MAX_POSITION:
            return f"position {position} and {works} that works at {side}, limit {MAX_POSITION}"
    return ""


async def _all_orders(venue: VenueClient) -> list[Order]:
    found: list[Order] = []
    after = ""
    while page := await venue.query_orders(ACCOUNT, after=after):
        found += page
        after = report(page[-1]).venue_order_id
    return found


async def _all_fills(venue: VenueClient) -> dict[str, ExecutionReport]:
    found: dict[str, ExecutionReport] = {}
    after = ""
    while page := await venue.query_fills(ACCOUNT, after=after):
        found |= {f.exec_id: f for f in page}
        after = page[-1].exec_id
    return found
