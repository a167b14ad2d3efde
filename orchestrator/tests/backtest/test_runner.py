from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from scripted_peer import (
    AAPL,
    ScriptedSimulation,
    day_end,
    fill,
    peers,
    rejection,
    step,
)

from aetherion.account import AccountState
from aetherion.backtest.files import result_json
from aetherion.backtest.result import RunResult
from aetherion.backtest.runner import RunConfig, run_backtest
from aetherion.client import ProtocolError, QueueModel, ServiceUnavailableError
from aetherion.errors import AetherionError
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.market_data import Trade
from aetherion.order import ExecutionReport
from aetherion.strategy import Strategy, StrategyError
from aetherion.v1 import order_pb2, trading_api_pb2


class Watcher(Strategy):
    """Writes down what it is handed, and buys where it is told to."""

    buy_at: tuple[str, ...] = ()

    def on_start(self) -> None:
        self.seen: list[str] = []
        self._see("start")

    def on_trade(self, trade: Trade) -> None:
        self._see(f"row {trade.md_sequence}")

    def on_order(self, report: ExecutionReport) -> None:
        self._see(f"order {report.exec_type.name}")

    def on_fill(self, report: ExecutionReport) -> None:
        self._see(f"fill {report.last_qty} @ {report.last_px}")

    def on_day_end(self, account: AccountState) -> None:
        self._see(f"day {self.clock.today} {account.cash}")

    def on_stop(self) -> None:
        self.seen.append("stop")

    def _see(self, event: str) -> None:
        self.seen.append(event)
        if event in self.buy_at:
            self.buy("AAPL.XNAS", 10)


async def play(
    folder: Path,
    simulation: ScriptedSimulation,
    strategy: Strategy,
    notice: Callable[[str], None] = lambda _: None,
) -> RunResult:
    config = RunConfig("test", "set", initial_cash=Decimal(1000))
    async with peers(folder, simulation) as (trading, risk):
        return await run_backtest(trading, risk, strategy, (AAPL,), config, notice=notice)


def answers(simulation: ScriptedSimulation) -> list[tuple[int, int]]:
    """Rows handled and number of commands of each advance."""
    return [(a.rows_handled, len(a.commands)) for a in simulation.advances]


async def test_rows_and_events_come_in_their_order(tmp_path: Path) -> None:
    simulation = ScriptedSimulation(
        [step(0, [100, 101, 102, 103], fill(0, 2, 5000), fill(2, 1, 5000, 2), day_end(4, 950, 1))]
    )
    watcher = Watcher()
    await play(tmp_path, simulation, watcher)
    assert watcher.seen == [
        "start",
        "order TRADE",
        "fill 2 @ 50.00",
        "row 1",
        "row 2",
        "order TRADE",
        "fill 1 @ 50.00",
        "row 3",
        "row 4",
        "day 1970-01-01 950.00",
        "stop",
    ]
    assert answers(simulation) == [(4, 0)]


@pytest.mark.parametrize(
    ("buy_at", "expected"),
    [
        ("start", (0, 1)),  # before the first row
        ("row 2", (2, 1)),  # the rest of the step is given up
        ("row 3", (3, 1)),
        ("fill 1 @ 50.00", (3, 1)),  # at the event, after the rows before it
        ("day 1970-01-01 1050.00", (4, 1)),
    ],
)
async def test_commands_end_the_step_where_they_are_given(
    tmp_path: Path, buy_at: str, expected: tuple[int, int]
) -> None:
    steps = [step(0, [100] * 4, fill(3, 1, 5000, 2), day_end(4, 1050, -1)), step(4, [])]
    simulation = ScriptedSimulation(steps)
    await play(tmp_path, simulation, Watcher(buy_at=(buy_at,)))
    assert answers(simulation)[0] == expected
    assert simulation.advances[0].commands[0].new_order.cl_ord_id == "Watcher-1"


async def test_events_right_after_the_commands_row_are_handed_over_first(tmp_path: Path) -> None:
    simulation = ScriptedSimulation([step(0, [100] * 3, fill(2, 1, 5000, 2)), step(2, [100])])
    watcher = Watcher(buy_at=("row 2", "fill 1 @ 50.00"))
    await play(tmp_path, simulation, watcher)
    assert answers(simulation) == [(2, 2), (1, 0)]
    assert watcher.seen.count("fill 1 @ 50.00") == 1


async def test_no_handler_runs_between_commands_and_their_answer(tmp_path: Path) -> None:
    watcher = Watcher(buy_at=("row 2",))
    simulation = ScriptedSimulation(
        [step(0, [100] * 5), step(2, [100] * 3, rejection(0, order_pb2.ORD_REJ_REASON_VENUE))]
    )
    result = await play(tmp_path, simulation, watcher)
    assert watcher.seen[1:5] == ["row 1", "row 2", "order REJECTED", "row 3"]
    assert result.rejections_by_reason == {"VENUE": 1}


