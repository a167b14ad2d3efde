"""What a person reads when a run is over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from aetherion.backtest.files import REPORT
from aetherion.backtest.result import RunResult
from aetherion.cli.tables import amount, fills_table, table, when

_FILLS_SHOWN = 10
_METHODS = {"parametric": "parametric", "historical": "historical", "monte_carlo": "Monte Carlo"}


def print_summary(
    console: Console, result: RunResult, content: dict[str, Any], folder: Path, elapsed_s: float
) -> None:
    """Print the figures of a run and where its files are."""
    for line in _head(result, elapsed_s):
        console.print(line, highlight=False, soft_wrap=True)
    console.print(_performance(result, content["performance"]))
    if result.fills:
        shown = result.fills[-_FILLS_SHOWN:]
        console.print(fills_table(f"last {len(shown)} of {len(result.fills):,} fills", shown))
    if result.rejections:
        rows = ((reason, f"{n:,}") for reason, n in content["rejections"].items())
        console.print(table("rejections", ("reason", "orders"), rows))
    _print_var(console, result, content["var"])
    if result.state_sha256:
        console.print(f"state sha256 {result.state_sha256}", highlight=False, soft_wrap=True)
    console.print(f"report {_shown(folder / REPORT)}", highlight=False, soft_wrap=True)


def _head(result: RunResult, elapsed_s: float) -> list[str]:
    parameters = ", ".join(f"{name} {value}" for name, value in result.parameters.items())
    return [
        f"[bold]{result.strategy}[/] on {result.data_set}: {len(result.instruments)} instruments, "
        f"{result.rows:,} rows, {when(result.first_time_ns)} to {when(result.last_time_ns)}, "
        f"{elapsed_s:.1f} s",
        *(f"[dim]{escape(text)}[/]" for text in (parameters, *result.notes) if text),
    ]


def _performance(result: RunResult, figures: dict[str, Any]) -> Any:
    equity = result.days[-1].equity if result.days else None
    pnl = None if equity is None else equity - result.settings.initial_cash
    rows = [
        ("initial cash", amount(result.settings.initial_cash)),
        ("final equity", amount(equity)),
        ("P&L", amount(pnl)),
        ("fees", amount(result.days[-1].fees if result.days else None)),
        ("return", _percent(figures["total_return"])),
        ("return a year", _percent(figures["annual_return"])),
        ("volatility a year", _percent(figures["volatility"])),
        ("Sharpe ratio", _number(figures["sharpe_ratio"])),
        ("max drawdown", _percent(figures["max_drawdown"])),
        ("orders", f"{result.orders:,}"),
        ("fills", f"{len(result.fills):,}"),
        ("rejections", f"{len(result.rejections):,}"),
        ("still open", f"{result.open_orders:,}"),
    ]
    return table("", ("", result.settings.base_currency), rows)


def _print_var(console: Console, result: RunResult, figures: list[dict[str, Any]]) -> None:
    if result.var_note:
        console.print(result.var_note, highlight=False, soft_wrap=True)
    if figures:
        columns = ("VaR", "level", "exceptions", "expected", "Kupiec p", "last VaR", "last ES")
        rows = (
            (
                _METHODS[f["method"]],
                f"{f['confidence_bp'] / 100:g} %",
                f"{f['exceptions']} of {f['judged']:,}",
                _number(f["expected"], 1),
                _number(f["kupiec_p_value"], 3),
                amount(f["last_var"]),
                amount(f["last_es"]),
            )
            for f in figures
        )
        console.print(table("one-day value at risk of the portfolio at each close", columns, rows))
    if result.risk_unavailable:
        first = result.risk_unavailable[0]
        console.print(
            f"risk unavailable on {len(result.risk_unavailable)} days, first {first.date}: "
            f"{first.reason}",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2%}"


def _number(value: float | None, decimals: int = 2) -> str:
    return "unknown" if value is None else f"{value:.{decimals}f}"


def _shown(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
