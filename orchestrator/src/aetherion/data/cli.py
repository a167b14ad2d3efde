"""`aetherion data`: import market data, and see what there is."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from aetherion.config import load_settings
from aetherion.data import catalog
from aetherion.data.dataset import DataSet
from aetherion.data.demo import prepare_demo
from aetherion.data.importer import import_files
from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError
from aetherion.data.times import iso
from aetherion.instrument import InstrumentClass

app = typer.Typer(help="Import market data, and see what there is.", no_args_is_help=True)

DataDir = Annotated[
    Path | None, typer.Option(help="Where the data sets lie, instead of where the settings say.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

_INTERVAL_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}


@app.command("prepare-demo")
def prepare_demo_command(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Make the demo data set: real daily bars of five US stocks."""
    _print(prepare_demo(_folder(data_dir)), as_json)


@app.command("import")
def import_command(
    paths: Annotated[list[Path], typer.Argument(help="CSV or Parquet files, or folders of them.")],
    name: Annotated[str | None, typer.Option(help="Name of the data set.")] = None,
    kind: Annotated[str | None, typer.Option(help="bar, quote, trade, level or order.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Symbol, if no column has it.")] = None,
    venue: Annotated[str | None, typer.Option(help="Venue: the id is SYMBOL.VENUE.")] = None,
    instrument_class: Annotated[
        str | None, typer.Option("--class", help="equity, spot or future.")
    ] = None,
    quote_currency: Annotated[str | None, typer.Option(help="What it is priced in.")] = None,
    price_scale: Annotated[int | None, typer.Option(help="Decimals of a price.")] = None,
    qty_scale: Annotated[int | None, typer.Option(help="Decimals of a quantity.")] = None,
    tick: Annotated[str | None, typer.Option(help="Price increment, such as 0.05.")] = None,
    lot: Annotated[str | None, typer.Option(help="Quantity increment.")] = None,
    maker_fee_bps: Annotated[str, typer.Option(help="Fee for adding liquidity.")] = "0",
    taker_fee_bps: Annotated[str, typer.Option(help="Fee for taking liquidity.")] = "0",
    allow_negative_price: Annotated[
        bool, typer.Option("--allow-negative-price", help="Prices may be zero or negative.")
    ] = False,
    time_column: Annotated[str | None, typer.Option(help="Column of the times.")] = None,
    time_format: Annotated[str | None, typer.Option(help="Such as '%m/%d/%Y'; UTC.")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="FIELD=NAME, such as close=Last; repeat.")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="Of bars: 30s, 1m, 4h, 1d.")] = None,
    adjust: Annotated[
        bool, typer.Option("--adjust", help="Scale bars to the column of adjusted closes.")
    ] = False,
    round_prices: Annotated[
        bool, typer.Option("--round", help="Round prices to --price-scale, halves to even.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse crossed quotes.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Import bars, quotes, trades or a book's levels or orders as one data set."""
    options = ImportOptions(
        kind=kind,  # type: ignore[arg-type]  # checked there
        symbol=symbol,
        venue=venue,
        instrument_class=_class(instrument_class),
        quote_currency=quote_currency,
        price_scale=price_scale,
        qty_scale=qty_scale,
        tick=_decimal("tick", tick),
        lot=_decimal("lot", lot),
        maker_fee_bps=_decimal("maker_fee_bps", maker_fee_bps) or Decimal(0),
        taker_fee_bps=_decimal("taker_fee_bps", taker_fee_bps) or Decimal(0),
        allow_negative_price=allow_negative_price,
        time_column=time_column,
        time_format=time_format,
        columns=_columns(column or []),
        interval_ns=_interval(interval),
        adjust=adjust,
        round=round_prices,
        strict=strict,
    )
    _print(import_files(paths, _folder(data_dir), name, options), as_json)


@app.command("list")
def list_command(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the data sets."""
    folder = _folder(data_dir)
    sets = [catalog.find(name, folder) for name in catalog.names(folder)]
    if as_json:
        typer.echo(json.dumps([_summary(s) for s in sets], indent=2))
        return
    table = Table("name", "kinds", "instruments", "rows", "from", "to")
    for s in sets:
        first, last = iso(s.first_time_ns), iso(s.last_time_ns)
        count = str(len(s.instruments))
        table.add_row(s.name, ", ".join(s.kinds), count, f"{s.rows:,}", first[:10], last[:10])
    Console().print(table)


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one data set: its instruments, where it is from, and what to know of it."""
    _print(catalog.find(name, _folder(data_dir)), as_json)


def _folder(data_dir: Path | None) -> Path:
    return load_settings().data_dir if data_dir is None else data_dir


def _class(name: str | None) -> InstrumentClass | None:
    if name is None:
        return None
    try:
        return InstrumentClass[name.upper()]
    except KeyError:
        known = ", ".join(c.name.lower() for c in InstrumentClass)
        raise DataError(f"class: must be one of {known}, got {name}") from None


def _decimal(field: str, text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise DataError(f"{field}: must be a number, got {text!r}") from None
    if not value.is_finite():
        raise DataError(f"{field}: must be finite, got {text}")
    return value


def _columns(pairs: list[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        field, equals, name = pair.partition("=")
        if not equals:
            raise DataError(f"column: must be FIELD=NAME, got {pair!r}")
        columns[field] = name
    return columns


def _interval(text: str | None) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None:
        raise DataError(f"interval: must be a number and s, m, h or d, got {text!r}")
    return int(match[1]) * _INTERVAL_NS[match[2]]


def _summary(s: DataSet) -> dict[str, Any]:
    return {
        "name": s.name,
        "path": str(s.path),
        "sha256": s.sha256,
        "kinds": list(s.kinds),
        "rows": s.rows,
        "first_time": iso(s.first_time_ns),
        "last_time": iso(s.last_time_ns),
        "instruments": [
            {
                "instrument_id": i.instrument_id,
                "class": i.instrument_class.name.lower(),
                "quote_currency": i.quote_currency,
                "price_scale": i.price_scale,
                "qty_scale": i.qty_scale,
                "tick": f"{i.price_of(i.price_increment):f}",
                "lot": f"{i.qty_of(i.qty_increment):f}",
                "rows": s.rows_of(index),
            }
            for index, i in enumerate(s.instruments)
        ],
        "time_source": s.time_source,
        "sources": list(s.sources),
        "notes": list(s.notes),
    }


def _print(s: DataSet, as_json: bool) -> None:
    summary = _summary(s)
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    console = Console()
    console.print(
        f"[bold]{s.name}[/bold]  {s.rows:,} rows of {', '.join(f'{kind}s' for kind in s.kinds)}, "
        f"{summary['first_time'][:19]} to {summary['last_time'][:19]} UTC",
        highlight=False,
    )
    table = Table("instrument", "class", "tick", "lot", "currency", "rows")
    for i in summary["instruments"]:
        counts = ", ".join(f"{n:,} {kind}s" for kind, n in i["rows"].items())
        row = (i["instrument_id"], i["class"], i["tick"], i["lot"], i["quote_currency"], counts)
        table.add_row(*row)
    console.print(table)
    for note in s.notes:
        console.print(f"note: {note}", highlight=False, markup=False)
    console.print(f"sha256 {s.sha256}", highlight=False)
