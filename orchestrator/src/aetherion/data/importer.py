"""Importing: the user's files to a data set, once for each content."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from aetherion.data import dataset, source, table
from aetherion.data.dataset import MANIFEST, DataSet
from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError, Problems
from aetherion.data.rows import assemble
from aetherion.data.source import Source
from aetherion.data.table import Table

# Part of the key under which an import is kept: raise it when the same files would give other rows.
_IMPORTER_VERSION = 3

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def import_files(
    paths: Sequence[Path],
    data_dir: Path,
    name: str | None = None,
    options: ImportOptions | None = None,
) -> DataSet:
    """Import CSV and Parquet files, or folders of them, as one data set.

    The same files with the same options are not read again. Without a `name` the data set is named
    for its first path and its content; one of the same `name` and other content is replaced.

    Raises:
        DataError: what is wrong, with file, row, field, rule and value. Nothing is written then.
    """
    options = options or ImportOptions()
    sources = source.find(list(paths))
    key = _key(sources, options)
    folder = data_dir / _checked_name(name or f"{_slug(paths[0])}-{key[:8]}")
    if (kept := _kept(folder, key)) is not None:
        return kept
    problems = Problems()
    tables = [table.load(s, options, problems) for s in sources]
    rows = assemble(tables, options, problems)
    described = [_described(t) for t in tables]
    return dataset.write(rows, folder, key, described, _notes(tables, options))


def _key(sources: Sequence[Source], options: ImportOptions) -> str:
    files = [[s.name, s.sha256] for s in sources]
    text = json.dumps([_IMPORTER_VERSION, files, asdict(options)], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise DataError(f"name: must be at most 64 letters, digits, '.', '_' and '-', got {name!r}")
    return name


def _slug(path: Path) -> str:
    stem = path.resolve().name.split(".")[0] if path.is_file() else path.resolve().name
    return re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:40] or "data"


def _kept(folder: Path, key: str) -> DataSet | None:
    """Return the data set of an earlier import of the same content, if it is still whole."""
    if not (folder / MANIFEST).is_file():
        return None
    try:
        kept = dataset.load(folder)
    except DataError:
        return None
    return kept if kept.import_key == key else None


def _notes(tables: Sequence[Table], options: ImportOptions) -> list[str]:
    """Say what was done to the numbers, and what was not."""
    notes = [options.note] if options.note else []
    if options.adjust:
        notes.append("prices of bars were multiplied by adjusted close / close of their day")
    for t in tables:
        notes += t.notes
        if "adj_close" in t.layout.columns and not options.adjust:
            notes.append(f"{t.source.name}: has adjusted closes, which were not used (--adjust)")
    return notes


def _described(imported: Table) -> dict[str, object]:
    return {
        "file": imported.source.name,
        "sha256": imported.source.sha256,
        "kind": imported.kind,
        "rows": imported.frame.height,
        "ignored_columns": list(imported.layout.ignored),
    }
