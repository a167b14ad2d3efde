from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aetherion.services.stack import free_addresses

GOOD_BARS = """\
date,symbol,open,high,low,close,volume
2024-01-02,A,10,11,9,10.5,100
2024-01-03,A,10,11,9,10.5,100
"""


def aetherion(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the program in an empty folder."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AETHERION_")}
    return subprocess.run(
        [str(Path(sys.executable).parent / "aetherion"), *arguments],
        cwd=folder,
        env={**inherited, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check_error(folder: Path, arguments: Sequence[str], says: str, **environment: str) -> None:
    """The program must fail with one line on stderr that says so, and nothing else."""
    done = aetherion(folder, *arguments, environment=environment)
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("aetherion: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr
    assert not (folder / "runs").exists() or not list((folder / "runs").rglob("*.json"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--data", "nowhere.csv"], "nowhere.csv"),
        (["run", "--data", "bars.csv", "--strategy", "nobody"], "'nobody' is neither"),
        (["run", "--data", "bars.csv", "--strategy", "mine.py:X"], "no file mine.py"),
        (["run", "--data", "bars.csv", "--param", "lookbak=3"], "did you mean lookback"),
        (["run", "--data", "bars.csv", "--param", "lookback"], "param: must be NAME=VALUE"),
        (["run", "--data", "bars.csv", "--cash", "-5"], "cash: must be positive, got -5"),
        (["run", "--data", "bars.csv", "--max-order-qty", "x"], "max-order-qty: must be a number"),
        (["run", "--data", "bars.csv", "--instrument", "B.X"], "has no B.X; it has A."),
        (["data", "show", "nothing"], "nothing"),
    ],
)
def test_bad_request_is_one_clear_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "bars.csv").write_text(GOOD_BARS)
    check_error(tmp_path, arguments, says)


def test_bad_setting_is_one_clear_line(tmp_path: Path) -> None:
    says = "AETHERION_CLIENT_RUN_DIR: unknown variable in the environment; did you mean"
    check_error(tmp_path, ["status"], says, AETHERION_CLIENT_RUN_DIR="x")


@pytest.mark.parametrize("view", ["status", "orders", "positions", "account", "limits", "client"])
def test_service_that_is_not_there_is_one_clear_line(tmp_path: Path, view: str) -> None:
    (address,) = free_addresses(1)
    says = f"Trading Service at {address}: not reachable"
    check_error(tmp_path, [view], says, AETHERION_CLIENT_TRADING_ADDRESS=address)


def test_programs_that_are_not_built_are_one_clear_line(tmp_path: Path) -> None:
    says = "Risk Service: no program"
    (tmp_path / "bars.csv").write_text(GOOD_BARS)
    check_error(tmp_path, ["run", "--data", "bars.csv"], says, AETHERION_CLIENT_BIN_DIR="none")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    environment = {"AETHERION_CLIENT_DEBUG": "1", "AETHERION_CLIENT_RISK_ADDRESS": "x"}
    done = aetherion(tmp_path, "status", environment=environment)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_wrong_usage_exits_with_2(tmp_path: Path) -> None:
    done = aetherion(tmp_path, "run", "--no-such-option")
    assert done.returncode == 2
    assert "--no-such-option" in done.stderr


def test_help_lists_every_command(tmp_path: Path) -> None:
    done = aetherion(tmp_path, "--help")
    assert done.returncode == 0
    views = ("status", "orders", "positions", "account", "limits")
    for command in ("run", "client", *views, "data"):
        assert f" {command} " in done.stdout


def test_data_commands_are_there(tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(GOOD_BARS)
    done = aetherion(tmp_path, "data", "import", "bars.csv", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 2
