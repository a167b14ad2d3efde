"""The simulation finds the defects that it is there for, each with a seed and a script."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from mutants import MUTANTS, TRADING, Mutant

STEPS = 400  # of a script that is not shrunk

# What must be said of each.
FOUND = {
    "acknowledges-before-the-journal": "state differs|is lost|gap in the reports|sent again as",
    "counts-a-fill-twice": "position",
    "releases-holds-at-once": "beyond a limit",
    "sends-an-order-in-doubt-anew": "sent twice|works at the exchange",
    "forgets-a-drawdown-latch": "a latch is forgotten",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_defect_is_found(tmp_path: Path, mutant: Mutant) -> None:
    program = tmp_path / "sim"
    build = ["go", "test", "-c", "-overlay", str(mutant.overlay(tmp_path)), "-o", str(program)]
    subprocess.run([*build, "./internal/simtest"], cwd=TRADING, check=True)
    command = [str(program), "-test.run", "TestSeeds$", "-seeds", "50", "-shrink", "20s"]
    run = subprocess.run(command, cwd=TRADING / "internal/simtest", capture_output=True, text=True)
    assert run.returncode == 1, f"50 seeds do not find it:\n{run.stdout}"
    assert re.search(f"seed [0-9]+: .*({FOUND[mutant.name]})", run.stdout), run.stdout
    shortest = re.search("shortest script, of ([0-9]+) steps", run.stdout)
    assert shortest is not None, run.stdout
    assert int(shortest[1]) < STEPS // 4, run.stdout
    print(run.stdout)
