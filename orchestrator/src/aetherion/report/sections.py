"""The sections of a report, each a piece of HTML; charts are named here and drawn by page.js."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

import numpy as np

from aetherion.analytics import kupiec_test, monthly_returns
from aetherion.backtest.result import Fill, RunResult, VarSeries
from aetherion.backtest.summary import performance
from aetherion.report import charts
from aetherion.report.charts import Chart, method_name
from aetherion.report.text import (
    bullets,
    exact,
    facts,
    figure,
    money,
    paragraph,
    percent,
    table,
    utc,
)

# More rows than this nobody reads, and a browser draws them slowly.
MOST_ROWS = 1_000

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FULL_COLOUR = 0.10  # a month's return at which its cell has its full colour


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what stands under it, and the charts that its `<div>`s of those ids hold."""

    title: str
    html: str
    charts: dict[str, Chart]


def sections(result: RunResult) -> list[Section]:
    """Return all sections in the order in which they are read."""
    makers: tuple[Callable[[RunResult], Section], ...] = (
        _equity,
        _exposure,
        _value_at_risk,
        _months,
        _rejections,
        _fills,
        _manifest,
    )
    return [make(result) for make in makers]


def headline(result: RunResult) -> str:
    """Return the figures that a reader wants first."""
    found = performance(result)
    last = result.days[-1] if result.days else None
    final = last.equity if last else None
    pnl = None if final is None else final - result.settings.initial_cash
    cards = (
        ("P&L", money(pnl), "" if pnl is None else "gain" if pnl >= 0 else "loss"),
        ("Total return", percent(found["total_return"]), ""),
        ("Annual return", percent(found["annual_return"]), ""),
        ("Volatility", percent(found["volatility"]), ""),
        ("Sharpe", figure(found["sharpe_ratio"]), ""),
        ("Sortino", figure(found["sortino_ratio"]), ""),
        ("Max drawdown", percent(found["max_drawdown"]), ""),
        ("Final equity", money(final), ""),
        ("Fees", money(last.fees if last else None), ""),
        ("Orders", f"{result.orders:,}", ""),
        ("Fills", f"{len(result.fills):,}", ""),
        ("Rejections", f"{len(result.rejections):,}", "loss" if result.rejections else ""),
    )
    items = "".join(
        f'<div class="card"><dt>{escape(name)}</dt><dd class="{tone}">{escape(value)}</dd></div>\n'
        for name, value, tone in cards
    )
    return f'<dl class="cards">\n{items}</dl>'


def _equity(result: RunResult) -> Section:
    title = "Equity and drawdown"
    if not result.days:
        return Section(title, paragraph("The run ended before its first day did."), {})
    return Section(title, _plot("equity", title), {"equity": charts.equity(result)})


def _exposure(result: RunResult) -> Section:
    title = "Exposure by instrument"
    if not any(value for day in result.days for value in day.exposures.values()):
        return Section(title, paragraph("No position was held at the end of any day."), {})
    return Section(title, _plot("exposure", title), {"exposure": charts.exposure(result)})


def _value_at_risk(result: RunResult) -> Section:
    title = "Value at risk"
    notes = [f"{d.date}: no forecast: {d.reason}" for d in result.risk_unavailable]
    missing = bullets(_capped_lines(notes))
    if not result.var:
        return Section(title, paragraph(result.var_note or "No forecast was made.") + missing, {})
    intro = (
        "A forecast is made at the close of each day for the portfolio held there, from returns up "
        "to that day, and judged by the P&L of that same portfolio on the next day. An exception "
        "is a loss above the forecast. Kupiec's p-value is small where their number is not the one "
        "that the level promises."
    )
    parts = [paragraph(intro), _var_table(result)]
    drawn = {}
    for method in dict.fromkeys(series.method for series in result.var):
        name = method_name(method)
        parts.append(f"<h3>{escape(name)}</h3>\n" + _plot(f"var-{method}", f"{name} VaR"))
        drawn[f"var-{method}"] = charts.value_at_risk(result, method)
    if result.var_note:
        parts.append(paragraph(result.var_note))
    return Section(title, "\n".join([*parts, missing]), drawn)


def _var_table(result: RunResult) -> str:
    columns = (
        "Method",
        "Level",
        "Days",
        "Exceptions",
        "Expected",
        "Kupiec p",
        "Mean VaR",
        "Mean ES",
    )
    return table(columns, [_var_row(series) for series in result.var])


def _var_row(series: VarSeries) -> tuple[str, ...]:
    level = series.confidence_bp / 10_000
    test = kupiec_test(series.judged, series.exception_count, level) if series.judged else None
    return (
        method_name(series.method),
        f"{level:.4g}",
        f"{series.judged:,}",
        f"{series.exception_count:,}",
        figure(test.expected if test else None, 1),
        figure(test.p_value if test else None, 4),
        money(float(np.mean(series.var))),
        money(float(np.mean(series.es))),
    )


