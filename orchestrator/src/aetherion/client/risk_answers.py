"""Figures of risk as they come from the service."""

from __future__ import annotations

import numpy as np

from aetherion.client.money import enum_of
from aetherion.risk.analysis import StressResult
from aetherion.risk.book import Greeks
from aetherion.risk.figures import (
    CalculationProgress,
    ConfidenceInterval,
    RiskAnswer,
    RiskFigures,
    RiskWarning,
)
from aetherion.risk.methods import Garch, HorizonMethod, Sampler
from aetherion.risk.watch import PortfolioRisk, PositionRisk
from aetherion.v1 import risk_analysis_pb2, risk_api_pb2, risk_book_pb2, risk_figures_pb2


def answer_of(m: risk_api_pb2.CalculateRiskResponse) -> RiskAnswer:
    """Return the answer of CalculateRisk."""
    garch = m.fitted_garch
    return RiskAnswer(
        figures=tuple(map(figures_of, m.figures)),
        sigma_1d=m.sigma_1d if m.HasField("sigma_1d") else None,
        n_scenarios=m.n_scenarios,
        seed=m.seed if m.HasField("seed") else None,
        sampler=enum_of(Sampler, m.sampler) if m.sampler else None,
        replications=m.replications,
        horizon_method=enum_of(HorizonMethod, m.horizon_method) if m.horizon_method else None,
        one_dimensional=m.one_dimensional,
        fitted_garch=Garch(garch.omega, garch.alpha, garch.beta)
        if m.HasField("fitted_garch")
        else None,
        next_volatility=m.next_volatility if m.HasField("next_volatility") else None,
        cumulants=tuple(m.cumulants),
    )


def progress_or_answer_of(
    m: risk_api_pb2.StreamCalculationResponse,
) -> CalculationProgress | RiskAnswer:
    """Return word of a job's progress, or its answer."""
    if m.WhichOneof("response") == "calculation":
        return answer_of(m.calculation)
    return CalculationProgress(m.progress.done, m.progress.total)


def figures_of(m: risk_figures_pb2.RiskFigures) -> RiskFigures:
    """Return VaR and ES at one level."""
    return RiskFigures(
        confidence_bp=m.confidence_bp,
        var=m.var,
        es=m.es,
        var_se=m.var_se if m.HasField("var_se") else None,
        es_se=m.es_se if m.HasField("es_se") else None,
        var_ci95=_interval_of(m.var_ci95) if m.HasField("var_ci95") else None,
        es_ci95=_interval_of(m.es_ci95) if m.HasField("es_ci95") else None,
        marginal_var=np.array(m.marginal_var, np.float64),
        component_var=np.array(m.component_var, np.float64),
        standalone_var=np.array(m.standalone_var, np.float64),
        incremental_var=np.array(m.incremental_var, np.float64),
        marginal_es=np.array(m.marginal_es, np.float64),
        component_es=np.array(m.component_es, np.float64),
        warnings=tuple(enum_of(RiskWarning, w) for w in m.warnings),
    )


def _interval_of(m: risk_figures_pb2.ConfidenceInterval) -> ConfidenceInterval:
    return ConfidenceInterval(
        lower=m.lower if m.HasField("lower") else None,
        upper=m.upper if m.HasField("upper") else None,
    )


def stress_result_of(m: risk_analysis_pb2.StressResult) -> StressResult:
    """Return the P&L of one scenario."""
    return StressResult(
        name=m.name,
        pnl=m.pnl,
        pnl_by_position=np.array(m.pnl_by_position, np.float64),
        pnl_with_proposed=m.pnl_with_proposed if m.HasField("pnl_with_proposed") else None,
    )


def portfolio_risk_of(m: risk_analysis_pb2.StreamRiskResponse) -> PortfolioRisk:
    """Return the risk of a live portfolio after one event."""
    return PortfolioRisk(
        sequence=m.sequence,
        transact_time_ns=m.transact_time_ns,
        figures=tuple(map(figures_of, m.figures)),
        positions=tuple(map(_position_of, m.positions)),
        gross_notional=m.gross_notional,
        net_notional=m.net_notional,
        greeks=_greeks_of(m.greeks),
        stress=tuple(map(stress_result_of, m.stress)),
        left_out=tuple(m.left_out),
        sigma_1d=m.sigma_1d,
    )


def _position_of(m: risk_analysis_pb2.PositionRisk) -> PositionRisk:
    return PositionRisk(
        instrument_id=m.instrument_id,
        qty=m.qty,
        price=m.price,
        notional=m.notional,
        exposure=m.exposure,
        component_var=m.component_var,
        greeks=_greeks_of(m.greeks),
    )


def _greeks_of(m: risk_book_pb2.Greeks) -> Greeks:
    return Greeks(m.delta, m.gamma, m.vega, m.theta, m.rho, m.rho_q, m.vanna, m.volga)
