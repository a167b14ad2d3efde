"""What a journal holds: checked to the last byte, and the state after any event of it.

The journal's program reads it; no service needs to run, and none may have it open.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from aetherion.cli.tables import console, table, when
from aetherion.config import load_settings
from aetherion.errors import AetherionError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines, an object a line.")]
Folder = Annotated[Path, typer.Argument(help="Folder of the journal.")]
Line = dict[str, Any]

app = typer.Typer(no_args_is_help=True, help="Check a journal, and see what it holds.")


@app.command()
def verify(
    folder: Folder,
    events: Annotated[bool, typer.Option("--events", help="Print who did what.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check every byte of a journal: checksums, order, the chain of hashes."""
    out = console()
    for line in _lines("verify", str(folder)):
        if "verified" in line:
            _print_verified(out, line["verified"], as_json)
        elif events:
            out.print_json(data=line) if as_json else out.print(_event(line["event"]), markup=False)


@app.command()
def state(
    folder: Folder,
    at: Annotated[int, typer.Option(min=0, help="Sequence of the event; 0: the last.")] = 0,
    as_json: AsJson = False,
) -> None:
    """The state after an event: accounts, positions, open orders, limits."""
    lines = list(_lines("state", str(folder), *([str(at)] if at else [])))
    out = console()
    if as_json:
        for line in lines:
            print(json.dumps(line))
        return
    found = {name: [line[name] for line in lines if name in line] for name in _KINDS}
    after = found["state"][0]
    out.print(f"after sequence {after['sequence']}, {when(after['transactTimeNs'])} UTC")
    scales = {
        i["instrumentId"]: (i.get("priceScale", 0), i.get("qtyScale", 0))
        for i in found["instrument"]
    }
    for account in found["account"]:
        _print_account(out, account, scales)
    if found["order"]:
        out.print(_orders(found["order"], scales))
    out.print(f"risk limits at version {found['riskLimits'][0].get('version', 0)}")
    out.print(f"state {after['hash']}")


@app.command()
def cut(
    folder: Folder,
    head: Annotated[str, typer.Option("--hash", help="Hash of the record that shall be the last.")],
    as_json: AsJson = False,
) -> None:
    """End a damaged journal after a record, named by its whole hash.

    For an operator who has seen why the journal is refused: the refusal names the last good record
    and its hash. Acknowledged orders after it are lost to us, not to the venue: reconcile. What is
    cut off stays in files that end in .broken.
    """
    done = next(_lines("cut", str(folder), head))["cut"]
    if as_json:
        print(json.dumps({"cut": done}))
        return
    out = console()
    out.print(f"the journal ends with record {done['record']}, sequence {done['lastSequence']}")
    for name in done["broken"] or []:
        out.print(f"kept: {name}", markup=False)


_KINDS = ("instrument", "account", "order", "riskLimits", "state")


def _lines(*arguments: str) -> Iterator[Line]:
    """Yield what the journal's program prints, line by line."""
    program = load_settings().bin_dir / "aetherion-trading"
    try:
        run = subprocess.Popen(
            [program, "journal", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise AetherionError(f"{program}: {error.strerror}; run make build") from None
    with run:
        assert run.stdout is not None
        assert run.stderr is not None
        for line in run.stdout:
            yield json.loads(line)
        problem = run.stderr.read().strip()
    if run.returncode != 0:
        raise AetherionError(problem.removeprefix("aetherion-trading: "))


def _print_verified(out: Console, verified: Line, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"verified": verified}))
        return
    for name, value in verified.items():
        out.print(f"{name:14} {value}", markup=False, highlight=False)
    out.print("every record is whole, in order and chained to the one before")


def _event(event: Line) -> str:
    """Return one line: sequence, time, what, and its fields."""
    at = when(int(event.get("transactTimeNs", 0)))
    kind = next(name for name in event if name not in ("sequence", "transactTimeNs"))
    return f"{event['sequence']:>8}  {at}  {kind}  {json.dumps(event[kind])}"


def _print_account(out: Console, account: Line, scales: dict[str, tuple[int, int]]) -> None:
    cash = ", ".join(_money(balance["cash"]) for balance in account.get("balances", []))
    equity = _money(account["equity"]) if "equity" in account else "unknown"
    out.print(f"account {account['account']}: cash {cash or 'none'}, equity {equity}", markup=False)
    held = [p for p in account.get("positions", []) if int(p.get("netQty", 0))]
    if held:
        rows = [
            (
                p["instrumentId"],
                f"{_scaled(p['netQty'], scales[p['instrumentId']][1]):f}",
                _money(p["cost"]),
            )
            for p in held
        ]
        out.print(table("positions", ("instrument", "quantity", "cost"), rows))


def _orders(orders: list[Line], scales: dict[str, tuple[int, int]]) -> Any:
    columns = ("order", "account", "instrument", "side", "leaves", "price", "status")
    rows = []
    for order in orders:
        price_scale, qty_scale = scales[order["instrumentId"]]
        price = f"{_scaled(order['price'], price_scale):f}" if "price" in order else ""
        rows.append(
            (
                order["clOrdId"],
                order["account"],
                order["instrumentId"],
                order["side"].removeprefix("SIDE_"),
                f"{_scaled(order['leavesQty'], qty_scale):f}",
                price,
                order["ordStatus"].removeprefix("ORD_STATUS_"),
            )
        )
    return table("open orders", columns, rows)


def _scaled(value: str, scale: int) -> Decimal:
    return Decimal(int(value)).scaleb(-scale)


def _money(money: Line) -> str:
    amount = int(money.get("units", 0)) + Decimal(int(money.get("attos", 0))).scaleb(-18)
    return f"{amount.normalize():,f} {money['currency']}" if "currency" in money else "0"
