"""A session of orders that outlives its connection: what was not answered is sent again."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aetherion.client.channel import (
    LOST,
    Duplex,
    Patience,
    ProtocolError,
    ServiceError,
    ServiceUnavailableError,
)
from aetherion.client.convert import ack_of, command_message, instruments_of
from aetherion.errors import AetherionError
from aetherion.order import CommandAck, OrderCommand
from aetherion.v1 import order_pb2, trading_api_pb2, trading_api_pb2_grpc

if TYPE_CHECKING:
    from aetherion.client.market import MarketDataCalls

MAX_COMMANDS = 1_024  # of one message
_MISSED_HEARTBEATS = 3  # a side that hears nothing for so many takes the stream as lost

_Stream = Duplex[trading_api_pb2.SubmitOrdersRequest, trading_api_pb2.SubmitOrdersResponse]


class _Request:
    """The commands of one message that have no answer yet, in their order."""

    def __init__(self, commands: Iterable[order_pb2.OrderCommand]) -> None:
        loop = asyncio.get_running_loop()
        self.commands = deque(commands)
        self.answers: deque[asyncio.Future[CommandAck]] = deque(
            loop.create_future() for _ in self.commands
        )

    def answer(self, ack: CommandAck) -> None:
        """Take the answer to the first of them.

        Raises:
            ProtocolError: it is the answer to another one.
        """
        asked = self.commands.popleft()
        name = _name(asked)
        if ack.cl_ord_id != name:
            raise ProtocolError(f"acknowledgement: must be of {name}, got {ack.cl_ord_id}")
        answered = self.answers.popleft()
        if not answered.done():  # nobody waits for one that is canceled
            answered.set_result(ack)


def _name(command: order_pb2.OrderCommand) -> str:
    if command.HasField("new_order_list"):
        return command.new_order_list.list_id
    for kind in ("new_order", "cancel_order", "replace_order", "mass_cancel_orders"):
        if command.HasField(kind):
            return str(getattr(command, kind).cl_ord_id)
    raise AssertionError("a command has a kind")


class OrderSession:
    """Commands up, pipelined, and an acknowledgement of each; for `async with`.

    A connection that is lost, or silent for three heartbeats, is made again, and what was not
    acknowledged is sent again: the service knows a command by its name and answers with the first
    outcome. Orders with CANCEL_ON_DISCONNECT end when the session stays away for longer than its
    grace; one that comes back in time under the same name keeps them.
    """

    def __init__(
        self,
        client: MarketDataCalls,
        stub: trading_api_pb2_grpc.OrderServiceAsyncStub,
        session_id: str,
        *,
        heartbeat_interval_s: float,
        cancel_grace_s: float,
        give_up_after_s: float | None,
    ) -> None:
        for field, value, least, most in (
            ("heartbeat_interval_s", heartbeat_interval_s, 0.1, 60.0),
            ("cancel_grace_s", cancel_grace_s, 0.0, 3600.0),
        ):
            if not least <= value <= most:
                raise AetherionError(f"{field}: must be {least:g} to {most:g}, got {value}")
        self._client = client
        self._stub = stub
        self._hello = trading_api_pb2.OrderSession(
            session_id=session_id,
            heartbeat_interval_ms=round(heartbeat_interval_s * 1000),
            cancel_grace_ms=round(cancel_grace_s * 1000),
        )
        self._interval_s = heartbeat_interval_s
        self._patience = Patience(give_up_after_s)
        self._waiting: deque[_Request] = deque()
        self._sent: deque[_Request] = deque()
        self._wake = asyncio.Event()
        self._failure: ServiceError | None = None
        self._task: asyncio.Task[None] | None = None
        self.connections = 0  # so many were made

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._task is not None  # entered
        self._task.cancel()
        await asyncio.wait([self._task])
        self._fail(ServiceError(f"session {self._hello.session_id}: it was closed"))

    async def send(self, *commands: OrderCommand) -> tuple[asyncio.Future[CommandAck], ...]:
        """Send commands in one message; each one's answer comes in the future returned for it.

        Raises:
            GridError: a price or a quantity is off its instrument's grid; nothing was sent.
            ServiceError: the session has failed.
        """
        if not 0 < len(commands) <= MAX_COMMANDS:
            raise AetherionError(f"commands: must be 1 to {MAX_COMMANDS}, got {len(commands)}")
        await self._client.learn(i for c in commands for i in instruments_of(c))
        if self._failure is not None:
            raise self._failure
        request = _Request(command_message(c, self._client.known) for c in commands)
        answers = tuple(request.answers)
        self._waiting.append(request)
        self._wake.set()
        return answers

    async def execute(self, command: OrderCommand) -> CommandAck:
        """Send a command and return its durable outcome."""
        (answer,) = await self.send(command)
        return await answer

    async def _run(self) -> None:
        """Keep a connection until the service refuses or there is no more patience."""
        try:
            while True:
                try:
                    await self._connection()
                except LOST as lost:
                    await self._patience.wait(lost)
        except ServiceError as error:
            self._fail(error)

    async def _connection(self) -> None:
        """Send and receive until the connection is lost."""
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        stream: _Stream = Duplex(self._client, self._stub.SubmitOrders())
        tasks = [asyncio.create_task(self._write(stream)), asyncio.create_task(self._read(stream))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            stream.cancel()

    async def _write(self, stream: _Stream) -> None:
        await stream.send(trading_api_pb2.SubmitOrdersRequest(session=self._hello))
        self.connections += 1
        while True:
            while self._waiting:
                request = self._waiting.popleft()
                self._sent.append(request)  # first: a write may be cut short
                await stream.send(trading_api_pb2.SubmitOrdersRequest(commands=request.commands))
            self._wake.clear()
            try:
                async with asyncio.timeout(self._interval_s):
                    await self._wake.wait()
            except TimeoutError:
                await stream.send(trading_api_pb2.SubmitOrdersRequest())

    async def _read(self, stream: _Stream) -> None:
        while True:
            response = await stream.receive(_MISSED_HEARTBEATS * self._interval_s)
            if response is None:
                raise ServiceUnavailableError(
                    f"{self._client.service}: it ended session {self._hello.session_id}"
                )
            self._patience.succeeded()
            for ack in response.acks:
                self._answer(ack_of(ack))

    def _answer(self, ack: CommandAck) -> None:
        if not self._sent:
            raise ProtocolError(f"acknowledgement of {ack.cl_ord_id}: nothing waits for one")
        request = self._sent[0]
        request.answer(ack)
        if not request.commands:
            self._sent.popleft()

    def _fail(self, error: ServiceError) -> None:
        """End the session: nobody waits in vain."""
        self._failure = error
        for request in (*self._sent, *self._waiting):
            for answer in request.answers:
                if not answer.done():
                    answer.set_exception(error)
                    answer.exception()  # who no longer waits is no reason for a warning
        self._sent.clear()
        self._waiting.clear()
