"""How calls fail: which error, and what its one line says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode, aio

from aetherion.client import (
    DeadlineError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    ProtocolError,
    ResourceExhaustedError,
    ServiceError,
    ServiceUnavailableError,
    TradingClient,
)
from aetherion.client.channel import LOST, WRITE_FAILED, Channel, is_target
from aetherion.order import CancelOrder
from aetherion.v1 import (
    admin_api_pb2,
    admin_api_pb2_grpc,
    order_pb2,
    trading_api_pb2,
    trading_api_pb2_grpc,
)

Answer = Callable[[Any, Any], Any]


class Trading(
    admin_api_pb2_grpc.AdminServiceServicer,
    trading_api_pb2_grpc.MarketDataServiceServicer,
    trading_api_pb2_grpc.OrderServiceServicer,
):
    """Fails as it is told to, and serves pages of instruments and a broken stream of reports."""

    def __init__(self, status: StatusCode, delay_s: float) -> None:
        self.status = status
        self.delay_s = delay_s
        self.deadline_s: float | None = None

    async def GetStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.deadline_s = context.time_remaining()
        await asyncio.sleep(self.delay_s)
        if self.status is not StatusCode.OK:
            await context.abort(self.status, "field: must be positive, got 0")
        return admin_api_pb2.GetStatusResponse(version="1")

    async def ListInstruments(self, request: Any, context: Any) -> Any:  # noqa: N802
        page = int(request.page_token or 0)
        names = ["A.X", "B.X", "C.X"]
        instrument = {"instrument_id": names[page], "instrument_class": 1, "price_scale": page}
        following = str(page + 1) if page + 1 < len(names) else ""
        return trading_api_pb2.ListInstrumentsResponse(
            instruments=[instrument],  # type: ignore[list-item]
            next_page_token=following,
        )

    async def GetInstrument(self, request: Any, context: Any) -> Any:  # noqa: N802
        await context.abort(StatusCode.NOT_FOUND, f"no instrument {request.instrument_id}")

    async def StreamExecutionReports(  # noqa: N802
        self, request: Any, context: Any
    ) -> AsyncIterator[trading_api_pb2.StreamExecutionReportsResponse]:
        reports = [
            order_pb2.ExecutionReport(sequence=s, prev_sequence=p)
            for s, p in ((1, 0), (4, 1), (9, 5))
        ]
        yield trading_api_pb2.StreamExecutionReportsResponse(reports=reports)

    async def SubmitOrders(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        async for request in requests:
            acks = [
                order_pb2.CommandAck(cl_ord_id=c.cancel_order.cl_ord_id) for c in request.commands
            ]
            yield trading_api_pb2.SubmitOrdersResponse(acks=acks)


def peer(status: StatusCode = StatusCode.OK, delay_s: float = 0.0) -> Trading:
    return Trading(status, delay_s)  # type: ignore[abstract]  # serves what is called here


@asynccontextmanager
async def serving(folder: Path, trading: Trading, **options: Any) -> AsyncIterator[TradingClient]:
    server = aio.server()
    admin_api_pb2_grpc.add_AdminServiceServicer_to_server(trading, server)
    trading_api_pb2_grpc.add_MarketDataServiceServicer_to_server(trading, server)
    trading_api_pb2_grpc.add_OrderServiceServicer_to_server(trading, server)
    target = f"unix:{folder}/t.sock"
    server.add_insecure_port(target)
    await server.start()
    try:
        async with TradingClient(target, **options) as client:
            yield client
    finally:
        await server.stop(None)


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (StatusCode.INVALID_ARGUMENT, InvalidArgumentError, "field: must be positive, got 0"),
        (StatusCode.NOT_FOUND, NotFoundError, "field: must"),
        (StatusCode.FAILED_PRECONDITION, FailedPreconditionError, "field: must"),
        (StatusCode.RESOURCE_EXHAUSTED, ResourceExhaustedError, "field: must"),
        (StatusCode.UNAVAILABLE, ServiceUnavailableError, "not reachable (field: "),
        (StatusCode.INTERNAL, ServiceError, "INTERNAL: field: must"),
    ],
)
async def test_failed_call_is_one_line_with_service_and_address(
    tmp_path: Path, status: StatusCode, error: type[ServiceError], says: str
) -> None:
    async with serving(tmp_path, peer(status)) as client:
        with pytest.raises(error) as caught:
            await client.get_status()
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"Trading Service at unix:{tmp_path}/t.sock: {says}")


async def test_every_unary_call_has_a_deadline(tmp_path: Path) -> None:
    trading = peer(delay_s=5)
    async with serving(tmp_path, trading, timeout_s=0.2) as client:
        with pytest.raises(DeadlineError, match=r"no answer within 0\.2 s"):
            await client.get_status()
    assert trading.deadline_s is not None
    assert trading.deadline_s < 0.3


async def test_service_that_is_not_there(tmp_path: Path) -> None:
    async with TradingClient(f"unix:{tmp_path}/none.sock") as client:
        with pytest.raises(ServiceUnavailableError, match=r"not reachable \(.*\); is it running\?"):
            await client.get_status()
    async with Channel("x", f"unix:{tmp_path}/none.sock") as channel:
        assert not await channel.is_serving()


@asynccontextmanager
async def far_away(path: str, delay_s: float) -> AsyncIterator[str]:
    """Relay a TCP port to a Unix socket; whatever passes takes `delay_s`, each way."""

    relays: list[asyncio.Future[None]] = []

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while data := await reader.read(65536):
            loop.call_later(delay_s, writer.write, data)
        loop.call_later(delay_s, writer.close)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(path)
        relays.extend(map(asyncio.ensure_future, (relay(reader, back), relay(there, writer))))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*relays)


async def test_first_call_waits_for_a_slow_connection(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, peer()),
        far_away(f"{tmp_path}/t.sock", 0.2) as target,
        TradingClient(target) as client,
    ):
        assert (await client.get_status()).version == "1"


async def test_all_pages_are_read(tmp_path: Path) -> None:
    async with serving(tmp_path, peer()) as client:
        instruments = await client.list_instruments()
    assert [(i.instrument_id, i.price_scale) for i in instruments] == [
        ("A.X", 0),
        ("B.X", 1),
        ("C.X", 2),
    ]


async def test_lost_report_is_noticed(tmp_path: Path) -> None:
    async with serving(tmp_path, peer()) as client:
        reports = client.stream_execution_reports("main")
        assert [(await anext(reports)).sequence for _ in range(2)] == [1, 4]
        with pytest.raises(ProtocolError, match="must be 4, got 5: a report was lost"):
            await anext(reports)


async def test_commands_are_pipelined_and_acknowledged_in_order(tmp_path: Path) -> None:
    async with serving(tmp_path, peer()) as client, client.submit_orders() as stream:
        await stream.send([CancelOrder("1", "x", "main"), CancelOrder("2", "y", "main")])
        await stream.send([CancelOrder("3", "z", "main")])
        acks = [*await stream.receive(), *await stream.receive()]
    assert [ack.cl_ord_id for ack in acks] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("target", "valid"),
    [
        ("localhost:1", True),
        ("[::1]:65535", True),
        ("unix:/run/a.sock", True),
        ("localhost", False),
        ("localhost:0", False),
        ("localhost:65536", False),
        ("localhost:٣", False),
        (":50051", False),
        ("unix:", False),
        ("", False),
    ],
)
def test_targets(target: str, valid: bool) -> None:
    assert is_target(target) is valid


async def test_a_connection_whose_end_grpc_lost_can_be_opened_again() -> None:
    async with Channel("Trading Service", "127.0.0.1:1") as channel:
        none = aio.Metadata()
        failed = aio.AioRpcError(StatusCode.INTERNAL, none, none, details=WRITE_FAILED)
        error = channel.error(failed)
    assert isinstance(error, LOST)
    says = f"Trading Service at 127.0.0.1:1: the connection was lost ({WRITE_FAILED})"
    assert str(error) == says
