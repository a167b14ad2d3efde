"""How long a start takes on a journal of a million events, with and without a snapshot.

Run by `make bench-replay`: from an open directory to an engine that is ready, every byte checked.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from results import row, write

TRADING = Path(__file__).parent.parent / "trading"
REPETITIONS = 3
GOALS_S = {"false": ("without a snapshot", 2.0), "true": ("with a snapshot", 1.0)}
GC_PERCENT = "300"  # as the Trading Service sets it
LINE = re.compile(
    r"^BenchmarkRecoverMillion/snapshot=(?P<snapshot>\w+)\S*\s+\d+\s+(?P<ns>\d+) ns/op"
)


def main() -> None:
    """Measure and write the results."""
    command = (
        f"go test -run none -bench RecoverMillion -benchtime 1x -count {REPETITIONS} "
        "./internal/recovery"
    )
    output = subprocess.run(
        command.split(),
        cwd=TRADING,
        env=os.environ | {"GOGC": GC_PERCENT},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    seconds: dict[str, list[float]] = {snapshot: [] for snapshot in GOALS_S}
    for line in output.splitlines():
        if match := LINE.match(line):
            seconds[match["snapshot"]].append(float(match["ns"]) / 1e9)
    rows = [
        row(f"a million events, {how}", "s", seconds[snapshot], "goal", [goal] * REPETITIONS)
        for snapshot, (how, goal) in GOALS_S.items()
    ]
    write(
        "replay",
        "Start on a journal",
        "make bench-replay",
        rows,
        "333,333 orders, each acknowledged and filled by its venue; from an open directory to an "
        "engine that is ready.",
    )


if __name__ == "__main__":
    main()
