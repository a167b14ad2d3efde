"""What an operator is told: limits that would not bind, latches, no limits, a full disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aetherion.client import InvalidArgumentError, TradingClient
from aetherion.controls import Latch, PretradeModel, TradingScope, TradingState
from aetherion.order import NewOrder, OrdRejReason, Side
from aetherion.risk import RiskLimit
from processes import Service, aetherion, free_port, risk_service
from wave import INSTRUMENT, eventually, market_data, order, session, set_limits

STORM = RiskLimit(strategy_id="storm", max_order_qty=Decimal(1), max_consecutive_rejects=3)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return market_data(tmp_path_factory.mktemp("wave"))


@pytest.fixture
def live(tmp_path: Path, data_dir: Path, risk: Service) -> Iterator[Service]:
    with session(tmp_path, data_dir, risk) as trading:
        yield trading


def cli(trading: Service, *arguments: str) -> Any:
    """Run the command line as a user would; return its JSON, or the line that it fails with."""
    settings = {"AETHERION_CLIENT_TRADING_ADDRESS": trading.address}
    done = aetherion(*arguments, folder=trading.folder, settings=settings)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def stormy(name: str, qty: int) -> NewOrder:
    return order(name, Side.BUY, qty, "1.00", strategy_id="storm")


async def test_limits_that_would_not_bind_are_refused_by_name(live: Service) -> None:
    """All faults of a document at once, and nothing of it is in force."""
    limits = (
        RiskLimit(account="NOBODY", static_collar_bps=100),
        RiskLimit(instrument_id="NONE.SIM", no_short=True),
        RiskLimit(strategy_id="new", max_var=Decimal(1)),
    )
    says = (
        'risk_limits.limits[0].account: unknown account "NOBODY"; '
        "limits[0].static_collar_bps: needs static_reference_px, which is not set; "
        'limits[1].instrument_id: unknown instrument "NONE.SIM"; '
        "limits[2].max_var: needs a pre-trade model, and none is set"
    )
    async with TradingClient(live.address) as client:
        with pytest.raises(InvalidArgumentError) as caught:
            await set_limits(client, *limits)
        assert says in str(caught.value)
        assert (await client.get_limits()).version == 0
        model = PretradeModel((INSTRUMENT,), np.array([[1e-4]]))
        await client.set_pretrade_model(model, expected_version=0)
        assert (await client.get_status()).pretrade_model_version == 1
        await set_limits(client, limits[2])
    file = live.folder / "limits.toml"
    file.write_text("[[limits]]\nduplicate_count = 3\n")
    refused = cli(live, "limits", "set", str(file), "--reason", "test")
    assert refused.count("\n") == 1
    assert "limits[0].duplicate_count: needs duplicate_window_ms, which is not set" in refused


async def test_a_service_that_nothing_limits_says_so(live: Service) -> None:
    assert "no limits are set: " in live.log.read_text()
    assert [w.partition(":")[0] for w in cli(live, "status", "--json")["warnings"]] == [
        "no limits are set"
    ]
    async with TradingClient(live.address) as client:
        await set_limits(client, RiskLimit(max_order_qty=Decimal(10)))
        assert (await client.get_status()).warnings == ()


async def test_a_latch_is_shown_over_restarts_and_cleared_as_it_says(
    tmp_path: Path, data_dir: Path
) -> None:
    with (
        risk_service(tmp_path, free_port()) as risk,
        session(tmp_path, data_dir, risk) as trading,
    ):
        async with asyncio.timeout(60), TradingClient(trading.address) as client:
            await set_limits(client, STORM)
            assert (await client.get_trading_states()).latches == ()
            acks = [await client.submit_order(stormy(f"big-{n}", 2)) for n in range(3)]
            scope = TradingScope(strategy_id="storm")
            expected = Latch(
                acks[-1].sequence,
                OrdRejReason.REJECT_STORM,
                scope,
                "3",
                "3 in a row",
                TradingState.HALTED,
            )
            assert (await client.get_trading_states()).latches == (expected,)
        for services in ((risk,), (trading,), (risk, trading)):
            for service in services:
                service.kill()
            for service in services:
                service.start()
            async with asyncio.timeout(60), TradingClient(trading.address) as client:

                async def available(client: TradingClient = client) -> bool:
                    return (await client.get_status()).risk_available

                await eventually(available)
                assert (await client.get_trading_states()).latches == (expected,)
        [shown] = cli(trading, "state", "show", "--json")["latches"]
        assert [shown] == cli(trading, "status", "--json")["latches"]
        assert shown == {
            "scope": "strategy storm",
            "reason": "REJECT_STORM",
            "since_sequence": expected.sequence,
            "limit": "3",
            "value": "3 in a row",
            "state": "HALTED",
            "cleared_by": "aetherion state set active --strategy storm --reason WHY",
        }
        cleared = shown["cleared_by"].split()[1:]
        assert cli(trading, *cleared, "--json")["trading_state"] == "ACTIVE"
        async with asyncio.timeout(60), TradingClient(trading.address) as client:

            async def clear() -> bool:
                return (await client.get_trading_states()).latches == ()

            await eventually(clear)
            assert (await client.submit_order(stormy("small", 1))).accepted


async def test_a_full_disk_is_told(tmp_path: Path, data_dir: Path, risk: Service) -> None:
    with session(tmp_path, data_dir, risk) as trading:
        room = cli(trading, "status", "--json")
        assert room["journal_free_bytes"] > 0
        assert room["journal_headroom_bytes"] == 256 << 20
        assert not room["journal_low"]
        trading.kill()
        trading.program = "aetherion-trading-failpoints"
        trading.settings["FAILPOINT"] = "full_disk:1"
        trading.start()
        full = cli(trading, "status", "--json")
        assert full["journal_low"]
        assert any(w.startswith("the disk of the journal is full: ") for w in full["warnings"])
        async with TradingClient(trading.address) as client:
            ack = await client.submit_order(order("waits", Side.BUY, 1, "1.00"))
            assert ack.ord_rej_reason is OrdRejReason.JOURNAL_FULL
