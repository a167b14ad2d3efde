"""A venue: what it can do, trading there, and what it knows of an account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self

from google.protobuf.message import Message
from grpc import aio

from aetherion.account import Money
from aetherion.client.channel import CALL_TIMEOUT_S, Channel, Duplex
from aetherion.client.columns import batch_of
from aetherion.client.convert import (
    cancel_message,
    new_order_message,
    order_of,
    replace_message,
    report_of,
)
from aetherion.client.money import (
    enum_of,
    instrument_of,
    money_message,
    money_of,
    unknown_instrument,
)
from aetherion.instrument import Instrument
from aetherion.market_data import Batch
from aetherion.order import (
    CancelOrder,
    ExecutionReport,
    NewOrder,
    Order,
    OrdType,
    ReplaceOrder,
    TimeInForce,
)
from aetherion.v1 import order_pb2, venue_api_pb2, venue_api_pb2_grpc


@dataclass(frozen=True, slots=True)
class VenueDescription:
    """A venue's description of itself."""

    venue: str
    ord_types: tuple[OrdType, ...]
    time_in_forces: tuple[TimeInForce, ...]
    unique_cl_ord_id: bool
    simulated: bool
    max_volume_share_bps: int
    instruments: tuple[Instrument, ...] = ()


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """What an account has of one currency or asset, and what of it is held for open orders."""

    total: Money
    held: Money


@dataclass(frozen=True, slots=True)
class VenueBook:
    """What is shown of a book: (price, quantity), best first; and the venue's state as a hash."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]
    state_hash: bytes


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """A fault that the venue did on purpose, as a plan would have it."""

    transact_time_ns: int
    fault: str
    account: str  # empty for all
    subject: str  # exec_id of the report, or cl_ord_id of the command


class VenueClient(Channel):
    """VenueService of venue_api.proto. Closed by `async with`."""

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__("venue", target, timeout_s=timeout_s)
        self._venue = venue_api_pb2_grpc.VenueServiceStub(self.aio)
        self._instruments: dict[str, Instrument] = {}

    async def describe_venue(self, venue: str = "") -> VenueDescription:
        """Return what a venue can do."""
        request = venue_api_pb2.DescribeVenueRequest(venue=venue)
        answer = await self.answer(self._venue.DescribeVenue(request, timeout=self.timeout_s))
        instruments = tuple(instrument_of(i) for i in answer.instruments)
        self._instruments = {i.instrument_id: i for i in instruments}
        return VenueDescription(
            venue=answer.venue,
            ord_types=tuple(enum_of(OrdType, t) for t in answer.ord_types),
            time_in_forces=tuple(enum_of(TimeInForce, t) for t in answer.time_in_forces),
            unique_cl_ord_id=answer.unique_cl_ord_id,
            simulated=answer.simulated,
            max_volume_share_bps=answer.max_volume_share_bps,
            instruments=instruments,
        )

    async def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        """Give an account money or an asset; the first one opens it."""
        money = money_message(currency, amount, "amount")
        deposit = venue_api_pb2.Deposit(account=account, amount=money)
        await self._administer(venue_api_pb2.VenueCommand(deposit=deposit))

    async def halt(self, instrument_id: str, halted: bool = True) -> None:
        """Stop or resume trading of an instrument."""
        halt = venue_api_pb2.TradingHalt(instrument_id=instrument_id, halted=halted)
        await self._administer(venue_api_pb2.VenueCommand(trading_halt=halt))

    async def cancel_trade(self, exec_id: str) -> None:
        """Undo a fill and its counterparty's: a bust."""
        bust = venue_api_pb2.TradeCancel(exec_id=exec_id)
        await self._administer(venue_api_pb2.VenueCommand(trade_cancel=bust))

    async def correct_trade(self, exec_id: str, instrument_id: str, last_px: Decimal) -> None:
        """Change the price of a fill and of its counterparty's."""
        await self._learn()
        px = self.instrument(instrument_id).px(last_px)
        correction = venue_api_pb2.TradeCorrect(exec_id=exec_id, last_px=px)
        await self._administer(venue_api_pb2.VenueCommand(trade_correct=correction))

    async def query_faults(self, after: int = 0) -> list[FaultRecord]:
        """Return the faults done on purpose after so many, oldest first, at most 1000."""
        request = venue_api_pb2.QueryFaultsRequest(after=after)
        answer = await self.answer(self._venue.QueryFaults(request, timeout=self.timeout_s))
        return [
            FaultRecord(f.transact_time_ns, f.fault, f.account, f.subject) for f in answer.faults
        ]

    async def trade(self, account: str, after_sequence: int = 0) -> TradeStream:
        """Start an account's session; it tells all reports after a sequence."""
        await self._learn()
        call: aio.StreamStreamCall[venue_api_pb2.TradeRequest, venue_api_pb2.TradeResponse]
        call = self._venue.Trade()
        stream = TradeStream(self, Duplex(self, call), account)
        await stream._start(after_sequence)
        return stream

    async def query_orders(
        self, account: str, *, open_only: bool = False, after: str = "", page_size: int = 0
    ) -> list[Order]:
        """Return one page of an account's orders, oldest first."""
        await self._learn()
        request = venue_api_pb2.QueryOrdersRequest(
            account=account, open_only=open_only, after_venue_order_id=after, page_size=page_size
        )
        answer = await self.answer(self._venue.QueryOrders(request, timeout=self.timeout_s))
        return [order_of(o, self.instrument) for o in answer.orders]

    async def query_fills(
        self, account: str, *, from_time_ns: int = 0, after: str = "", page_size: int = 0
    ) -> list[ExecutionReport]:
        """Return one page of an account's fills, oldest first."""
        await self._learn()
        request = venue_api_pb2.QueryFillsRequest(
            account=account, from_time_ns=from_time_ns, after_exec_id=after, page_size=page_size
        )
        answer = await self.answer(self._venue.QueryFills(request, timeout=self.timeout_s))
        return [report_of(r, self.instrument) for r in answer.fills]

    async def query_balances(self, account: str) -> dict[str, VenueBalance]:
        """Return what an account has, by currency."""
        request = venue_api_pb2.QueryBalancesRequest(account=account)
        answer = await self.answer(self._venue.QueryBalances(request, timeout=self.timeout_s))
        return {
            b.total.currency: VenueBalance(money_of(b.total), money_of(b.held))
            for b in answer.balances
        }

    async def query_book(self, instrument_id: str, *, with_state_hash: bool = False) -> VenueBook:
        """Return what is shown of a book; the hash of the venue's state takes it a while."""
        await self._learn()
        request = venue_api_pb2.QueryBookRequest(
            instrument_id=instrument_id, with_state_hash=with_state_hash
        )
        answer = await self.answer(self._venue.QueryBook(request, timeout=self.timeout_s))
        i = self.instrument(instrument_id)
        bids, asks = (
            tuple((i.price_of(level.price), i.qty_of(level.qty)) for level in side)
            for side in (answer.bids, answer.asks)
        )
        return VenueBook(bids, asks, answer.state_hash)

    async def stream_market_data(
        self, instrument_ids: Sequence[str] = (), *, orders: bool = False
    ) -> AsyncIterator[Batch]:
        """Yield the books whole, then each change of them, quotes and trades.

        Args:
            orders: every order of the books and trades, instead of levels, quotes and trades.
        """
        request = venue_api_pb2.VenueServiceStreamMarketDataRequest(
            instrument_ids=instrument_ids, orders=orders
        )
        call = self._venue.StreamMarketData(request)
        try:
            async for response in call:
                yield batch_of(response.batch)
        except aio.AioRpcError as error:
            raise self.error(error) from None
        finally:
            call.cancel()

    def instrument(self, instrument_id: str) -> Instrument:
        """Return a definition that the venue gave."""
        return self._instruments.get(instrument_id) or unknown_instrument(instrument_id)

    async def _learn(self) -> None:
        if not self._instruments:
            await self.describe_venue()

    async def _administer(self, command: venue_api_pb2.VenueCommand) -> None:
        request = venue_api_pb2.AdministerRequest(command=command)
        await self.answer(self._venue.Administer(request, timeout=self.timeout_s))


