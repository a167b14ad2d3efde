"""Execution reports as a stream that outlives its connection: no gap, nothing twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from grpc import aio

from aetherion.client.channel import (
    LOST,
    Patience,
    ProtocolError,
    ServiceError,
    ServiceUnavailableError,
)
from aetherion.client.convert import report_of
from aetherion.order import ExecutionReport
from aetherion.v1 import order_pb2

if TYPE_CHECKING:
    from aetherion.client.market import MarketDataCalls


class _Reports(Protocol):
    """A response of either stream of reports."""

    @property
    def reports(self) -> Iterable[order_pb2.ExecutionReport]: ...


class _Place:
    """Where a reader is, and whether a report is the next one of its account."""

    def __init__(self, from_sequence: int) -> None:
        self._sequence = from_sequence
        self._seen = 0  # reports of that sequence: an event may have several
        self._skip = 0
        self._newest: dict[str, int] = {}  # sequence of the newest report, by account

    def resume(self) -> int:
        """Return the sequence to ask for: the last one seen, which may have more reports."""
        self._skip = self._seen
        return self._sequence

    def take(self, report: order_pb2.ExecutionReport) -> bool:
        """Whether a report was not seen before.

        Raises:
            ProtocolError: a report before it is missing.
        """
        if self._skip and report.sequence == self._sequence:
            self._skip -= 1
            return False
        newest = self._newest.get(report.account)
        if self._skip or (newest is not None and report.prev_sequence != newest):
            raise ProtocolError(
                f"reports of {report.account}: prev_sequence must be {newest}, "
                f"got {report.prev_sequence}: a report was lost"
            )
        self._seen = 1 if report.sequence != self._sequence else self._seen + 1
        self._sequence = self._newest[report.account] = report.sequence
        return True


async def follow(
    client: MarketDataCalls,
    open_stream: Callable[[int], aio.UnaryStreamCall[object, _Reports]],
    from_sequence: int,
    patience: Patience,
) -> AsyncIterator[ExecutionReport]:
    """Yield reports for ever; a stream that is lost is opened again where it was.

    Raises:
        ProtocolError: a report is missing.
        ServiceError: the service refuses, or stays away for longer than there is patience.
    """
    place = _Place(from_sequence)
    while True:
        call = open_stream(place.resume())
        lost: ServiceError = ServiceUnavailableError(
            f"{client.service}: it ended the stream of reports"
        )
        try:
            async for response in call:
                patience.succeeded()
                await client.learn(r.instrument_id for r in response.reports)
                for message in response.reports:
                    if place.take(message):
                        yield report_of(message, client.known)
        except aio.AioRpcError as error:
            failed = client.error(error)
            if not isinstance(failed, LOST):
                raise failed from None
            lost = failed
        except ServiceUnavailableError as error:  # while a definition was asked for
            lost = error
        finally:
            call.cancel()
        await patience.wait(lost)