def _months(result: RunResult) -> Section:
    title = "Monthly returns"
    curve = result.equity
    if not result.days or not (np.isfinite(curve) & (curve > 0)).all():
        why = "Returns need equity that is known and positive at the end of every day."
        return Section(title, paragraph(why), {})
    found = monthly_returns([day.date for day in result.days], curve)
    rows = []
    for row, year in enumerate(found.years):
        cells = "".join(_month(value) for value in found.months[row].tolist())
        total = percent(found.totals[row], 1)
        rows.append(f'<tr><th scope="row">{year}</th>{cells}<td class="n total">{total}</td></tr>')
    heads = "".join(f'<th scope="col" class="n">{name}</th>' for name in (*_MONTHS, "Year"))
    html = (
        '<div class="scroll whole" tabindex="0"><table class="months">\n'
        f'<thead><tr><th scope="col">Year</th>{heads}</tr></thead>\n<tbody>\n'
        + "\n".join(rows)
        + "\n</tbody></table></div>"
    )
    return Section(title, html, {})


def _month(value: float) -> str:
    if not math.isfinite(value):
        return '<td class="n"></td>'
    tone = "gain" if value >= 0 else "loss"
    share = round(55 * min(1.0, abs(value) / _FULL_COLOUR))
    mix = f"color-mix(in srgb, var(--{tone}) {share}%, transparent)"
    return f'<td class="n" style="background: {mix}">{percent(value, 1)}</td>'


def _rejections(result: RunResult) -> Section:
    title = "Rejections"
    if not result.rejections:
        return Section(title, paragraph("No order was refused."), {})
    counts = ((reason, f"{count:,}") for reason, count in result.rejections_by_reason.items())
    rows = [
        (utc(r.transact_time_ns), r.instrument_id, r.reason, r.rejected_by, r.text, r.cl_ord_id)
        for r in result.rejections[:MOST_ROWS]
    ]
    columns = ("Time", "Instrument", "Reason", "By", "Text", "ClOrdID")
    html = (
        table(("Reason", "Count"), counts)
        + _count(len(result.rejections), "rejections")
        + table(columns, rows, words=len(columns))
    )
    return Section(title, html, {})


def _fills(result: RunResult) -> Section:
    title = "Fills"
    if not result.fills:
        return Section(title, paragraph("No order was filled."), {})
    columns = ("Time", "Instrument", "Side", "Quantity", "Price", "Notional", "Fee", "Liquidity")
    multipliers = {i.instrument_id: i.multiplier for i in result.instruments}

    def row(fill: Fill) -> tuple[str, ...]:
        notional = fill.last_qty * fill.last_px * multipliers.get(fill.instrument_id, 1)
        return (
            utc(fill.transact_time_ns),
            fill.instrument_id,
            fill.side,
            exact(fill.last_qty),
            f"{fill.last_px:,f}",  # in full: a column of one scale
            money(notional),
            exact(fill.commission),
            fill.liquidity.lower(),
        )

    shown = table(columns, [row(f) for f in result.fills[:MOST_ROWS]], words=3)
    return Section(title, _count(len(result.fills), "fills") + shown, {})


def _manifest(result: RunResult) -> Section:
    settings = result.settings
    pairs = [
        ("Strategy", result.strategy),
        *((f"Parameter {name}", str(value)) for name, value in sorted(result.parameters.items())),
        ("Data set", f"{result.data_set}: {result.rows:,} rows of {_plurals(result.kinds)}"),
        ("Instruments", ", ".join(i.instrument_id for i in result.instruments)),
        ("From", utc(result.first_time_ns)),
        ("To", utc(result.last_time_ns)),
        ("Account", settings.account),
        ("Initial cash", f"{exact(settings.initial_cash)} {settings.base_currency}"),
        ("Largest share of volume", percent(settings.max_volume_share_bps / 10_000)),
        ("Order latency", f"{settings.order_latency_ns / 1e6:g} ms"),
        *([("Queue model", settings.queue_model)] if settings.queue_model else []),
        ("Speed", "as fast as it is read" if not settings.speed else f"{settings.speed:g} x"),
        ("VaR window", f"{settings.var_window:,} days"),
        ("Monte Carlo", f"{settings.n_scenarios:,} scenarios, seed {settings.seed}"),
        *((f"Limit {name}", value) for name, value in settings.risk_limits.items()),
        ("Orders open at the end", f"{result.open_orders:,}"),
        ("Last sequence", f"{result.last_sequence:,}"),
        ("SHA-256 of data", result.data_sha256),
        ("SHA-256 of strategy", result.strategy_sha256),
        ("SHA-256 of state", result.state_sha256),
    ]
    notes = bullets(result.notes)
    heading = "<h3>Notes</h3>\n" if notes else ""
    intro = paragraph("The same inputs give the same hashes, fills and figures.")
    return Section("What this run was", intro + facts(pairs) + heading + notes, {})


def _plot(name: str, label: str) -> str:
    return f'<div class="plot" id="{escape(name)}" role="img" aria-label="{escape(label)}"></div>'


def _plurals(nouns: Iterable[str]) -> str:
    return ", ".join(f"{noun}s" for noun in nouns)


def _count(total: int, noun: str) -> str:
    if total <= MOST_ROWS:
        return paragraph(f"All {total:,} {noun}.")
    return paragraph(f"The first {MOST_ROWS:,} of {total:,} {noun}.")


def _capped_lines(lines: list[str], most: int = 20) -> list[str]:
    if len(lines) <= most:
        return lines
    return [*lines[:most], f"and {len(lines) - most:,} more days"]
