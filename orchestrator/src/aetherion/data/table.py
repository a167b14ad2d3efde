"""One file as a table of our own fields: numbers as plain decimal text, times as nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

import polars as pl

from aetherion.data import naming, times
from aetherion.data.book import ADD, DELETE, MODIFY
from aetherion.data.decimals import decimals, denoised, plain, rounded
from aetherion.data.layout import PRICES, QUANTITIES, Layout, recognise
from aetherion.data.options import ImportOptions, Kind
from aetherion.data.problems import DataError, Problems
from aetherion.data.source import ROW, Source, read

_WIDE = Context(prec=300)
_TIME_OF_DAY = r"^\d{2}:\d{2}"
_BUY = ("b", "buy", "bid", "1")
_SELL = ("s", "sell", "a", "ask", "2")
_SIDES = dict.fromkeys(_BUY, 1) | dict.fromkeys(_SELL, 2)
_UNKNOWN = ("", "n", "none", "u", "unknown", "0")


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one file, in its order.

    `frame` has `file`, `row`, `instrument_id`, `time_ns` (bars, and others that have one),
    `receive_time_ns` (where the file has one) and the decimal text of the kind's fields.
    """

    source: Source
    layout: Layout
    frame: pl.DataFrame
    dates_only: bool
    notes: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """What the rows are."""
        return self.layout.kind


def load(source: Source, options: ImportOptions, problems: Problems) -> Table:
    """Read one file; rows that cannot be read are noted in `problems`.

    Raises:
        DataError: the file as a whole cannot be read, or its columns are not those of market data.
    """
    raw = read(source)
    layout = recognise(source.name, [c for c in raw.columns if c != ROW], options)
    for name in layout.columns.values():
        if raw.schema[name].is_nested() or raw.schema[name] == pl.Binary:
            raise DataError(
                f"{source.name}: column {name}: must be numbers, text or times, "
                f"got {raw.schema[name]}"
            )
    frame = raw.select(
        pl.lit(source.name).alias("file"),
        pl.col(ROW).cast(pl.Int64).alias("row"),
        _instrument_ids(source, raw, layout, options).alias("instrument_id"),
    )
    reader = _Reader(raw, frame, layout, options, problems, [])
    columns, dates_only = reader.times()
    columns += reader.numbers()
    if layout.kind == "trade":
        columns.append(reader.aggressor())
    if layout.kind == "level":
        columns += reader.level()
    if layout.kind == "order":
        columns += reader.order()
    notes = tuple(f"{source.name}: {note}" for note in reader.notes)
    return Table(source, layout, frame.with_columns(columns), dates_only, notes)


