"""The order path under load: orders a second and the latency of their acknowledgement.

Run by `make bench-orders`. A Go client sends orders over TCP to the real Trading Service, which
asks the real Risk Service over a Unix socket, at each size of message and in each durability. In
the same rounds: a gRPC stream that acknowledges the same messages and does nothing else, the
fdatasync of the same records, and the Risk Service alone. Arrivals are fixed in advance, and each
message is measured from when it was due, so that a stall counts for all that it delays.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from orders_stages import stages_of

from aetherion.client import TradingClient
from aetherion.risk import RiskLimit, RiskLimits
from results import Row, Table, row, write

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from processes import BIN, ROOT, Service, aetherion, free_port, risk_service, trading_service

ACCOUNT = "DEMO"
BATCHES = (1, 16, 256)
DURABILITIES = ("fsync", "os", "memory")
LOADS = {1: (500, 5_000), 16: (5_000, 20_000), 256: (10_000, 40_000)}  # orders a second
GOAL_RATES = {"fsync": 50_000, "os": 150_000}
GOAL_ECHO_SHARE = 0.4
GOAL_ADDED_US = 150.0
GOAL_CHECK_US = 60.0
GOAL_CHECKS = 300_000.0
ECHO = "echo"
PERCENTILES = ("p50", "p99", "p99.9", "max")

Figures = dict[str, Any]


@dataclass(slots=True)
class Measured:
    """What all rounds gave, a list entry a round."""

    rates: dict[tuple[str, int], list[float]] = field(default_factory=lambda: defaultdict(list))
    acks: dict[tuple[str, int, int], list[Figures]] = field(
        default_factory=lambda: defaultdict(list)
    )
    cpu: dict[tuple[str, int], list[Figures]] = field(default_factory=lambda: defaultdict(list))
    disk: dict[int, list[Figures]] = field(default_factory=lambda: defaultdict(list))
    checks: dict[int, list[Figures]] = field(default_factory=lambda: defaultdict(list))
    pipelined: list[Figures] = field(default_factory=list)


def run(command: str, **flags: object) -> Figures:
    """Run a subcommand of bench-orders and return what it measured."""
    arguments = [text for name, value in flags.items() for text in (f"-{name}", str(value))]
    done = subprocess.run(
        [BIN / "bench-orders", command, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"bench-orders {command} {' '.join(arguments)}: {done.stderr}")
    figures: Figures = json.loads(done.stdout)
    return figures


@contextmanager
def echo() -> Iterator[str]:
    """Run the stream that only acknowledges; yield its address."""
    with subprocess.Popen(
        [BIN / "bench-orders", "echo"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@contextmanager
def services(
    folder: Path, data: Path, durability: str, program: str = "aetherion-trading"
) -> Iterator[tuple[Service, Service]]:
    """Run both services on an empty journal, with limits that are checked and not reached."""
    folder.mkdir()
    risk = risk_service(folder, free_port())
    socket = folder / "risk.sock"
    risk.settings["AETHERION_RISK_UNIX_SOCKET"] = str(socket)
    trading = trading_service(
        folder,
        free_port(),
        f"unix:{socket}",
        AETHERION_TRADING_DATA_DIR=str(data),
        AETHERION_TRADING_REPLAY_DATA_SET="demo",
        AETHERION_TRADING_ACCOUNT=ACCOUNT,
        AETHERION_TRADING_INITIAL_CASH="1000000000 USD",
        # A loaded machine is no reason to refuse orders here.
        AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        BENCH_CPU_PROFILE=str(folder / "cpu.pprof"),
    )
    trading.program = program
    if durability != "memory":
        trading.settings["AETHERION_TRADING_JOURNAL_DIR"] = str(folder / "journal")
        trading.settings["AETHERION_TRADING_DURABILITY"] = durability
    with risk, trading:
        asyncio.run(set_limits(trading.address))
        yield trading, risk


async def set_limits(address: str) -> None:
    """Set ample limits of the firm and of the account."""
    ample = Decimal(10**15)
    limits = (
        RiskLimit(max_order_qty=ample, max_order_notional=ample, max_position_qty=ample),
        RiskLimit(
            account=ACCOUNT, max_order_qty=ample, max_order_notional=ample, max_position_qty=ample
        ),
    )
    async with TradingClient(address) as client:
        version = (await client.get_limits()).version
        await client.set_limits(
            RiskLimits(version=version, limits=limits), changed_by="bench", reason="bench-orders"
        )


def cpu_seconds(service: Service) -> float:
    """Return the processor time that a service has used."""
    assert service.process is not None
    stat = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def most(address: str, batch: int, lasts: str) -> Figures:
    """Send as fast as the service takes it."""
    return run("load", address=address, account=ACCOUNT, batch=batch, lasts=lasts)


def at_load(address: str, batch: int, rate: int, lasts: str) -> Figures:
    """Send at a fixed rate; return the latencies."""
    figures = run("load", address=address, account=ACCOUNT, batch=batch, rate=rate, lasts=lasts)
    latency: Figures = figures["latency_us"]
    return latency


def measure_path(
    folder: Path, data: Path, durability: str, batch: int, lasts: str, to: Measured
) -> None:
    """Measure one size of message in one durability."""
    with services(folder, data, durability) as (trading, risk):
        most(trading.address, batch, "500ms")
        for rate in LOADS[batch]:
            to.acks[durability, batch, rate].append(at_load(trading.address, batch, rate, lasts))
        before = cpu_seconds(trading), cpu_seconds(risk), children_seconds()
        figures = most(trading.address, batch, lasts)
        after = cpu_seconds(trading), cpu_seconds(risk), children_seconds()
    orders = figures["orders"]
    to.rates[durability, batch].append(orders / figures["venue_s"])
    to.cpu[durability, batch].append(
        {
            name: (end - begin) / orders * 1e6
            for name, begin, end in zip(("trading", "risk", "client"), before, after, strict=True)
        }
    )


def children_seconds() -> float:
    """Return the processor time of the programs that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure_echo(lasts: str, to: Measured) -> None:
    """Measure the stream that only acknowledges."""
    with echo() as address:
        for batch in BATCHES:
            most(address, batch, "500ms")
            for rate in LOADS[batch]:
                to.acks[ECHO, batch, rate].append(at_load(address, batch, rate, lasts))
            figures = most(address, batch, lasts)
            to.rates[ECHO, batch].append(figures["orders"] / figures["acked_s"])


