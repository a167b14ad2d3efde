from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aetherion.cli import app
from aetherion.config import ConfigError
from aetherion.services.stack import free_addresses

GOOD_BARS = """\
date,symbol,open,high,low,close,volume
2024-01-02,A,10,11,9,10.5,100
2024-01-03,A,10,11,9,10.5,100
"""


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AETHERION_")]:
        monkeypatch.delenv(name)


def aetherion(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, arguments, env=environment)


def check_error(arguments: Sequence[str], says: str, **environment: str) -> None:
    """The program must fail with one line on stderr that says so, and nothing else."""
    done = aetherion(*arguments, **environment)
    assert done.exit_code == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("aetherion: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert says in done.stderr
    assert not list(Path("runs").rglob("*.json"))


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
def test_bad_request_is_one_clear_line(arguments: list[str], says: str) -> None:
    Path("bars.csv").write_text(GOOD_BARS)
    check_error(arguments, says)


def test_bad_setting_is_one_clear_line() -> None:
    says = "AETHERION_CLIENT_RUN_DIR: unknown variable in the environment; did you mean"
    check_error(["status"], says, AETHERION_CLIENT_RUN_DIR="x")


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "orders list",
        "orders --in-doubt",
        "orders show x",
        "orders cancel x",
        "orders cancel-all",
        "positions",
        "account",
        "limits show",
        "limits approve 2",
        "kill engage --reason r",
        "kill release --reason r",
        "kill show",
        "state set halted --reason r",
        "state show",
        "client",
    ],
)
def test_service_that_is_not_there_is_one_clear_line(command: str) -> None:
    (address,) = free_addresses(1)
    says = f"Trading Service at {address}: not reachable"
    check_error(command.split(), says, AETHERION_CLIENT_TRADING_ADDRESS=address)


def test_programs_that_are_not_built_are_one_clear_line() -> None:
    says = "Risk Service: no program"
    Path("bars.csv").write_text(GOOD_BARS)
    check_error(["run", "--data", "bars.csv"], says, AETHERION_CLIENT_BIN_DIR="none")


def test_debug_shows_the_exception() -> None:
    done = aetherion("status", AETHERION_CLIENT_DEBUG="1", AETHERION_CLIENT_RISK_ADDRESS="x")
    assert isinstance(done.exception, ConfigError)


def test_installed_program_fails_in_one_line_too() -> None:
    program = Path(sys.executable).parent / "aetherion"
    done = subprocess.run([program, "run", "--data", "no.csv"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_wrong_usage_exits_with_2() -> None:
    done = aetherion("run", "--no-such-option")
    assert done.exit_code == 2
    assert "--no-such-option" in done.stderr


def test_help_lists_every_command() -> None:
    done = aetherion("--help")
    assert done.exit_code == 0
    views = ("status", "orders", "positions", "account", "limits", "kill", "state")
    for command in ("run", "client", *views, "data"):
        assert f" {command} " in done.stdout


def test_data_commands_are_there() -> None:
    Path("bars.csv").write_text(GOOD_BARS)
    done = aetherion("data", "import", "bars.csv", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 2
