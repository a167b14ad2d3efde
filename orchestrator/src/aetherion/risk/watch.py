"""The risk of a live portfolio, as asked and as it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aetherion.risk.analysis import StressResult
from aetherion.risk.book import Greeks, OptionType, StressScenario
from aetherion.risk.figures import RiskFigures
from aetherion.risk.methods import ReturnModel


@dataclass(frozen=True, slots=True)
class OptionTerms:
    """Make an instrument an option on a factor, priced by Black-Scholes-Merton at its mark."""

    instrument_id: str
    underlying: str
    option_type: OptionType
    strike: float
    expire_time_ns: int
    volatility: float
    rate: float = 0.0
    dividend_yield: float = 0.0


@dataclass(frozen=True, slots=True)
class Watch:
    """Which portfolio is watched and how.

    `session_id`: "live", or a simulation's. `account`: empty is all of them. `factors`: the
    instruments of the model, in its order. `min_interval_ms`: 0 is 100. `base_currency`: of the
    figures; empty is that of the instruments, which must then be one. `currency_rates`: what one
    unit of another is worth in it; without, the session's. Rates are no factors.
    """

    factors: tuple[str, ...]
    model: ReturnModel
    confidence_bp: tuple[int, ...] = (9900,)
    session_id: str = "live"
    account: str = ""
    min_interval_ms: int = 0
    options: tuple[OptionTerms, ...] = ()
    scenarios: tuple[StressScenario, ...] = ()
    base_currency: str = ""
    currency_rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PositionRisk:
    """One instrument's part; `component_var` at the first level, the parts add up."""

    instrument_id: str
    qty: float
    price: float
    notional: float
    exposure: float
    component_var: float
    greeks: Greeks


@dataclass(frozen=True, slots=True)
class PortfolioRisk:
    """The risk of a portfolio after one event; instruments `left_out` are not in the figures."""

    sequence: int
    transact_time_ns: int
    figures: tuple[RiskFigures, ...]
    positions: tuple[PositionRisk, ...]
    gross_notional: float
    net_notional: float
    greeks: Greeks
    stress: tuple[StressResult, ...]
    left_out: tuple[str, ...]
    sigma_1d: float
