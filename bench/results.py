"""How benchmarks write what they measured: `results/NAME.json` each, `RESULTS.md` from all."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement beside its peer or floor of the same run.

    `ratio` is value / reference. The spread is (max - min) / median of the repetitions of `value`.
    """

    metric: str
    value: float
    unit: str
    reference: str
    reference_value: float
    ratio: float
    spread: float


@dataclass(frozen=True, slots=True)
class Table:
    """Figures that are not beside a reference: the first column names a line."""

    title: str
    columns: Sequence[str]
    lines: Sequence[Sequence[str | float]]


def row(
    metric: str, unit: str, values: Sequence[float], reference: str, references: Sequence[float]
) -> Row:
    """Return a row of medians; `values[i]` and `references[i]` were measured in turn."""
    ratios = [value / other for value, other in zip(values, references, strict=True)]
    median = statistics.median(values)
    return Row(
        metric=metric,
        value=median,
        unit=unit,
        reference=reference,
        reference_value=statistics.median(references),
        ratio=statistics.median(ratios),
        spread=(max(values) - min(values)) / abs(median),
    )


def write(
    name: str,
    title: str,
    command: str,
    rows: Sequence[Row],
    note: str,
    tables: Sequence[Table] = (),
) -> None:
    """Write one benchmark's results, rewrite the summary, and print the rows."""
    results = BENCH / "results"
    results.mkdir(exist_ok=True)
    document = {
        "name": name,
        "title": title,
        "command": command,
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "note": note,
        "rows": [asdict(entry) for entry in rows],
    }
    if tables:
        document["tables"] = [asdict(table) for table in tables]
    (results / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    (BENCH / "RESULTS.md").write_text(_summary(results))
    print("\n".join(_body(document)))


def _summary(results: Path) -> str:
    parts = [
        "# Benchmark results",
        "",
        "Medians of repetitions on one machine; machines differ and are noisy, so read the ratios. "
        "Each section is written by its command.",
    ]
    for path in sorted(results.glob("*.json")):
        document = json.loads(path.read_text())
        parts += [
            "",
            f"## {document['title']}",
            "",
            f"`{document['command']}` on {document['machine']}",
            "",
        ]
        parts += _body(document)
    return "\n".join(parts) + "\n"


def _body(document: Mapping[str, Any]) -> list[str]:
    parts = [_table(document), "", document["note"]]
    for table in document.get("tables", []):
        lines = [["---"] + ["---:"] * (len(table["columns"]) - 1), *table["lines"]]
        parts += ["", f"{table['title']}:", "", _line(table["columns"]), *map(_line, lines)]
    return parts


def _line(cells: Sequence[str | float]) -> str:
    return f"| {' | '.join(c if isinstance(c, str) else _number(c) for c in cells)} |"


def _table(document: Mapping[str, object]) -> str:
    rows = document["rows"]
    assert isinstance(rows, list)
    lines = [
        "| metric | value | unit | spread | peer or floor | its value | ratio |",
        "| --- | ---: | --- | ---: | --- | ---: | ---: |",
    ]
    lines += [
        f"| {r['metric']} | {_number(r['value'])} | {r['unit']} | {r['spread']:.0%} "
        f"| {r['reference']} | {_number(r['reference_value'])} | {r['ratio']:.2f} |"
        for r in rows
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
