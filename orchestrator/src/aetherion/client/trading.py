"""The Trading Service: market data, orders, accounts, limits and simulations."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from grpc import aio

from aetherion.account import AccountState, Position
from aetherion.client.channel import CALL_TIMEOUT_S, Channel, NotFoundError, ProtocolError
from aetherion.client.convert import (
    account_of,
    ack_of,
    command_message,
    limits_message,
    limits_of,
    new_order_message,
    order_of,
    position_of,
    report_of,
)
from aetherion.client.money import instrument_of, unknown_instrument
from aetherion.client.simulation import BacktestConfig, BacktestSession
from aetherion.client.streams import MarketDataStream, OrderStream
from aetherion.instrument import Instrument
from aetherion.market_data import MarketDataKind
from aetherion.order import CancelOrder, CommandAck, ExecutionReport, NewOrder, Order
from aetherion.risk import RiskLimits
from aetherion.v1 import order_pb2, trading_api_pb2, trading_api_pb2_grpc


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """How the Trading Service and what it depends on are."""

    version: str
    sequence: int
    epoch: int
    risk_available: bool
    durability: str
    data_sets: tuple[str, ...]


class TradingClient(Channel):
    """Every RPC of trading_api.proto. Closed by `async with`.

    Prices and quantities are `Decimal`, in the units of their instrument, whose definition the
    client fetches once. A call that fails raises a `ServiceError`; a refused order is an answer.
    """

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__("Trading Service", target, timeout_s=timeout_s)
        self._market = trading_api_pb2_grpc.MarketDataServiceStub(self.aio)
        self._orders = trading_api_pb2_grpc.OrderServiceStub(self.aio)
        self._accounts = trading_api_pb2_grpc.AccountServiceStub(self.aio)
        self._admin = trading_api_pb2_grpc.AdminServiceStub(self.aio)
        self._simulation = trading_api_pb2_grpc.SimulationServiceStub(self.aio)
        self._known: dict[str, Instrument] = {}

    # MarketDataService

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

    # OrderService

    def submit_orders(self) -> OrderStream:
        """Return a stream of commands up and acknowledgements down, for `async with`."""
        return OrderStream(self, self._orders)

    async def submit_order(self, order: NewOrder) -> CommandAck:
        """Submit one order and return its durable outcome."""
        await self.learn([order.instrument_id])
        request = trading_api_pb2.SubmitOrderRequest(new_order=new_order_message(order, self.known))
        answer = await self.answer(self._orders.SubmitOrder(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def cancel_order(self, cancel: CancelOrder) -> CommandAck:
        """Cancel one order and return the durable outcome of the request."""
        message = command_message(cancel, self.known).cancel_order
        request = trading_api_pb2.CancelOrderRequest(cancel_order=message)
        answer = await self.answer(self._orders.CancelOrder(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def stream_execution_reports(
        self, account: str, from_sequence: int = 0
    ) -> AsyncIterator[ExecutionReport]:
        """Yield the reports of an account from a sequence on, for ever.

        Raises:
            ProtocolError: a report is missing from the stream.
        """
        request = trading_api_pb2.StreamExecutionReportsRequest(
            account=account, from_sequence=from_sequence
        )
        call = self._orders.StreamExecutionReports(request)
        last: int | None = None
        try:
            async for response in call:
                await self._learn_of(response.reports)
                for message in response.reports:
                    if last is not None and message.prev_sequence != last:
                        raise ProtocolError(
                            f"reports of {account}: prev_sequence must be {last}, "
                            f"got {message.prev_sequence}: a report was lost"
                        )
                    last = message.sequence
                    yield report_of(message, self.known)
        except aio.AioRpcError as error:
            raise self.error(error) from None
        finally:
            call.cancel()

    async def get_order(
        self, account: str, *, order_id: int | None = None, cl_ord_id: str | None = None
    ) -> Order:
        """Return one order by our id or by the client's."""
        if (order_id is None) == (cl_ord_id is None):
            raise ValueError("get_order: give order_id or cl_ord_id, one of them")
        request = trading_api_pb2.GetOrderRequest(account=account)
        if order_id is not None:
            request.order_id = order_id
        else:
            request.cl_ord_id = cl_ord_id or ""
        answer = await self.answer(self._orders.GetOrder(request, timeout=self.timeout_s))
        await self.learn([answer.order.new_order.instrument_id])
        return order_of(answer.order, self.known)

    async def list_orders(self, account: str, *, open_only: bool = False) -> tuple[Order, ...]:
        """Return all orders of an account, sorted by order id."""
        orders: list[Order] = []
        token = ""
        while True:
            request = trading_api_pb2.ListOrdersRequest(
                account=account, open_only=open_only, page_token=token
            )
            page = await self.answer(self._orders.ListOrders(request, timeout=self.timeout_s))
            await self.learn(m.new_order.instrument_id for m in page.orders)
            orders += (order_of(m, self.known) for m in page.orders)
            token = page.next_page_token
            if not token:
                return tuple(orders)

    async def list_fills(self, account: str, from_sequence: int = 0) -> tuple[ExecutionReport, ...]:
        """Return all fills of an account from a sequence on."""
        fills: list[ExecutionReport] = []
        while True:
            request = trading_api_pb2.ListFillsRequest(account=account, from_sequence=from_sequence)
            page = await self.answer(self._orders.ListFills(request, timeout=self.timeout_s))
            await self._learn_of(page.fills)
            fills += (report_of(m, self.known) for m in page.fills)
            from_sequence = page.next_sequence
            if not from_sequence:
                return tuple(fills)

    # AccountService

    async def list_accounts(self) -> tuple[str, ...]:
        """Return the names of all accounts, sorted."""
        request = trading_api_pb2.ListAccountsRequest()
        answer = await self.answer(self._accounts.ListAccounts(request, timeout=self.timeout_s))
        return tuple(answer.accounts)

    async def get_account(self, account: str) -> AccountState:
        """Return one account with its cash, positions and equity."""
        request = trading_api_pb2.GetAccountRequest(account=account)
        answer = await self.answer(self._accounts.GetAccount(request, timeout=self.timeout_s))
        await self.learn(p.instrument_id for p in answer.account_state.positions)
        return account_of(answer.account_state, self.known)

    async def list_positions(self, account: str) -> tuple[Position, ...]:
        """Return the positions of an account, sorted by instrument id."""
        request = trading_api_pb2.ListPositionsRequest(account=account)
        answer = await self.answer(self._accounts.ListPositions(request, timeout=self.timeout_s))
        await self.learn(p.instrument_id for p in answer.positions)
        return tuple(position_of(p, self.known) for p in answer.positions)

    # AdminService

    async def get_limits(self) -> RiskLimits:
        """Return the limits in force."""
        request = trading_api_pb2.GetLimitsRequest()
        answer = await self.answer(self._admin.GetLimits(request, timeout=self.timeout_s))
        return limits_of(answer.risk_limits)

    async def set_limits(
        self, limits: RiskLimits, *, changed_by: str, reason: str
    ) -> tuple[RiskLimits, int]:
        """Replace all limits, if `limits.version` is still in force.

        Returns:
            The limits with their new version, and the sequence from which they hold.

        Raises:
            FailedPreconditionError: somebody else changed them since.
        """
        request = trading_api_pb2.SetLimitsRequest(
            risk_limits=limits_message(limits),
            expected_version=limits.version,
            changed_by=changed_by,
            reason=reason,
        )
        answer = await self.answer(self._admin.SetLimits(request, timeout=self.timeout_s))
        return limits_of(answer.risk_limits), answer.sequence

    async def get_status(self) -> TradingStatus:
        """Return how the service is."""
        request = trading_api_pb2.GetStatusRequest()
        answer = await self.answer(self._admin.GetStatus(request, timeout=self.timeout_s))
        return TradingStatus(
            version=answer.version,
            sequence=answer.sequence,
            epoch=answer.epoch,
            risk_available=answer.risk_available,
            durability=answer.durability,
            data_sets=tuple(answer.data_sets),
        )

    # SimulationService

    def run_backtest(self, config: BacktestConfig) -> BacktestSession:
        """Return a simulation, for `async with`."""
        return BacktestSession(self, self._simulation, config)

    # Instruments, known once

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

    async def _learn_of(self, reports: Iterable[order_pb2.ExecutionReport]) -> None:
        await self.learn(r.instrument_id for r in reports)
