"""Limits by scope and version, previews, duplicates, slow readers, clients that die."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from aetherion.client import FailedPreconditionError, TradingClient
from aetherion.controls import TradingScope, TradingState, TradingStateChange
from aetherion.order import (
    ExecutionReport,
    MassCancelOrders,
    NewOrderList,
    OrdRejReason,
    OrdStatus,
    Side,
)
from aetherion.order_list import oco, ouo
from aetherion.risk import RiskLimit, RiskLimits
from processes import AETHERION, Service, client_environment
from wave import ACCOUNT, INSTRUMENT, Trader, market_data, order, session, set_limits, trader

CLIENT = """
import asyncio, sys
from aetherion.client import TradingClient
from aetherion.order import ExecInst, Side
from wave import order

async def main():
    async with TradingClient(sys.argv[1]) as client:
        async with client.order_session("doomed", cancel_grace_s=0.3) as orders:
            bound = {"exec_insts": {ExecInst.CANCEL_ON_DISCONNECT}}
            sent = [order(f"d-{n}", Side.BUY, 1, "1.00", **bound) for n in range(10)]
            sent.append(order("stays", Side.BUY, 1, "1.00"))
            for ack in await asyncio.gather(*await orders.send(*sent)):
                assert ack.accepted, ack
            print("ready", flush=True)
            await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, risk: Service) -> Iterator[Service]:
    """One session for all tests of this file; each has names of its own."""
    folder = tmp_path_factory.mktemp("wave")
    settings = {"AETHERION_TRADING_SEND_TIMEOUT_MS": "1000"}
    with session(folder, market_data(folder), risk, **settings) as trading:
        yield trading


@pytest.fixture
async def desk(live: Service) -> AsyncIterator[Trader]:
    """A trader without limits, whose orders end with the test."""
    async with trader(live.address) as made:
        await set_limits(made.client)
        yield made
        await set_limits(made.client)
        assert (await made.client.mass_cancel(MassCancelOrders(f"end-{uuid4()}", ACCOUNT))).accepted


async def test_the_same_order_a_thousand_times_at_once_is_one(desk: Trader) -> None:
    same = order("same", Side.BUY, 5, "1.00")
    acks = await asyncio.gather(*(desk.client.submit_order(same) for _ in range(1000)))
    assert {(ack.order_id, ack.sequence) for ack in acks} == {(acks[0].order_id, acks[0].sequence)}
    assert all(ack.accepted for ack in acks)
    others = await asyncio.gather(
        *(desk.client.submit_order(order("same", Side.BUY, 6, "1.00")) for _ in range(100))
    )
    assert {ack.ord_rej_reason for ack in others} == {OrdRejReason.DUPLICATE_ORDER}
    listed = await desk.client.list_orders(ACCOUNT, open_only=True)
    assert [o.new_order.cl_ord_id for o in listed].count("same") == 1


async def test_a_preview_says_what_would_be_and_changes_nothing(desk: Trader) -> None:
    await set_limits(
        desk.client, RiskLimit(max_order_qty=Decimal(10), order_rate_per_s=1, order_burst=2)
    )
    before = await desk.client.get_status()
    for _ in range(20):  # would take all tokens of the bucket
        assert (await desk.client.preview_order(order("p", Side.BUY, 10, "1.00"))).approved
    refused = await desk.client.preview_order(order("p", Side.BUY, 11, "1.00"))
    assert refused.ord_rej_reason is OrdRejReason.MAX_ORDER_QTY
    assert [(f.risk_limit, f.value) for f in refused.check_failures] == [("10", "11")]
    known = {r.cl_ord_id for r in desk.reports}
    assert "p" not in known
    events = (await desk.client.get_status()).sequence - before.sequence
    assert events < 500  # marks alone
    assert (await desk.client.submit_order(order("p", Side.BUY, 10, "1.00"))).accepted


@pytest.mark.parametrize(
    ("scope", "strategies"),
    [
        ({}, {"a": "MAX_ORDER_QTY", "b": "MAX_ORDER_QTY"}),
        ({"account": ACCOUNT}, {"a": "MAX_ORDER_QTY", "b": "MAX_ORDER_QTY"}),
        ({"instrument_id": INSTRUMENT}, {"a": "MAX_ORDER_QTY", "b": "MAX_ORDER_QTY"}),
        ({"strategy_id": "a"}, {"a": "MAX_ORDER_QTY", "b": "UNSPECIFIED"}),
        ({"strategy_id": "new"}, {"a": "UNSPECIFIED", "b": "UNSPECIFIED"}),
    ],
)
async def test_limits_bind_their_scope(
    desk: Trader, scope: dict[str, Any], strategies: dict[str, str]
) -> None:
    await set_limits(desk.client, RiskLimit(**scope, max_order_qty=Decimal(5)))
    for strategy, expected in strategies.items():
        wanted = order(f"scope-{scope}-{strategy}"[:64], Side.BUY, 6, "1.00", strategy_id=strategy)
        ack = await desk.client.submit_order(wanted)
        assert ack.ord_rej_reason.name == expected, ack


