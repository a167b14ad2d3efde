"""Instruments, and the units that their prices and quantities are written in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

from aetherion.exact import GridError, Number, scaled, unscale


class InstrumentClass(IntEnum):
    """The kind of contract that an instrument is."""

    EQUITY = 1
    SPOT = 2
    FUTURE = 3


@dataclass(frozen=True, slots=True)
class Instrument:
    """The definition of a contract on one venue, as in instrument.proto.

    `price_increment`, `qty_increment`, `min_qty` and `max_qty` are scaled integers, as are all
    fields named `*_px` and `*_qty` of market data and orders. `price_of` and `qty_of` show them as
    `Decimal`; `px` and `qty` are the way back.
    """

    instrument_id: str
    instrument_class: InstrumentClass
    base_currency: str
    quote_currency: str
    price_scale: int
    qty_scale: int
    price_increment: int = 1
    qty_increment: int = 1
    min_qty: int = 1
    max_qty: int = 0
    multiplier: Decimal = Decimal(1)
    maker_fee_ratio: Decimal = Decimal(0)
    taker_fee_ratio: Decimal = Decimal(0)
    allow_negative_price: bool = False
    version: int = 1

    @property
    def symbol(self) -> str:
        """The part before the venue: "AAPL" of "AAPL.XNAS"."""
        return self.instrument_id.rpartition(".")[0]

    @property
    def venue(self) -> str:
        """The part after the symbol: "XNAS" of "AAPL.XNAS"."""
        return self.instrument_id.rpartition(".")[2]

    def price_of(self, px: int) -> Decimal:
        """Return a scaled price as a decimal number."""
        return unscale(px, self.price_scale)

    def qty_of(self, qty: int) -> Decimal:
        """Return a scaled quantity as a decimal number."""
        return unscale(qty, self.qty_scale)

    def px(self, price: Number, field: str = "price") -> int:
        """Return `price` in units of 10^-price_scale.

        Raises:
            GridError: off the tick, or negative or zero where the definition forbids it.
        """
        px = scaled(price, self.price_scale, self.price_increment, f"{self.instrument_id} {field}")
        if px <= 0 and not self.allow_negative_price:
            raise GridError(f"{self.instrument_id} {field}: must be positive, got {price}")
        return px

    def qty(self, quantity: Number, field: str = "qty") -> int:
        """Return `quantity` in units of 10^-qty_scale.

        Raises:
            GridError: off the lot.
        """
        name = f"{self.instrument_id} {field}"
        return scaled(quantity, self.qty_scale, self.qty_increment, name)

    def whole_lots(self, quantity: float | Decimal) -> Decimal:
        """Return the largest quantity on the grid that is not above `quantity`, at least zero.

        For sizing from statistics: `self.buy(i, instrument.whole_lots(budget / price))`.
        """
        if not quantity > 0:  # also NaN
            return Decimal(0)
        numerator, denominator = quantity.as_integer_ratio()
        lots = numerator * 10**self.qty_scale // (denominator * self.qty_increment)
        return self.qty_of(lots * self.qty_increment)
