"""Answers that print well, plot, and go on as frames."""

from __future__ import annotations

import html
import io
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any

import polars as pl
from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from aetherion.errors import AetherionError
from aetherion.risk.errors import RiskInputError
from aetherion.risk.figures import RiskAnswer, RiskFigures
from aetherion.risk.inputs import Confidence, Names, level_of
from aetherion.risk.methods import Floats

Record = dict[str, Any]

# No table is cut; a notebook and a terminal scroll.
_WIDTH = 200


class Result(ABC):
    """What every answer can do; `title`, `records` and `notes` say what it is."""

    __slots__ = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in a line."""

    @abstractmethod
    def records(self) -> list[Record]:
        """Return its rows; all have the same columns."""

    def notes(self) -> list[str]:
        """Return what a reader ought to know beside the rows, a line each."""
        return []

    @abstractmethod
    def plot(self) -> Any:
        """Return a plotly figure of it."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON: its title and its rows."""
        return {"title": self.title, "rows": self.records()}

    def to_polars(self) -> pl.DataFrame:
        """Return its rows as a polars frame."""
        return pl.DataFrame(self.records(), infer_schema_length=None)

    def to_pandas(self) -> Any:
        """Return its rows as a pandas frame.

        Raises:
            AetherionError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise AetherionError("to_pandas: pandas is not installed; use to_polars") from None
        return pandas.DataFrame(self.records())

    def __rich__(self) -> Group:
        records = self.records()
        made = RichTable(box=None, header_style="dim")
        for index, name in enumerate(records[0] if records else ()):
            words = name.replace("_", " ")
            made.add_column(words, justify="right" if index else "left", no_wrap=True)
        for record in records:
            made.add_row(*map(cell, record.values()))
        return Group(Text(self.title), made, *map(Text, self.notes()))

    def __repr__(self) -> str:
        out = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
        out.print(self)
        assert isinstance(out.file, io.StringIO)
        return "\n".join(line.rstrip() for line in out.file.getvalue().rstrip().splitlines())

    def _repr_html_(self) -> str:
        records = self.records()
        head = "".join(f"<th>{html.escape(n.replace('_', ' '))}</th>" for n in (records or [{}])[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell(v))}</td>" for v in r.values()) + "</tr>"
            for r in records
        )
        return (
            f"<table><caption>{html.escape(self.title)}</caption>"
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            + "".join(f"<p>{html.escape(note)}</p>" for note in self.notes())
        )


def cell(value: Any) -> str:
    """Return a value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.6g}"
    return str(value)


def bars(title: str, names: Sequence[str], series: Mapping[str, Sequence[float]], unit: str) -> Any:
    """Return a plotly figure of grouped bars."""
    from plotly import graph_objects as go

    figure = go.Figure([go.Bar(name=n, x=list(names), y=list(v)) for n, v in series.items()])
    return figure.update_layout(title=title, yaxis_title=unit, barmode="group", bargap=0.3)


def percent(confidence_bp: int) -> str:
    """Return a confidence level as a person writes it."""
    return f"{confidence_bp / 100:g}%"


