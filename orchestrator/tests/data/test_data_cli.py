"""`aetherion data` as a user types it."""

import json
from pathlib import Path

from typer.testing import CliRunner

from aetherion.data import DataError
from aetherion.data.cli import app

CSV = "date,open,high,low,close,volume\n2024-01-02,1,2,1,1.5,5\n2024-01-03,1,2,1,1.5,5\n"


def _run(*args: str | Path) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 0, result.output
    return result.output


def test_import_list_and_show(tmp_path: Path) -> None:
    path = tmp_path / "ACME.csv"
    path.write_text(CSV)
    catalog = tmp_path / "catalog"
    options = ("--venue", "XNAS", "--tick", "0.05", "--price-scale", 2, "--taker-fee-bps", "1.5")
    made = json.loads(
        _run("import", path, "--name", "mine", "--data-dir", catalog, "--json", *map(str, options))
    )
    assert made["rows"] == 2
    assert made["instruments"][0]["instrument_id"] == "ACME.XNAS"
    assert made["instruments"][0]["tick"] == "0.05"
    assert made["first_time"] == "2024-01-03T00:00:00Z"
    assert [s["name"] for s in json.loads(_run("list", "--data-dir", catalog, "--json"))] == [
        "mine"
    ]
    assert json.loads(_run("show", "mine", "--data-dir", catalog, "--json")) == made
    assert "ACME.XNAS" in _run("show", "mine", "--data-dir", catalog)
    assert "mine" in _run("list", "--data-dir", catalog)


def test_demo(tmp_path: Path) -> None:
    made = json.loads(_run("prepare-demo", "--data-dir", tmp_path, "--json"))
    assert (made["name"], made["rows"]) == ("demo", 12_154)
    assert made["sources"][1]["file"] == "FB.csv"


def test_errors_are_for_the_program_to_show(tmp_path: Path) -> None:
    path = tmp_path / "ACME.csv"
    path.write_text(CSV.replace("1.5", "x", 1))

    def refused(*args: str | Path) -> str:
        typed = [str(a) for a in (*args, "--data-dir", tmp_path / "catalog")]
        error = CliRunner().invoke(app, typed).exception
        assert isinstance(error, DataError)
        return str(error)

    finite = "ACME.csv: row 2: close: must be a finite decimal number, got x"
    assert refused("import", path) == finite
    assert refused("import", tmp_path / "none.csv").endswith("none.csv: no such file")
    assert "no data set 'mine'" in refused("show", "mine")
    assert refused("import", path, "--interval", "soon").startswith("interval: must be a number")
    assert refused("import", path, "--tick", "big") == "tick: must be a number, got 'big'"
    assert refused("import", path, "--column", "close") == "column: must be FIELD=NAME, got 'close'"
    assert refused("import", path, "--class", "bond").startswith("class: must be one of equity")
