"""Limits that orders are checked against, as one versioned document."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class RiskLimit:
    """Limits at one scope, in whole units; empty account and instrument: every account."""

    account: str = ""
    instrument_id: str = ""
    max_order_qty: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_position_qty: Decimal | None = None

    @property
    def scope(self) -> str:
        """Whose limits these are, in words."""
        parts = [self.account and f"account {self.account}", self.instrument_id]
        return " ".join(p for p in parts if p) or "firm"


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """All limits, as one versioned document."""

    limits: tuple[RiskLimit, ...] = ()
    market_order_band_bps: int = 0
    version: int = 0
