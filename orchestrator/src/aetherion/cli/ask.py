"""Asks a running Trading Service, and prints what it answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from aetherion.cli.loop import run_until_done
from aetherion.cli.tables import console, table
from aetherion.client import TradingClient
from aetherion.config import load_settings
from aetherion.errors import AetherionError

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Account = Annotated[str, typer.Option(help="The account; the only one without.")]
Record = dict[str, Any]


async def account_named(client: TradingClient, name: str) -> str:
    """Return an account's name, the only one's when none is given."""
    if name:
        return name
    names = await client.list_accounts()
    if len(names) != 1:
        raise AetherionError(f"account: name one of {', '.join(names) or 'none'} with --account")
    return names[0]


def ask(question: Callable[[TradingClient], Awaitable[T]], timeout_s: float | None = None) -> T:
    """Return the Trading Service's answer, each call of which may take `timeout_s`."""
    settings = load_settings()
    limit_s = settings.call_timeout_s if timeout_s is None else timeout_s

    async def asked() -> T:
        async with TradingClient(settings.trading_address, timeout_s=limit_s) as client:
            return await question(client)

    return run_until_done(asked())


def print_record(record: Record, as_json: bool) -> None:
    """Print named values; lists of records as tables."""
    if as_json:
        typer.echo(json.dumps(record, indent=2))
        return
    out = console()
    lists = {
        k: v for k, v in record.items() if isinstance(v, list) and v and isinstance(v[0], dict)
    }
    for name, value in record.items():
        if name not in lists:
            out.print(f"{name.replace('_', ' '):<26} {_text(value)}", highlight=False)
    for name, rows in lists.items():
        _print_table(out, name, rows)


def print_records(records: Sequence[Record], as_json: bool, none: str) -> None:
    """Print a table, `none` when it is empty."""
    if as_json:
        typer.echo(json.dumps(records, indent=2))
    elif records:
        _print_table(console(), "", records)
    else:
        typer.echo(none)


def _print_table(out: Console, title: str, records: Sequence[Record]) -> None:
    rows = ([_text(v) for v in record.values()] for record in records)
    out.print(table(title, [name.replace("_", " ") for name in records[0]], rows))


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{v} {k}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)