def measure_risk(folder: Path, lasts: str, to: Measured) -> None:
    """Measure the Risk Service alone."""
    folder.mkdir()
    risk = risk_service(folder, free_port())
    risk.settings["AETHERION_RISK_UNIX_SOCKET"] = str(folder / "risk.sock")
    address = f"unix:{folder / 'risk.sock'}"
    with risk:
        run("risk", address=address, batch=256, window=16, lasts="500ms")
        for batch in BATCHES:
            to.checks[batch].append(run("risk", address=address, batch=batch, lasts=lasts))
        to.pipelined.append(run("risk", address=address, batch=256, window=16, lasts=lasts))


def measure(folder: Path, data: Path, rounds: int, lasts: str) -> Measured:
    """Measure everything in turn, so many times."""
    to = Measured()
    for number in range(rounds):
        measure_echo(lasts, to)
        measure_risk(folder / f"risk-{number}", lasts, to)
        for batch in BATCHES:
            to.disk[batch].append(run("disk", file=folder / "disk", batch=batch))
            for durability in DURABILITIES:
                where = folder / f"{durability}-{batch}-{number}"
                measure_path(where, data, durability, batch, lasts, to)
    return to


def rows_of(m: Measured) -> list[Row]:
    """Return what has a goal or a floor."""
    rows = [
        row(
            f"orders, {durability}, {batch} a message",
            "orders/s",
            m.rates[durability, batch],
            "gRPC echo",
            m.rates[ECHO, batch],
        )
        for durability in DURABILITIES
        for batch in BATCHES
    ]
    largest = BATCHES[-1]
    for durability, goal in GOAL_RATES.items():
        rates = m.rates[durability, largest]
        rows.append(
            beside_goal(f"orders, {durability}, {largest} a message", "orders/s", rates, goal)
        )
    for batch in BATCHES:
        rows += [
            added_row(m, batch, "memory", "durability"),
            added_row(m, batch, ECHO, "all of it"),
        ]
    trips = [one["latency_us"]["p50"] for one in m.checks[1]]
    rows.append(beside_goal("risk check, round trip p50", "us", trips, GOAL_CHECK_US))
    checks = [one["checks"] / one["seconds"] for one in m.pipelined]
    rows.append(beside_goal("risk checks, pipelined", "checks/s", checks, GOAL_CHECKS))
    return rows


def added_row(m: Measured, batch: int, without: str, what: str) -> Row:
    """Return what the median acknowledgement takes longer in fsync than without it."""
    rate = LOADS[batch][0]
    pairs = zip(m.acks["fsync", batch, rate], m.acks[without, batch, rate], strict=True)
    added = [ours["p50"] - floor["p50"] for ours, floor in pairs]
    floors = [one["p50_us"] + GOAL_ADDED_US for one in m.disk[batch]]
    metric = f"p50 that {what} adds to {without}, {batch} a message, {rate:,} orders/s"
    return row(metric, "us", added, "goal: fdatasync p50 + 150 us", floors)


