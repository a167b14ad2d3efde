import numpy as np
import pytest

from aetherion.client import ProtocolError
from aetherion.client.columns import batch_of
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import Bar, BookLevel, BookOrder, ColumnId, Quote, Trade, rows_of
from aetherion.order import Side
from aetherion.v1 import market_data_pb2 as pb

BTC = Instrument("BTC.X", InstrumentClass.SPOT, "BTC", "USD", price_scale=2, qty_scale=3)
ETH = Instrument("ETH.X", InstrumentClass.SPOT, "ETH", "USD", price_scale=1, qty_scale=0)

ENCODINGS = {1: pb.COLUMN_ENCODING_INT64, 2: pb.COLUMN_ENCODING_UINT32, 3: pb.COLUMN_ENCODING_UINT8}
DTYPES = {1: "<i8", 2: "<u4", 3: "u1"}


def column(column_id: int, values: list[int], encoding: int = 1, valid: bytes = b"") -> pb.Column:
    data = np.array(values, DTYPES[encoding]).tobytes()
    return pb.Column(id=column_id, encoding=ENCODINGS[encoding], data=data, validity=valid)  # type: ignore[arg-type]


def mixed() -> pb.MarketDataBatch:
    """A bar of BTC, two quotes (one without a bid) and a trade of ETH."""
    return pb.MarketDataBatch(
        row_count=4,
        instrument_ids=["BTC.X", "ETH.X"],
        columns=[
            column(pb.COLUMN_ID_KIND, [2, 1, 3, 2], 3),
            column(pb.COLUMN_ID_INSTRUMENT, [1, 0, 1, 1], 2),
            column(pb.COLUMN_ID_MD_SEQUENCE, [1, 1, 2, 3]),
            column(pb.COLUMN_ID_TRANSACT_TIME_NS, [10, 20, 30, 40]),
            column(pb.COLUMN_ID_OPEN_TIME_NS, [0, 5, 0, 0]),
            column(pb.COLUMN_ID_OPEN_PX, [0, 10_050, 0, 0]),
            column(pb.COLUMN_ID_HIGH_PX, [0, 10_100, 0, 0]),
            column(pb.COLUMN_ID_LOW_PX, [0, 10_000, 0, 0]),
            column(pb.COLUMN_ID_CLOSE_PX, [0, 10_075, 0, 0]),
            column(pb.COLUMN_ID_VOLUME, [0, 1_500, 0, 0]),
            column(pb.COLUMN_ID_BID_PX, [99, 0, 0, 0], valid=b"\x01"),
            column(pb.COLUMN_ID_BID_QTY, [7, 0, 0, 0], valid=b"\x01"),
            column(pb.COLUMN_ID_ASK_PX, [101, 0, 0, 102], valid=b"\x09"),
            column(pb.COLUMN_ID_ASK_QTY, [8, 0, 0, 9], valid=b"\x09"),
            column(pb.COLUMN_ID_TRADE_PX, [0, 0, 100, 0]),
            column(pb.COLUMN_ID_TRADE_QTY, [0, 0, 3, 0]),
            column(pb.COLUMN_ID_AGGRESSOR_SIDE, [0, 0, 2, 0], 3),
        ],
    )


def test_rows_of_several_kinds_come_in_their_order() -> None:
    rows = rows_of(batch_of(mixed()), {"BTC.X": BTC, "ETH.X": ETH})
    assert rows == [
        Quote(ETH, 10, 1, 0, 99, 7, 101, 8),
        Bar(BTC, 20, 1, 5, 10_050, 10_100, 10_000, 10_075, 1_500),
        Trade(ETH, 30, 2, 0, 100, 3, 2),
        Quote(ETH, 40, 3, 0, None, 0, 102, 9),
    ]
    assert [type(row) for row in rows] == [Quote, Bar, Trade, Quote]


def test_levels_of_a_book_are_rows_without_a_mark() -> None:
    message = pb.MarketDataBatch(
        row_count=1,
        instrument_ids=["ETH.X"],
        columns=[
            column(pb.COLUMN_ID_KIND, [4], 3),
            column(pb.COLUMN_ID_INSTRUMENT, [0], 2),
            column(pb.COLUMN_ID_MD_SEQUENCE, [1]),
            column(pb.COLUMN_ID_TRANSACT_TIME_NS, [10]),
            column(pb.COLUMN_ID_BOOK_SIDE, [2], 3),
            column(pb.COLUMN_ID_BOOK_PX, [101]),
            column(pb.COLUMN_ID_BOOK_QTY, [7]),
            column(pb.COLUMN_ID_BOOK_FLAGS, [3], 3),
        ],
    )
    (level,) = rows_of(batch_of(message), {"ETH.X": ETH})
    assert level == BookLevel(ETH, 10, 1, 0, 2, 101, 7, 3)
    assert (type(level), level.instrument_id, level.mark_px) == (BookLevel, "ETH.X", None)


