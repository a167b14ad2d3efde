"""A run's files: report.html, result.json and fills.csv, all of them or none."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

from aetherion.backtest.result import DayEnd, RunResult
from aetherion.backtest.summary import summarize
from aetherion.errors import AetherionError
from aetherion.report import write_report

FORMAT = "aetherion.result/1"
REPORT, RESULT, FILLS = "report.html", "result.json", "fills.csv"


class OutputError(AetherionError):
    """The result files cannot be written."""


def make_folder(folder: Path) -> None:
    """Make the folder of a run, before anything is done that would be lost without it.

    Raises:
        OutputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from None


def write_files(result: RunResult, folder: Path) -> dict[str, Any]:
    """Write the files of a run into its folder, in place of those there; return result.json.

    Raises:
        OutputError: the disk refuses; the files there are as they were.
    """
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder) as made:
            fills = fills_csv(result)
            content = result_json(result, fills)
            (Path(made) / FILLS).write_text(fills)
            (Path(made) / RESULT).write_text(json.dumps(content, indent=2) + "\n")
            write_report(result, Path(made) / REPORT)
            for name in (FILLS, RESULT, REPORT):
                (Path(made) / name).replace(folder / name)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror}") from None
    return content


def fills_csv(result: RunResult) -> str:
    """Return all fills, one a line, numbers exact."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        (
            "sequence",
            "transact_time_ns",
            "exec_id",
            "order_id",
            "cl_ord_id",
            "instrument_id",
            "side",
            "last_qty",
            "last_px",
            "liquidity",
            "commission",
            "currency",
        )
    )
    for fill in result.fills:
        writer.writerow(
            (
                fill.sequence,
                fill.transact_time_ns,
                fill.exec_id,
                fill.order_id,
                fill.cl_ord_id,
                fill.instrument_id,
                fill.side,
                f"{fill.last_qty:f}",
                f"{fill.last_px:f}",
                fill.liquidity,
                plain(fill.commission),
                fill.currency,
            )
        )
    return text.getvalue()


def result_json(result: RunResult, fills: str) -> dict[str, Any]:
    """Return a result as JSON values; exact numbers are text, statistics are numbers."""
    settings = result.settings
    return {
        "format": FORMAT,
        "name": result.name,
        "strategy": result.strategy,
        "parameters": {name: _json(value) for name, value in result.parameters.items()},
        "settings": {
            "account": settings.account,
            "initial_cash": plain(settings.initial_cash),
            "base_currency": settings.base_currency,
            "max_volume_share_bps": settings.max_volume_share_bps,
            "order_latency_ns": settings.order_latency_ns,
            "queue_model": settings.queue_model,
            "seed": settings.seed,
            "n_scenarios": settings.n_scenarios,
            "var_window": settings.var_window,
            "risk_limits": settings.risk_limits,
        },
        "data": {
            "name": result.data_set,
            "kinds": list(result.kinds),
            "instruments": [i.instrument_id for i in result.instruments],
            "rows": result.rows,
            "first_time_ns": result.first_time_ns,
            "last_time_ns": result.last_time_ns,
        },
        **summarize(result),
        "days": [_day(day) for day in result.days],
        "sha256": {
            "data": result.data_sha256,
            "strategy": result.strategy_sha256,
            "fills": hashlib.sha256(fills.encode()).hexdigest(),
            "state": result.state_sha256,
        },
        "last_sequence": result.last_sequence,
        "notes": list(result.notes),
    }


def _day(day: DayEnd) -> dict[str, Any]:
    return {
        "date": day.date,
        "equity": None if day.equity is None else plain(day.equity),
        "cash": plain(day.cash),
        "fees": plain(day.fees),
        "realized_pnl": plain(day.realized_pnl),
        "positions": {i: plain(qty) for i, qty in day.positions.items()},
    }


def plain(value: Decimal) -> str:
    """Return a decimal in full, without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _json(value: object) -> Any:
    return plain(value) if isinstance(value, Decimal) else value
