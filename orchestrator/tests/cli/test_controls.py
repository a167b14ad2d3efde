"""Files of limits, and the emergency commands when nobody answers."""

from __future__ import annotations

import json
import socket
import time
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aetherion.cli import app
from aetherion.cli.limits import document_of, read_limits
from aetherion.errors import AetherionError
from aetherion.risk import RiskLimit, RiskLimits

TOML = """\
market_order_band_bps = 100

[[limits]]
max_order_notional = 250_000.5
max_open_orders = 40

[[limits]]
account = "A1"
instrument_id = "IBM.XNYS"
max_position_qty = "1000"
no_short = true
"""


def test_a_file_of_limits_is_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(TOML)
    expected = RiskLimits(
        (
            RiskLimit(max_order_notional=Decimal("250000.5"), max_open_orders=40),
            RiskLimit("A1", "IBM.XNYS", max_position_qty=Decimal(1000), no_short=True),
        ),
        market_order_band_bps=100,
    )
    assert read_limits(file) == expected
    # What is shown as JSON is a file too.
    shown = tmp_path / "limits.json"
    shown.write_text(json.dumps(document_of(expected)))
    assert read_limits(shown) == expected


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "[[limits]]\nmax_order_qt = 1",
            "limits[0]: no field max_order_qt; did you mean max_order",
        ),
        ("limit = []", "no field limit; did you mean limits?"),
        ("limits = 3", "limits: must be a list of tables"),
        ("[[limits]]\nmax_order_qty = 'x'", "limits[0].max_order_qty: must be a number, got 'x'"),
        ("[[limits]]\nmax_order_qty = nan", "limits[0].max_order_qty: must be finite"),
        ("[[limits]]\nmax_open_orders = -1", "limits[0].max_open_orders: must be a whole number"),
        ("[[limits]]\nmax_open_orders = true", "limits[0].max_open_orders: must be a whole number"),
        ("[[limits]]\nno_short = 1", "limits[0].no_short: must be true or false, got 1"),
        ("[[limits]]\naccount = 1", "limits[0].account: must be a text, got 1"),
        ("version = 'x'", "version: must be a whole number from 0 on, got 'x'"),
        ("= 3", "Invalid"),
    ],
)
def test_a_bad_file_of_limits_is_named(tmp_path: Path, content: str, says: str) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(content)
    with pytest.raises(AetherionError) as caught:
        read_limits(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AetherionError, match=r"none\.toml: No such file"):
        read_limits(tmp_path / "none.toml")


def test_kill_says_within_its_deadline_that_nobody_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket() as hung:  # takes connections, and never says a word
        hung.bind(("127.0.0.1", 0))
        hung.listen()
        address = f"127.0.0.1:{hung.getsockname()[1]}"
        begin = time.monotonic()
        done = CliRunner().invoke(
            app,
            ["kill", "engage", "--reason", "fire", "--timeout", "0.5"],
            env={"AETHERION_CLIENT_TRADING_ADDRESS": address},
        )
        took_s = time.monotonic() - begin
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert "The kill switch is NOT known to be engaged" in done.stderr
    assert took_s < 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("state set stopped --reason r", "state: must be one of active, reducing, cancel-only"),
        ("orders cancel-all --side long", "side: must be buy or sell, got 'long'"),
    ],
)
def test_a_bad_argument_is_one_clear_line(
    arguments: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments.split())
    assert done.exit_code == 1
    assert done.stderr.startswith(f"aetherion: {says}")
    assert done.stderr.count("\n") == 1
