"""What users have, as arrays with names: numpy, pandas, polars, dicts and lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
import polars as pl

from aetherion.risk.errors import RiskInputError
from aetherion.risk.methods import Floats

Confidence = float | int | str | Decimal
Names = tuple[str, ...]
V = TypeVar("V", "Vector", "Table")
E = TypeVar("E", bound=IntEnum)
T = TypeVar("T")

_LOWEST_BP, _HIGHEST_BP = 5001, 9999


@dataclass(frozen=True, slots=True)
class Vector:
    """Shape (K,) and the name of each value, if they have names."""

    values: Floats
    names: Names | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Shape (n, K), the name of each column and of each row, if they have names."""

    values: Floats
    names: Names | None = None
    rows: Names | None = None


def levels_of(confidence: Confidence | Sequence[Confidence]) -> tuple[int, ...]:
    """Return confidence levels in basis points.

    Args:
        confidence: one level or several: 0.99, "99%", "9900bp" or 9900.

    Raises:
        RiskInputError: one is not a whole number of basis points from 5001 to 9999.
    """
    if isinstance(confidence, Sequence | np.ndarray) and not isinstance(confidence, str):
        return tuple(map(_level_of, confidence))
    return (_level_of(confidence),)


def level_of(confidence: Confidence | Sequence[Confidence]) -> int:
    """Return the one confidence level, in basis points.

    Raises:
        RiskInputError: as of `levels_of`; none or several.
    """
    levels = levels_of(confidence)
    if len(levels) != 1:
        raise RiskInputError(f"confidence: must be one level, got {len(levels)}")
    return levels[0]


def _level_of(confidence: Any) -> int:
    text = confidence.strip() if isinstance(confidence, str) else _number_text(confidence)
    try:
        if text.endswith("%"):
            level = Decimal(text[:-1]) * 100
        elif text.endswith("bp"):
            level = Decimal(text[:-2])
        else:
            level = Decimal(text)
            level *= 10_000 if level < 1 else 1
        if level == int(level) and _LOWEST_BP <= level <= _HIGHEST_BP:
            return int(level)
    except (InvalidOperation, OverflowError, ValueError):
        pass
    raise RiskInputError(
        f"confidence: must be whole basis points from {_LOWEST_BP} to {_HIGHEST_BP}, "
        f'such as 0.99, "99%" or 9900, got {confidence!r}'
    )


def _number_text(confidence: Any) -> str:
    return "" if isinstance(confidence, bool) else str(confidence)


def vector_of(value: Any, field: str) -> Vector:
    """Return one value a factor.

    Args:
        value: a dict or pandas Series by name; a frame of one row, or of a column of names and one
            of values; an array, a list or a polars Series in the order of the factors.

    Raises:
        RiskInputError: another shape, not numbers, not finite, or a name twice.
    """
    if isinstance(value, Vector):
        return value
    if isinstance(value, pl.DataFrame):
        return _vector_of_frame(value, field)
    if isinstance(value, Mapping):
        names = tuple(map(str, value))
        return _checked(Vector(_floats(list(value.values()), field, 1), names), field)
    if _is_pandas(value, "Series"):
        return _checked(Vector(_floats(value, field, 1), _labels(value.index)), field)
    if _is_pandas(value, "DataFrame"):
        return _vector_of_frame(_polars_of(value, field), field)
    return _checked(Vector(_floats(value, field, 1)), field)


def _vector_of_frame(frame: pl.DataFrame, field: str) -> Vector:
    text = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric()]
    if len(text) == 1 and len(numbers) == 1:
        names = tuple(frame[text[0]].to_list())
        if None in names:
            raise RiskInputError(f"{field}: every row must have a name, got null")
        return _checked(Vector(_floats(frame[numbers[0]], field, 1), names), field)
    if frame.height == 1 and not text:
        return _checked(Vector(_floats(frame.row(0), field, 1), tuple(frame.columns)), field)
    raise RiskInputError(
        f"{field}: a frame must have one row, or a column of names and one of values, "
        f"got columns {', '.join(frame.columns)}"
    )


def table_of(value: Any, field: str) -> Table:
    """Return one column a factor, oldest row first.

    Args:
        value: a pandas or polars frame, whose first column names the rows if it is no number; a
            dict of columns; an array or nested list; a Table; one dimension is one column.

    Raises:
        RiskInputError: another shape, not numbers, not finite, or a name twice.
    """
    if isinstance(value, Table):
        return value
    if isinstance(value, Mapping):
        value = _frame(value, field)
    if isinstance(value, pl.DataFrame):
        return _table_of_frame(value, field)
    if _is_pandas(value, "DataFrame"):
        table = Table(_floats(value, field, 2), _labels(value.columns), _labels(value.index))
        return _checked(table, field)
    if _is_pandas(value, "Series"):
        names = None if value.name is None else (str(value.name),)
        values = _floats(value, field, 1)[:, None]
        return _checked(Table(values, names, _labels(value.index)), field)
    array = _floats(value, field, None)
    return _checked(Table(array[:, None] if array.ndim == 1 else array), field)


