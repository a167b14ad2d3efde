"""What a strategy holds, as its own fills add it up, by the rules of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aetherion.account import ATTOS, Money
from aetherion.exact import EXACT, divide_half_even
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import Row
from aetherion.order import ExecutionReport, Side

_ZERO = Decimal(0)


@dataclass(slots=True)
class _Holding:
    """One instrument: its quantity in lots of 10^-qty_scale, money in 10^-18."""

    instrument: Instrument
    net_qty: int = 0
    cost: int = 0  # of the open quantity; short negative
    realized: int = 0

    def move(self, qty: int, px: int) -> int:
        """Buy `qty` (negative: sell) at `px`; return the cash that it brings, before fees."""
        realized = self.realized
        closing = 0
        if self.net_qty * qty < 0:
            closing = max(qty, -self.net_qty) if qty < 0 else min(qty, -self.net_qty)
            removed = divide_half_even(self.cost * -closing, self.net_qty)
            self.realized -= self.notional(closing, px) + removed
            self.cost -= removed
        self.cost += self.notional(qty - closing, px)
        self.net_qty += qty
        if self.instrument.instrument_class is InstrumentClass.FUTURE:
            return self.realized - realized
        return -self.notional(qty, px)

    def notional(self, qty: int, px: int) -> int:
        """Return the exact value of a quantity at a price."""
        numerator, denominator = self.instrument.multiplier.as_integer_ratio()
        unit: int = 10 ** (self.instrument.price_scale + self.instrument.qty_scale)
        return qty * px * numerator * ATTOS // (denominator * unit)


class Portfolio:
    """Positions, cash and equity of the account; exact."""

    __slots__ = ("_cash", "_currency", "_holdings", "_instruments", "_last_rows")

    def __init__(
        self,
        currency: str,
        cash: Decimal,
        instruments: Mapping[str, Instrument],
        last_rows: Mapping[str, Row],
    ) -> None:
        self._currency = currency
        self._cash = {currency: int(EXACT.scaleb(cash, 18))}
        self._holdings: dict[str, _Holding] = {}
        self._instruments = instruments
        self._last_rows = last_rows

    @property
    def currency(self) -> str:
        """The account's base currency."""
        return self._currency

    @property
    def cash(self) -> Decimal:
        """Cash in the base currency; negative when borrowed."""
        return self._amount(self._cash[self._currency])

    @property
    def positions(self) -> dict[str, Decimal]:
        """Net quantity of every instrument held, short negative."""
        return {
            i: held.instrument.qty_of(held.net_qty)
            for i, held in self._holdings.items()
            if held.net_qty
        }

    def position(self, instrument_id: str) -> Decimal:
        """Net quantity of one instrument, short negative, 0 when not held."""
        held = self._holdings.get(instrument_id)
        return _ZERO if held is None else held.instrument.qty_of(held.net_qty)

    def cost(self, instrument_id: str) -> Decimal:
        """What the open quantity cost, without fees; short negative."""
        held = self._holdings.get(instrument_id)
        return _ZERO if held is None else self._amount(held.cost)

    def mark(self, instrument_id: str) -> Decimal | None:
        """Last price seen: a close, a middle or a trade; None before the first."""
        row = self._last_rows.get(instrument_id)
        if row is None or row.mark_px is None:
            return None
        return row.instrument.price_of(row.mark_px)

    def market_value(self, instrument_id: str) -> Decimal | None:
        """Position at its mark, short negative; None when it is held and has no mark."""
        held = self._holdings.get(instrument_id)
        if held is None or not held.net_qty:
            return _ZERO
        value = self._value(held)
        return None if value is None else self._amount(value)

    @property
    def equity(self) -> Decimal | None:
        """Cash and all positions at their marks; None when one held has no mark.

        A position counts with its market value, in a future with what that differs from its cost.
        """
        total = self._cash[self._currency]
        for held in self._holdings.values():
            if held.net_qty:
                value = self._value(held)
                if value is None:
                    return None
                is_future = held.instrument.instrument_class is InstrumentClass.FUTURE
                total += value - held.cost if is_future else value
        return self._amount(total)

    def apply(self, fill: ExecutionReport) -> None:
        """Move position and cash by one fill. For the host alone."""
        instrument = self._instruments[fill.instrument_id]
        held = self._holdings.setdefault(fill.instrument_id, _Holding(instrument))
        qty = instrument.qty(fill.last_qty)
        px = int(EXACT.scaleb(fill.last_px, instrument.price_scale))
        flow = held.move(qty if fill.side is Side.BUY else -qty, px)
        self._move(instrument.quote_currency, flow)
        if fill.commission is not None:
            self._move(fill.commission.currency, -fill.commission.attos)

    def _value(self, held: _Holding) -> int | None:
        row = self._last_rows.get(held.instrument.instrument_id)
        if row is None or row.mark_px is None:
            return None
        return held.notional(held.net_qty, row.mark_px)

    def _move(self, currency: str, attos: int) -> None:
        self._cash[currency] = self._cash.get(currency, 0) + attos

    def _amount(self, attos: int) -> Decimal:
        return Money(self._currency, attos).amount
