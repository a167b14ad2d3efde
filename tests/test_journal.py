"""A live session that is killed and started again on its journal."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from aetherion.client import TradingClient
from aetherion.order import ExecType, ExecutionReport, NewOrder, OrdStatus, Side
from processes import Service, aetherion, free_port, trading_service

ACCOUNT = "A1"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo set."""
    folder = tmp_path_factory.mktemp("data")
    done = aetherion("data", "prepare-demo", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "data"


@contextmanager
def session(folder: Path, data_dir: Path, risk: Service) -> Iterator[Service]:
    """A Trading Service on the journal in `folder`, live on a replay that waits for its readers."""
    with trading_service(
        folder,
        free_port(),
        risk.address,
        AETHERION_TRADING_DATA_DIR=str(data_dir),
        AETHERION_TRADING_REPLAY_DATA_SET="demo",
        AETHERION_TRADING_ACCOUNT=ACCOUNT,
        AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        AETHERION_TRADING_JOURNAL_DIR=str(folder / "journal"),
    ) as trading:
        yield trading


def order(name: str, qty: int = 10) -> NewOrder:
    """An order that rests far below the market."""
    return NewOrder(name, ACCOUNT, "AAPL.XNAS", Side.BUY, Decimal(qty), Decimal("0.01"))


async def reports_of(client: TradingClient, count: int) -> list[ExecutionReport]:
    """The first `count` reports."""
    found = []
    async for report in client.stream_execution_reports(ACCOUNT):
        found.append(report)
        if len(found) == count:
            break
    return found


async def reports_until_canceled(client: TradingClient, orders: int) -> list[ExecutionReport]:
    """All reports up to that of the last of so many canceled orders."""
    found: list[ExecutionReport] = []
    async for report in client.stream_execution_reports(ACCOUNT):
        found.append(report)
        orders -= report.exec_type is ExecType.CANCELED
        if orders == 0:
            break
    return found


async def test_acknowledged_orders_outlive_kill_9(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    acks = {}
    with session(tmp_path, data_dir, risk) as trading:
        async with TradingClient(trading.address) as client:
            for n in range(50):
                acks[n] = await client.submit_order(order(f"o{n}"))
                assert acks[n].exec_type is ExecType.PENDING_NEW, acks[n].text
            before = await client.get_status()
            known = await reports_of(client, 50)
        trading.kill()
    with session(tmp_path, data_dir, risk) as trading:
        async with TradingClient(trading.address) as client:
            after = await client.get_status()
            assert (after.epoch, after.durability) == (before.epoch + 1, "fsync")
            for n, ack in acks.items():
                again = await client.submit_order(order(f"o{n}"))
                assert (again.order_id, again.sequence) == (ack.order_id, ack.sequence)
            resumed = await reports_of(client, 50)
            assert [r.sequence for r in resumed] == [r.sequence for r in known]
            # The venue lived in the process that was killed, and its orders died with it. Those of
            # which it had said nothing were sent again.
            orders = await client.list_orders(ACCOUNT)
            assert {o.new_order.cl_ord_id for o in orders} == {f"o{n}" for n in acks}
            canceled = [o for o in orders if o.ord_status is OrdStatus.CANCELED]
            sent_again = {o.ord_status for o in orders} - {OrdStatus.CANCELED}
            assert canceled
            assert sent_again <= {OrdStatus.PENDING_NEW, OrdStatus.NEW}
            chain = await reports_until_canceled(client, len(canceled))
            befores = [0] + [r.sequence for r in chain[:-1]]
            assert [r.prev_sequence for r in chain] == befores
            assert Counter(r.exec_type for r in chain)[ExecType.PENDING_NEW] == 50
        assert trading.stop() == 0
    verified = aetherion("journal", "verify", str(tmp_path / "journal"), "--json", folder=tmp_path)
    assert verified.returncode == 0, verified.stderr
    summary = json.loads(verified.stdout)["verified"]
    assert (summary["epoch"], summary["firstSequence"]) == (2, 1)


async def test_the_state_at_any_sequence_is_shown(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    with session(tmp_path, data_dir, risk) as trading:
        async with TradingClient(trading.address) as client:
            first = await client.submit_order(order("first"))
            await client.submit_order(order("second", 7))
        in_use = aetherion("journal", "verify", str(tmp_path / "journal"), folder=tmp_path)
        assert in_use.returncode == 1
        assert "LOCKED" in in_use.stderr or "in use" in in_use.stderr, in_use.stderr
        assert trading.stop() == 0
    folder = str(tmp_path / "journal")
    shown = aetherion(
        "journal",
        "state",
        folder,
        "--at",
        str(first.sequence),
        "--json",
        folder=tmp_path,
    )
    assert shown.returncode == 0, shown.stderr
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    orders = [line["order"] for line in lines if "order" in line]
    assert [o["clOrdId"] for o in orders] == ["first"]
    assert lines[-1]["state"]["sequence"] == first.sequence
    table = aetherion("journal", "state", folder, folder=tmp_path)
    assert f"account {ACCOUNT}" in table.stdout, table.stderr
    events = aetherion("journal", "verify", folder, "--events", folder=tmp_path)
    assert '"clOrdId": "second"' in events.stdout
    assert "every record is whole" in events.stdout
    beyond = aetherion("journal", "state", folder, "--at", "100000", folder=tmp_path)
    assert beyond.returncode == 1
    assert "sequence: must be at most" in beyond.stderr


def test_a_journal_that_was_changed_is_refused(
    tmp_path: Path, data_dir: Path, risk: Service
) -> None:
    with session(tmp_path, data_dir, risk) as trading:
        assert trading.stop() == 0
    segment = min((tmp_path / "journal").glob("*.segment"))
    content = bytearray(segment.read_bytes())
    content[400] ^= 1
    segment.write_bytes(content)
    verified = aetherion("journal", "verify", str(tmp_path / "journal"), folder=tmp_path)
    assert verified.returncode == 1
    assert f"{segment.name} offset" in verified.stderr
    with (
        pytest.raises(AssertionError, match=segment.name),
        session(tmp_path, data_dir, risk),
    ):
        pass

    # An operator goes on from the last good record by quoting its whole hash, and only so.
    quoted = re.search(r"up to sequence (\d+), with hash ([0-9a-f]{64})", verified.stderr)
    assert quoted, verified.stderr
    folder = str(tmp_path / "journal")
    wrong = aetherion("journal", "cut", folder, "--hash", "0" * 64, folder=tmp_path)
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("aetherion: hash: no record")
    cut = aetherion("journal", "cut", folder, "--hash", quoted[2], "--json", folder=tmp_path)
    assert cut.returncode == 0, cut.stderr
    assert json.loads(cut.stdout)["cut"]["lastSequence"] == int(quoted[1])
    with session(tmp_path, data_dir, risk) as trading:
        assert trading.stop() == 0
