"""Trading states, kill switches, exchange rates and the pre-trade model: what an operator sets."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from aetherion.errors import AetherionError
from aetherion.order import OrdRejReason


class ControlError(AetherionError, ValueError):
    """A control that cannot be meant; the text names field, value and rule."""


class TradingState(IntEnum):
    """What may be traded."""

    UNSPECIFIED = 0
    ACTIVE = 1
    REDUCING = 2
    CANCEL_ONLY = 3
    HALTED = 4


@dataclass(frozen=True, slots=True)
class TradingScope:
    """Whom a state or a kill switch binds; all fields empty: the firm."""

    account: str = ""
    strategy_id: str = ""
    instrument_id: str = ""
    venue: str = ""

    def __str__(self) -> str:
        parts = (
            self.account and f"account {self.account}",
            self.strategy_id and f"strategy {self.strategy_id}",
            self.instrument_id,
            self.venue and f"venue {self.venue}",
        )
        return " ".join(filter(None, parts)) or "firm"


@dataclass(frozen=True, slots=True)
class TradingStateChange:
    """A trading state that was set, with who and why."""

    scope: TradingScope
    trading_state: TradingState
    changed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """An engaged kill switch, with who and why."""

    scope: TradingScope
    changed_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Latch:
    """An engaged latch: it refuses orders until somebody sets exactly its scope ACTIVE."""

    sequence: int  # of the event that engaged it; 0: not known
    ord_rej_reason: OrdRejReason
    scope: TradingScope
    risk_limit: str  # that was passed
    value: str  # that passed it
    trading_state: TradingState  # what may still be traded


@dataclass(frozen=True, slots=True)
class TradingStates:
    """All states other than ACTIVE, all engaged kill switches and all engaged latches."""

    trading_states: tuple[TradingStateChange, ...] = ()
    kill_switches: tuple[KillSwitch, ...] = ()
    latches: tuple[Latch, ...] = ()


@dataclass(frozen=True, slots=True)
class RiskAlarm:
    """A limit was passed by what was not an order: a mark, a late fill, a lowered limit."""

    sequence: int
    ord_rej_reason: OrdRejReason
    scope: str
    risk_limit: str
    value: str
    trading_state: TradingState  # that follows


@dataclass(frozen=True, slots=True)
class FxRate:
    """What one unit of `currency` is worth in `quote_currency`."""

    currency: str
    quote_currency: str
    rate: Decimal


@dataclass(frozen=True, slots=True, eq=False)
class PretradeModel:
    """What portfolio VaR after a trade is computed from.

    `covariance` has shape (K, K): of the one-day returns of the K instruments. It may come from
    numpy, or from `aetherion.risk.covariance(returns).covariance`.
    """

    instrument_ids: tuple[str, ...]
    covariance: NDArray[np.float64]
    confidence_bp: int = 9_900
    horizon_days: int = 1
    degrees_of_freedom: float = 0.0  # of a Student t, above 2; 0: normal

    def __post_init__(self) -> None:
        """Take anything that numpy reads as a matrix.

        Raises:
            ControlError: it does not have a row and a column for each instrument.
        """
        matrix = np.asarray(self.covariance, dtype=np.float64)
        size = len(self.instrument_ids)
        if matrix.shape != (size, size):
            raise ControlError(f"covariance: must have shape ({size}, {size}), got {matrix.shape}")
        object.__setattr__(self, "covariance", matrix)
