//! What pre-trade state is made of, and what moves it.

use super::{Contingency, Decimal, Instrument, NewOrder, RiskLimits, Side, TradingScope, TradingState};

/// When an event happened, and where it stands in the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Its sequence in the journal.
    pub sequence: u64,
    /// The sequencer's time, ns UTC.
    pub transact_time_ns: i64,
}

/// One event of the sequencer's stream.
#[derive(Clone, Debug)]
pub enum Event {
    /// All state, from scratch.
    Snapshot(Box<Snapshot>),
    /// Orders to decide on.
    Check(Check),
    /// A change of an open order to decide on.
    Replace(Replace),
    /// Quantity moves from a hold to the position.
    Fill(Fill),
    /// The rest of a hold is given back; nothing happens when there is none.
    Release {
        /// Our id of the order.
        order_id: u64,
    },
    /// The venue refused an order: its hold is given back too.
    VenueReject {
        /// Our id of the order.
        order_id: u64,
    },
    /// What an order holds from now on; no quantity is a release.
    Restated(u64, Hold),
    /// A position moves without a fill.
    Adjust(Adjust),
    /// A fill is undone or changed.
    Correction(Correction),
    /// Cash moves without a fill.
    Cash(Cash),
    /// A reference price.
    Mark(Mark),
    /// New limits, all of them.
    RiskLimits(RiskLimits),
    /// A trading state.
    TradingState(TradingScope, TradingState),
    /// A kill switch, engaged or released.
    KillSwitch(TradingScope, bool),
    /// Exchange rates, which replace those of the same pairs.
    FxRates(Vec<FxRate>),
    /// What VaR is computed from.
    Model(Model),
    /// A new or changed definition.
    Instrument(Instrument),
    /// A new account.
    AccountOpened(Account),
    /// Asks for the memory after this event.
    Save,
}

/// Orders that are approved or refused as one.
#[derive(Clone, Debug)]
pub struct Check {
    /// What they mean to each other; None: one order on its own.
    pub contingency: Option<Contingency>,
    /// The orders.
    pub orders: Vec<Asked>,
    /// What was decided on them before, which is taken over: whether each was approved. Empty: to be decided.
    pub decided: Vec<Decided>,
    /// True: answered as if it came next, and forgotten.
    pub preview: bool,
}

/// One order that may go or not.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Our id of the order.
    pub order_id: u64,
    /// The order.
    pub order: NewOrder,
    /// How many orders came in the same request.
    pub batch_orders: u32,
    /// What those are worth together; None: this order alone.
    pub batch_notional: Option<Decimal>,
}

/// What was decided before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Whether it was approved.
    pub approved: bool,
    /// Whether the refusal was one that does not count as the order's fault: a kill switch or a trading state.
    pub blocked: bool,
}

/// A change of an open order.
#[derive(Clone, Debug)]
pub struct Replace {
    /// The order as it would be; `order_qty` is the new total.
    pub asked: Asked,
    /// What of it is filled.
    pub cum_qty: i64,
    /// What was decided on it before; None: to be decided.
    pub decided: Option<Decided>,
}

/// Everything that decisions depend on.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All instruments.
    pub instruments: Vec<Instrument>,
    /// All accounts.
    pub accounts: Vec<Account>,
    /// All limits.
    pub risk_limits: RiskLimits,
    /// Open positions.
    pub positions: Vec<Adjust>,
    /// Open orders.
    pub holds: Vec<(u64, Hold)>,
    /// The last mark of each instrument that has one, and when it came, ns UTC.
    pub marks: Vec<(Mark, i64)>,
    /// Trading states other than ACTIVE.
    pub trading_states: Vec<(TradingScope, TradingState)>,
    /// Kill switches that are engaged.
    pub kill_switches: Vec<TradingScope>,
    /// Exchange rates.
    pub fx_rates: Vec<FxRate>,
    /// What VaR is computed from.
    pub model: Option<Model>,
    /// Cash of all accounts.
    pub cash: Vec<Cash>,
    /// What a machine in the same state gave as its memory; None: a first start.
    pub memory: Option<Vec<u8>>,
    /// The hash over the whole state that it gave with that memory; empty: it is not to be compared.
    pub state_hash: Vec<u8>,
}

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub account: String,
    /// The currency of its equity and of its limits.
    pub base_currency: String,
}

/// What one open order keeps reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The account.
    pub account: String,
    /// The strategy; may be empty.
    pub strategy_id: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Open quantity, in 10^-`qty_scale`.
    pub leaves_qty: i64,
    /// The price that it counts at, in 10^-`price_scale`.
    pub price: i64,
    /// Whether it is a limit order, which may trade with another one.
    pub is_limit: bool,
    /// Whether it waits for its trigger price.
    pub has_trigger: bool,
    /// Its list, by the id of the list's first order, and what the orders of that list mean to each other.
    pub list: Option<(u64, Contingency)>,
}

/// A fill. The hold of its order may be gone already (a late fill); the position moves all the same.
#[derive(Clone, Debug)]
pub struct Fill {
    /// Our id of the order.
    pub order_id: u64,
    /// The account.
    pub account: String,
    /// The strategy; may be empty.
    pub strategy_id: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Buy or sell.
    pub side: Side,
    /// Quantity, in 10^-`qty_scale`.
    pub last_qty: i64,
    /// Price, in 10^-`price_scale`.
    pub last_px: i64,
    /// By how much cash moves, fees included; None: by the fill's notional.
    pub cash: Option<Money>,
}

/// An exact amount of a currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// The currency.
    pub currency: String,
    /// In 10^-18 of it.
    pub attos: i128,
}

/// A movement of a position that is not a fill, or a position.
#[derive(Clone, Debug)]
pub struct Adjust {
    /// The account.
    pub account: String,
    /// The strategy; empty: the account itself.
    pub strategy_id: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// By how much, in 10^-`qty_scale`.
    pub qty: i64,
}

/// A fill undone or changed: position and cash move, no hold does.
#[derive(Clone, Debug)]
pub struct Correction {
    /// Whose position moves, and by how much.
    pub adjust: Adjust,
    /// By how much cash moves.
    pub cash: Option<Money>,
}

/// A movement of cash that is not a fill, or a balance.
#[derive(Clone, Debug)]
pub struct Cash {
    /// The account.
    pub account: String,
    /// By how much.
    pub cash: Money,
}

/// A reference price.
#[derive(Clone, Debug)]
pub struct Mark {
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// The price, in 10^-`price_scale`.
    pub mark_px: i64,
}

/// What one unit of a currency is worth in another.
#[derive(Clone, Debug)]
pub struct FxRate {
    /// What is valued.
    pub currency: String,
    /// In what.
    pub quote_currency: String,
    /// Units of `quote_currency` for one of `currency`, positive.
    pub rate: Decimal,
}

/// What portfolio VaR after a trade is computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Grows with each change.
    pub version: u64,
    /// The factors: each is an instrument, whose return it is.
    pub instrument_ids: Vec<String>,
    /// Shape (K, K), row by row: covariance of one-day returns.
    pub covariance: Vec<f64>,
    /// Confidence level in basis points.
    pub confidence_bp: u32,
    /// Horizon in days.
    pub horizon_days: u32,
    /// Degrees of freedom of a Student t; 0: normal.
    pub degrees_of_freedom: f64,
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
