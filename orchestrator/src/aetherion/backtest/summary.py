"""The figures of a run that fit on a screen."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np

from aetherion.analytics import (
    annual_return,
    kupiec_test,
    max_drawdown,
    sharpe_ratio,
    simple_returns,
    sortino_ratio,
    total_return,
    volatility,
)
from aetherion.backtest.result import RunResult, VarSeries


def summarize(result: RunResult) -> dict[str, Any]:
    """Return a run's figures as JSON values; None where a figure cannot be had."""
    return {
        "performance": performance(result),
        "orders": result.orders,
        "open_orders": result.open_orders,
        "fills": len(result.fills),
        "rejections": result.rejections_by_reason,
        "var": [_var(series) for series in result.var],
        "var_note": result.var_note,
        "risk_unavailable": [{"date": d.date, "reason": d.reason} for d in result.risk_unavailable],
    }


def performance(result: RunResult) -> dict[str, Any]:
    """Return P&L and its ratios; ratios need equity that is known and positive throughout."""
    last = result.days[-1] if result.days else None
    equity = None if last is None else last.equity
    figures: dict[str, Any] = {
        "final_equity": None if equity is None else _exact(equity),
        "pnl": None if equity is None else _exact(equity - result.settings.initial_cash),
        "fees": None if last is None else _exact(last.fees),
        "days": len(result.days),
        "periods_per_year": result.periods_per_year,
    }
    return figures | _ratios(result)


def _ratios(result: RunResult) -> dict[str, float | None]:
    names = (
        "total_return",
        "annual_return",
        "volatility",
        "sharpe_ratio",
        "sortino_ratio",
        "max_drawdown",
    )
    curve, periods = result.equity, result.periods_per_year
    if not (np.isfinite(curve) & (curve > 0)).all() or curve.size < 2:
        return dict.fromkeys(names)
    returns = simple_returns(curve)
    several = returns.size > 1
    values = (
        total_return(curve),
        annual_return(curve, periods),
        volatility(returns, periods) if several else math.nan,
        sharpe_ratio(returns, periods) if several else math.nan,
        sortino_ratio(returns, periods) if several else math.nan,
        max_drawdown(curve).ratio,
    )
    return dict(zip(names, map(_known, values), strict=True))


def _var(series: VarSeries) -> dict[str, Any]:
    confidence = series.confidence_bp / 10_000
    test = kupiec_test(series.judged, series.exception_count, confidence) if series.judged else None
    return {
        "method": series.method,
        "confidence_bp": series.confidence_bp,
        "forecasts": len(series.dates),
        "judged": series.judged,
        "exceptions": series.exception_count,
        "expected": None if test is None else test.expected,
        "kupiec_p_value": None if test is None else test.p_value,
        "last_date": series.dates[-1],
        "last_var": float(series.var[-1]),
        "last_es": float(series.es[-1]),
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _exact(value: Decimal) -> str:
    return f"{value:f}"
