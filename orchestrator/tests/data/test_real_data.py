"""The demo, and real files of many venues when `shared/data` lies beside the repository."""

import re
from pathlib import Path

import polars as pl
import pytest

from aetherion.data import DataError, ImportOptions, import_files, prepare, prepare_demo

SHARED = Path(__file__).parents[4] / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is not here")

# File: instrument, decimals of price and quantity, the clock of its ticks.
FILES = {
    "bars_1m/bitfinex_btcusd_2016_1m": ("BTCUSD.BITFINEX", 2, 8, None),
    "bars_1m/btc_perp_20211231_20220201_1m": ("BTC_PERP.SIM", 3, 7, None),
    "daily/us_aapl_daily_unadjusted": ("AAPL.US", 4, 0, None),
    "daily/us_spy_daily_unadjusted": ("SPY.US", 4, 0, None),
    "quotes/binance_cm_btcusd_perp_20240808_quotes": ("BTCUSD_PERP.BINANCE_CM", 1, 0, "event"),
    "quotes/binance_cm_btcusd_perp_20240809_quotes": ("BTCUSD_PERP.BINANCE_CM", 1, 0, "event"),
    "quotes/binance_spot_btcusdt_20240808_quotes": ("BTCUSDT.BINANCE_SPOT", 2, 5, "receive"),
    "quotes/binance_spot_btcusdt_20240809_quotes": ("BTCUSDT.BINANCE_SPOT", 2, 5, "receive"),
    "quotes/binance_usdm_btcusdt_20240808_quotes": ("BTCUSDT.BINANCE_USDM", 1, 3, "event"),
    "quotes/fxcm_eurusd_20140515_quotes": ("EURUSD.FXCM", 5, 0, "event"),
    "quotes/oanda_eurusd_20140508_20140515_quotes": ("EURUSD.OANDA", 5, 0, "event"),
    "quotes/us_ibm_20131008_quotes": ("IBM.US", 2, 0, "event"),
    "trades/binance_cm_btcusd_perp_20240808_trades": ("BTCUSD_PERP.BINANCE_CM", 1, 0, "event"),
    "trades/binance_cm_btcusd_perp_20240809_trades": ("BTCUSD_PERP.BINANCE_CM", 1, 0, "event"),
    "trades/binance_spot_btcusdt_20240808_trades": ("BTCUSDT.BINANCE_SPOT", 2, 5, "event"),
    "trades/binance_spot_btcusdt_20240809_trades": ("BTCUSDT.BINANCE_SPOT", 2, 5, "event"),
    "trades/binance_usdm_btcusdt_20240808_trades": ("BTCUSDT.BINANCE_USDM", 1, 3, "event"),
    "trades/us_spy_20131008_trades": ("SPY.US", 2, 0, "event"),
    "l3/bitstamp_btcusd_20150501_trades": ("BTCUSD.BITSTAMP", 2, 8, "receive"),
}


def _path(stem: str) -> Path:
    return SHARED / f"{stem}.csv.gz"


def _rows_in_readme(stem: str) -> int:
    readme = (SHARED / "README.md").read_text(encoding="utf-8")
    line = next(x for x in readme.splitlines() if x.startswith(f"| `{stem}.csv.gz`"))
    return int(line.split("|")[4].replace(",", ""))


@needs_shared
@pytest.mark.parametrize("stem", FILES)
def test_every_file_is_imported_whole(tmp_path: Path, stem: str) -> None:
    made = import_files([_path(stem)], tmp_path)
    name, price_scale, qty_scale, clock = FILES[stem]
    (instrument,) = made.instruments
    assert made.rows == _rows_in_readme(stem)
    assert (instrument.instrument_id, instrument.price_scale, instrument.qty_scale) == (
        name,
        price_scale,
        qty_scale,
    )
    assert made.time_source.get(name) == clock
    rows = made.read(made.kinds[0])
    assert rows["transact_time_ns"].is_sorted()


@needs_shared
def test_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    path = _path("quotes/binance_spot_btcusdt_20240808_quotes")
    made = import_files([path], tmp_path).read("quote")
    source = pl.read_csv(path, schema_overrides={"bid_price": pl.String, "ask_size": pl.String})
    exact = source.select(
        bid=pl.col("bid_price").str.replace(".", "", literal=True).cast(pl.Int64) // 10**6,
        ask=pl.col("ask_size").str.replace(".", "", literal=True).cast(pl.Int64) // 10**3,
    )
    assert made["bid_px"].to_list() == exact["bid"].to_list()
    assert made["ask_qty"].to_list() == exact["ask"].to_list()


