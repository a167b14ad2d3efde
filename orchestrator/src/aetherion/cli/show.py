"""Simple views of a running Trading Service."""

from __future__ import annotations

from typing import Any

from aetherion.account import Position
from aetherion.backtest.files import plain
from aetherion.cli.ask import (
    Account,
    AsJson,
    Record,
    account_named,
    ask,
    print_record,
    print_records,
)
from aetherion.cli.controls import latches_shown
from aetherion.cli.tables import when
from aetherion.client import RiskClient, TradingClient
from aetherion.config import load_settings


def status(as_json: AsJson = False) -> None:
    """How both services are."""
    settings = load_settings()

    async def question(client: TradingClient) -> Record:
        found = await client.get_status()
        states = await client.get_trading_states()
        async with RiskClient(settings.risk_address, timeout_s=settings.call_timeout_s) as risk:
            risk_serving = await risk.is_serving()
        return {
            "trading_address": client.target,
            "version": found.version,
            "sequence": found.sequence,
            "epoch": found.epoch,
            "warnings": list(found.warnings),
            "durability": found.durability,
            "journal_free_bytes": found.journal_free_bytes,
            "journal_headroom_bytes": found.journal_headroom_bytes,
            "journal_low": found.journal_low,
            "pretrade_model_version": found.pretrade_model_version,
            "data_sets": list(found.data_sets),
            "risk_available_to_trading": found.risk_available,
            "risk_reason": found.risk_reason,
            "latches": latches_shown(states),
            "total_alarms": found.total_alarms,
            "alarms": [
                {
                    "sequence": alarm.sequence,
                    "reason": alarm.ord_rej_reason.name,
                    "scope": alarm.scope,
                    "limit": alarm.risk_limit,
                    "value": alarm.value,
                    "state": alarm.trading_state.name,
                }
                for alarm in found.alarms
            ],
            "risk_address": settings.risk_address,
            "risk_serving": risk_serving,
        }

    print_record(ask(question), as_json)


def positions(account: Account = "", as_json: AsJson = False) -> None:
    """Positions of an account."""

    async def question(client: TradingClient) -> list[Record]:
        held = await client.list_positions(await account_named(client, account))
        return [_position(position) for position in held]

    print_records(ask(question), as_json, "no positions")


def account(account: Account = "", as_json: AsJson = False) -> None:
    """An account: cash, equity and positions."""

    async def question(client: TradingClient) -> Record:
        state = await client.get_account(await account_named(client, account))
        return {
            "account": state.account,
            "sequence": state.sequence,
            "time": when(state.transact_time_ns),
            "base_currency": state.base_currency,
            "cash": {m.currency: plain(m.amount) for m in state.balances},
            "equity": None if state.equity is None else plain(state.equity.amount),
            "positions": [_position(position) for position in state.positions],
        }

    print_record(ask(question), as_json)


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
