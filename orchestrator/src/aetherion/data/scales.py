"""The scales of each instrument, and the numbers of its rows in them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from aetherion.data import naming
from aetherion.data.decimals import decimals, to_scaled
from aetherion.data.layout import PRICES, QUANTITIES
from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError, Problems
from aetherion.data.table import Table
from aetherion.exact import GridError, scaled
from aetherion.instrument import Instrument

_MOST_DECIMALS = 18  # of price and quantity together, as instrument.proto says
_BPS = Decimal("0.0001")


def define(tables: Sequence[Table], options: ImportOptions) -> tuple[Instrument, ...]:
    """Return the instruments of all tables, sorted by id.

    A scale is the most decimals that a number of the instrument needs, in any file:
    "61837.63000000" needs two.

    Raises:
        DataError: a scale is beyond 64 bits, or an increment is not of the scale.
    """
    needed = pl.concat([_needed(table) for table in tables])
    most = needed.group_by("instrument_id").agg(pl.all().max()).sort("instrument_id")
    return tuple(_instrument(n, price, qty, options) for n, price, qty in most.iter_rows())


def _needed(table: Table) -> pl.DataFrame:
    """Return `instrument_id`, `price` and `qty`: the most decimals of each per instrument."""

    def most(fields: Sequence[str]) -> pl.Expr:
        counted = [decimals(table.frame[field]).alias(field) for field in fields]
        return pl.max_horizontal(pl.lit(0, dtype=pl.Int64), *counted)

    return (
        table.frame.select(
            "instrument_id",
            price=most(PRICES[table.kind]),
            qty=most(QUANTITIES[table.kind]),
        )
        .group_by("instrument_id")
        .agg(pl.all().max())
    )


def _instrument(name: str, price: int, qty: int, options: ImportOptions) -> Instrument:
    price_scale = price if options.price_scale is None else options.price_scale
    qty_scale = qty if options.qty_scale is None else options.qty_scale
    if price_scale + qty_scale > _MOST_DECIMALS:
        raise DataError(
            f"{name}: decimals of price and quantity: must be at most {_MOST_DECIMALS} together, "
            f"got {price_scale} and {qty_scale}: give --price-scale (and --round) or --qty-scale"
        )
    kind = naming.contract(name, options)
    return Instrument(
        instrument_id=name,
        instrument_class=kind.instrument_class,
        base_currency=kind.base_currency,
        quote_currency=kind.quote_currency,
        price_scale=price_scale,
        qty_scale=qty_scale,
        price_increment=_increment(options.tick, price_scale, f"{name}: tick"),
        qty_increment=(lot := _increment(options.lot, qty_scale, f"{name}: lot")),
        min_qty=lot,
        maker_fee_ratio=options.maker_fee_bps * _BPS,
        taker_fee_ratio=options.taker_fee_bps * _BPS,
        allow_negative_price=options.allow_negative_price,
    )


def _increment(step: Decimal | None, scale: int, field: str) -> int:
    if step is None:
        return 1
    try:
        return scaled(step, scale, 1, field)
    except GridError as error:
        raise DataError(str(error)) from None


def scale(table: Table, instruments: Sequence[Instrument], problems: Problems) -> pl.DataFrame:
    """Return the table's frame with `instrument` (an index) and its numbers as scaled integers.

    Numbers with more decimals than their scale, or outside 64 bits, go to `problems` and are null.
    """
    frame = table.frame
    index = {i.instrument_id: n for n, i in enumerate(instruments)}
    present = frame["instrument_id"].unique()
    columns = [
        frame["instrument_id"]
        .replace_strict(list(index), list(index.values()), return_dtype=pl.Int32)
        .alias("instrument")
    ]
    for fields, attribute in ((PRICES, "price_scale"), (QUANTITIES, "qty_scale")):
        scales = {name: int(getattr(instruments[index[name]], attribute)) for name in present}
        columns += [_scaled(frame, field, scales, problems) for field in fields[table.kind]]
    return frame.with_columns(columns)


def _scaled(
    frame: pl.DataFrame, field: str, scales: dict[str, int], problems: Problems
) -> pl.Series:
    numbers = frame[field]
    result = pl.Series(field, [None] * len(numbers), dtype=pl.Int64)
    for places in sorted(set(scales.values())):
        names = [name for name, places_of in scales.items() if places_of == places]
        here = frame["instrument_id"].is_in(names)
        wrong = here & (decimals(numbers) > places)
        rule = f"must have at most {places} decimals"
        problems.refuse(frame, wrong, field, rule, numbers)
        values = to_scaled(numbers, places)
        wide = here & ~wrong & values.is_null() & numbers.is_not_null()
        problems.refuse(frame, wide, field, f"must fit 64 bits in units of 1e-{places}", numbers)
        result = pl.select(pl.when(here & ~wrong).then(values).otherwise(result)).to_series()
    return result.alias(field)
