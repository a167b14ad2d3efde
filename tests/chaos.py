"""Processes are killed and hindered while orders are in flight, with the exchange as the oracle.

The exchange is a process of its own that is never killed. Its list of orders and fills, and what
the clients were acknowledged, say afterwards whether anything was lost, sent twice or beyond a
limit. `make chaos N=300` runs it and prints what happened.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

from chaos_client import ChaosError, Client, Log
from chaos_oracle import (
    ACCOUNT,
    BTC,
    CASH,
    COINS,
    MAX_POSITION,
    Tally,
    acknowledged,
    differences,
    unsettled,
)

from aetherion.client import ServiceError, TradingClient, VenueClient
from aetherion.order import (
    CancelOrder,
    CommandAck,
    ExecType,
    NewOrder,
    NewOrderList,
    OrdRejReason,
    ReplaceOrder,
    Side,
    TimeInForce,
)
from aetherion.order_list import bracket, oco, oto
from aetherion.risk import RiskLimit, RiskLimits
from processes import (
    AETHERION,
    BIN,
    Service,
    clean_environment,
    client_environment,
    free_port,
    risk_service,
    trading_service,
)

CYCLES_A_CHECK = 10
SETTLE_S = 30.0
CALL_S = 5.0
LOSER = "loser"  # a strategy
# Where the Trading Service ends itself; see trading/internal/failpoint.
FAILPOINTS = (
    "before_ask",
    "asked",
    "decided",
    "torn_write",
    "full_write",
    "fsync_error",
    "appended",
    "published",
    "before_send",
    "sent",
    "heard",
    "epoch",
)
# What it lives with until it is killed: a disk that stays full, and steps of the clock by seconds.
HINDRANCES = {"full_disk": None, "clock back": -3600, "clock forward": 20}
KILLED = ("trading", "risk", "both")
FROZEN = ("frozen trading", "frozen risk")
KINDS = (*KILLED, *FROZEN, *FAILPOINTS, *HINDRANCES, "client", "second process")
PAUSE_S = 0.006  # between two messages
SLOWLY_S = 0.03  # where much time goes by
FAILPOINT_S = 3.0  # after which it is killed where it is
HINDRANCE_S = 0.3
CLIENT_S = 3.0  # in which a moment is awaited when the client waits for answers


Send = Callable[..., Awaitable[tuple[asyncio.Future[CommandAck], ...]]]


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
        self.log = Log(folder / "client.log", ACCOUNT, BTC)
        self.kinds: list[str] = []  # that are still to come before any comes again

    async def run(self, cycles: int) -> Tally:
        """Kill so many times with orders in flight, checking every so often and at the end."""
        began = time.monotonic()
        async with (
            VenueClient(self.venue) as venue,
            TradingClient(self.trading.address, timeout_s=CALL_S) as client,
        ):
            await self._limits(client)
            await self._look(venue)
            await self._latch(client)
            listening = asyncio.create_task(self._listen(client))
            with Client(self.log, self.trading.address, self.mid) as other:
                async with client.order_session("chaos", heartbeat_interval_s=0.5) as session:
                    while self.tally.cycles < cycles:
                        await self._look(venue)
                        await self._cycle(other, session.send)
                        if self.tally.cycles % CYCLES_A_CHECK == 0:
                            other.signal(signal.SIGSTOP)
                            await self._check(venue, client)
                            other.signal(signal.SIGCONT)
                    await asyncio.to_thread(other.finish, SETTLE_S)
                    await self._check(venue, client)
                    if waiting := self.log.waiting():
                        raise ChaosError(f"the client was never told of {waiting[:5]}")
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
        stop = RiskLimit(strategy_id=LOSER, max_drawdown=Decimal(2))
        limits = RiskLimits((limit, stop), market_order_band_bps=500, version=before.version)
        await client.set_limits(limits, changed_by="chaos", reason="to be reached")

    async def _latch(self, client: TradingClient) -> None:
        """Buy and sell until the fees latch the drawdown stop; being flat, no price moves it."""
        deadline = time.monotonic() + self.settle_s
        while not await self._stopped(client):
            while held := await self._held(client):
                if held > 0:
                    await client.submit_order(self._loser(Side.SELL, held))
                if time.monotonic() > deadline:
                    raise ChaosError(f"the strategy that is to be stopped still has {held}")
                await asyncio.sleep(0.05)

    async def _held(self, client: TradingClient) -> Decimal:
        """What the strategy that loses has; less than nothing while an order of it is open."""
        orders = await client.list_orders(ACCOUNT, open_only=True)
        if any(order.new_order.strategy_id == LOSER for order in orders):
            return Decimal(-1)
        positions = (await client.get_account(ACCOUNT)).strategy_positions
        return sum((p.net_qty for p in positions if p.strategy_id == LOSER), Decimal(0))

    async def _stopped(self, client: TradingClient) -> bool:
        """Whether an order that the drawdown stop refuses is refused for it."""
        ack = await client.submit_order(self._loser(Side.BUY, Decimal("0.05")))
        if ack.ord_rej_reason is OrdRejReason.RISK_UNAVAILABLE:
            return await self._stopped(client)
        reasons = {failure.ord_rej_reason for failure in ack.check_failures}
        return OrdRejReason.LOSS_LIMIT in reasons

    def _loser(self, side: Side, qty: Decimal) -> NewOrder:
        """An order of the strategy that loses, which fills at once."""
        self.tally.probes += 1
        return NewOrder(
            f"d{self.tally.probes}",
            ACCOUNT,
            BTC,
            side,
            qty,
            self._price(side, Decimal("-0.01")),
            time_in_force=TimeInForce.IOC,
            strategy_id=LOSER,
        )

    async def _look(self, venue: VenueClient) -> None:
        book = await venue.query_book(BTC)
        self.mid = (book.bids[0][0] + book.asks[0][0]) / 2

    async def _cycle(self, other: Client, send: Send) -> None:
        """Send commands until something happens; then undo it, and drain."""
        if not self.kinds:
            self.kinds = self.random.sample(KINDS, len(KINDS))
        kind = self.kinds.pop()
        if kind in KILLED:
            waiting = await self._kill(kind, send)
        elif kind in FROZEN:
            waiting = await self._freeze(kind, send)
        elif kind == "client":
            waiting = await self._kill_client(other, send)
        elif kind == "second process":
            waiting = await self._intrude(send)
        else:
            waiting = await self._reach(kind, send)
        await self._drain()
        if waiting or kind == "epoch":  # with which it does not even start
            self.tally.cycles += 1
            self.tally.in_flight += waiting
            self.tally.kinds[kind] += 1
        else:
            self.tally.idle += 1

    async def _kill(self, kind: str, send: Send) -> int:
        """Kill at a random time; return how many commands were in flight."""
        await self._send_for(0.02, 0.25, send)
        await self._send(send)
        waiting = self._waiting()
        both = (self.trading, self.risk)
        services = {"trading": both[:1], "risk": both[1:], "both": both}[kind]
        for service in services:
            service.kill()
        for service in reversed(services):
            await self._start(service)
        return waiting

    async def _freeze(self, kind: str, send: Send) -> int:
        """Stop a service where it is for a while, then let it go on."""
        service = self.trading if kind == "frozen trading" else self.risk
        await self._send_for(0.02, 0.1, send)
        service.freeze()
        try:
            await self._send_for(0.1, 0.6, send, SLOWLY_S)
            return self._waiting()
        finally:
            service.thaw()

    async def _kill_client(self, other: Client, send: Send) -> int:
        """Kill the other client while it waits for answers; the next one asks for them again."""
        deadline = time.monotonic() + CLIENT_S
        while time.monotonic() < deadline:
            await self._send_for(0.0, 0.05, send)
            if waiting := other.kill_in_flight():
                other.start()
                return waiting
        return 0

    async def _intrude(self, send: Send) -> int:
        """Start a second process on the journal: it must not even begin."""
        intruder = asyncio.create_task(asyncio.to_thread(self._second_process))
        waiting = 0
        while not intruder.done():
            await self._send(send)
            waiting = max(waiting, self._waiting())
            await asyncio.sleep(PAUSE_S)
        ended = await intruder
        if ended.returncode == 0 or "another process has it" not in ended.stderr:
            raise ChaosError(f"a second process took the journal: {ended}")
        return waiting

    def _second_process(self) -> subprocess.CompletedProcess[str]:
        address = f"127.0.0.1:{free_port()}"
        settings = self.trading.settings | {"AETHERION_TRADING_LISTEN": address}
        return subprocess.run(
            [BIN / self.trading.program],
            cwd=self.trading.folder,
            env=clean_environment(**settings),
            capture_output=True,
            text=True,
            timeout=SETTLE_S,
            check=False,
        )

    async def _reach(self, stage: str, send: Send) -> int:
        """Start the Trading Service so that it ends itself at a stage, and send until it has."""
        self.trading.kill()
        self.trading.settings["FAILPOINT"] = self._failpoint(stage)
        try:
            await self._start(self.trading)
        except ChaosError:  # the start comes by most of them
            if self.trading.running():
                raise
        deadline = time.monotonic() + (HINDRANCE_S if stage in HINDRANCES else FAILPOINT_S)
        while self.trading.running():
            if time.monotonic() > deadline:  # all orders may be refused for the limit
                await self._send(send)
                self.trading.kill()
            await self._send(send)
            await asyncio.sleep(SLOWLY_S if stage in HINDRANCES else PAUSE_S)
        waiting = self._waiting()
        del self.trading.settings["FAILPOINT"]
        await self._start(self.trading)
        return waiting

    async def _start(self, service: Service) -> None:
        """Start a service; it has no reason to refuse."""
        try:
            await asyncio.to_thread(service.start)
        except AssertionError as error:
            raise ChaosError(str(error)[-300:]) from None

    def _failpoint(self, stage: str) -> str:
        if seconds := HINDRANCES.get(stage):
            return f"clock:{seconds}"
        return f"{stage}:{1 if stage == 'epoch' else self.random.randint(1, 40)}"

    def _waiting(self) -> int:
        return sum(not answer.done() for answer in self.answers.values())

    async def _send_for(
        self, least_s: float, most_s: float, send: Send, pause_s: float = PAUSE_S
    ) -> None:
        end = time.monotonic() + self.random.uniform(least_s, most_s)
        while time.monotonic() < end:
            await self._send(send)
            await asyncio.sleep(pause_s)

    async def _send(self, send: Send) -> None:
        commands: list[NewOrder | NewOrderList | CancelOrder | ReplaceOrder] = []
        for _ in range(self.random.randint(1, 6)):
            number, draw = len(self.answers) + len(commands), self.random.random()
            if not self.orders or draw > 0.4:
                commands.append(self._order(f"o{number}"))
            elif draw > 0.35:
                commands.append(self._list(f"l{number}"))
            else:
                commands.append(self._change(number, self.random.choice(self.orders[-50:])))
        for command, answer in zip(commands, await send(*commands), strict=True):
            if isinstance(command, NewOrderList):
                self.answers[command.list_id] = answer
                self.orders += command.orders
                continue
            self.answers[command.cl_ord_id] = answer
            if isinstance(command, NewOrder):
                self.orders.append(command)

    def _change(self, number: int, order: NewOrder) -> CancelOrder | ReplaceOrder:
        if self.random.random() < 0.6 or order.price is None:
            return CancelOrder(f"c{number}", order.cl_ord_id, ACCOUNT)
        qty = order.order_qty * self.random.randint(1, 3)
        return ReplaceOrder(f"r{number}", order.cl_ord_id, ACCOUNT, BTC, qty, order.price)

    def _order(self, name: str) -> NewOrder:
        side = Side.BUY if self.random.random() < 0.65 else Side.SELL  # so that the limit is met
        qty = Decimal(self.random.randint(1, 60)).scaleb(-3)
        away = Decimal(self.random.randint(-15, 40)) / 10_000  # some take, most rest
        tif = TimeInForce.IOC if self.random.random() < 0.2 else TimeInForce.GTC
        return NewOrder(name, ACCOUNT, BTC, side, qty, self._price(side, away), time_in_force=tif)

    def _price(self, side: Side, away: Decimal) -> Decimal:
        price = self.mid * (1 - away if side is Side.BUY else 1 + away)
        return price.quantize(Decimal(1))

    def _list(self, name: str) -> NewOrderList:
        """A list of which no two orders that buy can be at the venue at once.

        Both legs of an OCO may fill while one is on its way to be canceled, and only one is held.
        """
        qty = Decimal(self.random.randint(1, 30)).scaleb(-3)
        near, far = (Decimal(self.random.randint(1, 30)) / 10_000 for _ in range(2))
        above, below = self._price(Side.SELL, near), self._price(Side.BUY, far)
        take = NewOrder(f"{name}-t", ACCOUNT, BTC, Side.SELL, qty, above)
        stop = NewOrder(f"{name}-s", ACCOUNT, BTC, Side.SELL, qty, stop_px=below)
        entry = NewOrder(f"{name}-e", ACCOUNT, BTC, Side.BUY, qty, self._price(Side.BUY, -near))
        match self.random.randrange(3):
            case 0:
                return oco(name, take, stop)
            case 1:
                return oto(name, entry, take)
            case _:
                return bracket(name, entry, take_profit=above, stop_loss=below)

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
        if not await self._stopped(client):
            raise ChaosError(f"{self.tally.cycles} cycles: the drawdown latch was forgotten")
        await venue.halt(BTC)
        await self._until_none(lambda: self._differences(venue, client))
        await venue.halt(BTC, False)

    async def _until_none(self, said: Callable[[], Awaitable[str]]) -> None:
        deadline = time.monotonic() + self.settle_s
        while True:
            try:
                reason = await said()
            except ServiceError as error:
                reason = str(error)
            if not reason:
                return
            if time.monotonic() > deadline:
                raise ChaosError(f"seed {self.tally.seed}, {self.tally.cycles} cycles: {reason}")
            await asyncio.sleep(0.1)

    async def _unsettled(self, client: TradingClient) -> str:
        return unsettled(await client.list_orders(ACCOUNT, open_only=True))

    async def _differences(self, venue: VenueClient, client: TradingClient) -> str:
        acks = {name: answer.result() for name, answer in self.answers.items() if answer.done()}
        told = acknowledged(acks) | self.log.read()[1]
        self.tally.acknowledged = len(acks) + len(self.log.read()[1])
        self.tally.approved = sum(a.exec_type is not ExecType.REJECTED for a in told.values())
        full = OrdRejReason.JOURNAL_FULL
        self.tally.full = sum(ack.ord_rej_reason is full for ack in acks.values())
        found, self.tally.fills = await differences(venue, client, told)
        return found


async def chaos(
    folder: Path,
    cycles: int,
    seed: int,
    *options: str,
    program: Path | None = None,
    settle_s: float = SETTLE_S,
) -> Tally:
    """Run so many cycles on an exchange of their own; `program` is another Trading Service."""
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
