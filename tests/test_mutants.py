"""The chaos run finds the defects that it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos import chaos
from chaos_client import ChaosError
from mutants import MUTANTS, Mutant

CYCLES = 60
SETTLE_S = 10.0  # shorter than usual: here it is what one waits for
FAULTS = "drop=0.02,duplicate=0.05,lose=0.02"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
async def test_a_defect_is_found(tmp_path: Path, mutant: Mutant) -> None:
    program = mutant.build(tmp_path)
    options = ("--fault-rates", FAULTS)
    with pytest.raises(ChaosError, match=mutant.shows) as found:
        await chaos(tmp_path, CYCLES, 1, *options, program=program, settle_s=SETTLE_S)
    print(f"{mutant.name}: {str(found.value)[:200]}")
