"""What a hundred readers that read nothing cost nine hundred that do.

Run by `make bench-streams`. Each reader has a connection of its own to a Trading Service with a
live synthetic market; half take execution reports, half market data. The frozen ones ask for
everything, which is more than their connections hold. All times are from when the service stamped a
report or a row, on one machine with one clock, readers and service on the same cores.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from orders import run

from processes import free_port, risk_service, trading_service
from results import Table, row, write

GOAL_ADDED_US = 1_000.0
GOAL_GROWTH = 1.02
PERCENTILES = ("p50", "p99", "p99.9", "max")
KINDS = {"reports_us": "execution reports", "rows_us": "market data"}
Figures = dict[str, Any]


def measure(folder: Path, clients: int, frozen: int, lasts: str) -> Figures:
    """Measure on services of their own."""
    (folder / "data").mkdir(parents=True)
    with (
        risk_service(folder, free_port()) as risk,
        trading_service(
            folder,
            free_port(),
            risk.address,
            AETHERION_TRADING_DATA_DIR=str(folder / "data"),
            AETHERION_TRADING_SYNTHETIC="true",
            AETHERION_TRADING_INITIAL_CASH="1000000000 USD",
            AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        ) as trading,
    ):
        assert trading.process is not None
        # Reports that a frozen reader asks for.
        run("load", address=trading.address, batch=16, lasts="300ms", instrument="BTCUSD.SIM")
        return run(
            "streams",
            address=trading.address,
            pid=trading.process.pid,
            clients=clients,
            frozen=frozen,
            lasts=lasts,
        )


def median_line(rounds: list[Figures], when: str, kind: str) -> list[float]:
    """Return the percentiles of the round whose p99 is in the middle."""
    middle = sorted(rounds, key=lambda one: float(one[when][kind]["p99"]))[len(rounds) // 2]
    return [float(middle[when][kind][name]) for name in PERCENTILES]


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of five seconds")
    quick = parser.parse_args().quick
    count, lasts = (1, "5s") if quick else (3, "10s")
    clients, frozen = 900, 100
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        rounds = [measure(Path(name) / str(n), clients, frozen, lasts) for n in range(count)]
    rows = [
        row(
            f"p99 that {frozen} frozen readers add, {title}",
            "us",
            [
                float(one["after"][kind]["p99"]) - float(one["before"][kind]["p99"])
                for one in rounds
            ],
            "goal",
            [GOAL_ADDED_US] * count,
        )
        for kind, title in KINDS.items()
    ]
    growth = [float(one["after"]["end_mb"]) / float(one["after"]["begin_mb"]) for one in rounds]
    rows.append(
        row("memory while they are frozen, end / begin", "x", growth, "goal", [GOAL_GROWTH] * count)
    )
    lines: list[list[str | float]] = [
        [f"{title}, {when} they came", *median_line(rounds, when, kind)]
        for kind, title in KINDS.items()
        for when in ("before", "after")
    ]
    memory = max(float(one["after"]["end_mb"]) for one in rounds)
    write(
        "streams",
        "A thousand readers, a hundred of them frozen",
        "make bench-streams",
        rows,
        f"{count} rounds of {lasts} before and after, medians; load average before: {load:.1f}. "
        f"{clients} clients read, {frozen} "
        "more come later, ask for everything and read nothing. One report or row goes to "
        f"{clients // 2} readers at once. Memory of the service at most: {memory:,.0f} MB.",
        [Table("Latency of those that read", ["us from stamp to reader", *PERCENTILES], lines)],
    )


if __name__ == "__main__":
    main()
