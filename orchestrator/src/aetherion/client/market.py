"""Instruments and market data of the Trading Service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aetherion.client.channel import CALL_TIMEOUT_S, Channel, NotFoundError
from aetherion.client.money import instrument_of, unknown_instrument
from aetherion.client.streams import MarketDataStream
from aetherion.instrument import Instrument
from aetherion.market_data import MarketDataKind
from aetherion.v1 import trading_api_pb2, trading_api_pb2_grpc


class MarketDataCalls(Channel):
    """MarketDataService. It remembers definitions, on whose grids all numbers are."""

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__("Trading Service", target, timeout_s=timeout_s)
        self._market = trading_api_pb2_grpc.MarketDataServiceStub(self.aio)
        self._known: dict[str, Instrument] = {}

    async def list_instruments(self) -> tuple[Instrument, ...]:
        """Return all instruments, sorted by id."""
        found: list[Instrument] = []
        token = ""
        while True:
            request = trading_api_pb2.ListInstrumentsRequest(page_token=token)
            page = await self.answer(self._market.ListInstruments(request, timeout=self.timeout_s))
            found += map(instrument_of, page.instruments)
            token = page.next_page_token
            if not token:
                break
        self._known.update((i.instrument_id, i) for i in found)
        return tuple(found)

    async def get_instrument(self, instrument_id: str) -> Instrument:
        """Return one instrument.

        Raises:
            NotFoundError: there is none of that name.
        """
        request = trading_api_pb2.GetInstrumentRequest(instrument_id=instrument_id)
        answer = await self.answer(self._market.GetInstrument(request, timeout=self.timeout_s))
        instrument = instrument_of(answer.instrument)
        self._known[instrument_id] = instrument
        return instrument

    def stream_market_data(
        self,
        instrument_ids: Sequence[str] = (),
        kinds: Sequence[MarketDataKind] = (),
        max_batch_rows: int = 0,
    ) -> MarketDataStream:
        """Return a stream of batches of what is asked for; empty means all."""
        stream = MarketDataStream(self, self._market)
        stream.subscribe(instrument_ids, kinds, max_batch_rows)
        return stream

    def known(self, instrument_id: str) -> Instrument:
        """Return a definition that `learn` has fetched."""
        return self._known[instrument_id]

    async def learn(self, instrument_ids: Iterable[str]) -> None:
        """Fetch the definitions that are not known yet."""
        for instrument_id in set(instrument_ids) - self._known.keys():
            try:
                await self.get_instrument(instrument_id)
            except NotFoundError:
                self._known[instrument_id] = unknown_instrument(instrument_id)
