"""The risk of the live portfolio follows its orders, through all three services."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from aetherion.account import Position
from aetherion.client import NotFoundError, RiskClient, TradingClient
from aetherion.order import NewOrder, OrdRejReason, Side
from aetherion.risk import PortfolioRisk, ReturnModel, Shock, StressScenario, Watch
from processes import Service, aetherion, free_port, risk_service, trading_service

ACCOUNT = "A1"
FACTORS = ("IBM.XNYS", "AAPL.XNAS")
COVARIANCE = np.array([[4e-4, 1e-4], [1e-4, 9e-4]])
WATCH = Watch(
    factors=FACTORS,
    model=ReturnModel(covariance=COVARIANCE),
    confidence_bp=(9900, 9750),
    min_interval_ms=10,
    scenarios=(StressScenario("crash", (Shock("", spot=-0.1),)),),
)


@pytest.fixture
def services(tmp_path: Path) -> Iterator[tuple[Service, Service]]:
    """Both services, live on a replay of the demo set that waits for its readers."""
    done = aetherion("data", "prepare-demo", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with (
        risk_service(tmp_path, free_port()) as risk,
        trading_service(
            tmp_path,
            free_port(),
            risk.address,
            AETHERION_TRADING_DATA_DIR=str(tmp_path / "data"),
            AETHERION_TRADING_REPLAY_DATA_SET="demo",
            AETHERION_TRADING_REPLAY_VOLUME_SHARE_BPS="10000",
            AETHERION_TRADING_ACCOUNT=ACCOUNT,
            AETHERION_TRADING_RISK_TIMEOUT_MS="5000",
        ) as trading,
    ):
        yield trading, risk


async def report_of(risk: RiskClient, positions: int) -> PortfolioRisk:
    """The first report with so many positions; the session shows itself with its first order."""
    while True:
        try:
            async for report in risk.stream_risk(WATCH):
                if len(report.positions) == positions:
                    return report
        except NotFoundError:
            await asyncio.sleep(0.01)


async def accepted(
    client: TradingClient, name: str, instrument_id: str, side: Side, qty: int
) -> None:
    """Order, again under another name while the Risk Service is not there yet or late."""
    for attempt in range(100):
        order = NewOrder(f"{name}{attempt}", ACCOUNT, instrument_id, side, Decimal(qty))
        ack = await client.submit_order(order)
        if ack.accepted:
            return
        assert ack.ord_rej_reason is OrdRejReason.RISK_UNAVAILABLE, ack
        await asyncio.sleep(0.1)
    raise AssertionError(ack)


async def test_the_figures_are_those_of_the_positions(services: tuple[Service, Service]) -> None:
    trading, risk = services
    async with TradingClient(trading.address) as client, RiskClient(risk.address) as watcher:
        reported = asyncio.create_task(report_of(watcher, 2))
        rows = aiter(client.stream_market_data(max_batch_rows=1))
        for _ in range(30):
            await anext(rows)
        await accepted(client, "a", "IBM.XNYS", Side.BUY, 300)
        await accepted(client, "b", "AAPL.XNAS", Side.SELL, 200)
        held: list[Position] = []
        while len(held) < 2:
            await anext(rows)
            held = [p for p in await client.list_positions(ACCOUNT) if p.net_qty]
        async with asyncio.timeout(20):
            report = await reported
    exposures = np.zeros(2)
    for position in report.positions:
        assert position.exposure == pytest.approx(position.qty * position.price)
        exposures[FACTORS.index(position.instrument_id)] = position.exposure
    assert exposures[0] > 0 > exposures[1]
    sigma = float(np.sqrt(exposures @ COVARIANCE @ exposures))
    assert report.sigma_1d == pytest.approx(sigma, rel=1e-9)
    for figures, alpha in zip(report.figures, (0.99, 0.975), strict=True):
        assert figures.var == pytest.approx(norm.ppf(alpha) * sigma, rel=1e-9)
        expected = norm.pdf(norm.ppf(alpha)) / (1 - alpha) * sigma
        assert figures.es == pytest.approx(expected, rel=1e-9)
    parts = sum(position.component_var for position in report.positions)
    assert parts == pytest.approx(report.figures[0].var, rel=1e-9)
    assert report.stress[0].pnl == pytest.approx(-0.1 * exposures.sum(), rel=1e-9)
    assert report.gross_notional == pytest.approx(np.abs(exposures).sum())
    assert report.left_out == ()


async def test_an_unknown_session_is_named(services: tuple[Service, Service]) -> None:
    async with RiskClient(services[1].address) as watcher:
        nowhere = replace(WATCH, session_id="nowhere")
        with pytest.raises(NotFoundError, match='session that goes on, got "nowhere"'):
            await anext(aiter(watcher.stream_risk(nowhere)))
