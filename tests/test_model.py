"""Random commands through real services, held against an independent model of the order path."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from aetherion.v1 import (
    account_pb2,
    admin_api_pb2,
    admin_api_pb2_grpc,
    journal_pb2,
    order_pb2,
    risk_limit_pb2,
    trading_api_pb2,
    trading_api_pb2_grpc,
)
from model.commands import Commands
from model.compare import compare
from model.journal import events_of
from processes import Service, aetherion, free_port, trading_service
from wave import eventually

ACCOUNT = "A1"
INSTRUMENTS = ("ONE.SIM", "THREE.SIM", "TWO.SIM")
COMMANDS = int(os.environ.get("AETHERION_MODEL_COMMANDS", "50000"))
SEEDS = range(int(os.environ.get("AETHERION_MODEL_SESSIONS", "1")))
BATCH = 200
BARS = min(80_000, 20_000 + COMMANDS // 2)  # of a second: in a day names would be forgotten
PRICES = (100, 103, 106, 109, 106, 103, 100, 97, 94, 91, 94, 97)


class Client:
    """Sends commands in big batches, and keeps all reports."""

    def __init__(self, channel: grpc.aio.Channel, commands: Commands) -> None:
        self._orders: trading_api_pb2_grpc.OrderServiceAsyncStub
        self._orders = trading_api_pb2_grpc.OrderServiceStub(channel)
        self._accounts: trading_api_pb2_grpc.AccountServiceAsyncStub
        self._accounts = trading_api_pb2_grpc.AccountServiceStub(channel)
        self._admin: admin_api_pb2_grpc.AdminServiceAsyncStub
        self._admin = admin_api_pb2_grpc.AdminServiceStub(channel)
        self._commands = commands
        self._bound: list[journal_pb2.TradingScope] = []
        self._killed: list[journal_pb2.TradingScope] = []
        self._all_came = asyncio.Event()
        self._tasks = [asyncio.create_task(t) for t in (self._follow(), self._watch(channel))]
        self.reports: list[order_pb2.ExecutionReport] = []

    async def send_all(self) -> None:
        """Send all commands over one stream, each message once the one before is answered."""
        await eventually(self._risk_available)
        stream, sent = self._orders.SubmitOrders(), 0
        while sent < COMMANDS:
            for commands in self._commands.messages(BATCH):
                await stream.write(trading_api_pb2.SubmitOrdersRequest(commands=commands))
                sent, answered = sent + len(commands), 0
                while answered < len(commands):
                    response = await stream.read()
                    assert isinstance(response, trading_api_pb2.SubmitOrdersResponse)
                    answered += len(response.acks)
            await self._control()
        await stream.done_writing()

    async def _risk_available(self) -> bool:
        status = await self._admin.GetStatus(admin_api_pb2.GetStatusRequest())
        return status.risk_available

    async def _control(self) -> None:
        """Now and then change limits, a trading state or a kill switch."""
        commands, who = self._commands, {"changed_by": "desk", "reason": "test"}
        if commands.chance(0.05):
            found = await self._admin.GetLimits(admin_api_pb2.GetLimitsRequest())
            version = found.risk_limits.version
            limits = risk_limit_pb2.RiskLimits(limits=commands.limits(), market_order_band_bps=100)
            await self._admin.SetLimits(
                admin_api_pb2.SetLimitsRequest(risk_limits=limits, expected_version=version, **who)
            )
        if commands.chance(0.02):
            self._bound.append(commands.scope())
            await self._state(self._bound[-1], commands.state(), who)
        elif self._bound and commands.chance(0.3):
            await self._state(self._bound.pop(), journal_pb2.TRADING_STATE_ACTIVE, who)
        if commands.chance(0.02):
            scope = commands.scope()
            await self._admin.EngageKillSwitch(
                admin_api_pb2.EngageKillSwitchRequest(scope=scope, **who)
            )
            if scope not in self._killed:
                self._killed.append(scope)
        elif self._killed and commands.chance(0.3):
            scope = self._killed.pop()
            await self._admin.ReleaseKillSwitch(
                admin_api_pb2.ReleaseKillSwitchRequest(
                    scope=scope, changed_by="somebody else", reason="test"
                )
            )

    async def _state(
        self, scope: journal_pb2.TradingScope, state: int, who: dict[str, str]
    ) -> None:
        change = journal_pb2.TradingStateChange(scope=scope, trading_state=state, **who)  # type: ignore[arg-type]
        await self._admin.SetTradingState(
            admin_api_pb2.SetTradingStateRequest(trading_state_change=change)
        )

    async def end(self) -> account_pb2.AccountState:
        """Return the account once all reports of what it contains are in."""
        request = trading_api_pb2.GetAccountRequest(account=ACCOUNT)
        account = (await self._accounts.GetAccount(request)).account_state
        # What is refused is reported too: after this one there is nothing of before.
        last = order_pb2.NewOrder(
            cl_ord_id="last",
            account=ACCOUNT,
            instrument_id="NONE.SIM",
            side=order_pb2.SIDE_BUY,
            ord_type=order_pb2.ORD_TYPE_MARKET,
            time_in_force=order_pb2.TIME_IN_FORCE_GTC,
        )
        await self._orders.SubmitOrder(trading_api_pb2.SubmitOrderRequest(new_order=last))
        await self._all_came.wait()
        for task in self._tasks:
            task.cancel()
        return account

    async def _follow(self) -> None:
        request = trading_api_pb2.StreamExecutionReportsRequest(account=ACCOUNT)
        async for response in self._orders.StreamExecutionReports(request):
            self.reports.extend(response.reports)
            for report in response.reports:
                self._commands.now_ns = report.transact_time_ns
                if report.cl_ord_id == "last":
                    self._all_came.set()

    async def _watch(self, channel: grpc.aio.Channel) -> None:
        """Read the market, which waits for its readers."""
        market: trading_api_pb2_grpc.MarketDataServiceAsyncStub
        market = trading_api_pb2_grpc.MarketDataServiceStub(channel)
        stream = market.StreamMarketData()
        await stream.write(trading_api_pb2.StreamMarketDataRequest())
        while isinstance(await stream.read(), trading_api_pb2.StreamMarketDataResponse):
            pass


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three instruments whose prices go up and down at different times."""
    folder = tmp_path_factory.mktemp("market")
    begin = datetime(2024, 1, 2, 0, 30, tzinfo=UTC)
    lines = ["time,symbol,open,high,low,close,volume"]
    for second in range(BARS):
        at = (begin + timedelta(seconds=second)).isoformat()
        for n, instrument_id in enumerate(INSTRUMENTS):
            price = PRICES[(second // 4 + 5 * n) % len(PRICES)]
            symbol = instrument_id.removesuffix(".SIM")
            lines.append(f"{at},{symbol},{price},{price},{price},{price},{300 + 50 * (second % 7)}")
    file = folder / "market.csv"
    file.write_text("\n".join(lines))
    options = ["--name", "market", "--kind", "bar", "--interval", "1s", "--price-scale", "2"]
    options += ["--tick", "0.05", "--taker-fee-bps", "3"]
    done = aetherion("data", "import", str(file), *options, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "data"


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_services_do_what_the_model_does(
    tmp_path: Path, data_dir: Path, risk: Service, seed: int
) -> None:
    trading = trading_service(
        tmp_path,
        free_port(),
        risk.address,
        AETHERION_TRADING_DATA_DIR=str(data_dir),
        AETHERION_TRADING_REPLAY_DATA_SET="market",
        AETHERION_TRADING_REPLAY_SPEED="2000",
        AETHERION_TRADING_ACCOUNT=ACCOUNT,
        AETHERION_TRADING_RISK_TIMEOUT_MS="10000",
        AETHERION_TRADING_JOURNAL_DIR=str(tmp_path / "journal"),
        AETHERION_TRADING_DURABILITY="os",
    )
    with trading:
        async with grpc.aio.insecure_channel(trading.address) as channel:
            client = Client(channel, Commands(seed, ACCOUNT, INSTRUMENTS))
            async with asyncio.timeout(60 + COMMANDS // 100):
                await client.send_all()
                account = await client.end()
        assert trading.stop() == 0
    outcome = await asyncio.to_thread(
        compare, events_of(tmp_path / "journal"), client.reports, account
    )
    print(
        f"{COMMANDS} commands of seed {seed}: {outcome.reports} reports compared; "
        f"events {dict(outcome.events)}; decisions {dict(outcome.decisions)}"
    )
    assert not outcome.differences, "\n".join(outcome.differences)
    assert outcome.events["venue_report"] > COMMANDS // 10
    assert outcome.events["triggered"] > COMMANDS // 1000