def _frame(value: Mapping[Any, Any], field: str) -> pl.DataFrame:
    try:
        return pl.DataFrame({str(name): _column(column) for name, column in value.items()})
    except (TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise RiskInputError(f"{field}: must be columns of one length: {error}") from None


def _column(values: Any) -> Any:
    """Return numbers as an array, whole ones among others too, and anything else as a list."""
    array = np.asarray(values)
    return array if array.dtype.kind in "iuf" else list(values)


def _table_of_frame(frame: pl.DataFrame, field: str) -> Table:
    rows = None
    if frame.width and not (frame.dtypes[0].is_numeric() or frame.dtypes[0] == pl.Object):
        rows = tuple(map(str, frame.to_series(0).to_list()))
        frame = frame.drop(frame.columns[0])
    for name, dtype in frame.schema.items():
        if dtype == pl.String:  # a CSV's column becomes one by a single word, "nan" too
            row = int(
                frame[name].cast(pl.Float64, strict=False).is_finite().fill_null(False).arg_min()
                or 0
            )
            where = f"in column {name}, row {rows[row] if rows else row}"
            raise RiskInputError(f"{field}: must be numbers, got {frame[name][row]!r} {where}")
        if not dtype.is_numeric():
            raise RiskInputError(f"{field}: column {name} must be numbers, got {dtype}")
    values = _floats(frame.cast(pl.Float64).fill_null(float("nan")).to_numpy(), field, 2)
    return _checked(Table(values, tuple(frame.columns), rows), field)


def simple_returns(prices: Any) -> Table:
    """Return arithmetic one-day returns, p[t] / p[t-1] - 1, of prices, oldest row first.

    Raises:
        RiskInputError: fewer than two rows, or a price that is not positive.
    """
    table = table_of(prices, "prices")
    if len(table.values) < 2:
        raise RiskInputError(f"prices: must have two rows or more, got {len(table.values)}")
    if (table.values <= 0).any():
        row, column = np.argwhere(table.values <= 0)[0]
        where = _place(table, row, column)
        raise RiskInputError(f"prices: must be positive, got {table.values[row, column]} {where}")
    values = table.values[1:] / table.values[:-1] - 1
    return replace(table, values=values, rows=table.rows[1:] if table.rows else None)


def align(vector: Vector, names: Names | None, size: int, field: str, other: str) -> Vector:
    """Return the values of `field` in the order of the names of `other`.

    Raises:
        RiskInputError: a name that only one of them has, or without names another length.
    """
    if vector.names is not None and names is not None:
        return Vector(vector.values[_order(vector.names, names, field, other)], names)
    if len(vector.values) != size:
        raise RiskInputError(
            f"{field}: must have {size} values, one a column of {other}, got {len(vector.values)}"
        )
    return Vector(vector.values, vector.names or names)


def arrange(table: Table, names: Names | None, field: str, other: str) -> Table:
    """Return the columns of `field` in the order of the names of `other`.

    Raises:
        RiskInputError: a name that only one of them has.
    """
    if table.names is None or names is None:
        return table
    order = _order(table.names, names, field, other)
    return replace(table, values=table.values[:, order], names=names)


def arrange_rows(table: Table, rows: Names | None, field: str, other: str) -> Table:
    """Return the rows of `field` in the order of the rows of `other`.

    Raises:
        RiskInputError: a row that only one of them has, or a name twice.
    """
    if table.rows is None or rows is None or table.rows == rows:
        return table
    for given, where in ((table.rows, field), (rows, other)):
        if len(set(given)) < len(given):
            raise RiskInputError(f"{where}: each row must come once to be matched by name")
    order = _order(table.rows, rows, field, other)
    return replace(table, values=table.values[order], rows=rows)


def square_of(value: Any, field: str) -> Table:
    """Return a matrix of factors by factors, its rows in the order of its columns.

    Raises:
        RiskInputError: as of `table_of`; not square, or rows that are not named as the columns.
    """
    table = table_of(value, field)
    n_rows, n_columns = table.values.shape
    if n_rows != n_columns:
        raise RiskInputError(f"{field}: must be square, got {n_rows} rows of {n_columns} columns")
    table = arrange_rows(table, table.names, field, f"the columns of {field}")
    return replace(table, names=table.names or table.rows)


def arrange_square(table: Table, names: Names | None, field: str, other: str) -> Table:
    """Return rows and columns of a square `field` in the order of the names of `other`."""
    columns = arrange(table, names, field, other)
    return arrange_rows(replace(columns, rows=table.names), columns.names, field, other)


def _order(have: Names, names: Names, field: str, other: str) -> list[int]:
    """Return where each of the names is in those that `field` has."""
    for name in sorted(set(have) ^ set(names)):
        has, lacks = (field, other) if name in have else (other, field)
        raise RiskInputError(f"{field}: {name} is in {has} but not in {lacks}")
    place = {name: k for k, name in enumerate(have)}
    return [place[name] for name in names]


def _checked(labelled: V, field: str) -> V:
    values, names = labelled.values, labelled.names
    if names is not None and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RiskInputError(f"{field}: each name must come once, got {twice} twice")
    if not np.isfinite(values).all():
        place = np.argwhere(~np.isfinite(values))[0]
        bad = values[tuple(place)]
        raise RiskInputError(f"{field}: must be finite, got {bad} {_place(labelled, *place)}")
    return labelled


def _place(labelled: Vector | Table, *place: int) -> str:
    """Say where a value is: by name where there are names."""
    name = labelled.names[place[-1]] if labelled.names else place[-1]
    if isinstance(labelled, Vector):
        return f"of {name}"
    return f"in column {name}, row {labelled.rows[place[0]] if labelled.rows else place[0]}"


def _floats(value: Any, field: str, ndim: int | None) -> Floats:
    try:
        array = np.asarray(value)
        if array.dtype.kind in "cbmM":  # numpy would make numbers of complex, truths and times
            raise TypeError
        array = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError):
        raise RiskInputError(f"{field}: must be numbers, got {_short(value)}") from None
    if array.ndim != ndim if ndim else array.ndim not in (1, 2):
        raise RiskInputError(f"{field}: must have {ndim or '1 or 2'} dimensions, got {array.ndim}")
    return array


