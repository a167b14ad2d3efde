"""Processes are killed while orders are in flight: nothing is lost, doubled or beyond a limit."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import KINDS, chaos

FAULTS = "drop=0.02,delay=0.02,duplicate=0.02,reorder=0.02,lose=0.02"


@pytest.mark.parametrize(
    ("seed", "cycles", "options"),
    [(1, 150, ()), (2, 150, ("--fault-rates", FAULTS))],
    ids=["a venue that behaves", "a venue that does not"],
)
async def test_nothing_is_lost_when_services_are_killed(
    tmp_path: Path, seed: int, cycles: int, options: tuple[str, ...]
) -> None:
    tally = await chaos(tmp_path, cycles, seed, *options)
    print(tally)
    assert tally.cycles == cycles
    assert set(tally.kinds) == set(KINDS)
    assert tally.doubted > 0, "no kill landed between the send and the venue's answer"
    assert tally.fills > 0
