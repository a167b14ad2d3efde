"""One simulation in virtual time: steps of rows and events down, commands up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aetherion.account import AccountState
from aetherion.client.channel import Duplex, ProtocolError
from aetherion.client.columns import batch_of
from aetherion.client.control_messages import limits_message
from aetherion.client.convert import (
    account_of,
    ack_of,
    command_message,
    report_of,
)
from aetherion.client.money import instrument_of, money_message, unknown_instrument
from aetherion.instrument import Instrument
from aetherion.market_data import Batch
from aetherion.order import CommandAck, ExecutionReport, OrderCommand
from aetherion.risk import RiskLimits
from aetherion.v1 import trading_api_pb2, trading_api_pb2_grpc

if TYPE_CHECKING:
    from aetherion.client.trading import TradingClient

# A step is computed in milliseconds; the rest is a loaded machine.
STEP_TIMEOUT_S = 60.0


class QueueModel(StrEnum):
    """What is estimated of a queue of which only the quantity of its level is recorded."""

    RISK_AVERSE = "risk-averse"
    LOG = "log"
    POWER = "power"


@dataclass(frozen=True, slots=True)
class BacktestConfig:
    """Everything that a simulation depends on, besides the data itself."""

    data_set: str
    account: str
    currency: str
    initial_cash: Decimal
    risk_limits: RiskLimits
    max_volume_share_bps: int
    order_latency_ns: int = 0
    instrument_ids: tuple[str, ...] = ()
    max_batch_rows: int = 0
    speed: float = 0.0
    start_time_ns: int = 0
    end_time_ns: int = 0
    queue_model: QueueModel | None = None  # only where the data has levels; None: risk-averse


@dataclass(frozen=True, slots=True)
class BacktestStarted:
    """The first answer: what is replayed."""

    instruments: tuple[Instrument, ...]
    total_rows: int
    data_sha256: str


BacktestEvent = ExecutionReport | AccountState | CommandAck


@dataclass(frozen=True, slots=True)
class BacktestStep:
    """Rows, and private events each of which comes before the row of the index beside it."""

    batch: Batch
    events: tuple[tuple[int, BacktestEvent], ...]
    first_row: int


@dataclass(frozen=True, slots=True)
class BacktestFinished:
    """The last answer: how it ended."""

    account_state: AccountState
    state_sha256: str
    last_sequence: int
    rows: int
    open_orders: int


class BacktestSession:
    """SimulationService.RunBacktest: `start`, then `receive` and `advance` in turn."""

    def __init__(
        self,
        client: TradingClient,
        stub: trading_api_pb2_grpc.SimulationServiceAsyncStub,
        config: BacktestConfig,
    ) -> None:
        self._stream = Duplex(client, stub.RunBacktest())
        self._config = config
        self._instruments: dict[str, Instrument] = {}
        # At a real pace a step may take as long as its rows do.
        self._timeout_s = None if config.speed else STEP_TIMEOUT_S

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stream.cancel()

    async def start(self) -> BacktestStarted:
        """Send the configuration and return what will be replayed."""
        config = _config_message(self._config)
        await self._stream.send(trading_api_pb2.RunBacktestRequest(config=config))
        response = await self._stream.receive(STEP_TIMEOUT_S)
        if response is None or response.WhichOneof("response") != "started":
            raise ProtocolError("RunBacktest: the first answer must be started")
        started = response.started
        instruments = tuple(map(instrument_of, started.instruments))
        self._instruments = {i.instrument_id: i for i in instruments}
        return BacktestStarted(instruments, started.total_rows, started.data_sha256)

    async def receive(self) -> BacktestStep | BacktestFinished:
        """Return the next step, or how the simulation ended."""
        response = await self._stream.receive(self._timeout_s)
        answer = None if response is None else response.WhichOneof("response")
        if response is None or answer not in ("step", "finished"):
            raise ProtocolError(f"RunBacktest: a step or the end must come, got {answer}")
        if answer == "finished":
            return self._finished(response.finished)
        return self._step(response.step)

    async def advance(
        self, rows_handled: int, commands: Sequence[OrderCommand] = (), *, stop: bool = False
    ) -> None:
        """Answer a step: how many of its rows were handled, and the commands given at the last."""
        messages = [command_message(c, self._instrument) for c in commands]
        advance = trading_api_pb2.BacktestAdvance(
            rows_handled=rows_handled, commands=messages, stop=stop
        )
        await self._stream.send(trading_api_pb2.RunBacktestRequest(advance=advance))

    def _step(self, step: trading_api_pb2.BacktestStep) -> BacktestStep:
        return BacktestStep(
            batch=batch_of(step.batch),
            events=tuple((e.before_row, self._event(e)) for e in step.events),
            first_row=step.first_row,
        )

    def _event(self, event: trading_api_pb2.BacktestEvent) -> BacktestEvent:
        kind = event.WhichOneof("event")
        if kind == "execution_report":
            return report_of(event.execution_report, self._instrument)
        if kind == "day_end":
            return account_of(event.day_end, self._instrument)
        if kind == "ack":
            return ack_of(event.ack)
        raise ProtocolError("BacktestEvent: unknown event; the service is newer than this client")

    def _instrument(self, instrument_id: str) -> Instrument:
        return self._instruments.get(instrument_id) or unknown_instrument(instrument_id)

    def _finished(self, finished: trading_api_pb2.BacktestFinished) -> BacktestFinished:
        return BacktestFinished(
            account_state=account_of(finished.account_state, self._instrument),
            state_sha256=finished.state_sha256,
            last_sequence=finished.last_sequence,
            rows=finished.rows,
            open_orders=finished.open_orders,
        )


def _config_message(config: BacktestConfig) -> trading_api_pb2.BacktestConfig:
    return trading_api_pb2.BacktestConfig(
        data_set=config.data_set,
        instrument_ids=config.instrument_ids,
        account=config.account,
        initial_cash=money_message(config.currency, config.initial_cash, "initial_cash"),
        risk_limits=limits_message(config.risk_limits),
        max_volume_share_bps=config.max_volume_share_bps,
        order_latency_ns=config.order_latency_ns,
        max_batch_rows=config.max_batch_rows,
        speed=config.speed,
        start_time_ns=config.start_time_ns,
        end_time_ns=config.end_time_ns,
        queue_model=_queue_model_number(config.queue_model),
    )


def _queue_model_number(model: QueueModel | None) -> trading_api_pb2.QueueModel.ValueType:
    if model is None:
        return trading_api_pb2.QUEUE_MODEL_UNSPECIFIED
    return trading_api_pb2.QueueModel.Value(f"QUEUE_MODEL_{model.name}")
