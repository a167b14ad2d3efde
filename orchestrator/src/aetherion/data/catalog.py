"""The catalog: what a run's `--data` may be, and the data sets that there are."""

from __future__ import annotations

from pathlib import Path

from aetherion.data import dataset
from aetherion.data.dataset import MANIFEST, DataSet
from aetherion.data.demo import prepare_demo
from aetherion.data.importer import import_files
from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError


def prepare(path: Path | None, data_dir: Path, options: ImportOptions | None = None) -> DataSet:
    """Return the data set for a run, importing what was not imported yet.

    Args:
        path: a CSV or Parquet file or a folder of them, the name of a data set in `data_dir`, or
            None for the demo.
        data_dir: the catalog that the Trading Service reads too.
        options: of an import.

    Raises:
        DataError: what is wrong, with file, row, field, rule and value.
    """
    if path is None:
        return prepare_demo(data_dir)
    for folder in (path, data_dir / path):
        if (folder / MANIFEST).is_file() and folder.resolve().parent == data_dir.resolve():
            return dataset.load(folder)
    if (path / MANIFEST).is_file():
        raise DataError(f"{path}: a data set must lie in {data_dir}, where both services find it")
    return import_files([path], data_dir, options=options)


def names(data_dir: Path) -> list[str]:
    """Return the names of the data sets in a catalog, sorted."""
    found = data_dir.glob(f"*/{MANIFEST}")
    return sorted(p.parent.name for p in found if not p.parent.name.startswith("."))


def find(name: str, data_dir: Path) -> DataSet:
    """Return one data set of a catalog.

    Raises:
        DataError: there is none of this name, or it is broken.
    """
    if name not in names(data_dir):
        known = ", ".join(names(data_dir)) or "none"
        raise DataError(f"name: no data set {name!r} in {data_dir}; there are {known}")
    return dataset.load(data_dir / name)
