"""Orders of a book: which are known, and what a row says became of one."""

from pathlib import Path

import pytest

from aetherion.data import DataError, import_files
from aetherion.data.layout import recognise
from aetherion.data.options import ImportOptions

HEADER = "ts_recv_ns,ts_event_ns,order_id,action,side,price,size\n"
T0 = 1_700_000_000_000_000_000
LAST, TRADED = 2, 8


def _orders(folder: Path, *lines: str) -> Path:
    path = folder / "bitstamp_btcusd_20150501_l3.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    return path


def test_orders_are_what_stands_from_then_on(tmp_path: Path) -> None:
    path = _orders(
        tmp_path,
        f"{T0},,7,modify,B,100,2",  # of an order that stood before the file
        f"{T0 + 1},,8,add,B,100.5,2.25",
        f"{T0 + 1},,9,add,A,101,1",
        f"{T0 + 2},,8,modify,B,100.5,0.25",
        f"{T0 + 3},,8,delete,B,100.5,0",
        f"{T0 + 4},,9,delete,A,101,1",
        f"{T0 + 5},,7,delete,B,100,2",
    )
    made = import_files([path], tmp_path / "out")
    assert made.instruments[0].instrument_id == "BTCUSD.BITSTAMP"
    assert made.time_source == {"BTCUSD.BITSTAMP": "receive"}
    assert made.read("order").rows() == [
        (0, T0 + 1, T0 + 1, 1, 1005, 225, LAST, 8),
        (0, T0 + 1, T0 + 1, 2, 1010, 100, LAST, 9),
        (0, T0 + 2, T0 + 2, 1, 1005, 25, LAST + TRADED, 8),
        (0, T0 + 3, T0 + 3, 1, 1005, 0, LAST + TRADED, 8),
        (0, T0 + 4, T0 + 4, 2, 1010, 0, LAST, 9),
    ]
    assert any("2 changes of orders that stood before" in note for note in made.notes)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{T0},,1,add,X,100,1", "row 2: side: must be one of 'b', .*got X"),
        (f"{T0},,1,move,B,100,1", "row 2: action: must be one of 'add', 'modify', 'delete'"),
        (f"{T0},,a7,add,B,100,1", "row 2: order_id: must be a whole number, got a7"),
        (f"{T0},,1,add,B,0,1", "row 2: price: must be positive, got 0"),
        (f"{T0},,1,add,B,100,-1", "row 2: size: must not be negative, got -1"),
        (f"{T0},,1,modify,B,100,1", "orders must begin with one that is added, got none"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_files([_orders(tmp_path, line)], tmp_path / "out")


def test_an_order_is_told_from_a_trade() -> None:
    header = HEADER.strip().split(",")
    assert recognise("f.csv", header, ImportOptions()).kind == "order"
    header.remove("action")
    assert recognise("f.csv", header, ImportOptions()).kind == "trade"