def test_orders_of_a_book_are_rows_without_a_mark() -> None:
    message = pb.MarketDataBatch(
        row_count=1,
        instrument_ids=["ETH.X"],
        columns=[
            column(pb.COLUMN_ID_KIND, [5], 3),
            column(pb.COLUMN_ID_INSTRUMENT, [0], 2),
            column(pb.COLUMN_ID_MD_SEQUENCE, [1]),
            column(pb.COLUMN_ID_TRANSACT_TIME_NS, [10]),
            column(pb.COLUMN_ID_BOOK_SIDE, [2], 3),
            column(pb.COLUMN_ID_BOOK_PX, [101]),
            column(pb.COLUMN_ID_BOOK_QTY, [7]),
            column(pb.COLUMN_ID_BOOK_ORDER_ID, [2**60]),
            column(pb.COLUMN_ID_BOOK_FLAGS, [10], 3),
        ],
    )
    (order,) = rows_of(batch_of(message), {"ETH.X": ETH})
    assert order == BookOrder(ETH, 10, 1, 0, 2**60, 2, 101, 7, 10)
    assert (type(order), order.instrument_id, order.mark_px) == (BookOrder, "ETH.X", None)


def test_rows_show_decimals() -> None:
    quote, bar, trade, one_sided = rows_of(batch_of(mixed()), {"BTC.X": BTC, "ETH.X": ETH})
    assert isinstance(bar, Bar)
    assert f"{bar.open} {bar.high} {bar.low} {bar.close} {bar.volume}" == (
        "100.50 101.00 100.00 100.75 1.500"
    )
    assert isinstance(quote, Quote)
    assert f"{quote.bid} {quote.bid_size} {quote.ask} {quote.ask_size}" == "9.9 7 10.1 8"
    assert isinstance(trade, Trade)
    assert (str(trade.price), str(trade.size), trade.aggressor_side) == ("10.0", "3", Side.SELL)
    assert isinstance(one_sided, Quote)
    assert one_sided.bid is None


def test_marks_are_those_of_the_engine() -> None:
    quote, bar, trade, one_sided = rows_of(batch_of(mixed()), {"BTC.X": BTC, "ETH.X": ETH})
    assert [r.mark_px for r in (quote, bar, trade, one_sided)] == [100, 10_075, 100, 102]
    assert Quote(ETH, 0, 1, 0, -4, 1, -1, 1).mark_px == -3  # rounded down, not to zero
    assert Quote(ETH, 0, 1, 0, None, 0, None, 0).mark_px is None


def test_columns_are_views_of_the_message() -> None:
    batch = batch_of(mixed())
    close = batch.column(ColumnId.CLOSE_PX)
    assert not close.flags.owndata
    assert close.tolist() == [0, 10_075, 0, 0]
    assert batch.column(ColumnId.RECEIVE_TIME_NS).tolist() == [0, 0, 0, 0]  # left out: zeros


def test_empty_batch_has_no_rows() -> None:
    assert list(rows_of(batch_of(pb.MarketDataBatch()), {})) == []


def short_column(batch: pb.MarketDataBatch) -> None:
    batch.columns[3].data = batch.columns[3].data[:-1]


def short_validity(batch: pb.MarketDataBatch) -> None:
    batch.columns[10].validity = b"\x01\x01"


def no_times(batch: pb.MarketDataBatch) -> None:
    del batch.columns[3]


def wild_instrument(batch: pb.MarketDataBatch) -> None:
    batch.columns[1].CopyFrom(column(pb.COLUMN_ID_INSTRUMENT, [1, 0, 2, 1], 2))


def unknown_encoding(batch: pb.MarketDataBatch) -> None:
    batch.columns[0].encoding = 9  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (short_column, "column TRANSACT_TIME_NS: must have 32 bytes for 4 rows, got 31"),
        (short_validity, "column BID_PX: validity must have 1 bytes, got 2"),
        (no_times, "column TRANSACT_TIME_NS is missing"),
        (wild_instrument, "column INSTRUMENT: must be below 2, got 2"),
        (unknown_encoding, "column KIND: unknown encoding 9"),
    ],
)
def test_broken_batch_is_refused(damage: object, says: str) -> None:
    batch = mixed()
    damage(batch)  # type: ignore[operator]
    with pytest.raises(ProtocolError, match=says):
        batch_of(batch)
