"""The Risk Service: VaR and ES of a portfolio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aetherion.client.channel import CALL_TIMEOUT_S, Channel
from aetherion.client.money import enum_of
from aetherion.risk import (
    ConfidenceInterval,
    Historical,
    Parametric,
    ReturnModel,
    RiskAnswer,
    RiskFigures,
    RiskMethod,
    RiskWarning,
)
from aetherion.v1 import risk_api_pb2, risk_api_pb2_grpc, risk_figures_pb2, risk_model_pb2


class RiskClient(Channel):
    """RiskService of risk_api.proto. Closed by `async with`."""

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__("Risk Service", target, timeout_s=timeout_s)
        self._risk = risk_api_pb2_grpc.RiskServiceStub(self.aio)

    async def calculate_risk(
        self,
        exposures: NDArray[np.float64],
        confidence_bp: Sequence[int],
        method: RiskMethod,
        *,
        horizon_days: int = 1,
    ) -> RiskAnswer:
        """Return VaR and ES of the portfolio with linear exposures to K factors.

        Args:
            exposures: shape (K,), change of value per unit return, base currency, short negative.
            confidence_bp: levels in basis points, 5001 to 9999; 9900 is 99 %.
            method: how, with its returns.
            horizon_days: other than 1 only for the parametric method.

        Raises:
            InvalidArgumentError: the service names field, value and rule.
        """
        request = risk_api_pb2.CalculateRiskRequest(
            exposures=exposures.tolist(),
            confidence_bp=confidence_bp,
            horizon_days=horizon_days,
        )
        _set_method(request, method)
        answer = await self.answer(self._risk.CalculateRisk(request, timeout=self.timeout_s))
        return RiskAnswer(
            figures=tuple(map(_figures_of, answer.figures)),
            sigma_1d=answer.sigma_1d if answer.HasField("sigma_1d") else None,
            n_scenarios=answer.n_scenarios,
            seed=answer.seed if answer.HasField("seed") else None,
        )


def _set_method(request: risk_api_pb2.CalculateRiskRequest, method: RiskMethod) -> None:
    if isinstance(method, Parametric):
        request.parametric.model.CopyFrom(_model_message(method.model))
    elif isinstance(method, Historical):
        request.historical.returns.CopyFrom(_matrix_message(method.returns))
        request.historical.quantile_rule = method.quantile_rule.value  # type: ignore[assignment]
    else:
        request.monte_carlo.model.CopyFrom(_model_message(method.model))
        request.monte_carlo.n_scenarios = method.n_scenarios
        request.monte_carlo.seed = method.seed


def _model_message(model: ReturnModel) -> risk_model_pb2.ReturnModel:
    if (model.returns is None) == (model.covariance is None):
        raise ValueError("ReturnModel: give returns or covariance, one of them")
    message = risk_model_pb2.ReturnModel()
    if model.mean is not None:
        message.mean.extend(model.mean.tolist())
    if model.returns is not None:
        message.returns.CopyFrom(_matrix_message(model.returns))
    elif model.covariance is not None:
        message.covariance.CopyFrom(_matrix_message(model.covariance))
    if model.nu is None:
        message.normal.SetInParent()
    else:
        message.student_t.nu = model.nu
    return message


def _matrix_message(matrix: NDArray[np.float64]) -> risk_model_pb2.Matrix:
    rows, cols = matrix.shape
    return risk_model_pb2.Matrix(rows=rows, cols=cols, values=matrix.ravel().tolist())


def _figures_of(m: risk_figures_pb2.RiskFigures) -> RiskFigures:
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
