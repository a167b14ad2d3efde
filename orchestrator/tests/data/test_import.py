"""Imports: what comes out, and what is refused with file, row, field, rule and value."""

import json
import tempfile
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from aetherion.data import DataError, ImportOptions, import_files, load, prepare
from aetherion.data import options as data_options
from aetherion.v1 import instrument_pb2

BARS = "date,open,high,low,close,volume\n"
TRADES = "ts_recv_ns,ts_event_ns,price,size,aggressor\n"
QUOTES = "ts_event_ns,bid_price,bid_size,ask_price,ask_size\n"
T0 = 1_700_000_000_000_000_000

HOSTILE = (
    *("", " ", "0", "-1", "1.5", "nan", "inf", "1e400", "1e-400", "1e25", "1e-25", "-0", "1e5"),
    *("9" * 18, "9" * 19, "9" * 120, "0." + "1" * 90, "9.9999999999999999", "0x1", "1_0"),
    *("2024-01-02", "2024-01-02T12:00", "9999-12-31", "24:00", "12:00Z", "17000000", str(T0)),
    *("é", '"', "\x00", "A.B", "a,b", "B", "\r"),
)


def _file(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _refused(tmp_path: Path, text: str, options: ImportOptions | None = None) -> str:
    """Import a file `f.csv`, which must be refused without leaving anything; return why."""
    path = _file(tmp_path / "in", "f.csv", text)
    with pytest.raises(DataError) as caught:
        import_files([path], tmp_path / "out", options=options)
    assert not (tmp_path / "out").exists()
    return str(caught.value)


def test_daily_bars_close_the_next_midnight(tmp_path: Path) -> None:
    text = BARS + "2024-01-02,10.0,12.5,9.99,11,100\n2024-01-03,11,11,11,11,0\n"
    made = import_files([_file(tmp_path, "ACME.csv", text)], tmp_path / "out")
    (acme,) = made.instruments
    assert (acme.instrument_id, acme.price_scale, acme.qty_scale) == ("ACME.SIM", 2, 0)
    day = 86_400 * 10**9
    first = 1_704_153_600 * 10**9  # 2024-01-02
    assert made.read("bar").rows() == [
        (0, first, first + day, 1000, 1250, 999, 1100, 100),
        (0, first + day, first + 2 * day, 1100, 1100, 1100, 1100, 0),
    ]


def test_intraday_bars_take_the_commonest_spacing_and_never_overlap(tmp_path: Path) -> None:
    opens = [0, 60, 120, 180, 300, 330, 390]  # a gap, then one early bar
    rows = "".join(f"{1_700_000_000 + t},5,5,5,5,1\n" for t in opens)
    text = "time,open,high,low,close,volume\n" + rows
    bars = import_files([_file(tmp_path, "A.csv", text)], tmp_path / "out").read("bar")
    closes = [(t - T0) // 10**9 for t in bars["transact_time_ns"]]
    assert closes == [60, 120, 180, 240, 330, 390, 450]


def test_a_day_and_a_time_of_day_may_be_two_columns(tmp_path: Path) -> None:
    text = "Date,Time,Open,High,Low,Close,Volume\n"
    text += "".join(f"2024-01-02,09:3{n}:00,5,5,5,5,1\n" for n in range(3))
    bars = import_files([_file(tmp_path, "A.csv", text)], tmp_path / "out").read("bar")
    seconds = [t // 10**9 - 1_704_153_600 for t in bars["transact_time_ns"]]
    assert seconds == [9 * 3600 + (31 + n) * 60 for n in range(3)]


def test_quotes_may_have_an_empty_side_or_no_sizes(tmp_path: Path) -> None:
    text = QUOTES + f"{T0},1.10,5,,\n{T0},1.10,5,1.2,7\n"
    made = import_files([_file(tmp_path, "EURUSD.csv", text)], tmp_path / "out")
    assert made.read("quote").rows() == [
        (0, T0, 0, 11, 5, None, None),
        (0, T0, 0, 11, 5, 12, 7),
    ]
    text = f"ts_event_ns,bid,ask\n{T0},1.1,1.2\n"
    made = import_files([_file(tmp_path, "GBPUSD.csv", text)], tmp_path / "out")
    assert made.read("quote").rows() == [(0, T0, 0, 11, None, 12, None)]


def test_trades_know_who_took(tmp_path: Path) -> None:
    rows = "".join(f"{T0 + i},{T0},5,1,{side}\n" for i, side in enumerate(["B", "sell", "", "2"]))
    made = import_files([_file(tmp_path, "A.csv", TRADES + rows)], tmp_path / "out")
    assert made.read("trade")["aggressor_side"].to_list() == [1, 2, 0, 2]
    text = f"time,price,qty,is_buyer_maker\n{T0},5,1,True\n{T0},5,1,false\n"
    made = import_files([_file(tmp_path, "B.csv", text)], tmp_path / "out")
    assert made.read("trade")["aggressor_side"].to_list() == [2, 1]


def test_event_times_that_step_back_give_way_to_receive_times(tmp_path: Path) -> None:
    rows = f"{T0 + 1},{T0 + 9},5,1,B\n{T0 + 2},{T0 + 8},6,1,B\n{T0 + 3},{T0 + 10},7,1,B\n"
    made = import_files([_file(tmp_path, "A.csv", TRADES + rows)], tmp_path / "out")
    trades = made.read("trade")
    assert trades["transact_time_ns"].to_list() == [T0 + 1, T0 + 2, T0 + 3]
    assert trades["trade_px"].to_list() == [5, 6, 7]
    assert made.time_source == {"A.SIM": "receive"}
    assert made.notes == ("A.SIM: trades are timed by receive time: event times step back 1 times",)


def test_quotes_and_trades_of_an_instrument_share_a_clock(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    quotes = "ts_recv_ns,ts_event_ns,bid,ask\n" + f"{T0 + 5},,5,6\n"  # no event times
    _file(folder, "A_quotes.csv", quotes)
    _file(folder, "A_trades.csv", TRADES + f"{T0 + 6},{T0 + 1},5,1,B\n")
    made = import_files([folder], tmp_path / "out")
    assert made.kinds == ("quote", "trade")
    assert made.read("trade")["transact_time_ns"].to_list() == [T0 + 6]
    _file(folder, "A_trades.csv", f"ts_event_ns,price,size\n{T0 + 1},5,1\n")
    with pytest.raises(DataError, match="must share a clock"):
        import_files([folder], tmp_path / "out")


def test_many_files_and_symbols_are_one_set_in_time_order(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    _file(folder, "a.csv", "symbol," + BARS + "Y,2024-01-02,1,1,1,1,1\nX,2024-01-02,2,2,2,2,1\n")
    _file(folder, "b.csv", "ticker," + BARS + "X,2024-01-03,3.5,3.5,3.5,3.5,1\n")
    made = import_files([folder], tmp_path / "out")
    assert [i.instrument_id for i in made.instruments] == ["X.SIM", "Y.SIM"]
    assert made.read("bar").select("instrument", "close_px").rows() == [(0, 20), (1, 1), (0, 35)]
    assert made.rows_of(0) == {"bar": 2}


def test_rows_of_equal_time_keep_the_order_of_the_file(tmp_path: Path) -> None:
    rows = "".join(f"{T0},{T0},{price},1,B\n" for price in (9, 1, 5, 3, 7))
    made = import_files([_file(tmp_path, "A.csv", TRADES + rows)], tmp_path / "out")
    assert made.read("trade")["trade_px"].to_list() == [9, 1, 5, 3, 7]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ("2024-01-02,1,2,1,x,5\n", "f.csv: row 2: close: must be a finite decimal number, got x"),
        ("2024-01-02,1,2,1,NaN,5\n", "f.csv: row 2: close: must be a finite decimal number"),
        ("2024-01-02,1,inf,1,1,5\n", "f.csv: row 2: high: must be a finite decimal number"),
        ("2024-01-02,1,2,1,,5\n", "f.csv: row 2: close: must not be empty, got nothing"),
        ("2024-01-02,1,2,1,1\n", "f.csv: row 2: volume: must not be empty"),
        ("2024-01-02,1,2,1,1,5,6\n", "f.csv: row 2: must have 6 fields like the header, got 7"),
        ("2024-01-02,1,2,0,1,5\n", "f.csv: row 2: low: must be positive, got 0"),
        ("2024-01-02,-1,2,-1,1,5\n", "f.csv: row 2: open: must be positive, got -1"),
        ("2024-01-02,1,1,2,1,5\n", "f.csv: row 2: high: must not be below low 2, got 1"),
        ("2024-01-02,3,2,1,1,5\n", "f.csv: row 2: open: must be between low 1 and high 2, got 3"),
        ("2024-01-02,1,2,1,1,-5\n", "f.csv: row 2: volume: must not be negative, got -5"),
        (",1,1,1,1,1\n", "f.csv: row 2: date: must not be empty"),
        ("soon,1,1,1,1,1\n", "f.csv: row 2: date: must be a time"),
        ("1950-01-03,1,1,1,1,1\n", "f.csv: row 2: date: must be after 1970-01-01"),
        (
            "2024-01-03,1,1,1,1,1\n2024-01-02,1,1,1,1,1\n",
            "f.csv: row 3: time: must not be before 2024-01-03T00:00:00Z, got 2024-01-02T00:00:00Z",
        ),
        (
            "2024-01-03,1,1,1,1,1\n2024-01-03,1,1,1,1,1\n",
            "f.csv: row 3: time: must be later than that of the bar before, got 2024-01-03",
        ),
        ("2024-01-02,1,1,1,1,1e19\n", "f.csv: row 2: volume: must fit 64 bits in units of 1e-0"),
        ("2024-01-02,.1234567890123456789,1,.1,1,1\n", "must be at most 18 together"),
        ("", "f.csv: must have rows, got none"),
    ],
)
def test_bad_bars_are_named(tmp_path: Path, rows: str, line: str) -> None:
    assert line in _refused(tmp_path, BARS + rows)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "f.csv: must have rows, got none"),
        ("1,2,3\n4,5,6\n", "f.csv: row 1: must name the columns"),
        ("date,close,close\n", "row 1: column 'close' must be unique"),
        (TRADES + f"{T0},{T0},5,1,maybe\n", "row 2: aggressor: must be one of"),
        (TRADES + f",{T0 + 1},5,1,B\n,{T0},5,1,B\n", "row 3: event time: must not be before"),
        (TRADES + f",,5,1,B\n{T0},{T0},5,1,B\n", "row 2: event time: must not be empty"),
        (QUOTES + f"{T0},0,1,1,1\n", "row 2: bid_price: must be positive, got 0"),
        (QUOTES + f"{T0},1,-1,1,1\n", "row 2: bid_size: must not be negative, got -1"),
        ("symbol," + BARS + ",2024-01-02,1,1,1,1,1\n", "row 2: symbol: must not be empty"),
        (BARS.replace("date", "time") + f"{T0},1,1,1,1,1\n", "one bar alone does not show"),
    ],
)
def test_other_bad_files_are_named(tmp_path: Path, text: str, line: str) -> None:
    assert line in _refused(tmp_path, text)


