"""One channel to one service: targets, deadlines, and errors as one clear line."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

import grpc
from grpc import aio

from aetherion.errors import AetherionError

T = TypeVar("T")
Q = TypeVar("Q")

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
CALL_TIMEOUT_S = 10.0
_OPTIONS = (
    # A service that is started again is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # How long a connection may take to be made, despite the name: far ones take some round trips.
    ("grpc.min_reconnect_backoff_ms", 5000),
    # Loopback and Unix sockets never go through a proxy of the environment.
    ("grpc.enable_http_proxy", 0),
)
WRITE_FAILED = "Internal error from Core"  # gRPC's words when the stream ended under a write
# How long the service's own status is awaited after a failed write: a second.
_STATUS_TRIES = 200
_STATUS_INTERVAL_S = 0.005
# Between tries to open a stream again.
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 1.0

_SERVING = b"\x08\x01"  # HealthCheckResponse {status: SERVING}, all of grpc.health.v1 that we need


class ServiceError(AetherionError):
    """A call to a service failed."""


class ServiceUnavailableError(ServiceError):
    """The service cannot be reached or went away."""


class DeadlineError(ServiceError):
    """The service did not answer in time."""


class InvalidArgumentError(ServiceError):
    """The service refused the request as wrong; the text names field, value and rule."""


class NotFoundError(ServiceError):
    """What was asked for does not exist."""


class FailedPreconditionError(ServiceError):
    """The service is not in the state that the request needs."""


class ResourceExhaustedError(ServiceError):
    """The service has no room for the request now."""


class OutOfRangeError(InvalidArgumentError):
    """What was asked for is not kept any more; the text says what to ask for instead."""


class ProtocolError(ServiceError):
    """The service sent something that the contract does not allow."""


_ERRORS: dict[grpc.StatusCode, type[ServiceError]] = {
    grpc.StatusCode.UNAVAILABLE: ServiceUnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRangeError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
}


def is_target(target: str) -> bool:
    """Whether `target` is "host:port" or "unix:path"."""
    if target.startswith("unix:"):
        return len(target) > len("unix:")
    host, _, port = target.rpartition(":")
    return bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 65536


class Channel:
    """A connection to one service, closed by `async with`."""

    def __init__(
        self,
        service: str,
        target: str,
        *,
        timeout_s: float = CALL_TIMEOUT_S,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        if not is_target(target):
            raise ServiceError(f"{service}: address must be host:port or unix:path, got {target!r}")
        self.service = service
        self.target = target
        self.timeout_s = timeout_s
        limits = (
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
        )
        self.aio = aio.insecure_channel(target, options=_OPTIONS + limits)
        self._health: aio.UnaryUnaryMultiCallable[bytes, bytes] = self.aio.unary_unary(
            "/grpc.health.v1.Health/Check"
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and the connection."""
        await self.aio.close()

    async def is_serving(self) -> bool:
        """Whether its health (grpc.health.v1) says SERVING; False when it cannot be reached."""
        try:
            return await self._health(b"", timeout=self.timeout_s) == _SERVING
        except aio.AioRpcError:
            return False

    async def answer(self, call: Awaitable[T]) -> T:
        """Await `call` and turn what gRPC raises into one of our errors."""
        try:
            return await call
        except aio.AioRpcError as error:
            raise self.error(error) from None

    def error(self, error: aio.AioRpcError) -> ServiceError:
        """Return `error` as one clear line: which service, where, and what to do."""
        code, text = error.code(), error.details() or "no details given"
        if "last error: " in text:  # of all addresses tried: ours is the only one
            text = text.rpartition(": ")[2]
        where = f"{self.service} at {self.target}"
        if text == WRITE_FAILED:  # and why it ended, gRPC has lost
            return ServiceUnavailableError(f"{where}: the connection was lost ({text})")
        if code is grpc.StatusCode.UNAVAILABLE:
            line = f"{where}: not reachable ({text}); is it running?"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            line = f"{where}: no answer within {self.timeout_s:g} s; is it overloaded?"
        elif code in _ERRORS:
            line = f"{where}: {text}"
        else:
            line = f"{where}: {code.name}: {text}"
        return _ERRORS.get(code, ServiceError)(line)


