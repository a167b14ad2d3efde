from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aetherion.client import RiskClient, ServiceError
from aetherion.config import Settings
from aetherion.services import ServiceProcess, ServiceSpec, process
from aetherion.services.stack import free_addresses

RISK = Settings().bin_dir / "aetherion-risk"


def script(folder: Path, text: str) -> ServiceSpec:
    """A service that is a shell script."""
    binary = folder / "service"
    binary.write_text(f"#!/bin/sh\n{text}\n")
    binary.chmod(0o755)
    (address,) = free_addresses(1)
    return ServiceSpec("Test Service", binary, address, {"WHO": "me"}, folder / "logs" / "log")


def risk(folder: Path) -> ServiceSpec:
    (address,) = free_addresses(1)
    environment = {"AETHERION_RISK_LISTEN": address}
    return ServiceSpec("Risk Service", RISK, address, environment, folder / "risk.log")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} was left behind"
        time.sleep(0.02)


async def test_service_serves_until_it_is_stopped(tmp_path: Path) -> None:
    service = await ServiceProcess.start(risk(tmp_path), 10)
    async with RiskClient(service.spec.address) as client:
        assert await client.is_serving()
        await service.stop()
        assert not await client.is_serving()
    assert not is_alive(service.pid)
    await service.stop()  # again: nothing to do


async def test_missing_program_says_what_to_do(tmp_path: Path) -> None:
    spec = ServiceSpec("Risk Service", tmp_path / "none", "127.0.0.1:1", {}, tmp_path / "log")
    with pytest.raises(ServiceError, match=r"no program .*/none; run make build, or set"):
        await ServiceProcess.start(spec, 1)


async def test_service_that_ends_at_start_says_why(tmp_path: Path) -> None:
    spec = script(tmp_path, 'echo "started by $WHO"; echo "listen: port is taken" >&2; exit 3')
    with pytest.raises(ServiceError) as caught:
        await ServiceProcess.start(spec, 10)
    assert str(caught.value) == (
        f"Test Service: ended with exit code 3: listen: port is taken; log: {spec.log}"
    )
    assert spec.log.read_text().startswith("started by me\n")


async def test_service_that_never_serves_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_STOP_TIMEOUT_S", 0.2)
    spec = script(tmp_path, f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done")
    with pytest.raises(ServiceError, match=r"not serving within 0\.3 s"):
        await ServiceProcess.start(spec, 0.3)
    assert not is_alive(int((tmp_path / "pid").read_text()))  # it ignored SIGTERM, not SIGKILL


async def test_cancel_while_starting_leaves_nothing(tmp_path: Path) -> None:
    spec = script(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    starting = asyncio.create_task(ServiceProcess.start(spec, 30))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not is_alive(int((tmp_path / "pid").read_text()))


async def test_end_is_told_in_words(tmp_path: Path) -> None:
    service = await ServiceProcess.start(risk(tmp_path), 10)
    assert await service.ended(timeout_s=0.01) is None
    os.kill(service.pid, signal.SIGKILL)
    assert await service.ended() == "killed by SIGKILL"
    assert not service.running


def test_service_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from aetherion.services import ServiceProcess, ServiceSpec
spec = ServiceSpec("t", Path("{RISK}"), "ADDRESS", {{"AETHERION_RISK_LISTEN": "ADDRESS"}},
                   Path("{tmp_path}/log"))
async def main():
    print((await ServiceProcess.start(spec, 10)).pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
""".replace("ADDRESS", free_addresses(1)[0])
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_alive(pid)
        parent.kill()
    wait_until_gone(pid)
