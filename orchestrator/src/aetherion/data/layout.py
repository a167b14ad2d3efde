"""Which columns of a file are what: the common layouts, or what the options say."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aetherion.data.options import ImportOptions, Kind
from aetherion.data.problems import DataError

# Our field: the names that sources use for it, the likelier first, as `_normal` spells them.
_TIME = (
    "ts_event_ns ts_event event_time transact_time_ns transact_time timestamp datetime date_time "
    "time date ts"
)
_ALIASES: dict[Kind, dict[str, str]] = {
    "bar": {
        "time": "open_time_ns ts_open_ns open_time ts_open " + _TIME,
        "open": "open o open_price open_px first",
        "high": "high h high_price high_px max",
        "low": "low l low_price low_px min",
        "close": "close c close_price close_px last",
        "volume": "volume vol v qty base_volume",
        "adj_close": "adj_close adjusted_close adjclose",
    },
    "quote": {
        "time": _TIME,
        "receive_time": "ts_recv_ns ts_recv receive_time_ns receive_time recv_time local_timestamp",
        "bid_price": "bid_price bid_px bid best_bid_price best_bid bidprice",
        "bid_size": "bid_size bid_qty bid_quantity best_bid_qty best_bid_size bidsize bid_amount",
        "ask_price": "ask_price ask_px ask offer best_ask_price best_ask askprice",
        "ask_size": "ask_size ask_qty ask_quantity best_ask_qty best_ask_size asksize ask_amount",
    },
    "trade": {
        "time": _TIME,
        "receive_time": "ts_recv_ns ts_recv receive_time_ns receive_time recv_time local_timestamp",
        "price": "price trade_price trade_px px last_px",
        "size": "size qty quantity amount volume trade_size trade_qty last_qty",
        "aggressor": "aggressor aggressor_side side taker_side is_buyer_maker",
    },
    "level": {
        "time": _TIME,
        "receive_time": "ts_recv_ns ts_recv receive_time_ns receive_time recv_time local_timestamp",
        "price": "price px level_price",
        "size": "size qty quantity amount",
        "side": "side book_side",
        "snapshot": "is_snapshot snapshot",
        "update": "last_update_id update_id",
    },
    "order": {
        "time": _TIME,
        "receive_time": "ts_recv_ns ts_recv receive_time_ns receive_time recv_time local_timestamp",
        "price": "price px order_price",
        "size": "size qty quantity amount",
        "side": "side book_side",
        "order_id": "order_id id",
        "action": "action event",
    },
}
_SYMBOL = "instrument_id symbol ticker instrument sym"
_REQUIRED: dict[Kind, tuple[str, ...]] = {
    "bar": ("open", "high", "low", "close", "volume"),
    "quote": ("bid_price", "ask_price"),
    "trade": ("price", "size"),
    "level": ("price", "size", "side", "snapshot"),
    "order": ("price", "size", "side", "order_id", "action"),
}
# What makes a file one of a kind; `volume` alone may be missing from bars without changing that.
_TELLING: dict[Kind, tuple[str, ...]] = _REQUIRED | {"bar": ("open", "high", "low", "close")}

PRICES: dict[Kind, tuple[str, ...]] = {
    "bar": ("open", "high", "low", "close"),
    "quote": ("bid_price", "ask_price"),
    "trade": ("price",),
    "level": ("price",),
    "order": ("price",),
}
QUANTITIES: dict[Kind, tuple[str, ...]] = {
    "bar": ("volume",),
    "quote": ("bid_size", "ask_size"),
    "trade": ("size",),
    "level": ("size",),
    "order": ("size",),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds and where: our field name to the file's column name."""

    kind: Kind
    columns: dict[str, str]
    ignored: tuple[str, ...]


