//! What pre-trade state is made of, and what moves it.

use super::{Instrument, NewOrder, RiskLimits, Side};

/// One event of the sequencer's stream.
#[derive(Clone, Debug)]
pub enum Event {
    /// All state, from scratch.
    Snapshot(Snapshot),
    /// A new order to decide on.
    Check {
        /// Our id of the order.
        order_id: u64,
        /// The order.
        order: NewOrder,
    },
    /// Quantity moves from a hold to the position.
    Fill(Fill),
    /// The rest of a hold is given back; nothing happens when there is none.
    Release {
        /// Our id of the order.
        order_id: u64,
    },
    /// A position moves without a fill.
    Adjust(Adjust),
    /// A reference price.
    Mark(Mark),
    /// New limits, all of them.
    RiskLimits(RiskLimits),
    /// A new or changed definition.
    Instrument(Instrument),
    /// A new account.
    AccountOpened {
        /// The account.
        account: String,
    },
}

/// Everything that decisions depend on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All instruments.
    pub instruments: Vec<Instrument>,
    /// All accounts.
    pub accounts: Vec<String>,
    /// All limits.
    pub risk_limits: RiskLimits,
    /// Open positions.
    pub positions: Vec<Position>,
    /// Open orders.
    pub holds: Vec<(u64, Hold)>,
    /// The last mark of each instrument that has one.
    pub marks: Vec<Mark>,
}

/// What one account holds of one instrument.
#[derive(Clone, Debug)]
pub struct Position {
    /// The account.
    pub account: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Net quantity, short negative, in 10^-`qty_scale`.
    pub net_qty: i64,
}

/// What one open order keeps reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The account.
    pub account: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Open quantity, in 10^-`qty_scale`.
    pub leaves_qty: i64,
}

/// A fill. The hold of its order may be gone already (a late fill); the position moves all the same.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Our id of the order.
    pub order_id: u64,
    /// The account.
    pub account: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Quantity, in 10^-`qty_scale`.
    pub last_qty: i64,
}

/// A movement of a position that is not a fill.
#[derive(Clone, Debug)]
pub struct Adjust {
    /// The account.
    pub account: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// By how much, in 10^-`qty_scale`.
    pub qty: i64,
}

/// A reference price.
#[derive(Clone, Debug)]
pub struct Mark {
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// The price, in 10^-`price_scale`.
    pub mark_px: i64,
}

/// An event that cannot be true. State is no longer certain after one; start again from a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{event}: {field} {rule}, got {value}")]
pub struct EventError {
    /// The event, and what it is about.
    pub event: String,
    /// The field that is wrong.
    pub field: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
    /// What it is.
    pub value: String,
}

impl EventError {
    /// An error of `field` in `event`.
    pub fn new(event: impl Into<String>, field: &'static str, rule: &'static str, value: impl ToString) -> Self {
        Self { event: event.into(), field, rule, value: value.to_string() }
    }
}
