"""Files to columns as they stand: CSV as text, Parquet as typed, with a number for every row."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import NoDataError, PolarsError

from aetherion.data.problems import DataError

ROW = "\x00row"  # no column of a user's has this name

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the user's: its name without folder, where it is, and the hash of its bytes."""

    name: str
    path: Path
    sha256: str

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        suffix = next(s for s in _SUFFIXES if self.name.lower().endswith(s))
        return self.name[: -len(suffix)]


def find(paths: list[Path]) -> list[Source]:
    """Return the CSV and Parquet files at `paths`, of a folder all that lie in it, by name.

    Raises:
        DataError: a path does not exist or holds no such file.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.is_file() and _readable(p))
            if not inside:
                raise DataError(f"{path}: must hold files of {', '.join(_SUFFIXES)}, got none")
            files += inside
        elif not path.exists():
            raise DataError(f"{path}: no such file")
        elif not _readable(path):
            raise DataError(f"{path}: must be one of {', '.join(_SUFFIXES)}, got {path.name!r}")
        else:
            files.append(path)
    return [Source(path.name, path, _sha256(path)) for path in files]


def _readable(path: Path) -> bool:
    return path.name.lower().endswith(_SUFFIXES)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def read(source: Source) -> pl.DataFrame:
    """Return the columns of a file, and a column `row` of the numbers that a user sees.

    Row 1 of a CSV file is its header, of Parquet its first row. Rows that are quite empty are left
    out.

    Raises:
        DataError: the file is not what its name says, has no rows, or a row of the wrong length.
    """
    if source.name.lower().endswith((".parquet", ".pq")):
        frame, first_row = _parquet(source), 1
    else:
        frame, first_row = _csv(source), 2
    frame = frame.with_row_index(ROW, offset=first_row)
    names = [name for name in frame.columns if name != ROW]
    frame = frame.filter(~pl.all_horizontal(pl.col(names).is_null()))
    if frame.is_empty():
        raise DataError(f"{source.name}: must have rows, got none")
    return frame


@contextmanager
def _explained(source: Source) -> Iterator[None]:
    try:
        yield
    except (PolarsError, OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{source.name}: cannot be read: {reason}") from None


def _parquet(source: Source) -> pl.DataFrame:
    with _explained(source):
        return pl.read_parquet(source.path)


def _csv(source: Source) -> pl.DataFrame:
    with _explained(source):
        data = source.path.read_bytes()
        if source.name.lower().endswith(".gz"):
            data = gzip.decompress(data)
    _check_header(source, data)
    try:
        return pl.read_csv(io.BytesIO(data), infer_schema=False)
    except NoDataError:
        raise DataError(f"{source.name}: must have rows, got none") from None
    except PolarsError:
        with _explained(source):
            _name_ragged_row(source, data)
            raise


def _check_header(source: Source, data: bytes) -> None:
    with _explained(source):
        first_line = data.split(b"\n", 1)[0].decode("utf-8-sig")
        header = next(csv.reader([first_line]), [])
    seen: set[str] = set()
    for name in header:
        if name in seen:
            raise DataError(f"{source.name}: row 1: column {name!r} must be unique, got it again")
        seen.add(name)
    if header and all(_is_number(name) for name in header if name):
        raise DataError(f"{source.name}: row 1: must name the columns, got {','.join(header)}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _name_ragged_row(source: Source, data: bytes) -> None:
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    width = len(next(rows))
    for number, row in enumerate(rows, start=2):
        if len(row) > width:
            raise DataError(
                f"{source.name}: row {number}: must have {width} fields like the header, "
                f"got {len(row)}"
            )
