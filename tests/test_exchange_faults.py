"""The venue misbehaves as planned: a client sees each fault, and asks for what puts it right."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from decimal import Decimal
from pathlib import Path

import pytest

from aetherion.client import (
    FailedPreconditionError,
    ServiceUnavailableError,
    TradeStream,
    VenueClient,
)
from aetherion.market_data import Batch, ColumnId, MarketDataKind
from aetherion.order import (
    CancelOrder,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    ReplaceOrder,
    Side,
)
from processes import BIN, free_port

BTC = "BTC-USDT.SIM"
Kind = ExecType


@contextmanager
def exchange(port: int, *flags: str) -> Iterator[None]:
    """The exchange, ready; killed on the way out."""
    process = subprocess.Popen(
        [BIN / "aetherion-exchange", f"--listen=127.0.0.1:{port}", *flags],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert "ready" in process.stdout.readline()
        yield
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def play(folder: Path, plan: str, story: Callable[[VenueClient], Awaitable[None]]) -> None:
    """Run a story on a venue with a plan of faults, whose accounts A and B have money and asset."""
    (folder / "plan").write_text(plan)
    port = free_port()

    async def run() -> None:
        async with VenueClient(f"127.0.0.1:{port}") as client:
            for account in ("A", "B"):
                await client.deposit(account, "USDT", Decimal(100_000))
                await client.deposit(account, "BTC", Decimal(2))
            await asyncio.wait_for(story(client), 20)

    with exchange(port, f"--faults={folder / 'plan'}"):
        asyncio.run(run())


def order(account: str, name: str, side: Side, price: str = "60000", qty: str = "1") -> NewOrder:
    """A limit order of bitcoin."""
    return NewOrder(name, account, BTC, side, Decimal(qty), Decimal(price))


class Session:
    """An account's stream, listened to all the time."""

    def __init__(self, stream: TradeStream) -> None:
        self.stream = stream
        self.send, self.beat = stream.send, stream.beat
        self.reports: list[ExecutionReport] = []
        self.ended = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while (report := await self.stream.receive()) is not None:
            self.reports.append(report)


@asynccontextmanager
async def trade(client: VenueClient, account: str) -> AsyncIterator[Session]:
    """A session from the account's first report on."""
    async with await client.trade(account) as stream:
        session = Session(stream)
        yield session
    with suppress(asyncio.CancelledError, ServiceUnavailableError):
        await session.ended


async def heard(session: Session, quiet_s: float = 0.4) -> list[ExecutionReport]:
    """All reports since the last time, once the venue is quiet."""
    known = -1
    while len(session.reports) > known:
        known = len(session.reports)
        await asyncio.sleep(quiet_s)
    reports, session.reports = session.reports, []
    return reports


async def trades(client: VenueClient) -> list[ExecutionReport]:
    """What A hears of two orders: the first rests, the second buys of B."""
    async with trade(client, "A") as a, trade(client, "B") as b:
        await b.send(order("B", "s", Side.SELL))
        await heard(b, 0.1)
        await a.send(order("A", "b", Side.BUY))
        return await heard(a)


async def faults(client: VenueClient) -> list[str]:
    """What the venue says that it did."""
    return [f.fault for f in await client.query_faults()]


def kinds(reports: list[ExecutionReport]) -> list[ExecType]:
    """What happened, in the order of hearing."""
    return [r.exec_type for r in reports]


# The reports: 1 NEW of B's offer, 2 NEW of A's bid, 3 A's fill, 4 B's fill.
@pytest.mark.parametrize(
    ("fault", "sequences", "resumed"),
    [
        ("at report 3 drop", [2], [2, 3]),
        ("at report 2 delay 200ms", [3, 2], [2, 3]),
        ("at report 3 duplicate", [2, 3, 3], [2, 3]),
        ("at report 2 reorder 1", [3, 2], [2, 3]),
        ("at fill 1 lose", [2], [2]),
    ],
)
def test_a_report_goes_wrong_and_a_resume_or_query_puts_it_right(
    tmp_path: Path, fault: str, sequences: list[int], resumed: list[int]
) -> None:
    """The client hears what the plan says; what a resume does not bring, QueryFills does."""

    async def story(client: VenueClient) -> None:
        assert [r.sequence for r in await trades(client)] == sequences
        async with trade(client, "A") as again:
            assert [r.sequence for r in await heard(again)] == resumed
            await again.beat(7)
            assert await heard(again, 0.2) == []
            assert again.stream.heartbeat == 7
        assert [r.sequence for r in await client.query_fills("A")] == [3]
        assert (await client.query_balances("A"))["BTC"].total.amount == 3
        assert await faults(client) == [fault]

    play(tmp_path, fault, story)


