"""A large input in parts: never more than one part of it is copied."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

import numpy as np

from aetherion.client.risk_messages import Portfolio, delta_gamma_message, position_message
from aetherion.risk.book import Book, DeltaGammaBook
from aetherion.risk.errors import RiskInputError
from aetherion.risk.methods import Floats
from aetherion.v1 import risk_analysis_pb2

# Large enough that the cost of a message does not show, small beside what gRPC lets through.
_PART_BYTES = 1024 * 1024
_POSITIONS = 10_000

Scenarios = Floats | Iterable[Floats] | AsyncIterator[Floats]


def factors_of(portfolio: Portfolio) -> int:
    """Return the number of factors, K."""
    if isinstance(portfolio, DeltaGammaBook):
        return len(portfolio.delta)
    return len(portfolio.factors) if isinstance(portfolio, Book) else len(portfolio)


def portfolio_parts(portfolio: Portfolio) -> Iterator[risk_analysis_pb2.SimulateScenariosRequest]:
    """Yield the portfolio in as many messages as it needs."""
    request = risk_analysis_pb2.SimulateScenariosRequest
    if isinstance(portfolio, DeltaGammaBook):
        yield request(delta_gamma_book=delta_gamma_message(portfolio))
        return
    if isinstance(portfolio, Book):
        for first in range(0, len(portfolio.positions), _POSITIONS):
            message = request()
            message.positions.factors.extend(portfolio.factors if first == 0 else ())
            part = portfolio.positions[first : first + _POSITIONS]
            message.positions.positions.extend(map(position_message, part))
            yield message
        return
    exposures = np.ascontiguousarray(portfolio, "<f8")
    for first in range(0, len(exposures), _PART_BYTES // 8):
        yield request(exposures=exposures[first : first + _PART_BYTES // 8].tobytes())


async def scenario_parts(
    scenarios: Scenarios, n_factors: int
) -> AsyncIterator[tuple[int, risk_analysis_pb2.SimulateScenariosRequest]]:
    """Yield the rows in messages, each with the number of rows in it.

    Raises:
        RiskInputError: rows of another length.
    """
    rows = max(1, _PART_BYTES // 8 // max(1, n_factors))
    async for chunk in _chunks(scenarios):
        if chunk.ndim != 2 or chunk.shape[1] != n_factors:
            raise RiskInputError(f"scenarios: must have shape (n, {n_factors}), got {chunk.shape}")
        for first in range(0, len(chunk), rows):
            part = np.ascontiguousarray(chunk[first : first + rows], "<f8")
            yield (
                len(part),
                risk_analysis_pb2.SimulateScenariosRequest(rows=part.tobytes()),
            )


async def _chunks(scenarios: Scenarios) -> AsyncIterator[Floats]:
    if isinstance(scenarios, np.ndarray):
        yield scenarios
    elif isinstance(scenarios, AsyncIterator):
        async for chunk in scenarios:
            yield chunk
    else:
        for chunk in scenarios:
            yield chunk
