"""A peer of the protocol that plays a script, for what a real service cannot be made to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from grpc import StatusCode, aio

from aetherion.client import RiskClient, TradingClient
from aetherion.instrument import Instrument, InstrumentClass
from aetherion.v1 import (
    account_pb2,
    instrument_pb2,
    market_data_pb2,
    order_pb2,
    risk_api_pb2,
    risk_figures_pb2,
    trading_api_pb2,
    trading_api_pb2_grpc,
)

AAPL = Instrument("AAPL.XNAS", InstrumentClass.EQUITY, "AAPL", "USD", price_scale=2, qty_scale=0)

_AAPL = instrument_pb2.Instrument(
    instrument_id="AAPL.XNAS",
    version=1,
    instrument_class=instrument_pb2.INSTRUMENT_CLASS_EQUITY,
    base_currency="AAPL",
    quote_currency="USD",
    price_scale=2,
    qty_scale=0,
    price_increment=1,
    qty_increment=1,
    min_qty=1,
    multiplier=account_pb2.Decimal(mantissa=1),
)


def trades(first: int, prices: Sequence[int]) -> market_data_pb2.MarketDataBatch:
    """Return trades of AAPL; the nth happens at n seconds."""
    rows = len(prices)
    ordinals = range(first, first + rows)

    def column(column_id: int, values: Any, dtype: str, encoding: int) -> market_data_pb2.Column:
        data = np.array(values, dtype).tobytes()
        return market_data_pb2.Column(id=column_id, encoding=encoding, data=data)  # type: ignore[arg-type]

    return market_data_pb2.MarketDataBatch(
        row_count=rows,
        instrument_ids=["AAPL.XNAS"],
        columns=[
            column(market_data_pb2.COLUMN_ID_KIND, [3] * rows, "u1", 3),
            column(market_data_pb2.COLUMN_ID_INSTRUMENT, [0] * rows, "<u4", 2),
            column(market_data_pb2.COLUMN_ID_MD_SEQUENCE, [n + 1 for n in ordinals], "<i8", 1),
            column(
                market_data_pb2.COLUMN_ID_TRANSACT_TIME_NS,
                [(n + 1) * 10**9 for n in ordinals],
                "<i8",
                1,
            ),
            column(market_data_pb2.COLUMN_ID_TRADE_PX, prices, "<i8", 1),
            column(market_data_pb2.COLUMN_ID_TRADE_QTY, [1] * rows, "<i8", 1),
        ],
    )


def fill(before_row: int, qty: int, px: int, side: int = 1) -> trading_api_pb2.BacktestEvent:
    """Return a fill of the strategy's first order."""
    report = order_pb2.ExecutionReport(
        cl_ord_id="Watcher-1",
        instrument_id="AAPL.XNAS",
        side=side,  # type: ignore[arg-type]
        ord_type=order_pb2.ORD_TYPE_MARKET,
        time_in_force=order_pb2.TIME_IN_FORCE_GTC,
        exec_type=order_pb2.EXEC_TYPE_TRADE,
        ord_status=order_pb2.ORD_STATUS_FILLED,
        order_qty=qty,
        cum_qty=qty,
        last_qty=qty,
        last_px=px,
    )
    return trading_api_pb2.BacktestEvent(before_row=before_row, execution_report=report)


def rejection(before_row: int, reason: int) -> trading_api_pb2.BacktestEvent:
    """Return a refusal of the strategy's first order."""
    report = order_pb2.ExecutionReport(
        cl_ord_id="Watcher-1",
        instrument_id="AAPL.XNAS",
        side=order_pb2.SIDE_BUY,
        ord_type=order_pb2.ORD_TYPE_MARKET,
        time_in_force=order_pb2.TIME_IN_FORCE_GTC,
        exec_type=order_pb2.EXEC_TYPE_REJECTED,
        ord_status=order_pb2.ORD_STATUS_REJECTED,
        ord_rej_reason=reason,  # type: ignore[arg-type]
        rejected_by=order_pb2.REJECTED_BY_RISK,
    )
    return trading_api_pb2.BacktestEvent(before_row=before_row, execution_report=report)


