"""The venue as a process: two accounts trade, it is killed, and it is the same afterwards."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from aetherion.client import (
    DeadlineError,
    FailedPreconditionError,
    InvalidArgumentError,
    TradeStream,
    VenueClient,
)
from aetherion.market_data import ColumnId, MarketDataKind
from aetherion.order import (
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    ReplaceOrder,
    Side,
)
from aetherion.v1 import order_pb2
from processes import AETHERION, client_environment, free_port

BTC = "BTC-USDT.SIM"
Levels = dict[tuple[int, int], int]  # (side, price) to quantity


@contextmanager
def exchange(port: int, log: Path) -> Iterator[subprocess.Popen[str]]:
    """The exchange, ready; killed on the way out, as by a crash."""
    process = subprocess.Popen(
        [AETHERION, "exchange", "--listen", f"127.0.0.1:{port}", "--log", log],
        stdout=subprocess.PIPE,
        text=True,
        env=client_environment(log.parent),
    )
    try:
        assert process.stdout is not None
        assert "ready" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def order(account: str, name: str, side: Side, qty: str, price: str) -> NewOrder:
    """A limit order of bitcoin."""
    return NewOrder(name, account, BTC, side, Decimal(qty), Decimal(price))


async def take(stream: TradeStream, count: int) -> list[ExecutionReport]:
    """The next reports."""
    found = []
    for _ in range(count):
        report = await stream.receive(10)
        assert report is not None
        found.append(report)
    return found


async def follow(client: VenueClient, until: Levels) -> None:
    """Keep a book from market data, as any client would, until it is this one."""
    levels: Levels = {}
    async for batch in client.stream_market_data([BTC]):
        columns = batch.columns
        for row in range(len(columns[ColumnId.KIND])):
            if columns[ColumnId.KIND][row] != MarketDataKind.BOOK_LEVEL.value:
                continue
            if columns[ColumnId.BOOK_FLAGS][row] & 4:
                levels.clear()
            key = (
                int(columns[ColumnId.BOOK_SIDE][row]),
                int(columns[ColumnId.BOOK_PX][row]),
            )
            levels[key] = int(columns[ColumnId.BOOK_QTY][row])
            if not levels[key]:
                del levels[key]
        if levels == until:
            return


async def follow_orders(client: VenueClient, until: Levels) -> None:
    """Keep every order of a book from market data, until its levels are these."""
    orders: dict[int, tuple[tuple[int, int], int]] = {}
    async for batch in client.stream_market_data([BTC], orders=True):
        columns = batch.columns
        for row in range(len(columns[ColumnId.KIND])):
            if columns[ColumnId.KIND][row] != MarketDataKind.BOOK_ORDER.value:
                continue
            if columns[ColumnId.BOOK_FLAGS][row] & 4:
                orders.clear()
            level = (
                int(columns[ColumnId.BOOK_SIDE][row]),
                int(columns[ColumnId.BOOK_PX][row]),
            )
            number = int(columns[ColumnId.BOOK_ORDER_ID][row])
            orders[number] = level, int(columns[ColumnId.BOOK_QTY][row])
            if not orders[number][1]:
                del orders[number]
        levels: Levels = {}
        for level, qty in orders.values():
            levels[level] = levels.get(level, 0) + qty
        if levels == until:
            return


async def trade(client: VenueClient) -> list[ExecutionReport]:
    """Two accounts trade; the reports of the first."""
    await client.deposit("A", "USDT", Decimal(100_000))
    await client.deposit("B", "BTC", Decimal(2))
    async with await client.trade("A") as a, await client.trade("B") as b:
        await b.send(order("B", "s1", Side.SELL, "1", "60000"))
        await b.send(order("B", "s2", Side.SELL, "0.5", "61000"))
        await take(b, 2)
        await a.send(order("A", "b1", Side.BUY, "1.2", "60500"))
        reports = await take(a, 2)
        await a.send(ReplaceOrder("b2", "b1", "A", BTC, Decimal("1.1"), Decimal("60400")))
        reports += await take(a, 1)
        await a.send(order("A", "b3", Side.BUY, "9", "60000"))
        reports += await take(a, 1)
        await b.mass_cancel()
        await take(b, 2)
    return reports


def test_two_accounts_trade_and_a_killed_venue_is_the_same_again(
    tmp_path: Path,
) -> None:
    """Reports, queries and market data agree, before and after kill -9."""
    asyncio.run(_kill_and_compare(tmp_path / "log", free_port()))


async def _kill_and_compare(log: Path, port: int) -> None:
    target = f"127.0.0.1:{port}"
    with exchange(port, log):
        async with VenueClient(target) as client:
            levels = {(1, 6_040_000): 10_000}
            follower = asyncio.gather(follow(client, levels), follow_orders(client, levels))
            reports = await trade(client)
            kinds = [r.exec_type for r in reports]
            assert kinds == [
                ExecType.NEW,
                ExecType.TRADE,
                ExecType.REPLACED,
                ExecType.REJECTED,
            ]
            fills = await client.query_fills("A")
            assert fills == [reports[1]]
            orders = await client.query_orders("A", open_only=True)
            assert [o.last_report for o in orders] == [reports[2]]
            assert reports[2].ord_status is OrdStatus.PARTIALLY_FILLED
            book, balances = (
                await client.query_book(BTC, with_state_hash=True),
                await client.query_balances("A"),
            )
            assert book.bids == ((Decimal("60400"), Decimal("0.1")),)
            assert book.asks == ()
            await asyncio.wait_for(follower, 10)
    with exchange(port, log):
        async with VenueClient(target) as client:
            assert await client.query_book(BTC, with_state_hash=True) == book
            assert await client.query_balances("A") == balances
            assert await client.query_fills("A") == fills
            async with await client.trade("A", reports[1].sequence) as a:
                assert await take(a, 2) == reports[2:]
                await a.send(order("A", "b1", Side.BUY, "1.2", "60500"))
                (again,) = await take(a, 1)
                assert again == reports[2]


def test_a_bad_client_harms_neither_the_venue_nor_its_own_account(
    tmp_path: Path,
) -> None:
    """What nobody defined or could hold is refused, and all goes on."""
    asyncio.run(_misbehave(tmp_path / "log", free_port()))


async def _misbehave(log: Path, port: int) -> None:
    with exchange(port, log) as process:
        async with VenueClient(f"127.0.0.1:{port}") as client:
            much = Decimal(9 * 10**18)
            await client.deposit("A", "ZZZ", much)
            with pytest.raises(FailedPreconditionError, match="must be countable"):
                await client.deposit("A", "ZZZ", much)
            async with await client.trade("A") as a:
                with pytest.raises(DeadlineError):
                    await a.receive(0.1)
                unknown = order_pb2.NewOrder(
                    cl_ord_id="x", account="A", instrument_id=BTC, order_qty=1000
                )
                unknown.side = 3  # type: ignore[assignment]
                await a.send_message(unknown)
                (report,) = await take(a, 1)
                assert report.text == "side: must be BUY or SELL, got 3"
                assert [o.last_report for o in await client.query_orders("A")] == [report]
            async with await client.trade("A", report.sequence) as a:
                long = order_pb2.NewOrder(
                    cl_ord_id="y",
                    account="A",
                    instrument_id=BTC,
                    strategy_id="s" * 3_000_000,
                )
                await a.send_message(long)
                with pytest.raises(InvalidArgumentError, match="command: must have at most 16384"):
                    await a.receive(10)
            assert len(await client.query_orders("A")) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
