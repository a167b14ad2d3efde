"""What has to be held against positions: accounts of shares, futures and options, floors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from typing import Any

from aetherion.account import Money
from aetherion.exact import Number, to_decimal
from aetherion.risk.book import OptionType
from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import enum_of, items_of, number
from aetherion.risk.methods import Floats
from aetherion.risk.results import Record, Result, bars


@dataclass(frozen=True, slots=True)
class ShareHolding:
    """Shares in an account, short negative, and their price."""

    qty: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, repr=False)
class AccountMargin(Result):
    """Margin of an account of shares, exact, in the currency of its cash."""

    long_value: Money
    short_value: Money
    equity: Money
    initial: Money
    maintenance: Money
    excess_initial: Money
    excess_maintenance: Money
    margin_call: Money

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Margin of an account, {self.equity.currency}"

    def records(self) -> list[Record]:
        """Return one row an amount."""
        return [
            {"amount": f.name, "value": str(getattr(self, f.name).amount)} for f in fields(self)
        ]

    def plot(self) -> Any:
        """Return a plotly figure: each amount."""
        amounts = {f.name: float(getattr(self, f.name).amount) for f in fields(self)}
        series = {"amount": list(amounts.values())}
        return bars(self.title, list(amounts), series, self.equity.currency)


@dataclass(frozen=True, slots=True)
class FutureOption:
    """A European option on a future, priced by Black 1976; years are Actual/365."""

    option_type: OptionType
    forward: float
    strike: float
    years: float
    volatility: float
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class ScanPosition:
    """Contracts, short negative, of `multiplier` money per 1.00 of price; no option: a future."""

    qty: float
    multiplier: float
    option: FutureOption | None = None


@dataclass(frozen=True, slots=True)
class ScanRanges:
    """How far a scan moves, and what it charges beyond: arguments of `scan_margin`."""

    price_scan_range: float
    volatility_scan_range: float
    extreme_multiple: float
    extreme_cover: float
    short_option_minimum: float


@dataclass(frozen=True, slots=True, repr=False)
class ScanMargin(Result):
    """The losses of the 16 scenarios, shape (16,), and what is held against them; money."""

    risk_array: Floats
    scan_risk: float
    worst_scenario: int
    short_option_minimum: float
    net_option_value: float
    requirement: float

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Scan margin {self.requirement:,.2f}, scenario {self.worst_scenario} is the worst"

    def __float__(self) -> float:
        return self.requirement

    def records(self) -> list[Record]:
        """Return one row a scenario."""
        return [{"scenario": k, "loss": loss} for k, loss in enumerate(self.risk_array.tolist(), 1)]

    def notes(self) -> list[str]:
        """Return what the requirement is the larger of."""
        return [
            f"scan risk {self.scan_risk:,.2f}",
            f"short option minimum {self.short_option_minimum:,.2f}",
            f"net option value {self.net_option_value:,.2f}",
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"title": self.title} | asdict(self) | {"risk_array": self.risk_array.tolist()}

    def plot(self) -> Any:
        """Return a plotly figure: the loss of each scenario."""
        names = [str(k) for k in range(1, len(self.risk_array) + 1)]
        return bars(self.title, names, {"loss": self.risk_array.tolist()}, "loss")


@dataclass(frozen=True, slots=True)
class MarginFloors:
    """Margin with a quarter of its weight on stress, and with a buffer of a quarter."""

    stress_weighted: float
    buffered: float


def account_margin(
    holdings: Mapping[str, tuple[Number, Number]] | Sequence[ShareHolding],
    cash: Number = 0,
    *,
    currency: str = "USD",
) -> AccountMargin:
    """Return initial and maintenance margin of an account of shares, exactly.

    Formula: initial 50 % of the long and the short value; maintenance 25 % of a long value; of a
    short one max(2.5 a share, value) below a price of 5, else max(5 a share, 30 % of the value);
    call = max(0, maintenance - equity), equity = cash + long - short.

    Args:
        holdings: quantity, short negative, and price, by name; a float is the decimal it prints as.
        cash: a debt is negative.

    Raises:
        GridError: a number that 64 bits and 18 decimals cannot hold.
        RiskInputError: holdings that are no quantities and prices.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Regulation T, 12 CFR 220; FINRA Rule 4210(c).
    """
    if not currency:
        raise RiskInputError("currency: must be a code such as USD, got ''")
    held = _holdings(holdings)
    money = to_decimal(cash, "cash")
    return DESK.ask(lambda client: client.account_margin(held, money, currency))


def _holdings(given: Any) -> tuple[ShareHolding, ...]:
    if not isinstance(given, Mapping):
        return items_of(ShareHolding, given, "holdings")
    made = []
    for name, pair in given.items():
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise RiskInputError(f"holdings: {name} must be quantity and price, got {pair!r}")
        qty, price = (
            to_decimal(value, f"{name} {what}") for value, what in zip(pair, _PAIR, strict=True)
        )
        made.append(ShareHolding(qty, price))
    return tuple(made)


_PAIR = ("qty", "price")


def scan_margin(
    book: Sequence[ScanPosition],
    *,
    price_scan_range: float,
    volatility_scan_range: float = 0.0,
    extreme_multiple: float = 3.0,
    extreme_cover: float = 0.33,
    short_option_minimum: float = 0.0,
) -> ScanMargin:
    """Return the margin of futures and options on one underlying by a scan of 16 scenarios.

    Formula: the price moves by 0, 1/3, 2/3 and 1 of its range, up before down, with volatility up,
    then down by its range; then by `extreme_multiple` ranges up and down with volatility as it is
    and the loss times `extreme_cover`. Requirement: the larger of the largest loss and
    `short_option_minimum` times the short option contracts. Options by Black-76, time unchanged.

    Args:
        book: positions of `future_position` and `option_position`.
        price_scan_range: price units.
        volatility_scan_range: a year, absolute.

    Units: money; losses positive.

    Raises:
        RiskInputError: a number that is none.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: CME Group, *Standard Portfolio Analysis of Risk*.
    """
    ranges = ScanRanges(
        number(price_scan_range, "price_scan_range"),
        number(volatility_scan_range, "volatility_scan_range"),
        number(extreme_multiple, "extreme_multiple"),
        number(extreme_cover, "extreme_cover"),
        number(short_option_minimum, "short_option_minimum"),
    )
    positions = items_of(ScanPosition, book, "book")
    return DESK.ask(lambda client: client.scan_margin(positions, ranges))


def future_position(qty: float, multiplier: float) -> ScanPosition:
    """Return contracts of a future, short negative, of so much money per 1.00 of price."""
    return ScanPosition(number(qty, "qty"), number(multiplier, "multiplier"))


def option_position(
    option_type: OptionType | str,
    qty: float,
    multiplier: float,
    *,
    forward: float,
    strike: float,
    years: float,
    volatility: float,
    rate: float = 0.0,
) -> ScanPosition:
    """Return contracts of a European option on a future, "call" or "put"."""
    market = {
        "forward": forward,
        "strike": strike,
        "years": years,
        "volatility": volatility,
        "rate": rate,
    }
    kind = enum_of(OptionType, option_type, "option_type")
    option = FutureOption(kind, **{name: number(value, name) for name, value in market.items()})
    return ScanPosition(number(qty, "qty"), number(multiplier, "multiplier"), option)


def margin_floors(current: float, stressed: float) -> MarginFloors:
    """Return margins that do not rise fastest when it hurts most.

    Formula: stress_weighted = max(current, 0.75 current + 0.25 stressed); buffered = 1.25 current.

    Units: money, at least 0.

    Raises:
        InvalidArgumentError: a margin below 0, or not finite.

    Source: EMIR RTS 153/2013, article 28(1)(a) and (b).
    """
    levels = number(current, "current"), number(stressed, "stressed")
    return DESK.ask(lambda client: client.margin_floors(*levels))
