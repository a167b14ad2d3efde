"""What trades do to VaR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aetherion.risk.desk import DESK
from aetherion.risk.errors import RiskInputError
from aetherion.risk.inputs import Confidence, Names, items_of, level_of, number, whole
from aetherion.risk.measure import Options, exposures_of
from aetherion.risk.methods import Parametric
from aetherion.risk.results import Record, Result, bars, percent


@dataclass(frozen=True, slots=True)
class Trade:
    """A change of one exposure, money per unit return; `fills`: later ones are assessed with it."""

    factor: str | int
    exposure: float
    fills: bool = False


@dataclass(frozen=True, slots=True)
class PlacedTrade:
    """A trade whose factor is its place in the model."""

    factor: int
    exposure: float
    fills: bool = False


@dataclass(frozen=True, slots=True)
class TradeAssessment:
    """VaR before and after a trade; worst case: with every open order filled at its worst.

    `reduces`: the trade lowers VaR or leaves it, and so does every part of it. Variances are of the
    one-day P&L.
    """

    variance_now: float
    variance_after: float
    var_now: float
    var_after: float
    var_worst_case: float
    reduces: bool


@dataclass(frozen=True, slots=True, repr=False)
class TradeResult(Result):
    """One row a trade."""

    confidence_bp: int
    horizon_days: int
    trades: tuple[Trade, ...]
    assessments: tuple[TradeAssessment, ...]

    @property
    def title(self) -> str:
        """What it is, in a line."""
        days = "1 day" if self.horizon_days == 1 else f"{self.horizon_days} days"
        return f"VaR {percent(self.confidence_bp)} after trades, {days}"

    def records(self) -> list[Record]:
        """Return one row a trade."""
        return [
            asdict(trade) | asdict(found)
            for trade, found in zip(self.trades, self.assessments, strict=True)
        ]

    def plot(self) -> Any:
        """Return a plotly figure: VaR before, after, and at worst."""
        names = [f"{trade.factor} {trade.exposure:+,g}" for trade in self.trades]
        shown = ("var_now", "var_after", "var_worst_case")
        series = {name: [getattr(a, name) for a in self.assessments] for name in shown}
        return bars(self.title, names, series, "loss")


def assess_trades(
    portfolio: Any,
    trades: Sequence[Trade] | Mapping[str, float],
    returns: Any = None,
    *,
    covariance: Any = None,
    nu: float | None = None,
    confidence: Confidence = "99%",
    horizon_days: int = 1,
    open_orders: Sequence[Trade] | Mapping[str, float] = (),
) -> TradeResult:
    """Return parametric VaR before and after each of some trades; the mean return is zero.

    Formula: v' = v + 2 d g_i + d^2 cov_ii, v = x' cov x, g = cov x; VaR = k sqrt(h v). The worst
    case adds k sqrt(h) |d_j| sigma_j for each open order j, which is never too little.

    Args:
        portfolio: exposures, shape (K,), money per unit return, short negative.
        trades: in order, each a change of the exposure to a factor, by its name or its place; one
            that `fills` is held by those after it.
        returns, covariance, nu: as of `var`, method parametric.
        open_orders: orders that may still fill, or not.

    Raises:
        RiskInputError: as of `var`; a factor that is none.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: Jorion, *Value at Risk*, 2007, chapter 7; Embrechts, McNeil & Straumann 2002.
    """
    options: Options = {}
    if covariance is not None:
        options["covariance"] = covariance
    if nu is not None:
        options["nu"] = nu
    level, days = level_of(confidence), whole(horizon_days, "horizon_days")
    held, names, how = exposures_of(portfolio, returns, "parametric", options)
    assert isinstance(how, Parametric)
    given, orders = _trades(trades, "trades"), _trades(open_orders, "open_orders")
    placed = [_placed(trade, names, "trades") for trade in given]
    open_ = [_placed(trade, names, "open_orders") for trade in orders]
    found = DESK.ask(
        lambda client: client.assess_trades(
            held, how.model, level, placed, horizon_days=days, open_orders=open_
        )
    )
    return TradeResult(level, days, given, found)


def _trades(given: Sequence[Trade] | Mapping[str, float], field: str) -> tuple[Trade, ...]:
    if isinstance(given, Mapping):
        return tuple(Trade(name, exposure) for name, exposure in given.items())
    return items_of(Trade, given, field)


def _placed(trade: Trade, names: Names, field: str) -> PlacedTrade:
    exposure = number(trade.exposure, field)
    if isinstance(trade.factor, str):
        if trade.factor not in names:
            raise RiskInputError(f"{field}: {trade.factor} is not in portfolio")
        return PlacedTrade(names.index(trade.factor), exposure, trade.fills)
    return PlacedTrade(whole(trade.factor, field), exposure, trade.fills)
