"""Levels of a book: where they begin, and which rows are one event."""

from pathlib import Path

import pytest

from aetherion.data import DataError, import_files
from aetherion.data.layout import recognise
from aetherion.data.options import ImportOptions

HEADER = "ts_recv_ns,ts_event_ns,last_update_id,is_snapshot,side,price,size\n"
T0 = 1_700_000_000_000_000_000
SNAPSHOT, LAST, CLEAR = 1, 2, 4


def _levels(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "binance_spot_btcusdt_20240808_l2.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines))
    return path


def test_levels_begin_at_the_snapshot_and_know_their_events(tmp_path: Path) -> None:
    path = _levels(
        tmp_path,
        f"{T0},{T0 + 10},5,0,B,99.00,1",  # before the snapshot
        f"{T0},{T0 + 11},7,1,B,100.5,2.25",
        f"{T0},{T0 + 11},7,1,A,101,1",
        f"{T0},{T0 + 12},6,0,A,102,1",  # older than the snapshot
        f"{T0},{T0 + 13},8,0,A,101,0",
        f"{T0},{T0 + 13},8,0,A,102,3",
        f"{T0},{T0 + 13},9,0,B,100,1",
    )
    made = import_files([path], tmp_path / "out")
    assert made.instruments[0].instrument_id == "BTCUSDT.BINANCE_SPOT"
    assert made.kinds == ("level",)
    assert made.read("level").rows() == [
        (0, T0 + 11, T0, 1, 1005, 225, SNAPSHOT + CLEAR),
        (0, T0 + 11, T0, 2, 1010, 100, SNAPSHOT + LAST),
        (0, T0 + 13, T0, 2, 1010, 0, 0),
        (0, T0 + 13, T0, 2, 1020, 300, LAST),
        (0, T0 + 13, T0, 1, 1000, 100, LAST),
    ]
    assert any("2 levels older than the snapshot" in note for note in made.notes)


def test_a_second_snapshot_empties_the_book_again(tmp_path: Path) -> None:
    lines = [f"{T0 + n},{T0 + n},{n},{int(n != 2)},B,100,{n}" for n in (1, 2, 3)]
    made = import_files([_levels(tmp_path, *lines)], tmp_path / "out")
    whole = SNAPSHOT + LAST + CLEAR
    assert made.read("level")["book_flags"].to_list() == [whole, LAST, whole]


def test_without_numbers_of_updates_rows_of_one_time_are_one_event(tmp_path: Path) -> None:
    made = import_files(
        [
            _levels(
                tmp_path,
                f"{T0},true,bid,100,1",
                f"{T0},true,ask,101,1",
                f"{T0 + 1},false,ask,101,0",
                header="timestamp,is_snapshot,side,price,amount\n",
            )
        ],
        tmp_path / "out",
    )
    flags = made.read("level")["book_flags"].to_list()
    assert flags == [SNAPSHOT + CLEAR, SNAPSHOT + LAST, LAST]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{T0},{T0},1,0,B,100,1", "levels must begin with a snapshot, got none"),
        (f"{T0},{T0},1,1,X,100,1", "row 2: side: must be one of 'b', .*got X"),
        (f"{T0},{T0},1,maybe,B,100,1", "row 2: is_snapshot: must be one of .*got maybe"),
        (f"{T0},{T0},one,1,B,100,1", "row 2: last_update_id: must be a whole number, got one"),
        (f"{T0},{T0},1,1,B,-100,1", "row 2: price: must be positive, got -100"),
        (f"{T0},{T0},1,1,B,100,-1", "row 2: size: must not be negative, got -1"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_files([_levels(tmp_path, line)], tmp_path / "out")


def test_a_level_is_told_from_a_trade() -> None:
    header = HEADER.strip().split(",")
    assert recognise("f.csv", header, ImportOptions()).kind == "level"
    header.remove("is_snapshot")
    assert recognise("f.csv", header, ImportOptions()).kind == "trade"
