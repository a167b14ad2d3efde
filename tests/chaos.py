"""Kill -9 of the services while orders are in flight, with the exchange as the oracle.

The exchange is a process of its own that is never killed. Its list of orders and fills, and what
the client was acknowledged, say afterwards whether anything was lost, sent twice or beyond a limit.
`make chaos N=300` runs it and prints what happened.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from aetherion.client import ServiceError, TradingClient, VenueClient
from aetherion.order import (
    CancelOrder,
    CommandAck,
    ExecType,
    ExecutionReport,
    NewOrder,
    Order,
    OrdStatus,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from aetherion.risk import RiskLimit, RiskLimits
from processes import (
    AETHERION,
    client_environment,
    free_port,
    risk_service,
    trading_service,
)

ACCOUNT = "CHAOS"
BTC = "BTC-USDT.SIM"
CASH = Decimal(50_000_000)
COINS = Decimal(100)
MAX_POSITION = COINS + Decimal("0.3")  # reached often
CYCLES_A_CHECK = 5
SETTLE_S = 30.0
# Where the Trading Service ends itself; see trading/internal/failpoint.
FAILPOINTS = (
    "before_ask",
    "asked",
    "decided",
    "torn_write",
    "appended",
    "published",
    "before_send",
    "sent",
    "heard",
    "epoch",
)
RANDOM_TARGETS = ("trading", "risk", "both")
FAILPOINT_S = 3.0  # after which it is killed where it is


Send = Callable[..., Awaitable[tuple[asyncio.Future[CommandAck], ...]]]


class ChaosError(AssertionError):
    """Something was lost, doubled, or beyond a limit."""


@dataclass
class Tally:
    """What happened."""

    seed: int
    cycles: int = 0  # that counted: orders were in flight when the kill landed
    idle: int = 0  # that did not
    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    approved: int = 0
    fills: int = 0
    reports: int = 0  # heard, each once and in order
    in_flight: int = 0  # summed over the cycles
    doubted: int = 0  # orders that were in doubt at some time
    seconds: float = 0.0

    def __str__(self) -> str:
        """One line a figure."""
        kills = ", ".join(f"{name} {count}" for name, count in sorted(self.kills.items()))
        return "\n".join(
            (
                f"seed {self.seed}: {self.cycles} cycles in {self.seconds:.0f} s "
                f"({self.idle} more without orders in flight)",
                f"killed: {kills}; {self.in_flight / max(1, self.cycles):.1f} commands in flight "
                "on average",
                f"{self.acknowledged} commands acknowledged, {self.approved} orders approved, "
                f"{self.fills} fills, {self.reports} reports, {self.doubted} orders once in doubt",
                "0 acknowledged orders lost, 0 at the venue twice, 0 fills missing, "
                "0 beyond a limit, 0 left in doubt",
            )
        )


@contextmanager
def exchange(folder: Path, *options: str) -> Iterator[str]:
    """The exchange with a flow of orders; its address."""
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [AETHERION, "exchange", "--listen", address, "--log", folder / "venue", "--flow", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=client_environment(folder),
    )
    try:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


class Chaos:
    """One run: the services, a client that never stops sending, and what it was told."""

    def __init__(self, folder: Path, seed: int, venue: str) -> None:
        self.random = random.Random(seed)
        self.tally = Tally(seed)
        self.settle_s = SETTLE_S
        self.venue = venue
        self.risk = risk_service(folder, free_port())
        self.trading = trading_service(
            folder,
            free_port(),
            self.risk.address,
            AETHERION_TRADING_VENUE_ADDRESS=venue,
            AETHERION_TRADING_ACCOUNT=ACCOUNT,
            AETHERION_TRADING_INITIAL_CASH="0 USDT",
            AETHERION_TRADING_JOURNAL_DIR=str(folder / "journal"),
            AETHERION_TRADING_RISK_TIMEOUT_MS="1000",
            AETHERION_TRADING_DATA_DIR=str(folder),
        )
        self.trading.program = "aetherion-trading-failpoints"
        self.answers: dict[str, asyncio.Future[CommandAck]] = {}
        self.orders: list[NewOrder] = []  # all that were sent
        self.mid = Decimal(0)

    async def run(self, cycles: int) -> Tally:
        """Kill so many times with orders in flight, checking every so often and at the end."""
        began = time.monotonic()
        async with (
            VenueClient(self.venue) as venue,
            TradingClient(self.trading.address, timeout_s=SETTLE_S) as client,
        ):
            await self._limits(client)
            listening = asyncio.create_task(self._listen(client))
            async with client.order_session("chaos", heartbeat_interval_s=0.5) as session:
                while self.tally.cycles < cycles:
                    await self._cycle(venue, session.send)
                    if self.tally.cycles % CYCLES_A_CHECK == 0:
                        await self._check(venue, client)
                await self._check(venue, client)
            listening.cancel()
            await asyncio.wait([listening])
            if not listening.cancelled():
                listening.result()
        self.tally.seconds = time.monotonic() - began
        return self.tally

    async def _listen(self, client: TradingClient) -> None:
        """Follow all reports over every kill; the client refuses a gap or a duplicate."""
        async for report in client.stream_execution_reports(ACCOUNT):
            self.tally.reports += 1
            self.tally.doubted += report.exec_type is ExecType.IN_DOUBT

    async def _limits(self, client: TradingClient) -> None:
        before = await client.get_limits()
        limit = RiskLimit(max_position_qty=MAX_POSITION)
        limits = RiskLimits((limit,), market_order_band_bps=500, version=before.version)
        await client.set_limits(limits, changed_by="chaos", reason="to be reached")

    async def _cycle(self, venue: VenueClient, send: Send) -> None:
        """Send commands until a kill lands; then start again what was killed, and drain."""
        book = await venue.query_book(BTC)
        self.mid = (book.bids[0][0] + book.asks[0][0]) / 2
        target = self.random.choice((*RANDOM_TARGETS, *FAILPOINTS))
        if target in RANDOM_TARGETS:
            waiting = await self._kill(target, send)
        else:
            waiting = await self._reach(target, send)
        await self._drain()
        if waiting or target == "epoch":  # with which it does not even start
            self.tally.cycles += 1
            self.tally.in_flight += waiting
            self.tally.kills[target] += 1
        else:
            self.tally.idle += 1

    async def _kill(self, target: str, send: Send) -> int:
        """Kill at a random time; return how many commands were in flight."""
        await self._send_until(time.monotonic() + self.random.uniform(0.02, 0.25), send)
        await self._send(send)
        waiting = self._waiting()
        both = (self.trading, self.risk)
        services = {"trading": both[:1], "risk": both[1:], "both": both}[target]
        for service in services:
            service.kill()
        for service in reversed(services):
            await asyncio.to_thread(service.start)
        return waiting

    async def _reach(self, stage: str, send: Send) -> int:
        """Start the Trading Service so that it ends itself at a stage, and send until it has."""
        self.trading.kill()
        self.trading.settings["FAILPOINT"] = (
            f"{stage}:{1 if stage == 'epoch' else self.random.randint(1, 40)}"
        )
        try:
            await asyncio.to_thread(self.trading.start)
        except AssertionError:
            if not self.trading.was_killed():
                raise
        deadline = time.monotonic() + FAILPOINT_S
        while self.trading.running():
            if time.monotonic() > deadline:  # all orders may be refused for the limit
                self.trading.kill()
            await self._send(send)
            await asyncio.sleep(0.002)
        waiting = self._waiting()
        del self.trading.settings["FAILPOINT"]
        await asyncio.to_thread(self.trading.start)
        return waiting

    def _waiting(self) -> int:
        return sum(not answer.done() for answer in self.answers.values())

    async def _send_until(self, end: float, send: Send) -> None:
        while time.monotonic() < end:
            await self._send(send)
            await asyncio.sleep(0.002)

    async def _send(self, send: Send) -> None:
        commands: list[NewOrder | CancelOrder | ReplaceOrder] = []
        for _ in range(self.random.randint(1, 8)):
            number, kind = len(self.answers) + len(commands), self.random.random()
            if not self.orders or kind > 0.4:
                commands.append(self._order(f"o{number}"))
                continue
            order = self.random.choice(self.orders[-50:])
            if kind > 0.15:
                commands.append(CancelOrder(f"c{number}", order.cl_ord_id, ACCOUNT))
            else:
                qty = order.order_qty * self.random.randint(1, 3)
                commands.append(
                    ReplaceOrder(f"r{number}", order.cl_ord_id, ACCOUNT, BTC, qty, order.price)
                )
        for command, answer in zip(commands, await send(*commands), strict=True):
            self.answers[command.cl_ord_id] = answer
            if isinstance(command, NewOrder):
                self.orders.append(command)

    def _order(self, name: str) -> NewOrder:
        side = Side.BUY if self.random.random() < 0.65 else Side.SELL  # so that the limit is met
        qty = Decimal(self.random.randint(1, 60)).scaleb(-3)
        away = Decimal(self.random.randint(-15, 40)) / 10_000  # some take, most rest
        price = self.mid * (1 - away if side is Side.BUY else 1 + away)
        tif = TimeInForce.IOC if self.random.random() < 0.2 else TimeInForce.GTC
        return NewOrder(
            name, ACCOUNT, BTC, side, qty, price.quantize(Decimal(1)), time_in_force=tif
        )

    async def _drain(self) -> None:
        """Wait for the answers to all that was sent."""
        waiting = [answer for answer in self.answers.values() if not answer.done()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self.settle_s)
            if late:
                raise ChaosError(f"{len(late)} commands have no answer after {self.settle_s:.0f} s")

    async def _check(self, venue: VenueClient, client: TradingClient) -> None:
        """Compare what we have with what the venue has, while nothing trades."""
        await self._drain()
        await self._until_none(lambda: self._unsettled(client))
        await venue.halt(BTC)
        await self._until_none(lambda: self._differences(venue, client))
        await venue.halt(BTC, False)

    async def _until_none(self, said: Callable[[], Awaitable[str]]) -> None:
        deadline = time.monotonic() + self.settle_s
        while reason := await said():
            if time.monotonic() > deadline:
                raise ChaosError(f"seed {self.tally.seed}, {self.tally.cycles} cycles: {reason}")
            await asyncio.sleep(0.1)

    async def _unsettled(self, client: TradingClient) -> str:
        """Orders that the venue may still have to get."""
        try:
            orders = await client.list_orders(ACCOUNT, open_only=True)
        except ServiceError as error:
            return str(error)
        waiting = (OrdStatus.IN_DOUBT, OrdStatus.PENDING_NEW)
        unsettled = [o for o in orders if _report(o).ord_status in waiting]
        return f"not settled: {unsettled[0]}" if unsettled else ""

    async def _differences(self, venue: VenueClient, client: TradingClient) -> str:
        try:
            ours = {o.new_order.cl_ord_id: o for o in await client.list_orders(ACCOUNT)}
            fills = {f.exec_id: f for f in await client.list_fills(ACCOUNT)}
            account = await client.get_account(ACCOUNT)
        except ServiceError as error:
            return str(error)
        theirs = await _all_orders(venue)
        their_fills = await _all_fills(venue)
        balances = await venue.query_balances(ACCOUNT)
        self.tally.fills = len(their_fills)
        position = {p.instrument_id: p.net_qty for p in account.positions}.get(BTC, Decimal(0))
        cash = next((b.amount for b in account.balances if b.currency == "USDT"), Decimal(0))
        return (
            self._lost(ours)
            or self._twice_or_missing(ours, theirs)
            or _different_fills(fills, their_fills)
            or _beyond_the_limit(their_fills)
            or _could_pass_the_limit(position, theirs)
            or (
                ""
                if position == balances["BTC"].total.amount
                else f"position {position}, the venue has {balances['BTC'].total}"
            )
            or (
                ""
                if cash == balances["USDT"].total.amount
                else f"cash {cash}, the venue has {balances['USDT'].total}"
            )
        )

    def _lost(self, ours: dict[str, Order]) -> str:
        """Every acknowledged order is there as it was acknowledged."""
        acks = [a.result() for name, a in self.answers.items() if name.startswith("o") and a.done()]
        self.tally.acknowledged = sum(a.done() for a in self.answers.values())
        self.tally.approved = sum(a.exec_type is ExecType.PENDING_NEW for a in acks)
        for ack in acks:
            order = ours.get(ack.cl_ord_id)
            if order is None:
                return f"order {ack.cl_ord_id}, acknowledged at {ack.sequence}, is lost"
            order_id = _report(order).order_id
            if order_id != ack.order_id:
                return f"order {ack.cl_ord_id} was acknowledged as {ack.order_id}, is {order_id}"
        return ""

    def _twice_or_missing(self, ours: dict[str, Order], theirs: list[Order]) -> str:
        """What was approved is at the venue, once, and in the same state; what was not is not."""
        at_venue = Counter(_order_id(o) for o in theirs)
        twice = [order_id for order_id, count in at_venue.items() if count > 1]
        if twice:
            return f"at the venue twice: {twice[:5]}"
        by_id = {_order_id(o): _report(o) for o in theirs}
        for name, order in ours.items():
            here = _report(order)
            there = by_id.get(here.order_id)
            approved = self.answers[name].result().exec_type is ExecType.PENDING_NEW
            if approved and there is None:
                return f"order {name} was approved and is not at the venue"
            if not approved and there is not None:
                return f"order {name} was refused and is at the venue"
            if there and (here.cum_qty, here.leaves_qty) != (there.cum_qty, there.leaves_qty):
                return f"order {name} is {here}, the venue says {there}"
        return ""


def _report(order: Order) -> ExecutionReport:
    assert order.last_report is not None  # every order has one
    return order.last_report


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
        works = sum(_report(o).leaves_qty for o in theirs if o.new_order.side is side)
        if sign * position + works > MAX_POSITION:
            return f"position {position} and {works} that works at {side}, limit {MAX_POSITION}"
    return ""


async def _all_orders(venue: VenueClient) -> list[Order]:
    found: list[Order] = []
    after = ""
    while page := await venue.query_orders(ACCOUNT, after=after):
        found += page
        after = _report(page[-1]).venue_order_id
    return found


async def _all_fills(venue: VenueClient) -> dict[str, ExecutionReport]:
    found: dict[str, ExecutionReport] = {}
    after = ""
    while page := await venue.query_fills(ACCOUNT, after=after):
        found |= {f.exec_id: f for f in page}
        after = page[-1].exec_id
    return found


async def chaos(
    folder: Path,
    cycles: int,
    seed: int,
    *options: str,
    program: Path | None = None,
    settle_s: float = SETTLE_S,
) -> Tally:
    """Run so many cycles on an exchange of their own; `program` is another Trading Service.

    What has not settled after `settle_s` is an error.
    """
    with exchange(folder, "--seed", str(seed), *options) as address, ExitStack() as services:
        async with VenueClient(address) as venue:
            await venue.deposit(ACCOUNT, "USDT", CASH)
            await venue.deposit(ACCOUNT, "BTC", COINS)
            for _ in range(100):
                book = await venue.query_book(BTC)
                if book.bids and book.asks:
                    break
                await asyncio.sleep(0.05)
        run = Chaos(folder, seed, address)
        run.settle_s = settle_s
        if program:
            run.trading.program = str(program)
        services.enter_context(run.risk)
        services.enter_context(run.trading)
        return await run.run(cycles)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault-rates", default="", help="of the exchange, such as drop=0.01")
    arguments = parser.parse_args()
    options = ("--fault-rates", arguments.fault_rates) if arguments.fault_rates else ()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(chaos(Path(folder), arguments.cycles, arguments.seed, *options)))


if __name__ == "__main__":
    main()
