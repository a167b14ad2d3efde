"""Drives one simulation: rows and events to the strategy, its commands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from aetherion.account import AccountState
from aetherion.backtest.recorder import Recorder
from aetherion.backtest.result import DayEnd, RunResult, RunSettings
from aetherion.backtest.var import MIN_RETURNS, VarDesk, VarSettings
from aetherion.client import (
    BacktestConfig,
    BacktestFinished,
    BacktestSession,
    BacktestStarted,
    BacktestStep,
    QueueModel,
    RiskClient,
    ServiceError,
    TradingClient,
)
from aetherion.errors import AetherionError
from aetherion.instrument import Instrument
from aetherion.market_data import ColumnId, MarketDataKind, rows_of
from aetherion.order import CommandAck, ExecutionReport
from aetherion.risk import RiskLimit, RiskLimits
from aetherion.strategy import Host, Strategy, StrategyError
from aetherion.strategy.load import source_sha256


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run depends on besides the strategy and the data themselves."""

    name: str
    data_set: str
    account: str = "main"
    initial_cash: Decimal = Decimal(1_000_000)
    risk_limits: RiskLimits = field(default_factory=RiskLimits)
    max_volume_share_bps: int = 1_000
    order_latency_ns: int = 0
    queue_model: QueueModel | None = None
    max_batch_rows: int = 0
    speed: float = 0.0
    instrument_ids: tuple[str, ...] = ()
    var: VarSettings = field(default_factory=VarSettings)
    notes: tuple[str, ...] = ()


def _ignore(_: object) -> None:
    """Nobody wants to know."""


async def run_backtest(
    trading: TradingClient,
    risk: RiskClient,
    strategy: Strategy,
    instruments: tuple[Instrument, ...],
    config: RunConfig,
    *,
    started: Callable[[Recorder], None] = _ignore,
    notice: Callable[[str], None] = _ignore,
) -> RunResult:
    """Run a strategy over a data set of the Trading Service.

    Args:
        instruments: definitions of the data set; all quoted in one currency.
        started: is given the recorder once the run has begun, to show it live.
        notice: is given a line at once when something a person should know happens.

    Raises:
        StrategyError: the strategy raised; the simulation was ended first.
        ServiceError: the Trading Service failed.
    """
    currency = one_currency(instruments)
    async with trading.run_backtest(_session_config(config, currency)) as session:
        begun = await session.start()
        host = Host(strategy, begun.instruments, config.account, currency, config.initial_cash)
        recorder = Recorder(begun, host, notice)
        desk = VarDesk(risk, begun.instruments, config.var, notice)
        started(recorder)
        try:
            run = _Run(session, host, recorder, desk)
            finished = await run.to_end()
            host.stop()
            return await _result(config, currency, strategy, begun, recorder, desk, finished, run)
        except StrategyError:
            await _end(session)
            raise
        finally:
            desk.cancel()


def one_currency(instruments: tuple[Instrument, ...]) -> str:
    """Return the currency that all instruments are quoted in.

    Raises:
        AetherionError: there are several.
    """
    currencies = sorted({i.quote_currency for i in instruments})
    if len(currencies) != 1:
        raise AetherionError(
            f"instruments: a run has one currency, these are quoted in {', '.join(currencies)}; "
            "choose with --instrument"
        )
    return currencies[0]


class _Run:
    """The dialogue of steps and advances."""

    def __init__(
        self, session: BacktestSession, host: Host, recorder: Recorder, desk: VarDesk
    ) -> None:
        self._session = session
        self._host = host
        self._recorder = recorder
        self._desk = desk
        self._days: list[DayEnd] = []  # of the step at hand
        self.kinds: set[int] = set()

    async def to_end(self) -> BacktestFinished:
        self._host.start()
        while True:
            step = await self._session.receive()
            if isinstance(step, BacktestFinished):
                return step
            handled = self._handle(step)
            self._recorder.rows = step.first_row + handled
            await self._session.advance(handled, self._host.take_commands())
            for day in self._days:
                await self._desk.day_end(day)
            self._days.clear()

    def _handle(self, step: BacktestStep) -> int:
        """Hand over rows and events in their order; return the number of rows handled.

        Events before a row belong to what is handled with the rows before it: when commands are
        given at a row, the events right after it have happened all the same and are handed over
        first.
        """
        rows = rows_of(step.batch, self._host.instruments)
        if rows:
            self._recorder.first_time_ns = self._recorder.first_time_ns or rows[0].transact_time_ns
            self.kinds.update(step.batch.column(ColumnId.KIND).tolist())
        index, events = 0, iter(step.events)
        upcoming = next(events, None)
        while True:
            while upcoming is not None and upcoming[0] <= index:
                self._deliver(upcoming[1])
                upcoming = next(events, None)
            if index == len(rows) or self._host.has_commands:
                return index
            end = len(rows) if upcoming is None else min(upcoming[0], len(rows))
            index = self._host.rows(rows, index, end)

    def _deliver(self, event: ExecutionReport | AccountState | CommandAck) -> None:
        if isinstance(event, ExecutionReport):
            self._recorder.report(event)
            self._host.report(event)
        elif isinstance(event, CommandAck):
            self._recorder.ack(event)
            self._host.ack(event)
        else:
            self._days.append(self._recorder.day_end(event))
            self._host.day_end(event)


