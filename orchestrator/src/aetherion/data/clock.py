"""Which clock orders the rows: the exchange's where it never steps back, else the recorder's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from aetherion.data.options import Kind
from aetherion.data.problems import DataError, Problems
from aetherion.data.times import readable
from aetherion.instrument import Instrument

Clock = Literal["event", "receive"]
_COLUMN: dict[Clock, str] = {"event": "time_ns", "receive": "receive_time_ns"}


@dataclass(frozen=True, slots=True)
class Stream:
    """Quotes or trades of one instrument in the order of their files."""

    instrument: int
    kind: Kind
    frame: pl.DataFrame

    def keeps(self, clock: Clock) -> bool:
        """Say whether this clock is known for every row and never steps back."""
        ns = self.frame[_COLUMN[clock]]
        return ns.null_count() == 0 and ns.is_sorted()


def choose(
    ticks: Mapping[Kind, pl.DataFrame], instruments: Sequence[Instrument], problems: Problems
) -> dict[int, Clock]:
    """Return the clock of each instrument that has quotes or trades.

    Clocks of two machines differ, by more than a second in real captures. So all rows take the same
    one where that is possible, and all rows of one instrument always do.

    Raises:
        DataError: an instrument's quotes and trades have no clock in common.
    """
    streams = [
        Stream(int(rows["instrument"][0]), kind, rows)
        for kind, frame in ticks.items()
        for rows in frame.partition_by("instrument", maintain_order=True)
    ]
    groups: dict[int, list[Stream]] = {}
    for stream in streams:
        groups.setdefault(stream.instrument, []).append(stream)
    if (clock := _common(streams)) is not None:
        return dict.fromkeys(groups, clock)
    clocks: dict[int, Clock] = {}
    for index, group in groups.items():
        if (clock := _common(group)) is not None:
            clocks[index] = clock
        else:
            _explain(group, instruments[index], problems)
    return clocks


def _common(streams: Sequence[Stream]) -> Clock | None:
    clocks: tuple[Clock, ...] = ("event", "receive")
    return next((c for c in clocks if all(s.keeps(c) for s in streams)), None)


def _explain(streams: Sequence[Stream], instrument: Instrument, problems: Problems) -> None:
    for stream in streams:
        if not (stream.keeps("event") or stream.keeps("receive")):
            _name_steps(stream, problems)
            return
    known = " and ".join(
        f"{s.kind}s by {'event' if s.keeps('event') else 'receive'} time" for s in streams
    )
    raise DataError(
        f"{instrument.instrument_id}: quotes and trades must share a clock, got {known}: import "
        "them apart"
    )


def _name_steps(stream: Stream, problems: Problems) -> None:
    frame = stream.frame
    clock: Clock = "event" if frame["time_ns"].null_count() < frame.height else "receive"
    ns = frame[_COLUMN[clock]]
    problems.refuse(frame, ns.is_null(), f"{clock} time", "must not be empty", ns)
    refuse_steps(frame, ns, f"{clock} time", problems)


def refuse_steps(frame: pl.DataFrame, ns: pl.Series, field: str, problems: Problems) -> None:
    """Note the rows of one instrument whose time is before that of the row above."""
    back = ns < ns.shift(1)
    before = readable(ns.shift(1))
    problems.refuse(frame, back, field, "must not be before " + before, readable(ns))
