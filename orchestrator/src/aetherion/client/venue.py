"""A venue: what it can do."""

from __future__ import annotations

from dataclasses import dataclass

from aetherion.client.channel import CALL_TIMEOUT_S, Channel
from aetherion.client.money import enum_of
from aetherion.order import OrdType, TimeInForce
from aetherion.v1 import venue_api_pb2, venue_api_pb2_grpc


@dataclass(frozen=True, slots=True)
class VenueDescription:
    """A venue's description of itself."""

    venue: str
    ord_types: tuple[OrdType, ...]
    time_in_forces: tuple[TimeInForce, ...]
    unique_cl_ord_id: bool
    simulated: bool
    max_volume_share_bps: int


class VenueClient(Channel):
    """VenueService of venue_api.proto. Closed by `async with`."""

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__("venue", target, timeout_s=timeout_s)
        self._venue = venue_api_pb2_grpc.VenueServiceStub(self.aio)

    async def describe_venue(self, venue: str) -> VenueDescription:
        """Return what a venue can do."""
        request = venue_api_pb2.DescribeVenueRequest(venue=venue)
        answer = await self.answer(self._venue.DescribeVenue(request, timeout=self.timeout_s))
        return VenueDescription(
            venue=answer.venue,
            ord_types=tuple(enum_of(OrdType, t) for t in answer.ord_types),
            time_in_forces=tuple(enum_of(TimeInForce, t) for t in answer.time_in_forces),
            unique_cl_ord_id=answer.unique_cl_ord_id,
            simulated=answer.simulated,
            max_volume_share_bps=answer.max_volume_share_bps,
        )
