"""The Risk Service: every call of RiskService."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from decimal import Decimal
from typing import TypeVar

import numpy as np
from grpc import aio
from numpy.typing import NDArray

from aetherion.client.channel import (
    CALL_TIMEOUT_S,
    WRITE_FAILED,
    Channel,
    Duplex,
    ProtocolError,
    ServiceError,
)
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
from aetherion.client.risk_capital import (
    account_message,
    account_of,
    assessments_of,
    calibration_message,
    critical_message,
    critical_of,
    floors_of,
    forecast_message,
    forecast_of,
    function_message,
    horizons_message,
    levels_message,
    parts_message,
    philox_message,
    points_of,
    scan_message,
    scan_of,
    shortfall_of,
    sobol_message,
    trades_message,
    words_of,
)
from aetherion.client.risk_messages import MAX_REQUEST_BYTES, Portfolio, calculation_message
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
from aetherion.risk.basel import BaselShortfall
from aetherion.risk.book import OptionType
from aetherion.risk.critical import CriticalValue
from aetherion.risk.errors import RiskInputError
from aetherion.risk.figures import CalculationProgress, RiskAnswer, RiskFigures, ScenarioAnswer
from aetherion.risk.margin import (
    AccountMargin,
    MarginFloors,
    ScanMargin,
    ScanPosition,
    ScanRanges,
    ShareHolding,
)
from aetherion.risk.methods import (
    Ewma,
    Floats,
    Garch,
    QuantileRule,
    ReturnModel,
    RiskMethod,
    ShortfallRule,
    SpotShock,
)
from aetherion.risk.reference import DistributionFunction
from aetherion.risk.trades import PlacedTrade, TradeAssessment
from aetherion.risk.volatility import VolatilityForecast
from aetherion.risk.watch import PortfolioRisk, Watch
from aetherion.v1 import (
    risk_analysis_pb2,
    risk_api_pb2,
    risk_api_pb2_grpc,
    risk_margin_pb2,
    risk_reference_pb2,
)

# All rows are reduced when they are sent; what is left is the order of ten million losses.
_SORT_TIMEOUT_S = 120.0

Q = TypeVar("Q")
M = TypeVar("M")
T = TypeVar("T")
_ScenarioStream = Duplex[
    risk_analysis_pb2.SimulateScenariosRequest, risk_analysis_pb2.SimulateScenariosResponse
]


_LOST_TRIES = 2  # to hear again why a service ended a stream


class RiskClient(Channel):
    """RiskService of risk_api.proto. Closed by `async with`.

    Every call raises RiskInputError or InvalidArgumentError for bad input, which name field, value
    and rule, and another ServiceError when the service cannot answer.
    """

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__(
            "Risk Service", target, timeout_s=timeout_s, max_message_bytes=MAX_REQUEST_BYTES
        )
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
        shortfall_rule: ShortfallRule = ShortfallRule.TAIL_MEAN,
        spot_shock: SpotShock | None = None,
        horizon_years: float = 0.0,
        return_pnl: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> ScenarioAnswer:
        """Return VaR and ES of the P&L under scenarios given, sent in parts of about 1 MiB.

        Args:
            portfolio: linear exposures, shape (K,), a DeltaGammaBook, or a Book with its factors.
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
            shortfall_rule=shortfall_rule.value,  # type: ignore[arg-type]
            spot_shock=spot_shock.value if spot_shock else 0,  # type: ignore[arg-type]
            years=horizon_years,
            return_pnl=return_pnl,
        )

        async def once() -> ScenarioAnswer:
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

        for _ in range(_LOST_TRIES):
            try:
                return await once()
            except ServiceError as error:
                # gRPC may lose why a stream ended under a write; asked again, the service says so.
                if WRITE_FAILED not in str(error) or not isinstance(scenarios, np.ndarray):
                    raise
        return await once()

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

    async def critical_z2(
        self,
        n_days: int,
        confidence_bp: int,
        test_confidence_bp: Sequence[int],
        *,
        nu: float | None = None,
        n_scenarios: int = 400_000,
        seed: int = 1,
    ) -> tuple[CriticalValue, ...]:
        """Return how low Z2 falls when forecasts are right, one value a level of the test."""
        request = critical_message(n_days, confidence_bp, test_confidence_bp, nu, n_scenarios, seed)
        call = self._risk.SimulateCriticalValues(request, timeout=self.timeout_s)
        return critical_of(await self.answer(call), test_confidence_bp)

    async def estimate_covariance(
        self,
        returns: Floats,
        estimator: CovarianceEstimator | None = None,
        *,
        repair: bool = False,
        factor: bool = False,
    ) -> CovarianceEstimate:
        """Return the covariance of returns, shape (n, K); the sample's without an estimator.

        Args:
            factor: its Cholesky factor too, which one that is not positive definite does not have.
        """
        request = covariance_message(returns, estimator or SampleCovariance(), repair, factor)
        call = self._risk.EstimateCovariance(request, timeout=self.timeout_s)
        return covariance_of(await self.answer(call))

    async def forecast_volatility(
        self, returns: Floats, volatility: Ewma | Garch, *, horizon_days: int = 1
    ) -> VolatilityForecast:
        """Return the variance of a series, shape (n,), and of the days to come."""
        request = forecast_message(returns, volatility, horizon_days)
        call = self._risk.ForecastVolatility(request, timeout=self.timeout_s)
        return forecast_of(await self.answer(call))

    async def assess_trades(
        self,
        exposures: Floats,
        model: ReturnModel,
        confidence_bp: int,
        trades: Sequence[PlacedTrade],
        *,
        horizon_days: int = 1,
        open_orders: Sequence[PlacedTrade] = (),
    ) -> tuple[TradeAssessment, ...]:
        """Return parametric VaR before and after each trade, in order."""
        request = trades_message(exposures, model, confidence_bp, trades, horizon_days, open_orders)
        call = self._risk.AssessTrades(request, timeout=self.timeout_s)
        return assessments_of(await self.answer(call))

    async def basel_shortfall(
        self,
        exposures: Floats,
        confidence_bp: int,
        method: RiskMethod,
        factor_horizons_days: Sequence[int],
        *,
        horizon_days: int = 10,
    ) -> BaselShortfall:
        """Return ES over the liquidity horizons of the factors, 10, 20, 40, 60 or 120 days each.

        Args:
            horizon_days: 10; of past returns as they are 1, and their rows are of ten days.
        """
        request = horizons_message(
            exposures, confidence_bp, method, factor_horizons_days, horizon_days
        )
        return await self._shortfall(request)

    async def combine_horizons(self, es_by_horizon: Floats) -> BaselShortfall:
        """Return ES over the liquidity horizons from its parts, shape (5,)."""
        return await self._shortfall(parts_message(es_by_horizon))

    async def stressed_es(
        self, reduced_stressed: float, full_current: float, reduced_current: float
    ) -> float:
        """Return ES calibrated to a period of stress."""
        request = calibration_message(reduced_stressed, full_current, reduced_current)
        return (await self._shortfall(request)).es

    async def _shortfall(self, request: risk_api_pb2.BaselShortfallRequest) -> BaselShortfall:
        call = self._risk.BaselShortfall(request, timeout=self.timeout_s)
        return shortfall_of(await self.answer(call))

    async def account_margin(
        self, holdings: Sequence[ShareHolding], cash: Decimal, currency: str
    ) -> AccountMargin:
        """Return the margin of an account of shares."""
        return account_of((await self._margin(account_message(holdings, cash, currency))).account)

    async def scan_margin(self, book: Sequence[ScanPosition], ranges: ScanRanges) -> ScanMargin:
        """Return the margin of futures and options by a scan of 16 scenarios."""
        return scan_of((await self._margin(scan_message(book, ranges))).scan)

    async def margin_floors(self, current: float, stressed: float) -> MarginFloors:
        """Return the floors against procyclicality."""
        return floors_of((await self._margin(levels_message(current, stressed))).floors)

    async def _margin(
        self, request: risk_margin_pb2.CalculateMarginRequest
    ) -> risk_margin_pb2.CalculateMarginResponse:
        return await self.answer(self._risk.CalculateMargin(request, timeout=self.timeout_s))

    async def evaluate_function(
        self,
        function: DistributionFunction,
        arguments: Floats,
        parameters: Floats,
        probabilities: Floats,
    ) -> Floats:
        """Return values of a distribution function; parameters that it has not are empty."""
        request = function_message(function, arguments, parameters, probabilities)
        call = self._risk.EvaluateFunction(request, timeout=self.timeout_s)
        return np.array((await self.answer(call)).values, np.float64)

    async def sobol_points(
        self, dimension: int, n_points: int, first_index: int = 0
    ) -> NDArray[np.uint32]:
        """Return points of the Sobol sequence, shape (n_points, dimension), times 2^32."""
        drawn = await self._draw(sobol_message(dimension, n_points, first_index))
        return points_of(drawn, dimension)

    async def philox_words(
        self, key: Sequence[int], counter: Sequence[int], n_blocks: int = 1
    ) -> NDArray[np.uint64]:
        """Return blocks of Philox4x64-10, shape (n_blocks, 4), from a counter on."""
        return words_of(await self._draw(philox_message(key, counter, n_blocks)))

    async def _draw(
        self, request: risk_reference_pb2.DrawNumbersRequest
    ) -> risk_reference_pb2.DrawNumbersResponse:
        return await self.answer(self._risk.DrawNumbers(request, timeout=self.timeout_s))

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