@needs_shared
def test_crossed_quotes_of_a_real_feed_are_counted(tmp_path: Path) -> None:
    path = _path("quotes/fxcm_eurusd_20140515_quotes")
    made = import_files([path], tmp_path)
    assert "15,531 of 152,609 quotes are crossed" in made.notes[0]
    with pytest.raises(DataError, match="and 15511 more problems"):
        import_files([path], tmp_path, options=ImportOptions(strict=True))


@needs_shared
def test_quotes_and_trades_of_spot_are_merged_by_the_recorders_clock(tmp_path: Path) -> None:
    stem = "binance_spot_btcusdt_20240808_"
    made = import_files(
        [_path(f"quotes/{stem}quotes"), _path(f"trades/{stem}trades")], tmp_path, "spot"
    )
    assert [i.instrument_id for i in made.instruments] == ["BTCUSDT.BINANCE_SPOT"]
    assert made.time_source == {"BTCUSDT.BINANCE_SPOT": "receive"}
    # The exchange's clock is 1.26 s ahead of the recorder's: by it, trades come too late, and fewer
    # of them lie within the quote before them.
    apart = import_files([_path(f"trades/{stem}trades")], tmp_path)
    quotes = made.read("quote")

    def share_inside(trades: pl.DataFrame) -> float:
        joined = trades.join_asof(quotes, on="transact_time_ns")
        inside = joined["trade_px"].is_between(joined["bid_px"], joined["ask_px"])
        return float(inside.sum()) / len(inside)

    assert share_inside(made.read("trade")) > 3 * share_inside(apart.read("trade")) > 0


@needs_shared
def test_a_folder_of_many_venues_is_one_set(tmp_path: Path) -> None:
    made = prepare(SHARED / "trades", tmp_path)
    stems = [stem for stem in FILES if stem.startswith("trades/")]
    assert made.rows == sum(_rows_in_readme(stem) for stem in stems)
    assert [i.instrument_id for i in made.instruments] == [
        "BTCUSDT.BINANCE_SPOT",
        "BTCUSDT.BINANCE_USDM",
        "BTCUSD_PERP.BINANCE_CM",
        "SPY.US",
    ]
    assert "BTCUSD_PERP.BINANCE_CM: margined in coins" in made.notes[0]


@needs_shared
def test_splits_show_in_unadjusted_closes(tmp_path: Path) -> None:
    made = import_files([_path("daily/us_aapl_daily_unadjusted")], tmp_path)
    assert re.search(r"2000-06-21 -45%.*2005-02-28 -50%, 2014-06-09 -85%", made.notes[0])


@needs_shared
@pytest.mark.parametrize(
    ("stem", "message"),
    [
        ("bars_1m/fxcm_gbpusd_2012_1m", "bars of bid and ask prices are not supported"),
        ("daily/sp500_20stocks_1990_2022", "no columns of bars"),
        ("daily/vix_ohlc_1990_2026", "bars need column volume"),
        ("daily/sp500_ohlcv_1999_2018", "row 2: Date: must be a time.*got 1/4/1999"),
    ],
)
def test_files_of_other_things_are_refused_clearly(tmp_path: Path, stem: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_files([_path(stem)], tmp_path)


def test_the_demo_is_five_stocks_adjusted_for_splits(tmp_path: Path) -> None:
    demo = prepare_demo(tmp_path)
    assert prepare(None, tmp_path) == demo
    assert {i.instrument_id: demo.rows_of(n)["bar"] for n, i in enumerate(demo.instruments)} == {
        "AAPL.XNAS": 3270,
        "FB.XNAS": 196,
        "GOOG.XNAS": 2148,
        "IBM.XNYS": 3270,
        "MSFT.XNAS": 3270,
    }
    bars = demo.read("bar")
    close = pl.col("close_px")
    moves = bars.select("instrument", move=close / close.shift(1).over("instrument") - 1)
    by_split = {"2000-06-21": 0, "2005-02-28": 0, "2003-02-18": 4}  # AAPL twice, MSFT
    day = bars["open_time_ns"].cast(pl.Datetime("ns")).dt.strftime("%Y-%m-%d")
    for date, instrument in by_split.items():
        move = moves.filter((day == date) & (bars["instrument"] == instrument))["move"][0]
        assert abs(move) < 0.1, f"{date}: a split is not a loss"
    # 2000-03-01 of AAPL: open 118.56, close 130.31, adjusted close 31.68.
    aapl = bars.filter(bars["instrument"] == 0).row(0, named=True)
    assert (aapl["open_px"], aapl["close_px"]) == (round(118.56 * 31.68 / 130.31 * 1e4), 316800)
