"""What a run was worth: pure functions of arrays."""

from aetherion.analytics.calendar import MonthlyReturns, monthly_returns
from aetherion.analytics.coverage import Coverage, kupiec_test, var_exceptions
from aetherion.analytics.equity import (
    Drawdown,
    annual_return,
    daily_pnl,
    drawdowns,
    max_drawdown,
    simple_returns,
    total_return,
)
from aetherion.analytics.ratios import (
    hit_rate,
    sharpe_ratio,
    sortino_ratio,
    turnover,
    volatility,
)

__all__ = [
    "Coverage",
    "Drawdown",
    "MonthlyReturns",
    "annual_return",
    "daily_pnl",
    "drawdowns",
    "hit_rate",
    "kupiec_test",
    "max_drawdown",
    "monthly_returns",
    "sharpe_ratio",
    "simple_returns",
    "sortino_ratio",
    "total_return",
    "turnover",
    "var_exceptions",
    "volatility",
]
