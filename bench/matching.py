"""Commands a second of the matching engine, beside an array book that does the least a book can do.

Run by `make bench-matching`. The flow (45 % new limit orders, 40 % cancels, 15 % that trade) is the
same on both, and so is its own cost; both run in turn in one process, five times.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from pathlib import Path

from results import row, write

TRADING = Path(__file__).parent.parent / "trading"
RESTING = (10, 1_000, 100_000, 1_000_000)
LINE = re.compile(
    r"^BenchmarkMatching/(?P<book>\w+)/resting=(?P<resting>\d+)\S*\s+\d+\s+"
    r"(?P<ns>[\d.]+) ns/op.*?(?P<allocs>\d+) allocs/op"
)


def main() -> None:
    """Measure and write the results."""
    output = subprocess.run(
        ["go", "test", "-run", "none", "-bench", "Matching", "-count", "5", "./internal/venue/sim"],
        cwd=TRADING,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rates: dict[tuple[str, int], list[float]] = defaultdict(list)
    allocations = 0
    for line in output.splitlines():
        if match := LINE.match(line):
            rates[match["book"], int(match["resting"])].append(1e9 / float(match["ns"]))
            allocations += int(match["allocs"]) if match["book"] == "engine" else 0
    rows = [
        row(
            f"commands, {resting:,} resting orders",
            "commands/s",
            rates["engine", resting],
            "array book",
            rates["floor", resting],
        )
        for resting in RESTING
    ]
    write(
        "matching",
        "Matching engine, one thread",
        "make bench-matching",
        rows,
        "Goal: 3,000,000 commands/s at every depth. "
        f"Allocations per command in steady state: {allocations}.",
    )


if __name__ == "__main__":
    main()
