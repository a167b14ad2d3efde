"""How much a series moves from day to day."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from aetherion.risk.desk import DESK
from aetherion.risk.inputs import vector_of, whole
from aetherion.risk.measure import volatility_of
from aetherion.risk.methods import Ewma, Floats, Garch
from aetherion.risk.results import Record, Result


@dataclass(frozen=True, slots=True, repr=False)
class VolatilityForecast(Result):
    """Variances a day, in squared units of the series: shape (n,) of its days, made the day before.

    `forecasts`, shape (horizon_days,), of the days to come; they add up to that of all of them.
    """

    variances: Floats
    forecasts: Floats
    long_run_variance: float | None
    log_likelihood: float | None
    fitted: Garch | None

    @property
    def title(self) -> str:
        """What it is, in a line."""
        return f"Volatility of the next day {float(self):.6g}"

    def __float__(self) -> float:
        return math.sqrt(self.forecasts[0])

    def records(self) -> list[Record]:
        """Return one row a day to come."""
        return [
            {"day": day, "variance": variance, "volatility": variance**0.5}
            for day, variance in enumerate(self.forecasts.tolist(), 1)
        ]

    def notes(self) -> list[str]:
        """Return what is known of the model."""
        garch = self.fitted
        parts = {
            "log-likelihood": self.log_likelihood,
            "long-run variance": self.long_run_variance,
        } | ({} if garch is None else asdict(garch))
        return [f"{name} {value:.6g}" for name, value in parts.items() if value is not None]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        known = {
            "long_run_variance": self.long_run_variance,
            "log_likelihood": self.log_likelihood,
            "fitted_garch": None if self.fitted is None else asdict(self.fitted),
        }
        return Result.to_dict(self) | {k: v for k, v in known.items() if v is not None}

    def plot(self) -> Any:
        """Return a plotly figure: the volatility of each day."""
        from plotly import graph_objects as go

        past = self.variances**0.5
        return go.Figure(go.Scatter(y=past, mode="lines")).update_layout(
            title=self.title, yaxis_title="volatility"
        )


def volatility(
    returns: Any,
    *,
    method: str | Ewma | Garch = "ewma",
    decay: float | None = None,
    horizon_days: int = 1,
) -> VolatilityForecast:
    """Return the variance of a series, day by day, and of the days to come.

    Formula: EWMA s' = decay s + (1 - decay) r^2; GARCH s' = omega + alpha r^2 + beta s, and of the
    days to come s' = omega + (alpha + beta) s. Zero mean. The first is the weighted mean of the
    first 75 squares, weights 0.94^i.

    Args:
        returns: shape (n,), returns or P&L, oldest first.
        method: "ewma", "garch" (fitted by maximum likelihood), an Ewma, or a Garch.
        decay: of "ewma".

    Raises:
        RiskInputError: more than one column, another method.
        InvalidArgumentError: the service refuses a value; the text names field, value and rule.

    Source: RiskMetrics, *Technical Document*, 1996; Bollerslev 1986.
    """
    series = vector_of(returns, "returns").values
    model, days = volatility_of(method, decay), whole(horizon_days, "horizon_days")
    return DESK.ask(lambda client: client.forecast_volatility(series, model, horizon_days=days))
