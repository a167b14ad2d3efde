//! Limits by scope; where several apply, the tightest wins.

use std::collections::HashSet;

use super::{Decimal, EventError, scope};

/// The limits of one scope. An absent limit does not bind. The contract (`risk_limit.proto`) says what each means.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "one fact, one home: the fields have the names and the meaning of the contract")]
pub struct RiskLimit {
    /// The account it binds, or empty for all.
    pub account: String,
    /// The strategy it binds, or empty for all.
    pub strategy_id: String,
    /// The instrument it binds, or empty for all.
    pub instrument_id: String,
    pub max_order_qty: Option<Decimal>,
    pub max_order_notional: Option<Decimal>,
    pub max_position_qty: Option<Decimal>,
    pub max_long_qty: Option<Decimal>,
    pub max_short_qty: Option<Decimal>,
    pub no_short: bool,
    pub restricted: bool,
    pub static_collar_bps: Option<u32>,
    pub static_reference_px: Option<Decimal>,
    pub price_collar_bps: Option<u32>,
    pub max_mark_age_ms: Option<u32>,
    pub max_aggressive_ticks: Option<u32>,
    pub order_rate_per_s: Option<u32>,
    pub order_burst: Option<u32>,
    pub duplicate_count: Option<u32>,
    pub duplicate_window_ms: Option<u32>,
    pub max_open_orders: Option<u32>,
    pub max_open_notional: Option<Decimal>,
    pub max_gross_notional: Option<Decimal>,
    pub max_net_notional: Option<Decimal>,
    pub max_leverage: Option<Decimal>,
    pub initial_margin_ratio: Option<Decimal>,
    pub max_daily_notional: Option<Decimal>,
    pub max_daily_qty: Option<Decimal>,
    pub max_daily_loss: Option<Decimal>,
    pub max_drawdown: Option<Decimal>,
    pub max_var: Option<Decimal>,
    pub max_adv_share_bps: Option<u32>,
    pub adv_qty: Option<Decimal>,
    pub max_batch_notional: Option<Decimal>,
    pub max_batch_orders: Option<u32>,
    pub repeat_count: Option<u32>,
    pub repeat_window_ms: Option<u32>,
    pub max_consecutive_rejects: Option<u32>,
    pub max_order_to_trade_ratio: Option<u32>,
    pub otr_window_ms: Option<u32>,
    pub prevent_self_trade: bool,
}

impl RiskLimit {
    /// Whose limit it is: `firm`, `account:A`, `instrument:I` or `account:A,strategy:S,instrument:I`.
    pub fn scope(&self) -> String {
        scope::name(&[&self.account, &self.strategy_id, &self.instrument_id])
    }

    fn validated(self) -> Result<Self, EventError> {
        let limits = [
            ("max_order_qty", self.max_order_qty),
            ("max_order_notional", self.max_order_notional),
            ("max_position_qty", self.max_position_qty),
            ("max_long_qty", self.max_long_qty),
            ("max_short_qty", self.max_short_qty),
            ("max_open_notional", self.max_open_notional),
            ("max_gross_notional", self.max_gross_notional),
            ("max_net_notional", self.max_net_notional),
            ("max_leverage", self.max_leverage),
            ("initial_margin_ratio", self.initial_margin_ratio),
            ("max_daily_notional", self.max_daily_notional),
            ("max_daily_qty", self.max_daily_qty),
            ("max_daily_loss", self.max_daily_loss),
            ("max_drawdown", self.max_drawdown),
            ("max_var", self.max_var),
            ("adv_qty", self.adv_qty),
            ("max_batch_notional", self.max_batch_notional),
        ];
        for (field, limit) in limits {
            let Some(limit) = limit else { continue };
            let rule = match limit {
                limit if limit.mantissa() < 0 => "must not be negative",
                limit if limit.scale() > 18 || limit.mantissa() > i64::MAX.into() => {
                    "must have 64 bits and a scale of at most 18"
                }
                _ => continue,
            };
            return Err(EventError::new(format!("risk_limits of {}", self.scope()), field, rule, limit));
        }
        Ok(self)
    }
}

/// All limits, as one versioned document.
#[derive(Clone, Debug, Default)]
pub struct RiskLimits {
    version: u64,
    market_order_band_bps: u32,
    limits: Vec<RiskLimit>,
}

impl RiskLimits {
    /// Checks that no limit is negative and that each scope stands at most once.
    pub fn new(version: u64, limits: Vec<RiskLimit>, market_order_band_bps: u32) -> Result<Self, EventError> {
        let limits = limits.into_iter().map(RiskLimit::validated).collect::<Result<Vec<_>, _>>()?;
        let mut scopes = HashSet::new();
        for limit in &limits {
            if !scopes.insert((&limit.account, &limit.strategy_id, &limit.instrument_id)) {
                let rule = "must name each scope at most once";
                return Err(EventError::new("risk_limits", "limits", rule, limit.scope()));
            }
        }
        Ok(Self { version, market_order_band_bps, limits })
    }

    /// Grows with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How far above the mark a market buy is valued, in basis points of the mark.
    pub fn market_order_band_bps(&self) -> u32 {
        self.market_order_band_bps
    }

    /// The limits of all scopes.
    pub fn limits(&self) -> &[RiskLimit] {
        &self.limits
    }
}
