"""What is wrong with a file: all rows are checked, the first problems named, the rest counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from aetherion.errors import AetherionError

SHOWN = 20


class DataError(AetherionError):
    """Market data that cannot be imported: a line for each problem, at most `SHOWN` of them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One value that breaks one rule. Of a CSV file row 1 is the header, as in a spreadsheet."""

    file: str
    row: int
    field: str
    rule: str
    value: str

    def __str__(self) -> str:
        return f"{self.file}: row {self.row}: {self.field}: {self.rule}, got {self.value}"


@dataclass(slots=True)
class Problems:
    """Collects what is wrong over all files of an import, so that one run names it all."""

    count: int = 0
    shown: list[Problem] = field(default_factory=list)

    def refuse(
        self,
        frame: pl.DataFrame,
        bad: pl.Series,
        name: str,
        rule: str | pl.Series,
        values: pl.Series,
    ) -> None:
        """Note the rows of `frame` (columns `file` and `row`) at which `bad` is true.

        Args:
            bad: shape (n,), boolean; null is false.
            rule: one for all rows, or one a row.
            values: shape (n,), what the file says.
        """
        at = bad.fill_null(False).arg_true()
        self.count += len(at)
        for i in at.head(SHOWN):
            text = rule if isinstance(rule, str) else str(rule[i])
            value = values[i]
            self.shown.append(
                Problem(
                    frame["file"][i],
                    frame["row"][i],
                    name,
                    text,
                    "nothing" if value is None else str(value),
                )
            )

    def raise_any(self) -> None:
        """Raise what was noted, in the order of the files.

        Raises:
            DataError: there is something.
        """
        if not self.count:
            return
        lines = [str(p) for p in sorted(self.shown, key=lambda p: (p.file, p.row))[:SHOWN]]
        if self.count > len(lines):
            lines.append(f"... and {self.count - len(lines)} more problems")
        raise DataError("\n".join(lines))
