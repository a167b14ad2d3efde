"""A live session on a market that goes up and down like a wave, and a trader in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aetherion.client import TradingClient
from aetherion.order import (
    CommandAck,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdStatus,
    Side,
)
from aetherion.risk import RiskLimit, RiskLimits
from processes import Service, aetherion, free_port, trading_service

ACCOUNT = "A1"
INSTRUMENT = "WAVE.SIM"
# Prices of a wave, each for so many bars of a second: from 100 up to 108, down to 92, and back.
STEPS = (100, 102, 104, 106, 108, 106, 104, 102, 100, 98, 96, 94, 92, 94, 96, 98)
BARS_A_STEP = 5
BARS_A_SECOND = 40  # of real time: a wave takes two seconds
WAVES = 60


def market_data(folder: Path) -> Path:
    """Import the wave as the data set "wave"; return the data directory."""
    begin = datetime(2024, 1, 2, 10, tzinfo=UTC)
    lines = ["time,open,high,low,close,volume"]
    prices = [price for price in STEPS for _ in range(BARS_A_STEP)] * WAVES
    for second, price in enumerate(prices):
        at = (begin + timedelta(seconds=second)).isoformat()
        lines.append(f"{at},{price},{price},{price},{price}.00,1000000")
    file = folder / "WAVE.csv"
    file.write_text("\n".join(lines))
    options = ("--name", "wave", "--kind", "bar", "--interval", "1s", "--price-scale", "2")
    done = aetherion("data", "import", str(file), *options, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "data"


@contextmanager
def session(folder: Path, data_dir: Path, risk: Service, **settings: str) -> Iterator[Service]:
    """A Trading Service on the journal in `folder`, live on the wave."""
    with trading_service(
        folder,
        free_port(),
        risk.address,
        **{
            "AETHERION_TRADING_DATA_DIR": str(data_dir),
            "AETHERION_TRADING_REPLAY_DATA_SET": "wave",
            "AETHERION_TRADING_REPLAY_SPEED": str(BARS_A_SECOND),
            "AETHERION_TRADING_ACCOUNT": ACCOUNT,
            "AETHERION_TRADING_RISK_TIMEOUT_MS": "5000",
            "AETHERION_TRADING_JOURNAL_DIR": str(folder / "journal"),
        }
        | settings,
    ) as trading:
        yield trading


def order(name: str, side: Side, qty: int, price: str | None = None, **fields: Any) -> NewOrder:
    """An order of the wave's account."""
    limit = None if price is None else Decimal(price)
    return NewOrder(name, ACCOUNT, INSTRUMENT, side, Decimal(qty), limit, **fields)


async def set_limits(client: TradingClient, *limits: RiskLimit, band_bps: int = 0) -> None:
    """Replace all limits."""
    version = (await client.get_limits()).version
    wanted = RiskLimits(limits, market_order_band_bps=band_bps, version=version)
    await client.set_limits(wanted, changed_by="risk desk", reason="test")


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes."""
    for _ in range(2_000):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("timed out")


class Trader:
    """Follows all reports of the account, over restarts of the service too."""

    def __init__(self, client: TradingClient) -> None:
        self.client = client
        self.reports: list[ExecutionReport] = []
        self._came = asyncio.Event()
        self._began = asyncio.Event()

    async def follow(self) -> None:
        """Read reports for ever."""
        async for report in self.client.stream_execution_reports(ACCOUNT):
            self.reports.append(report)
            self._came.set()

    async def watch(self) -> None:
        """Read the market, which waits for its readers."""
        async for _ in self.client.stream_market_data():
            self._began.set()

    async def began(self) -> None:
        """Wait until the market has a price."""
        await self._began.wait()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the reports make a condition true."""
        while not condition():
            self._came.clear()
            await self._came.wait()

    async def status(self, name: str, *wanted: OrdStatus) -> ExecutionReport:
        """Wait until an order, by its first name, is where it should be; return that report."""
        await self.until(lambda: self.last(name) is not None and self.now(name) in wanted)
        report = self.last(name)
        assert report is not None
        return report

    def now(self, name: str) -> OrdStatus:
        """Where an order is."""
        report = self.last(name)
        assert report is not None, name
        return report.ord_status

    def last(self, name: str) -> ExecutionReport | None:
        """The newest report of an order, by its first name."""
        found = self.of(name)
        return found[-1] if found else None

    def of(self, name: str) -> list[ExecutionReport]:
        """All reports of an order, by its first name."""
        ids = {r.order_id for r in self.reports if r.cl_ord_id == name and r.order_id}
        return [r for r in self.reports if r.order_id in ids]

    def kinds(self, name: str) -> list[ExecType]:
        """What happened to an order."""
        return [r.exec_type for r in self.of(name)]

    def filled(self, name: str) -> Decimal:
        """How much of an order filled."""
        return sum((r.last_qty for r in self.of(name)), Decimal(0))

    async def submit(self, *orders: NewOrder) -> list[CommandAck]:
        """Submit orders that must be accepted."""
        acks = [await self.client.submit_order(o) for o in orders]
        for ack in acks:
            assert ack.accepted, ack
        return acks

    async def hold(self, qty: int) -> None:
        """Make the position what it should be, at the market."""
        held = await self.position()
        if qty == held:
            return
        side = Side.BUY if qty > held else Side.SELL
        name = f"hold-{len(self.reports)}"
        await self.submit(order(name, side, int(abs(qty - held))))
        await self.status(name, OrdStatus.FILLED)

    async def position(self) -> Decimal:
        """The position in the wave."""
        found = await self.client.list_positions(ACCOUNT)
        return sum((p.net_qty for p in found), Decimal(0))


@asynccontextmanager
async def trader(address: str, timeout_s: float = 60.0) -> AsyncIterator[Trader]:
    """A trader whose reports are followed, and who does not wait for ever."""
    async with asyncio.timeout(timeout_s), TradingClient(address) as client:
        made = Trader(client)
        tasks = [asyncio.create_task(work) for work in (made.follow(), made.watch())]
        try:
            await made.began()
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
