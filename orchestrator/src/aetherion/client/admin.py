"""Limits, states, kill switches and adjustments: every change is journaled with who and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aetherion.client.channel import CALL_TIMEOUT_S
from aetherion.client.control_messages import (
    alarm_of,
    limits_message,
    limits_of,
    model_message,
    rate_message,
    scope_message,
    state_message,
    states_of,
)
from aetherion.client.market import MarketDataCalls
from aetherion.client.money import money_message
from aetherion.controls import (
    FxRate,
    PretradeModel,
    RiskAlarm,
    TradingScope,
    TradingStateChange,
    TradingStates,
)
from aetherion.exact import Number, to_decimal
from aetherion.risk import RiskLimits
from aetherion.v1 import admin_api_pb2, admin_api_pb2_grpc, journal_pb2


@dataclass(frozen=True, slots=True)
class TradingStatus:
    """How the Trading Service and what it depends on are."""

    version: str
    sequence: int
    epoch: int
    risk_available: bool
    durability: str
    data_sets: tuple[str, ...]
    risk_reason: str = ""  # why the Risk Service does not answer
    alarms: tuple[RiskAlarm, ...] = ()  # the last 100, oldest first
    total_alarms: int = 0
    warnings: tuple[str, ...] = ()  # what should not stay so
    journal_free_bytes: int = 0  # 0 of a journal in memory
    journal_headroom_bytes: int = 0  # kept back for when its disk is full
    journal_low: bool = False  # the disk is full, and the headroom in use
    pretrade_model_version: int = 0  # 0: there is no model


@dataclass(frozen=True, slots=True)
class LimitsChange:
    """What became of a change of limits."""

    risk_limits: RiskLimits
    sequence: int  # from which they hold; 0: they are proposed, and somebody else has to approve
    loosened: str = ""  # proposed: the first limit that is looser than the one in force

    @property
    def in_force(self) -> bool:
        """Whether they hold."""
        return self.sequence > 0


class AdminCalls(MarketDataCalls):
    """AdminService. A change returns the sequence of the journal from which it holds."""

    def __init__(self, target: str, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        super().__init__(target, timeout_s=timeout_s)
        self._admin = admin_api_pb2_grpc.AdminServiceStub(self.aio)

    async def get_limits(self) -> RiskLimits:
        """Return the limits in force."""
        request = admin_api_pb2.GetLimitsRequest()
        answer = await self.answer(self._admin.GetLimits(request, timeout=self.timeout_s))
        return limits_of(answer.risk_limits)

    async def set_limits(self, limits: RiskLimits, *, changed_by: str, reason: str) -> LimitsChange:
        """Replace all limits, if `limits.version` is still in force.

        Raises:
            FailedPreconditionError: somebody else changed them since.
        """
        request = admin_api_pb2.SetLimitsRequest(
            risk_limits=limits_message(limits),
            expected_version=limits.version,
            changed_by=changed_by,
            reason=reason,
        )
        answer = await self.answer(self._admin.SetLimits(request, timeout=self.timeout_s))
        return LimitsChange(limits_of(answer.risk_limits), answer.sequence, answer.loosened)

    async def approve_limits(self, version: int, *, approved_by: str) -> LimitsChange:
        """Put proposed limits in force; `approved_by` is somebody else than who proposed them."""
        request = admin_api_pb2.ApproveLimitsRequest(version=version, approved_by=approved_by)
        answer = await self.answer(self._admin.ApproveLimits(request, timeout=self.timeout_s))
        return LimitsChange(limits_of(answer.risk_limits), answer.sequence)

    async def get_status(self) -> TradingStatus:
        """Return how the service is."""
        request = admin_api_pb2.GetStatusRequest()
        answer = await self.answer(self._admin.GetStatus(request, timeout=self.timeout_s))
        return TradingStatus(
            version=answer.version,
            sequence=answer.sequence,
            epoch=answer.epoch,
            risk_available=answer.risk_available,
            durability=answer.durability,
            data_sets=tuple(answer.data_sets),
            risk_reason=answer.risk_reason,
            alarms=tuple(map(alarm_of, answer.alarms)),
            total_alarms=answer.total_alarms,
            warnings=tuple(answer.warnings),
            journal_free_bytes=answer.journal_room.free_bytes,
            journal_headroom_bytes=answer.journal_room.headroom_bytes,
            journal_low=answer.journal_room.low,
            pretrade_model_version=answer.pretrade_model_version,
        )

    async def set_trading_state(self, change: TradingStateChange) -> int:
        """Set the trading state of a scope; ACTIVE also arms again what latched there."""
        request = admin_api_pb2.SetTradingStateRequest(trading_state_change=state_message(change))
        answer = await self.answer(self._admin.SetTradingState(request, timeout=self.timeout_s))
        return answer.sequence

    async def engage_kill_switch(
        self, scope: TradingScope, *, changed_by: str, reason: str
    ) -> tuple[int, int]:
        """Refuse new orders of a scope and cancel those that are open.

        Returns:
            The sequence from which it holds, and how many orders it cancels.
        """
        request = admin_api_pb2.EngageKillSwitchRequest(
            scope=scope_message(scope), changed_by=changed_by, reason=reason
        )
        answer = await self.answer(self._admin.EngageKillSwitch(request, timeout=self.timeout_s))
        return answer.sequence, answer.total_affected_orders

    async def release_kill_switch(
        self, scope: TradingScope, *, changed_by: str, reason: str
    ) -> int:
        """Let a scope trade again; `changed_by` is somebody else than who engaged it."""
        request = admin_api_pb2.ReleaseKillSwitchRequest(
            scope=scope_message(scope), changed_by=changed_by, reason=reason
        )
        answer = await self.answer(self._admin.ReleaseKillSwitch(request, timeout=self.timeout_s))
        return answer.sequence

    async def get_trading_states(self) -> TradingStates:
        """Return all states other than ACTIVE, all engaged kill switches and latches."""
        request = admin_api_pb2.GetTradingStatesRequest()
        return states_of(
            await self.answer(self._admin.GetTradingStates(request, timeout=self.timeout_s))
        )

    async def set_fx_rates(self, rates: Sequence[FxRate]) -> int:
        """Set exchange rates; they replace those of the same pair."""
        request = admin_api_pb2.SetFxRatesRequest(
            fx_rates=journal_pb2.FxRates(rates=[rate_message(rate) for rate in rates])
        )
        answer = await self.answer(self._admin.SetFxRates(request, timeout=self.timeout_s))
        return answer.sequence

    async def set_pretrade_model(self, model: PretradeModel, *, expected_version: int) -> int:
        """Set what VaR limits are computed from; its version is `expected_version + 1` then.

        Raises:
            FailedPreconditionError: another version is in force: `TradingStatus` has it.
        """
        request = admin_api_pb2.SetPretradeModelRequest(
            pretrade_model=model_message(model), expected_version=expected_version
        )
        answer = await self.answer(self._admin.SetPretradeModel(request, timeout=self.timeout_s))
        return answer.sequence

    async def adjust_cash(self, account: str, currency: str, amount: Number, *, reason: str) -> int:
        """Move cash of an account without a fill; a negative amount goes out."""
        cash = money_message(currency, to_decimal(amount, "amount"), "amount")
        return await self._adjust(journal_pb2.Adjustment(account=account, cash=cash, reason=reason))

    async def adjust_position(
        self, account: str, instrument_id: str, qty: Number, price: Number, *, reason: str
    ) -> int:
        """Move a position without a fill, at a cost; a negative quantity goes out."""
        await self.learn([instrument_id])
        instrument = self.known(instrument_id)
        return await self._adjust(
            journal_pb2.Adjustment(
                account=account,
                instrument_id=instrument_id,
                qty=instrument.qty(qty),
                price=instrument.px(price),
                reason=reason,
            )
        )

    async def _adjust(self, adjustment: journal_pb2.Adjustment) -> int:
        request = admin_api_pb2.AdjustAccountRequest(adjustment=adjustment)
        answer = await self.answer(self._admin.AdjustAccount(request, timeout=self.timeout_s))
        return answer.sequence