async def test_risk_that_goes_and_comes_back_is_told_once_each(tmp_path: Path) -> None:
    down = order_pb2.ORD_REJ_REASON_RISK_UNAVAILABLE
    accepted = rejection(1, 0)
    accepted.execution_report.exec_type = order_pb2.EXEC_TYPE_PENDING_NEW
    accepted.execution_report.ord_status = order_pb2.ORD_STATUS_PENDING_NEW
    simulation = ScriptedSimulation(
        [step(0, [100] * 2, rejection(0, down), rejection(1, down), accepted)]
    )
    notices: list[str] = []
    result = await play(tmp_path, simulation, Watcher(), notices.append)
    assert result.rejections_by_reason == {"RISK_UNAVAILABLE": 2}
    assert [n.split(": ", 1)[1] for n in notices] == [
        "RISK_UNAVAILABLE: orders are rejected until risk answers again",
        "risk answers again: orders are accepted",
    ]


class Broken(Strategy):
    def on_trade(self, trade: Trade) -> None:
        if trade.md_sequence == 3:
            _ = 1 // (trade.md_sequence - 3)


async def test_strategy_that_raises_is_named_with_its_line(tmp_path: Path) -> None:
    simulation = ScriptedSimulation([step(0, [100] * 5)])
    with pytest.raises(StrategyError) as caught:
        await play(tmp_path, simulation, Broken())
    line = Broken.on_trade.__code__.co_firstlineno + 2
    assert str(caught.value).startswith(f"{__file__}:{line} in on_trade: ZeroDivisionError: ")
    assert str(caught.value).endswith("(at 1970-01-01T00:00:03+00:00)")
    assert [a.stop for a in simulation.advances] == [True]  # the service was told to end


async def test_account_that_is_not_its_fills_ends_the_run(tmp_path: Path) -> None:
    simulation = ScriptedSimulation([step(0, [100], fill(0, 2, 5000), day_end(1, 901, 2))])
    with pytest.raises(ProtocolError, match=r"must be what its fills add up to"):
        await play(tmp_path, simulation, Watcher())


async def test_service_that_dies_is_one_clear_line(tmp_path: Path) -> None:
    simulation = ScriptedSimulation([step(0, [100]), step(1, [100])])
    simulation.dies_after = 1
    with pytest.raises(ServiceUnavailableError) as caught:
        await play(tmp_path, simulation, Watcher())
    assert str(caught.value) == (
        f"Trading Service at unix:{tmp_path}/peer.sock: not reachable (Socket closed); "
        "is it running?"
    )


async def test_result_holds_the_fills_and_days(tmp_path: Path) -> None:
    simulation = ScriptedSimulation(
        [step(0, [5000, 5100], fill(1, 2, 5000), day_end(2, 900, 2, 5100))]
    )
    result = await play(tmp_path, simulation, Watcher())
    assert [f"{f.side} {f.last_qty} @ {f.last_px}" for f in result.fills] == ["BUY 2 @ 50.00"]
    (day,) = result.days
    assert (day.cash, day.equity) == (Decimal(900), Decimal(1002))
    assert day.positions == {"AAPL.XNAS": Decimal(2)}
    assert day.exposures == {"AAPL.XNAS": 102.0}
    assert result.equity.tolist() == [1000.0, 1002.0]
    assert result.var == ()
    assert result.var_note.startswith("no VaR: the data has 1 day,")


async def test_configuration_reaches_the_service(tmp_path: Path) -> None:
    simulation = ScriptedSimulation([step(0, [100])])
    await play(tmp_path, simulation, Watcher())
    config = simulation.config
    assert (config.data_set, config.account, config.max_volume_share_bps) == ("set", "main", 1000)
    assert (config.initial_cash.currency, config.initial_cash.units) == ("USD", 1000)


async def test_the_queue_model_reaches_the_service(tmp_path: Path) -> None:
    simulation = ScriptedSimulation([step(0, [100])])
    config = RunConfig("t", "set", queue_model=QueueModel.LOG)
    async with peers(tmp_path, simulation) as (trading, risk):
        result = await run_backtest(trading, risk, Watcher(), (AAPL,), config)
    assert simulation.config.queue_model == trading_api_pb2.QUEUE_MODEL_LOG
    assert result_json(result, "")["settings"]["queue_model"] == "log"


async def test_two_currencies_are_refused(tmp_path: Path) -> None:
    euro = Instrument("SAP.XETR", InstrumentClass.EQUITY, "SAP", "EUR", 2, 0)
    async with peers(tmp_path, ScriptedSimulation([])) as (trading, risk):
        with pytest.raises(AetherionError, match="quoted in EUR, USD"):
            await run_backtest(trading, risk, Watcher(), (AAPL, euro), RunConfig("t", "set"))
