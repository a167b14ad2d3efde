"""`aetherion risk var --live` shows the portfolio of a running session, once and as it changes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from aetherion.client import TradingClient
from aetherion.order import NewOrder, Side
from processes import (
    AETHERION,
    aetherion,
    client_environment,
    free_port,
    risk_service,
    trading_service,
)

ACCOUNT = "A1"
RETURNS = "AAPL.XNAS,IBM.XNYS\n0.01,0.02\n-0.02,0.01\n0.015,-0.01\n-0.01,-0.005\n"
LIVE = ("risk", "var", "--live", "--returns", "returns.csv", "--json")


@pytest.fixture
async def session(tmp_path: Path) -> AsyncIterator[Path]:
    """A live session that holds 300 IBM, and the folder whose .env names its Risk Service."""
    done = aetherion("data", "prepare-demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with (
        risk_service(tmp_path, free_port()) as risk,
        trading_service(
            tmp_path,
            free_port(),
            risk.address,
            AETHERION_TRADING_DATA_DIR=str(tmp_path / "data"),
            AETHERION_TRADING_REPLAY_DATA_SET="demo",
            AETHERION_TRADING_REPLAY_VOLUME_SHARE_BPS="10000",
            AETHERION_TRADING_ACCOUNT=ACCOUNT,
            AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        ) as trading,
    ):
        (tmp_path / ".env").write_text(f"AETHERION_CLIENT_RISK_ADDRESS={risk.address}\n")
        (tmp_path / "returns.csv").write_text(RETURNS)
        async with TradingClient(trading.address) as client:
            rows = aiter(client.stream_market_data(max_batch_rows=1))
            for _ in range(30):
                await anext(rows)
            order = NewOrder("a", ACCOUNT, "IBM.XNYS", Side.BUY, Decimal(300))
            await client.submit_order(order)
            while not any(p.net_qty for p in await client.list_positions(ACCOUNT)):
                await anext(rows)
            yield tmp_path


async def test_one_answer(session: Path) -> None:
    done = await asyncio.to_thread(aetherion, *LIVE, folder=session)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    (held,) = (p for p in answer["positions"] if p["qty"])
    assert (held["instrument_id"], held["qty"]) == ("IBM.XNYS", 300.0)
    column = np.array([0.02, 0.01, -0.01, -0.005])
    sigma = 300 * held["price"] * column.std(ddof=1)
    assert answer["sigma_1d"] == pytest.approx(sigma, rel=1e-9)
    assert answer["figures"][0]["var"] == pytest.approx(norm.ppf(0.99) * sigma, rel=1e-9)
    table = await asyncio.to_thread(aetherion, *LIVE[:-1], folder=session)
    assert "IBM.XNYS" in table.stdout
    assert "99% VaR" in table.stdout


async def test_stress_greeks_and_backtest(session: Path) -> None:
    days = np.random.default_rng(1).normal(0, 0.01, (300, 2))
    rows = "\n".join(f"{apple:.6f},{ibm:.6f}" for apple, ibm in days)
    (session / "long.csv").write_text(f"AAPL.XNAS,IBM.XNYS\n{rows}\n")

    async def answer(*arguments: str) -> dict[str, Any]:
        live = ("risk", *arguments, "--live", "--returns", "long.csv", "--json")
        done = await asyncio.to_thread(aetherion, *live, folder=session)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    (session / "scenarios.yaml").write_text("crash: -0.2\nIBM alone:\n  IBM.XNYS: 0.1\n")
    greeks = await answer("greeks")
    assert greeks["greeks"]["delta"] == 300.0
    assert greeks["positions"]["IBM.XNYS"]["delta"] == 300.0
    stress = (await answer("stress", "--scenarios", "scenarios.yaml"))["stress"]
    assert stress["crash"] == pytest.approx(-2 * stress["IBM alone"], rel=1e-9)
    assert stress["crash"] < 0
    backtest = await answer("backtest", "--window", "100")
    assert backtest["n_days"] == 200
    refused = await asyncio.to_thread(aetherion, "risk", "greeks", "--live", folder=session)
    assert refused.returncode == 1
    assert "returns: give --returns FILE with --live" in refused.stderr


async def test_an_account_that_is_none_is_named(session: Path) -> None:
    """Neither empty lists nor an empty table, whatever is asked of it."""
    (session / "scenarios.yaml").write_text("crash: -0.2\n")
    for command in (LIVE, LIVE[:-1], ("risk", "greeks", *LIVE[2:])):
        asked = (*command, "--account", "NOPE")
        done = await asyncio.to_thread(aetherion, *asked, folder=session)
        assert done.returncode == 1, done.stdout
        assert not done.stdout
        says = 'account must be one of the session\'s, or empty for all, got "NOPE"'
        assert says in done.stderr
        assert done.stderr.count("\n") == 1


async def test_figures_in_another_currency(session: Path) -> None:
    """A dollar is worth 0.8 euros where that is said, and refused by name where nothing is."""
    in_euros = (*LIVE, "--currency", "EUR")
    answers = []
    for asked in (LIVE, (*in_euros, "--rate", "USD=0.8")):
        done = await asyncio.to_thread(aetherion, *asked, folder=session)
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    dollars, euros = (answer["figures"][0]["var"] for answer in answers)
    assert euros == pytest.approx(0.8 * dollars, rel=1e-9)
    refused = await asyncio.to_thread(aetherion, *in_euros, folder=session)
    assert refused.returncode == 1
    assert "rate of USD in EUR, which IBM.XNYS is quoted in," in refused.stderr


async def test_watching_ends_with_ctrl_c(session: Path) -> None:
    watching = await asyncio.create_subprocess_exec(
        *(AETHERION, *LIVE, "--watch"),
        cwd=session,
        env=client_environment(session),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert watching.stdout is not None
    first = await watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    async with asyncio.timeout(20):
        _, said = await watching.communicate()
    assert json.loads(first)["figures"]
    assert watching.returncode == 130
    assert said == b"aetherion: interrupted\n"
