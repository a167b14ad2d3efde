"""The main job, as a user runs it: data in, real services, fills, VaR and a report out."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from processes import aetherion, services_of


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run a strategy and return its result.json, having checked what must hold of every run."""
    done = aetherion("run", "--json", "--out", str(folder / "out"), *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result == json.loads((folder / "out" / "result.json").read_text())
    assert services_of(folder) == {}, "a service outlived its run"
    return result


def fills(folder: Path) -> list[dict[str, str]]:
    """Return the rows of fills.csv."""
    with (folder / "out" / "fills.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The demo run: five US stocks, a portfolio strategy."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, run(folder)


def test_the_demo_trades_and_measures(demo: tuple[Path, dict[str, Any]]) -> None:
    """Five stocks, hundreds of fills, three VaR methods judged on about every day of the data."""
    folder, result = demo
    assert len(result["data"]["instruments"]) == 5
    assert len(fills(folder)) > 200
    assert {figures["method"] for figures in result["var"]} == {
        "parametric",
        "historical",
        "monte_carlo",
    }
    for figures in result["var"]:
        assert figures["judged"] > 2_000
        assert 0 < figures["exceptions"] < 5 * figures["expected"]


def test_cash_and_positions_follow_from_the_fills(demo: tuple[Path, dict[str, Any]]) -> None:
    """Adding up fills.csv by hand gives the last day's positions and cash, to the last digit."""
    folder, result = demo
    cash = Decimal(result["settings"]["initial_cash"])
    held: dict[str, Decimal] = {}
    for fill in fills(folder):
        sign = 1 if fill["side"] == "BUY" else -1
        qty, px = Decimal(fill["last_qty"]), Decimal(fill["last_px"])
        held[fill["instrument_id"]] = held.get(fill["instrument_id"], Decimal(0)) + sign * qty
        cash -= sign * qty * px + Decimal(fill["commission"])
    last = result["days"][-1]
    assert Decimal(last["cash"]) == cash
    assert {i: Decimal(q) for i, q in last["positions"].items()} == {
        i: q for i, q in held.items() if q
    }


def test_the_report_stands_alone(demo: tuple[Path, dict[str, Any]]) -> None:
    """One file, with charts, that loads nothing from anywhere."""
    folder, _ = demo
    report = (folder / "out" / "report.html").read_text()
    assert "Plotly.react(" in report
    assert len(report) > 1_000_000, "the plotting library is not inside"
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="https?:', report)


def test_the_same_run_twice(demo: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    """Another process, other batches: the same fills, report and state, byte for byte."""
    folder, result = demo
    again = run(tmp_path, "--batch-rows", "77")
    assert again["sha256"] == result["sha256"]
    assert again["var"] == result["var"]
    for name in ("fills.csv", "result.json", "report.html"):
        assert (tmp_path / "out" / name).read_bytes() == (folder / "out" / name).read_bytes(), name


STRATEGY = '''
from aetherion import Bar, Strategy


class BuyOnce(Strategy):
    """Buys three at the close of the second bar, sells them at that of the fourth."""

    seen: int = 0

    def on_bar(self, bar: Bar) -> None:
        self.seen += 1
        if self.seen == 2:
            self.buy(bar.instrument_id, 3)
        if self.seen == 4:
            self.sell(bar.instrument_id, 3)
'''

BARS = """date,open,high,low,close,volume
2024-01-02,10.00,10.50,9.90,10.40,1000
2024-01-03,10.60,11.00,10.50,10.90,1000
2024-01-04,11.10,11.20,10.70,10.80,20
2024-01-05,10.75,11.00,10.60,10.95,1000
2024-01-08,12.00,12.50,11.90,12.40,1000
2024-01-09,12.60,12.70,12.00,12.10,1000
"""


def write_case(folder: Path, bars: str = BARS) -> list[str]:
    """Write data and strategy of a small case and return the arguments that run it."""
    (folder / "ACME.csv").write_text(bars)
    (folder / "once.py").write_text(STRATEGY)
    return ["--data", str(folder / "ACME.csv"), "--strategy", f"{folder / 'once.py'}:BuyOnce"]


def test_an_order_fills_at_the_next_open_and_at_a_share_of_the_volume(tmp_path: Path) -> None:
    """Decided at the close of bar 2: filled at the opens of bars 3 and 4, never within bar 2."""
    run(tmp_path, *write_case(tmp_path), "--max-volume-share-bps", "1000")
    got = [(f["side"], Decimal(f["last_qty"]), Decimal(f["last_px"])) for f in fills(tmp_path)]
    # A tenth of bar 3's volume of 20 is 2; the third unit waits for bar 4.
    assert got == [
        ("BUY", Decimal(2), Decimal("11.10")),
        ("BUY", Decimal(1), Decimal("10.75")),
        ("SELL", Decimal(3), Decimal("12.00")),
    ]


def test_peeking_is_impossible(tmp_path: Path) -> None:
    """Changing the future of the data changes nothing that was done before it."""
    arguments = write_case(tmp_path)
    run(tmp_path, *arguments)
    before = fills(tmp_path)
    changed = BARS.replace("12.60,12.70,12.00,12.10", "1.00,99.00,0.50,50.00")
    assert changed != BARS
    write_case(tmp_path, changed)
    run(tmp_path, *arguments)
    assert fills(tmp_path) == before


REAL = {
    "quotes/binance_spot_btcusdt_20240808_quotes.csv.gz": 28_040,
    "trades/binance_spot_btcusdt_20240808_trades.csv.gz": 9_757,
    "trades/us_spy_20131008_trades.csv.gz": 451_545,
    "bars_1m/btc_perp_20211231_20220201_1m.csv.gz": 45_031,
}


@pytest.mark.parametrize("path", REAL)
def test_real_data(path: str, shared: Path, tmp_path: Path) -> None:
    """Quotes, trades and minute bars of real venues run through; every row is handed over."""
    result = run(tmp_path, "--data", str(shared / "data" / path))
    assert result["data"]["rows"] == REAL[path]


def test_a_year_of_real_minutes(shared: Path, tmp_path: Path) -> None:
    """A year of BTCUSD bars, two orders: exact fills at the opens after the decisions."""
    arguments = write_case(tmp_path)
    arguments[1] = str(shared / "data" / "bars_1m" / "bitfinex_btcusd_2016_1m.csv.gz")
    result = run(tmp_path, *arguments)
    assert result["data"]["rows"] == 293_230
    assert {fill["side"] for fill in fills(tmp_path)} == {"BUY", "SELL"}
