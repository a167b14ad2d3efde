"""Margin, Basel's ES, trades, volatility, functions, numbers, critical values: both ways."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from aetherion.client.money import decimal_message, money_message, money_of
from aetherion.client.packed import packed
from aetherion.client.risk_messages import (
    calculation_message,
    ewma_message,
    garch_message,
    model_message,
)
from aetherion.risk.basel import BaselShortfall
from aetherion.risk.critical import CriticalValue
from aetherion.risk.margin import (
    AccountMargin,
    MarginFloors,
    ScanMargin,
    ScanPosition,
    ScanRanges,
    ShareHolding,
)
from aetherion.risk.methods import Ewma, Floats, Garch, ReturnModel, RiskMethod
from aetherion.risk.reference import DistributionFunction
from aetherion.risk.trades import PlacedTrade, TradeAssessment
from aetherion.risk.volatility import VolatilityForecast
from aetherion.v1 import (
    risk_api_pb2,
    risk_margin_pb2,
    risk_reference_pb2,
    risk_trade_pb2,
    risk_volatility_pb2,
)


def account_message(
    holdings: Sequence[ShareHolding], cash: Decimal, currency: str
) -> risk_margin_pb2.CalculateMarginRequest:
    """Return the request for the margin of an account."""
    request = risk_margin_pb2.CalculateMarginRequest()
    request.account.cash.CopyFrom(money_message(currency, cash, "cash"))
    for held in holdings:
        request.account.holdings.add(
            qty=decimal_message(held.qty, "qty"), price=decimal_message(held.price, "price")
        )
    return request


def account_of(m: risk_margin_pb2.AccountMargin) -> AccountMargin:
    """Return the margin of an account."""
    return AccountMargin(
        long_value=money_of(m.long_value),
        short_value=money_of(m.short_value),
        equity=money_of(m.equity),
        initial=money_of(m.initial),
        maintenance=money_of(m.maintenance),
        excess_initial=money_of(m.excess_initial),
        excess_maintenance=money_of(m.excess_maintenance),
        margin_call=money_of(m.margin_call),
    )


def scan_message(
    book: Sequence[ScanPosition], ranges: ScanRanges
) -> risk_margin_pb2.CalculateMarginRequest:
    """Return the request for a scan."""
    request = risk_margin_pb2.CalculateMarginRequest()
    scan = request.scan
    scan.price_scan_range = ranges.price_scan_range
    scan.volatility_scan_range = ranges.volatility_scan_range
    scan.extreme_multiple = ranges.extreme_multiple
    scan.extreme_cover = ranges.extreme_cover
    scan.short_option_minimum = ranges.short_option_minimum
    for position in book:
        message = scan.positions.add(qty=position.qty, multiplier=position.multiplier)
        if (option := position.option) is not None:
            message.option.option_type = option.option_type.value  # type: ignore[assignment]
            message.option.forward = option.forward
            message.option.strike = option.strike
            message.option.years = option.years
            message.option.rate = option.rate
            message.option.volatility = option.volatility
    return request


def scan_of(m: risk_margin_pb2.ScanMargin) -> ScanMargin:
    """Return the result of a scan."""
    return ScanMargin(
        risk_array=np.array(m.risk_array, np.float64),
        scan_risk=m.scan_risk,
        worst_scenario=m.worst_scenario,
        short_option_minimum=m.short_option_minimum,
        net_option_value=m.net_option_value,
        requirement=m.requirement,
    )


def levels_message(current: float, stressed: float) -> risk_margin_pb2.CalculateMarginRequest:
    """Return the request for the floors against procyclicality."""
    levels = risk_margin_pb2.MarginLevels(current=current, stressed=stressed)
    return risk_margin_pb2.CalculateMarginRequest(levels=levels)


def floors_of(m: risk_margin_pb2.MarginFloors) -> MarginFloors:
    """Return the floors."""
    return MarginFloors(m.stress_weighted, m.buffered)


def horizons_message(
    exposures: Floats,
    confidence_bp: int,
    method: RiskMethod,
    factor_horizons_days: Sequence[int],
    horizon_days: int,
) -> risk_api_pb2.BaselShortfallRequest:
    """Return the request for ES over liquidity horizons."""
    request = risk_api_pb2.BaselShortfallRequest()
    calculation = calculation_message(exposures, [confidence_bp], method, horizon_days, 0.0)
    request.liquidity_horizons.calculation.CopyFrom(calculation)
    request.liquidity_horizons.factor_horizons_days.extend(factor_horizons_days)
    return request


def parts_message(es_by_horizon: Floats) -> risk_api_pb2.BaselShortfallRequest:
    """Return the request for ES over liquidity horizons from its parts."""
    parts = risk_api_pb2.LiquidityHorizons(es_by_horizon=es_by_horizon.tolist())
    return risk_api_pb2.BaselShortfallRequest(liquidity_horizons=parts)


def calibration_message(
    reduced_stressed: float, full_current: float, reduced_current: float
) -> risk_api_pb2.BaselShortfallRequest:
    """Return the request for ES calibrated to stress."""
    calibration = risk_api_pb2.StressCalibration(
        es_reduced_stressed=reduced_stressed,
        es_full_current=full_current,
        es_reduced_current=reduced_current,
    )
    return risk_api_pb2.BaselShortfallRequest(stress_calibration=calibration)


def shortfall_of(m: risk_api_pb2.BaselShortfallResponse) -> BaselShortfall:
    """Return ES over liquidity horizons."""
    return BaselShortfall(m.es, np.array(m.es_by_horizon, np.float64))


def trades_message(
    exposures: Floats,
    model: ReturnModel,
    confidence_bp: int,
    trades: Sequence[PlacedTrade],
    horizon_days: int,
    open_orders: Sequence[PlacedTrade],
) -> risk_trade_pb2.AssessTradesRequest:
    """Return the request of AssessTrades."""
    request = risk_trade_pb2.AssessTradesRequest(
        exposures=exposures.tolist(),
        model=model_message(model),
        confidence_bp=confidence_bp,
        horizon_days=horizon_days,
        open_orders=map(_trade_message, open_orders),
    )
    for trade in trades:
        request.trades.add(trade=_trade_message(trade), fills=trade.fills)
    return request


def _trade_message(trade: PlacedTrade) -> risk_trade_pb2.Trade:
    return risk_trade_pb2.Trade(factor=trade.factor, exposure=trade.exposure)


def assessments_of(m: risk_trade_pb2.AssessTradesResponse) -> tuple[TradeAssessment, ...]:
    """Return the answer of AssessTrades."""
    return tuple(
        TradeAssessment(
            variance_now=found.variance_now,
            variance_after=found.variance_after,
            var_now=found.var_now,
            var_after=found.var_after,
            var_worst_case=found.var_worst_case,
            reduces=found.reduces,
        )
        for found in m.trades
    )


def forecast_message(
    returns: Floats, volatility: Ewma | Garch, horizon_days: int
) -> risk_volatility_pb2.ForecastVolatilityRequest:
    """Return the request of ForecastVolatility."""
    kind = risk_volatility_pb2.ForecastVolatilityRequest
    request = kind.FromString(packed(kind.RETURNS_FIELD_NUMBER, returns))
    request.horizon_days = horizon_days
    if isinstance(volatility, Ewma):
        request.ewma.CopyFrom(ewma_message(volatility))
    else:
        request.garch.CopyFrom(garch_message(volatility))
    return request


def forecast_of(m: risk_volatility_pb2.ForecastVolatilityResponse) -> VolatilityForecast:
    """Return the answer of ForecastVolatility."""
    garch = m.fitted
    return VolatilityForecast(
        variances=np.array(m.variances, np.float64),
        forecasts=np.array(m.forecasts, np.float64),
        long_run_variance=m.long_run_variance if m.HasField("long_run_variance") else None,
        log_likelihood=m.log_likelihood if m.HasField("log_likelihood") else None,
        fitted=Garch(garch.omega, garch.alpha, garch.beta) if m.HasField("fitted") else None,
    )


def function_message(
    function: DistributionFunction, arguments: Floats, parameters: Floats, probabilities: Floats
) -> risk_reference_pb2.EvaluateFunctionRequest:
    """Return the request of EvaluateFunction."""
    return risk_reference_pb2.EvaluateFunctionRequest(
        function=function.value,  # type: ignore[arg-type]
        arguments=arguments.tolist(),
        parameters=parameters.tolist(),
        probabilities=probabilities.tolist(),
    )


def sobol_message(
    dimension: int, n_points: int, first_index: int
) -> risk_reference_pb2.DrawNumbersRequest:
    """Return the request for Sobol points."""
    sobol = risk_reference_pb2.SobolPoints(
        dimension=dimension, first_index=first_index, n_points=n_points
    )
    return risk_reference_pb2.DrawNumbersRequest(sobol=sobol)


def points_of(m: risk_reference_pb2.DrawNumbersResponse, dimension: int) -> NDArray[np.uint32]:
    """Return Sobol points, one a row."""
    return np.array(m.points, np.uint32).reshape(-1, dimension)


def philox_message(
    key: Sequence[int], counter: Sequence[int], n_blocks: int
) -> risk_reference_pb2.DrawNumbersRequest:
    """Return the request for Philox blocks."""
    philox = risk_reference_pb2.PhiloxBlocks(key=key, counter=counter, n_blocks=n_blocks)
    return risk_reference_pb2.DrawNumbersRequest(philox=philox)


def words_of(m: risk_reference_pb2.DrawNumbersResponse) -> NDArray[np.uint64]:
    """Return Philox words, one block a row."""
    return np.array(m.words, np.uint64).reshape(-1, 4)


def critical_message(
    n_days: int,
    confidence_bp: int,
    test_confidence_bp: Sequence[int],
    nu: float | None,
    n_scenarios: int,
    seed: int,
) -> risk_reference_pb2.SimulateCriticalValuesRequest:
    """Return the request for critical values."""
    message = risk_reference_pb2.SimulateCriticalValuesRequest(
        n_days=n_days,
        confidence_bp=confidence_bp,
        test_confidence_bp=test_confidence_bp,
        n_scenarios=n_scenarios,
        seed=seed,
    )
    if nu is None:
        message.normal.SetInParent()
    else:
        message.student_t.nu = nu
    return message


def critical_of(
    m: risk_reference_pb2.SimulateCriticalValuesResponse, test_confidence_bp: Sequence[int]
) -> tuple[CriticalValue, ...]:
    """Return critical values with the levels that they were asked for."""
    values = zip(test_confidence_bp, m.critical_values, strict=True)
    return tuple(CriticalValue(level, it.value, it.standard_error) for level, it in values)
