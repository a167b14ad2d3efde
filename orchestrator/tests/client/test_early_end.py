"""A service that ends a stream while rows are still sent says why, however the race goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from aetherion.client import InvalidArgumentError, RiskClient
from aetherion.config import load_settings
from aetherion.services import ServiceProcess
from aetherion.services.stack import free_addresses, risk_spec

N_ROWS, N_FACTORS, TIMES = 20_000, 100, 20
ROWS = np.full((N_ROWS, N_FACTORS), 0.01)
BAD_ROWS = ROWS.copy()
BAD_ROWS[7, 3] = np.nan


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RiskClient]:
    (address,) = free_addresses(1)
    settings = load_settings()
    spec = risk_spec(settings.bin_dir, address, tmp_path)
    service = await ServiceProcess.start(spec, settings.start_timeout_s)
    try:
        async with RiskClient(address) as connected:
            yield connected
    finally:
        await service.stop()


@pytest.mark.parametrize(
    ("rows", "n_scenarios", "levels", "says"),
    [
        (BAD_ROWS, N_ROWS, [9900], "NaN"),
        (ROWS, 1_000, [9900], "n_scenarios"),
        (ROWS, N_ROWS, [], "confidence"),
    ],
)
async def test_early_end_raises_what_the_service_says(
    client: RiskClient,
    rows: NDArray[np.float64],
    n_scenarios: int,
    levels: list[int],
    says: str,
) -> None:
    for _ in range(TIMES):
        with pytest.raises(InvalidArgumentError, match=says):
            await client.simulate_scenarios(
                np.ones(N_FACTORS), rows, levels, n_scenarios=n_scenarios
            )
