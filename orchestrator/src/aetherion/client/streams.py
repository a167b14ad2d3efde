"""The two long-lived streams of a live client: market data down, orders up and down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aetherion.client.channel import Duplex
from aetherion.client.columns import batch_of
from aetherion.client.convert import ack_of, command_message, instruments_of
from aetherion.market_data import Batch, MarketDataKind
from aetherion.order import CommandAck, OrderCommand
from aetherion.v1 import trading_api_pb2, trading_api_pb2_grpc

if TYPE_CHECKING:
    from aetherion.client.market import MarketDataCalls


class MarketDataStream:
    """Batches of market data, for `async for`; ends when the recorded data does."""

    def __init__(
        self, client: MarketDataCalls, stub: trading_api_pb2_grpc.MarketDataServiceAsyncStub
    ) -> None:
        self._stream = Duplex(client, stub.StreamMarketData())
        self._wanted: trading_api_pb2.StreamMarketDataRequest | None = None

    def subscribe(
        self,
        instrument_ids: Sequence[str] = (),
        kinds: Sequence[MarketDataKind] = (),
        max_batch_rows: int = 0,
    ) -> None:
        """Replace what the stream carries, from the next batch read on; empty means all."""
        self._wanted = trading_api_pb2.StreamMarketDataRequest(
            instrument_ids=instrument_ids,
            kinds=[k.value for k in kinds],  # type: ignore[misc]  # the same numbers, tested
            max_batch_rows=max_batch_rows,
        )

    async def __aiter__(self) -> AsyncIterator[Batch]:
        try:
            while True:
                if self._wanted is not None:
                    wanted, self._wanted = self._wanted, None
                    await self._stream.send(wanted)
                response = await self._stream.receive()
                if response is None:
                    return
                if response.batch.row_count:
                    yield batch_of(response.batch)
                if response.end_of_data:
                    return
        finally:
            self._stream.cancel()


class OrderStream:
    """The order path: commands up, one acknowledgement of each down, in their order."""

    def __init__(
        self, client: MarketDataCalls, stub: trading_api_pb2_grpc.OrderServiceAsyncStub
    ) -> None:
        self._client = client
        self._stream = Duplex(client, stub.SubmitOrders())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.cancel()

    async def send(self, commands: Iterable[OrderCommand]) -> None:
        """Send commands; their acknowledgements come in the same order, without waiting here."""
        batch = list(commands)
        await self._client.learn(i for c in batch for i in instruments_of(c))
        messages = [command_message(c, self._client.known) for c in batch]
        await self._stream.send(trading_api_pb2.SubmitOrdersRequest(commands=messages))

    async def receive(self) -> tuple[CommandAck, ...]:
        """Return the next acknowledgements; empty when the service ended the stream."""
        response = await self._stream.receive()
        return () if response is None else tuple(map(ack_of, response.acks))
