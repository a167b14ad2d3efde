"""The service behind the functions, and the calls that take long."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aetherion import risk
from aetherion.client import RiskClient, ServiceUnavailableError
from aetherion.risk import (
    CalculationProgress,
    DeltaGammaBook,
    MonteCarlo,
    ReturnModel,
    RiskAnswer,
)
from aetherion.risk.desk import DESK
from aetherion.services.stack import free_addresses
from local_risk import local_service, sample_returns

LONG = MonteCarlo(ReturnModel(covariance=np.eye(20) * 1e-4), 10_000_000, seed=1)
BOOK = DeltaGammaBook(np.ones(20), np.eye(20))


@pytest.fixture(scope="module", autouse=True)
def _service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with local_service(tmp_path_factory.mktemp("risk")):
        yield


@pytest.fixture
async def client() -> AsyncIterator[RiskClient]:
    """An asynchronous client of that same service."""
    risk.price("call", 100, 100, 1, 0.2)
    assert DESK.address is not None
    async with RiskClient(DESK.address) as connected:
        yield connected


async def test_long_job_tells_its_progress_and_then_the_answer(client: RiskClient) -> None:
    told: list[CalculationProgress | RiskAnswer] = []
    async for item in client.stream_calculation(BOOK, [9900], LONG, min_interval_ms=10):
        told.append(item)
    *progress, answer = told
    assert isinstance(answer, RiskAnswer)
    done = [p.done for p in progress if isinstance(p, CalculationProgress)]
    assert len(done) == len(progress) > 0
    assert done == sorted(done)
    assert done[-1] <= 10_000_000


async def test_closing_the_stream_ends_the_job(client: RiskClient) -> None:
    """A job that is left behind does not hold up the ones after it: ten of them would take long."""
    for _ in range(10):
        async with aclosing(client.stream_calculation(BOOK, [9900], LONG)) as stream:
            task = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    answer = await client.calculate_risk(
        np.ones(1), [9900], MonteCarlo(ReturnModel(covariance=np.eye(1)), 1_000, seed=1)
    )
    assert answer.n_scenarios == 1_000


async def test_large_input_is_made_and_sent_part_by_part(client: RiskClient) -> None:
    """200 MB of rows: none is made before those before it are sent."""
    row = np.linspace(-0.01, 0.01, 500)
    made = 0

    def parts() -> Iterator[NDArray[np.float64]]:
        nonlocal made
        for made in range(1, 51):
            yield np.tile(row * made, (1_000, 1))

    seen: list[tuple[int, int]] = []
    exposures = np.repeat([-1.0, 1.0], 250)
    answer = await client.simulate_scenarios(
        exposures,
        parts(),
        [9900],
        n_scenarios=50_000,
        progress=lambda sent: seen.append((sent, made)),
        return_pnl=True,
    )
    assert seen[-1][0] == answer.n_scenarios == 50_000
    assert all(part == -(-sent // 1_000) for sent, part in seen)
    assert answer.pnl is not None
    expected = np.repeat(exposures @ row * np.arange(1, 51), 1_000)
    assert np.allclose(answer.pnl, expected, rtol=1e-12)


def test_ten_thousand_names_fit_a_message() -> None:
    """80 MB of returns, more than gRPC lets through where nothing is said."""
    returns = np.random.default_rng(4).normal(0, 0.01, (1_000, 10_000))
    exposures = np.ones(10_000)
    expected = np.sort(-(returns @ exposures))[990 - 1]
    assert float(risk.var(exposures, returns)) == pytest.approx(expected)


async def test_memory_mapped_file(client: RiskClient, tmp_path: Path) -> None:
    data = np.random.default_rng(3).normal(0, 0.01, (20_000, 8))
    np.save(tmp_path / "rows.npy", data)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    answer = await client.simulate_scenarios(np.ones(8), mapped, [9900])
    assert answer.figures[0].var == pytest.approx(np.sort(-data.sum(axis=1))[19_800 - 1])


def test_service_that_died_is_started_again() -> None:
    returns = sample_returns()
    before = risk.var([1.0, 1.0, 1.0], returns).var
    assert DESK._service is not None
    address, pid = DESK.address, DESK._service.pid
    os.kill(pid, signal.SIGKILL)
    while DESK._service.running:
        asyncio.run(asyncio.sleep(0.01))
    assert risk.var([1.0, 1.0, 1.0], returns).var == before
    assert DESK.address != address


def test_service_that_dies_in_a_call_is_asked_again() -> None:
    asked: list[str] = []

    async def question(client: RiskClient) -> str:
        asked.append(client.target)
        if len(asked) == 1:
            assert DESK._service is not None
            os.kill(DESK._service.pid, signal.SIGKILL)
            raise ServiceUnavailableError("lost")
        return client.target

    assert DESK.ask(question) == asked[1] != asked[0]
    asked.clear()
    with pytest.raises(ServiceUnavailableError, match="lost"):
        DESK.ask(question, repeatable=False)
    assert len(asked) == 1


def test_forked_child_is_told_to_spawn(tmp_path: Path) -> None:
    code = (
        "import os; from aetherion import risk\n"
        "risk.price('call', 100, 100, 1, 0.2)\n"
        "child = os.fork()\n"
        "try:\n"
        "    risk.price('call', 100, 100, 1, 0.2)\n"
        "except Exception as error:\n"
        "    print(error, flush=True)\n"
        "if child:\n"
        "    os.waitpid(child, 0)\n"
        "    risk.price('call', 100, 100, 1, 0.2)  # its service is still there\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    assert done.stdout.count("spawn") == 1
    assert len(done.stdout.splitlines()) == 1


def test_address_and_setting_decide_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    (nobody,) = free_addresses(1)
    risk.connect(nobody)
    with pytest.raises(ServiceUnavailableError, match=nobody):
        risk.price("call", 100, 100, 1, 0.2)
    risk.connect()
    monkeypatch.setenv("AETHERION_CLIENT_RISK_ADDRESS", nobody)
    with pytest.raises(ServiceUnavailableError, match=nobody):
        risk.price("call", 100, 100, 1, 0.2)
    monkeypatch.delenv("AETHERION_CLIENT_RISK_ADDRESS")
    risk.connect()
    assert float(risk.price("call", 100, 100, 1, 0.2)) > 0


def test_service_is_gone_when_the_program_ends(tmp_path: Path) -> None:
    code = (
        "from aetherion import risk; from aetherion.risk.desk import DESK\n"
        "risk.price('call', 100, 100, 1, 0.2)\n"
        "print(DESK._service.pid, DESK._folder)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    pid, folder = done.stdout.split()
    assert not Path(f"/proc/{pid}").exists()
    assert not Path(folder).exists()
    assert done.stderr == ""


INTERRUPTED = """
import os, signal, threading, time
import polars  # whose handler of signals restarts what waits
from aetherion import risk
risk.price("call", 100, 100, 1, 0.2)
at = []
def interrupt():
    at.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(0.5, interrupt).start()
try:
    risk.critical_z2(10_000, n_scenarios=10_000_000)
except KeyboardInterrupt:
    print(time.monotonic() - at[0])
"""


def test_ctrl_c_ends_a_call(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        timeout=60,
    )
    assert float(done.stdout) < 5, done.stdout


def test_threads_that_ask_first_share_a_service(tmp_path: Path) -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from pathlib import Path\n"
        "import os\n"
        "from aetherion import risk\n"
        "with ThreadPoolExecutor(6) as pool:\n"
        "    list(pool.map(lambda _: risk.price('call', 100, 100, 1, 0.2), range(6)))\n"
        "children = Path(f'/proc/{os.getpid()}/task').glob('*/children')\n"
        "print(sum(len(c.read_text().split()) for c in children))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert done.stdout == "1\n"
