"""Streams outlive their connection: reports without gap or duplicate, commands answered once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import StatusCode, aio

from aetherion.client import (
    InvalidArgumentError,
    OutOfRangeError,
    ProtocolError,
    ServiceError,
    ServiceUnavailableError,
    TradingClient,
)
from aetherion.order import CancelOrder, CommandAck
from aetherion.v1 import order_pb2, trading_api_pb2, trading_api_pb2_grpc

# Sequences of an account's reports; one event has several.
SEQUENCES = (1, 4, 4, 4, 9, 10, 10, 12)


class Flaky(
    trading_api_pb2_grpc.MarketDataServiceServicer, trading_api_pb2_grpc.OrderServiceServicer
):
    """Loses every stream after `whole` messages, and remembers what it did."""

    def __init__(self, whole: int = 2, status: StatusCode = StatusCode.UNAVAILABLE) -> None:
        self.whole = whole
        self.status = status
        self.asked: list[int] = []
        self.hellos: list[str] = []
        self.heartbeats = 0
        self.applied: dict[str, int] = {}  # how often a name came
        self.silent = 0  # so many streams of orders are never answered
        self.streams = 0
        self.renamed: dict[str, str] = {}  # names that it answers wrongly

    async def StreamExecutionReports(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        self.asked.append(request.from_sequence)
        chain = zip(SEQUENCES, (0, *SEQUENCES), strict=False)
        wanted = [(s, p) for s, p in chain if s >= request.from_sequence]
        for sequence, prev in wanted[: self.whole]:
            report = order_pb2.ExecutionReport(sequence=sequence, prev_sequence=prev)
            yield trading_api_pb2.StreamExecutionReportsResponse(reports=[report])
        await context.abort(self.status, "resume from 5")

    async def SubmitOrders(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        answered, self.streams = 0, self.streams + 1
        answers = self.streams > self.silent
        async for request in requests:
            if request.session.session_id:
                self.hellos.append(request.session.session_id)
                continue
            if not request.commands:
                self.heartbeats += 1
                if answers:
                    yield trading_api_pb2.SubmitOrdersResponse()
                continue
            names = [c.cancel_order.cl_ord_id for c in request.commands]
            for name in names:
                self.applied[name] = self.applied.get(name, 0) + 1
            if answered == self.whole:
                await context.abort(self.status, "cl_ord_id: must be printable")
            if answers:
                answered += 1
                acks = [order_pb2.CommandAck(cl_ord_id=self.renamed.get(n, n)) for n in names]
                yield trading_api_pb2.SubmitOrdersResponse(acks=acks)


@asynccontextmanager
async def serving(folder: Path, flaky: Flaky) -> AsyncIterator[TradingClient]:
    server = aio.server()
    trading_api_pb2_grpc.add_OrderServiceServicer_to_server(flaky, server)
    trading_api_pb2_grpc.add_MarketDataServiceServicer_to_server(flaky, server)
    target = f"unix:{folder}/t.sock"
    server.add_insecure_port(target)
    await server.start()
    try:
        async with asyncio.timeout(20), TradingClient(target) as client:
            client._known[""] = None  # type: ignore[assignment]  # reports here have no numbers
            yield client
    finally:
        await server.stop(None)


def peer(*arguments: Any) -> Flaky:
    return Flaky(*arguments)  # type: ignore[abstract]  # serves what is called here


@pytest.fixture(autouse=True)
def bare_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports as they came: only their sequences matter here."""
    monkeypatch.setattr("aetherion.client.reports.report_of", lambda message, _: message)


@pytest.mark.parametrize("whole", [4, 5, 7])
@pytest.mark.parametrize("status", [StatusCode.UNAVAILABLE, StatusCode.RESOURCE_EXHAUSTED])
async def test_reports_come_once_and_in_order_over_lost_streams(
    tmp_path: Path, whole: int, status: StatusCode
) -> None:
    flaky = peer(whole, status)
    async with serving(tmp_path, flaky) as client:
        reports = client.stream_execution_reports("main")
        seen = [(await anext(reports)).sequence for _ in SEQUENCES]
    assert tuple(seen) == SEQUENCES
    assert len(flaky.asked) > 1


async def test_compacted_reports_are_an_error_that_says_where_to_resume(tmp_path: Path) -> None:
    async with serving(tmp_path, peer(0, StatusCode.OUT_OF_RANGE)) as client:
        with pytest.raises(OutOfRangeError, match="resume from 5"):
            await anext(client.stream_execution_reports("main", 2))


async def test_a_service_that_stays_away_is_given_up(tmp_path: Path) -> None:
    async with TradingClient(f"unix:{tmp_path}/none.sock") as client:
        with pytest.raises(ServiceUnavailableError):
            await anext(client.stream_execution_reports("main", give_up_after_s=0.2))
        async with client.order_session("s", give_up_after_s=0.2) as session:
            with pytest.raises(ServiceUnavailableError):
                await session.execute(CancelOrder("c", "x", "main"))


@pytest.mark.parametrize("whole", [1, 3])
async def test_commands_are_answered_once_over_lost_streams(tmp_path: Path, whole: int) -> None:
    flaky = peer(whole)
    names = [f"c{n}" for n in range(12)]
    async with (
        serving(tmp_path, flaky) as client,
        client.order_session("s1", heartbeat_interval_s=0.2) as session,
    ):
        pending: list[asyncio.Future[CommandAck]] = []
        for first, second in zip(names[::2], names[1::2], strict=True):
            pending += await session.send(
                CancelOrder(first, "x", "main"), CancelOrder(second, "x", "main")
            )
        acks = await asyncio.gather(*pending)
    assert [ack.cl_ord_id for ack in acks] == names
    assert set(flaky.applied) == set(names)
    assert flaky.hellos == ["s1"] * session.connections
    assert session.connections > 1


async def test_a_silent_service_is_left(tmp_path: Path) -> None:
    flaky = peer(100)
    flaky.silent = 1
    async with (
        serving(tmp_path, flaky) as client,
        client.order_session("s1", heartbeat_interval_s=0.1) as session,
    ):
        assert (await session.execute(CancelOrder("c", "x", "main"))).cl_ord_id == "c"
        assert session.connections == 2
    assert flaky.heartbeats > 0
    assert flaky.applied == {"c": 2}


async def test_a_refused_request_ends_the_session(tmp_path: Path) -> None:
    flaky = peer(0, StatusCode.INVALID_ARGUMENT)
    async with serving(tmp_path, flaky) as client, client.order_session("s1") as session:
        with pytest.raises(InvalidArgumentError, match="cl_ord_id: must be printable"):
            await session.execute(CancelOrder("c", "x", "main"))
        with pytest.raises(InvalidArgumentError):
            await session.send(CancelOrder("d", "x", "main"))
    assert flaky.hellos == ["s1"]


async def test_who_waits_when_a_session_is_closed_is_told(tmp_path: Path) -> None:
    flaky = peer(100)
    flaky.silent = 1
    async with serving(tmp_path, flaky) as client:
        async with client.order_session("s1") as session:
            (answer,) = await session.send(CancelOrder("c", "x", "main"))
        with pytest.raises(ServiceError, match="session s1: it was closed"):
            await answer


async def test_an_answer_to_another_command_is_noticed(tmp_path: Path) -> None:
    flaky = peer(100)
    flaky.renamed = {"d": "c"}
    async with serving(tmp_path, flaky) as client, client.order_session("s1") as session:
        await session.execute(CancelOrder("c", "x", "main"))
        with pytest.raises(ProtocolError, match="must be of d, got c"):
            await session.execute(CancelOrder("d", "x", "main"))
