"""Drives one live run: market data and reports to the strategy as they come, its commands back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from aetherion.backtest.recorder import Recorder
from aetherion.backtest.result import RunResult
from aetherion.backtest.runner import RunConfig, one_currency, run_settings
from aetherion.client import BacktestStarted, OrderStream, ServiceError, TradingClient
from aetherion.errors import AetherionError
from aetherion.instrument import Instrument
from aetherion.market_data import ColumnId, MarketDataKind, Quote, Trade, rows_of
from aetherion.order import CommandAck, ExecType, ExecutionReport, OrderCommand, Side
from aetherion.strategy import Host, Strategy
from aetherion.strategy.load import source_sha256

# What a venue and a service of this machine need to end the orders that still work.
_CLOSE_TIMEOUT_S = 5.0
_POLL_S = 0.02
_ZERO = Decimal(0)


class LiveRecorder(Recorder):
    """What happened, and what the market looks like now."""

    def __init__(
        self, instruments: tuple[Instrument, ...], host: Host, notice: Callable[[str], None]
    ) -> None:
        super().__init__(BacktestStarted(instruments, 0, ""), host, notice)
        self.quotes: dict[str, Quote] = {}
        self.trades: dict[str, Trade] = {}
        self.open_orders: dict[int, str] = {}  # names by order_id
        self._portfolio = host.portfolio
        self._units = {i.instrument_id: i.multiplier for i in instruments}
        self._paid: dict[str, Decimal] = {}  # by instrument, fees included; negative: received

    def report(self, report: ExecutionReport) -> None:
        """Something happened to an order."""
        super().report(report)
        if not report.ord_status.is_open:
            self.open_orders.pop(report.order_id, None)
        elif report.exec_type is not ExecType.CANCEL_REJECTED:  # that has the name of the request
            self.open_orders[report.order_id] = report.cl_ord_id
        if report.exec_type is ExecType.TRADE:
            fill, unit = self.fills[-1], self._units[report.instrument_id]
            value = fill.last_qty * fill.last_px * unit
            paid = fill.commission + (value if report.side is Side.BUY else -value)
            self._paid[fill.instrument_id] = self._paid.get(fill.instrument_id, _ZERO) + paid

    def pnl(self, instrument_id: str) -> Decimal | None:
        """Profit or loss with an instrument at its mark, after fees; None when it has no mark."""
        value = self._portfolio.market_value(instrument_id)
        return None if value is None else value - self._paid.get(instrument_id, _ZERO)


async def run_live(
    trading: TradingClient,
    strategy: Strategy,
    config: RunConfig,
    seconds: float | None,
    *,
    started: Callable[[Recorder], None],
    notice: Callable[[str], None],
) -> RunResult:
    """Run a strategy in the live session, whose account has not traded yet.

    It ends with the market, after `seconds`, or when it is canceled, and then cancels what still
    works. The account must then be what its fills add up to.

    Raises:
        StrategyError: the strategy raised.
        ServiceError: the Trading Service failed, or orders did not end.
    """
    known = {i.instrument_id: i for i in await trading.list_instruments()}
    for instrument_id in config.instrument_ids:
        if instrument_id not in known:
            raise AetherionError(
                f"instrument: {config.name} has no {instrument_id}; it has {', '.join(known)}"
            )
    instruments = tuple(known[i] for i in config.instrument_ids or known)
    currency = one_currency(instruments)
    in_force = await trading.get_limits()
    await trading.set_limits(
        replace(config.risk_limits, version=in_force.version),
        changed_by="aetherion run",
        reason="the limits of this run",
    )
    host = Host(strategy, instruments, config.account, currency, config.initial_cash)
    recorder = LiveRecorder(instruments, host, notice)
    started(recorder)
    run = _Run(trading, host, recorder, config.account)
    await run.to_end(seconds)
    recorder.day_end(await trading.get_account(config.account))
    host.stop()
    return RunResult(
        name=config.name,
        strategy=type(strategy).__name__,
        strategy_doc=(type(strategy).__doc__ or "").strip(),
        strategy_sha256=source_sha256(type(strategy)),
        parameters=dict(strategy.parameters),
        settings=run_settings(config, currency),
        data_set=config.data_set,
        data_sha256="",
        instruments=instruments,
        kinds=tuple(MarketDataKind(k).name.lower() for k in sorted(run.kinds)),
        rows=recorder.rows,
        first_time_ns=recorder.first_time_ns,
        last_time_ns=recorder.now_ns,
        orders=recorder.orders,
        open_orders=len(recorder.open_orders),
        fills=tuple(recorder.fills),
        rejections=tuple(recorder.rejections),
        days=tuple(recorder.days),
        var=(),
        var_note="no VaR: a live run has no daily returns before it",
        risk_unavailable=(),
        state_sha256="",
        last_sequence=(await trading.get_status()).sequence,
        notes=config.notes,
    )


class _Run:
    """The streams of a live session, each read by a task of its own."""

    def __init__(
        self, trading: TradingClient, host: Host, recorder: LiveRecorder, account: str
    ) -> None:
        self._trading = trading
        self._host = host
        self._recorder = recorder
        self._account = account
        self._commands: asyncio.Queue[list[OrderCommand]] = asyncio.Queue()
        self._unanswered = 0
        self.kinds: set[int] = set()

    async def to_end(self, seconds: float | None) -> None:
        async with self._trading.submit_orders() as stream:
            self._host.start()
            self._flush()
            market = asyncio.create_task(self._read_market())
            others = [
                asyncio.create_task(work)
                for work in (self._read_reports(), self._read_acks(stream), self._send(stream))
            ]
            # No task group: the end of the market, and a cancel from outside, end the run in order.
            try:
                await self._first_of([market, *others], seconds)
                market.cancel()
                await self._close(others)
            finally:
                for task in (market, *others):
                    task.cancel()
                await asyncio.gather(market, *others, return_exceptions=True)

    async def _first_of(self, tasks: list[asyncio.Task[None]], seconds: float | None) -> None:
        """Wait until a task ends, the time is over or, as on Ctrl-C, we are canceled."""
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            this = asyncio.current_task()
            assert this is not None  # we are in it
            this.uncancel()
        _raise_of(tasks)

    async def _close(self, tasks: list[asyncio.Task[None]]) -> None:
        """Cancel the orders that work, whatever the strategy wants, until none is left."""
        asked: set[int] = set()
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                while self._recorder.open_orders or self._unanswered:
                    if self._recorder.open_orders.keys() - asked:
                        asked.update(self._recorder.open_orders)
                        self._host.desk.cancel_all()
                    self._flush()
                    await asyncio.sleep(_POLL_S)
                    _raise_of(tasks)
        except TimeoutError:
            names = ", ".join(sorted(self._recorder.open_orders.values()))
            raise ServiceError(f"orders did not end after a cancel: {names}") from None

    async def _read_market(self) -> None:
        instruments = self._host.instruments
        async for batch in self._trading.stream_market_data(tuple(instruments)):
            rows = rows_of(batch, instruments)
            self.kinds.update(batch.column(ColumnId.KIND).tolist())
            recorder = self._recorder
            recorder.first_time_ns = recorder.first_time_ns or rows[0].transact_time_ns
            for row in rows:
                if isinstance(row, Quote):
                    recorder.quotes[row.instrument_id] = row
                elif isinstance(row, Trade):
                    recorder.trades[row.instrument_id] = row
            index = 0
            while index < len(rows):
                index = self._host.rows(rows, index, len(rows))
                self._flush()
            recorder.rows += len(rows)

    async def _read_reports(self) -> None:
        async for report in self._trading.stream_execution_reports(self._account):
            self._recorder.report(report)
            self._host.report(report)
            self._flush()

    async def _read_acks(self, stream: OrderStream) -> None:
        while acks := await stream.receive():
            for ack in acks:
                self._answered(ack)
        raise ServiceError("Trading Service: it ended the stream of orders")

    def _answered(self, ack: CommandAck) -> None:
        self._unanswered -= 1
        self._recorder.ack(ack)
        self._host.ack(ack)

    async def _send(self, stream: OrderStream) -> None:
        while True:
            await stream.send(await self._commands.get())

    def _flush(self) -> None:
        if self._host.has_commands:
            commands = self._host.take_commands()
            self._unanswered += len(commands)
            self._commands.put_nowait(commands)


def _raise_of(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and not task.cancelled() and (error := task.exception()):
            raise error