def beside_goal(metric: str, unit: str, values: list[float], goal: float) -> Row:
    """Return a row whose ratio is to a goal."""
    return row(metric, unit, values, "goal", [goal] * len(values))


def latency_table(m: Measured) -> Table:
    """Return the latencies at fixed loads, beside those of the echo."""
    lines: list[list[str | float]] = [
        [
            f"{durability}, {batch} a message, {rate:,} orders/s",
            *(median_of(m.acks[durability, batch, rate], name) for name in PERCENTILES),
            *(median_of(m.acks[ECHO, batch, rate], name) for name in PERCENTILES),
        ]
        for durability in DURABILITIES
        for batch in BATCHES
        for rate in LOADS[batch]
    ]
    columns = ["us to the acknowledgement", *PERCENTILES, *(f"echo {name}" for name in PERCENTILES)]
    return Table("Latency at fixed loads", columns, lines)


def wall_table(m: Measured) -> Table:
    """Return what an acknowledgement waits for, at the lower load in fsync."""
    lines: list[list[str | float]] = []
    for batch in BATCHES:
        rate = LOADS[batch][0]
        whole = median_of(m.acks["fsync", batch, rate], "p50")
        parts = [
            median_of(m.acks[ECHO, batch, rate], "p50"),
            statistics.median(one["latency_us"]["p50"] for one in m.checks[batch]),
            median_of(m.disk[batch], "p50_us"),
        ]
        lines.append(
            [
                f"{batch} a message, {rate:,} orders/s",
                *parts,
                whole - sum(parts),
                whole,
                median_of(m.disk[batch], "p99_us"),
            ]
        )
    columns = [
        "us, p50",
        "gRPC echo",
        "risk round trip",
        "fdatasync",
        "the rest",
        "acknowledgement",
        "fdatasync p99",
    ]
    return Table("What an acknowledgement waits for in fsync", columns, lines)


def cpu_table(m: Measured) -> Table:
    """Return the processor time of an order, in each process."""
    lines: list[list[str | float]] = [
        [
            f"{durability}, {batch} a message",
            *(median_of(m.cpu[durability, batch], name) for name in ("trading", "risk", "client")),
        ]
        for durability in DURABILITIES
        for batch in BATCHES
    ]
    columns = ["processor time, us an order", "Trading Service", "Risk Service", "client"]
    return Table("Processor time at most orders a second", columns, lines)


def median_of(figures: list[Figures], name: str) -> float:
    """Return the median of one figure over the rounds."""
    return statistics.median(float(one[name]) for one in figures)


def stage_table(folder: Path, data: Path, lasts: str) -> Table:
    """Return where the processor time of the Trading Service goes, from samples of a run."""
    with services(folder, data, "os", "bench-trading-profile") as (trading, _):
        orders = sum(most(trading.address, BATCHES[-1], lasts)["orders"] for _ in range(2))
    seconds = stages_of(BIN / "bench-trading-profile", folder / "cpu.pprof")
    whole = sum(seconds.values())
    lines: list[list[str | float]] = [
        [stage, spent / orders * 1e6, f"{spent / whole:.0%}"] for stage, spent in seconds.items()
    ]
    return Table(
        f"Where the Trading Service's processor time goes, os, {BATCHES[-1]} a message",
        ["stage", "us an order", "share"],
        lines,
    )


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round, one second each")
    quick = parser.parse_args().quick
    rounds, lasts = (1, "1s") if quick else (3, "3s")
    load = os.getloadavg()[0]
    runs = ROOT / "runs"  # on the disk that a journal would be on
    runs.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs) as name:
        folder = Path(name)
        prepared = aetherion("data", "prepare-demo", folder=folder)
        if prepared.returncode != 0:
            raise SystemExit(prepared.stderr)
        measured = measure(folder, folder / "data", rounds, lasts)
        stages = stage_table(folder / "stages", folder / "data", lasts)
    write(
        "orders",
        "The order path",
        "make bench-orders",
        rows_of(measured),
        f"{rounds} rounds of {lasts} each, medians; the client runs on the same cores. Load "
        f"average before: {load:.1f}. Most orders a second are counted until the venue has "
        "confirmed the last one, latencies from when a message was due. Each order is a limit "
        "order that rests: two events of the journal. For scale: NautilusTrader takes 200 to "
        f"13,000 orders a second in process. Goal beside the echo: {GOAL_ECHO_SHARE:.0%} in os.",
        [latency_table(measured), wall_table(measured), cpu_table(measured), stages],
    )


if __name__ == "__main__":
    main()
