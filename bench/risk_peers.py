"""What the risk numerics are measured beside: numpy, scipy and QuantLib."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import numpy as np
import QuantLib as ql  # noqa: N813
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]


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