def account(cash: int, qty: int = 0, px: int = 0) -> account_pb2.AccountState:
    """Return an account with whole dollars and one position of AAPL."""
    zero = account_pb2.Money(currency="USD")
    position = account_pb2.Position(
        account="main",
        instrument_id="AAPL.XNAS",
        net_qty=qty,
        cost=zero,
        realized_pnl=zero,
        fees=zero,
        mark_px=px,
    )
    return account_pb2.AccountState(
        account="main",
        base_currency="USD",
        balances=[account_pb2.Balance(cash=account_pb2.Money(currency="USD", units=cash))],
        positions=[position] if qty else [],
        equity=account_pb2.Money(currency="USD", units=cash + qty * px // 100),
    )


def day_end(before_row: int, cash: int, qty: int = 0, px: int = 0) -> trading_api_pb2.BacktestEvent:
    """Return the end of a day."""
    return trading_api_pb2.BacktestEvent(before_row=before_row, day_end=account(cash, qty, px))


class ScriptedSimulation(trading_api_pb2_grpc.SimulationServiceServicer):
    """Plays steps one after the other, whatever the client answers, and keeps the answers."""

    def __init__(self, steps: Sequence[trading_api_pb2.BacktestStep]) -> None:
        self.steps = steps
        self.config = trading_api_pb2.BacktestConfig()
        self.advances: list[trading_api_pb2.BacktestAdvance] = []
        self.dies_after = len(steps)

    async def RunBacktest(  # noqa: N802
        self, requests: Any, context: Any
    ) -> AsyncIterator[trading_api_pb2.RunBacktestResponse]:
        self.config = (await anext(requests)).config
        yield trading_api_pb2.RunBacktestResponse(
            started=trading_api_pb2.BacktestStarted(
                instruments=[_AAPL], total_rows=sum(s.batch.row_count for s in self.steps)
            )
        )
        for number, step in enumerate(self.steps):
            if number == self.dies_after:
                await context.abort(StatusCode.UNAVAILABLE, "Socket closed")
            yield trading_api_pb2.RunBacktestResponse(step=step)
            self.advances.append((await anext(requests)).advance)
            if self.advances[-1].stop:
                break
        yield trading_api_pb2.RunBacktestResponse(
            finished=trading_api_pb2.BacktestFinished(
                account_state=account(0), state_sha256="ab", rows=7
            )
        )


class ScriptedRisk:
    """VaR is 10 for every level; keeps what it was asked, and is down for some exposures."""

    def __init__(self, down: Sequence[float] = ()) -> None:
        self.asked: list[risk_api_pb2.CalculateRiskRequest] = []
        self.down = down

    async def CalculateRisk(  # noqa: N802
        self, request: risk_api_pb2.CalculateRiskRequest, context: Any
    ) -> risk_api_pb2.CalculateRiskResponse:
        self.asked.append(request)
        if request.exposures[0] in self.down:
            await context.abort(StatusCode.UNAVAILABLE, "Connection refused")
        return risk_api_pb2.CalculateRiskResponse(
            figures=[
                risk_figures_pb2.RiskFigures(confidence_bp=bp, var=10.0, es=12.0)
                for bp in request.confidence_bp
            ]
        )


@asynccontextmanager
async def peers(
    folder: Path, simulation: ScriptedSimulation, risk: ScriptedRisk | None = None
) -> AsyncIterator[tuple[TradingClient, RiskClient]]:
    """Serve both on a Unix socket and give clients of them."""
    server = aio.server()
    trading_api_pb2_grpc.add_SimulationServiceServicer_to_server(simulation, server)
    # The one call that a run makes; the others of the service are not there.
    calculate = grpc.unary_unary_rpc_method_handler(
        (risk or ScriptedRisk()).CalculateRisk,
        request_deserializer=risk_api_pb2.CalculateRiskRequest.FromString,
        response_serializer=risk_api_pb2.CalculateRiskResponse.SerializeToString,
    )
    handlers = {"CalculateRisk": calculate}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("aetherion.v1.RiskService", handlers)]
    )
    target = f"unix:{folder / 'peer.sock'}"
    server.add_insecure_port(target)
    await server.start()
    try:
        async with TradingClient(target) as trading, RiskClient(target) as risk_client:
            yield trading, risk_client
    finally:
        await server.stop(None)


def step(
    first_row: int, prices: Sequence[int], *events: trading_api_pb2.BacktestEvent
) -> trading_api_pb2.BacktestStep:
    """Return a step of trades with its events."""
    return trading_api_pb2.BacktestStep(
        batch=trades(first_row, prices), events=events, first_row=first_row
    )
