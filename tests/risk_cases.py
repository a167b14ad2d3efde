"""Reads the reference vectors of the Risk Service and compares with them as they say."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from aetherion.risk import Book, BookPosition, EuropeanOption, OptionType

Array = NDArray[np.float64]


def cases(shared: Path, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a file of vectors and its cases."""
    document = json.loads((shared / "vectors" / "risk" / f"{name}.json").read_text())
    return document, document["cases"]


def basis_points(alpha: float) -> int | None:
    """Return a confidence level in basis points, None when it is finer than that."""
    level = Decimal(repr(alpha)) * 10_000
    return int(level) if level == int(level) else None


def level_of(alpha: float) -> int:
    """Return a confidence level that must be one in basis points."""
    level = basis_points(alpha)
    assert level is not None, alpha
    return level


def check(name: str, got: float, expected: float, *, rel: float = 0.0, tol: float = 0.0) -> None:
    """Compare as the vectors' README says."""
    assert abs(got - expected) <= tol + rel * abs(expected), (name, got, expected)


def check_all(name: str, got: Any, expected: Any, *, rel: float = 0.0, tol: float = 0.0) -> None:
    """Compare arrays of one shape, value by value."""
    found, wanted = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    assert found.shape == wanted.shape, (name, found.shape, wanted.shape)
    over = np.abs(found - wanted) - (tol + rel * np.abs(wanted))
    assert (over <= 0).all(), (name, float(over.max()))


def prices_of(path: Path) -> tuple[list[str], list[str], Array]:
    """Return dates, names and prices of a compressed CSV file."""
    with gzip.open(path) as file:
        frame = pl.read_csv(file.read())
    return frame[:, 0].to_list(), frame.columns[1:], frame[:, 1:].cast(pl.Float64).to_numpy()


def book_of(rows: list[dict[str, Any]], factors: int = 0) -> Book:
    """Return a book of the vectors; underlyings that are numbers are named by them."""
    positions = [BookPosition(str(row["u"]), row["qty"], _holding(row)) for row in rows]
    return Book(tuple(positions), tuple(map(str, range(factors))))


def _holding(row: dict[str, Any]) -> float | EuropeanOption:
    if row["kind"] == "spot":
        return float(row["S"])
    return EuropeanOption(
        OptionType[row["kind"].upper()],
        spot=row["S"],
        strike=row["K"],
        years=row["T"],
        volatility=row["vol"],
        rate=row["r"],
        dividend_yield=row["q"],
    )
