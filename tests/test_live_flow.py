"""A live session without data: the simulated exchange and its synthetic flow, in real time."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import pytest

from aetherion.client import TradingClient
from aetherion.market_data import Quote, Trade, rows_of
from aetherion.order import ExecType, NewOrder, OrdStatus, Side
from processes import (
    AETHERION,
    Service,
    aetherion,
    client_environment,
    free_port,
    services_of,
    trading_service,
)

ACCOUNT = "A1"


async def test_the_market_moves_is_never_crossed_and_fills(tmp_path: Path, risk: Service) -> None:
    service = trading_service(
        tmp_path,
        free_port(),
        risk.address,
        AETHERION_TRADING_DATA_DIR=str(tmp_path),
        AETHERION_TRADING_SYNTHETIC="true",
        AETHERION_TRADING_ACCOUNT=ACCOUNT,
        AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
    )
    with service as trading:
        async with asyncio.timeout(30), TradingClient(trading.address) as client:
            instruments = {i.instrument_id: i for i in await client.list_instruments()}
            assert list(instruments) == ["ACME.SIM", "BTCUSD.SIM", "ETHUSD.SIM"]
            quotes: list[Quote] = []
            trades: list[Trade] = []
            async for batch in client.stream_market_data():
                for row in rows_of(batch, instruments):
                    if isinstance(row, Quote):
                        quotes.append(row)
                        if row.bid_px is not None and row.ask_px is not None:
                            assert row.bid_px < row.ask_px, row
                    elif isinstance(row, Trade):
                        trades.append(row)
                if len(quotes) > 200 and len(trades) > 10:
                    break
            assert {q.instrument_id for q in quotes} == set(instruments)
            assert len({(q.instrument_id, q.bid_px, q.ask_px) for q in quotes}) > 20
            latest = [q for q in quotes if q.instrument_id == "BTCUSD.SIM" and q.ask is not None]
            ask = latest[-1].ask
            assert ask is not None
            order = NewOrder("o1", ACCOUNT, "BTCUSD.SIM", Side.BUY, Decimal("0.01"), ask + 600)
            ack = await client.submit_order(order)
            assert ack.exec_type is ExecType.PENDING_NEW, ack.text
            async for report in client.stream_execution_reports(ACCOUNT):
                if report.ord_status is OrdStatus.FILLED:
                    break
            fills = await client.list_fills(ACCOUNT)
            assert sum(f.last_qty for f in fills) == Decimal("0.01")
            assert all(f.last_px <= ask + 600 for f in fills)
            account = await client.get_account(ACCOUNT)
            assert {p.instrument_id: p.net_qty for p in account.positions} == {
                "BTCUSD.SIM": Decimal("0.01")
            }
            paid = sum(
                f.last_qty * f.last_px + (f.commission.amount if f.commission else 0) for f in fills
            )
            assert account.cash == 1_000_000 - paid
        assert trading.stop() == 0


def test_run_live_trades_without_data(tmp_path: Path) -> None:
    done = aetherion("run", "--live", "--seconds", "6", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["strategy"] == "MarketMaker"
    assert {"quote", "trade"} <= set(result["data"]["kinds"])
    assert result["data"]["rows"] > 100
    assert result["orders"] > 0
    # The positions of the last day are those of the account, which the run compares with its fills.
    positions: dict[str, Decimal] = {}
    lines = (tmp_path / "runs" / "synthetic" / "fills.csv").read_text().splitlines()[1:]
    for fill in (line.split(",") for line in lines):
        sign = 1 if fill[6] == "BUY" else -1
        positions[fill[5]] = positions.get(fill[5], Decimal(0)) + sign * Decimal(fill[7])
    held = {i: Decimal(qty) for i, qty in result["days"][-1]["positions"].items()}
    assert {i: qty for i, qty in positions.items() if qty} == held


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_live_run_with_its_result(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [AETHERION, "run", "--live"],
        cwd=tmp_path,
        env=client_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        deadline = time.monotonic() + 30
        while len(services_of(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert run.stdout is not None
        first = run.stdout.readline()  # comes after some seconds, with prices
        assert re.search(r"BTCUSD\.SIM [\d,.]+/[\d,.]+", first), first
        run.send_signal(number)
        rest, _ = run.communicate(timeout=20)
    assert run.returncode == 0, rest
    assert "MarketMaker on synthetic" in rest
    assert services_of(tmp_path) == {}
    log = (tmp_path / "runs" / "synthetic" / "trading.log").read_text()
    assert log.splitlines()[-1].endswith("msg=stopped"), log


def test_run_live_replays_data_that_is_given(tmp_path: Path) -> None:
    done = aetherion("data", "prepare-demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    done = aetherion("run", "--live", "--data", "demo", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["data"]["name"] == "demo"
    assert result["data"]["kinds"] == ["bar"]
    assert result["data"]["rows"] > 1000


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("run", "--seconds", "5"), "seconds: only of --live; data ends by itself"),
        (
            ("client", "--live"),
            "live: only of aetherion run, whose account has not traded yet",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], error: str
) -> None:
    done = aetherion(*arguments, folder=tmp_path)
    assert (done.returncode, done.stderr.strip()) == (1, f"aetherion: {error}")
