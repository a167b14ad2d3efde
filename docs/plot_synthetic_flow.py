"""Plots the stylised facts of the synthetic order flow, from what trading/cmd/flow-sample prints.

Usage: flow-sample | python docs/plot_synthetic_flow.py docs/img/synthetic-flow.svg
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEP_S = 10
WARM_UP_S = 600  # books fill, and volatility finds its level
LAGS = 30
TICK = 100  # of BTCUSD.SIM, in its scaled prices


def autocorrelation(values: Floats, lags: int) -> Floats:
    """Return the autocorrelation at lags 1 to `lags`; values has shape (n,)."""
    centred = values - values.mean()
    variance = float(centred @ centred)
    return np.array(
        [float(centred[:-k] @ centred[k:]) / variance for k in range(1, lags + 1)]
    )


def sampled_quotes(rows: pl.DataFrame) -> tuple[Floats, Floats]:
    """Return middle and spread, in ticks, every `STEP_S` seconds."""
    quotes = rows.filter(
        (pl.col("kind") == "quote") & (pl.col("bid_px") > 0) & (pl.col("ask_px") > 0)
    )
    times = quotes["time_ns"].to_numpy()
    bid = quotes["bid_px"].to_numpy().astype(float)
    ask = quotes["ask_px"].to_numpy().astype(float)
    at = np.arange(WARM_UP_S, times[-1] // 10**9, STEP_S) * 10**9
    index = np.searchsorted(times, at, side="right") - 1
    return (bid[index] + ask[index]) / 2, (ask[index] - bid[index]) / TICK


def depth_profile(rows: pl.DataFrame) -> tuple[Floats, Floats]:
    """Return ticks from the best price of a side, and the mean quantity there, in units."""
    depth = rows.filter(
        (pl.col("kind") == "depth") & (pl.col("time_ns") > WARM_UP_S * 10**9)
    )
    best = (
        pl.when(pl.col("side") == 1)
        .then(pl.col("px").max())
        .otherwise(pl.col("px").min())
    )
    away = (pl.col("px") - best.over("time_ns", "side")).abs() // TICK
    books = depth.select("time_ns", "side").unique().height
    profile = (
        depth.with_columns(away=away)
        .group_by("away")
        .agg(qty=pl.col("qty").sum() / books / 10_000)
        .filter(pl.col("away") <= 60)
        .sort("away")
    )
    return profile["away"].to_numpy().astype(float), profile["qty"].to_numpy()


def plot_lags(
    axes: Axes, title: str, series: dict[str, Floats], count: int, unit: str
) -> None:
    """Draw autocorrelations with the band in which 95 % of independent values would lie."""
    for name, values in series.items():
        axes.plot(np.arange(1, len(values) + 1), values, marker=".", label=name)
    band = 1.96 / np.sqrt(count)
    axes.axhspan(-band, band, color="0.9", label="independent, 95 %")
    axes.set(title=title, xlabel=unit)
    axes.legend(frameon=False)


def main() -> None:
    """Read standard input and write the plot."""
    mpl.rcParams.update({"svg.hashsalt": "synthetic-flow", "font.size": 8})
    rows = pl.read_csv(sys.stdin.buffer, infer_schema_length=None)
    mids, spreads = sampled_quotes(rows)
    returns = np.diff(np.log(mids))
    standard = np.sort((returns - returns.mean()) / returns.std())
    sides = rows.filter(pl.col("kind") == "trade")["side"].to_numpy()
    signs = np.where(sides == 1, 1.0, -1.0)

    figure, grid = plt.subplots(2, 3, figsize=(11, 6.2), layout="constrained")
    hours = np.arange(len(mids)) * STEP_S / 3600
    grid[0, 0].plot(hours, mids / 100, linewidth=0.7)
    grid[0, 0].set(title="middle, USD", xlabel="hours")
    facts = {
        "returns": autocorrelation(returns, LAGS),
        "magnitudes": autocorrelation(np.abs(returns), LAGS),
    }
    plot_lags(
        grid[0, 1],
        f"autocorrelation, {STEP_S} s",
        facts,
        len(returns),
        f"lag of {STEP_S} s",
    )
    facts = {"signs": autocorrelation(signs, LAGS)}
    plot_lags(
        grid[0, 2], "autocorrelation of trade signs", facts, len(signs), "lag in trades"
    )

    tail = np.abs(standard)
    tail.sort()
    share = 1 - np.arange(len(tail)) / len(tail)
    normal = np.sort(np.abs(np.random.default_rng(1).standard_normal(10**6)))
    grid[1, 0].loglog(tail, share, label="returns")
    grid[1, 0].loglog(
        normal[::1000], 1 - np.arange(0, 10**6, 1000) / 10**6, label="normal"
    )
    grid[1, 0].set(
        title="share of returns beyond",
        xlabel="standard deviations",
        xlim=(0.3, None),
        ylim=(3e-4, 1),
    )
    grid[1, 0].legend(frameon=False)
    grid[1, 1].hist(
        spreads, bins=np.arange(0.5, np.quantile(spreads, 0.995) + 1), density=True
    )
    grid[1, 1].set(title="spread", xlabel="ticks")
    grid[1, 2].bar(*depth_profile(rows), width=1.0)
    grid[1, 2].set(
        title="depth, mean of both sides, BTC", xlabel="ticks from the best price"
    )
    figure.savefig(Path(sys.argv[1]), metadata={"Date": None})

    kurtosis = float((standard**4).mean() - 3)
    print(f"{len(returns)} returns of {STEP_S} s, {len(signs)} trades")
    print(
        f"spread in ticks: median {np.median(spreads):.0f}, 99 % {np.quantile(spreads, 0.99):.0f}"
    )
    print(f"excess kurtosis {kurtosis:.1f}")
    for name, values in (
        ("returns", returns),
        ("magnitudes", np.abs(returns)),
        ("signs", signs),
    ):
        at = autocorrelation(values, LAGS)
        print(
            f"autocorrelation of {name}: lag 1 {at[0]:.2f}, lag 10 {at[9]:.2f}, lag 30 {at[29]:.2f}"
        )


if __name__ == "__main__":
    main()
