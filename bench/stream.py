"""Rows a second from the Trading Service to Python, beside a bare gRPC stream of the same bytes.

Run by `make bench-stream`. A million synthetic quotes (fixed seed) are streamed three ways in turn,
five times: to a handler of a strategy in a backtest, one call a row; as numpy columns, one sum a
batch; and, by a server that does nothing else, as the recorded bytes of those same messages.
"""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
from grpc import aio

from aetherion import Quote, Strategy
from aetherion.backtest.runner import RunConfig, run_backtest
from aetherion.client import RiskClient, TradingClient
from aetherion.data import DataSet, prepare
from aetherion.market_data import ColumnId
from results import row, write

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from processes import BIN, Service, free_port, risk_service, trading_service

ROWS = 1_000_000
REPETITIONS = 5
METHOD = "/aetherion.v1.MarketDataService/StreamMarketData"


class Count(Strategy):
    """Counts quotes: the least that a handler can do."""

    seen: int = 0

    def on_quote(self, quote: Quote) -> None:
        """Count one quote."""
        self.seen += 1


def make_data(folder: Path) -> DataSet:
    """Import a million quotes of a random walk."""
    generator = np.random.default_rng(1)
    bid = 10_000 + np.cumsum(generator.integers(-1, 2, ROWS)).clip(-9_000)
    frame = pl.DataFrame(
        {
            "ts_event_ns": 1_700_000_000_000_000_000 + np.arange(ROWS) * 1_000_000,
            "bid_price": bid,
            "bid_size": generator.integers(1, 100, ROWS),
            "ask_price": bid + 1,
            "ask_size": generator.integers(1, 100, ROWS),
        }
    )
    path = folder / "WALK.SIM_quotes.parquet"
    frame.write_parquet(path)
    return prepare(path, folder / "data")


async def to_handler(data: DataSet, trading: Service, risk: Service) -> float:
    """Return rows a second to `on_quote`."""
    strategy = Count()
    async with TradingClient(trading.address) as client, RiskClient(risk.address) as risk_client:
        config = RunConfig(name="bench", data_set=data.name)
        begin = time.perf_counter()
        await run_backtest(client, risk_client, strategy, data.instruments, config)
        elapsed_s = time.perf_counter() - begin
    assert strategy.seen == ROWS
    return ROWS / elapsed_s


async def to_columns(trading: Service) -> float:
    """Return rows a second to numpy columns."""
    rows, total = 0, 0
    async with TradingClient(trading.address) as client:
        begin = time.perf_counter()
        async for batch in client.stream_market_data():
            rows += batch.row_count
            total += int(batch.columns[ColumnId.BID_PX].sum())
        elapsed_s = time.perf_counter() - begin
    assert rows == ROWS
    assert total > 0
    return rows / elapsed_s


async def raw_messages(address: str) -> AsyncIterator[bytes]:
    """Yield the messages of a stream of all market data as the bytes they are."""
    options = [("grpc.max_receive_message_length", -1)]
    async with aio.insecure_channel(address, options=options) as channel:
        call: aio.StreamStreamCall[bytes, bytes] = channel.stream_stream(METHOD)()
        await call.write(b"")
        await call.done_writing()
        async for message in call:
            yield message


async def record(trading: Service, path: Path) -> None:
    """Write the messages of a stream to a file, each behind its length."""
    with path.open("wb") as file:
        async for message in raw_messages(trading.address):
            file.write(struct.pack("<I", len(message)) + message)


async def bare(address: str) -> float:
    """Return rows a second of the bare stream."""
    size = 0
    begin = time.perf_counter()
    async for message in raw_messages(address):
        size += len(message)
    elapsed_s = time.perf_counter() - begin
    assert size > ROWS
    return ROWS / elapsed_s


@contextmanager
def bare_server(messages: Path) -> Iterator[str]:
    """Run the server that plays recorded messages; yield its address."""
    command = [str(BIN / "bench-bare-stream"), "-messages", str(messages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


async def measure(folder: Path) -> tuple[list[float], list[float], list[float]]:
    """Return handlers', columns' and bare rates, one of each a repetition."""
    data = make_data(folder)
    messages = folder / "messages"

    def trading(risk: Service) -> Service:
        # A replay plays once: each stream of it has a service of its own.
        return trading_service(
            folder,
            free_port(),
            risk.address,
            AETHERION_TRADING_DATA_DIR=str(folder / "data"),
            AETHERION_TRADING_REPLAY_DATA_SET=data.name,
        )

    handlers, columns, floors = [], [], []
    with risk_service(folder, free_port()) as risk:
        with trading(risk) as service:
            await record(service, messages)
        for _ in range(REPETITIONS):
            with trading(risk) as service:
                handlers.append(await to_handler(data, service, risk))
                columns.append(await to_columns(service))
            with bare_server(messages) as address:
                floors.append(await bare(address))
    return handlers, columns, floors


def main() -> None:
    """Measure and write the results."""
    with tempfile.TemporaryDirectory() as folder:
        handlers, columns, floors = asyncio.run(measure(Path(folder)))
    floor = "bare gRPC stream of the same bytes"
    write(
        "stream",
        "Market data from Go to Python",
        "make bench-stream",
        [
            row("rows to a Python handler, one call each", "rows/s", handlers, floor, floors),
            row("rows to numpy columns", "rows/s", columns, floor, floors),
        ],
        f"{ROWS:,} quotes, {REPETITIONS} repetitions of each in turn. The handler's rate includes "
        "opening and checking the data set.",
    )


if __name__ == "__main__":
    main()
