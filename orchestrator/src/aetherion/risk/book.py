"""What a portfolio holds, for pricing, revaluation and stress."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import (
    Table,
    Vector,
    align,
    arrange_square,
    number,
    square_of,
    vector_of,
)
from aetherion.risk.methods import Floats


class OptionType(IntEnum):
    """The right that an option gives: to buy or to sell at the strike."""

    CALL = 1
    PUT = 2


class PricingModel(IntEnum):
    """How an option is priced."""

    BLACK_SCHOLES_MERTON = 1
    BLACK_76 = 2
    BACHELIER = 3
    LEISEN_REIMER = 4
    LEISEN_REIMER_EUROPEAN = 5


@dataclass(frozen=True, slots=True)
class EuropeanOption:
    """A European option and its market; years Actual/365, rates and volatility a year."""

    option_type: OptionType
    spot: float
    strike: float
    years: float
    volatility: float
    rate: float = 0.0
    dividend_yield: float = 0.0


@dataclass(frozen=True, slots=True)
class BookPosition:
    """`qty` units (times the multiplier, short negative) of an underlying or an option on it.

    `holding`: the underlying's price now, or the option.
    """

    underlying: str
    qty: float
    holding: float | EuropeanOption

    def __post_init__(self) -> None:
        """Refuse what has no value, before it is multiplied with anything.

        Raises:
            RiskInputError: names the underlying, the field, the value and the rule.
        """
        self._check("qty", self.qty)
        if not isinstance(self.holding, EuropeanOption):
            self._check("price", self.holding)
            return
        for name in ("spot", "strike", "years", "volatility", "rate", "dividend_yield"):
            self._check(name, getattr(self.holding, name))

    def _check(self, field: str, value: float) -> None:
        is_in, rule = _RULES.get(field, _ANY)
        if not (math.isfinite(number(value, f"{self.underlying}: {field}")) and is_in(value)):
            raise RiskInputError(f"{self.underlying}: {field}: must be {rule}, got {value}")


_Rule = tuple[Callable[[float], bool], str]
_ANY: _Rule = (lambda value: True, "finite")
_POSITIVE: _Rule = (lambda value: value > 0, "finite and positive")
_AT_LEAST_0: _Rule = (lambda value: value >= 0, "finite and at least 0")
_RULES = {
    "price": _POSITIVE,
    "spot": _POSITIVE,
    "strike": _POSITIVE,
    "years": _AT_LEAST_0,
    "volatility": _AT_LEAST_0,
}


@dataclass(frozen=True, slots=True)
class Book:
    """A portfolio that is revalued in full; `factors` are empty where none are needed."""

    positions: tuple[BookPosition, ...]
    factors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeltaGammaBook:
    """P&L = theta + delta . r + r' gamma r / 2; delta shape (K,), gamma (K, K) symmetric, money.

    Both may be anything that has numbers. Where they have names, `names` are those of delta, and
    gamma is put in their order.
    """

    delta: Floats
    gamma: Floats
    theta: float = 0.0
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        delta, gamma = vector_of(self.delta, "delta"), square_of(self.gamma, "gamma")
        size, got = len(delta.values), gamma.values.shape[0]
        if got != size:
            raise RiskInputError(
                f"gamma: must have shape ({size}, {size}) as delta, got ({got}, {got})"
            )
        names = self.names or delta.names or gamma.names or ()
        if len(names) not in (0, size):
            raise RiskInputError(f"names: must have {size} names as delta, got {len(names)}")
        delta = align(delta, names or None, size, "delta", "names")
        gamma = arrange_square(gamma, names or None, "gamma", "delta")
        object.__setattr__(self, "delta", delta.values)
        object.__setattr__(self, "gamma", gamma.values)
        object.__setattr__(self, "theta", number(self.theta, "theta"))
        object.__setattr__(self, "names", tuple(names))

    def in_order(self, names: tuple[str, ...] | None, size: int, other: str) -> DeltaGammaBook:
        """Return it in the order of the names of `other`.

        Raises:
            RiskInputError: a name that only one of them has, or without names another length.
        """
        own = self.names or None
        delta = align(Vector(self.delta, own), names, size, "portfolio", other)
        gamma = arrange_square(Table(self.gamma, own), names, "portfolio", other)
        return DeltaGammaBook(delta.values, gamma.values, self.theta, delta.names or ())


@dataclass(frozen=True, slots=True)
class Greeks:
    """Sensitivities per 1.00 of underlying, volatility, rate and yield; theta per year."""

    delta: float
    gamma: float
    vega: float
    theta: float
    rho: float
    rho_q: float
    vanna: float
    volga: float


@dataclass(frozen=True, slots=True)
class Shock:
    """What a scenario does to one underlying; an empty name is every other one.

    `spot` is relative, `volatility` and `rate` are absolute a year, `years` pass.
    """

    underlying: str = ""
    spot: float = 0.0
    volatility: float = 0.0
    rate: float = 0.0
    years: float = 0.0


@dataclass(frozen=True, slots=True)
class StressScenario:
    """A named set of shocks, each underlying at most once."""

    name: str
    shocks: tuple[Shock, ...]
