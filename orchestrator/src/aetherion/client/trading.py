"""The Trading Service: market data, orders, accounts, controls and simulations."""

from __future__ import annotations

from aetherion.account import AccountState, Position
from aetherion.client.admin import AdminCalls
from aetherion.client.channel import CALL_TIMEOUT_S
from aetherion.client.convert import account_of, position_of
from aetherion.client.orders import OrderCalls
from aetherion.client.simulation import BacktestConfig, BacktestSession
from aetherion.v1 import trading_api_pb2, trading_api_pb2_grpc


class TradingClient(OrderCalls, AdminCalls):
    """Every RPC of trading_api.proto. Closed by `async with`.

    Prices and quantities are `Decimal`, in the units of their instrument, whose definition the
    client fetches once. A call that fails raises a `ServiceError`; a refused order is an answer.
    """

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__(target, timeout_s=timeout_s)
        self._accounts = trading_api_pb2_grpc.AccountServiceStub(self.aio)
        self._simulation = trading_api_pb2_grpc.SimulationServiceStub(self.aio)

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

    # SimulationService

    def run_backtest(self, config: BacktestConfig) -> BacktestSession:
        """Return a simulation, for `async with`."""
        return BacktestSession(self, self._simulation, config)
