"""Spellings of time, against `datetime`."""

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from aetherion.data.times import iso, to_ns

NOON = 1_704_196_800_000_000_000  # 2024-01-02T12:00:00Z


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("timestamp", "2024-01-02T12:00:00Z", NOON),
        ("timestamp", "2024-01-02 12:00:00", NOON),
        ("timestamp", "2024-01-02 12:00", NOON),
        ("timestamp", "2024-01-02T14:30:00+02:30", NOON),
        ("timestamp", "2024-01-02T07:00:00.000000001-0500", NOON + 1),
        ("timestamp", "2024-01-02 12:00:00.123456789", NOON + 123_456_789),
        ("timestamp", "1704196800", NOON),
        ("timestamp", "1704196800.25", NOON + 250_000_000),
        ("timestamp", "1704196800123", NOON + 123_000_000),
        ("timestamp", "1704196800123456", NOON + 123_456_000),
        ("ts_event_ns", "1704196800123456789", NOON + 123_456_789),
        ("time_ms", "5", 5_000_000),  # the name says the unit, however small the number
        ("timestamp", "2262-01-01T00:00:00Z", None),  # in 64 bits a cast would wrap
        ("timestamp", "9999-12-31", None),
        ("timestamp", "2024-02-30", None),
        ("timestamp", "1/4/1999", None),
        ("timestamp", "noon", None),
    ],
)
def test_one_time(name: str, text: str, expected: int | None) -> None:
    ns, _ = to_ns(pl.Series(name, [text]))
    assert ns[0] == expected


def test_dates_are_known_to_be_dates() -> None:
    for column in (
        pl.Series(["2024-01-02", "2024-01-03"]),
        pl.Series(["20240102", "20240103"]),
        pl.Series([date(2024, 1, 2), date(2024, 1, 3)]),
    ):
        ns, dates_only = to_ns(column)
        midnight = NOON - 12 * 3600 * 10**9
        assert (ns.to_list(), dates_only) == ([midnight, midnight + 86_400 * 10**9], True)
    assert to_ns(pl.Series(["2024-01-02", "2024-01-02T12:00:00"]))[1] is False


def test_typed_columns() -> None:
    naive = datetime(2024, 1, 2, 12)
    zoned = datetime(2024, 1, 2, 17, 45, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert to_ns(pl.Series([naive]))[0][0] == NOON
    assert to_ns(pl.Series([zoned.astimezone(UTC)]))[0][0] == NOON
    tokyo = pl.Series([naive]).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    assert to_ns(tokyo)[0][0] == NOON
    assert to_ns(pl.Series("ts_ns", [NOON]))[0][0] == NOON


def test_a_format_reads_what_is_ambiguous() -> None:
    ns, dates_only = to_ns(pl.Series(["1/2/2024", "12/31/2024", "13/1/2024"]), "%m/%d/%Y")
    assert [n and iso(n)[:10] for n in ns] == ["2024-01-02", "2024-12-31", None]
    assert dates_only
    ns, dates_only = to_ns(pl.Series(["02.01.2024 12:00"]), "%d.%m.%Y %H:%M")
    assert (ns[0], dates_only) == (NOON, False)
