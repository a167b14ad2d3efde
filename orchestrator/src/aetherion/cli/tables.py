"""How figures look on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from aetherion.backtest.result import Fill

# Of what goes into a file or a pipe: wide enough that no table is cut.
_FILE_WIDTH = 200


def console(*, stderr: bool = False) -> Console:
    """Return a console as wide as its terminal, or wide enough where it is none."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=_FILE_WIDTH)


def when(time_ns: int) -> str:
    """Return a time as a person reads it, UTC; nothing for 0."""
    if not time_ns:
        return ""
    text = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return text.removesuffix(" 00:00:00")


def amount(value: Decimal | float | None) -> str:
    """Return money with thousands separators and cents."""
    return "unknown" if value is None else f"{value:,.2f}"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose first column is words and whose others are figures."""
    made = Table(title=title, title_justify="left", box=None, padding=(0, 1), header_style="dim")
    for index, column in enumerate(columns):
        made.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def fills_table(title: str, fills: Iterable[Fill]) -> Table:
    """Return fills, one a line."""
    columns = ("time", "instrument", "side", "quantity", "price", "fee")
    return table(
        title,
        columns,
        (
            (
                when(fill.transact_time_ns),
                fill.instrument_id,
                fill.side,
                f"{fill.last_qty:,f}",
                f"{fill.last_px:,f}",
                amount(fill.commission),
            )
            for fill in fills
        ),
    )
