"""Limits, trading states, rates and models between the contract and Python's values."""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from typing import Any

from aetherion.client.money import decimal_message, decimal_of, enum_of
from aetherion.controls import (
    FxRate,
    KillSwitch,
    Latch,
    PretradeModel,
    RiskAlarm,
    TradingScope,
    TradingState,
    TradingStateChange,
    TradingStates,
)
from aetherion.order import OrdRejReason
from aetherion.risk import RiskLimit, RiskLimits
from aetherion.v1 import account_pb2, admin_api_pb2, journal_pb2, risk_alarm_pb2, risk_limit_pb2


def limits_message(limits: RiskLimits) -> risk_limit_pb2.RiskLimits:
    """Return limits for the wire."""
    return risk_limit_pb2.RiskLimits(
        version=limits.version,
        limits=[_limit_message(limit) for limit in limits.limits],
        market_order_band_bps=limits.market_order_band_bps,
    )


def _limit_message(limit: RiskLimit) -> risk_limit_pb2.RiskLimit:
    values = {f.name: _sent(getattr(limit, f.name), f.name) for f in fields(limit)}
    return risk_limit_pb2.RiskLimit(**values)


def _sent(value: Any, field: str) -> Any:
    return decimal_message(value, field) if isinstance(value, Decimal) else value


def limits_of(message: risk_limit_pb2.RiskLimits) -> RiskLimits:
    """Return limits as Python works with them."""
    return RiskLimits(
        limits=tuple(_limit_of(m) for m in message.limits),
        market_order_band_bps=message.market_order_band_bps,
        version=message.version,
    )


def _limit_of(message: risk_limit_pb2.RiskLimit) -> RiskLimit:
    present = {descriptor.name: _received(value) for descriptor, value in message.ListFields()}
    return RiskLimit(**present)


def _received(value: Any) -> Any:
    return decimal_of(value) if isinstance(value, account_pb2.Decimal) else value


def scope_message(scope: TradingScope) -> journal_pb2.TradingScope:
    """Return a scope for the wire."""
    return journal_pb2.TradingScope(
        account=scope.account,
        strategy_id=scope.strategy_id,
        instrument_id=scope.instrument_id,
        venue=scope.venue,
    )


def _scope_of(m: journal_pb2.TradingScope) -> TradingScope:
    return TradingScope(m.account, m.strategy_id, m.instrument_id, m.venue)


def state_message(change: TradingStateChange) -> journal_pb2.TradingStateChange:
    """Return a change of a trading state for the wire."""
    return journal_pb2.TradingStateChange(
        scope=scope_message(change.scope),
        trading_state=change.trading_state.value,  # type: ignore[arg-type]  # the same, tested
        changed_by=change.changed_by,
        reason=change.reason,
    )


def states_of(m: admin_api_pb2.GetTradingStatesResponse) -> TradingStates:
    """Return the states, kill switches and latches in force."""
    return TradingStates(
        trading_states=tuple(
            TradingStateChange(
                _scope_of(s.scope), enum_of(TradingState, s.trading_state), s.changed_by, s.reason
            )
            for s in m.trading_states
        ),
        kill_switches=tuple(
            KillSwitch(_scope_of(k.scope), k.changed_by, k.reason) for k in m.kill_switches
        ),
        latches=tuple(map(_latch_of, m.latches)),
    )


def _latch_of(m: risk_alarm_pb2.PretradeLatch) -> Latch:
    return Latch(
        sequence=m.sequence,
        ord_rej_reason=enum_of(OrdRejReason, m.ord_rej_reason),
        scope=_scope_of(m.scope),
        risk_limit=m.risk_limit,
        value=m.value,
        trading_state=enum_of(TradingState, m.trading_state),
    )


def rate_message(rate: FxRate) -> journal_pb2.FxRate:
    """Return an exchange rate for the wire."""
    return journal_pb2.FxRate(
        currency=rate.currency,
        quote_currency=rate.quote_currency,
        rate=decimal_message(rate.rate, f"rate of {rate.currency}"),
    )


def model_message(model: PretradeModel) -> journal_pb2.PretradeModel:
    """Return a model for the wire."""
    return journal_pb2.PretradeModel(
        instrument_ids=model.instrument_ids,
        covariance=model.covariance.ravel().tolist(),
        confidence_bp=model.confidence_bp,
        horizon_days=model.horizon_days,
        degrees_of_freedom=model.degrees_of_freedom,
    )


def alarm_of(m: risk_alarm_pb2.PretradeAlarm) -> RiskAlarm:
    """Return word of a limit that was passed by what was not an order."""
    return RiskAlarm(
        sequence=m.sequence,
        ord_rej_reason=enum_of(OrdRejReason, m.ord_rej_reason),
        scope=m.scope,
        risk_limit=m.risk_limit,
        value=m.value,
        trading_state=enum_of(TradingState, m.trading_state),
    )
