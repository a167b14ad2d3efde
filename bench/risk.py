"""Risk numerics beside numpy, scipy and QuantLib, and beside what the machine can do at all.

Run by `make bench-risk` (ARGS=--quick: fewer repetitions). Our kernels run in one process that is
told what to time; each peer or floor is timed in turn with it, on as many threads.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import repeat
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
import QuantLib as ql  # noqa: N813
from matplotlib import pyplot as plt
from numpy.typing import NDArray
from scipy.special import ndtr

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
# 100 blocks of 1,024 scenarios, and of the triangular factor the half that is not zero.
FACTOR_PRODUCT_FLOP = 100 * 1024 * 256 * 257

Floats = NDArray[np.float64]


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


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def covariance(k: int) -> Floats:
    """Return the covariance that the kernels use: 1 % a day, correlations that halve."""
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    found: Floats = 1e-4 * 0.5 ** np.minimum(distance, 40)
    return found


def numpy_delta_gamma(n: int, k: int, nu: float | None = None) -> None:
    """Simulate P&L = delta r + r' gamma r / 2 as whole arrays; VaR and ES of the 1 % tail."""
    rng = np.random.default_rng(1)
    factor = np.linalg.cholesky(covariance(k))
    gamma = np.full((k, k), 0.1)
    np.fill_diagonal(gamma, -20.0)
    delta = np.ones(k)
    returns = rng.standard_normal((n, k)) @ factor.T
    if nu is not None:
        returns *= np.sqrt((nu - 2) / rng.chisquare(nu, n))[:, None]
    loss = -(returns @ delta + 0.5 * np.einsum("ij,ij->i", returns @ gamma, returns))
    tail = np.partition(loss, n - n // 100)[n - n // 100 :]
    _ = tail.min(), tail.mean()


def numpy_eigenbasis(n: int, k: int, threads: int) -> None:
    """Simulate the same book in its eigenbasis, in blocks that stay in the cache: our algebra."""
    loss = np.empty(n)
    with ThreadPoolExecutor(threads) as pool:
        # numpy lets go of the interpreter while it draws and multiplies.
        list(pool.map(_eigenbasis_losses, np.array_split(loss, threads), repeat(k), range(threads)))
    tail = np.partition(loss, n - n // 100)[n - n // 100 :]
    _ = tail.min(), tail.mean()


def _eigenbasis_losses(loss: Floats, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    b, lam = np.ones(k), np.full(k, -0.2)
    block = 4096
    z = np.empty((block, k))
    for start in range(0, len(loss), block):
        part = z[: min(block, len(loss) - start)]
        rng.standard_normal(out=part)
        loss[start : start + len(part)] = -(part @ b + (part * part) @ lam)


def numpy_linear(n: int) -> None:
    """Simulate a linear book of 50 factors factor by factor, as one does without the shortcut."""
    rng = np.random.default_rng(1)
    loss = -(rng.standard_normal((n, 50)) @ (np.linalg.cholesky(covariance(50)).T @ np.ones(50)))
    np.partition(loss, n - n // 100)


def spread(n: int, low: float, high: float) -> Floats:
    """Return numbers evenly spread over a range, those of the kernels."""
    parts: Floats = np.modf(np.arange(1, n + 1) * 0.618033988749894848)[0]
    return low + (high - low) * parts


def numpy_price(
    spot: Floats, strike: Floats, years: Floats, rate: float, vol: Floats, sign: Floats
) -> Floats:
    """Return Black-Scholes prices."""
    root = vol * np.sqrt(years)
    d1 = (np.log(spot / strike) + rate * years) / root + 0.5 * root
    discount = np.exp(-rate * years)
    price: Floats = spot * ndtr(sign * d1) - strike * discount * ndtr(sign * (d1 - root))
    return sign * price


def numpy_revaluation(n: int, options: int) -> None:
    """Revalue options on 20 underlyings in n scenarios, in blocks of 4,096."""
    rng = np.random.default_rng(1)
    factor = np.linalg.cholesky(covariance(20))
    loss = np.zeros(n)
    strikes = 80 + 40 * np.modf(np.arange(options) * 0.618)[0]
    years, vol = np.full(1, 0.5 - 1 / 252), np.full(1, 0.3)
    for start in range(0, n, 4096):
        size = min(4096, n - start)
        spots = 100 * np.exp(rng.standard_normal((size, 20)) @ factor.T)
        for i in range(options):
            sign = np.full(1, 1.0 if i % 2 == 0 else -1.0)
            strike = np.full(1, strikes[i])
            price = numpy_price(spots[:, i % 20], strike, years, 0.02, vol, sign)
            loss[start : start + size] -= (1 - i % 3) * price
    np.partition(loss, n - n // 100)


def numpy_greeks(n: int) -> None:
    """Price n European options with five Greeks, sharing what can be shared."""
    strike, years, vol = spread(n, 60, 140), spread(n, 0.05, 2), spread(n, 0.1, 0.6)
    sign = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    spot, rate, dividend = 100.0, 0.03, 0.01
    root_years = np.sqrt(years)
    root = vol * root_years
    d1 = (np.log(spot / strike) + (rate - dividend) * years) / root + 0.5 * root
    d2 = d1 - root
    discount, growth = np.exp(-rate * years), np.exp(-dividend * years)
    n1, n2 = ndtr(sign * d1), ndtr(sign * d2)
    density = np.exp(-0.5 * d1 * d1) * 0.3989422804014327
    price = sign * (spot * growth * n1 - strike * discount * n2)
    delta = sign * growth * n1
    gamma = growth * density / (spot * root)
    vega = spot * growth * density * root_years
    carry = sign * (dividend * spot * growth * n1 - rate * strike * discount * n2)
    theta = carry - vega * vol / (2 * years)
    rho = sign * strike * years * discount * n2
    _ = price, delta, gamma, vega, theta, rho


def quantlib_tree(kind: str) -> float:
    """Return the seconds of one American put on QuantLib's tree of that kind, 501 steps."""
    today = ql.Date(1, 1, 2025)
    ql.Settings.instance().evaluationDate = today
    days = ql.Actual365Fixed()
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(100.0)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, 0.02, days)),
        ql.YieldTermStructureHandle(ql.FlatForward(today, 0.05, days)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(today, ql.NullCalendar(), 0.25, days)),
    )
    option = ql.VanillaOption(
        ql.PlainVanillaPayoff(ql.Option.Put, 105.0), ql.AmericanExercise(today, today + 365)
    )
    rounds = 20
    start = time.perf_counter()
    for _ in range(rounds):
        option.setPricingEngine(ql.BinomialVanillaEngine(process, kind, 501))
        option.NPV()
    return (time.perf_counter() - start) / rounds


def numpy_component() -> float:
    """Return the seconds of component VaR of 1,000 positions in numpy's factor form, 20 factors."""
    rng = np.random.default_rng(1)
    loadings, idiosyncratic = rng.standard_normal((1000, 20)), np.full(1000, 1e-4)
    x = rng.standard_normal(1000)

    def component() -> Floats:
        g = loadings @ (loadings.T @ x) + idiosyncratic * x
        return x * g * (2.326347874 / np.sqrt(x @ g))

    rounds = 500
    return seconds(lambda: [component() for _ in range(rounds)]) / rounds


def dgemm() -> float:
    """Return numpy's multiply-adds a second in a product of matrices, one thread."""
    a = np.random.default_rng(1).standard_normal((1024, 1024))
    return 2 * 1024**3 / seconds(lambda: a @ a)


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
    for kind in ("lr", "crr"):
        bench.faster(
            "American put, 501 steps",
            "american",
            f"QuantLib {kind.upper()}",
            partial(quantlib_tree, kind),
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
    bench.faster(
        "component VaR of 1,000 positions after one changed",
        "component",
        "numpy, factor form, computed anew",
        numpy_component,
    )


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
        "memory, no floor, and may be passed. One thread where "
        "nothing else is said. Growth with size: docs/img/risk_scaling.svg.",
    )


if __name__ == "__main__":
    main()
