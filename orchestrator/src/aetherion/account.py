"""Money, accounts and positions. All of it is exact."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from aetherion.exact import EXACT, unscale

ATTOS = 10**18  # in one unit of a currency
_ATTOS_PER_CENT = ATTOS // 100


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of a currency, in 10^-18 of it."""

    currency: str
    attos: int

    @property
    def amount(self) -> Decimal:
        """The amount in whole units: exact, with as many decimals as it needs but at least two."""
        if self.attos % _ATTOS_PER_CENT == 0:
            return unscale(self.attos // _ATTOS_PER_CENT, 2)
        return EXACT.normalize(unscale(self.attos, 18))

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Position:
    """What one account holds of one instrument; quantity and mark as decimal numbers."""

    account: str
    instrument_id: str
    net_qty: Decimal
    cost: Money
    realized_pnl: Money
    unrealized_pnl: Money | None
    fees: Money
    mark: Decimal | None
    avg_px: float
    strategy_id: str = ""  # whose part of the position it is; empty: all of it


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account as the engine holds it after one event of the journal."""

    account: str
    sequence: int
    transact_time_ns: int
    base_currency: str
    balances: tuple[Money, ...]
    positions: tuple[Position, ...]
    equity: Money | None
    strategy_positions: tuple[Position, ...] = ()  # by the strategies that moved them

    @property
    def cash(self) -> Decimal:
        """Cash in the base currency."""
        return sum(
            (m.amount for m in self.balances if m.currency == self.base_currency), Decimal(0)
        )
