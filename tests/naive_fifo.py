"""The rules of a recorded book of orders, told anew and slowly: what exact FIFO is held against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

# Time, price and whether it rested; size; order. Prices and sizes in units.
SizedFill = tuple[int, int, str, int, int]


@dataclass(eq=False)
class Member:
    """An order in the book, recorded or ours."""

    number: int
    bid: bool
    px: int
    leaves: int
    arrival: int
    ours: bool
    taken: int = 0  # of a recorded order by ours

    def before(self, other: Member) -> bool:
        """Say whether this one of the same side has priority."""
        better = self.px > other.px if self.bid else self.px < other.px
        return better or (self.px == other.px and self.arrival < other.arrival)

    def meets(self, other: Member) -> bool:
        """Say whether this one can trade with another of the other side."""
        return self.px >= other.px if self.bid else self.px <= other.px


class NaiveBook:
    """Members in no order; every question looks at all of them."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.arrivals = 0
        self.time = 0
        self.fills: list[SizedFill] = []

    def join(self, member: Member) -> None:
        self.arrivals += 1
        member.arrival = self.arrivals
        self.members.append(member)

    def queue(self, *, bid: bool) -> Iterator[Member]:
        """Give the members of a side in their priority."""
        side = [m for m in self.members if m.bid == bid]
        yield from sorted(side, key=lambda m: (-m.px if bid else m.px, m.arrival))

    def fill(self, member: Member, qty: int, px: int, maker: str) -> None:
        member.leaves -= qty
        self.fills.append((self.time, px, maker, qty, member.number))
        if member.leaves == 0 and maker == "true":
            self.members.remove(member)

    def row(self, number: int, action: str, px: int, size: int, *, bid: bool) -> None:
        """A recorded order is added, has less left or moves, or is gone."""
        known = next((m for m in self.members if not m.ours and m.number == number), None)
        if known is None and action != "add":
            return
        left = 0 if action == "delete" else size
        traded = action == "modify" or (action == "delete" and size == 0)
        if known is not None and (known.bid, known.px) == (bid, px) and left <= known.leaves:
            if traded:
                self.give_turns(known, known.leaves - left)
            known.leaves = left
            if left == 0:
                self.members.remove(known)
        else:
            if known is not None:
                self.members.remove(known)
            if left:
                taken = 0 if known is None else known.taken
                self.join(Member(number, bid, px, left, 0, False, taken))
        self.settle()

    def give_turns(self, traded: Member, qty: int) -> None:
        """Fill ours that would have traded before a recorded order that did."""
        for m in list(self.queue(bid=traded.bid)):
            if m.ours and qty and m.before(traded):
                part = min(qty, m.leaves)
                qty -= part
                self.fill(m, part, m.px, "true")

    def settle(self) -> None:
        """Fill ours that are the first of their side from recorded orders that meet them."""
        for bid in (True, False):
            if not any(m.ours and m.bid == bid for m in self.members):
                continue
            for first in list(self.queue(bid=bid)):
                if not first.ours:
                    break
                parts = sum(qty for _, qty in self.take(first))
                if parts:
                    self.fill(first, parts, first.px, "true")
                if first.leaves:
                    break

    def take(self, ours: Member) -> list[tuple[int, int]]:
        """Take for an order of ours from the other side; return price and size of each part."""
        parts, wanted = [], ours.leaves
        for m in self.queue(bid=not ours.bid):
            part = min(wanted, m.leaves - m.taken)
            if not m.ours and ours.meets(m) and part > 0:
                m.taken += part
                wanted -= part
                parts.append((m.px, part))
        return parts

    def submit(self, ours: Member) -> None:
        """An order of ours arrives."""
        for px, part in self.take(ours):
            self.fill(ours, part, px, "false")
        if ours.leaves:
            self.join(ours)

    def cancel(self, number: int) -> None:
        """A cancel of ours arrives."""
        self.members = [m for m in self.members if not (m.ours and m.number == number)]


def naive_fills(
    book: list[dict[str, str]],
    orders: list[dict[str, str]],
    latency_ns: int,
    scales: tuple[int, int],
) -> list[SizedFill]:
    """Play a script against a recorded book; return what filled, sorted."""

    def units(text: str, scale: int) -> int:
        return int(Decimal(text).scaleb(scale))

    naive = NaiveBook()
    upcoming = iter([*orders, None])
    order = next(upcoming)
    for row in book:
        time = int(row["ts_recv_ns"])
        while order is not None and int(order["decided_ns"]) + latency_ns < time:
            naive.time, number = int(order["decided_ns"]) + latency_ns, int(order["order_id"])
            if order["action"] == "cancel":
                naive.cancel(number)
            else:
                px, qty = units(order["price"], scales[0]), units(order["size"], scales[1])
                naive.submit(Member(number, order["side"] == "B", px, qty, 0, True))
            order = next(upcoming)
        naive.time = time
        px, size = units(row["price"], scales[0]), units(row["size"], scales[1])
        naive.row(int(row["order_id"]), row["action"], px, size, bid=row["side"] == "B")
    return sorted(naive.fills)