async def test_the_tightest_limit_wins_and_all_that_fail_are_listed(desk: Trader) -> None:
    await set_limits(
        desk.client,
        RiskLimit(max_order_qty=Decimal(50), max_open_orders=1_000),
        RiskLimit(account=ACCOUNT, max_order_qty=Decimal(20), max_long_qty=Decimal(30)),
        RiskLimit(account=ACCOUNT, instrument_id=INSTRUMENT, price_collar_bps=1_000),
    )
    ack = await desk.client.submit_order(order("many", Side.BUY, 40, "1.00"))
    assert [f.ord_rej_reason.name for f in ack.check_failures] == [
        "MAX_ORDER_QTY",
        "PRICE_COLLAR",
        "POSITION_LIMIT",
    ]
    assert ack.check_failures[0].risk_limit == "20"
    assert ack.ord_rej_reason is OrdRejReason.MAX_ORDER_QTY


@pytest.mark.parametrize("listed", [oco, ouo])
async def test_legs_that_may_all_fill_count_in_sum(
    desk: Trader, listed: Callable[..., NewOrderList]
) -> None:
    await desk.hold(5)
    await set_limits(desk.client, RiskLimit(max_long_qty=Decimal(6)))
    for price in ("120.00", None):
        name = f"{listed.__name__}-{price}"
        legs = (order(f"{name}-{n}", Side.BUY, 1, price) for n in range(16))
        ack = await desk.client.submit_order_list(listed(name, *legs))
        assert [a.ord_rej_reason for a in ack.list_acks] == [
            OrdRejReason.LIST,
            *[OrdRejReason.POSITION_LIMIT] * 15,
        ]
    await set_limits(desk.client, RiskLimit(max_long_qty=Decimal(21)))
    name = f"{listed.__name__}-fits"
    legs = (order(f"{name}-{n}", Side.BUY, 1, "120.00") for n in range(16))
    assert (await desk.client.submit_order_list(listed(name, *legs))).accepted
    for n in range(16):
        await desk.status(f"{name}-{n}", OrdStatus.FILLED, OrdStatus.CANCELED)
    assert 6 <= await desk.position() <= 21
    await desk.hold(0)


async def test_of_a_limit_order_and_a_stop_one_counts(desk: Trader) -> None:
    await set_limits(desk.client, RiskLimit(max_position_qty=Decimal(10)))
    legs = (
        order("leg-1", Side.BUY, 10, "50.00"),
        order("leg-2", Side.BUY, 10, stop_px=Decimal("150.00")),
    )
    assert (await desk.client.submit_order_list(oco("pair", *legs))).accepted
    one_more = await desk.client.submit_order(order("leg-3", Side.BUY, 1, "50.00"))
    assert one_more.ord_rej_reason is OrdRejReason.POSITION_LIMIT


async def test_a_version_is_changed_once(desk: Trader) -> None:
    read = await desk.client.get_limits()
    wanted = RiskLimits((RiskLimit(max_order_qty=Decimal(9)),), version=read.version)
    changes = [
        desk.client.set_limits(wanted, changed_by=f"desk {n}", reason="race") for n in range(20)
    ]
    outcomes = await asyncio.gather(*changes, return_exceptions=True)
    errors = [o for o in outcomes if isinstance(o, BaseException)]
    assert len(errors) == 19
    assert all(isinstance(e, FailedPreconditionError) and "version" in str(e) for e in errors)
    assert (await desk.client.get_limits()).version == read.version + 1


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (TradingState.HALTED, OrdRejReason.STATE_HALTED),
        (TradingState.CANCEL_ONLY, OrdRejReason.STATE_CANCEL_ONLY),
        (TradingState.REDUCING, OrdRejReason.STATE_REDUCING),
    ],
)
async def test_a_trading_state_refuses_and_lets_cancels_pass(
    desk: Trader, state: TradingState, reason: OrdRejReason
) -> None:
    name = state.name.lower()
    await desk.submit(order(f"{name}-1", Side.BUY, 1, "1.00"))
    await desk.status(f"{name}-1", OrdStatus.NEW)
    scope = TradingScope(account=ACCOUNT, instrument_id=INSTRUMENT)
    change = TradingStateChange(scope, state, "risk desk", "test")
    await desk.client.set_trading_state(change)
    try:
        ack = await desk.client.submit_order(order(f"{name}-2", Side.BUY, 1, "1.00"))
        assert ack.ord_rej_reason is reason, ack
        assert (await desk.client.get_trading_states()).trading_states == (change,)
        mass = await desk.client.mass_cancel(MassCancelOrders(f"{name}-m", ACCOUNT))
        assert mass.accepted
        await desk.status(f"{name}-1", OrdStatus.CANCELED)
    finally:
        active = TradingStateChange(scope, TradingState.ACTIVE, "risk desk", "over")
        await desk.client.set_trading_state(active)
    assert (await desk.client.get_trading_states()).trading_states == ()


