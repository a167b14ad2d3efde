"""The report: what it shows, that it is the same twice, and that it loads nothing."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aetherion.backtest.result import (
    DayEnd,
    Fill,
    Rejection,
    RiskUnavailable,
    RunResult,
    RunSettings,
    VarSeries,
)
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.report import write_report
from aetherion.report.page import render
from aetherion.report.sections import MOST_ROWS

NAMES = ("ACME.XNAS", "<b>.XNAS")
EQUITY = (1_010_000, 990_000, 1_020_000, 1_050_000)
FIRST = date(2024, 1, 30)


def _day(number: int, equity: int | None, **more: Any) -> DayEnd:
    day = FIRST + timedelta(days=number)
    values: dict[str, Any] = {
        "transact_time_ns": 0,
        "date": day.isoformat(),
        "cash": Decimal(1000),
        "equity": None if equity is None else Decimal(equity),
        "fees": Decimal("12.34"),
        "realized_pnl": Decimal(0),
        "positions": {NAMES[0]: Decimal(5)},
        "marks": {NAMES[0]: Decimal(10)},
        "exposures": {NAMES[0]: 500.0 + number, NAMES[1]: -200.0},
    }
    return DayEnd(**values | more)


def _var(method: str, confidence_bp: int) -> VarSeries:
    return VarSeries(
        method,
        confidence_bp,
        dates=tuple(_day(n, 1).date for n in (1, 2, 3)),
        var=np.array([15_000.0, 15_000.0, 15_000.0]),
        es=np.array([18_000.0, 18_000.0, 18_000.0]),
        pnl=np.array([-20_000.0, 30_000.0, np.nan]),
        exceptions=np.array([True, False, False]),
    )


def _fill(number: int) -> Fill:
    return Fill(
        sequence=number,
        transact_time_ns=1_706_606_400_000_000_000 + number * 10**6,
        exec_id=str(number),
        order_id=number,
        cl_ord_id=f"o{number}",
        instrument_id=NAMES[0],
        side="BUY",
        last_qty=Decimal(3),
        last_px=Decimal("1234.5600"),
        liquidity="REMOVED",
        commission=Decimal("0.37"),
        currency="USD",
    )


RESULT = RunResult(
    name="demo",
    strategy="Hold",
    strategy_doc="Holds what it has & waits.\n\n    More about it.",
    strategy_sha256="5" * 64,
    parameters={"lookback": 63},
    settings=RunSettings(
        account="main",
        initial_cash=Decimal(1_000_000),
        base_currency="USD",
        max_volume_share_bps=1000,
        order_latency_ns=0,
        speed=0.0,
        seed=7,
        n_scenarios=10_000,
        var_window=250,
        confidence_bp=(9500, 9900),
        risk_limits={"firm": "max_order_notional 1000000"},
    ),
    data_set="demo",
    data_sha256="d" * 64,
    instruments=tuple(Instrument(n, InstrumentClass.EQUITY, n, "USD", 4, 0) for n in NAMES),
    kinds=("bar",),
    rows=8,
    first_time_ns=1_706_572_800_000_000_000,
    last_time_ns=1_706_918_400_000_000_000,
    orders=3,
    open_orders=1,
    fills=(_fill(1), _fill(2)),
    rejections=(Rejection(0, "o9", NAMES[1], "RISK_UNAVAILABLE", "RISK", "silent <i>"),),
    days=tuple(_day(n, equity) for n, equity in enumerate(EQUITY)),
    var=tuple(_var(m, c) for m in ("parametric", "historical") for c in (9500, 9900)),
    var_note="",
    risk_unavailable=(RiskUnavailable("2024-01-30", "too few returns"),),
    state_sha256="e" * 64,
    last_sequence=42,
    notes=("prices were adjusted",),
)


def _without_scripts(html: str) -> str:
    return re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)


def _charts(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', html)
    assert found is not None
    return json.loads(found[1])  # type: ignore[no-any-return]


def _text(result: RunResult) -> str:
    """Return what a reader of the page sees outside of its charts."""
    body = _without_scripts(render(result)).split("<body>")[1]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def test_headline_figures() -> None:
    text = _text(RESULT)
    for shown in (
        "Hold on demo",
        "Holds what it has &amp; waits.",
        "P&amp;L 50,000.00",
        "Total return 5.00%",
        "Max drawdown 1.98%",  # 1,010,000 to 990,000
        "Final equity 1,050,000.00",
        "Fees 12.34",
        "Rejections 1",
    ):
        assert shown in text


def test_tables() -> None:
    text = _text(RESULT)
    for shown in (
        "Parametric 0.95 2 1 0.1",
        "2024 -1.0% 6.1%",  # January ends at 990,000
        "RISK_UNAVAILABLE RISK silent &lt;i&gt; o9",
        "2024-01-30 09:20:00.001 ACME.XNAS BUY 3 1,234.5600 3,703.68 0.37 removed",
        "2024-01-30: no forecast: too few returns",
        "Monte Carlo 10,000 scenarios, seed 7",
        "SHA-256 of state " + "e" * 64,
        "prices were adjusted",
    ):
        assert shown in text


def test_charts_hold_the_run() -> None:
    charts = _charts(render(RESULT))
    assert sorted(charts) == ["equity", "exposure", "var-historical", "var-parametric"]
    curve, falls = charts["equity"]["data"]
    assert curve["y"] == list(EQUITY)
    assert falls["y"][1] == pytest.approx(990 / 1010 - 1)
    exposure = {(t["name"], t["stackgroup"]): t["y"] for t in charts["exposure"]["data"]}
    assert exposure[NAMES[0], "long"] == [500, 501, 502, 503]
    assert exposure[NAMES[1], "short"] == [-200] * 4
    pnl, line, marks = charts["var-parametric"]["data"][:3]
    # A forecast stands on the day that it was for.
    assert pnl["x"] == ["2024-02-01", "2024-02-02", "2024-02-02"]
    assert pnl["y"] == [-20_000, 30_000, None]
    assert line["y"] == [-15_000] * 3
    assert (marks["x"], marks["y"]) == (["2024-02-01"], [-20_000])


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(RESULT, tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_nothing_is_loaded_and_no_text_is_code() -> None:
    html = render(RESULT)
    assert "default-src 'none'" in html
    page = _without_scripts(html)
    assert not re.search(r"(src|href)=|url\(|@import", page)
    assert "<b>" not in page
    assert "<i>" not in page
    hostile = replace(RESULT, strategy="</script><script>x")
    assert html.count("<script") == render(hostile).count("<script")


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"days": ()}, "The run ended before its first day did."),
        ({"days": (_day(0, None),)}, "Returns need equity that is known and positive"),
        ({"days": (_day(0, -5),)}, "Returns need equity that is known and positive"),
        ({"days": (_day(0, 1_000_000, exposures={}),)}, "No position was held"),
        ({"fills": ()}, "No order was filled."),
        ({"rejections": ()}, "No order was refused."),
        ({"var": (), "var_note": "the run has fewer than 250 days"}, "fewer than 250 days"),
        ({"var": ()}, "No forecast was made."),
    ],
)
def test_what_is_missing_is_said(change: dict[str, Any], shown: str) -> None:
    result = replace(RESULT, **change)
    assert shown in _text(result)
    _charts(render(result))


def test_long_tables_are_cut_and_say_so() -> None:
    result = replace(RESULT, fills=tuple(_fill(n) for n in range(MOST_ROWS + 5)))
    html = render(result)
    assert html.count("<td>BUY</td>") == MOST_ROWS
    assert "The first 1,000 of 1,005 fills." in html


def test_many_instruments_are_told_apart_or_summed() -> None:
    names = [f"S{n:02}.XNAS" for n in range(12)]
    instruments = tuple(Instrument(n, InstrumentClass.EQUITY, n, "USD", 2, 0) for n in names)
    held = {name: float(n + 1) for n, name in enumerate(names)}
    result = replace(RESULT, instruments=instruments, days=(_day(0, 1_000_000, exposures=held),))
    traces = _charts(render(result))["exposure"]["data"]
    assert [t["name"] for t in traces] == [*names[:4:-1], "5 others"]
    assert traces[-1]["y"] == [1 + 2 + 3 + 4 + 5]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
def test_a_browser_draws_every_chart(tmp_path: Path) -> None:
    write_report(RESULT, tmp_path / "report.html")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"]
    page = f"file://{tmp_path / 'report.html'}"
    drawn = subprocess.run([*command, page], capture_output=True, text=True, timeout=120).stdout
    for name in _charts(render(RESULT)):
        assert re.search(rf'id="{name}"[^>]*>\s*<div class="plot-container', drawn), name
