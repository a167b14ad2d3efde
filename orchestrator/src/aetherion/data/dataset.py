"""Data sets: the folders that the Trading Service replays, with all numbers exact integers."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from aetherion.data.options import KINDS, Kind
from aetherion.data.problems import DataError
from aetherion.data.rows import COLUMNS, Rows
from aetherion.instrument import Instrument, InstrumentClass

FORMAT = "aetherion.dataset/1"
MANIFEST = "manifest.json"

_ROW_GROUP = 65_536
_NULLABLE = frozenset({"bid_px", "bid_qty", "ask_px", "ask_qty"})
_INT32 = frozenset({"instrument", "aggressor_side", "book_side", "book_flags"})


@dataclass(frozen=True, slots=True)
class DataFile:
    """One Parquet file of a data set: all rows of one kind, in the order of time."""

    path: str
    kind: Kind
    rows: int
    sha256: str
    first_time_ns: int
    last_time_ns: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """A folder of recorded rows. It never changes: another import is another data set.

    `time_source` says for each instrument with more than bars whether `transact_time_ns` is the
    exchange's "event" time or the recorder's "receive" time. `sources` are the user's files.
    """

    path: Path
    instruments: tuple[Instrument, ...]
    files: tuple[DataFile, ...]
    sha256: str
    time_source: dict[str, str]
    notes: tuple[str, ...]
    sources: tuple[dict[str, Any], ...]
    import_key: str

    @property
    def name(self) -> str:
        """The folder's name, which is how the Trading Service knows it."""
        return self.path.name

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of rows that it has."""
        return tuple(file.kind for file in self.files)

    @property
    def rows(self) -> int:
        """Number of rows of all kinds."""
        return sum(file.rows for file in self.files)

    @property
    def first_time_ns(self) -> int:
        """Transact time of the first row."""
        return min(file.first_time_ns for file in self.files)

    @property
    def last_time_ns(self) -> int:
        """Transact time of the last row."""
        return max(file.last_time_ns for file in self.files)

    def read(self, kind: Kind) -> pl.DataFrame:
        """Return the rows of one kind, as the files have them.

        Raises:
            DataError: there are none of this kind.
        """
        file = next((file for file in self.files if file.kind == kind), None)
        if file is None:
            raise DataError(f"{self.name}: has no {kind}s")
        return pl.read_parquet(self.path / file.path)

    def rows_of(self, instrument: int) -> dict[Kind, int]:
        """Return how many rows of each kind the instrument of this index has."""
        counts: dict[Kind, int] = {}
        for file in self.files:
            column = pl.scan_parquet(self.path / file.path).select(pl.col("instrument"))
            count = column.filter(pl.col("instrument") == instrument).select(pl.len()).collect()
            if count.item():
                counts[file.kind] = count.item()
        return counts


def load(path: Path) -> DataSet:
    """Return the data set in a folder, once its files have the hashes that the manifest says.

    Raises:
        DataError: no manifest, one of another format, or a file that is missing or was changed.
    """
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise DataError(f"{path}: not a data set: {MANIFEST} cannot be read") from None
    except json.JSONDecodeError as error:
        raise DataError(f"{path / MANIFEST}: must be JSON: {error}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        got = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise DataError(f"{path / MANIFEST}: format: must be {FORMAT!r}, got {got!r}")
    try:
        data_set = _from_manifest(path, manifest)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path / MANIFEST}: not a manifest: {error!r}") from None
    for file in data_set.files:
        _verify(path / file.path, file.sha256)
    return data_set


def _from_manifest(path: Path, manifest: dict[str, Any]) -> DataSet:
    return DataSet(
        path=path,
        instruments=tuple(_instrument(text) for text in manifest["instruments"]),
        files=tuple(DataFile(**file) for file in manifest["files"]),
        sha256=_sha256(manifest),
        time_source=manifest["time_source"],
        notes=tuple(manifest["notes"]),
        sources=tuple(manifest["sources"]),
        import_key=manifest["import_key"],
    )


def _verify(path: Path, sha256: str) -> None:
    try:
        with path.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if got != sha256:
        raise DataError(f"{path}: sha256: must be {sha256} as in the manifest, got {got}")


def _sha256(manifest: dict[str, Any]) -> str:
    """Identify the content as the Trading Service does: its files, and what their numbers mean."""
    lines = [f"{file['path']} {file['sha256']}\n" for file in manifest["files"]]
    for instrument in manifest["instruments"]:
        lines.append(json.dumps(instrument, ensure_ascii=False, separators=(",", ":")) + "\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write(
    rows: Rows, folder: Path, import_key: str, sources: list[dict[str, Any]], notes: list[str]
) -> DataSet:
    """Write a data set, or nothing: it is made beside `folder` and then takes its place.

    Raises:
        DataError: the disk refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".importing-", dir=folder.parent))
    except OSError as error:
        raise DataError(f"{folder.parent}: cannot be written: {error.strerror}") from None
    try:
        manifest = {
            "format": FORMAT,
            "instruments": [_definition(i) for i in rows.instruments],
            "files": [_write_file(making, k, rows.frames[k]) for k in KINDS if k in rows.frames],
            "time_source": rows.clocks,
            "notes": [*notes, *rows.notes],
            "sources": sources,
            "import_key": import_key,
        }
        text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        (making / MANIFEST).write_text(text, encoding="utf-8")
        making.chmod(0o755)
        _replace(making, folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return _from_manifest(folder, manifest)


def _write_file(folder: Path, kind: Kind, frame: pl.DataFrame) -> dict[str, Any]:
    names = ("instrument", *COLUMNS[kind])
    schema = pa.schema(
        pa.field(name, pa.int32() if name in _INT32 else pa.int64(), nullable=name in _NULLABLE)
        for name in names
    )
    path = folder / f"{kind}s.parquet"
    pq.write_table(
        frame.select(names).to_arrow().cast(schema),
        path,
        row_group_size=_ROW_GROUP,
        compression="zstd",
        use_dictionary=False,
        store_schema=False,
    )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    times = frame["transact_time_ns"]
    return {
        "path": path.name,
        "kind": kind,
        "rows": frame.height,
        "sha256": digest,
        "first_time_ns": times[0],
        "last_time_ns": times[-1],
    }


def _replace(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".replaced-", dir=folder.parent))
    folder.rename(old / folder.name)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _definition(instrument: Instrument) -> dict[str, Any]:
    """Return instrument.proto in protobuf JSON with proto field names; 64-bit integers are text."""
    return {
        "instrument_id": instrument.instrument_id,
        "version": instrument.version,
        "instrument_class": f"INSTRUMENT_CLASS_{instrument.instrument_class.name}",
        "base_currency": instrument.base_currency,
        "quote_currency": instrument.quote_currency,
        "price_scale": instrument.price_scale,
        "qty_scale": instrument.qty_scale,
        "price_increment": str(instrument.price_increment),
        "qty_increment": str(instrument.qty_increment),
        "min_qty": str(instrument.min_qty),
        "max_qty": str(instrument.max_qty),
        "multiplier": _decimal_json(instrument.multiplier),
        "maker_fee_ratio": _decimal_json(instrument.maker_fee_ratio),
        "taker_fee_ratio": _decimal_json(instrument.taker_fee_ratio),
        "allow_negative_price": instrument.allow_negative_price,
    }


def _instrument(definition: dict[str, Any]) -> Instrument:
    integers = ("price_increment", "qty_increment", "min_qty", "max_qty")
    ratios = ("multiplier", "maker_fee_ratio", "taker_fee_ratio")
    kind = definition["instrument_class"].removeprefix("INSTRUMENT_CLASS_")
    return Instrument(
        **definition
        | {"instrument_class": InstrumentClass[kind]}
        | {name: int(definition[name]) for name in integers}
        | {name: _decimal(definition[name]) for name in ratios}
    )


def _decimal_json(value: Decimal) -> dict[str, Any]:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise DataError(f"ratio: must be finite, got {value}")
    mantissa = int("".join(map(str, digits))) * 10 ** max(exponent, 0)
    return {"mantissa": str(-mantissa if sign else mantissa), "scale": max(-exponent, 0)}


def _decimal(message: dict[str, Any]) -> Decimal:
    return Decimal(int(message["mantissa"])).scaleb(-int(message["scale"]))
