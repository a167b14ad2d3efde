"""What options are worth, and how that moves."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from aetherion.risk.analysis import OptionColumns, OptionPrices
from aetherion.risk.book import BookPosition, EuropeanOption, OptionType, PricingModel
from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.holdings import book
from aetherion.risk.inputs import enum_of, vector_of, whole
from aetherion.risk.methods import Floats
from aetherion.risk.results import Record, Result, bars

_GREEKS = ("delta", "gamma", "vega", "theta", "rho", "rho_q", "vanna", "volga")


@dataclass(frozen=True, slots=True, repr=False)
class OptionResult(Result):
    """One row an option or position; money and Greeks in the units that the function states.

    `figure` is the column that was asked for: `float()` of the result is its only value.
    """

    name: str
    figure: str
    columns: dict[str, list[Any] | Floats]

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return self.name

    def records(self) -> list[Record]:
        """Return one row an option."""
        columns = [c.tolist() if isinstance(c, np.ndarray) else c for c in self.columns.values()]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*columns, strict=True)]

    def __getitem__(self, column: str) -> Floats:
        return np.asarray(self.columns[column])

    def __float__(self) -> float:
        values = list(self.columns[self.figure])
        if len(values) != 1:
            raise RiskInputError(f"{self.figure}: float() must be of one row, got {len(values)}")
        if values[0] is None:
            raise RiskInputError(f"{self.figure}: there is none: {self.columns['failure'][0]}")
        return float(values[0])

    def plot(self) -> Any:
        """Return a plotly figure of each column of figures over the rows."""
        figures = {name: list(self.columns[name]) for name in _PLOTTED if name in self.columns}
        names = [str(k) for k in range(len(next(iter(self.columns.values()), [])))]
        return bars(self.title, names, figures, "")


_PLOTTED = (*_GREEKS, "price", "value", "volatility")


def price(
    option_type: OptionType | str | Sequence[OptionType | str],
    underlying_price: Any,
    strike: Any,
    years: Any,
    volatility: Any,
    *,
    rate: Any = 0.0,
    dividend_yield: Any = 0.0,
    model: PricingModel | str = "black_scholes_merton",
    steps: int = 0,
) -> OptionResult:
    """Return prices and Greeks of options; arguments are numbers or columns of one length.

    Formula: with F = S exp((r - q) t), d1 = ln(F / K) / (v sqrt t) + v sqrt t / 2 and
    d2 = d1 - v sqrt t, a call is exp(-r t) (F N(d1) - K N(d2)), a put exp(-r t) (K N(-d2) -
    F N(-d1)); bachelier's call is exp(-r t) ((F - K) N(d) + v sqrt t n(d)), d = (F - K) /
    (v sqrt t); leisen_reimer is the larger of exercise and continuation in a binomial tree.

    Args:
        option_type: "call" or "put"; all arguments: one, or shape (N,).
        underlying_price: spot S; forward F for black_76 and bachelier.
        strike: K.
        years: t to expiry, Actual/365.
        volatility, rate, dividend_yield: v, r, q a year, r and q continuously compounded; 0.2 is
            20 %. v in price units for bachelier.
        model: black_scholes_merton, black_76, bachelier, or leisen_reimer (American; price and
            delta only); leisen_reimer_european is what the tree makes of a European option.
        steps: of the tree, odd; 0 is 501.

    Returns: N rows, the price in the units of the strike; `float()` of one row is its price.

    Units: Greeks per 1.00 of underlying, volatility, rate and yield; theta per year.

    Raises:
        RiskInputError: columns of several lengths, no numbers, or a yield of a forward.
        InvalidArgumentError: the service refuses a value; the text names row, value and rule.

    Source: Black & Scholes 1973, Merton 1973, Black 1976, Bachelier 1900, Leisen & Reimer 1996;
    Haug, *The Complete Guide to Option Pricing Formulas*, 2007.
    """
    kind = enum_of(PricingModel, model, "model")
    kinds, columns = _columns(
        option_type,
        underlying_price=underlying_price,
        strike=strike,
        years=years,
        volatility=volatility,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    forward = kind in (PricingModel.BLACK_76, PricingModel.BACHELIER)
    yields = columns["dividend_yield"]
    if forward and yields.any():
        raise RiskInputError(f"dividend_yield: must be 0 for {kind.name.lower()}")
    asked = OptionColumns(
        kind,
        kinds,
        columns["underlying_price"],
        columns["strike"],
        columns["years"],
        columns["volatility"],
        columns["rate"],
        yields[:0] if forward else yields,
        whole(steps, "steps"),
    )
    found = DESK.ask(lambda client: client.price_options(asked))
    shown: dict[str, list[Any] | Floats] = {
        "option_type": _words(kinds),
        "strike": columns["strike"],
    }
    title = kind.name.replace("_", " ").capitalize()
    return OptionResult(title, "price", {**shown, **_greeks_of(found)})


def _greeks_of(found: OptionPrices) -> dict[str, Floats]:
    """Return the columns that the model gives, each by the name of one figure."""
    columns = {f.name.removesuffix("s"): getattr(found, f.name) for f in fields(found)}
    return {name: column for name, column in columns.items() if len(column)}


def implied_volatility(
    option_type: OptionType | str | Sequence[OptionType | str],
    price: Any,
    underlying_price: Any,
    strike: Any,
    years: Any,
    *,
    rate: Any = 0.0,
    dividend_yield: Any = 0.0,
    forward: bool = False,
) -> OptionResult:
    """Return the Black volatility a year of option prices; numbers or columns of one length.

    Formula: the v for which Black's formula of F = S exp((r - q) t), strike K and v sqrt t is the
    undiscounted price, p exp(r t).

    Args:
        option_type: "call" or "put"; all arguments but `forward`: one, or shape (N,).
        price: p, present values in the units of the strike.
        underlying_price: spot S, or the forward F itself where `forward` says so.
        strike, years: K, and t to expiry, Actual/365.
        rate, dividend_yield: r, q a year, continuously compounded.

    Returns: N rows, 0.2 is 20 % a year; `float()` of one row is its volatility. A row that has none
    is None, and its reason, a bad value included, is in the column `failure`.

    Raises:
        RiskInputError: columns of several lengths, or no numbers; `float()` of a row without one.
        InvalidArgumentError: the service refuses the columns, more rows than it takes.

    Source: Jäckel, "Let's be rational", Wilmott 2015.
    """
    kinds, columns = _columns(
        option_type,
        price=price,
        underlying_price=underlying_price,
        strike=strike,
        years=years,
        rate=rate,
        dividend_yield=dividend_yield,
    )
    carry = 0.0 if forward else columns["rate"] - columns["dividend_yield"]
    forwards = columns["underlying_price"] * np.exp(carry * columns["years"])
    undiscounted = columns["price"] * np.exp(columns["rate"] * columns["years"])
    found = DESK.ask(
        lambda client: client.implied_volatility(
            kinds, undiscounted, forwards, columns["strike"], columns["years"]
        )
    )
    volatilities: list[Any] = found.volatilities.tolist()
    for row in found.failures:
        volatilities[row] = None
    shown: dict[str, list[Any] | Floats] = {
        "option_type": _words(kinds),
        "strike": columns["strike"],
        "price": columns["price"],
        "volatility": volatilities,
    }
    if found.failures:
        shown["failure"] = [found.failures.get(row, "") for row in range(len(kinds))]
    return OptionResult("Implied volatility", "volatility", shown)


def _columns(option_type: Any, **columns: Any) -> tuple[list[OptionType], dict[str, Floats]]:
    """Return all columns at one length."""
    given = [option_type] if isinstance(option_type, str | OptionType) else list(option_type)
    kinds = _kinds(given)
    made = {
        name: vector_of(np.atleast_1d(np.asarray(value)), name).values
        for name, value in columns.items()
    }
    sizes = {"option_type": len(kinds)} | {name: len(column) for name, column in made.items()}
    size = max(sizes.values())
    for name, got in sizes.items():
        if got not in (1, size):
            wanted = "1 value" if size == 1 else f"1 or {size} values"
            raise RiskInputError(f"{name}: must have {wanted}, got {got}")
    if len(kinds) < size:
        kinds *= size
    return kinds, {name: np.broadcast_to(column, size).copy() for name, column in made.items()}


def _kinds(given: Sequence[Any]) -> list[OptionType]:
    """Return calls and puts; a column may have a hundred thousand, so each name is read once."""
    names = [kind if isinstance(kind, str | OptionType) else str(kind) for kind in given]
    known = {name: enum_of(OptionType, name, "option_type") for name in set(names)}
    return [known[name] for name in names]


def _words(kinds: Sequence[OptionType]) -> list[str]:
    words = {kind.value: kind.name.lower() for kind in OptionType}
    return [words[number] for number in bytes(kinds)]


def greeks(positions: Any) -> OptionResult:
    """Return value and Greeks of a book, one row a position and their sum, by Black-Scholes-Merton.

    Formula: qty times V, delta dV/dS, gamma d2V/dS2, vega dV/dv, theta -dV/dt, rho dV/dr, rho_q
    dV/dq, vanna d2V/dS dv, volga d2V/dv2; V as of `price`, and of an underlying its price.

    Args:
        positions: as of `book`.

    Returns: n rows in the order of the positions, and a last one, their sum. Deltas of several
    underlyings are not comparable, so the sum leaves the underlying empty.

    Units: money; per 1.00 of underlying, volatility, rate, yield; theta per year.

    Raises:
        RiskInputError: as of `book`; a figure beyond the range of doubles.
        InvalidArgumentError: a figure of an option is; the text names the row of the book.

    Source: Black & Scholes 1973, Merton 1973; Haug, *The Complete Guide to Option Pricing
    Formulas*, 2007.
    """
    held = book(positions).positions
    asked = _option_columns([_as_option(position.holding) for position in held])
    found = _greeks_of(DESK.ask(lambda client: client.price_options(asked)))
    qty = np.array([position.qty for position in held])
    with np.errstate(over="ignore"):
        table = qty[:, None] * np.transpose(list(found.values()))
        table = np.vstack([table, table.sum(axis=0)]) + 0.0  # no -0 of a short position
    names = [*map(name_of, held), "total"]
    figures = dict(zip(("value", *_GREEKS), table.T, strict=True))
    for name, column in figures.items():
        if not np.isfinite(column).all():
            row = int(np.argmin(np.isfinite(column)))
            raise RiskInputError(
                f"positions: row {row}, {names[row]}: {name} must be representable, "
                f"got {column[row]}"
            )
    named: dict[str, list[Any]] = {
        "position": names,
        "underlying": [position.underlying for position in held] + [""],
        "qty": [position.qty for position in held] + [None],
    }
    return OptionResult("Greeks", "value", {**named, **figures})


def _as_option(holding: float | EuropeanOption) -> EuropeanOption:
    """Return an underlying as the call on it that costs nothing to exercise, now."""
    if isinstance(holding, EuropeanOption):
        return holding
    return EuropeanOption(OptionType.CALL, holding, sys.float_info.min, 0.0, 0.0)


def _option_columns(rows: Sequence[EuropeanOption]) -> OptionColumns:
    def column(name: str) -> Floats:
        return np.array([getattr(row, name) for row in rows], np.float64)

    return OptionColumns(
        PricingModel.BLACK_SCHOLES_MERTON,
        [row.option_type for row in rows],
        column("spot"),
        column("strike"),
        column("years"),
        column("volatility"),
        column("rate"),
        column("dividend_yield"),
    )


def name_of(position: BookPosition) -> str:
    """Return what a position is called in an answer."""
    holding = position.holding
    if not isinstance(holding, EuropeanOption):
        return position.underlying
    kind = holding.option_type.name.lower()
    return f"{position.underlying} {kind} {holding.strike:g} {holding.years:.4g}y"
