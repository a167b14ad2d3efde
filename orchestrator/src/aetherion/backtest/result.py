"""What a run gives: values only, so that a report, a file or a test can be made of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from aetherion.instrument import Instrument

# A strategy's parameter, as shown and as written to result.json.
Parameter = bool | int | float | str | Decimal | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill of one of our orders."""

    sequence: int
    transact_time_ns: int
    exec_id: str
    order_id: int
    cl_ord_id: str
    instrument_id: str
    side: str  # "BUY" or "SELL"
    last_qty: Decimal
    last_px: Decimal
    liquidity: str  # "ADDED", "REMOVED" or ""
    commission: Decimal
    currency: str  # of commission and notional


@dataclass(frozen=True, slots=True)
class Rejection:
    """One order or cancel that was refused."""

    transact_time_ns: int
    cl_ord_id: str
    instrument_id: str
    reason: str  # OrdRejReason or CxlRejReason, for example "RISK_UNAVAILABLE"
    rejected_by: str  # "ENGINE", "RISK" or "VENUE"
    text: str


@dataclass(frozen=True, slots=True)
class DayEnd:
    """The account at the end of one UTC day, at that day's last marks, in the base currency."""

    transact_time_ns: int
    date: str  # ISO date of the day that ended
    cash: Decimal
    equity: Decimal | None  # None: an open position was never marked
    fees: Decimal  # paid since the start
    realized_pnl: Decimal  # since the start, without fees
    positions: dict[str, Decimal]  # net quantity; instruments held only
    marks: dict[str, Decimal]  # last price of every instrument seen so far
    exposures: dict[str, float]  # market value, short negative; instruments held only


@dataclass(frozen=True, slots=True)
class VarSeries:
    """One method at one level over the run; all arrays have shape (T,), one entry a forecast.

    A forecast is made at the close of `dates[t]` for the portfolio held there, from returns up to
    and with that day, and judged by the P&L of that same portfolio over the next day.
    """

    method: str  # "parametric", "historical" or "monte_carlo"
    confidence_bp: int
    dates: tuple[str, ...]
    var: NDArray[np.float64]  # loss positive, base currency
    es: NDArray[np.float64]
    pnl: NDArray[np.float64]  # of the next day; NaN after the last day of data
    exceptions: NDArray[np.bool_]  # loss strictly above var; False where pnl is NaN

    @property
    def judged(self) -> int:
        """Number of forecasts whose next day is known."""
        return int(np.isfinite(self.pnl).sum())

    @property
    def exception_count(self) -> int:
        """Number of days that lost more than forecast."""
        return int(self.exceptions.sum())


@dataclass(frozen=True, slots=True)
class RiskUnavailable:
    """A day whose VaR could not be had."""

    date: str
    reason: str


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Everything that a run depends on besides its data and its strategy."""

    account: str
    initial_cash: Decimal
    base_currency: str
    max_volume_share_bps: int
    order_latency_ns: int
    speed: float
    seed: int  # of Monte Carlo
    n_scenarios: int
    var_window: int  # days of returns behind one forecast
    confidence_bp: tuple[int, ...]
    risk_limits: dict[str, str]  # scope and limit as text, for display
    queue_model: str | None = None  # of recorded levels, where one was chosen


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run. Two runs of the same strategy, data and settings give equal results."""

    name: str
    strategy: str  # class name
    strategy_doc: str  # its docstring
    strategy_sha256: str  # of the source file
    parameters: dict[str, Parameter]
    settings: RunSettings
    data_set: str
    data_sha256: str
    instruments: tuple[Instrument, ...]
    kinds: tuple[str, ...]  # "bar", "quote", "trade"
    rows: int
    first_time_ns: int
    last_time_ns: int
    orders: int  # new orders submitted
    open_orders: int  # still open at the end
    fills: tuple[Fill, ...]
    rejections: tuple[Rejection, ...]
    days: tuple[DayEnd, ...]
    var: tuple[VarSeries, ...]
    var_note: str  # why there is no VaR; empty when there is
    risk_unavailable: tuple[RiskUnavailable, ...]
    state_sha256: str  # of the engine's whole state at the end
    last_sequence: int
    notes: tuple[str, ...]  # what the reader ought to know of this run

    @property
    def rejections_by_reason(self) -> dict[str, int]:
        """Number of rejections for each reason, sorted by reason."""
        counts: dict[str, int] = {}
        for rejection in self.rejections:
            counts[rejection.reason] = counts.get(rejection.reason, 0) + 1
        return dict(sorted(counts.items()))

    @property
    def equity(self) -> NDArray[np.float64]:
        """Equity at the start and at each day end, shape (1 + days,); NaN where it is unknown."""
        ends = [float("nan") if d.equity is None else float(d.equity) for d in self.days]
        return np.array([float(self.settings.initial_cash), *ends])

    @property
    def periods_per_year(self) -> float:
        """Trading days in a year: 365 where weekends are traded, else 252."""
        weekend = any(date.fromisoformat(day.date).weekday() >= 5 for day in self.days)
        return 365.0 if weekend else 252.0
