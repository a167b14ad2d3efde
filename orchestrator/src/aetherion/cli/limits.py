"""Risk limits: what is in force, and a file of them put in its place."""

from __future__ import annotations

import difflib
import getpass
import json
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from aetherion.backtest.files import plain
from aetherion.cli.ask import AsJson, Record, ask, print_record
from aetherion.client import LimitsChange, TradingClient
from aetherion.errors import AetherionError
from aetherion.exact import to_decimal
from aetherion.risk import RiskLimit, RiskLimits

app = typer.Typer(no_args_is_help=True, help="See and set risk limits.")

By = Annotated[str, typer.Option(help="Who, for the journal; without: the user's name.")]
Reason = Annotated[str, typer.Option(help="Why, for the journal.")]

_TOP = ("version", "market_order_band_bps", "limits")
_KINDS = {f.name: str(f.type).removesuffix(" | None") for f in fields(RiskLimit)}


@app.command()
def show(as_json: AsJson = False) -> None:
    """Risk limits in force. The JSON is a file for `limits set`."""

    async def question(client: TradingClient) -> RiskLimits:
        return await client.get_limits()

    found = ask(question)
    if as_json:
        typer.echo(json.dumps(document_of(found), indent=2))
        return
    print_record(
        {
            "version": found.version,
            "market_order_band_bps": found.market_order_band_bps,
            "limits": [
                {"scope": limit.scope, "limit": name, "value": _shown(value)}
                for limit in found.limits
                for name, value in limit.binding.items()
            ],
        },
        as_json=False,
    )


@app.command("set")
def set_limits(
    file: Annotated[Path, typer.Argument(help="TOML or JSON, as `limits show --json` gives it.")],
    reason: Reason,
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Replace all limits by those of a file.

    Where the file names a version, it must be the one in force.
    """
    wanted = read_limits(file)

    async def question(client: TradingClient) -> LimitsChange:
        version = wanted.version or (await client.get_limits()).version
        limits = replace(wanted, version=version)
        return await client.set_limits(limits, changed_by=by or getpass.getuser(), reason=reason)

    _print_change(ask(question), as_json)


@app.command()
def approve(
    version: Annotated[int, typer.Argument(min=1, help="Of the proposed limits.")],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Put limits in force that somebody else proposed."""

    async def question(client: TradingClient) -> LimitsChange:
        return await client.approve_limits(version, approved_by=by or getpass.getuser())

    _print_change(ask(question), as_json)


def _print_change(change: LimitsChange, as_json: bool) -> None:
    record: Record = {"version": change.risk_limits.version, "sequence": change.sequence}
    if not change.in_force:
        record["proposed"] = f"{change.loosened} is looser: somebody else has to approve it"
    print_record(record, as_json)


def document_of(limits: RiskLimits) -> Record:
    """Return limits as a file of them."""
    return {
        "version": limits.version,
        "market_order_band_bps": limits.market_order_band_bps,
        "limits": [
            {name: value for name, value in _scope(limit).items() if value}
            | {name: _shown(value) for name, value in limit.binding.items()}
            for limit in limits.limits
        ],
    }


def _scope(limit: RiskLimit) -> dict[str, str]:
    return {
        "account": limit.account,
        "strategy_id": limit.strategy_id,
        "instrument_id": limit.instrument_id,
    }


def _shown(value: Decimal | int | bool) -> Any:
    return plain(value) if isinstance(value, Decimal) else value


def read_limits(file: Path) -> RiskLimits:
    """Return the limits of a file.

    Raises:
        AetherionError: names the file, the entry, the field and what is wrong with it.
    """
    document = _document(file)
    where = str(file)
    _refuse_unknown(document, _TOP, where)
    entries = document.get("limits", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise AetherionError(f"{where}: limits: must be a list of tables")
    return RiskLimits(
        limits=tuple(_limit(e, f"{where}: limits[{n}]") for n, e in enumerate(entries)),
        market_order_band_bps=_whole(
            document.get("market_order_band_bps", 0), f"{where}: market_order_band_bps"
        ),
        version=_whole(document.get("version", 0), f"{where}: version"),
    )


def _document(file: Path) -> dict[str, Any]:
    parse: Callable[[str], Any] = _json if file.suffix == ".json" else _toml
    try:
        document = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AetherionError(f"{file}: {error.strerror}") from None
    except ValueError as error:  # also what is not UTF-8
        raise AetherionError(f"{file}: {error}") from None
    if not isinstance(document, dict):
        raise AetherionError(f"{file}: must be an object")
    return document


def _toml(text: str) -> Any:
    return tomllib.loads(text, parse_float=Decimal)


def _json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _limit(entry: dict[str, Any], where: str) -> RiskLimit:
    _refuse_unknown(entry, _KINDS, where)
    return RiskLimit(**{name: _value(v, name, f"{where}.{name}") for name, v in entry.items()})


def _value(value: Any, name: str, where: str) -> Any:
    kind = _KINDS[name]
    if kind == "Decimal":
        return to_decimal(value, where)
    if kind == "int":
        return _whole(value, where)
    if not isinstance(value, bool if kind == "bool" else str):
        raise AetherionError(f"{where}: must be {_WORDS[kind]}, got {value!r}")
    return value


_WORDS = {"bool": "true or false", "str": "a text"}


def _whole(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        raise AetherionError(f"{where}: must be a whole number from 0 on, got {value!r}")
    return value


def _refuse_unknown(entry: dict[str, Any], known: Iterable[str], where: str) -> None:
    names = list(known)
    for name in entry:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise AetherionError(f"{where}: no field {name}; did you mean {near}?")
