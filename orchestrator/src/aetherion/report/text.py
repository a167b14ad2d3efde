"""Values as a reader sees them, and the HTML around them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

UNKNOWN = "n/a"


def money(value: Decimal | float | None) -> str:
    """Return an amount with thousands separators and cents."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{value:,.2f}"


def percent(ratio: float | None, digits: int = 2) -> str:
    """Return a ratio as a percentage."""
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    return f"{ratio:.{digits}%}"


def figure(value: float | None, digits: int = 2) -> str:
    """Return a plain number."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def exact(value: Decimal) -> str:
    """Return a decimal in full, without trailing zeros."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc(time_ns: int) -> str:
    """Return a time to the millisecond, or the day alone at midnight; nothing for 0."""
    if not time_ns:
        return ""
    seconds, ns = divmod(time_ns, 10**9)
    moment = datetime.fromtimestamp(seconds, UTC)
    if seconds % 86_400 == 0 and ns == 0:
        return f"{moment:%Y-%m-%d}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ns // 10**6:03}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """Return a table of text, of which the first `words` columns are words and the rest figures."""

    def cell(index: int, text: str, tag: str) -> str:
        kind = "" if index < words else ' class="n"'
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{kind}{scope}>{escape(text)}</{tag}>"

    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(cell(i, text, tag) for i, text in enumerate(cells)) + "</tr>"

    body = "\n".join(line(row, "td") for row in rows)
    return (
        f'<div class="scroll" tabindex="0"><table>\n<thead>{line(columns, "th")}</thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return names and their values."""
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in pairs)
    return f'<dl class="facts">\n{items}</dl>'


def paragraph(text: str) -> str:
    """Return one paragraph of plain text."""
    return f"<p>{escape(text)}</p>"


def bullets(lines: Iterable[str]) -> str:
    """Return a list of plain texts; nothing for none."""
    items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f"<ul>\n{items}</ul>" if items else ""