def test_twenty_problems_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    rows = "".join(f"2024-01-{day:02},1,1,1,nan,-1\n" for day in range(1, 31))
    lines = _refused(tmp_path, BARS + rows).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("f.csv: row 2: close")
    assert lines[-1] == "... and 10 more problems"


def test_what_is_not_a_file_of_data(tmp_path: Path) -> None:
    bad = _file(tmp_path, "x.parquet", "not parquet")
    for path, message in (
        (tmp_path / "none.csv", "no such file"),
        (_file(tmp_path, "x.txt", "a"), "must be one of"),
        (bad, "x.parquet: cannot be read"),
        (_file(tmp_path, "x.csv.gz", "not gzip"), "x.csv.gz: cannot be read"),
        (_file(tmp_path / "empty", "note.md", "").parent, "must hold files of"),
    ):
        with pytest.raises(DataError, match=message):
            import_files([path], tmp_path / "out")
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(DataError, match=r"b\.csv: cannot be read"):
        import_files([binary], tmp_path / "out")


@given(st.data())
def test_no_input_does_more_than_be_refused(data: st.DataObject) -> None:
    header, good = data.draw(
        st.sampled_from(
            [
                (BARS, f"{T0},5,6,4,5,1"),
                (TRADES, f"{T0},{T0},5,1,B"),
                (QUOTES, f"{T0},5,1,6,1"),
                ("symbol," + BARS, f"A,{T0},5,6,4,5,1"),
            ]
        )
    )
    rows = [good.replace(str(T0), str(T0 + n)).split(",") for n in range(3)]
    for _ in range(data.draw(st.integers(1, 3))):
        row = rows[data.draw(st.integers(0, 2))]
        row[data.draw(st.integers(0, len(row) - 1))] = data.draw(st.sampled_from(HOSTILE))
    text = header + "\n".join(",".join(row) for row in rows)
    options = data.draw(
        st.sampled_from(
            [ImportOptions(), ImportOptions(price_scale=2, round=True), ImportOptions(strict=True)]
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        path = _file(Path(folder), "f.csv", text)
        try:
            made = import_files([path], Path(folder) / "out", options=options)
        except DataError:
            assert not (Path(folder) / "out").exists()
        else:
            assert load(made.path) == made


def test_nested_columns_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "A.parquet"
    pl.DataFrame({"time": [T0], "price": [[1.0, 2.0]], "size": [1]}).write_parquet(path)
    with pytest.raises(DataError, match="column price: must be numbers, text or times"):
        import_files([path], tmp_path / "out")


def test_crossed_quotes_are_counted_or_refused(tmp_path: Path) -> None:
    text = QUOTES + f"{T0},2,1,1,1\n{T0},1,1,2,1\n"
    made = import_files([_file(tmp_path / "in", "f.csv", text)], tmp_path / "warned")
    assert made.notes == ("f.csv: 1 of 2 quotes are crossed (bid above ask)",)
    why = _refused(tmp_path, text, ImportOptions(strict=True))
    assert why == "f.csv: row 2: bid_price: must not be above ask_price 1, got 2"


def test_negative_prices_need_leave(tmp_path: Path) -> None:
    text = BARS + "2020-04-20,10,10,-40.32,-37.63,5\n"
    assert "low: must be positive, got -40.32" in _refused(tmp_path, text)
    options = ImportOptions(allow_negative_price=True)
    made = import_files([_file(tmp_path, "CL.csv", text)], tmp_path / "out", options=options)
    assert made.read("bar")["close_px"].to_list() == [-3763]
    assert made.instruments[0].allow_negative_price


def test_scales_and_rounding_may_be_given(tmp_path: Path) -> None:
    text = BARS + "2024-01-02,74.05999755859375,75,74,74.5,100\n"
    why = _refused(tmp_path, text, ImportOptions(price_scale=2))
    assert why.startswith("f.csv: row 2: open: must have at most 2 decimals")
    options = ImportOptions(price_scale=2, round=True, tick=Decimal("0.05"), qty_scale=1)
    path = _file(tmp_path, "A.csv", text)
    made = import_files([path], tmp_path / "out", options=options)
    assert made.read("bar").row(0)[3:] == (7406, 7500, 7400, 7450, 1000)
    assert made.instruments[0].price_increment == 5


def test_floats_of_parquet_are_the_decimals_they_print_as(tmp_path: Path) -> None:
    path = tmp_path / "A.parquet"
    frame = {"timestamp": [T0, T0 + 1], "price": [0.1, 1e-7], "size": [1.5, 3.0]}
    pl.DataFrame(frame).write_parquet(path)
    made = import_files([path], tmp_path / "out")
    assert made.read("trade")["trade_px"].to_list() == [1_000_000, 1]
    assert made.instruments[0].price_scale == 7
    pl.DataFrame(frame | {"price": [0.1, float("nan")]}).write_parquet(path)
    with pytest.raises(DataError, match=r"A\.parquet: row 2: price: must be a finite"):
        import_files([path], tmp_path / "out")


def test_adjusting_multiplies_by_adjusted_close_over_close(tmp_path: Path) -> None:
    text = "Date,Open,High,Low,Close,Volume,Adj Close\n2024-01-02,100,104,96,100,7,25.01\n"
    made = import_files(
        [_file(tmp_path / "in", "f.csv", text)],
        tmp_path / "out",
        options=ImportOptions(adjust=True, price_scale=4),
    )
    assert made.read("bar").row(0)[3:] == (250100, 260104, 240096, 250100, 7)
    plain = import_files([tmp_path / "in" / "f.csv"], tmp_path / "out")
    assert plain.notes == ("f.csv: has adjusted closes, which were not used (--adjust)",)


def test_a_fall_like_a_split_is_noted(tmp_path: Path) -> None:
    text = BARS + "2024-01-02,100,100,100,100,1\n2024-01-03,50,50,50,50,1\n"
    made = import_files([_file(tmp_path, "A.csv", text)], tmp_path / "out")
    expected = "A.SIM: closes jump (2024-01-03 -50%): prices not adjusted for splits?"
    assert made.notes == (expected,)


def test_the_files_are_as_the_trading_service_reads_them(tmp_path: Path) -> None:
    rows = "".join(f"{T0 + i},5.{i % 10},1,6,1\n" for i in range(70_000))
    made = import_files([_file(tmp_path, "A.csv", QUOTES + rows)], tmp_path / "out", "named")
    parquet = pq.ParquetFile(made.path / "quotes.parquet")
    groups = [parquet.metadata.row_group(i).num_rows for i in range(parquet.num_row_groups)]
    assert groups == [65_536, 70_000 - 65_536]
    fields = [(f.name, str(f.type), f.nullable) for f in parquet.schema_arrow]
    assert fields == [
        ("instrument", "int32", False),
        ("transact_time_ns", "int64", False),
        ("receive_time_ns", "int64", False),
        ("bid_px", "int64", True),
        ("bid_qty", "int64", True),
        ("ask_px", "int64", True),
        ("ask_qty", "int64", True),
    ]
    manifest = json.loads((made.path / "manifest.json").read_text())
    assert manifest["format"] == "aetherion.dataset/1"
    assert [(f["path"], f["kind"], f["rows"]) for f in manifest["files"]] == [
        ("quotes.parquet", "quote", 70_000)
    ]
    definition = manifest["instruments"][0]
    message = json_format.ParseDict(definition, instrument_pb2.Instrument())
    written = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for ratio in ("multiplier", "maker_fee_ratio", "taker_fee_ratio"):
        assert int(definition[ratio].pop("mantissa")) == int(written[ratio].pop("mantissa"))
    assert {name: written[name] for name in definition} == definition  # the rest has its default


def test_equal_input_gives_equal_bytes(tmp_path: Path) -> None:
    text = BARS + "2024-01-02,1.5,2,1,1,5\n"
    made = [
        import_files([_file(tmp_path / f"in{n}", "A.csv", text)], tmp_path / f"out{n}")
        for n in (1, 2)
    ]
    for name in ("bars.parquet", "manifest.json"):
        assert (made[0].path / name).read_bytes() == (made[1].path / name).read_bytes()
    assert made[0].sha256 == made[1].sha256


def test_an_import_is_kept_until_file_or_options_change(tmp_path: Path) -> None:
    path = _file(tmp_path / "in", "A.csv", BARS + "2024-01-02,1.5,2,1,1,5\n")
    first = import_files([path], tmp_path / "out")
    written = (first.path / "manifest.json").stat().st_mtime_ns
    assert import_files([path], tmp_path / "out") == first
    assert (first.path / "manifest.json").stat().st_mtime_ns == written
    other = import_files([path], tmp_path / "out", options=ImportOptions(price_scale=3))
    assert other.name != first.name
    (first.path / "bars.parquet").write_bytes(b"damaged")
    with pytest.raises(DataError, match="sha256: must be"):
        load(first.path)
    assert load(import_files([path], tmp_path / "out").path) == first


def test_a_named_set_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = _file(tmp_path / "in", "A.csv", BARS + "2024-01-02,1,1,1,1,1\n")
    first = import_files([path], tmp_path / "out", "mine")
    _file(tmp_path / "in", "A.csv", BARS + "2024-01-02,x,1,1,1,1\n")
    with pytest.raises(DataError):
        import_files([path], tmp_path / "out", "mine")
    assert load(tmp_path / "out" / "mine") == first
    _file(tmp_path / "in", "A.csv", BARS + "2024-01-02,2,2,2,2,2\n")
    second = import_files([path], tmp_path / "out", "mine")
    assert second.read("bar")["close_px"].to_list() == [2]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine"]


def test_a_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    path = _file(tmp_path, "A.csv", BARS + "2024-01-02,1,1,1,1,1\n")
    with pytest.raises(DataError, match="cannot be written"):
        import_files([path], path / "out")
    for name in ("..", "a/b", "", ".x"):
        if name:
            with pytest.raises(DataError, match="name: must be"):
                import_files([path], tmp_path / "out", name)


def test_data_may_be_a_file_a_folder_or_a_name(tmp_path: Path) -> None:
    path = _file(tmp_path / "in", "A.csv", BARS + "2024-01-02,1,1,1,1,1\n")
    made = prepare(path, tmp_path / "out")
    assert prepare(path.parent, tmp_path / "out").rows == 1
    assert prepare(Path(made.name), tmp_path / "out") == made
    assert prepare(made.path, tmp_path / "out") == made
    with pytest.raises(DataError, match="must lie in"):
        prepare(made.path, tmp_path / "elsewhere")


def test_manifests_of_others_are_refused(tmp_path: Path) -> None:
    for text, message in (
        ("{", "must be JSON"),
        ("[]", "format: must be"),
        ('{"format": "aetherion.dataset/2"}', "got 'aetherion.dataset/2'"),
        ('{"format": "aetherion.dataset/1"}', "not a manifest"),
    ):
        _file(tmp_path, "manifest.json", text)
        with pytest.raises(DataError, match=message):
            load(tmp_path)
    with pytest.raises(DataError, match="not a data set"):
        load(tmp_path / "none")


def test_options_that_no_file_could_satisfy() -> None:
    with pytest.raises(DataError, match="price_scale: must be from 0 to 18, got 19"):
        ImportOptions(price_scale=19)
    with pytest.raises(
        DataError, match="kind: must be one of bar, quote, trade, level, order, got candle"
    ):
        ImportOptions(kind="candle")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="round: needs price_scale"):
        ImportOptions(round=True)
    with pytest.raises(DataError, match="tick: must be positive"):
        ImportOptions(tick=Decimal(0))
    assert data_options.KINDS == ("bar", "quote", "trade", "level", "order")