def test_a_fill_is_busted_or_corrected(tmp_path: Path) -> None:
    """Both sides are told, the books are as if the fill had been so, and an old bust is refused."""

    async def corrected(client: VenueClient) -> None:
        reports = await trades(client)
        assert kinds(reports) == [Kind.NEW, Kind.TRADE, Kind.TRADE_CORRECT]
        fill, correction = reports[1:]
        assert correction.exec_ref_id == fill.exec_id
        assert correction.last_px == Decimal("60000.01")
        balance = (await client.query_balances("A"))["USDT"].total.amount
        assert balance == Decimal(100_000) - Decimal("60000.01") * Decimal("1.0005")
        await client.cancel_trade(fill.exec_id)
        assert (await client.query_balances("A"))["USDT"].total.amount == 100_000
        with pytest.raises(FailedPreconditionError, match="must be a fill that stands"):
            await client.cancel_trade(fill.exec_id)

    async def busted(client: VenueClient) -> None:
        reports = await trades(client)
        assert kinds(reports) == [Kind.NEW, Kind.TRADE, Kind.TRADE_CANCEL]
        assert reports[2].exec_ref_id == reports[1].exec_id
        assert reports[2].cum_qty == 0
        for account in ("A", "B"):
            balances = await client.query_balances(account)
            assert {c: b.total.amount for c, b in balances.items()} == {
                "USDT": 100_000,
                "BTC": 2,
            }
        assert await faults(client) == ["at fill 1 bust"]

    (tmp_path / "b").mkdir()
    play(tmp_path, "at fill 1 correct price +1", corrected)
    play(tmp_path / "b", "at fill 1 bust", busted)


def test_an_order_fills_before_its_cancel_or_replace(tmp_path: Path) -> None:
    """The fill is real, and the cancel and the replace come too late."""

    async def story(client: VenueClient) -> None:
        async with trade(client, "A") as a:
            await a.send(order("A", "one", Side.BUY, "50000", "0.5"))
            await a.send(order("A", "two", Side.SELL, "70000", "0.5"))
            await heard(a, 0.2)
            await a.send(CancelOrder("c", "one", "A"))
            canceled = await heard(a, 0.2)
            await a.send(ReplaceOrder("r", "two", "A", BTC, Decimal(1), Decimal(71_000)))
            replaced = await heard(a, 0.2)
        for reports in (canceled, replaced):
            assert kinds(reports) == [Kind.TRADE, Kind.CANCEL_REJECTED]
            assert reports[0].ord_status is OrdStatus.FILLED
        balances = await client.query_balances("A")
        assert balances["BTC"].total.amount == 2
        assert balances["USDT"].total.amount == Decimal(110_000) - Decimal("6")  # maker's fees
        assert len(await client.query_fills("A")) == 2

    play(tmp_path, "at cancel 1 fill first\nat replace 1 fill first", story)


def test_orders_are_refused_in_a_storm(tmp_path: Path) -> None:
    """While it lasts every new order is refused, and cancels work."""

    async def story(client: VenueClient) -> None:
        async with trade(client, "A") as a:
            await a.send(order("A", "before", Side.BUY, "50000", "0.1"))
            assert kinds(await heard(a, 0.2)) == [Kind.NEW]
            await a.send(order("A", "odd", Side.BUY, "50000", "0.1"))
            assert kinds(await heard(a, 0.2)) == [Kind.REJECTED]
            await asyncio.sleep(2)
            await a.send(order("A", "storm", Side.BUY, "50000", "0.1"))
            await a.send(CancelOrder("c", "before", "A"))
            assert kinds(await heard(a, 0.2)) == [Kind.REJECTED, Kind.CANCELED]
        assert await faults(client) == ["at order 2 reject", "from 2s to 1m0s reject"]

    play(tmp_path, "at order 2 reject\nfrom 2s to 60s reject", story)


async def _exhaust(batches: AsyncIterator[Batch]) -> None:
    async for _ in batches:
        pass


