"""Commands a second of the matching engine, beside the least a book can do, in Go and in C.

Run by `make bench-matching`. The flow (45 % new limit orders, 40 % cancels, 15 % that trade) is the
same on all, and so is its own cost. The engine and the array book run in turn in one process, five
times; the C reference, when a compiler is at hand, runs in a process of its own, and has to have as
many orders open after its warm-up as the engine.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

from results import row, write

TRADING = Path(__file__).parent.parent / "trading"
REFERENCE = Path(__file__).parent / "c" / "book.c"
REPETITIONS = 5
COMMANDS = 2_000_000  # of a repetition of the C reference
RESTING = (10, 1_000, 100_000, 1_000_000)
LINE = re.compile(
    r"^BenchmarkMatching/(?P<book>\w+)/resting=(?P<resting>\d+)\S*\s+\d+\s+"
    r"(?P<ns>[\d.]+) ns/op.*?(?P<open>[\d.]+) open\s.*?(?P<allocs>\d+) allocs/op"
)


def in_c(opened: dict[int, int]) -> dict[int, list[float]]:
    """Commands a second of the C reference by resting orders; nothing without a compiler."""
    compiler = shutil.which("gcc")
    if compiler is None:
        return {}
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "book")
        subprocess.run([compiler, "-O2", "-o", program, str(REFERENCE)], check=True)
        for resting in RESTING:
            command = [program, str(resting), str(COMMANDS), str(REPETITIONS)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            count, *times = done.stdout.split()
            if int(count) != opened[resting]:
                raise SystemExit(f"open orders: {count} in C, {opened[resting]} in the engine")
            rates[resting] = [1e9 / float(ns) for ns in times]
    return rates


def slowdown(rates: dict[int, list[float]]) -> float:
    """How much longer a command takes in the deepest book than in the shallowest."""
    return statistics.median(rates[RESTING[0]]) / statistics.median(rates[RESTING[-1]])


def main() -> None:
    """Measure and write the results."""
    output = subprocess.run(
        f"go test -run none -bench Matching -count {REPETITIONS} ./internal/venue/sim".split(),
        cwd=TRADING,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rates: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    opened: dict[int, int] = {}
    allocations = 0
    for line in output.splitlines():
        if match := LINE.match(line):
            rates[match["book"]][int(match["resting"])].append(1e9 / float(match["ns"]))
            if match["book"] == "engine":
                allocations += int(match["allocs"])
                opened[int(match["resting"])] = round(float(match["open"]))
    if c := in_c(opened):
        rates["C reference"] = c
    peers = {"floor": "array book", "C reference": "C reference"}
    rows = [
        row(
            f"commands, {resting:,} resting orders",
            "commands/s",
            rates["engine"][resting],
            peers[peer],
            rates[peer][resting],
        )
        for peer in rates
        if peer != "engine"
        for resting in RESTING
    ]
    grows = ", ".join(f"{name} {slowdown(of):.2f}" for name, of in rates.items())
    write(
        "matching",
        "Matching engine, one thread",
        "make bench-matching",
        rows,
        "Goal: 3,000,000 commands/s at every depth. "
        f"Allocations per command in steady state: {allocations}. "
        f"Times as long a command takes with 1,000,000 resting orders as with 10: {grows}.",
    )


if __name__ == "__main__":
    main()
