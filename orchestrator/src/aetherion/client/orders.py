"""The order path of the Trading Service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from grpc import aio

from aetherion.client.channel import CALL_TIMEOUT_S, Patience
from aetherion.client.convert import (
    ack_of,
    cancel_message,
    failures_of,
    instruments_of,
    list_message,
    mass_cancel_message,
    new_order_message,
    order_of,
    replace_message,
    report_of,
)
from aetherion.client.market import MarketDataCalls
from aetherion.client.money import enum_of
from aetherion.client.reports import follow
from aetherion.client.session import OrderSession
from aetherion.client.streams import OrderStream
from aetherion.order import (
    CancelOrder,
    CommandAck,
    ExecutionReport,
    MassCancelOrders,
    NewOrder,
    NewOrderList,
    Order,
    OrderPreview,
    OrdRejReason,
    RejectedBy,
    ReplaceOrder,
)
from aetherion.v1 import trading_api_pb2, trading_api_pb2_grpc


class OrderCalls(MarketDataCalls):
    """OrderService. A refused order is an answer, not an error."""

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__(target, timeout_s=timeout_s)
        self._orders = trading_api_pb2_grpc.OrderServiceStub(self.aio)

    def submit_orders(self) -> OrderStream:
        """Return one stream of commands up and acknowledgements down, for `async with`."""
        return OrderStream(self, self._orders)

    def order_session(
        self,
        session_id: str,
        *,
        heartbeat_interval_s: float = 1.0,
        cancel_grace_s: float = 0.0,
        give_up_after_s: float | None = None,
    ) -> OrderSession:
        """Return a session that makes its connection again when it is lost, for `async with`.

        Args:
            session_id: the same when the client comes back: its orders with CANCEL_ON_DISCONNECT
                belong to it.
            heartbeat_interval_s: each side sends something as often; three missed end the stream.
            cancel_grace_s: so long without a connection those orders still work.
            give_up_after_s: so long without success it tries again; None: for ever.
        """
        return OrderSession(
            self,
            self._orders,
            session_id,
            heartbeat_interval_s=heartbeat_interval_s,
            cancel_grace_s=cancel_grace_s,
            give_up_after_s=give_up_after_s,
        )

    async def submit_order(self, order: NewOrder) -> CommandAck:
        """Submit one order and return its durable outcome."""
        await self.learn(instruments_of(order))
        request = trading_api_pb2.SubmitOrderRequest(new_order=new_order_message(order, self.known))
        answer = await self.answer(self._orders.SubmitOrder(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def submit_order_list(self, orders: NewOrderList) -> CommandAck:
        """Submit orders that depend on each other; all are accepted, or none."""
        await self.learn(instruments_of(orders))
        request = trading_api_pb2.SubmitOrderListRequest(
            new_order_list=list_message(orders, self.known)
        )
        answer = await self.answer(self._orders.SubmitOrderList(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def replace_order(self, replace: ReplaceOrder) -> CommandAck:
        """Change one order and return the durable outcome of the request."""
        await self.learn(instruments_of(replace))
        request = trading_api_pb2.ReplaceOrderRequest(
            replace_order=replace_message(replace, self.known)
        )
        answer = await self.answer(self._orders.ReplaceOrder(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def cancel_order(self, cancel: CancelOrder) -> CommandAck:
        """Cancel one order and return the durable outcome of the request."""
        request = trading_api_pb2.CancelOrderRequest(cancel_order=cancel_message(cancel))
        answer = await self.answer(self._orders.CancelOrder(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def mass_cancel(self, cancel: MassCancelOrders) -> CommandAck:
        """Cancel all orders that match; the outcome says how many those are."""
        request = trading_api_pb2.MassCancelRequest(mass_cancel_orders=mass_cancel_message(cancel))
        answer = await self.answer(self._orders.MassCancel(request, timeout=self.timeout_s))
        return ack_of(answer.ack)

    async def preview_order(self, order: NewOrder) -> OrderPreview:
        """Return what would be decided on an order now; nothing is held, journaled or sent."""
        await self.learn(instruments_of(order))
        request = trading_api_pb2.PreviewOrderRequest(
            new_order=new_order_message(order, self.known)
        )
        answer = await self.answer(self._orders.PreviewOrder(request, timeout=self.timeout_s))
        return OrderPreview(
            approved=answer.approved,
            ord_rej_reason=enum_of(OrdRejReason, answer.ord_rej_reason),
            rejected_by=enum_of(RejectedBy, answer.rejected_by),
            text=answer.text,
            check_failures=failures_of(answer.check_failures),
        )

    def stream_execution_reports(
        self, account: str, from_sequence: int = 0, *, give_up_after_s: float | None = None
    ) -> AsyncIterator[ExecutionReport]:
        """Yield the reports of an account from a sequence on, for ever.

        A stream that is lost is opened again where it was, without gap or duplicate.

        Args:
            from_sequence: 0: from the first report that there is.
            give_up_after_s: so long without success it tries again; None: for ever.

        Raises:
            OutOfRangeError: a snapshot stands in for the reports; it says from where to resume.
            ProtocolError: a report is missing from the stream.
        """

        def open_stream(sequence: int) -> aio.UnaryStreamCall[Any, Any]:
            return self._orders.StreamExecutionReports(
                trading_api_pb2.StreamExecutionReportsRequest(
                    account=account, from_sequence=sequence
                )
            )

        return follow(self, open_stream, from_sequence, Patience(give_up_after_s))

    def stream_drop_copy(
        self, from_sequence: int = 0, *, give_up_after_s: float | None = None
    ) -> AsyncIterator[ExecutionReport]:
        """Yield the reports of all accounts, as `stream_execution_reports` does those of one."""

        def open_stream(sequence: int) -> aio.UnaryStreamCall[Any, Any]:
            return self._orders.StreamDropCopy(
                trading_api_pb2.StreamDropCopyRequest(from_sequence=sequence)
            )

        return follow(self, open_stream, from_sequence, Patience(give_up_after_s))

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

    async def list_orders(
        self, account: str, *, open_only: bool = False, in_doubt_only: bool = False
    ) -> tuple[Order, ...]:
        """Return all orders of an account, sorted by order id.

        Args:
            account: whose.
            open_only: only those that still work.
            in_doubt_only: only those of which it is not known whether their venue has them, which
                are not all IN_DOUBT: one may be on its way to be canceled, too.
        """
        orders: list[Order] = []
        token = ""
        while True:
            request = trading_api_pb2.ListOrdersRequest(
                account=account, open_only=open_only, in_doubt_only=in_doubt_only, page_token=token
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
            await self.learn(m.instrument_id for m in page.fills)
            fills += (report_of(m, self.known) for m in page.fills)
            from_sequence = page.next_sequence
            if not from_sequence:
                return tuple(fills)
