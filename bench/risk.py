"""Risk numerics beside numpy, scipy and QuantLib, and beside what the machine can do at all.

Run by `make bench-risk` (ARGS=--quick: fewer repetitions). Our kernels run in one process that is
told what to time; each peer or floor is timed in turn with it, on as many threads.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from risk_peers import (
    covariance,
    dgemm,
    numpy_component,
    numpy_delta_gamma,
    numpy_eigenbasis,
    numpy_greeks,
    numpy_linear,
    numpy_revaluation,
    quantlib_tree,
    seconds,
    spread,
)

from aetherion.client import RiskClient
from aetherion.risk import (
    DeltaGammaBook,
    MonteCarlo,
    OptionColumns,
    OptionType,
    PricingModel,
    ReturnModel,
)
from aetherion.services.process import ServiceProcess, ServiceSpec
from aetherion.services.stack import free_addresses
from results import Row, row, write

ROOT = Path(__file__).parent.parent
CORE = ROOT / "risk/target/release/examples/bench_risk"
PLOT = ROOT / "docs/img/risk_scaling.svg"
MILLION = 1_000_000
ADDED_US = 100.0  # what a running simulation may add to a pre-trade check
# 100 blocks of 1,024 scenarios, and of the triangular factor the half that is not zero.
FACTOR_PRODUCT_FLOP = 100 * 1024 * 256 * 257


class Core:
    """Our kernels, in a process of their own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [CORE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def measure(self, kernel: str) -> list[float]:
        """Return what a kernel measures, once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(kernel, file=self._process.stdin, flush=True)
        return [float(number) for number in self._process.stdout.readline().split()]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Bench:
    """Collects rows; what is compared is measured in turn, `repetitions` times."""

    def __init__(self, core: Core, repetitions: int) -> None:
        self.core = core
        self.repetitions = repetitions
        self.rows: list[Row] = []

    def faster(self, metric: str, kernel: str, peer: str, run: Callable[[], float]) -> None:
        """Add a row of times; the ratio says how many times faster than the peer."""
        ours, theirs = [], []
        for _ in range(self.repetitions):
            ours.append(self.core.measure(kernel)[0])
            theirs.append(run())
        entry = row(metric, "ms", [1e3 * s for s in ours], peer, [1e3 * s for s in theirs])
        self.rows.append(replace(entry, ratio=1 / entry.ratio))

    def of_floor(
        self, metric: str, kernel: str, floor: str, what: str, kind: str = "floor"
    ) -> None:
        """Add a row whose ratio is the share of the floor, with the spread of that share.

        Both are short and take turns, three times as often: what disturbs one disturbs the other.
        """
        ours, floors = [], []
        for _ in range(3 * self.repetitions):
            floors.append(1e3 * self.core.measure(floor)[0])
            ours.append(1e3 * self.core.measure(kernel)[0])
        shares = [floor / own for floor, own in zip(floors, ours, strict=True)]
        spread = (max(shares) - min(shares)) / median(shares)
        entry = row(metric, "ms", ours, f"{kind}: {what}", floors)
        self.rows.append(replace(entry, ratio=median(shares), spread=spread))

    def number(
        self, metric: str, unit: str, values: list[float], goal: str, goal_value: float
    ) -> None:
        """Add a row of a figure beside its goal."""
        self.rows.append(row(metric, unit, values, goal, [goal_value] * len(values)))


def run_core(bench: Bench) -> None:
    """Measure the kernels."""
    k50 = f"delta_gamma_50 {MILLION}"
    k256 = f"delta_gamma_256_f32_two_threads {MILLION}"
    bench.faster(
        "delta-gamma VaR + ES, 1e6 x 50, f64",
        k50,
        "numpy, whole arrays",
        lambda: seconds(lambda: numpy_delta_gamma(MILLION, 50)),
    )
    bench.of_floor(
        "delta-gamma 1e6 x 50, share of the floor", k50, "floor_normals 50", "its normals alone"
    )
    bench.faster(
        "the same of Student's t",
        f"delta_gamma_50_student_t {MILLION}",
        "numpy, whole arrays",
        lambda: seconds(lambda: numpy_delta_gamma(MILLION, 50, 5.0)),
    )
    bench.of_floor(
        "Student's t 1e6 x 50, share of the floor",
        f"delta_gamma_50_student_t {MILLION}",
        "floor_normals 51",
        "its normals alone",
    )
    bench.faster(
        "delta-gamma 1e6 x 256, f32 normals, two threads",
        k256,
        "numpy, blocks in the eigenbasis, two threads",
        lambda: seconds(lambda: numpy_eigenbasis(MILLION, 256, 2)),
    )
    bench.of_floor(
        "delta-gamma 1e6 x 256, share of the floor of two threads",
        k256,
        "floor_normals_f32 256",
        "its normals alone",
    )
    times = [bench.core.measure("time_to_error") for _ in range(bench.repetitions)]
    entry = row(
        "time to a 0.1 % standard error: importance sampling, Sobol",
        "ms",
        [1e3 * reduced for _, reduced in times],
        "plain, same code",
        [1e3 * plain for plain, _ in times],
    )
    bench.rows.append(replace(entry, ratio=1 / entry.ratio))
    books = ("short 0.5 y, 10", "short 0.1 y, 10", "mixed, 10", "short 0.5 y, 50", "mixed, 50")
    for place, book in enumerate(books):
        ratio = bench.core.measure(f"variance_ratio {place}")
        bench.number(f"variance ratio on VaR, {book}", "x", ratio, "goal", 30.0)
    bench.faster(
        "full revaluation, 1e5 x 200 options",
        f"revaluation {MILLION // 10}",
        "numpy and scipy, blocks",
        lambda: seconds(lambda: numpy_revaluation(MILLION // 10, 200)),
    )
    products, dgemms = [], []
    for _ in range(bench.repetitions):
        products.append(FACTOR_PRODUCT_FLOP / bench.core.measure("factor_product 256")[0] / 1e9)
        dgemms.append(dgemm() / 1e9)
    bench.rows.append(
        row("factor product, 256 factors", "GFLOP/s", products, "numpy dgemm", dgemms)
    )
    bench.faster(
        "linear book, 1e6 scenarios, one-dimensional",
        f"linear {MILLION}",
        "numpy, 50 factors",
        lambda: seconds(lambda: numpy_linear(MILLION)),
    )
    bench.of_floor(
        "linear book, share of the floor",
        f"linear {MILLION}",
        "floor_kept",
        "its normals, kept and read once",
    )
    bench.faster(
        "exact delta-gamma VaR + ES, 50 factors",
        "exact_50",
        "our simulation, 1e6",
        lambda: bench.core.measure(k50)[0],
    )
    checks = [bench.core.measure("pretrade") for _ in range(bench.repetitions)]
    bench.number(
        "pre-trade VaR check, p99 of means of 64", "ns", [c[1] for c in checks], "goal", 50.0
    )
    bench.number(
        "allocations of 1.28 M checks", "", [c[2] + 1 for c in checks], "none, plus 1", 1.0
    )
    bench.faster(
        "1 M European options, price + five Greeks",
        f"options {MILLION}",
        "numpy and scipy",
        lambda: seconds(lambda: numpy_greeks(MILLION)),
    )
    bench.of_floor(
        "1 M European options, share of the floor",
        f"options {MILLION}",
        f"floor_read {15 * 8 * MILLION}",
        "6 columns in and 9 out at the speed of memory",
    )
    for kind in ("lr", "crr"):
        bench.faster(
            "American put, 501 steps",
            "american",
            f"QuantLib {kind.upper()}",
            partial(quantlib_tree, kind),
        )
    bench.of_floor(
        "American put, share of the floor",
        "american",
        "floor_tree 501",
        "3 operations a node at the speed of multiply-adds",
    )
    bench.of_floor(
        "historical VaR 1,000 x 1,000",
        "historical 1000",
        "floor_read 8000000",
        "8 MB read from memory",
        kind="reference",
    )
    pairs = [bench.core.measure("what_if") for _ in range(bench.repetitions)]
    entry = row(
        "VaR after one of 1,000 positions changed",
        "us",
        [1e6 * kept for kept, _ in pairs],
        "computed anew",
        [1e6 * anew for _, anew in pairs],
    )
    bench.rows.append(replace(entry, ratio=1 / entry.ratio))
    bench.of_floor(
        "VaR after one of 1,000 positions changed, share of the floor",
        "what_if",
        "floor_axpy 1000",
        "y += a x of 1,000 values in the cache",
    )
    bench.faster(
        "component VaR of 1,000 positions after one changed",
        "component",
        "numpy, factor form, computed anew",
        numpy_component,
    )
    bench.of_floor(
        "component VaR of 1,000 positions, share of the floor",
        "component",
        "floor_axpy 2000",
        "the same of 2,000: gradient and parts",
    )


def run_round_trips(bench: Bench) -> None:
    """Measure pre-trade checks through the service, idle and beside running simulations."""
    command = ["cargo", "bench", "-q", "--locked", "-p", "risk-service", "--bench", "round_trip"]
    p99: dict[str, list[float]] = {}
    for _ in range(bench.repetitions):
        run = subprocess.run(
            command, cwd=ROOT / "risk", stdout=subprocess.PIPE, text=True, check=True
        )
        for where, us in re.findall(r"^(\S.*?) +batch +1: .* p99 +([0-9.]+) us", run.stdout, re.M):
            p99.setdefault(where, []).append(float(us))
    for name, idle, busy in (
        ("TCP", "tcp loopback", "tcp, pool busy"),
        ("Unix socket", "unix socket", "unix, pool busy"),
    ):
        metric = f"pre-trade check beside a simulation, round trip p99, {name}"
        goal = [us + ADDED_US for us in p99[idle]]
        bench.rows.append(row(metric, "us", p99[busy], "goal: idle + 100 us", goal))


async def run_service(bench: Bench) -> None:
    """Measure the same calculations through the RPC."""
    (address,) = free_addresses(1)
    spec = ServiceSpec(
        "Risk Service",
        ROOT / "bin/aetherion-risk",
        address,
        {"AETHERION_RISK_LISTEN": address, "AETHERION_RISK_THREADS": "1"},
        ROOT / "runs/bench-risk.log",
    )
    service = await ServiceProcess.start(spec, 20.0)
    try:
        async with RiskClient(address, timeout_s=60.0) as client:
            await _through_rpc(bench, client)
    finally:
        await service.stop()


async def _through_rpc(bench: Bench, client: RiskClient) -> None:
    model = ReturnModel(covariance=covariance(50))
    exposures = np.ones(50)
    ours, core = [], []
    for _ in range(bench.repetitions):
        start = time.perf_counter()
        await client.calculate_risk(exposures, [9900], MonteCarlo(model, MILLION, 1))
        ours.append(1e3 * (time.perf_counter() - start))
        core.append(1e3 * bench.core.measure(f"linear {MILLION}")[0])
    bench.rows.append(row("linear book 1e6 through the RPC", "ms", ours, "in the core", core))
    book = DeltaGammaBook(np.ones(50), np.diag(np.full(50, -20.0)))
    ours, core = [], []
    for _ in range(bench.repetitions):
        start = time.perf_counter()
        await client.calculate_risk(book, [9900], MonteCarlo(model, MILLION, 1))
        ours.append(1e3 * (time.perf_counter() - start))
        core.append(1e3 * bench.core.measure(f"delta_gamma_50 {MILLION}")[0])
    bench.rows.append(row("delta-gamma 1e6 x 50 through the RPC", "ms", ours, "in the core", core))
    n = 100_000
    columns = OptionColumns(
        PricingModel.BLACK_SCHOLES_MERTON,
        [OptionType.CALL, OptionType.PUT] * (n // 2),
        np.full(n, 100.0),
        spread(n, 60, 140),
        spread(n, 0.05, 2),
        spread(n, 0.1, 0.6),
        np.array([0.03]),
        np.array([0.01]),
    )
    ours, core = [], []
    for _ in range(bench.repetitions):
        start = time.perf_counter()
        await client.price_options(columns)
        ours.append(1e3 * (time.perf_counter() - start))
        core.append(1e3 * seconds(lambda: numpy_greeks(n)))
    bench.rows.append(row("100 k options, all Greeks, through the RPC", "ms", ours, "numpy", core))


def plot(core: Core) -> None:
    """Draw how the cost grows with scenarios and with positions."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "aetherion"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
    scenarios = [10_000 * 2**i for i in range(8)]
    options = [25 * 2**i for i in range(7)]
    for axis, sizes, kernels, label in (
        (left, scenarios, {"delta-gamma, 50 factors": "delta_gamma_50"}, "scenarios"),
        (right, options, {"full revaluation, 10,000 scenarios": "revaluation_options"}, "options"),
    ):
        for name, kernel in kernels.items():
            times = [min(core.measure(f"{kernel} {n}")[0] for _ in range(3)) for n in sizes]
            axis.loglog(sizes, [1e3 * t for t in times], "o-", label=name)
            line = [1e3 * times[-1] * n / sizes[-1] for n in sizes]
            axis.loglog(sizes, line, "--", color="grey", label="linear")
        axis.set_xlabel(label)
        axis.set_ylabel("milliseconds, one thread")
        axis.legend()
    figure.tight_layout()
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    """Measure and write the results."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true", help="two repetitions")
    quick = arguments.parse_args().quick
    core = Core()
    bench = Bench(core, 2 if quick else 5)
    run_core(bench)
    asyncio.run(run_service(bench))
    run_round_trips(bench)
    flops = [core.measure("floor_flops")[0] / 1e9 for _ in range(bench.repetitions)]
    bench.rows.append(
        row(
            "multiply-adds, one thread",
            "GFLOP/s",
            flops,
            "numpy dgemm",
            [dgemm() / 1e9 for _ in flops],
        )
    )
    plot(core)
    core.close()
    write(
        "risk",
        "Risk numerics",
        "make bench-risk",
        bench.rows,
        "Times: the ratio says how many times faster than the peer, or which share of the floor; "
        "of the RPC rows it is the time over that of the core or of numpy. A floor takes turns "
        "with what it is the floor of, 15 rounds; its ratio and spread are those of the rounds. "
        "Whole arrays of numpy are 400 MB each and suffer most where other programs run: a large "
        "spread says that some did, and its ratio then measures little. What a "
        "linear book takes beyond its floor is the check, the pilot and the selection. "
        "The matrix of historical VaR stays in the cache: its reference is the bandwidth of "
        "memory, no floor, and may be passed. Pre-trade checks are timed idle and beside a "
        "simulation in each run; a ratio of at most 1 meets their goal. One thread where "
        "nothing else is said. Growth with size: docs/img/risk_scaling.svg.",
    )


if __name__ == "__main__":
    main()
