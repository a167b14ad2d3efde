//! An order as it was asked for, before anybody knows whether it makes sense.

/// Direction of an order (FIX 54).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

/// How an order finds its price (FIX 40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrdType {
    /// At the market.
    Market,
    /// At its price or better.
    Limit,
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
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Buy or sell.
    pub side: Result<Side, Unknown>,
    /// Market or limit.
    pub ord_type: Result<OrdType, Unknown>,
    /// How long it works.
    pub time_in_force: Result<TimeInForce, Unknown>,
    /// In 10^-`qty_scale` of the instrument.
    pub order_qty: i64,
    /// In 10^-`price_scale` of the instrument; a limit order has one, a market order none.
    pub price: Option<i64>,
}
