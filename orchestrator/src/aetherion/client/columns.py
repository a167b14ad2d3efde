"""Columnar market data off the wire, as numpy arrays over the message's own bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from aetherion.client.channel import ProtocolError
from aetherion.client.money import enum_of
from aetherion.market_data import Batch, ColumnId
from aetherion.v1 import market_data_pb2

_DTYPES: dict[int, np.dtype[Any]] = {
    market_data_pb2.COLUMN_ENCODING_INT64: np.dtype("<i8"),
    market_data_pb2.COLUMN_ENCODING_UINT32: np.dtype("<u4"),
    market_data_pb2.COLUMN_ENCODING_UINT8: np.dtype("u1"),
}
_ALWAYS = (ColumnId.KIND, ColumnId.INSTRUMENT, ColumnId.MD_SEQUENCE, ColumnId.TRANSACT_TIME_NS)


def batch_of(message: market_data_pb2.MarketDataBatch) -> Batch:
    """Return a batch whose columns are read-only views; nothing is copied row by row.

    Raises:
        ProtocolError: a column is missing, has the wrong length, or points outside the batch.
    """
    columns: dict[ColumnId, NDArray[Any]] = {}
    validity: dict[ColumnId, NDArray[np.bool_]] = {}
    rows = message.row_count
    for column in message.columns:
        column_id = enum_of(ColumnId, column.id)
        columns[column_id] = _values(column, column_id, rows)
        if column.validity:
            validity[column_id] = _bits(column.validity, column_id, rows)
    batch = Batch(rows, tuple(message.instrument_ids), columns, validity)
    _check(batch)
    return batch


def _values(column: market_data_pb2.Column, column_id: ColumnId, rows: int) -> NDArray[Any]:
    dtype = _DTYPES.get(column.encoding)
    if dtype is None:
        raise ProtocolError(f"column {column_id.name}: unknown encoding {column.encoding}")
    if len(column.data) != rows * dtype.itemsize:
        raise ProtocolError(
            f"column {column_id.name}: must have {rows * dtype.itemsize} bytes for {rows} rows, "
            f"got {len(column.data)}"
        )
    return np.frombuffer(column.data, dtype)


def _bits(data: bytes, column_id: ColumnId, rows: int) -> NDArray[np.bool_]:
    if len(data) != (rows + 7) // 8:
        raise ProtocolError(
            f"column {column_id.name}: validity must have {(rows + 7) // 8} bytes, got {len(data)}"
        )
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=rows, bitorder="little")
    return bits.view(np.bool_)


def _check(batch: Batch) -> None:
    if not batch.row_count:
        return
    for column_id in _ALWAYS:
        if column_id not in batch.columns:
            raise ProtocolError(f"market data batch: column {column_id.name} is missing")
    highest = int(batch.columns[ColumnId.INSTRUMENT].max())
    if highest >= len(batch.instrument_ids):
        raise ProtocolError(
            f"column INSTRUMENT: must be below {len(batch.instrument_ids)}, got {highest}"
        )
