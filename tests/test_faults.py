"""What a user sees when a service dies under a run."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processes import AETHERION, BIN, clean_environment, client_environment, services_of

# About nine years of daily bars in twelve seconds, an order at every bar.
SPEED = "25000000"

STRATEGY = '''
from aetherion import Bar, Strategy


class EveryBar(Strategy):
    """Holds one share on every other day."""

    def on_bar(self, bar: Bar) -> None:
        if self.portfolio.position(bar.instrument_id) > 0:
            self.sell(bar.instrument_id, 1)
        else:
            self.buy(bar.instrument_id, 1)
'''

LOOPS = '''
class Loops(Strategy):
    """Never comes back."""

    def on_bar(self, bar: Bar) -> None:
        while True:
            pass
'''


@pytest.fixture
def run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A run that takes a while and sends an order at each bar."""
    (tmp_path / "every.py").write_text(STRATEGY)
    arguments = ["run", "--json", "--out", "out", "--speed", SPEED]
    arguments += ["--strategy", "every.py:EveryBar", "--instrument", "IBM.XNYS"]
    process = subprocess.Popen(
        [AETHERION, *arguments],
        cwd=tmp_path,
        env=client_environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait()


def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.05)


def running(folder: Path) -> dict[str, int]:
    """Return both services' process ids once the run is under way."""
    until(lambda: len(services_of(folder)) == 2)
    time.sleep(3.0)
    return services_of(folder)


def test_risk_dies_and_comes_back(run: subprocess.Popen[str], tmp_path: Path) -> None:
    """Orders are refused while it is gone, nothing hangs, and trading goes on when it is back."""
    pid = running(tmp_path)["aetherion-risk"]
    variables = dict(
        entry.split("=", 1)
        for entry in Path(f"/proc/{pid}/environ").read_text().split("\0")
        if entry
    )
    os.kill(pid, signal.SIGKILL)
    time.sleep(2.0)
    address = variables["AETHERION_RISK_LISTEN"]
    again = subprocess.Popen(
        [BIN / "aetherion-risk"],
        cwd=tmp_path,
        env=clean_environment(AETHERION_RISK_LISTEN=address),
        stderr=subprocess.DEVNULL,
    )
    try:
        output, errors = run.communicate(timeout=90)
    finally:
        again.terminate()
        again.wait()
    assert run.returncode == 0, errors
    assert "Risk Service was killed" in errors or "orders are rejected until it is back" in errors
    result = json.loads(output)
    refused = result["rejections"]["RISK_UNAVAILABLE"]
    assert refused > 10
    fills = (tmp_path / "out" / "fills.csv").read_text().splitlines()[1:]
    times = [int(line.split(",")[1]) for line in fills]
    longest = max(later - earlier for earlier, later in itertools.pairwise(times))
    assert longest > 20 * 86_400 * 10**9, "no gap in the fills while risk was gone"
    assert times[-1] > result["data"]["last_time_ns"] - 20 * 86_400 * 10**9, "trading did not go on"


def test_trading_dies(run: subprocess.Popen[str], tmp_path: Path) -> None:
    """One clear line and a non-zero exit, without a traceback; nothing is left behind."""
    os.kill(running(tmp_path)["aetherion-trading"], signal.SIGKILL)
    output, errors = run.communicate(timeout=30)
    assert run.returncode == 1
    assert output == ""
    last = errors.strip().splitlines()[-1]
    assert last.startswith("aetherion: Trading Service")
    assert "Traceback" not in errors
    assert services_of(tmp_path) == {}
    assert not (tmp_path / "out" / "result.json").exists()


def test_interrupt(run: subprocess.Popen[str], tmp_path: Path) -> None:
    """Ctrl-C stops everything and leaves nothing half-written."""
    running(tmp_path)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "Traceback" not in errors
    assert services_of(tmp_path) == {}
    assert not (tmp_path / "out" / "result.json").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_strategy_that_never_returns_can_be_stopped(number: int, tmp_path: Path) -> None:
    """The line it hangs in is named, and nothing is left behind."""
    (tmp_path / "loops.py").write_text(STRATEGY.split("class")[0] + LOOPS)
    with subprocess.Popen(
        [AETHERION, "run", "--out", "out", "--strategy", "loops.py:Loops"],
        cwd=tmp_path,
        env=client_environment(tmp_path),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        running(tmp_path)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "loops.py:" in errors
    assert "did not return" in errors
    assert "Traceback" not in errors
    assert services_of(tmp_path) == {}