# A stream that ends so can be opened again: the service went away, or cut off who read too slowly.
LOST = (ServiceUnavailableError, ResourceExhaustedError, DeadlineError)


class Patience:
    """Waits between tries to reach a service again, longer each time, and gives up at the end.

    Args:
        give_up_after_s: so long without success; None: never.
    """

    def __init__(self, give_up_after_s: float | None = None) -> None:
        self._give_up_after_s = math.inf if give_up_after_s is None else give_up_after_s
        self.succeeded()

    def succeeded(self) -> None:
        """The service answered: the next failure is the first again."""
        self._wait_s = _FIRST_WAIT_S
        self._failing_since: float | None = None

    async def wait(self, cause: ServiceError) -> None:
        """Wait until the next try.

        Raises:
            ServiceError: `cause`, after so long that it is time to give up.
        """
        now = asyncio.get_running_loop().time()
        if self._failing_since is None:
            self._failing_since = now
        if now - self._failing_since >= self._give_up_after_s:
            raise cause
        await asyncio.sleep(self._wait_s)
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)


class Duplex(Generic[Q, T]):
    """A stream of requests up and responses down, with our errors."""

    def __init__(self, channel: Channel, call: aio.StreamStreamCall[Q, T]) -> None:
        self._channel = channel
        self._call = call
        self._statuses: list[tuple[grpc.StatusCode, str]] = []
        call.add_done_callback(self._note_status)
        self._reading: asyncio.Future[Any] | None = None

    async def send(self, request: Q) -> None:
        """Send one request, as soon as flow control lets it."""
        try:
            await self._call.write(request)
        except aio.AioRpcError as error:
            raise self._channel.error(await self._cause(error)) from None
        except asyncio.InvalidStateError:  # the service ended the stream; the next read says why
            pass

    async def done_sending(self) -> None:
        """Tell the service that no request follows."""
        try:
            await self._call.done_writing()
        except aio.AioRpcError as error:
            raise self._channel.error(await self._cause(error)) from None
        except asyncio.InvalidStateError:  # as in send
            pass

    async def receive(self, timeout_s: float | None = None) -> T | None:
        """Return the next response, None when the service ended the stream well.

        Raises:
            DeadlineError: nothing came for `timeout_s`. The stream lives on.
        """
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._call.read())
        try:
            async with asyncio.timeout(timeout_s):  # a read that is cancelled would end the call
                response = await asyncio.shield(self._reading)
        except aio.AioRpcError as error:
            raise self._channel.error(await self._cause(error)) from None
        except TimeoutError:
            where = f"{self._channel.service} at {self._channel.target}"
            raise DeadlineError(
                f"{where}: no answer within {timeout_s:g} s; does it hang?"
            ) from None
        finally:
            if self._reading.done():
                self._reading = None
        return None if response is aio.EOF else cast(T, response)

    def _note_status(self, call: Any) -> None:
        """Keep each status of the call: gRPC's own of a failed write replaces the service's."""
        try:
            call.code().send(None)  # a status is there: these coroutines end without waiting
        except StopIteration as code:
            try:
                call.details().send(None)
            except StopIteration as details:
                self._statuses.append((code.value, details.value))

    async def _cause(self, failed: aio.AioRpcError) -> aio.AioRpcError:
        """Return what the service ended the stream with, which may come after a failed write."""
        if failed.details() != WRITE_FAILED:
            return failed
        for _ in range(_STATUS_TRIES):
            for code, text in self._statuses:
                if text != WRITE_FAILED:
                    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details=text)
            await asyncio.sleep(_STATUS_INTERVAL_S)
        return failed

    def cancel(self) -> None:
        """End the stream at once; harmless when it has ended."""
        if self._reading is not None:
            self._reading.cancel()
        self._call.cancel()