@dataclass(frozen=True, slots=True, repr=False)
class RiskResult(Result):
    """VaR and ES of a portfolio, one row a level; `float()` of it is its first figure.

    Losses are positive, in the currency of the exposures. `names` are the factors', or empty.
    """

    measure: str  # "var" or "es": which of the two is the figure
    method: str
    horizon_days: int
    names: Names
    answer: RiskAnswer

    def __float__(self) -> float:
        return float(getattr(self.answer.figures[0], self.measure))

    @property
    def title(self) -> str:
        """What it is, in a line."""
        days = "1 day" if self.horizon_days == 1 else f"{self.horizon_days} days"
        return f"{_MEASURES[self.measure]}, {self.method.replace('_', ' ')}, {days}"

    @property
    def var(self) -> float:
        """Value at risk at the first level."""
        return self.answer.figures[0].var

    @property
    def es(self) -> float:
        """Expected shortfall at the first level."""
        return self.answer.figures[0].es

    def at(self, confidence: Confidence) -> RiskFigures:
        """Return all figures at a level.

        Raises:
            RiskInputError: the level was not asked for.
        """
        level = level_of(confidence)
        for figures in self.answer.figures:
            if figures.confidence_bp == level:
                return figures
        asked = ", ".join(percent(f.confidence_bp) for f in self.answer.figures)
        raise RiskInputError(f"confidence: must be one asked for, {asked}, got {percent(level)}")

    def components(self, confidence: Confidence | None = None) -> dict[str, float]:
        """Return the parts that add up to the figure, by factor; empty where the method has none.

        Source: Tasche, "Risk contributions and performance measurement", 1999.
        """
        figures = self.answer.figures[0] if confidence is None else self.at(confidence)
        return self._by_name(getattr(figures, f"component_{self.measure}"))

    def by_factor(self, confidence: Confidence | None = None) -> pl.DataFrame:
        """Return all that is known by factor: component, marginal, standalone, incremental."""
        figures = self.answer.figures[0] if confidence is None else self.at(confidence)
        columns: dict[str, Any] = {
            name: list(getattr(figures, name)) for name in _BY_FACTOR if len(getattr(figures, name))
        }
        count = len(next(iter(columns.values()), ()))
        return pl.DataFrame({"name": self._names(count), **columns})

    def notes(self) -> list[str]:
        """Say how it was simulated where that is not factor by factor."""
        if not self.answer.one_dimensional:
            return []
        return [
            "one-dimensional: the portfolio's own return was simulated, "
            "which has the same distribution (simulate_factors=True: every factor)"
        ]

    def records(self) -> list[Record]:
        """Return one row a level."""
        return [_record(figures) for figures in self.answer.figures]

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON, components and how it was simulated included."""
        answer = self.answer
        rows = [
            record | ({"components": parts} if (parts := self.components(f.confidence_bp)) else {})
            for record, f in zip(self.records(), answer.figures, strict=True)
        ]
        garch = answer.fitted_garch
        known = {
            "sigma_1d": answer.sigma_1d,
            "n_scenarios": answer.n_scenarios or None,
            "seed": answer.seed,
            "sampler": _name(answer.sampler),
            "replications": answer.replications or None,
            "horizon_method": _name(answer.horizon_method),
            "one_dimensional": answer.one_dimensional or None,
            "fitted_garch": None if garch is None else asdict(garch),
            "next_volatility": answer.next_volatility,
            "cumulants": list(answer.cumulants) or None,
        }
        return {
            "title": self.title,
            "method": self.method,
            "horizon_days": self.horizon_days,
            **{name: value for name, value in known.items() if value is not None},
            "rows": rows,
        }

    def plot(self) -> Any:
        """Return a plotly figure: the parts by factor where there are some, else each level."""
        parts = self.components()
        if len(parts) > 1:
            level = percent(self.answer.figures[0].confidence_bp)
            return bars(
                f"{self.title}: parts at {level}",
                list(parts),
                {f"component {self.measure}": list(parts.values())},
                "loss",
            )
        names = [percent(f.confidence_bp) for f in self.answer.figures]
        series = {
            "VaR": [f.var for f in self.answer.figures],
            "ES": [f.es for f in self.answer.figures],
        }
        return bars(self.title, names, series, "loss")

    def _names(self, count: int) -> list[str]:
        return list(self.names) or [str(index) for index in range(count)]

    def _by_name(self, values: Floats) -> dict[str, float]:
        if not len(values):
            return {}
        return dict(zip(self._names(len(values)), values.tolist(), strict=True))


_MEASURES = {"var": "Value at risk", "es": "Expected shortfall"}
_BY_FACTOR = (
    "component_var",
    "marginal_var",
    "standalone_var",
    "incremental_var",
    "component_es",
    "marginal_es",
)


def _name(member: IntEnum | None) -> str | None:
    return None if member is None else member.name.lower()


def _record(figures: RiskFigures) -> Record:
    record: Record = {
        "confidence": percent(figures.confidence_bp),
        "var": figures.var,
        "es": figures.es,
    }
    if figures.var_se is not None:
        record |= {"var_se": figures.var_se, "es_se": figures.es_se}
    if (interval := figures.var_ci95) is not None:
        record |= {"var_lower": interval.lower, "var_upper": interval.upper}
    if (interval := figures.es_ci95) is not None:
        record |= {"es_lower": interval.lower, "es_upper": interval.upper}
    words = ", ".join(w.name.lower().replace("_", " ") for w in figures.warnings)
    return record | {"warnings": words}
