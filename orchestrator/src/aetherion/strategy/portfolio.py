"""What a strategy holds, as its own fills add it up, by the rules of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from aetherion.account import ATTOS, Money
from aetherion.exact import EXACT, divide_half_even
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import Row
from aetherion.order import ExecType, ExecutionReport, Side

_ZERO = Decimal(0)


# For so long a fill that is busted or corrected counts as if it had been right from the start.
_CORRECTABLE_NS = 86_400 * 10**9


@dataclass(slots=True)
class _Move:
    """A fill: lots of 10^-qty_scale, sold negative."""

    time_ns: int
    qty: int
    px: int
    fee: Money | None


@dataclass(frozen=True, slots=True)
class _State:
    """What is held: lots, and money in 10^-18."""

    net_qty: int = 0
    cost: int = 0  # of the open quantity; short negative
    realized: int = 0

    def after(self, move: _Move, instrument: Instrument) -> _State:
        """Return what is held after a fill: what goes against it closes first, at average cost."""
        closing, cost, realized = 0, self.cost, self.realized
        if self.net_qty * move.qty < 0:
            closing = min(abs(move.qty), abs(self.net_qty)) * (1 if move.qty > 0 else -1)
            removed = divide_half_even(cost * -closing, self.net_qty)
            realized -= notional(instrument, closing, move.px) + removed
            cost -= removed
        cost += notional(instrument, move.qty - closing, move.px)
        return _State(self.net_qty + move.qty, cost, realized)


def notional(instrument: Instrument, qty: int, px: int) -> int:
    """Return the exact value of a quantity at a price, in 10^-18."""
    numerator, denominator = instrument.multiplier.as_integer_ratio()
    unit: int = 10 ** (instrument.price_scale + instrument.qty_scale)
    return qty * px * numerator * ATTOS // (denominator * unit)


class _Holding:
    """One instrument, and its fills that may still be corrected."""

    __slots__ = ("_moves", "_names", "_settled", "instrument", "state")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.state = self._settled = _State()
        self._moves: dict[str, _Move] = {}  # by exec_id, since _settled
        self._names: dict[str, str] = {}  # exec_id of a correction to that of its fill

    @property
    def cash(self) -> int:
        """What all fills brought, before fees."""
        is_future = self.instrument.instrument_class is InstrumentClass.FUTURE
        return self.state.realized - (0 if is_future else self.state.cost)

    def fill(self, exec_id: str, move: _Move) -> None:
        """Take a fill."""
        while self._moves:
            oldest = next(iter(self._moves))
            if self._moves[oldest].time_ns > move.time_ns - _CORRECTABLE_NS:
                break
            self._settled = self._settled.after(self._moves.pop(oldest), self.instrument)
        self._moves[exec_id] = move
        self.state = self.state.after(move, self.instrument)

    def revise(self, report: ExecutionReport, revised: _Move) -> Money | None:
        """Take a bust or a correction; return the fee of before, and complete `revised`."""
        ref_id = self._names.get(report.exec_ref_id, report.exec_ref_id)
        self._names[report.exec_id] = ref_id
        move = self._moves[ref_id]
        fee = move.fee
        if report.exec_type is ExecType.TRADE_CANCEL:
            revised.qty, revised.fee = 0, None
        elif revised.fee is None:
            revised.fee = fee  # what is not said stays
        move.qty, move.px, move.fee = revised.qty, revised.px, revised.fee
        self.state = self._settled
        for each in self._moves.values():
            self.state = self.state.after(each, self.instrument)
        return fee


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
            i: held.instrument.qty_of(held.state.net_qty)
            for i, held in self._holdings.items()
            if held.state.net_qty
        }

    def position(self, instrument_id: str) -> Decimal:
        """Net quantity of one instrument, short negative, 0 when not held."""
        held = self._holdings.get(instrument_id)
        return _ZERO if held is None else held.instrument.qty_of(held.state.net_qty)

    def cost(self, instrument_id: str) -> Decimal:
        """What the open quantity cost, without fees; short negative."""
        held = self._holdings.get(instrument_id)
        return _ZERO if held is None else self._amount(held.state.cost)

    def mark(self, instrument_id: str) -> Decimal | None:
        """Last price seen: a close, a middle or a trade; None before the first."""
        row = self._last_rows.get(instrument_id)
        if row is None or row.mark_px is None:
            return None
        return row.instrument.price_of(row.mark_px)

    def market_value(self, instrument_id: str) -> Decimal | None:
        """Position at its mark, short negative; None when it is held and has no mark."""
        held = self._holdings.get(instrument_id)
        if held is None or not held.state.net_qty:
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
            if held.state.net_qty:
                value = self._value(held)
                if value is None:
                    return None
                is_future = held.instrument.instrument_class is InstrumentClass.FUTURE
                total += value - held.state.cost if is_future else value
        return self._amount(total)

    def apply(self, report: ExecutionReport) -> None:
        """Move position and cash by a fill, or by its bust or correction. For the host alone."""
        instrument = self._instruments[report.instrument_id]
        held = self._holdings.setdefault(report.instrument_id, _Holding(instrument))
        qty = instrument.qty(report.last_qty)
        move = _Move(
            time_ns=report.transact_time_ns,
            qty=qty if report.side is Side.BUY else -qty,
            px=int(EXACT.scaleb(report.last_px, instrument.price_scale)),
            fee=report.commission,
        )
        before, undone = held.cash, None
        if report.exec_type is ExecType.TRADE:
            held.fill(report.exec_id, move)
        else:
            undone = held.revise(report, move)
        self._move(instrument.quote_currency, held.cash - before)
        if undone is not None:
            self._move(undone.currency, undone.attos)
        if move.fee is not None:
            self._move(move.fee.currency, -move.fee.attos)

    def _value(self, held: _Holding) -> int | None:
        row = self._last_rows.get(held.instrument.instrument_id)
        if row is None or row.mark_px is None:
            return None
        return notional(held.instrument, held.state.net_qty, row.mark_px)

    def _move(self, currency: str, attos: int) -> None:
        self._cash[currency] = self._cash.get(currency, 0) + attos

    def _amount(self, attos: int) -> Decimal:
        return Money(self._currency, attos).amount
