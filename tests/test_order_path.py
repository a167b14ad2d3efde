"""The live order path: a client, the Trading Service, the Risk Service, all of them real."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from aetherion.client import (
    FailedPreconditionError,
    MarketDataStream,
    NotFoundError,
    TradingClient,
    VenueClient,
)
from aetherion.order import (
    CancelOrder,
    CxlRejReason,
    ExecType,
    ExecutionReport,
    NewOrder,
    OrdRejReason,
    OrdStatus,
    RejectedBy,
    Side,
)
from aetherion.risk import RiskLimit, RiskLimits
from processes import Service, aetherion, free_port, risk_service, trading_service

ACCOUNT = "A1"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo set."""
    folder = tmp_path_factory.mktemp("data")
    done = aetherion("data", "prepare-demo", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "data"


@pytest.fixture
def services(tmp_path: Path, data_dir: Path) -> Iterator[tuple[Service, Service]]:
    """Both services, live on a replay of the demo set that waits for its readers."""
    with (
        risk_service(tmp_path, free_port()) as risk,
        trading_service(
            tmp_path,
            free_port(),
            risk.address,
            AETHERION_TRADING_DATA_DIR=str(data_dir),
            AETHERION_TRADING_REPLAY_DATA_SET="demo",
            AETHERION_TRADING_ACCOUNT=ACCOUNT,
            # A loaded machine is no reason to refuse orders here.
            AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        ) as trading,
    ):
        yield trading, risk


@pytest.fixture
async def client(services: tuple[Service, Service]) -> AsyncIterator[TradingClient]:
    """A client of the Trading Service."""
    async with TradingClient(services[0].address) as connected:
        yield connected


class Market:
    """Reads the replay, which stays ahead by no more than what the connection buffers."""

    def __init__(self, stream: MarketDataStream) -> None:
        self._batches = aiter(stream)

    async def rows(self, n: int) -> None:
        """Read n rows."""
        for _ in range(n):
            await anext(self._batches)


@pytest.fixture
async def market(client: TradingClient) -> Market:
    """A replay that has gone by thirty rows, so that every demo stock has a price."""
    market = Market(client.stream_market_data(max_batch_rows=1))
    await market.rows(30)
    return market


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes."""
    for _ in range(1_000):
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("timed out")


def order(name: str, qty: int, price: str | None = "1.00", side: Side = Side.BUY) -> NewOrder:
    """Return an order in IBM; a buy at 1.00 is far from the market and just rests."""
    return NewOrder(
        cl_ord_id=name,
        account=ACCOUNT,
        instrument_id="IBM.XNYS",
        side=side,
        order_qty=Decimal(qty),
        price=None if price is None else Decimal(price),
    )


async def set_limits(client: TradingClient, limit: RiskLimit) -> None:
    """Replace all limits."""
    version = (await client.get_limits()).version
    limits = RiskLimits(limits=(limit,), version=version)
    await client.set_limits(limits, changed_by="risk desk", reason="test")


async def submit_all(client: TradingClient, orders: list[NewOrder]) -> Counter[str]:
    """Send orders over one stream, in messages of random size; count the outcomes."""
    outcomes: Counter[str] = Counter()
    async with client.submit_orders() as stream:
        sent = 0
        while sent < len(orders):
            size = random.randint(1, 20)
            await stream.send(orders[sent : sent + size])
            sent += size
        while outcomes.total() < len(orders):
            for ack in await stream.receive():
                outcomes[ack.ord_rej_reason.name if ack.ord_rej_reason else "accepted"] += 1
    return outcomes


@pytest.mark.usefixtures("market")
async def test_of_a_thousand_concurrent_orders_exactly_those_that_fit_pass(
    client: TradingClient,
) -> None:
    """Ten streams at once, 100 orders of 3 each, a position limit of 1,000: 333 fit."""
    await set_limits(client, RiskLimit(max_position_qty=Decimal(1000)))
    groups = [[order(f"s{s}-{i}", 3) for i in range(100)] for s in range(10)]
    outcomes = sum(
        await asyncio.gather(*(submit_all(client, group) for group in groups)), Counter()
    )
    assert outcomes == {"accepted": 333, "POSITION_LIMIT": 667}
    # What is canceled is free again: 3 more fit, then none.
    assert await client.cancel_order(CancelOrder("c1", _an_open(await _open(client)), ACCOUNT))
    await _until_canceled(client, 332)
    outcomes = await submit_all(client, [order("again-1", 3), order("again-2", 3)])
    assert outcomes == {"accepted": 1, "POSITION_LIMIT": 1}


async def last_report(client: TradingClient, name: str) -> ExecutionReport:
    """Return the newest report of an order."""
    report = (await client.get_order(ACCOUNT, cl_ord_id=name)).last_report
    assert report is not None
    return report


async def _open(client: TradingClient) -> list[str]:
    listed = await client.list_orders(ACCOUNT, open_only=True)
    return [entry.new_order.cl_ord_id for entry in listed]


def _an_open(names: list[str]) -> str:
    return names[len(names) // 2]


async def _until_canceled(client: TradingClient, left: int) -> None:
    async def canceled() -> bool:
        return len(await _open(client)) == left

    await until(canceled)


@pytest.mark.usefixtures("market")
async def test_the_same_order_twice_is_one_order(client: TradingClient) -> None:
    """Same name and content: the first outcome again. Other content: refused."""
    first = await client.submit_order(order("same", 5))
    again = await client.submit_order(order("same", 5))
    assert (again.order_id, again.sequence) == (first.order_id, first.sequence)
    other = await client.submit_order(order("same", 6))
    assert other.ord_rej_reason == OrdRejReason.DUPLICATE_ORDER
    assert other.rejected_by == RejectedBy.ENGINE
    assert await _open(client) == ["same"]


@pytest.mark.usefixtures("market")
async def test_a_cancel_finds_the_order_before_it_in_the_message(client: TradingClient) -> None:
    """New order and its cancel in one message; a cancel of nothing is refused by name."""
    async with client.submit_orders() as stream:
        await stream.send(
            [
                order("o1", 5),
                CancelOrder("c1", "o1", ACCOUNT),
                CancelOrder("c2", "nothing", ACCOUNT),
            ]
        )
        acks = list(await stream.receive())
        while len(acks) < 3:
            acks += await stream.receive()
    assert [ack.exec_type for ack in acks] == [
        ExecType.PENDING_NEW,
        ExecType.PENDING_CANCEL,
        ExecType.CANCEL_REJECTED,
    ]
    assert acks[2].cxl_rej_reason == CxlRejReason.UNKNOWN_ORDER
    await _until_canceled(client, 0)
    report = await last_report(client, "o1")
    assert report.ord_status == OrdStatus.CANCELED
    assert report.leaves_qty == 0


async def test_fills_positions_and_cash(client: TradingClient) -> None:
    """A buy far above the market fills at an open; position and cash follow to the last digit."""
    before = await client.get_account(ACCOUNT)
    ack = await client.submit_order(order("m1", 7, "10000.00"))
    assert ack.exec_type == ExecType.PENDING_NEW, ack
    async for _ in client.stream_market_data():
        pass
    fills = await client.list_fills(ACCOUNT)
    assert sum(fill.last_qty for fill in fills) == 7
    assert all(fill.last_px < 1_000 for fill in fills), fills
    after = await client.get_account(ACCOUNT)
    spent = Decimal(0)
    for fill in fills:
        assert fill.commission is not None
        spent += fill.last_qty * fill.last_px + fill.commission.amount
    assert before.cash - after.cash == spent
    positions = await client.list_positions(ACCOUNT)
    assert [(p.instrument_id, p.net_qty) for p in positions] == [("IBM.XNYS", Decimal(7))]


@pytest.mark.usefixtures("market")
async def test_reports_resume_from_any_sequence(client: TradingClient) -> None:
    """Whatever the sequence a client resumes from, it sees every report after it, once."""
    names = [f"r{i}" for i in range(50)]
    await submit_all(client, [order(name, 1) for name in names])
    await _until_canceled(client, 50)

    async def read(from_sequence: int, stop: int) -> list[ExecutionReport]:
        reports = []
        async for report in client.stream_execution_reports(ACCOUNT, from_sequence):
            reports.append(report)
            if report.sequence >= stop:
                break
        return reports

    last = (await last_report(client, "r49")).sequence
    whole = await read(0, last)
    assert len({(r.sequence, r.order_id, r.exec_type) for r in whole}) == len(whole)
    assert {r.cl_ord_id for r in whole if r.exec_type == ExecType.NEW} == set(names)
    for start in random.sample([r.sequence for r in whole], 10):
        assert await read(start, last) == [r for r in whole if r.sequence >= start]


async def test_refusals_say_why(client: TradingClient, market: Market) -> None:
    """Each fault of an order is named with its field, value and rule; nothing else happens."""
    await set_limits(
        client,
        RiskLimit(
            max_order_qty=Decimal(100),
            max_order_notional=Decimal(5000),
            max_position_qty=Decimal(120),
        ),
    )
    expected = {
        "qty": (order("qty", 101), OrdRejReason.MAX_ORDER_QTY, RejectedBy.RISK, "101"),
        "notional": (
            order("notional", 99, "99.00"),
            OrdRejReason.MAX_ORDER_NOTIONAL,
            RejectedBy.RISK,
            "9801",
        ),
    }
    for name, (sent, reason, by, word) in expected.items():
        ack = await client.submit_order(sent)
        assert ack.ord_rej_reason == reason, (name, ack)
        assert ack.rejected_by == by
        assert any(word in failure.value for failure in ack.check_failures), ack
    unknown = await client.submit_order(
        NewOrder("u1", ACCOUNT, "NONE.SUCH", Side.BUY, Decimal(1), Decimal(1))
    )
    assert unknown.ord_rej_reason == OrdRejReason.UNKNOWN_INSTRUMENT
    nobody = await client.submit_order(
        NewOrder("u2", "NOBODY", "IBM.XNYS", Side.BUY, Decimal(1), Decimal(1))
    )
    assert nobody.ord_rej_reason == OrdRejReason.UNKNOWN_ACCOUNT
    await market.rows(5)
    assert await client.list_fills(ACCOUNT) == ()


async def test_limits_change_only_from_the_version_that_was_read(client: TradingClient) -> None:
    """Two people change limits at once: one of them is told."""
    read = await client.get_limits()
    await client.set_limits(read, changed_by="one", reason="first")
    with pytest.raises(
        FailedPreconditionError, match=r"must be \d+, the version in force, got \d+"
    ):
        await client.set_limits(read, changed_by="two", reason="second")


async def test_everything_else_answers(client: TradingClient) -> None:
    """The read calls, and what they say of things that are not there."""
    instruments = await client.list_instruments()
    assert [i.instrument_id for i in instruments] == sorted(i.instrument_id for i in instruments)
    assert await client.get_instrument("IBM.XNYS") in instruments
    with pytest.raises(NotFoundError, match=r"NONE\.SUCH"):
        await client.get_instrument("NONE.SUCH")
    with pytest.raises(NotFoundError, match="nothing"):
        await client.get_order(ACCOUNT, cl_ord_id="nothing")
    with pytest.raises(NotFoundError, match="NOBODY"):
        await client.get_account("NOBODY")
    assert await client.list_accounts() == (ACCOUNT,)
    status = await client.get_status()
    assert status.risk_available
    assert status.durability == "memory"
    assert "demo" in status.data_sets


async def test_risk_dies_under_the_live_path(
    client: TradingClient, services: tuple[Service, Service], market: Market
) -> None:
    """Refused within the deadline while risk is gone, cancels work; accepted when it is back."""
    _, risk = services
    assert (await client.submit_order(order("before", 1))).exec_type == ExecType.PENDING_NEW
    risk.kill()
    ack = await client.submit_order(order("during", 1))
    assert ack.ord_rej_reason == OrdRejReason.RISK_UNAVAILABLE
    canceled = await client.cancel_order(CancelOrder("c", "before", ACCOUNT))
    assert canceled.exec_type == ExecType.PENDING_CANCEL
    assert not (await client.get_status()).risk_available
    risk.start()

    async def available() -> bool:
        return (await client.get_status()).risk_available

    await until(available)
    assert (await client.submit_order(order("after", 1))).exec_type == ExecType.PENDING_NEW
    await market.rows(1)


async def test_the_venue_describes_itself(services: tuple[Service, Service]) -> None:
    """What the simulated venue can do, from the venue's own API."""
    async with VenueClient(services[0].address) as venue:
        description = await venue.describe_venue("XNYS")
    assert description.simulated
    assert {t.name for t in description.ord_types} == {"MARKET", "LIMIT"}
