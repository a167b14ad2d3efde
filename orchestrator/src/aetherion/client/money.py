"""Decimals, money and instruments between the contract and the values that Python works with."""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import TypeVar

from aetherion.account import ATTOS, Money
from aetherion.client.channel import ProtocolError
from aetherion.exact import GridError, unscale
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.v1 import account_pb2, instrument_pb2

E = TypeVar("E", bound=IntEnum)


def enum_of(kind: type[E], value: int) -> E:
    """Return `value` as a member of `kind`.

    Raises:
        ProtocolError: no such member: the service speaks a later contract.
    """
    try:
        return kind(value)
    except ValueError:
        raise ProtocolError(
            f"{kind.__name__} {value} is unknown here: the service is newer than this client"
        ) from None


def money_of(message: account_pb2.Money) -> Money:
    """Return the contract's money as one integer of 10^-18."""
    return Money(message.currency, message.units * ATTOS + message.attos)


def optional_money(holder: object, field: str) -> Money | None:
    """Return `holder.field`, or None where it is absent."""
    present = holder.HasField(field)  # type: ignore[attr-defined]
    return money_of(getattr(holder, field)) if present else None


def money_message(currency: str, amount: Decimal, field: str) -> account_pb2.Money:
    """Return an amount for the wire.

    Raises:
        GridError: finer than 10^-18 or out of 64 bits of units.
    """
    numerator, denominator = amount.as_integer_ratio()
    attos, rest = divmod(abs(numerator) * ATTOS, denominator)
    if rest:
        raise GridError(f"{field}: must have at most 18 decimals, got {amount}")
    units, attos = divmod(attos, ATTOS)
    if units >= 2**63:
        raise GridError(f"{field}: must fit 64 bits of whole units, got {amount}")
    sign = -1 if amount < 0 else 1
    return account_pb2.Money(currency=currency, units=sign * units, attos=sign * attos)


def decimal_of(message: account_pb2.Decimal) -> Decimal:
    """Return mantissa * 10^-scale."""
    return unscale(message.mantissa, message.scale)


def decimal_message(value: Decimal, field: str) -> account_pb2.Decimal:
    """Return a decimal number for the wire.

    Raises:
        GridError: it needs more than 18 decimals or 64 bits.
    """
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise GridError(f"{field}: must be finite, got {value}")
    scale = max(0, -exponent)
    numerator, denominator = value.as_integer_ratio()
    mantissa = numerator * 10**scale // denominator if scale <= 18 else 0
    if scale > 18 or not -(2**63) <= mantissa < 2**63:
        raise GridError(f"{field}: must fit 64 bits with at most 18 decimals, got {value}")
    return account_pb2.Decimal(mantissa=mantissa, scale=scale)


def instrument_of(message: instrument_pb2.Instrument) -> Instrument:
    """Return a definition as Python works with it."""
    return Instrument(
        instrument_id=message.instrument_id,
        instrument_class=enum_of(InstrumentClass, message.instrument_class),
        base_currency=message.base_currency,
        quote_currency=message.quote_currency,
        price_scale=message.price_scale,
        qty_scale=message.qty_scale,
        price_increment=message.price_increment,
        qty_increment=message.qty_increment,
        min_qty=message.min_qty,
        max_qty=message.max_qty,
        multiplier=decimal_of(message.multiplier),
        maker_fee_ratio=decimal_of(message.maker_fee_ratio),
        taker_fee_ratio=decimal_of(message.taker_fee_ratio),
        allow_negative_price=message.allow_negative_price,
        version=message.version,
    )


def unknown_instrument(instrument_id: str) -> Instrument:
    """Return what stands for an instrument that nobody knows: numbers are shown as they were sent.

    An order for it, or a cancel of an unknown order, was refused, and the refusal is reported.
    """
    return Instrument(instrument_id, InstrumentClass.EQUITY, "", "", price_scale=0, qty_scale=0)
