"""The fill models beside hftbacktest: the same recorded file, the same orders, the same fills."""

from __future__ import annotations

import csv
import gzip
import json
import random
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from naive_fifo import SizedFill, naive_fills

from processes import aetherion

ROOT = Path(__file__).parent.parent
OURS = ROOT / "bin" / "queue-fills"
THEIRS = ROOT / ".stamps" / "venv-hftbacktest" / "bin" / "python"
MODELS = ("risk-averse", "log", "power")
LATENCY_NS = 10_000_000
ORDERS = 1_500
SECOND = 1_000_000_000

Fill = tuple[int, int, str]  # time, price in ticks, whether it rested
Fills = dict[int, Fill]  # by order


@dataclass(frozen=True)
class Recording:
    """A cut of a recorded book with its trades, and a script of orders for it."""

    book: Path
    trades: Path
    orders: Path

    def arguments(self, dashes: str) -> list[str]:
        return [
            *(f"{dashes}{name}={getattr(self, name)}" for name in ("book", "trades", "orders")),
            f"{dashes}latency={LATENCY_NS}",
        ]


@pytest.fixture(scope="module")
def recording(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The first two minutes of a BTCUSDT perpetual, and orders around its last price."""
    folder, name = tmp_path_factory.mktemp("recording"), "binance_usdm_btcusdt_20240808"
    book = lines(shared / "data" / "l2" / f"{name}_l2.csv.gz")[:150_000]
    start = next(event_time(line) for line in book[1:] if line.split(",")[5] == "1")
    end = event_time(book[-1])
    trades = lines(shared / "data" / "trades" / f"{name}_trades.csv.gz")
    trades = trades[:1] + [line for line in trades[1:] if start <= event_time(line) <= end]
    result = Recording(folder / "book.csv", folder / "trades.csv", folder / "orders.csv")
    result.book.write_text("".join(book))
    result.trades.write_text("".join(trades))
    prices = [(event_time(line), round(float(line.split(",")[3]) * 10)) for line in trades[1:]]
    write_orders(result.orders, prices, start + SECOND, end - 5 * SECOND)
    return result


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt") as file:
        return file.readlines()


def event_time(line: str) -> int:
    return int(line.split(",")[1])


def write_orders(
    path: Path,
    prices: list[tuple[int, int]],
    start: int,
    end: int,
    *,
    decimals: int = 1,
    count: int = ORDERS,
    patience_s: int = 30,
) -> None:
    """Write orders at, around and through the last price, and cancels of two in three.

    All is decided at the time of a trade, which a strategy sees.
    """
    draw = random.Random(1)
    times = [at for at, _ in prices]
    script: list[tuple[int, int, str, str, str, str]] = []
    for order_id in range(1, count + 1):
        at = bisect_right(times, draw.randrange(start, end)) - 1
        time, tick = prices[at]
        side, off = draw.choice("BS"), draw.choice([-3, 0, 0, 0, 1, 1, 2, 5, 10])
        tick += off if side == "S" else -off
        size = f"0.{draw.randint(1, 20):03}"
        price = str(Decimal(tick).scaleb(-decimals))
        script.append((time, order_id, "new", side, price, size))
        if draw.random() < 2 / 3:
            canceled = times[
                bisect_right(times, time + draw.randrange(SECOND, patience_s * SECOND)) - 1
            ]
            if time + SECOND // 2 < canceled < end:
                script.append((canceled, order_id, "cancel", "", "", ""))
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("decided_ns", "order_id", "action", "side", "price", "size"))
        rows.writerows(sorted(script))


def output(*command: str | Path) -> list[dict[str, str]]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(done.stdout.splitlines()))


@pytest.fixture(scope="module")
def theirs(recording: Recording) -> dict[str, Fills]:
    """hftbacktest's fills of all models, from one process, since numba compiles for seconds."""
    script = Path(__file__).parent / "reference" / "hftbacktest_fills.py"
    models = [f"--model={model}" for model in MODELS]
    fills: dict[str, Fills] = {model: {} for model in MODELS}
    for row in output(THEIRS, script, *recording.arguments("--"), "--tick=0.1", *models):
        fills[row["model"]][int(row["order_id"])] = fill(row)
    return fills


def ours(recording: Recording, model: str, *options: str) -> Fills:
    rows = output(
        OURS, *recording.arguments("-"), f"-model={model}", "-price-scale=1", "-whole", *options
    )
    return {int(row["order_id"]): fill(row) for row in rows}


def fill(row: dict[str, str]) -> Fill:
    return int(row["transact_time_ns"]), int(row["last_px"]), row["maker"]


@pytest.mark.parametrize("model", MODELS)
def test_fills_equal_hftbacktests(
    model: str, recording: Recording, theirs: dict[str, Fills]
) -> None:
    """Order by order: which fill, when and at which price. None differs."""
    fills = ours(recording, model)
    assert fills == theirs[model]
    makers = sum(maker == "true" for _, _, maker in fills.values())
    assert makers > ORDERS / 2, "most orders rest, or nothing was compared"
    assert len(fills) - makers > ORDERS / 50, "some take"
    assert len(fills) < ORDERS, "some are canceled in time"


def test_models_differ(theirs: dict[str, Fills]) -> None:
    """The recording tells the models apart, so that equal fills mean equal models."""
    for one, other in (("risk-averse", "log"), ("log", "power"), ("risk-averse", "power")):
        both = theirs[one].keys() & theirs[other].keys()
        differ = sum(theirs[one][order] != theirs[other][order] for order in both)
        assert differ > 10, f"{one} and {other} differ in {differ} of {len(both)} fills"


STRATEGY = """
import csv
import json
from pathlib import Path

from aetherion import Strategy


class Script(Strategy):
    def on_start(self):
        with Path(__file__).with_name("orders.csv").open() as file:
            self.lines = list(csv.DictReader(file))
        self.sent = {}

    def on_trade(self, trade):
        while self.lines and int(self.lines[0]["decided_ns"]) <= trade.transact_time_ns:
            line = self.lines.pop(0)
            number = line["order_id"]
            if line["action"] == "new":
                send = self.buy if line["side"] == "B" else self.sell
                self.sent[number] = send(trade.instrument_id, line["size"], line["price"])
            elif self.sent[number] in self.orders:
                self.cancel(self.sent[number])

    def on_stop(self):
        Path(__file__).with_name("sent.json").write_text(json.dumps(self.sent))
"""


@pytest.mark.parametrize("model", [None, *MODELS])
def test_a_backtest_on_depth_fills_the_same(
    model: str | None, recording: Recording, tmp_path: Path
) -> None:
    """Import, replay, risk and venue in between change no fill: the same as of the bare model.

    That the models differ in this recording is `test_models_differ`'s to say.
    """
    data = tmp_path / "data"
    data.mkdir()
    for kind in ("book", "trades"):
        source: Path = getattr(recording, kind)
        (data / f"binance_usdm_btcusdt_20240808_{kind}.csv").write_bytes(source.read_bytes())
    chosen = () if model is None else ("--queue-model", model)
    got = backtest_fills(data, recording.orders, tmp_path, (1, 3), *chosen)
    bare = f"-model={model or 'risk-averse'}"
    assert got == bare_fills(*recording.arguments("-"), "-price-scale=1", bare)
    assert len(got) > ORDERS


def backtest_fills(
    data: Path, orders: Path, folder: Path, scales: tuple[int, int], *options: str
) -> list[SizedFill]:
    """Play a script of orders in `aetherion run`; return what filled, sorted."""
    (folder / "script.py").write_text(STRATEGY)
    script = orders.read_bytes()
    (folder / "orders.csv").write_bytes(script)
    done = aetherion(
        *("run", "--json", "--out", "out", "--data", str(data)),
        *("--strategy", "script.py:Script"),
        *("--latency-ms", str(LATENCY_NS / 1e6), "--max-volume-share-bps", "10000"),
        *options,
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["orders"] == script.count(b",new,")
    sent = json.loads((folder / "sent.json").read_text())
    numbers = {cl_ord_id: int(order_id) for order_id, cl_ord_id in sent.items()}
    with (folder / "out" / "fills.csv").open() as file:
        return sorted(
            (*backtest_fill(row, *scales), numbers[row["cl_ord_id"]])
            for row in csv.DictReader(file)
        )


def backtest_fill(
    row: dict[str, str], price_scale: int, qty_scale: int
) -> tuple[int, int, str, int]:
    px, qty = (
        Decimal(row["last_px"]).scaleb(price_scale),
        Decimal(row["last_qty"]).scaleb(qty_scale),
    )
    maker = str(row["liquidity"] == "ADDED").lower()
    return int(row["transact_time_ns"]), int(px), maker, int(qty)


def bare_fills(*arguments: str) -> list[SizedFill]:
    rows = output(OURS, *arguments)
    return sorted((*fill(row), int(row["last_qty"]), int(row["order_id"])) for row in rows)


def test_a_queue_model_that_says_nothing_is_refused(tmp_path: Path) -> None:
    unknown = aetherion("run", "--queue-model", "best", folder=tmp_path)
    assert unknown.returncode == 2
    said = " ".join(unknown.stderr.replace("│", "").split())
    assert "'best' is not one of 'risk-averse', 'log', 'power'" in said
    (tmp_path / "acme.csv").write_text("date,open,high,low,close,volume\n2024-01-02,1,2,1,2,9\n")
    bars = aetherion("run", "--data", "acme.csv", "--queue-model", "log", folder=tmp_path)
    assert bars.returncode == 1
    assert "queue_model: must be left out where the data has no levels" in bars.stderr


def test_orders_of_a_recorded_book_fill_when_their_turn_has_come(
    shared: Path, tmp_path: Path
) -> None:
    """Bitstamp's orders of 2015: a resting order fills when its side trades, or when crossed."""
    book = shared / "data" / "l3" / "bitstamp_btcusd_20150501_l3.csv.gz"
    with gzip.open(book, "rt") as file:
        recorded = list(csv.DictReader(file))
    draw = random.Random(1)
    script: dict[int, tuple[int, str, Decimal, Decimal]] = {}
    times = sorted(draw.randrange(len(recorded) // 20, len(recorded)) for _ in range(400))
    for order_id, at in enumerate(times, 1):
        near = next(row for row in recorded[at::-1] if row["action"] == "modify")
        price = Decimal(near["price"]) + Decimal(draw.randint(-10, 10)) / 100
        size = Decimal(draw.randint(1, 50)) / 10
        script[order_id] = (int(recorded[at]["ts_recv_ns"]), draw.choice("BS"), price, size)
    with (tmp_path / "orders.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("decided_ns", "order_id", "action", "side", "price", "size"))
        rows.writerows((time, i, "new", *order) for i, (time, *order) in script.items())
    events: dict[int, list[dict[str, str]]] = {}
    for row in recorded:
        events.setdefault(int(row["ts_recv_ns"]), []).append(row)

    files = (f"-book={book}", f"-orders={tmp_path / 'orders.csv'}")
    leaves = {order_id: order[3] for order_id, order in script.items()}
    resting = 0
    for filled in output(OURS, "-model=fifo", "-qty-scale=8", *files):
        order_id, time = int(filled["order_id"]), int(filled["transact_time_ns"])
        arrival, side, price, _ = script[order_id]
        leaves[order_id] -= Decimal(filled["last_qty"]).scaleb(-8)
        assert leaves[order_id] >= 0
        if filled["maker"] == "false":
            assert time == arrival
            continue
        resting += 1
        assert Decimal(filled["last_px"]).scaleb(-2) == price
        assert time > arrival
        assert any(gives_a_turn(row, side, price) for row in events[time]), filled
    assert resting > 100
    assert sum(left > 0 for left in leaves.values()) > 20, "some wait for ever"


def gives_a_turn(row: dict[str, str], side: str, price: Decimal) -> bool:
    """Say whether a row can fill a resting order: its side lost or traded, or it was crossed."""
    if (row["side"] == "B") == (side == "B"):
        return row["action"] != "add"
    crosses = Decimal(row["price"]) <= price if side == "B" else Decimal(row["price"]) >= price
    return row["action"] != "delete" and crosses  # a modify may move an order across ours


def test_a_backtest_on_recorded_orders_fills_the_same(shared: Path, tmp_path: Path) -> None:
    """Bitstamp's orders of 2015 and their trades, imported as they are: the bare model's fills.

    And those of a naive one, which tells the rules anew.
    """
    files = {
        kind: shared / "data" / "l3" / f"bitstamp_btcusd_20150501_{kind}.csv.gz"
        for kind in ("l3", "trades")
    }
    data = tmp_path / "data"
    data.mkdir()
    for file in files.values():
        (data / file.name).symlink_to(file)
    trades = [line.split(",") for line in lines(files["trades"])[1:]]
    orders = tmp_path / "script.csv"
    prices = [(int(line[0]), round(Decimal(line[3]) * 100)) for line in trades]
    write_orders(
        orders, prices, prices[20][0], prices[-20][0], decimals=2, count=400, patience_s=1_200
    )
    got = backtest_fills(data, orders, tmp_path, (2, 8))
    arguments = (f"-book={files['l3']}", f"-orders={orders}", f"-latency={LATENCY_NS}")
    assert got == bare_fills("-model=fifo", "-qty-scale=8", *arguments)
    with gzip.open(files["l3"], "rt") as book, orders.open() as script:
        recorded, commands = list(csv.DictReader(book)), list(csv.DictReader(script))
    assert got == naive_fills(recorded, commands, LATENCY_NS, (2, 8))
    assert sum(maker == "true" for _, _, maker, _, _ in got) > 150
