"""Inputs that fit no message: they stream, and neither side holds them whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aetherion.client import RiskClient
from aetherion.risk import (
    Book,
    BookPosition,
    EuropeanOption,
    OptionType,
    Parametric,
    ReturnModel,
    SpotShock,
)
from processes import free_port, risk_service

POSITIONS = 10_000
ROWS = 4_000  # 320 MB of returns
PART = 50


def peak_megabytes(pid: int) -> float:
    """Return the most memory that a process has ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def test_ten_thousand_positions_stream(tmp_path: Path) -> None:
    exposures = np.random.default_rng(1).normal(0, 1e4, POSITIONS)
    pnl: list[NDArray[np.float64]] = []

    def parts() -> Iterator[NDArray[np.float64]]:
        rng = np.random.default_rng(2)
        for _ in range(ROWS // PART):
            returns = rng.normal(0, 0.01, (PART, POSITIONS))
            pnl.append(returns @ exposures)
            yield returns

    with risk_service(tmp_path, free_port()) as service:
        async with RiskClient(service.address) as client:
            told: list[int] = []
            answer = await client.simulate_scenarios(
                exposures, parts(), [9900], n_scenarios=ROWS, return_pnl=True, progress=told.append
            )
        assert service.process is not None
        assert peak_megabytes(service.process.pid) < 100
    gains, answered = np.concatenate(pnl), answer.pnl
    assert answered is not None
    assert np.abs(answered - gains).max() < 1e-9 * np.abs(gains).max()
    losses = np.sort(-answered)
    assert answer.figures[0].var == losses[ROWS * 99 // 100 - 1]
    assert abs(answer.figures[0].es / losses[ROWS * 99 // 100 :].mean() - 1) < 1e-9
    assert told == sorted(told)
    assert told[-1] == ROWS


async def test_a_book_of_ten_thousand_options_is_revalued(client: RiskClient) -> None:
    names = tuple(f"S{i}" for i in range(100))
    kinds = (OptionType.CALL, OptionType.PUT)
    positions = tuple(
        BookPosition(
            names[i % 100],
            1.0 - i % 3,
            EuropeanOption(kinds[i % 2], 100.0, 80.0 + i % 40, 0.5, 0.3, rate=0.02),
        )
        for i in range(POSITIONS)
    )
    shocks = np.zeros((200, 100))
    shocks[1:] = np.random.default_rng(3).normal(0, 0.02, (199, 100))
    answer = await client.simulate_scenarios(
        Book(positions, names), shocks, [9500], spot_shock=SpotShock.LOG, return_pnl=True
    )
    assert answer.pnl is not None
    assert len(answer.pnl) == 200
    assert abs(answer.pnl[0]) < 1e-6, "no shock, no gain"
    assert answer.figures[0].es >= answer.figures[0].var > 0


async def test_parametric_parts_of_ten_thousand_names(client: RiskClient) -> None:
    """Past returns alone: a covariance of so many names would take 800 MB."""
    rng = np.random.default_rng(4)
    returns, exposures = rng.normal(0, 0.01, (250, POSITIONS)), rng.normal(0, 1e4, POSITIONS)
    answer = await client.calculate_risk(exposures, [9900], Parametric(ReturnModel(returns)))
    sigma = float((returns @ exposures).std(ddof=1))
    assert answer.sigma_1d is not None
    assert abs(answer.sigma_1d / sigma - 1) < 1e-12
    figures = answer.figures[0]
    assert abs(figures.component_var.sum() / figures.var - 1) < 1e-12
    standalone = 2.3263478740408408 * np.abs(exposures) * returns.std(axis=0, ddof=1)
    assert np.abs(figures.standalone_var / standalone - 1).max() < 1e-10
