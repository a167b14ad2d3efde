"""Bad input: one clear line that names file, row, field, value and rule, and nothing is written."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from processes import BIN, aetherion, clean_environment, free_port

HEADER = "date,open,high,low,close,volume\n"
GOOD = "2024-01-02,10.0,10.5,9.9,10.4,1000\n2024-01-03,10.6,11.0,10.5,10.9,1000\n"

FILES = {
    "unsorted rows": (
        HEADER + "2024-01-03,1,1,1,1,1\n2024-01-02,1,1,1,1,1\n",
        ["bars.csv", "row 3", "time", "2024-01-03"],
    ),
    "a NaN": (HEADER + "2024-01-02,1,1,NaN,1,1\n", ["bars.csv", "row 2", "low", "NaN"]),
    "an empty cell": (HEADER + "2024-01-02,1,1,,1,1\n", ["bars.csv", "row 2", "low"]),
    "a negative price": (
        HEADER + "2024-01-02,1,1,-1,1,1\n",
        ["bars.csv", "row 2", "low", "-1", "positive"],
    ),
    "words for a number": (
        HEADER + "2024-01-02,1,1,one,1,1\n",
        ["bars.csv", "row 2", "low", "one"],
    ),
    "high below low": (HEADER + "2024-01-02,10,9,10,10,1\n", ["bars.csv", "row 2", "high"]),
    "a missing column": (
        "date,open,high,low,volume\n2024-01-02,1,1,1,1\n",
        ["bars.csv", "close"],
    ),
    "no rows": (HEADER, ["bars.csv", "row"]),
    "an empty file": ("", ["bars.csv", "rows"]),
    "no market data at all": ("a,b\n1,2\n", ["bars.csv"]),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path) -> None:
    """A file with a fault is refused before anything starts."""
    content, words = FILES[name]
    (tmp_path / "bars.csv").write_text(content)
    done = aetherion("run", "--data", "bars.csv", folder=tmp_path)
    assert done.returncode != 0
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*.parquet")] == []
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nowhere.csv"], ["nowhere.csv"]),
        (["--data", "good.csv", "--instrument", "NONE.SUCH"], ["instrument", "NONE.SUCH"]),
        (["--data", "good.csv", "--strategy", "no_such_strategy"], ["no_such_strategy"]),
        (["--data", "good.csv", "--strategy", "broken.py:Broken"], ["broken.py:6", "oops"]),
        (["--data", "good.csv", "--strategy", "floats.py:Floats"], ["price", "10.123", "10.12"]),
        (["--data", "good.csv", "--strategy", "zero.py:Zero"], ["qty", "0"]),
        (["--data", "good.csv", "--cash", "-5"], ["cash", "positive", "-5"]),
        (["--data", "good.csv", "--cash", "plenty"], ["cash", "plenty"]),
        (["--data", "good.csv", "--scenarios", "10"], ["scenarios", "10"]),
        (["--data", "good.csv", "--no-such-option"], ["no-such-option"]),
    ],
)
def test_runs(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    """A run that cannot be is refused by name; a strategy that fails shows its own line."""
    (tmp_path / "good.csv").write_text(HEADER + GOOD.replace("10.0,", "10.00,"))
    body = """from aetherion import Bar, Strategy


class {}(Strategy):
    def on_bar(self, bar: Bar) -> None:
        {}
"""
    for name, line in {
        "Broken": 'raise RuntimeError("oops")',
        "Floats": "self.buy(bar.instrument_id, 1, price=10.123)",
        "Zero": "self.buy(bar.instrument_id, 0)",
    }.items():
        (tmp_path / f"{name.lower()}.py").write_text(body.format(name, line))
    done = aetherion("run", *arguments, folder=tmp_path)
    assert done.returncode != 0, done.stdout
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "good" / "result.json").exists()


def test_service_missing(tmp_path: Path) -> None:
    """A client whose services do not run says which, where, and what to do."""
    done = aetherion("status", folder=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Trading Service" in done.stderr
    assert "127.0.0.1:50051" in done.stderr


@pytest.mark.parametrize(
    ("program", "prefix"),
    [("aetherion-risk", "AETHERION_RISK_"), ("aetherion-trading", "AETHERION_TRADING_")],
)
class TestServices:
    """Settings of the two services."""

    def start(self, program: str, folder: Path, **settings: str) -> tuple[int, str]:
        """Run a service that is expected to refuse to start."""
        done = subprocess.run(
            [BIN / program],
            cwd=folder,
            env=clean_environment(**settings),
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.returncode, done.stderr

    def test_port_in_use(self, program: str, prefix: str, tmp_path: Path) -> None:
        """A taken port is one line with the address."""
        (tmp_path / "data").mkdir()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            code, errors = self.start(program, tmp_path, **{f"{prefix}LISTEN": address})
        assert code == 1
        assert address in errors
        assert "in use" in errors

    def test_unknown_setting(self, program: str, prefix: str, tmp_path: Path) -> None:
        """An unknown variable is refused with the nearest that exists."""
        code, errors = self.start(program, tmp_path, **{f"{prefix}LISTENN": "127.0.0.1:1"})
        assert code == 2
        assert f"{prefix}LISTENN" in errors
        assert f"{prefix}LISTEN" in errors.replace(f"{prefix}LISTENN", "")

    def test_mistyped_prefix(self, program: str, prefix: str, tmp_path: Path) -> None:
        """A variable of no program of ours is refused; one of another program is let be."""
        others = {"AETHERION_CLIENT_NONSENSE": "1", prefix[:-2] + "_LISTEN": "127.0.0.1:1"}
        code, errors = self.start(program, tmp_path, **others)
        assert code == 2
        assert prefix[:-2] + "_LISTEN" in errors
        assert "NONSENSE" not in errors

    def test_bad_value(self, program: str, prefix: str, tmp_path: Path) -> None:
        """A bad value is refused with its name and the rule."""
        code, errors = self.start(program, tmp_path, **{f"{prefix}LOG_LEVEL": "loud"})
        assert code == 2
        assert f"{prefix}LOG_LEVEL" in errors
        assert "loud" in errors

    def test_dotenv(self, program: str, prefix: str, tmp_path: Path) -> None:
        """A .env file counts, and the environment wins over it."""
        (tmp_path / ".env").write_text(f"{prefix}LOG_LEVEL=loud\n")
        code, errors = self.start(program, tmp_path)
        assert code == 2
        assert "loud" in errors
        (tmp_path / ".env").write_text(f"{prefix}LISTEN=127.0.0.1:{free_port()}\n")
        code, errors = self.start(program, tmp_path, **{f"{prefix}LISTEN": "nonsense"})
        assert code == 2
        assert "nonsense" in errors
