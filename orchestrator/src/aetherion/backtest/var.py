"""VaR and ES of the portfolio held at each close, and how its next day compared."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from aetherion.backtest.result import DayEnd, RiskUnavailable, VarSeries
from aetherion.client import RiskClient, ServiceError
from aetherion.instrument import Instrument
from aetherion.risk import Historical, MonteCarlo, Parametric, ReturnModel, RiskAnswer, RiskMethod

# Fewer daily returns than this say next to nothing of a tail.
MIN_RETURNS = 20
# Days asked for and not yet answered: enough to overlap with the simulation, bounded.
_MOST_PENDING = 8


@dataclass(frozen=True, slots=True)
class VarSettings:
    """What is asked of the Risk Service each day."""

    confidence_bp: tuple[int, ...] = (9500, 9900)
    window: int = 250  # daily returns, the last of them that very day's
    n_scenarios: int = 10_000
    seed: int = 1


@dataclass(slots=True)
class _Forecast:
    """One day's figures, and the P&L that judges them once it is known."""

    date: str
    positions: dict[str, Decimal]
    marks: dict[str, Decimal]
    answers: asyncio.Task[dict[str, RiskAnswer] | str]
    pnl: float = math.nan


@dataclass(slots=True)
class VarDesk:
    """Asks the Risk Service at each day end; answers come while the run goes on."""

    client: RiskClient
    instruments: Sequence[Instrument]
    settings: VarSettings
    notice: Callable[[str], None]
    _closes: list[NDArray[np.float64]] = field(default_factory=list)
    _forecasts: list[_Forecast] = field(default_factory=list)
    _available: bool = True

    async def day_end(self, day: DayEnd) -> None:
        """Judge the last forecast by this day and ask for the next."""
        if self._forecasts:
            last = self._forecasts[-1]
            if math.isnan(last.pnl):
                last.pnl = self._pnl(last, day.marks)
        self._closes.append(_row(self.instruments, day.marks))
        held = [k for k, i in enumerate(self.instruments) if day.positions.get(i.instrument_id)]
        returns = daily_returns(self._closes, held, self.settings.window)
        if not held or len(returns) < MIN_RETURNS:
            return
        ids = [self.instruments[k].instrument_id for k in held]
        exposures = np.array([day.exposures[i] for i in ids])
        task = asyncio.create_task(self._ask(day.date, exposures, returns))
        self._forecasts.append(_Forecast(day.date, day.positions, day.marks, task))
        if len(self._forecasts) > _MOST_PENDING:
            await self._forecasts[-1 - _MOST_PENDING].answers

    async def finish(self) -> tuple[tuple[VarSeries, ...], tuple[RiskUnavailable, ...]]:
        """Return all series, and the days whose figures could not be had."""
        unavailable: list[RiskUnavailable] = []
        answered: list[tuple[_Forecast, dict[str, RiskAnswer]]] = []
        for forecast in self._forecasts:
            answer = await forecast.answers
            if isinstance(answer, str):
                unavailable.append(RiskUnavailable(forecast.date, answer))
            else:
                answered.append((forecast, answer))
        series = tuple(
            _series(answered, method, level)
            for method in self._methods(np.zeros((2, 1)))
            for level in range(len(self.settings.confidence_bp))
        )
        return (series if answered else ()), tuple(unavailable)

    def cancel(self) -> None:
        """Drop what is still asked for."""
        for forecast in self._forecasts:
            forecast.answers.cancel()

    async def _ask(
        self, date: str, exposures: NDArray[np.float64], returns: NDArray[np.float64]
    ) -> dict[str, RiskAnswer] | str:
        methods = self._methods(returns)
        asked = [
            self.client.calculate_risk(exposures, self.settings.confidence_bp, method)
            for method in methods.values()
        ]
        try:
            answers = await asyncio.gather(*asked)
        except ServiceError as error:
            self._tell(False, f"{date}: risk unavailable: {error}")
            return str(error)
        self._tell(True, f"{date}: risk is available again")
        return dict(zip(methods, answers, strict=True))

    def _methods(self, returns: NDArray[np.float64]) -> dict[str, RiskMethod]:
        model = ReturnModel(returns=returns)
        return {
            "parametric": Parametric(model),
            "historical": Historical(returns),
            "monte_carlo": MonteCarlo(model, self.settings.n_scenarios, self.settings.seed),
        }

    def _tell(self, available: bool, text: str) -> None:
        if available != self._available:
            self._available = available
            self.notice(text)

    def _pnl(self, forecast: _Forecast, marks: dict[str, Decimal]) -> float:
        """Return the P&L of the forecast's very portfolio at the next day's prices."""
        multipliers = {i.instrument_id: i.multiplier for i in self.instruments}
        return math.fsum(
            float(qty * (marks[i] - forecast.marks[i]) * multipliers[i])
            for i, qty in forecast.positions.items()
        )


def daily_returns(
    closes: Sequence[NDArray[np.float64]], held: Sequence[int], window: int
) -> NDArray[np.float64]:
    """Return the last daily returns of the instruments held, as far back as all have prices.

    Args:
        closes: one array of shape (K,) a day, oldest first; NaN before an instrument's first price.
        held: which of the K.
        window: most returns wanted.

    Returns:
        Shape (n, len(held)), n <= window, oldest first; the last row is that of the last day.
    """
    prices = np.array(closes[-window - 1 :])[:, list(held)]
    known = (np.isfinite(prices) & (prices > 0)).all(axis=1)
    gaps = np.flatnonzero(~known)
    prices = prices[gaps[-1] + 1 :] if len(gaps) else prices
    return prices[1:] / prices[:-1] - 1


def _row(instruments: Sequence[Instrument], marks: dict[str, Decimal]) -> NDArray[np.float64]:
    return np.array([float(marks.get(i.instrument_id, "nan")) for i in instruments])


def _series(
    answered: Sequence[tuple[_Forecast, dict[str, RiskAnswer]]], method: str, level: int
) -> VarSeries:
    figures = [answers[method].figures[level] for _, answers in answered]
    var = np.array([f.var for f in figures])
    pnl = np.array([forecast.pnl for forecast, _ in answered])
    return VarSeries(
        method=method,
        confidence_bp=figures[0].confidence_bp if figures else 0,
        dates=tuple(forecast.date for forecast, _ in answered),
        var=var,
        es=np.array([f.es for f in figures]),
        pnl=pnl,
        exceptions=-pnl > var,
    )