async def _end(session: BacktestSession) -> None:
    """End the simulation before its data does."""
    try:
        await session.advance(0, stop=True)
        while not isinstance(await session.receive(), BacktestFinished):
            await session.advance(0, stop=True)
    except ServiceError:
        pass  # what ended the run is told, not what came after


async def _result(
    config: RunConfig,
    currency: str,
    strategy: Strategy,
    begun: BacktestStarted,
    recorder: Recorder,
    desk: VarDesk,
    finished: BacktestFinished,
    run: _Run,
) -> RunResult:
    series, unavailable = await desk.finish()
    held = any(day.positions for day in recorder.days)
    return RunResult(
        name=config.name,
        strategy=type(strategy).__name__,
        strategy_doc=(type(strategy).__doc__ or "").strip(),
        strategy_sha256=source_sha256(type(strategy)),
        parameters=dict(strategy.parameters),
        settings=run_settings(config, currency),
        data_set=config.data_set,
        data_sha256=begun.data_sha256,
        instruments=begun.instruments,
        kinds=tuple(MarketDataKind(k).name.lower() for k in sorted(run.kinds)),
        rows=finished.rows,
        first_time_ns=recorder.first_time_ns,
        last_time_ns=recorder.now_ns,
        orders=recorder.orders,
        open_orders=finished.open_orders,
        fills=tuple(recorder.fills),
        rejections=tuple(recorder.rejections),
        days=tuple(recorder.days),
        var=series,
        var_note="" if series else _why_no_var(len(recorder.days), held, bool(unavailable)),
        risk_unavailable=unavailable,
        state_sha256=finished.state_sha256,
        last_sequence=finished.last_sequence,
        notes=config.notes,
    )


def _why_no_var(days: int, held: bool, unavailable: bool) -> str:
    if unavailable:
        return "no VaR: the Risk Service was unavailable on every day that needed one"
    if days <= MIN_RETURNS:
        return (
            f"no VaR: the data has {days} day{'s' * (days != 1)}, a forecast needs "
            f"{MIN_RETURNS} daily returns before it"
        )
    if not held:
        return "no VaR: no position was held at the end of a day"
    return f"no VaR: no portfolio held had {MIN_RETURNS} daily returns before it"


def _session_config(config: RunConfig, currency: str) -> BacktestConfig:
    return BacktestConfig(
        data_set=config.data_set,
        account=config.account,
        currency=currency,
        initial_cash=config.initial_cash,
        risk_limits=config.risk_limits,
        max_volume_share_bps=config.max_volume_share_bps,
        order_latency_ns=config.order_latency_ns,
        instrument_ids=config.instrument_ids,
        max_batch_rows=config.max_batch_rows,
        speed=config.speed,
        queue_model=config.queue_model,
    )


def run_settings(config: RunConfig, currency: str) -> RunSettings:
    """Return the settings as a result keeps them."""
    return RunSettings(
        account=config.account,
        initial_cash=config.initial_cash,
        base_currency=currency,
        max_volume_share_bps=config.max_volume_share_bps,
        order_latency_ns=config.order_latency_ns,
        queue_model=config.queue_model,
        speed=config.speed,
        seed=config.var.seed,
        n_scenarios=config.var.n_scenarios,
        var_window=config.var.window,
        confidence_bp=config.var.confidence_bp,
        risk_limits={limit.scope: _limit_text(limit) for limit in config.risk_limits.limits},
    )


def _limit_text(limit: RiskLimit) -> str:
    def text(value: Decimal | int | bool) -> str:
        return f"{value:f}" if isinstance(value, Decimal) else str(value)

    return ", ".join(f"{name} {text(value)}" for name, value in limit.binding.items())
