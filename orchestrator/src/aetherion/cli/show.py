"""Simple views of a running Trading Service."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from aetherion.account import Position
from aetherion.backtest.files import plain
from aetherion.cli.loop import run_until_done
from aetherion.cli.tables import console, table, when
from aetherion.client import RiskClient, TradingClient
from aetherion.config import load_settings
from aetherion.errors import AetherionError

T = TypeVar("T")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Account = Annotated[str, typer.Option(help="The account; the only one without.")]
Record = dict[str, Any]


def status(as_json: AsJson = False) -> None:
    """How both services are."""
    settings = load_settings()

    async def ask(client: TradingClient) -> Record:
        found = await client.get_status()
        async with RiskClient(settings.risk_address, timeout_s=settings.call_timeout_s) as risk:
            risk_serving = await risk.is_serving()
        return {
            "trading_address": client.target,
            "version": found.version,
            "sequence": found.sequence,
            "epoch": found.epoch,
            "durability": found.durability,
            "data_sets": list(found.data_sets),
            "risk_available_to_trading": found.risk_available,
            "risk_address": settings.risk_address,
            "risk_serving": risk_serving,
        }

    _print_record(_ask(ask), as_json)


def orders(
    account: Account = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that still work.")] = False,
    as_json: AsJson = False,
) -> None:
    """Orders of an account."""

    async def ask(client: TradingClient) -> list[Record]:
        name = await _account(client, account)
        return [
            {
                "cl_ord_id": order.new_order.cl_ord_id,
                "instrument_id": order.new_order.instrument_id,
                "side": order.new_order.side.name,
                "ord_type": order.new_order.ord_type.name,
                "price": "" if order.new_order.price is None else plain(order.new_order.price),
                "order_qty": plain(order.new_order.order_qty),
                "cum_qty": plain(order.cum_qty),
                "leaves_qty": plain(order.leaves_qty),
                "ord_status": order.ord_status.name,
                "text": order.last_report.text if order.last_report else "",
            }
            for order in await client.list_orders(name, open_only=open_only)
        ]

    _print_records(_ask(ask), as_json, "no orders")


def positions(account: Account = "", as_json: AsJson = False) -> None:
    """Positions of an account."""

    async def ask(client: TradingClient) -> list[Record]:
        held = await client.list_positions(await _account(client, account))
        return [_position(position) for position in held]

    _print_records(_ask(ask), as_json, "no positions")


def account(account: Account = "", as_json: AsJson = False) -> None:
    """An account: cash, equity and positions."""

    async def ask(client: TradingClient) -> Record:
        state = await client.get_account(await _account(client, account))
        return {
            "account": state.account,
            "sequence": state.sequence,
            "time": when(state.transact_time_ns),
            "base_currency": state.base_currency,
            "cash": {m.currency: plain(m.amount) for m in state.balances},
            "equity": None if state.equity is None else plain(state.equity.amount),
            "positions": [_position(position) for position in state.positions],
        }

    _print_record(_ask(ask), as_json)


def limits(as_json: AsJson = False) -> None:
    """Risk limits in force."""

    async def ask(client: TradingClient) -> Record:
        found = await client.get_limits()
        return {
            "version": found.version,
            "market_order_band_bps": found.market_order_band_bps,
            "limits": [
                {
                    "scope": limit.scope,
                    "max_order_qty": _optional(limit.max_order_qty),
                    "max_order_notional": _optional(limit.max_order_notional),
                    "max_position_qty": _optional(limit.max_position_qty),
                }
                for limit in found.limits
            ],
        }

    _print_record(_ask(ask), as_json)


def _position(position: Position) -> Record:
    return {
        "instrument_id": position.instrument_id,
        "net_qty": plain(position.net_qty),
        "avg_px": position.avg_px,
        "mark": _optional(position.mark),
        "realized_pnl": plain(position.realized_pnl.amount),
        "unrealized_pnl": _optional(position.unrealized_pnl and position.unrealized_pnl.amount),
        "fees": plain(position.fees.amount),
    }


def _optional(value: Any) -> str | None:
    return None if value is None else plain(value)


async def _account(client: TradingClient, name: str) -> str:
    if name:
        return name
    names = await client.list_accounts()
    if len(names) != 1:
        raise AetherionError(f"account: name one of {', '.join(names) or 'none'} with --account")
    return names[0]


def _ask(question: Callable[[TradingClient], Awaitable[T]]) -> T:
    settings = load_settings()

    async def ask() -> T:
        address, timeout_s = settings.trading_address, settings.call_timeout_s
        async with TradingClient(address, timeout_s=timeout_s) as client:
            return await question(client)

    return run_until_done(ask())


def _print_record(record: Record, as_json: bool) -> None:
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


def _print_records(records: Sequence[Record], as_json: bool, none: str) -> None:
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
