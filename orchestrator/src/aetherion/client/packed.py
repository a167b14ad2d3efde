"""Packed columns, which on the wire are the array's own bytes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from aetherion.risk.methods import Floats

_PACKED = 2  # the wire type of a field with a length in front


def packed(field: int, values: Floats) -> bytes:
    """Return a `repeated double` as it is on the wire, for `FromString` of its message.

    Half a million take 2.5 ms, against 15 ms from a list and 21 ms from the array by `extend`.
    The other way `np.array` of the field is as fast.
    """
    return _field(field, np.ascontiguousarray(values, "<f8").tobytes())


def packed_enums(field: int, values: Sequence[IntEnum]) -> bytes:
    """Return a `repeated` enum as it is on the wire: its numbers, below 128, are a byte each."""
    return _field(field, bytes(values))


def _field(field: int, data: bytes) -> bytes:
    return _varint(field << 3 | _PACKED) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    digits = []
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])
