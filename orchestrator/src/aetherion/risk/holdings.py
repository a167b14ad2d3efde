"""Books of options, from rows and by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from aetherion.risk.book import Book, BookPosition, EuropeanOption, OptionType
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import enum_of, number


def option(
    option_type: OptionType | str,
    underlying: str,
    qty: float,
    *,
    spot: float,
    strike: float,
    years: float,
    volatility: float,
    rate: float = 0.0,
    dividend_yield: float = 0.0,
) -> BookPosition:
    """Return a position in a European option, "call" or "put"; `qty` times the multiplier.

    Raises:
        RiskInputError: a spot or strike that is not positive, years or a volatility below 0, or
            what is no finite number.
    """
    kind = enum_of(OptionType, option_type, "option_type")
    market = {
        "spot": spot,
        "strike": strike,
        "years": years,
        "volatility": volatility,
        "rate": rate,
        "dividend_yield": dividend_yield,
    }
    holding = EuropeanOption(kind, **{name: number(value, name) for name, value in market.items()})
    return BookPosition(underlying, number(qty, "qty"), holding)


def spot(underlying: str, qty: float, price: float) -> BookPosition:
    """Return a position in an underlying itself, at its price now.

    Raises:
        RiskInputError: a price that is not positive, or what is no finite number.
    """
    return BookPosition(underlying, number(qty, "qty"), number(price, "price"))


_MARKET = ("spot", "strike", "years", "volatility", "rate", "dividend_yield")


def book(positions: Any) -> Book:
    """Return a book of positions.

    Args:
        positions: a Book, BookPositions, or rows (a frame, or dicts) with underlying, qty, spot,
            and of an option also option_type, strike, years, volatility, rate, dividend_yield.

    Raises:
        RiskInputError: names the row and the column.
    """
    if isinstance(positions, Book):
        return positions
    if isinstance(positions, BookPosition):
        return Book((positions,))
    if isinstance(positions, pl.DataFrame):
        positions = positions.to_dicts()
    elif hasattr(positions, "to_dict"):  # pandas
        positions = positions.to_dict("records")
    if not isinstance(positions, Iterable):
        raise RiskInputError(f"positions: must be rows, got {type(positions).__name__}")
    made = tuple(_position(row, index) for index, row in enumerate(positions))
    if not made:
        raise RiskInputError("positions: must have at least one row, got 0")
    return Book(made)


def _position(row: Any, index: int) -> BookPosition:
    if isinstance(row, BookPosition):
        return row
    if not isinstance(row, Mapping):
        raise RiskInputError(f"positions: row {index} must have columns, got {row!r}")
    known = ("underlying", "qty", "option_type", *_MARKET)
    for name in row:
        if name not in known:
            raise RiskInputError(f"positions: columns are {', '.join(known)}, got {name}")
    underlying = row.get("underlying")
    if not isinstance(underlying, str) or not underlying:
        raise RiskInputError(f"positions: row {index}: underlying must be a name")
    try:
        return _holding(underlying, row)
    except RiskInputError as error:
        raise RiskInputError(f"positions: row {index}: {error}") from None


def _holding(underlying: str, row: Mapping[str, Any]) -> BookPosition:
    qty, kind = _value(row, "qty"), row.get("option_type")
    if not isinstance(kind, str | OptionType) or not kind:
        return spot(underlying, qty, _value(row, "spot"))
    market = {name: _value(row, name, None if name in _MARKET[:4] else 0.0) for name in _MARKET}
    return option(kind, underlying, qty, **market)


def _value(row: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = row.get(name)
    if value is None or value != value:  # NaN is how pandas leaves a cell empty
        value = default
    return number(value, name)
