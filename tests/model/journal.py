"""Reads the events of a journal folder, as journal.proto and the record's layout say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from aetherion.v1 import journal_pb2

# magic u32, version u16, type u16, length u32, n u32, then u64: epoch, index, first_sequence, ...
_HEADER = struct.Struct("<IHHIIQQQQ")
_HEADER_SIZE = 88
_MAGIC = 0x314A4541
_EVENTS = 3


def events_of(folder: Path) -> Iterator[journal_pb2.JournalEvent]:
    """Yield all events of a journal that nobody writes to, in their order."""
    for segment in sorted(folder.glob("*.segment")):
        yield from _events(memoryview(segment.read_bytes()))


def _events(content: memoryview) -> Iterator[journal_pb2.JournalEvent]:
    at = 0
    while at + _HEADER_SIZE <= len(content):
        magic, _, kind, length, n, *_ = _HEADER.unpack_from(content, at)
        if magic != _MAGIC:
            return  # the zeros after the last record
        if kind == _EVENTS:
            begin = at + _HEADER_SIZE
            for _ in range(n):
                (size,) = struct.unpack_from("<I", content, begin)
                begin += 4
                event = journal_pb2.JournalEvent()
                event.ParseFromString(bytes(content[begin : begin + size]))
                begin += size
                yield event
        at += (_HEADER_SIZE + length + 7) // 8 * 8
