"""`aetherion exchange` as a process: ready, ended by Ctrl-C, and refusing what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aetherion.services.stack import free_addresses


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The program, with a process group of its own, as a terminal gives it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AETHERION_")}
    return subprocess.Popen(
        [Path(sys.executable).with_name("aetherion"), "exchange", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupted(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C, which goes to the whole group, and return what the program said since."""
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=20)


@pytest.mark.parametrize("as_json", [False, True])
def test_ready_then_ctrl_c_ends_it_well(tmp_path: Path, as_json: bool) -> None:
    (address,) = free_addresses(1)
    process = start(tmp_path, f"--listen={address}", *(["--json"] if as_json else []))
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        if as_json:
            ready = json.loads(line)
            assert (ready["ready"], ready["address"]) == (True, address)
            os.kill(ready["pid"], 0)  # it is a process that runs
        else:
            assert line == f"exchange SIM ready on {address}"
        out, err = interrupted(process)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--latency=soon"], 'latency: must be like 2ms or 2ms~0.5, got "soon"'),
        (["--latency=2h"], "command_latency: must be 0 to 1h0m0s, got 2h0m0s"),
        (["--instruments=nowhere.json"], "instruments: open nowhere.json"),
        (["--listen=nowhere"], "nowhere"),
    ],
)
def test_bad_flag_is_one_clear_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    process = start(tmp_path, *arguments)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (1, "")
    assert says in err
    assert err.count("\n") == 1, err
