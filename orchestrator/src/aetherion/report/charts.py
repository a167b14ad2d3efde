"""The charts of a report, as the JSON that plotly.js draws.

Colours are names (`ink`, `series0`, ...), which page.js turns into those of the light or the dark
page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aetherion.analytics import drawdowns
from aetherion.backtest.result import RunResult, VarSeries

Chart = dict[str, Any]

# As many colours as can be told apart; what is left is drawn as one.
_MOST_SERIES = 7
_METHODS = {
    "parametric": "Parametric",
    "historical": "Historical",
    "monte_carlo": "Monte Carlo",
}


def method_name(method: str) -> str:
    """Return a VaR method as a reader knows it."""
    return _METHODS.get(method, method)


def equity(result: RunResult) -> Chart:
    """Return the equity curve, and below it the fall from its peak where that is defined."""
    dates, curve = _dates(result), result.equity[1:]
    traces: list[dict[str, Any]] = [
        _line("Equity", dates, curve, "series0", hovertemplate="%{x|%Y-%m-%d}  %{y:,.2f}")
    ]
    currency = result.settings.base_currency
    layout = {"yaxis": {"title": {"text": f"Equity, {currency}"}, "domain": [0.36, 1]}}
    known = result.equity
    if (np.isfinite(known) & (known > 0)).all():
        falls = _line(
            "Drawdown",
            dates,
            drawdowns(known)[1:],
            "loss",
            yaxis="y2",
            fill="tozeroy",
            hovertemplate="%{x|%Y-%m-%d}  %{y:.2%}",
        )
        traces.append(falls)
        layout["yaxis2"] = {
            "title": {"text": "Drawdown"},
            "domain": [0, 0.28],
            "tickformat": ".0%",
            "rangemode": "tozero",
        }
        return _chart(traces, layout | {"xaxis": {"anchor": "y2"}}, height=460, legend=False)
    layout["yaxis"].pop("domain")
    return _chart(traces, layout, height=320, legend=False)


def exposure(result: RunResult) -> Chart:
    """Return the market value held of each instrument, long above zero and short below it."""
    names = [i.instrument_id for i in result.instruments]
    held = np.array([[day.exposures.get(n, 0.0) for n in names] for day in result.days])
    held = held.reshape(len(result.days), len(names))
    order = np.argsort(-np.abs(held).sum(axis=0), kind="stable")
    order = order[[bool(np.any(held[:, i])) for i in order]]
    shown = [(names[i], held[:, i]) for i in order[:_MOST_SERIES]]
    if order.size > _MOST_SERIES:
        rest = order[_MOST_SERIES:]
        shown.append((f"{rest.size} others", held[:, rest].sum(axis=1)))
    traces: list[dict[str, Any]] = []
    for number, (name, values) in enumerate(shown):
        for side, part in (("long", np.maximum(values, 0)), ("short", np.minimum(values, 0))):
            if np.any(part):
                area = _line(name, _dates(result), part, f"series{number}", stackgroup=side)
                area |= {
                    "legendgroup": name,
                    "showlegend": not any(t["name"] == name for t in traces),
                    "hovertemplate": "%{x|%Y-%m-%d}  %{y:,.0f}",
                    "line": {"width": 0.5, "color": f"series{number}"},
                }
                traces.append(area)
    currency = result.settings.base_currency
    return _chart(traces, {"yaxis": {"title": {"text": f"Market value, {currency}"}}}, height=360)


def value_at_risk(result: RunResult, method: str) -> Chart:
    """Return each day's P&L of the portfolio held, the VaR forecast for it, and the exceptions."""
    levels = [series for series in result.var if series.method == method]
    following = _following(result)
    days = [following.get(d, d) for d in levels[0].dates]
    traces: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": "P&L",
            "x": days,
            "y": _numbers(levels[0].pnl),
            "marker": {"color": "muted"},
            "hovertemplate": "%{x|%Y-%m-%d}  %{y:,.2f}",
        }
    ]
    for number, series in enumerate(levels):
        name = f"VaR {series.confidence_bp / 100:g} %"
        hover = "%{x|%Y-%m-%d}  %{y:,.2f}"
        line = _line(name, days, -series.var, f"series{number}", hovertemplate=hover)
        line["line"]["dash"] = ("solid", "dot", "dash")[number % 3]
        traces.append(line)
        traces.append(_exceptions(series, days, number))
    title = f"P&L, {result.settings.base_currency}"
    return _chart(traces, {"yaxis": {"title": {"text": title}}, "bargap": 0}, height=340)


def _exceptions(series: VarSeries, days: Sequence[str], number: int) -> dict[str, Any]:
    at = np.flatnonzero(series.exceptions).tolist()
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"exceptions {series.confidence_bp / 100:g} % ({len(at)})",
        "x": [days[i] for i in at],
        "y": _numbers(series.pnl[at]),
        "marker": {
            "color": f"series{number}",
            "symbol": ("circle", "x", "diamond")[number % 3],
            "size": 6 + 2 * number,
            "line": {"width": 1, "color": "loss"},
        },
        "hovertemplate": "%{x|%Y-%m-%d}  %{y:,.2f}",
    }


def _following(result: RunResult) -> dict[str, str]:
    """Return for each day the next: the one on which a forecast is judged."""
    dates = _dates(result)
    return dict(pairwise(dates))


def _dates(result: RunResult) -> list[str]:
    return [day.date for day in result.days]


def _line(
    name: str, x: Sequence[str], y: NDArray[np.float64], color: str, **more: Any
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines" if len(x) > 1 else "markers",
        "name": name,
        "x": list(x),
        "y": _numbers(y),
        "line": {"width": 1.5, "color": color},
        **more,
    }


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Return numbers for JSON: what is not known is a gap, and six more digits are no news."""
    return [float(f"{v:.10g}") if math.isfinite(v) else None for v in values.tolist()]


def _chart(
    traces: list[dict[str, Any]], layout: dict[str, Any], *, height: int, legend: bool = True
) -> Chart:
    # The legend lies above the plot, so that it never covers a line.
    common: dict[str, Any] = {
        "height": height,
        "margin": {"l": 72, "r": 12, "t": 36 if legend else 12, "b": 28},
        "showlegend": legend,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "hovermode": "x unified",
        "xaxis": {"type": "date"} | layout.pop("xaxis", {}),
    }
    return {"data": traces, "layout": common | layout}
