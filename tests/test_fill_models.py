"""The fill models beside hftbacktest: the same recorded file, the same orders, the same fills."""

from __future__ import annotations

import csv
import gzip
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

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


def write_orders(path: Path, prices: list[tuple[int, int]], start: int, end: int) -> None:
    """Write orders at, around and through the last price, and cancels of two in three."""
    draw = random.Random(1)
    script: list[tuple[int, int, str, str, str, str]] = []
    for order_id in range(1, ORDERS + 1):
        time = draw.randrange(start, end)
        tick = next(price for at, price in reversed(prices) if at <= time)
        side, off = draw.choice("BS"), draw.choice([-3, 0, 0, 0, 1, 1, 2, 5, 10])
        tick += off if side == "S" else -off
        size = f"0.{draw.randint(1, 20):03}"
        script.append((time, order_id, "new", side, f"{tick // 10}.{tick % 10}", size))
        if draw.random() < 2 / 3:
            canceled = time + draw.randrange(SECOND // 2, 30 * SECOND)
            if canceled < end:
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
