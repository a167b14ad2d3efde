"""Real services for the tests that cross them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
