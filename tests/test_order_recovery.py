"""The order path when processes are killed: nothing lost, nothing twice, no memory cleared."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aetherion.client import TradingClient
from aetherion.controls import TradingScope, TradingState, TradingStateChange
from aetherion.order import (
    CommandAck,
    ExecInst,
    ExecType,
    ExecutionReport,
    OrdRejReason,
    OrdStatus,
    RejectedBy,
    ReplaceOrder,
    Side,
)
from aetherion.risk import RiskLimit
from model.journal import events_of
from processes import Service, free_port, risk_service
from wave import (
    ACCOUNT,
    BARS_A_SECOND,
    INSTRUMENT,
    Trader,
    eventually,
    market_data,
    order,
    session,
    set_limits,
    trader,
)

ROUNDS = 6


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wave, imported once."""
    return market_data(tmp_path_factory.mktemp("wave"))


async def test_a_trigger_fires_once_whenever_the_service_is_killed(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    """Stops along the whole way down, and kill -9 at any point of it, again and again."""
    choose = random.Random(1)
    names = [f"stop-{n}" for n in range(40)]
    for round_ in range(ROUNDS):
        with session(tmp_path, data_dir, risk) as trading:
            async with asyncio.timeout(60), TradingClient(trading.address) as client:
                if round_ == 0:
                    for n, name in enumerate(names):
                        stop_px = Decimal(92 + n % 8)
                        ack = await client.submit_order(order(name, Side.SELL, 1, stop_px=stop_px))
                        assert ack.exec_type is ExecType.SUSPENDED, ack
                else:
                    await client.submit_order(order(f"round-{round_}", Side.BUY, 1, "1.00"))
                await asyncio.sleep(choose.uniform(0.0, 1.2))
            trading.kill()
    with session(tmp_path, data_dir, risk) as trading:
        async with trader(trading.address) as desk:
            ended = (OrdStatus.FILLED, OrdStatus.CANCELED)
            for name in names:
                await desk.status(name, *ended)
            kinds = {name: Counter(desk.kinds(name)) for name in names}
            position = await desk.position()
        assert trading.stop() == 0
    triggered: Counter[int] = Counter()
    sent: Counter[int] = Counter()
    sold = 0
    for event in events_of(tmp_path / "journal"):
        if event.HasField("triggered"):
            triggered[event.triggered.order_id] += 1
        elif event.HasField("venue_report"):
            kind = ExecType(event.venue_report.exec_type)
            sent[event.venue_report.order_id] += kind is ExecType.NEW
            sold += event.venue_report.last_qty
    assert all(count[ExecType.TRIGGERED] == 1 for count in kinds.values()), kinds
    assert max(triggered.values()) == 1
    assert len(triggered) == len(names)
    assert max(sent.values()) == 1, "an order reached the venue twice"
    assert position == -sold
    filled = sum(count[ExecType.TRADE] for count in kinds.values())
    assert filled == sold


async def test_trailing_stops_remember_the_best_price_over_kill_9(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    with session(tmp_path, data_dir, risk) as trading:
        async with trader(trading.address) as desk:
            await desk.submit(order("t", Side.SELL, 1, trailing_amount=Decimal(40)))

            async def at_the_top() -> bool:
                found = await desk.client.get_order(ACCOUNT, cl_ord_id="t")
                assert found.last_report is not None
                return found.last_report.stop_px == 68  # 40 below the top of the wave

            await eventually(at_the_top)
        trading.kill()
    with session(tmp_path, data_dir, risk) as trading:
        async with trader(trading.address) as desk:
            found = await desk.client.get_order(ACCOUNT, cl_ord_id="t")
            assert found.last_report is not None
            assert found.last_report.stop_px == 68
            assert found.ord_status is OrdStatus.SUSPENDED


async def test_reports_go_on_over_kill_9_without_gap_or_duplicate(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    """One iterator lives through three deaths of the service, which comes back at its address."""
    with session(tmp_path, data_dir, risk) as trading:
        async with trader(trading.address) as desk:
            for round_ in range(4):
                acks = [await _until_answered(desk, f"r{round_}-{n}") for n in range(25)]
                # Right after a start risk may not answer yet: that is a report, too.
                unavailable = OrdRejReason.RISK_UNAVAILABLE
                assert all(a.accepted or a.ord_rej_reason is unavailable for a in acks), acks
                if round_ < 3:
                    trading.kill()
                    await asyncio.to_thread(trading.start)
            await desk.until(lambda: len({r.cl_ord_id for r in desk.reports}) == 100)
            live = list(desk.reports)
            fresh = await _reports(desk.client, 0, live[-1].sequence)
            assert [_key(r) for r in live] == [_key(r) for r in fresh]
            for start in random.Random(2).sample([r.sequence for r in live], 10):
                part = await _reports(desk.client, start, live[-1].sequence)
                assert part == [r for r in fresh if r.sequence >= start]
        assert trading.stop() == 0


def _key(report: ExecutionReport) -> tuple[int, int, int, ExecType]:
    return report.sequence, report.prev_sequence, report.order_id, report.exec_type


async def _until_answered(desk: Trader, name: str) -> CommandAck:
    """Submit the same order until there is an answer: it is one order."""
    async with desk.client.order_session(f"s-{name}", give_up_after_s=20) as orders:
        return await orders.execute(order(name, Side.BUY, 1, "1.00"))


async def _reports(client: TradingClient, start: int, stop: int) -> list[ExecutionReport]:
    found = []
    async for report in client.stream_execution_reports(ACCOUNT, start):
        found.append(report)
        if report.sequence >= stop:
            break
    return found


async def risk_available(client: TradingClient) -> bool:
    """Whether the Risk Service answers the Trading Service."""
    return (await client.get_status()).risk_available


@pytest.mark.parametrize("killed", ["risk", "trading", "both"])
async def test_no_restart_clears_a_bucket_or_a_latch(
    tmp_path: Path, data_dir: Path, killed: str
) -> None:
    """A token bucket that is empty stays so, and a storm of refusals stays latched."""
    limits = (
        RiskLimit(strategy_id="bucket", order_rate_per_s=1, order_burst=1000),
        RiskLimit(strategy_id="storm", max_order_qty=Decimal(1), max_consecutive_rejects=3),
    )
    with (
        risk_service(tmp_path, free_port()) as risk,
        session(tmp_path, data_dir, risk) as trading,
    ):
        async with asyncio.timeout(60), TradingClient(trading.address) as client:
            await set_limits(client, *limits)
            spent = await _submit_many(client, "spend", 1000, "bucket")
            assert spent["accepted"] == 1000, spent
            for n in range(3):
                big = order(f"big-{n}", Side.BUY, 2, "1.00", strategy_id="storm")
                ack = await client.submit_order(big)
                assert ack.ord_rej_reason is OrdRejReason.MAX_ORDER_QTY, ack
            small = order("small-1", Side.BUY, 1, "1.00", strategy_id="storm")
            ack = await client.submit_order(small)
            assert ack.ord_rej_reason is OrdRejReason.REJECT_STORM, ack
        begin_bars = BARS_A_SECOND * 2
        if killed != "trading":
            risk.kill()
        if killed != "risk":
            trading.kill()
        if killed != "trading":
            risk.start()
        if killed != "risk":
            trading.start()
        async with asyncio.timeout(60), TradingClient(trading.address) as client:
            await eventually(lambda: risk_available(client))
            small = order("small-2", Side.BUY, 1, "1.00", strategy_id="storm")
            ack = await client.submit_order(small)
            assert ack.ord_rej_reason is OrdRejReason.REJECT_STORM, ack
            # A second of the log is a bar: no more tokens came back than bars went by.
            after = await _submit_many(client, "after", 1000, "bucket")
            assert after["RATE_LIMIT"] > 1000 - 10 * begin_bars, after
            scope = TradingScope(strategy_id="storm")
            change = TradingStateChange(scope, TradingState.ACTIVE, "risk desk", "looked into it")
            await client.set_trading_state(change)
            small = order("small-3", Side.BUY, 1, "1.00", strategy_id="storm")
            assert (await client.submit_order(small)).accepted


async def _submit_many(
    client: TradingClient, name: str, count: int, strategy_id: str
) -> Counter[str]:
    """Submit orders over one stream; count the outcomes."""
    outcomes: Counter[str] = Counter()
    async with client.submit_orders() as stream:
        await stream.send(
            order(f"{name}-{n}", Side.BUY, 1, "1.00", strategy_id=strategy_id) for n in range(count)
        )
        while outcomes.total() < count:
            for ack in await stream.receive():
                outcomes["accepted" if ack.accepted else ack.ord_rej_reason.name] += 1
    return outcomes


async def test_the_kill_switch_works_while_risk_is_down(tmp_path: Path, data_dir: Path) -> None:
    with (
        risk_service(tmp_path, free_port()) as risk,
        session(tmp_path, data_dir, risk) as trading,
    ):
        async with trader(trading.address) as desk:
            names = [f"o{n}" for n in range(50)]
            await desk.submit(*(order(name, Side.BUY, 1, "1.00") for name in names))
            await desk.submit(order("held", Side.SELL, 1, stop_px=Decimal(1)))
            for name in names:
                await desk.status(name, OrdStatus.NEW)
            risk.kill()
            _, reached = await desk.client.engage_kill_switch(
                TradingScope(account=ACCOUNT), changed_by="ops", reason="fire"
            )
            assert reached == len(names) + 1
            for name in (*names, "held"):
                await desk.status(name, OrdStatus.CANCELED)
            ack = await desk.client.submit_order(order("late", Side.BUY, 1, "1.00"))
            assert ack.ord_rej_reason is OrdRejReason.KILL_SWITCH
            assert ack.rejected_by is RejectedBy.ENGINE
            risk.start()
            ack = await desk.client.submit_order(order("later", Side.BUY, 1, "1.00"))
            assert ack.ord_rej_reason is OrdRejReason.KILL_SWITCH
            await desk.client.release_kill_switch(
                TradingScope(account=ACCOUNT), changed_by="somebody else", reason="it is out"
            )
            await eventually(lambda: risk_available(desk.client))
            assert (await desk.client.submit_order(order("again", Side.BUY, 1, "1.00"))).accepted


async def test_reductions_work_while_risk_is_down_and_trading_is_halted(
    tmp_path: Path, data_dir: Path
) -> None:
    """A replace that only lowers the quantity needs nobody; risk knows of it when it is back."""

    def replace(name: str, orig: str, qty: int) -> ReplaceOrder:
        return ReplaceOrder(name, orig, ACCOUNT, INSTRUMENT, Decimal(qty), Decimal("1.00"))

    firm = TradingScope()
    with (
        risk_service(tmp_path, free_port()) as risk,
        session(tmp_path, data_dir, risk) as trading,
    ):
        async with asyncio.timeout(60), trader(trading.address) as desk:
            await set_limits(desk.client, RiskLimit(max_position_qty=Decimal(10)))
            await desk.submit(order("a", Side.BUY, 10, "1.00"))
            await desk.status("a", OrdStatus.NEW)
            risk.kill()
            ack = await desk.client.replace_order(replace("a-2", "a", 5))
            assert ack.exec_type is ExecType.PENDING_REPLACE, ack
            await desk.until(lambda: ExecType.REPLACED in desk.kinds("a"))
            halted = TradingStateChange(firm, TradingState.HALTED, "ops", "test")
            await desk.client.set_trading_state(halted)
            assert (await desk.client.replace_order(replace("a-3", "a-2", 3))).accepted
            await desk.until(lambda: desk.kinds("a").count(ExecType.REPLACED) == 2)
            assert not (await desk.client.replace_order(replace("more", "a-3", 4))).accepted
            await desk.until(lambda: desk.kinds("a")[-1] is ExecType.CANCEL_REJECTED)
            refused = desk.of("a")[-1]
            assert (refused.cl_ord_id, refused.orig_cl_ord_id) == ("more", "a-3")
            assert (refused.ord_status, refused.order_qty) == (OrdStatus.NEW, Decimal(3))
            active = TradingStateChange(firm, TradingState.ACTIVE, "ops", "test")
            await desk.client.set_trading_state(active)
            risk.start()
            await eventually(lambda: risk_available(desk.client))
            await desk.submit(order("b", Side.BUY, 7, "1.00"))
            ack = await desk.client.submit_order(order("c", Side.BUY, 1, "1.00"))
            assert ack.ord_rej_reason is OrdRejReason.POSITION_LIMIT


async def test_a_restart_waits_for_a_session_as_long_as_it_asked_for(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    bound: dict[str, Any] = {"exec_insts": {ExecInst.CANCEL_ON_DISCONNECT}, "stop_px": Decimal(1)}
    with session(tmp_path, data_dir, risk) as trading:
        async with (
            asyncio.timeout(60),
            TradingClient(trading.address) as client,
            client.order_session("hasty", cancel_grace_s=0.5) as hasty,
            client.order_session("patient", cancel_grace_s=3600) as patient,
        ):
            for orders, name in ((hasty, "hasty"), (patient, "patient")):
                assert (await orders.execute(order(name, Side.SELL, 1, **bound))).accepted
            trading.kill()
        trading.start()
        async with asyncio.timeout(20), trader(trading.address) as desk:
            await desk.status("hasty", OrdStatus.CANCELED)
            assert desk.now("patient") is OrdStatus.SUSPENDED


async def test_orders_with_cancel_on_disconnect_survive_a_flap_only(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    bound: dict[str, Any] = {"exec_insts": {ExecInst.CANCEL_ON_DISCONNECT}}
    with session(tmp_path, data_dir, risk) as trading:
        async with trader(trading.address) as desk, TradingClient(trading.address) as other:
            async with other.order_session("flap", cancel_grace_s=1.0) as orders:
                assert (await orders.execute(order("f-1", Side.BUY, 1, "1.00", **bound))).accepted
                assert (await orders.execute(order("f-2", Side.BUY, 1, "1.00"))).accepted
            async with other.order_session("flap", cancel_grace_s=1.0) as orders:
                assert (await orders.execute(order("f-3", Side.BUY, 1, "1.00", **bound))).accepted
                await asyncio.sleep(1.5)  # longer than the grace since the first one was lost
                assert desk.now("f-1") is OrdStatus.NEW
            await desk.status("f-1", OrdStatus.CANCELED)
            await desk.status("f-3", OrdStatus.CANCELED)
            assert desk.now("f-2") is OrdStatus.NEW
