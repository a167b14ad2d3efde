"""What a strategy holds, as its own fills add it up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from aetherion.exact import EXACT
from aetherion.instrument import Instrument
from aetherion.market_data import Row
from aetherion.order import ExecutionReport, Side

_ZERO = Decimal(0)


class Portfolio:
    """Positions, cash and equity of the account; exact."""

    __slots__ = ("_cash", "_currency", "_instruments", "_last_rows", "_positions")

    def __init__(
        self,
        currency: str,
        cash: Decimal,
        instruments: Mapping[str, Instrument],
        last_rows: Mapping[str, Row],
    ) -> None:
        self._currency = currency
        self._cash = {currency: cash}
        self._positions: dict[str, Decimal] = {}
        self._instruments = instruments
        self._last_rows = last_rows

    @property
    def currency(self) -> str:
        """The account's base currency."""
        return self._currency

    @property
    def cash(self) -> Decimal:
        """Cash in the base currency; negative when borrowed."""
        return self._cash[self._currency]

    @property
    def positions(self) -> dict[str, Decimal]:
        """Net quantity of every instrument held, short negative."""
        return {i: q for i, q in self._positions.items() if q}

    def position(self, instrument_id: str) -> Decimal:
        """Net quantity of one instrument, short negative, 0 when not held."""
        return self._positions.get(instrument_id, _ZERO)

    def mark(self, instrument_id: str) -> Decimal | None:
        """Last price seen: a close, a middle or a trade; None before the first."""
        row = self._last_rows.get(instrument_id)
        if row is None or row.mark_px is None:
            return None
        return row.instrument.price_of(row.mark_px)

    def market_value(self, instrument_id: str) -> Decimal | None:
        """Position at its mark, short negative; None when it is held and has no mark."""
        qty = self.position(instrument_id)
        if not qty:
            return _ZERO
        mark = self.mark(instrument_id)
        if mark is None:
            return None
        notional = EXACT.multiply(qty, mark)
        return EXACT.multiply(notional, self._instruments[instrument_id].multiplier)

    @property
    def equity(self) -> Decimal | None:
        """Cash and market value of all positions; None when one held has no mark."""
        total = self.cash
        for instrument_id in self._positions:
            value = self.market_value(instrument_id)
            if value is None:
                return None
            total = EXACT.add(total, value)
        return total

    def apply(self, fill: ExecutionReport) -> None:
        """Move position and cash by one fill. For the host alone."""
        instrument = self._instruments[fill.instrument_id]
        sign = 1 if fill.side is Side.BUY else -1
        qty = EXACT.multiply(Decimal(sign), fill.last_qty)
        held = self._positions.get(fill.instrument_id, _ZERO)
        self._positions[fill.instrument_id] = EXACT.add(held, qty)
        value = EXACT.multiply(EXACT.multiply(qty, fill.last_px), instrument.multiplier)
        self._move(instrument.quote_currency, EXACT.minus(value))
        if fill.commission is not None:
            self._move(fill.commission.currency, EXACT.minus(fill.commission.amount))

    def _move(self, currency: str, amount: Decimal) -> None:
        self._cash[currency] = EXACT.add(self._cash.get(currency, _ZERO), amount)
