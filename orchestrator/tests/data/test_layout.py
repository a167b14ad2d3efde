"""Which columns are what, and what an instrument is called."""

import pytest

from aetherion.data.layout import recognise
from aetherion.data.naming import contract, from_file_name, instrument_id
from aetherion.data.options import ImportOptions
from aetherion.data.problems import DataError
from aetherion.instrument import InstrumentClass


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Date,Open,High,Low,Close,Adj Close,Volume", "bar"),
        ("ts_open_ns,open,high,low,close,volume", "bar"),
        ("Open time,Open,High,Low,Close,Volume,Close time", "bar"),
        ("ts_recv_ns,ts_event_ns,update_id,bid_price,bid_size,ask_price,ask_size", "quote"),
        ("timestamp,bid,ask", "quote"),
        ("ts_event_ns,price,size,aggressor", "trade"),
        ("time,price,qty,is_buyer_maker", "trade"),
    ],
)
def test_common_layouts(header: str, kind: str) -> None:
    assert recognise("f.csv", header.split(","), ImportOptions()).kind == kind


@pytest.mark.parametrize(
    ("header", "options", "message"),
    [
        ("date,open,hgih,low,close,volume", ImportOptions(), "column high.*nearest is 'hgih'"),
        ("date,open,high,low,close", ImportOptions(), "bars need column volume"),
        ("date,price,size,bid,ask", ImportOptions(), "quotes or trades: give --kind"),
        ("open,high,low,close,volume", ImportOptions(), "need a column of times"),
        ("date,a,b", ImportOptions(), "no columns of bars.*the file has date, a, b"),
        ("date,Open,open,high,low,close,volume", ImportOptions(), "have the same name"),
        ("ts,bid_open,bid_high,ask_open", ImportOptions(), "bars of bid and ask .* not supported"),
        ("time,price,size", ImportOptions(time_column="tme"), "no such column 'tme'; nearest is"),
        ("time,price,size", ImportOptions(columns={"prize": "price"}), "no such field 'prize'"),
        ("time,price,size", ImportOptions(kind="quote"), "quotes need column bid_price, ask_price"),
    ],
)
def test_what_is_not_a_layout_is_explained(
    header: str, options: ImportOptions, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        recognise("f.csv", header.split(","), options)


def test_options_name_columns() -> None:
    header = ["When", "Open", "High", "Low", "Settle", "Volume", "note"]
    options = ImportOptions(time_column="When", columns={"close": "Settle"})
    layout = recognise("f.csv", header, options)
    assert layout.columns["time"] == "When"
    assert layout.columns["close"] == "Settle"
    assert layout.ignored == ("note",)


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("AAPL", ("AAPL", "SIM")),
        ("binance_usdm_btcusdt_20240808_quotes", ("BTCUSDT", "BINANCE_USDM")),
        ("bitfinex_btcusd_2016_1m", ("BTCUSD", "BITFINEX")),
        ("us_spy_daily_unadjusted", ("SPY", "US")),
        ("EURUSD 2024-01-02 trades", ("EURUSD", "SIM")),
        ("CM", ("CM", "SIM")),
        ("7203", ("7203", "SIM")),
        ("brk.b", ("BRK.B", "SIM")),
    ],
)
def test_names_of_files(stem: str, expected: tuple[str, str]) -> None:
    assert from_file_name(stem) == expected


@pytest.mark.parametrize(
    ("name", "kind", "base", "quote"),
    [
        ("AAPL.XNAS", InstrumentClass.EQUITY, "AAPL", "USD"),
        ("GOOGL.XNAS", InstrumentClass.EQUITY, "GOOGL", "USD"),
        ("BTCUSDT.BINANCE_SPOT", InstrumentClass.SPOT, "BTC", "USDT"),
        ("BTCUSDT.BINANCE_USDM", InstrumentClass.FUTURE, "BTC", "USDT"),
        ("EUR/USD.OANDA", InstrumentClass.SPOT, "EUR", "USD"),
        ("BTCUSD_PERP.BINANCE_CM", InstrumentClass.FUTURE, "BTC", "USD"),
        ("BTC-PERP.SIM", InstrumentClass.FUTURE, "BTC", "USD"),
    ],
)
def test_what_a_symbol_stands_for(name: str, kind: InstrumentClass, base: str, quote: str) -> None:
    found = contract(name, ImportOptions())
    assert (found.instrument_class, found.base_currency, found.quote_currency) == (
        kind,
        base,
        quote,
    )


def test_ids() -> None:
    assert instrument_id("AAPL", "SIM", ImportOptions()) == "AAPL.SIM"
    assert instrument_id("AAPL.XNAS", "SIM", ImportOptions()) == "AAPL.XNAS"
    assert instrument_id("BRK.B", "SIM", ImportOptions()) == "BRK.B.SIM"
    assert instrument_id("US", "SIM", ImportOptions()) == "US.SIM"
    assert instrument_id("IBM", "SIM", ImportOptions(venue="XNYS")) == "IBM.XNYS"
    with pytest.raises(DataError, match="symbol: must be letters"):
        instrument_id("A B", "SIM", ImportOptions())
