"""The page: sections, style and plotly.js in one file that loads nothing."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from pathlib import Path

from plotly.offline import get_plotlyjs

from aetherion.backtest.result import RunResult
from aetherion.report.charts import Chart
from aetherion.report.sections import Section, headline, sections
from aetherion.report.text import paragraph, utc

# Nothing is fetched, whatever a symbol or a docstring contains.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


def write_report(result: RunResult, path: Path) -> None:
    """Write the report of a run. The same result gives the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    path.write_text(render(result), encoding="utf-8")


def render(result: RunResult) -> str:
    """Return the report of a run as HTML."""
    title = f"{result.strategy} on {result.data_set}"
    parts = sections(result)
    charts: dict[str, Chart] = {}
    for part in parts:
        charts |= part.charts
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>
{_resource("page.css")}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
{paragraph(_span(result))}
{_doc(result)}</header>
<main>
{headline(result)}
{"".join(_html(part) for part in parts)}</main>
{_script(get_plotlyjs() if charts else "")}
<script type="application/json" id="charts">{_json(charts)}</script>
{_script(_resource("page.js"))}
</body>
</html>
"""


def _span(result: RunResult) -> str:
    first, last = utc(result.first_time_ns), utc(result.last_time_ns)
    currency = result.settings.base_currency
    return f"{first} to {last} UTC, {len(result.days):,} days; money in {currency}"


def _doc(result: RunResult) -> str:
    """Return the first paragraph of the strategy's docstring."""
    first = " ".join(result.strategy_doc.strip().split("\n\n")[0].split())
    return paragraph(first) + "\n" if first else ""


def _html(section: Section) -> str:
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{section.html}\n</section>\n"


def _script(code: str) -> str:
    return f"<script>{code}</script>"


def _json(charts: dict[str, Chart]) -> str:
    text = json.dumps(charts, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # so that no text ends the script


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
