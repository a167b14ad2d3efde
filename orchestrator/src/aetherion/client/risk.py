"""The Risk Service: every call of RiskService."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import TypeVar

import numpy as np
from grpc import aio

from aetherion.client.channel import CALL_TIMEOUT_S, Channel, Duplex, ProtocolError
from aetherion.client.risk_analysis import (
    backtest_message,
    covariance_message,
    covariance_of,
    implied_message,
    implied_of,
    options_message,
    prices_of,
    stress_message,
    stress_of,
    verdict_of,
    watch_message,
)
from aetherion.client.risk_answers import (
    answer_of,
    figures_of,
    portfolio_risk_of,
    progress_or_answer_of,
)
from aetherion.client.risk_messages import Portfolio, calculation_message
from aetherion.client.risk_scenarios import Scenarios, factors_of, portfolio_parts, scenario_parts
from aetherion.risk.analysis import (
    BacktestVerdict,
    BookStress,
    CovarianceEstimate,
    CovarianceEstimator,
    ExposureStress,
    ImpliedVolatilities,
    OptionColumns,
    OptionPrices,
    RollingForecasts,
    SampleCovariance,
    StressAnswer,
    VarForecasts,
)
from aetherion.risk.book import OptionType
from aetherion.risk.errors import RiskInputError
from aetherion.risk.figures import CalculationProgress, RiskAnswer, RiskFigures, ScenarioAnswer
from aetherion.risk.methods import Floats, QuantileRule, RiskMethod, SpotShock
from aetherion.risk.watch import PortfolioRisk, Watch
from aetherion.v1 import risk_analysis_pb2, risk_api_pb2, risk_api_pb2_grpc

# All rows are reduced when they are sent; what is left is the order of ten million losses.
_SORT_TIMEOUT_S = 120.0

Q = TypeVar("Q")
M = TypeVar("M")
T = TypeVar("T")
_ScenarioStream = Duplex[
    risk_analysis_pb2.SimulateScenariosRequest, risk_analysis_pb2.SimulateScenariosResponse
]


class RiskClient(Channel):
    """RiskService of risk_api.proto. Closed by `async with`.

    Every call raises RiskInputError or InvalidArgumentError for bad input, which name field, value
    and rule, and another ServiceError when the service cannot answer.
    """

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__("Risk Service", target, timeout_s=timeout_s)
        self._risk = risk_api_pb2_grpc.RiskServiceStub(self.aio)

    async def calculate_risk(
        self,
        portfolio: Portfolio,
        confidence_bp: Sequence[int],
        method: RiskMethod,
        *,
        horizon_days: int = 1,
        horizon_years: float = 0.0,
    ) -> RiskAnswer:
        """Return VaR and ES of a portfolio of K factors.

        Args:
            portfolio: linear exposures, shape (K,), change of value per unit return, base currency,
                short negative; or a book by its sensitivities, or one that is revalued in full.
            confidence_bp: levels in basis points, 5001 to 9999; 9900 is 99 %.
            method: how, with its returns.
            horizon_days: other than 1 for the parametric, filtered and simulated methods.
            horizon_years: books: years that pass over the horizon.
        """
        request = calculation_message(portfolio, confidence_bp, method, horizon_days, horizon_years)
        call = self._risk.CalculateRisk(request, timeout=self.timeout_s)
        return answer_of(await self.answer(call))

    def stream_calculation(
        self,
        portfolio: Portfolio,
        confidence_bp: Sequence[int],
        method: RiskMethod,
        *,
        horizon_days: int = 1,
        horizon_years: float = 0.0,
        min_interval_ms: int = 0,
    ) -> AsyncGenerator[CalculationProgress | RiskAnswer, None]:
        """Yield the progress of `calculate_risk` and, last, its answer, however long it takes.

        The job ends when the iterator is closed or its task is cancelled.

        Args:
            min_interval_ms: least time between two reports; 0 is 100.
        """
        request = risk_api_pb2.StreamCalculationRequest(
            calculation=calculation_message(
                portfolio, confidence_bp, method, horizon_days, horizon_years
            ),
            min_interval_ms=min_interval_ms,
        )
        return self._stream(self._risk.StreamCalculation, request, progress_or_answer_of)

    async def simulate_scenarios(
        self,
        portfolio: Portfolio,
        scenarios: Scenarios,
        confidence_bp: Sequence[int],
        *,
        n_scenarios: int | None = None,
        quantile_rule: QuantileRule = QuantileRule.INVERTED_CDF,
        spot_shock: SpotShock | None = None,
        horizon_years: float = 0.0,
        return_pnl: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ScenarioAnswer:
        """Return VaR and ES of the P&L under scenarios given, sent in parts of about 1 MiB.

        Args:
            portfolio: linear exposures, shape (K,), or a Book with its factors.
            scenarios: shape (n, K), one return a factor; an array, memory-mapped or not, or an
                iterator of such arrays. The whole is never copied.
            n_scenarios: how many rows will come; needed of an iterator.
            spot_shock, horizon_years: of a Book.
            return_pnl: answer each scenario's P&L too.
            progress: is told the number of rows sent so far.
        """
        n_factors = factors_of(portfolio)
        if n_scenarios is None:
            if not isinstance(scenarios, np.ndarray):
                raise RiskInputError("n_scenarios: must be given with an iterator, got None")
            n_scenarios = len(scenarios)
        header = risk_analysis_pb2.SimulateScenariosHeader(
            n_factors=n_factors,
            n_scenarios=n_scenarios,
            confidence_bp=confidence_bp,
            quantile_rule=quantile_rule.value,  # type: ignore[arg-type]
            spot_shock=spot_shock.value if spot_shock else 0,  # type: ignore[arg-type]
            years=horizon_years,
            return_pnl=return_pnl,
        )
        stream = Duplex(self, self._risk.SimulateScenarios())
        try:
            await stream.send(risk_analysis_pb2.SimulateScenariosRequest(header=header))
            for part in portfolio_parts(portfolio):
                await stream.send(part)
            sent = 0
            async for rows, part in scenario_parts(scenarios, n_factors):
                await stream.send(part)
                sent += rows
                if progress is not None:
                    progress(sent)
            await stream.done_sending()
            return await _sample_of(stream)
        finally:
            stream.cancel()

    def stream_risk(self, watch: Watch) -> AsyncGenerator[PortfolioRisk, None]:
        """Yield the risk of a live portfolio as it changes, until the iterator is closed."""
        return self._stream(self._risk.StreamRisk, watch_message(watch), portfolio_risk_of)

    async def stress_test(self, asked: BookStress | ExposureStress) -> StressAnswer:
        """Return the P&L of scenarios."""
        call = self._risk.StressTest(stress_message(asked), timeout=self.timeout_s)
        return stress_of(await self.answer(call))

    async def price_options(self, options: OptionColumns) -> OptionPrices:
        """Return prices and Greeks of options."""
        call = self._risk.PriceOptions(options_message(options), timeout=self.timeout_s)
        return prices_of(await self.answer(call))

    async def implied_volatility(
        self,
        option_types: Sequence[OptionType],
        prices: Floats,
        forwards: Floats,
        strikes: Floats,
        years: Floats,
    ) -> ImpliedVolatilities:
        """Return the Black volatilities of undiscounted prices; all columns have one length."""
        request = implied_message(option_types, prices, forwards, strikes, years)
        call = self._risk.ImpliedVolatility(request, timeout=self.timeout_s)
        return implied_of(await self.answer(call))

    async def backtest_var(
        self, pnl: Floats, confidence_bp: int, source: VarForecasts | RollingForecasts
    ) -> BacktestVerdict:
        """Return how good forecasts of VaR and ES were; `pnl` gain-positive, oldest first."""
        request = backtest_message(pnl, confidence_bp, source)
        return verdict_of(
            await self.answer(self._risk.BacktestVar(request, timeout=self.timeout_s))
        )

    async def estimate_covariance(
        self,
        returns: Floats,
        estimator: CovarianceEstimator | None = None,
        *,
        repair: bool = False,
    ) -> CovarianceEstimate:
        """Return the covariance of returns, shape (n, K); the sample's without an estimator."""
        request = covariance_message(returns, estimator or SampleCovariance(), repair)
        call = self._risk.EstimateCovariance(request, timeout=self.timeout_s)
        return covariance_of(await self.answer(call))

    async def _stream(
        self,
        method: Callable[[Q], aio.UnaryStreamCall[Q, M]],
        request: Q,
        convert: Callable[[M], T],
    ) -> AsyncGenerator[T, None]:
        call = method(request)
        try:
            async for response in call:
                yield convert(response)
        except aio.AioRpcError as error:
            raise self.error(error) from None
        finally:
            call.cancel()


async def _sample_of(stream: _ScenarioStream) -> ScenarioAnswer:
    """Read what remains of a simulation: word of its progress, the figures, then the P&L."""
    figures: tuple[RiskFigures, ...] = ()
    n_scenarios, pnl = 0, []
    while (part := await stream.receive(_SORT_TIMEOUT_S)) is not None:
        n_scenarios = max(n_scenarios, part.n_scenarios)
        figures = figures or tuple(map(figures_of, part.figures))
        if part.pnl:
            pnl.append(np.frombuffer(part.pnl, "<f8"))
    if not figures:
        raise ProtocolError("SimulateScenarios: figures must come before the end, got none")
    return ScenarioAnswer(figures, n_scenarios, np.concatenate(pnl) if pnl else None)
