//! An order as it was asked for, before anybody knows whether it makes sense.

/// Direction of an order (FIX 54).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

/// How an order finds its price (FIX 40).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrdType {
    /// At the market.
    Market,
    /// At its price or better.
    Limit,
    /// At the market, once its trigger price is reached.
    Stop,
    /// At its price or better, once its trigger price is reached.
    StopLimit,
    /// A stop whose trigger price follows the market.
    TrailingStop,
}

impl OrdType {
    /// Whether it waits until a price is reached.
    pub(super) fn has_trigger(self) -> bool {
        matches!(self, Self::Stop | Self::StopLimit | Self::TrailingStop)
    }
}

/// How long an order works (FIX 59).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until the session ends.
    Day,
    /// Until canceled.
    Gtc,
    /// What can be filled at once, the rest canceled.
    Ioc,
    /// All at once or nothing.
    Fok,
    /// Until a time.
    Gtd,
}

/// What the orders of a list mean to each other (FIX 1385).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contingency {
    /// The first fill of one cancels the others.
    Oco,
    /// The others wait until the first is filled.
    Oto,
    /// A fill of one reduces the others.
    Ouo,
    /// An entry, and exits that work for what of it is filled.
    Bracket,
}

/// A number that names no value of its enum. Kept, so that the refusal can show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown(pub i32);

/// A new order (FIX NewOrderSingle). Nothing of it is checked yet.
#[derive(Clone, Debug)]
pub struct NewOrder {
    /// The client's name for the order.
    pub cl_ord_id: String,
    /// The account that trades.
    pub account: String,
    /// The strategy that decided; may be empty.
    pub strategy_id: String,
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Buy or sell.
    pub side: Result<Side, Unknown>,
    /// How it finds its price.
    pub ord_type: Result<OrdType, Unknown>,
    /// How long it works.
    pub time_in_force: Result<TimeInForce, Unknown>,
    /// In 10^-`qty_scale` of the instrument.
    pub order_qty: i64,
    /// In 10^-`price_scale` of the instrument; a limit and a stop-limit order have one.
    pub price: Option<i64>,
    /// Trigger price, in 10^-`price_scale`; a stop and a stop-limit order have one.
    pub stop_px: Option<i64>,
    /// Trailing stop: distance of the trigger price, in 10^-`price_scale`; 0 when in basis points.
    pub trailing_amount: i64,
    /// Trailing stop: the same in basis points; 0 when an amount.
    pub trailing_bps: u32,
    /// Whether the venue is asked to prevent that it trades with an order of its own account.
    pub prevents_self_trade: bool,
}
