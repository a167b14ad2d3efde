from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from scripted_peer import AAPL, ScriptedSimulation, day_end, fill, peers, rejection, step

from aetherion.backtest import files
from aetherion.backtest.files import OutputError, make_folder, write_files
from aetherion.backtest.result import RunResult
from aetherion.backtest.runner import RunConfig, run_backtest
from aetherion.strategy import Strategy


@pytest.fixture
async def result(tmp_path: Path) -> RunResult:
    """A small run: one fill, one rejection, one day."""
    simulation = ScriptedSimulation(
        [step(0, [5000, 5100], rejection(0, 9), fill(1, 2, 5000), day_end(2, 999_900, 2, 5100))]
    )
    async with peers(tmp_path, simulation) as (trading, risk):
        return await run_backtest(trading, risk, Strategy(), (AAPL,), RunConfig("r", "set"))


def test_all_files_are_written(result: RunResult, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    make_folder(folder)
    content = write_files(result, folder)
    assert sorted(p.name for p in folder.iterdir()) == ["fills.csv", "report.html", "result.json"]
    assert json.loads((folder / "result.json").read_text()) == content
    with (folder / "fills.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["side"], row["last_qty"], row["last_px"]) == ("BUY", "2", "50.00")
    assert content["performance"]["final_equity"] == "1000002.00"
    assert content["performance"]["pnl"] == "2.00"
    assert content["rejections"] == {"POSITION_LIMIT": 1}
    assert content["days"][0]["positions"] == {"AAPL.XNAS": "2"}


def test_failure_leaves_the_files_of_the_run_before(
    result: RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("fills.csv", "report.html", "result.json"):
        (tmp_path / name).write_text("before")

    def full(result: RunResult, path: Path) -> None:
        path.write_text("half a rep")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_report", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_files(result, tmp_path)
    for name in ("fills.csv", "report.html", "result.json"):
        assert (tmp_path / name).read_text() == "before"
    assert not list(tmp_path.glob(".writing-*"))


def test_folder_that_cannot_be_made_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/out: cannot be written: Not a directory"):
        make_folder(tmp_path / "file" / "out")
