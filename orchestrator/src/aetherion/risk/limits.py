"""Limits that orders are checked against, as one versioned document."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal

SCOPE_FIELDS = ("account", "strategy_id", "instrument_id")


@dataclass(frozen=True, slots=True)
class RiskLimit:
    """Limits at one scope, in whole units; what names the scope is empty for all.

    What is not set does not bind here. risk_limit.proto says what each one binds.
    """

    account: str = ""
    instrument_id: str = ""
    max_order_qty: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_position_qty: Decimal | None = None
    strategy_id: str = ""
    max_long_qty: Decimal | None = None
    max_short_qty: Decimal | None = None
    no_short: bool = False
    restricted: bool = False
    static_collar_bps: int | None = None
    static_reference_px: Decimal | None = None
    price_collar_bps: int | None = None
    max_mark_age_ms: int | None = None
    max_aggressive_ticks: int | None = None
    order_rate_per_s: int | None = None
    order_burst: int | None = None
    duplicate_count: int | None = None
    duplicate_window_ms: int | None = None
    max_open_orders: int | None = None
    max_open_notional: Decimal | None = None
    max_gross_notional: Decimal | None = None
    max_net_notional: Decimal | None = None
    max_leverage: Decimal | None = None
    initial_margin_ratio: Decimal | None = None
    max_daily_notional: Decimal | None = None
    max_daily_qty: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_drawdown: Decimal | None = None
    max_var: Decimal | None = None
    max_adv_share_bps: int | None = None
    adv_qty: Decimal | None = None
    max_batch_notional: Decimal | None = None
    max_batch_orders: int | None = None
    repeat_count: int | None = None
    repeat_window_ms: int | None = None
    max_consecutive_rejects: int | None = None
    max_order_to_trade_ratio: int | None = None
    otr_window_ms: int | None = None
    prevent_self_trade: bool = False

    @property
    def scope(self) -> str:
        """Whose limits these are, in words."""
        parts = (
            self.account and f"account {self.account}",
            self.strategy_id and f"strategy {self.strategy_id}",
            self.instrument_id,
        )
        return " ".join(filter(None, parts)) or "firm"

    @property
    def binding(self) -> dict[str, Decimal | int | bool]:
        """The limits that bind here, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: value
            for name, value in values.items()
            if name not in SCOPE_FIELDS and value is not None and value is not False
        }


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """All limits, as one versioned document."""

    limits: tuple[RiskLimit, ...] = ()
    market_order_band_bps: int = 0
    version: int = 0
