"""What is asked of CalculateRisk, as messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from aetherion.client.packed import packed
from aetherion.risk.book import Book, BookPosition, DeltaGammaBook, EuropeanOption
from aetherion.risk.errors import RiskInputError
from aetherion.risk.methods import (
    AgeWeighted,
    CornishFisher,
    Ewma,
    Filtered,
    Floats,
    Fourier,
    Garch,
    Historical,
    MonteCarlo,
    Parametric,
    ReturnModel,
    RiskMethod,
)
from aetherion.v1 import risk_api_pb2, risk_book_pb2, risk_model_pb2

Portfolio = Floats | DeltaGammaBook | Book

# Of a message to the Risk Service. A matrix leaves room for what goes with it, a few vectors.
MAX_REQUEST_BYTES = 256 * 1024 * 1024
_MAX_MATRIX_BYTES = MAX_REQUEST_BYTES - 8 * 1024 * 1024


def calculation_message(
    portfolio: Portfolio,
    confidence_bp: Sequence[int],
    method: RiskMethod,
    horizon_days: int,
    horizon_years: float,
) -> risk_api_pb2.CalculateRiskRequest:
    """Return the request for VaR and ES of a portfolio."""
    request = risk_api_pb2.CalculateRiskRequest(
        confidence_bp=confidence_bp, horizon_days=horizon_days, horizon_years=horizon_years
    )
    if isinstance(portfolio, DeltaGammaBook):
        request.delta_gamma_book.CopyFrom(delta_gamma_message(portfolio))
    elif isinstance(portfolio, Book):
        request.book.CopyFrom(book_message(portfolio))
    else:
        request.exposures.extend(portfolio.tolist())
    _set_method(request, method)
    return request


def _set_method(request: risk_api_pb2.CalculateRiskRequest, method: RiskMethod) -> None:
    match method:
        case Parametric():
            request.parametric.model.CopyFrom(model_message(method.model))
        case CornishFisher():
            request.cornish_fisher.model.CopyFrom(model_message(method.model))
        case Fourier():
            request.fourier.model.CopyFrom(model_message(method.model))
        case Historical():
            request.historical.returns.CopyFrom(matrix_message(method.returns, "returns"))
            request.historical.quantile_rule = method.quantile_rule.value  # type: ignore[assignment]
        case AgeWeighted():
            request.age_weighted.returns.CopyFrom(matrix_message(method.returns, "returns"))
            setattr(request.age_weighted, "lambda", method.decay)
        case Filtered():
            _set_filtered(request.filtered, method)
        case MonteCarlo():
            request.monte_carlo.CopyFrom(_monte_carlo_message(method))


def _set_filtered(message: risk_model_pb2.FilteredMethod, method: Filtered) -> None:
    message.returns.CopyFrom(matrix_message(method.returns, "returns"))
    if isinstance(method.volatility, Ewma):
        message.ewma.CopyFrom(ewma_message(method.volatility))
    else:
        message.garch.CopyFrom(garch_message(method.volatility))
    message.by_factor = method.by_factor
    message.path_rows.extend(method.path_rows)
    message.n_paths = method.n_paths
    message.seed = method.seed


def _monte_carlo_message(method: MonteCarlo) -> risk_model_pb2.MonteCarloMethod:
    message = risk_model_pb2.MonteCarloMethod(
        model=model_message(method.model),
        n_scenarios=method.n_scenarios,
        seed=method.seed,
        sampler=method.sampler.value,  # type: ignore[arg-type]
        replications=method.replications,
        single_precision_normals=method.single_precision_normals,
        spot_shock=method.spot_shock.value if method.spot_shock else 0,  # type: ignore[arg-type]
        simulate_factors=method.simulate_factors,
    )
    if method.horizon_method is not None:
        message.horizon_method = method.horizon_method.value  # type: ignore[assignment]
    if method.strata is not None:
        message.importance_sampling.strata = method.strata
    return message


def model_message(model: ReturnModel) -> risk_model_pb2.ReturnModel:
    """Return the assumed returns as a message."""
    if (model.returns is None) == (model.covariance is None):
        raise RiskInputError("ReturnModel: give returns or covariance, one of them")
    message = risk_model_pb2.ReturnModel()
    if model.mean is not None:
        message.mean.extend(model.mean.tolist())
    if model.returns is not None:
        message.returns.CopyFrom(matrix_message(model.returns, "returns"))
    elif model.covariance is not None:
        message.covariance.CopyFrom(matrix_message(model.covariance, "covariance"))
    if model.nu is None:
        message.normal.SetInParent()
    else:
        message.student_t.nu = model.nu
    return message


def ewma_message(volatility: Ewma) -> risk_model_pb2.EwmaVolatility:
    """Return an exponentially weighted variance; `lambda` is no name that Python lets us write."""
    return risk_model_pb2.EwmaVolatility(**{"lambda": volatility.decay})


def garch_message(volatility: Garch) -> risk_model_pb2.GarchVolatility:
    """Return a GARCH(1,1) variance."""
    return risk_model_pb2.GarchVolatility(
        omega=volatility.omega, alpha=volatility.alpha, beta=volatility.beta
    )


def delta_gamma_message(book: DeltaGammaBook) -> risk_book_pb2.DeltaGammaBook:
    """Return a book by its sensitivities."""
    gamma = matrix_message(book.gamma, "gamma")
    return risk_book_pb2.DeltaGammaBook(theta=book.theta, delta=book.delta.tolist(), gamma=gamma)


def book_message(book: Book) -> risk_book_pb2.Book:
    """Return a book that is revalued in full."""
    positions = map(position_message, book.positions)
    return risk_book_pb2.Book(positions=positions, factors=book.factors)


def position_message(position: BookPosition) -> risk_book_pb2.BookPosition:
    """Return one position of a book."""
    message = risk_book_pb2.BookPosition(underlying=position.underlying, qty=position.qty)
    holding = position.holding
    if isinstance(holding, EuropeanOption):
        message.option.option_type = holding.option_type.value  # type: ignore[assignment]
        message.option.spot = holding.spot
        message.option.strike = holding.strike
        message.option.years = holding.years
        message.option.rate = holding.rate
        message.option.dividend_yield = holding.dividend_yield
        message.option.volatility = holding.volatility
    else:
        message.spot = holding
    return message


def matrix_message(matrix: Floats, name: str) -> risk_model_pb2.Matrix:
    """Return a matrix as a message.

    Raises:
        RiskInputError: `matrix` does not have two dimensions, or does not fit a message.
    """
    if matrix.ndim != 2:
        raise RiskInputError(f"{name}: must have two dimensions, got {matrix.ndim}")
    if (size := 8 * matrix.size) > _MAX_MATRIX_BYTES:
        raise RiskInputError(
            f"{name}: must be at most {_MAX_MATRIX_BYTES:,} bytes to fit a message, "
            f"got {size:,} of shape {matrix.shape}; risk.simulate streams scenarios of any size"
        )
    kind = risk_model_pb2.Matrix
    message = kind.FromString(packed(kind.VALUES_FIELD_NUMBER, matrix))
    message.rows, message.cols = matrix.shape
    return message


def matrix_of(message: risk_model_pb2.Matrix) -> Floats:
    """Return a message as an array of its shape."""
    return np.array(message.values, np.float64).reshape(message.rows, message.cols)