def _instrument_ids(
    source: Source, raw: pl.DataFrame, layout: Layout, options: ImportOptions
) -> pl.Series:
    symbol, venue = naming.from_file_name(source.stem)
    if "symbol" not in layout.columns:
        whole = naming.instrument_id(options.symbol or symbol, venue, options)
        return pl.Series([whole]).new_from_index(0, raw.height)
    symbols = raw[layout.columns["symbol"]].cast(pl.String).str.strip_chars()
    empty = (symbols.is_null() | (symbols == "")).arg_true()
    if len(empty):
        row = raw[ROW][empty[0]]
        raise DataError(f"{source.name}: row {row}: symbol: must not be empty, got nothing")
    # A file of many symbols is not named for one; only its venue can be in the name.
    distinct = symbols.unique(maintain_order=True)
    ids = [naming.instrument_id(s, venue, options) for s in distinct]
    return symbols.replace_strict(distinct, pl.Series(ids, dtype=pl.String))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Columns of one file, each turned into ours."""

    raw: pl.DataFrame
    frame: pl.DataFrame
    layout: Layout
    options: ImportOptions
    problems: Problems
    notes: list[str]

    def times(self) -> tuple[list[pl.Series], bool]:
        """Return the time columns, and whether they are dates without a time."""
        columns, dates_only = [], False
        if "time" in self.layout.columns:
            column, dates_only = self._time("time", self.options.time_format)
            columns.append(column.alias("time_ns"))
        if "receive_time" in self.layout.columns:
            column, _ = self._time("receive_time", None)
            columns.append(column.alias("receive_time_ns"))
        return columns, dates_only

    def _time(self, field: str, time_format: str | None) -> tuple[pl.Series, bool]:
        name = self.layout.columns[field]
        values = self._with_day(self.raw[name]) if field == "time" else self.raw[name]
        empty = _empty(values)
        if self.layout.kind == "bar":
            self._refuse(empty, name, "must not be empty", values)
        if empty.all():  # a column that the source never fills
            return pl.Series([None] * len(values), dtype=pl.Int64), False
        ns, dates_only = times.to_ns(values, time_format)
        self._refuse(ns.is_null() & ~empty, name, times.RULE, values)
        self._refuse(ns <= 0, name, "must be after 1970-01-01", values)
        return ns, dates_only

    def _with_day(self, time: pl.Series) -> pl.Series:
        """Return times of day with the day that stands beside them, other times as they are."""
        day = self.layout.columns.get("date")
        text = time.cast(pl.String).str.strip_chars()
        if day is None or not text.str.contains(_TIME_OF_DAY).any():
            return time
        return (self.raw[day].cast(pl.String) + "T" + text).alias(time.name)

    def numbers(self) -> list[pl.Series]:
        """Return prices and quantities as plain decimal text, null where the file says nothing."""
        kind, columns = self.layout.kind, []
        for field in (*PRICES[kind], *QUANTITIES[kind]):
            if field in self.layout.columns:
                text = self._number(field, may_be_empty=kind == "quote")
            else:
                text = pl.Series([None] * self.raw.height, dtype=pl.String)
            columns.append(text.alias(field))
        if kind == "bar" and self.options.adjust:
            columns = self._adjusted(columns)
        if self.options.round and self.options.price_scale is not None:
            scale = self.options.price_scale
            columns = [rounded(c, scale) if c.name in PRICES[kind] else c for c in columns]
        return columns

    def _number(self, field: str, *, may_be_empty: bool) -> pl.Series:
        name = self.layout.columns[field]
        values = self.raw[name].cast(pl.String)
        empty = _empty(values)
        numbers = plain(values)
        if not may_be_empty:
            self._refuse(empty, name, "must not be empty", values)
        finite = "must be a finite decimal number"
        self._refuse(numbers.is_null() & ~empty, name, finite, values)
        clean, noisy = denoised(numbers)
        if noisy:
            example = numbers.filter(clean != numbers)[0]
            self.notes.append(f"{name}: {noisy:,} numbers lost the noise of floats, like {example}")
        return clean

    def _adjusted(self, columns: list[pl.Series]) -> list[pl.Series]:
        """Return bars with prices times adjusted close / close, as all sources adjust them."""
        if "adj_close" not in self.layout.columns:
            raise DataError(f"{self.frame['file'][0]}: adjust: needs a column Adj Close")
        by_name = {column.name: column for column in columns}
        target, close = self._number("adj_close", may_be_empty=False), by_name["close"]
        zero = close.str.contains(r"^[+-]?[0.]+$")
        self._refuse(zero, "close", "must not be zero to be adjusted", close)
        scale = self.options.price_scale
        places = int(decimals(target).max() or 0) if scale is None else scale  # type: ignore[arg-type]
        for field in PRICES["bar"]:
            by_name[field] = _times_ratio(by_name[field], target, close, places).alias(field)
        return list(by_name.values())

    def aggressor(self) -> pl.Series:
        """Return who took: 0 unknown, 1 buyer, 2 seller."""
        name = self.layout.columns.get("aggressor")
        if name is None:
            return pl.Series("aggressor", [0] * self.raw.height, dtype=pl.Int32)
        text = self.raw[name].cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
        known = _SIDES | dict.fromkeys(_UNKNOWN, 0)
        if name.strip().lower() == "is_buyer_maker":  # the maker bought, so the taker sold
            known = {"true": 2, "1": 2, "false": 1, "0": 1, "": 0}
        sides = text.replace_strict(known, default=None, return_dtype=pl.Int32)
        rule = f"must be one of {', '.join(repr(k) for k in known)}"
        self._refuse(sides.is_null(), name, rule, self.raw[name].cast(pl.String))
        return sides.alias("aggressor")

    def level(self) -> list[pl.Series]:
        """Return side (1 bid, 2 ask), whether of a snapshot, and the event's number or null."""
        snapshots = {"1": 1, "true": 1, "0": 0, "false": 0}
        side = self._one_of("side", _SIDES)
        snapshot = self._one_of("snapshot", snapshots).cast(pl.Boolean)
        if "update" not in self.layout.columns:
            return [side, snapshot, pl.Series("update", [None] * self.raw.height, dtype=pl.Int64)]
        return [side, snapshot, self._whole("update")]

    def order(self) -> list[pl.Series]:
        """Return side (1 bid, 2 ask), the venue's number of the order, and what became of it."""
        actions = {"add": ADD, "modify": MODIFY, "delete": DELETE}
        return [
            self._one_of("side", _SIDES),
            self._whole("order_id"),
            self._one_of("action", actions),
        ]

    def _whole(self, field: str) -> pl.Series:
        name = self.layout.columns[field]
        text = self.raw[name].cast(pl.String)
        values = text.str.strip_chars().cast(pl.Int64, strict=False)
        self._refuse(values.is_null(), name, "must be a whole number", text)
        return values.alias(field)

    def _one_of(self, field: str, known: dict[str, int]) -> pl.Series:
        name = self.layout.columns[field]
        text = self.raw[name].cast(pl.String).str.strip_chars().str.to_lowercase().fill_null("")
        values = text.replace_strict(known, default=None, return_dtype=pl.Int32)
        rule = f"must be one of {', '.join(repr(k) for k in known)}"
        self._refuse(values.is_null(), name, rule, self.raw[name].cast(pl.String))
        return values.alias(field)

    def _refuse(self, bad: pl.Series, name: str, rule: str, values: pl.Series) -> None:
        self.problems.refuse(self.frame, bad, name, rule, values)


def _empty(values: pl.Series) -> pl.Series:
    return values.is_null() | (values.cast(pl.String).str.strip_chars() == "")


def _times_ratio(prices: pl.Series, target: pl.Series, close: pl.Series, places: int) -> pl.Series:
    step = Decimal(1).scaleb(-places)

    def one(price: str | None, to: str | None, of: str | None) -> str | None:
        if price is None or to is None or of is None or not Decimal(of):
            return price
        exact = _WIDE.divide(_WIDE.multiply(Decimal(price), Decimal(to)), Decimal(of))
        return f"{exact.quantize(step, ROUND_HALF_EVEN, _WIDE):f}"

    rows = zip(prices, target, close, strict=True)
    return pl.Series([one(*row) for row in rows], dtype=pl.String)