def recognise(file: str, header: Sequence[str], options: ImportOptions) -> Layout:
    """Return the layout of a file with these column names.

    Raises:
        DataError: a column is missing, named twice or not to be told from another.
    """
    names = _unique(file, header)
    chosen = _chosen(file, header, options)
    kind = options.kind or _kind(file, names, chosen)
    columns = dict(chosen)
    for field, aliases in _ALIASES[kind].items():
        if field not in columns and (found := _first(names, aliases)):
            columns[field] = found
    if "symbol" not in columns and options.symbol is None and (found := _first(names, _SYMBOL)):
        columns["symbol"] = found
    _require(file, kind, columns, header)
    if "date" in names and "time" in names and columns.get("time") == names["time"]:
        columns["date"] = names["date"]  # a day and a time of day in two columns
    used = set(columns.values())
    return Layout(kind, columns, tuple(name for name in header if name not in used))


def _normal(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_").replace(".", "_")


def _unique(file: str, header: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for name in header:
        if (other := names.get(_normal(name))) is not None:
            raise DataError(f"{file}: row 1: columns {other!r} and {name!r} have the same name")
        names[_normal(name)] = name
    return names


def _chosen(file: str, header: Sequence[str], options: ImportOptions) -> dict[str, str]:
    """Return the columns that the options name, all of which exist."""
    chosen = dict(options.columns)
    if options.time_column is not None:
        chosen["time"] = options.time_column
    fields = {"symbol"}.union(*_ALIASES.values())
    for field, name in chosen.items():
        if field not in fields:
            raise DataError(f"column: no such field {field!r}; {_nearest(field, fields)}")
        if name not in header:
            raise DataError(f"{file}: {field}: no such column {name!r}; {_nearest(name, header)}")
    return chosen


def _kind(file: str, names: dict[str, str], chosen: dict[str, str]) -> Kind:
    if {"bid_open", "ask_open"} & set(names):
        raise DataError(
            f"{file}: bars of bid and ask prices are not supported; make bars of mid prices or "
            "quotes of the closes"
        )
    fits = [
        kind
        for kind, telling in _TELLING.items()
        if all(field in chosen or _first(names, _ALIASES[kind][field]) for field in telling)
    ]
    if "trade" in fits and {"level", "order"} & set(fits):
        fits.remove("trade")  # a level and an order have all that a trade has, and more
    if len(fits) == 1:
        return fits[0]
    if fits:
        raise DataError(f"{file}: could hold {' or '.join(f + 's' for f in fits)}: give --kind")
    raise DataError(f"{file}: {_closest_kind(names, chosen)}")


def _closest_kind(names: dict[str, str], chosen: dict[str, str]) -> str:
    """Say what is missing of the kind that fits best."""

    def missing(kind: Kind) -> list[str]:
        return [
            field
            for field in _TELLING[kind]
            if field not in chosen and not _first(names, _ALIASES[kind][field])
        ]

    kind = min(_TELLING, key=lambda k: len(missing(k)) / len(_TELLING[k]))
    if len(missing(kind)) == len(_TELLING[kind]):
        return (
            "no columns of bars (open, high, low, close, volume), quotes (bid_price, ask_price), "
            "trades (price, size), levels (price, size, side, is_snapshot) or orders "
            "(price, size, side, order_id, action); "
            f"the file has {_listed(names.values())}"
        )
    return _missing_text(kind, missing(kind), list(names.values()))


def _require(file: str, kind: Kind, columns: dict[str, str], header: Sequence[str]) -> None:
    missing = [field for field in _REQUIRED[kind] if field not in columns]
    if missing:
        raise DataError(f"{file}: {_missing_text(kind, missing, header)}")
    if "time" not in columns and "receive_time" not in columns:
        raise DataError(
            f"{file}: {kind}s need a column of times (date, time, ts_event_ns, ...): give "
            f"--time-column; the file has {_listed(header)}"
        )


def _missing_text(kind: Kind, missing: Sequence[str], header: Sequence[str]) -> str:
    fields = ", ".join(missing)
    nearest = _nearest(missing[0], header)
    return f"{kind}s need column {fields}, which the file does not have; {nearest}"


def _nearest(name: str, names: Sequence[str] | set[str]) -> str:
    lower = {other.lower(): other for other in names}
    close = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    if close:
        return f"nearest is {lower[close[0]]!r} of {_listed(sorted(names))}"
    return f"there are {_listed(sorted(names))}"


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def _first(names: dict[str, str], aliases: str) -> str | None:
    return next((names[alias] for alias in aliases.split() if alias in names), None)
