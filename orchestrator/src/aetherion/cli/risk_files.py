"""Files of risk commands: positions, returns, prices, scenarios, P&L."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from aetherion.risk import Book, RiskInputError, book, simple_returns
from aetherion.risk.inputs import Table, Vector, table_of, vector_of


def read_frame(path: Path, field: str) -> pl.DataFrame:
    """Return a CSV or Parquet file as it is.

    Raises:
        RiskInputError: no such file, another kind, or it cannot be read.
    """
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        # The type of a column is that of all its rows: whole numbers may come first.
        ".csv": partial(pl.read_csv, infer_schema_length=None),
        ".parquet": pl.read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise RiskInputError(f"{field}: must be a .csv or .parquet file, got {path}")
    try:
        frame = reader(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise RiskInputError(f"{field}: {path}: {_first_line(error)}") from None
    if frame.is_empty():
        raise RiskInputError(f"{field}: {path} has no rows")
    return frame


def read_returns(returns: Path | None, prices: Path | None) -> tuple[Table, Table | None]:
    """Return one-day returns, and the prices that they are from, one column a name."""
    if (returns is None) == (prices is None):
        raise RiskInputError("returns: give --returns or --prices, one of them")
    if returns is not None:
        return table_of(read_frame(returns, "returns"), "returns"), None
    assert prices is not None
    table = table_of(read_frame(prices, "prices"), "prices")
    return simple_returns(table), table


def read_portfolio(path: Path, prices: Table | None = None) -> Vector | Book:
    """Return what a positions file holds.

    Columns are name and exposure; or name and qty, which the last of `prices` values; or those of a
    book: underlying, qty, spot and an option's option_type, strike, years, volatility, ...
    """
    frame = read_frame(path, "positions")
    if "underlying" in frame.columns:
        return book(frame)
    value = "exposure" if "exposure" in frame.columns else "qty"
    if sorted(frame.columns) != sorted(["name", value]):
        raise RiskInputError(
            "positions: columns are name and exposure, name and qty, or underlying, qty and "
            f"spot of a book, got {', '.join(frame.columns)}"
        )
    held = vector_of(frame.select(pl.col("name").cast(pl.String), value), "positions")
    if value == "exposure":
        return held
    if prices is None:
        raise RiskInputError("positions: qty needs --prices, got none; or give exposure")
    last = dict(zip(prices.names or (), prices.values[-1].tolist(), strict=True))
    for name in held.names or ():
        if name not in last:
            raise RiskInputError(f"positions: {name} is not in prices")
    values = [qty * last[name] for name, qty in zip(held.names or (), held.values, strict=True)]
    return vector_of(dict(zip(held.names or (), values, strict=True)), "positions")


def read_shares(path: Path) -> dict[str, tuple[Any, Any]]:
    """Return quantity and price of each share of a file with columns name, qty and price."""
    frame = _columns(path, "positions", ["name", "qty", "price"])
    return {
        str(row["name"]): (row["qty"], row["price"])
        for row in frame.select("name", "qty", "price").iter_rows(named=True)
    }


def read_horizons(path: Path) -> Vector:
    """Return the days of each factor of a file with columns name and days."""
    frame = _columns(path, "horizons", ["name", "days"])
    return vector_of(frame.select(pl.col("name").cast(pl.String), "days"), "horizons")


def _columns(path: Path, field: str, wanted: list[str]) -> pl.DataFrame:
    """Return a file that has these columns, each name once."""
    frame = read_frame(path, field)
    if sorted(frame.columns) != sorted(wanted):
        got = ", ".join(frame.columns)
        raise RiskInputError(f"{field}: columns are {', '.join(wanted)}, got {got}")
    if frame["name"].is_duplicated().any():
        twice = frame.filter(frame["name"].is_duplicated())["name"][0]
        raise RiskInputError(f"{field}: each name must come once, got {twice} twice")
    return frame


def read_scenarios(path: Path) -> dict[str, Any]:
    """Return scenarios by name.

    YAML: `name: -0.2`, or by underlying a number or spot, volatility, rate, years. CSV: columns
    scenario, underlying (empty: every other one), spot and, if wanted, volatility, rate, years.
    """
    if path.suffix.lower() not in (".yaml", ".yml"):
        return _scenarios_of(read_frame(path, "scenarios"))
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RiskInputError(f"scenarios: {path}: {_first_line(error)}") from None
    if not isinstance(found, dict) or not found:
        raise RiskInputError(f"scenarios: {path}: must be shocks by name of a scenario")
    return {str(name): shocks for name, shocks in found.items()}


_SHOCKS = ("spot", "volatility", "rate", "years")


def _scenarios_of(frame: pl.DataFrame) -> dict[str, Any]:
    wanted = ("scenario", "underlying", *_SHOCKS)
    for name in frame.columns:
        if name not in wanted:
            raise RiskInputError(f"scenarios: columns are {', '.join(wanted)}, got {name}")
    if "scenario" not in frame.columns or "spot" not in frame.columns:
        raise RiskInputError("scenarios: columns scenario and spot are needed, got neither or one")
    made: dict[str, Any] = {}
    for row in frame.to_dicts():
        shocks = {name: row[name] for name in _SHOCKS if row.get(name) is not None}
        only_spot = not (shocks.keys() - {"spot"})
        by_name = made.setdefault(str(row["scenario"]), {})
        name = row.get("underlying") or ""
        if name in by_name:
            raise RiskInputError(
                f"scenarios: {row['scenario']} shocks {name or 'the others'} twice"
            )
        by_name[name] = shocks.get("spot", 0.0) if only_spot else shocks
    return made


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