def _short(value: Any) -> str:
    text = repr(value).replace("\n", " ")
    return text if len(text) <= 60 else f"{text[:60]}..."


def _is_pandas(value: Any, kind: str) -> bool:
    """Whether it is one of pandas' types, without importing pandas for that."""
    return any(
        c.__module__.partition(".")[0] == "pandas" and c.__name__ == kind
        for c in type(value).__mro__
    )


def _polars_of(frame: Any, field: str) -> pl.DataFrame:
    return _frame({name: frame[name].to_numpy() for name in frame.columns}, field)


def index_of(value: Any, table: Table) -> Names | None:
    """Return the names of rows to match others by: of pandas a plain count too."""
    is_pandas = _is_pandas(value, "Series") or _is_pandas(value, "DataFrame")
    return tuple(map(str, value.index)) if is_pandas else table.rows


def _labels(index: Any) -> Names | None:
    """Return the labels of a pandas index; a plain count is none."""
    if type(index).__name__ == "RangeIndex" and index.start == 0:
        return None
    return tuple(map(str, index))


def enum_of(kind: type[E], value: E | str, field: str) -> E:
    """Return a member by its name in any case.

    Raises:
        RiskInputError: there is none of that name.
    """
    if isinstance(value, kind):
        return value
    try:
        return kind[str(value).upper()]
    except KeyError:
        names = ", ".join(member.name.lower() for member in kind)
        raise RiskInputError(f"{field}: must be one of {names}, got {value!r}") from None


def one_of(names: Collection[str], value: Any, field: str) -> str:
    """Return a name that is one of those known.

    Raises:
        RiskInputError: it is none of them.
    """
    if isinstance(value, str) and value in names:
        return value
    raise RiskInputError(f"{field}: must be one of {', '.join(names)}, got {_short(value)}")


def items_of(kind: type[T], value: Any, field: str) -> tuple[T, ...]:
    """Return a sequence whose items are all of a kind.

    Raises:
        RiskInputError: it is no sequence, or has another item.
    """
    if not isinstance(value, Iterable):
        raise RiskInputError(f"{field}: must be several {kind.__name__}, got {_short(value)}")
    items = tuple(value)
    for item in items:
        if not isinstance(item, kind):
            raise RiskInputError(f"{field}: must be of {kind.__name__}, got {_short(item)}")
    return items


def number(value: Any, field: str) -> float:
    """Return a real number.

    Raises:
        RiskInputError: it is something else; true and false are no numbers.
    """
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    raise RiskInputError(f"{field}: must be a number, got {_short(value)}")


def flag(value: Any, field: str) -> bool:
    """Return true or false.

    Raises:
        RiskInputError: it is something else.
    """
    if isinstance(value, bool | np.bool):
        return bool(value)
    raise RiskInputError(f"{field}: must be True or False, got {_short(value)}")


UINT32, UINT64 = 2**32 - 1, 2**64 - 1


def whole(value: Any, field: str, highest: int = UINT32) -> int:
    """Return a whole number from 0 to the highest that its field of the contract holds.

    Raises:
        RiskInputError: it is something else.
    """
    if isinstance(value, float) and value.is_integer():  # 1e6
        value = int(value)
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if is_whole and 0 <= value <= highest:
        return int(value)
    raise RiskInputError(
        f"{field}: must be a whole number from 0 to {highest}, got {_short(value)}"
    )