class TradeStream:
    """An account's session: commands up, reports down. Ended by `async with`."""

    def __init__(
        self,
        client: VenueClient,
        stream: Duplex[venue_api_pb2.TradeRequest, venue_api_pb2.TradeResponse],
        account: str,
    ) -> None:
        self._client = client
        self._stream = stream
        self._account = account
        self.heartbeat = 0  # number of the last one that the venue answered

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.cancel()

    async def _start(self, after_sequence: int) -> None:
        start = venue_api_pb2.StartTrading(account=self._account, after_sequence=after_sequence)
        await self._stream.send(venue_api_pb2.TradeRequest(start=start))

    async def send(self, command: NewOrder | CancelOrder | ReplaceOrder) -> None:
        """Send a command; what becomes of it is a report."""
        await self.send_message(self._message(command))

    async def mass_cancel(self, instrument_id: str = "") -> None:
        """Cancel all open orders, or those of an instrument."""
        await self.send_message(
            venue_api_pb2.MassCancel(account=self._account, instrument_id=instrument_id)
        )

    async def send_message(self, message: Message) -> None:
        """Send a command as a message: for what only the contract has, as stops and icebergs."""
        field = _FIELDS[type(message)]
        command = venue_api_pb2.VenueCommand(**{field: message})  # type: ignore[arg-type]
        await self._stream.send(venue_api_pb2.TradeRequest(command=command))

    async def beat(self, number: int) -> None:
        """Ask for a sign of life; `receive` sets `heartbeat` when it comes."""
        await self._stream.send(venue_api_pb2.TradeRequest(heartbeat=number))

    async def receive(self, timeout_s: float | None = None) -> ExecutionReport | None:
        """Return the next report, None when the venue ended the stream."""
        while (response := await self._stream.receive(timeout_s)) is not None:
            if response.HasField("report"):
                return report_of(response.report, self._client.instrument)
            self.heartbeat = response.heartbeat
        return None

    def _message(self, command: NewOrder | CancelOrder | ReplaceOrder) -> Message:
        match command:
            case NewOrder():
                return new_order_message(command, self._client.instrument)
            case ReplaceOrder():
                return replace_message(command, self._client.instrument)
            case CancelOrder():
                return cancel_message(command)


_FIELDS: dict[type[Message], str] = {
    order_pb2.NewOrder: "new_order",
    order_pb2.ReplaceOrder: "replace_order",
    order_pb2.CancelOrder: "cancel_order",
    venue_api_pb2.MassCancel: "mass_cancel",
}
