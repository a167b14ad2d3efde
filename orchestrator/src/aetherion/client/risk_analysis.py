"""Stress tests, options, backtests, covariance and live portfolios: messages both ways."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetherion.client.money import enum_of
from aetherion.client.packed import packed, packed_enums
from aetherion.client.risk_answers import stress_result_of
from aetherion.client.risk_messages import (
    ewma_message,
    garch_message,
    matrix_message,
    matrix_of,
    model_message,
    position_message,
)
from aetherion.risk.analysis import (
    BacktestVerdict,
    BaselZone,
    BookStress,
    CovarianceEstimate,
    CovarianceEstimator,
    ExposureStress,
    ImpliedVolatilities,
    LedoitWolf,
    OptionColumns,
    OptionPrices,
    ReverseStressResult,
    RollingForecasts,
    SampleCovariance,
    StressAnswer,
    TestStatistic,
    VarForecasts,
    WindowResult,
)
from aetherion.risk.book import OptionType, Shock, StressScenario
from aetherion.risk.errors import RiskInputError
from aetherion.risk.methods import Ewma, Floats, Garch, QuantileRule
from aetherion.risk.watch import Watch
from aetherion.v1 import risk_analysis_pb2, risk_book_pb2


def stress_message(asked: BookStress | ExposureStress) -> risk_analysis_pb2.StressTestRequest:
    """Return the request of StressTest."""
    message = risk_analysis_pb2.StressTestRequest()
    if isinstance(asked, BookStress):
        message.positions.extend(map(position_message, asked.positions))
        message.scenarios.extend(map(scenario_message, asked.scenarios))
        if asked.proposed is not None:
            message.proposed.CopyFrom(position_message(asked.proposed))
        return message
    message.exposures.extend(asked.exposures.tolist())
    for shock in asked.factor_shocks:
        message.factor_shocks.add(name=shock.name, returns=shock.returns.tolist())
    if (windows := asked.historical_windows) is not None:
        message.historical_windows.days = windows.days
        message.historical_windows.count = windows.count
        message.historical_windows.returns.CopyFrom(matrix_message(windows.returns, "returns"))
    if (reverse := asked.reverse_stress) is not None:
        message.reverse_stress.loss = reverse.loss
        message.reverse_stress.covariance.CopyFrom(matrix_message(reverse.covariance, "covariance"))
    return message


def scenario_message(scenario: StressScenario) -> risk_book_pb2.StressScenario:
    """Return a scenario as a message."""
    return risk_book_pb2.StressScenario(
        name=scenario.name, shocks=map(_shock_message, scenario.shocks)
    )


def _shock_message(shock: Shock) -> risk_book_pb2.Shock:
    return risk_book_pb2.Shock(
        underlying=shock.underlying,
        spot=shock.spot,
        volatility=shock.volatility,
        rate=shock.rate,
        years=shock.years,
    )


def stress_of(m: risk_analysis_pb2.StressTestResponse) -> StressAnswer:
    """Return the answer of StressTest."""
    reverse = None
    if m.HasField("reverse"):
        shock = np.array(m.reverse.shock, np.float64)
        reverse = ReverseStressResult(shock, m.reverse.distance, m.reverse.probability)
    return StressAnswer(
        results=tuple(map(stress_result_of, m.results)),
        windows=tuple(WindowResult(w.first_row, w.pnl) for w in m.windows),
        reverse=reverse,
    )


def options_message(options: OptionColumns) -> risk_analysis_pb2.PriceOptionsRequest:
    """Return the request of PriceOptions."""
    kind = risk_analysis_pb2.PriceOptionsRequest
    columns = (
        packed_enums(kind.OPTION_TYPES_FIELD_NUMBER, options.option_types),
        packed(kind.UNDERLYING_PRICES_FIELD_NUMBER, options.underlying_prices),
        packed(kind.STRIKES_FIELD_NUMBER, options.strikes),
        packed(kind.YEARS_FIELD_NUMBER, options.years),
        packed(kind.RATES_FIELD_NUMBER, options.rates),
        packed(kind.DIVIDEND_YIELDS_FIELD_NUMBER, options.dividend_yields),
        packed(kind.VOLATILITIES_FIELD_NUMBER, options.volatilities),
    )
    message = kind.FromString(b"".join(columns))
    message.pricing_model = options.pricing_model.value  # type: ignore[assignment]
    message.steps = options.steps
    return message


def prices_of(m: risk_analysis_pb2.PriceOptionsResponse) -> OptionPrices:
    """Return the answer of PriceOptions."""
    return OptionPrices(
        prices=np.array(m.prices, np.float64),
        deltas=np.array(m.deltas, np.float64),
        gammas=np.array(m.gammas, np.float64),
        vegas=np.array(m.vegas, np.float64),
        thetas=np.array(m.thetas, np.float64),
        rhos=np.array(m.rhos, np.float64),
        rho_qs=np.array(m.rho_qs, np.float64),
        vannas=np.array(m.vannas, np.float64),
        volgas=np.array(m.volgas, np.float64),
    )


def implied_message(
    option_types: Sequence[OptionType],
    prices: Floats,
    forwards: Floats,
    strikes: Floats,
    years: Floats,
) -> risk_analysis_pb2.ImpliedVolatilityRequest:
    """Return the request of ImpliedVolatility."""
    kind = risk_analysis_pb2.ImpliedVolatilityRequest
    columns = (
        packed_enums(kind.OPTION_TYPES_FIELD_NUMBER, option_types),
        packed(kind.PRICES_FIELD_NUMBER, prices),
        packed(kind.FORWARDS_FIELD_NUMBER, forwards),
        packed(kind.STRIKES_FIELD_NUMBER, strikes),
        packed(kind.YEARS_FIELD_NUMBER, years),
    )
    return kind.FromString(b"".join(columns))


def implied_of(m: risk_analysis_pb2.ImpliedVolatilityResponse) -> ImpliedVolatilities:
    """Return the answer of ImpliedVolatility."""
    volatilities = np.array(m.volatilities, np.float64)
    failures = {failure.row: failure.text for failure in m.failures}
    volatilities[list(failures)] = np.nan
    return ImpliedVolatilities(volatilities, failures)


def backtest_message(
    pnl: Floats, confidence_bp: int, source: VarForecasts | RollingForecasts
) -> risk_analysis_pb2.BacktestVarRequest:
    """Return the request of BacktestVar."""
    message = risk_analysis_pb2.BacktestVarRequest(pnl=pnl.tolist(), confidence_bp=confidence_bp)
    if isinstance(source, VarForecasts):
        message.forecasts.SetInParent()
        message.forecasts.var.extend(source.var.tolist())
        if source.es is not None:
            message.forecasts.es.extend(source.es.tolist())
        return message
    message.rolling.window = source.window
    match source.method:
        case QuantileRule():
            message.rolling.historical = source.method.value  # type: ignore[assignment]
        case Ewma() if source.filtered:
            message.rolling.filtered_ewma.CopyFrom(ewma_message(source.method))
        case Ewma():
            message.rolling.normal.CopyFrom(ewma_message(source.method))
        case Garch() if source.filtered:
            message.rolling.filtered_garch.CopyFrom(garch_message(source.method))
        case Garch():
            raise RiskInputError("rolling: a GARCH volatility must be filtered, got normal")
    return message


def verdict_of(m: risk_analysis_pb2.BacktestVarResponse) -> BacktestVerdict:
    """Return the answer of BacktestVar."""
    made = m.forecasts
    es = np.array(made.es, np.float64) if made.es else None
    return BacktestVerdict(
        n_days=m.n_days,
        n_exceptions=m.n_exceptions,
        exception_rows=tuple(m.exception_rows),
        kupiec=_statistic_of(m.kupiec),
        independence=_statistic_of(m.independence) if m.HasField("independence") else None,
        conditional_coverage=_statistic_of(m.conditional_coverage)
        if m.HasField("conditional_coverage")
        else None,
        zone=enum_of(BaselZone, m.zone),
        cumulative_probability=m.cumulative_probability,
        basel_multiplier=m.basel_multiplier if m.HasField("basel_multiplier") else None,
        acerbi_szekely_z1=m.acerbi_szekely_z1 if m.HasField("acerbi_szekely_z1") else None,
        acerbi_szekely_z2=m.acerbi_szekely_z2 if m.HasField("acerbi_szekely_z2") else None,
        forecasts=VarForecasts(np.array(made.var, np.float64), es)
        if m.HasField("forecasts")
        else None,
    )


def _statistic_of(m: risk_analysis_pb2.TestStatistic) -> TestStatistic:
    return TestStatistic(m.value, m.p_value)


def covariance_message(
    returns: Floats, estimator: CovarianceEstimator, repair: bool, factor: bool
) -> risk_analysis_pb2.EstimateCovarianceRequest:
    """Return the request of EstimateCovariance."""
    message = risk_analysis_pb2.EstimateCovarianceRequest(
        returns=matrix_message(returns, "returns"), repair=repair, factor=factor
    )
    match estimator:
        case SampleCovariance():
            message.sample.SetInParent()
        case Ewma():
            message.ewma.CopyFrom(ewma_message(estimator))
        case LedoitWolf():
            message.ledoit_wolf.SetInParent()
            message.ledoit_wolf.assume_centered = estimator.assume_centered
        case _:
            message.given.SetInParent()
    return message


def covariance_of(m: risk_analysis_pb2.EstimateCovarianceResponse) -> CovarianceEstimate:
    """Return the answer of EstimateCovariance."""
    return CovarianceEstimate(
        covariance=matrix_of(m.covariance),
        correlation=matrix_of(m.correlation) if m.HasField("correlation") else None,
        shrinkage=m.shrinkage if m.HasField("shrinkage") else None,
        smallest_eigenvalue=m.smallest_eigenvalue,
        repaired=m.repaired,
        cholesky=matrix_of(m.cholesky) if m.HasField("cholesky") else None,
        mean=np.array(m.mean, np.float64) if m.mean else None,
    )


def watch_message(watch: Watch) -> risk_analysis_pb2.StreamRiskRequest:
    """Return the request of StreamRisk."""
    message = risk_analysis_pb2.StreamRiskRequest(
        session_id=watch.session_id,
        account=watch.account,
        confidence_bp=watch.confidence_bp,
        min_interval_ms=watch.min_interval_ms,
        factors=watch.factors,
        model=model_message(watch.model),
        scenarios=map(scenario_message, watch.scenarios),
        base_currency=watch.base_currency,
    )
    for currency, rate in watch.currency_rates.items():
        message.currency_rates.add(currency=currency, rate=rate)
    for terms in watch.options:
        message.options.add(
            instrument_id=terms.instrument_id,
            underlying=terms.underlying,
            option_type=terms.option_type.value,
            strike=terms.strike,
            expire_time_ns=terms.expire_time_ns,
            rate=terms.rate,
            dividend_yield=terms.dividend_yield,
            volatility=terms.volatility,
        )
    return message