async def test_a_client_that_is_killed_takes_its_orders_along(
    desk: Trader, live: Service, tmp_path: Path
) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    environment = client_environment(tmp_path) | {"PYTHONPATH": str(Path(__file__).parent)}
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, script, live.address, env=environment, stdout=subprocess.PIPE
    )
    try:
        assert doomed.stdout is not None
        assert await doomed.stdout.readline() == b"ready\n"
        assert desk.now("d-0").is_open
    finally:
        doomed.kill()  # SIGKILL
        await doomed.wait()
    for n in range(10):
        await desk.status(f"d-{n}", OrdStatus.CANCELED)
    assert desk.now("stays").is_open


async def test_a_slow_reader_is_cut_off_and_resumes_where_it_was(
    desk: Trader, live: Service
) -> None:
    """It takes nothing for longer than the service waits; others get their reports meanwhile."""
    async with TradingClient(live.address) as slow:
        reports = slow.stream_execution_reports(ACCOUNT)
        seen = [await anext(reports)]
        count = 4_000  # more than what the connection buffers
        async with desk.client.order_session("busy") as orders:
            for begin in range(0, count, 500):
                batch = [order(f"b-{n}", Side.BUY, 1, "1.00") for n in range(begin, begin + 500)]
                await asyncio.gather(*await orders.send(*batch))
        await desk.status(f"b-{count - 1}", OrdStatus.NEW)
        await asyncio.sleep(2.5)
        last = desk.reports[-1]
        while seen[-1].sequence < last.sequence:
            seen.append(await anext(reports))
    chain = [r.prev_sequence for r in seen[1:]]
    assert chain == [r.sequence for r in seen[:-1]]


async def test_a_drop_copy_has_the_reports_of_the_account(desk: Trader) -> None:
    await desk.submit(order("dc", Side.BUY, 1, "1.00"))
    stop = (await desk.status("dc", OrdStatus.NEW)).sequence
    copied: list[ExecutionReport] = []
    async for report in desk.client.stream_drop_copy():
        copied.append(report)
        if report.sequence >= stop:
            break
    assert copied == [r for r in desk.reports if r.sequence <= stop]


def test_the_emergency_commands_work_against_a_live_service(live: Service, tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [AETHERION, *arguments],
            cwd=tmp_path,
            env=client_environment(tmp_path) | {"AETHERION_CLIENT_TRADING_ADDRESS": live.address},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    limits = tmp_path / "limits.toml"
    limits.write_text('[[limits]]\naccount = "A1"\nmax_order_qty = "5"\n')
    run("limits", "set", str(limits), "--reason", "test", "--by", "desk")
    shown = json.loads(run("limits", "show", "--json"))
    assert shown["limits"] == [{"account": "A1", "max_order_qty": "5"}]
    engaged = json.loads(run("kill", "engage", "--reason", "test", "--by", "ops", "--json"))
    assert engaged["engaged"] == "firm"
    assert json.loads(run("kill", "show", "--json"))["kill_switches"] == [
        {"scope": "firm", "changed_by": "ops", "reason": "test"}
    ]
    refused = run("kill", "release", "--reason", "test", "--by", "ops", code=1)
    assert refused.count("\n") == 1
    run("kill", "release", "--reason", "test", "--by", "somebody else")
    assert run("kill", "show") == "no kill switch is engaged\n"
    run("state", "set", "halted", "--account", "A1", "--reason", "test")
    assert "HALTED" in run("state", "show")
    run("state", "set", "active", "--account", "A1", "--reason", "test")
    assert "TradingState" not in run("orders", "cancel-all")
    assert run("orders", "cancel", "nobody", code=1).startswith("aetherion: UNKNOWN_ORDER: ")


def test_a_service_that_is_stopped_makes_the_kill_command_say_so(
    tmp_path: Path, live: Service
) -> None:
    """SIGSTOP: connected, and silent."""
    assert live.process is not None
    live.process.send_signal(signal.SIGSTOP)
    try:
        done = subprocess.run(
            [AETHERION, "kill", "engage", "--reason", "fire"],
            cwd=tmp_path,
            env=client_environment(tmp_path) | {"AETHERION_CLIENT_TRADING_ADDRESS": live.address},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    finally:
        live.process.send_signal(signal.SIGCONT)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "The kill switch is NOT known to be engaged" in done.stderr
