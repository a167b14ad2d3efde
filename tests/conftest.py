"""Real services for the tests that cross them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from aetherion.client import RiskClient
from processes import Service, free_port, risk_service

SHARED = Path(__file__).parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference vectors and real market data beside the repository."""
    if not SHARED.is_dir():
        pytest.skip(f"{SHARED.name}/ is not beside the repository")
    return SHARED


@pytest.fixture(scope="session")
def risk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A Risk Service that all tests of the session share."""
    with risk_service(tmp_path_factory.mktemp("risk"), free_port()) as service:
        yield service


@pytest.fixture
async def client(risk: Service) -> AsyncIterator[RiskClient]:
    """A client of the session's Risk Service."""
    async with RiskClient(risk.address, timeout_s=60.0) as connected:
        yield connected
