//! Limits by scope; where several apply, the tightest wins.

use std::collections::HashMap;

use super::{Decimal, EventError};

/// The limits of one scope. An absent limit does not bind.
#[derive(Clone, Debug, Default)]
pub struct RiskLimit {
    /// The account it binds, or empty for every account on its own.
    pub account: String,
    /// The instrument it binds, or empty for every instrument on its own.
    pub instrument_id: String,
    /// Largest quantity of one order, in units of the instrument.
    pub max_order_qty: Option<Decimal>,
    /// Largest notional of one order, in the quote currency.
    pub max_order_notional: Option<Decimal>,
    /// Largest absolute position with all open orders of the side filled, in units of the instrument.
    pub max_position_qty: Option<Decimal>,
}

impl RiskLimit {
    /// Whose limit it is: `firm`, `account:A`, `instrument:I` or `account:A,instrument:I`.
    pub fn scope(&self) -> String {
        match (self.account.as_str(), self.instrument_id.as_str()) {
            ("", "") => "firm".to_owned(),
            (account, "") => format!("account:{account}"),
            ("", instrument_id) => format!("instrument:{instrument_id}"),
            (account, instrument_id) => format!("account:{account},instrument:{instrument_id}"),
        }
    }

    fn validated(self) -> Result<Self, EventError> {
        let limits = [
            ("max_order_qty", self.max_order_qty),
            ("max_order_notional", self.max_order_notional),
            ("max_position_qty", self.max_position_qty),
        ];
        for (field, limit) in limits {
            if let Some(limit) = limit.filter(|limit| limit.mantissa() < 0) {
                let event = format!("risk_limits of {}", self.scope());
                return Err(EventError::new(event, field, "must not be negative", limit));
            }
        }
        Ok(self)
    }
}

/// All limits, as one versioned document.
#[derive(Clone, Debug, Default)]
pub struct RiskLimits {
    version: u64,
    market_order_band_bps: u32,
    /// By account, then by instrument; empty is all, as in [`RiskLimit`].
    scopes: HashMap<String, HashMap<String, RiskLimit>>,
}

impl RiskLimits {
    /// Checks that no limit is negative and that each scope stands at most once.
    pub fn new(version: u64, limits: Vec<RiskLimit>, market_order_band_bps: u32) -> Result<Self, EventError> {
        let mut scopes = HashMap::<String, HashMap<String, RiskLimit>>::new();
        for limit in limits {
            let limit = limit.validated()?;
            let of_account = scopes.entry(limit.account.clone()).or_default();
            if let Some(earlier) = of_account.insert(limit.instrument_id.clone(), limit) {
                let rule = "must name each scope at most once";
                return Err(EventError::new("risk_limits", "limits", rule, earlier.scope()));
            }
        }
        Ok(Self { version, market_order_band_bps, scopes })
    }

    /// Grows with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How far above the mark a market buy is valued, in basis points of the mark.
    pub fn market_order_band_bps(&self) -> u32 {
        self.market_order_band_bps
    }

    /// The limits that bind an order, from the widest scope to the narrowest.
    pub(super) fn binding(&self, account: &str, instrument_id: &str) -> Binding<'_> {
        let at = |account: &str, instrument_id: &str| {
            self.scopes.get(account).and_then(|of_account| of_account.get(instrument_id))
        };
        Binding([at("", ""), at(account, ""), at("", instrument_id), at(account, instrument_id)])
    }
}

/// The limits that bind one order: firm, account, instrument, account and instrument.
pub(super) struct Binding<'a>([Option<&'a RiskLimit>; 4]);

impl<'a> Binding<'a> {
    /// The tightest limit of one kind and the scope that sets it; of equal ones the widest scope.
    pub(super) fn tightest(&self, kind: impl Fn(&RiskLimit) -> Option<Decimal>) -> Option<(Decimal, &'a RiskLimit)> {
        let of_kind = self.0.iter().flatten().filter_map(|&scope| Some((kind(scope)?, scope)));
        of_kind.min_by_key(|(limit, _)| *limit)
    }
}
