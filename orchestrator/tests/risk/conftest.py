from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aetherion import risk
from aetherion.client import RiskClient
from aetherion.risk.desk import DESK


@pytest.fixture(scope="module", autouse=True)
def local_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A Risk Service that the package starts by itself, and that is gone after the module."""
    before = Path.cwd()
    kept = {name: os.environ.pop(name) for name in list(os.environ) if "AETHERION_" in name}
    os.chdir(tmp_path_factory.mktemp("risk"))
    risk.connect()
    yield
    risk.connect()
    os.chdir(before)
    os.environ.update(kept)


@pytest.fixture
def returns() -> NDArray[np.float64]:
    """Two years of three factors' daily returns, always the same."""
    mixed = np.array([[1.0, 0.5, 0.0], [0.0, 0.8, 0.3], [0.0, 0.0, 1.2]])
    draws = np.random.default_rng(7).standard_normal((500, 3))
    return np.asarray(draws @ mixed * 0.01)


@pytest.fixture
async def client() -> AsyncIterator[RiskClient]:
    """An asynchronous client of that same service."""
    risk.price("call", 100, 100, 1, 0.2)
    assert DESK.address is not None
    async with RiskClient(DESK.address) as connected:
        yield connected