def test_streams_are_cut_and_come_back(tmp_path: Path) -> None:
    """Both kinds of streams end, none starts for a while, and a resume brings what was missed."""

    async def story(client: VenueClient) -> None:
        async with trade(client, "A") as a:
            await a.send(order("A", "b", Side.BUY))
            rows = client.stream_market_data([BTC])
            await anext(rows)
            with pytest.raises(ServiceUnavailableError):
                await a.ended
            with pytest.raises(ServiceUnavailableError):
                await _exhaust(rows)
        with pytest.raises(ServiceUnavailableError):
            async with trade(client, "A") as refused:
                await refused.ended
        await asyncio.sleep(0.6)
        async with trade(client, "A") as again:
            assert kinds(await heard(again, 0.3)) == [Kind.NEW]

    play(tmp_path, "at 1s disconnect 500ms", story)


@pytest.mark.parametrize(("fault", "quotes"), [("stale", 0), ("crossed", 1)])
def test_market_data_is_wrong_for_a_while(tmp_path: Path, fault: str, quotes: int) -> None:
    """While it is wrong no quote is right; then the book comes whole, and is the venue's."""

    async def story(client: VenueClient) -> None:
        seen: list[tuple[int, int]] = []

        async def watch() -> None:
            async for batch in client.stream_market_data([BTC]):
                c = batch.columns
                for n in range(len(c[ColumnId.KIND])):
                    if c[ColumnId.KIND][n] == MarketDataKind.QUOTE.value:
                        seen.append((int(c[ColumnId.BID_PX][n]), int(c[ColumnId.ASK_PX][n])))

        async with trade(client, "A") as a:
            await a.send(order("A", "b", Side.BUY, "50000", "0.1"))
            await a.send(order("A", "s", Side.SELL, "60000", "0.1"))
            await heard(a, 0.2)
            watcher = asyncio.create_task(watch())
            await asyncio.sleep(1.5)
            right = seen[-1] if fault == "stale" else seen[0]
            during = len(seen)
            await a.send(order("A", "s2", Side.SELL, "59000", "0.1"))
            await heard(a, 0.2)
            wrong = seen[during:]
            assert len(wrong) == quotes
            assert all(bid > ask for bid, ask in wrong)
            await asyncio.sleep(1.5)
            watcher.cancel()
        assert right == (5_000_000, 6_000_000)
        assert seen[-1] == (5_000_000, 5_900_000)
        assert await faults(client) == [f"from 1s to 2.5s {fault}"]

    play(tmp_path, f"from 1s to 2500ms {fault}", story)


def test_money_is_conserved_with_a_live_market_and_random_faults(
    tmp_path: Path,
) -> None:
    """With everything at once a client trades, and its picture after queries is the venue's."""
    port = free_port()
    rates = "drop=.1,delay=.1,duplicate=.1,reorder=.1,lose=.1,bust=.2,correct=.2,reject=.1"
    flags = (
        "--flow",
        "--seed=3",
        f"--fault-rates={rates},cancel-fill=.3,replace-fill=.3",
    )

    async def run() -> None:
        async with VenueClient(f"127.0.0.1:{port}") as client:
            await client.deposit("A", "USDT", Decimal(1_000_000))
            await client.deposit("A", "BTC", Decimal(10))
            await asyncio.sleep(1)
            book = await client.query_book(BTC)
            assert book.bids
            assert book.asks
            async with trade(client, "A") as a:
                for n in range(60):
                    side = Side.BUY if n % 2 else Side.SELL
                    price = (book.asks if n % 2 else book.bids)[0][0]
                    await a.send(order("A", f"o{n}", side, str(price), "0.01"))
                    await a.send(CancelOrder(f"c{n}", f"o{n}", "A"))
                await heard(a, 1.5)
            fills = await client.query_fills("A")
            balances = await client.query_balances("A")
            assert len({f.split()[3] for f in await faults(client)}) >= 6
        assert len(fills) > 20
        usdt, btc = _settled(fills)
        assert balances["USDT"].total.amount == 1_000_000 + usdt
        assert balances["BTC"].total.amount == 10 + btc

    with exchange(port, *flags):
        asyncio.run(run())


def _settled(fills: list[ExecutionReport]) -> tuple[Decimal, Decimal]:
    """What fills come to, each as its last correction or bust left it."""
    stand: dict[str, ExecutionReport] = {}
    for fill in fills:
        stand[fill.exec_ref_id or fill.exec_id] = fill
    usdt, btc = Decimal(0), Decimal(0)
    for fill in stand.values():
        if fill.exec_type is ExecType.TRADE_CANCEL:
            continue
        sign = 1 if fill.side is Side.BUY else -1
        assert fill.commission is not None
        usdt -= sign * fill.last_qty * fill.last_px + fill.commission.amount
        btc += sign * fill.last_qty
    return usdt, btc
