//! The definition of a contract, checked when it is made.

use super::{Decimal, EventError};

/// What of a definition pre-trade checks depend on, as it was sent.
#[derive(Clone, Debug)]
pub struct InstrumentTerms {
    /// `SYMBOL.VENUE`.
    pub instrument_id: String,
    /// Decimal places of a price.
    pub price_scale: u32,
    /// Decimal places of a quantity.
    pub qty_scale: u32,
    /// The tick, in 10^-`price_scale`.
    pub price_increment: i64,
    /// The lot, in 10^-`qty_scale`.
    pub qty_increment: i64,
    /// Smallest order quantity, in 10^-`qty_scale`.
    pub min_qty: i64,
    /// Largest order quantity, in 10^-`qty_scale`; 0: none.
    pub max_qty: i64,
    /// Quote currency that one unit of price on one unit of quantity is worth.
    pub multiplier: Decimal,
    /// Whether a price may be zero or negative.
    pub allow_negative_price: bool,
    /// What it is priced and settled in.
    pub quote_currency: String,
    /// When it stops trading, ns UTC; 0: never.
    pub expire_time_ns: i64,
    /// When it trades; none: always.
    pub trading_sessions: Vec<TradingSession>,
}

/// A time of the week, UTC, in which an instrument trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingSession {
    /// Monday 1 to Sunday 7.
    pub day_of_week: u32,
    /// From this time of the day on, ns since midnight.
    pub start_ns: i64,
    /// Until before this time of the day, ns since midnight.
    pub end_ns: i64,
}

impl TradingSession {
    /// The day of the week and the time of the day of a time; 1 January 1970 was a Thursday.
    fn at(time_ns: i64) -> Self {
        let day_of_week = u32::try_from((time_ns.div_euclid(DAY_NS) + 3).rem_euclid(7) + 1).unwrap_or_default();
        let time_of_day = time_ns.rem_euclid(DAY_NS);
        Self { day_of_week, start_ns: time_of_day, end_ns: time_of_day }
    }
}

/// A UTC day, ns.
pub(super) const DAY_NS: i64 = 86_400_000_000_000;

/// A valid definition.
#[derive(Clone, Debug)]
pub struct Instrument(InstrumentTerms);

impl Instrument {
    /// Checks the terms.
    pub fn new(terms: InstrumentTerms) -> Result<Self, EventError> {
        let refuse = |field, rule, value: String| {
            let event = format!("instrument {}", terms.instrument_id);
            Err(EventError::new(event, field, rule, value))
        };
        let scales = u64::from(terms.price_scale) + u64::from(terms.qty_scale);
        if terms.instrument_id.is_empty() {
            return refuse("instrument_id", "must be SYMBOL.VENUE", "nothing".into());
        }
        if scales > 18 {
            return refuse("price_scale + qty_scale", "must be at most 18", scales.to_string());
        }
        if terms.price_increment <= 0 {
            return refuse("price_increment", "must be positive", terms.price_increment.to_string());
        }
        if terms.qty_increment <= 0 {
            return refuse("qty_increment", "must be positive", terms.qty_increment.to_string());
        }
        if terms.min_qty < 0 {
            return refuse("min_qty", "must not be negative", terms.min_qty.to_string());
        }
        if terms.max_qty < 0 {
            return refuse("max_qty", "must not be negative", terms.max_qty.to_string());
        }
        if terms.multiplier.mantissa() <= 0 || terms.multiplier.scale() > 18 {
            let rule = "must be positive with at most 18 decimal places";
            return refuse("multiplier", rule, terms.multiplier.to_string());
        }
        for session in &terms.trading_sessions {
            if !(1..=7).contains(&session.day_of_week) {
                return refuse("day_of_week", "must be 1 to 7", session.day_of_week.to_string());
            }
            if session.start_ns < 0 || session.end_ns <= session.start_ns || session.end_ns > DAY_NS {
                let value = format!("{} to {}", session.start_ns, session.end_ns);
                return refuse("trading_sessions", "must start before they end, within a day", value);
            }
        }
        Ok(Self(terms))
    }

    /// Why it does not trade at a time, ns UTC: the rule that is broken. None: it does.
    pub(super) fn closed(&self, time_ns: i64) -> Option<&'static str> {
        let TradingSession { day_of_week, start_ns: time_of_day, .. } = TradingSession::at(time_ns);
        let sessions = &self.0.trading_sessions;
        let is_open = |session: &TradingSession| {
            session.day_of_week == day_of_week && (session.start_ns..session.end_ns).contains(&time_of_day)
        };
        if self.0.expire_time_ns != 0 && time_ns >= self.0.expire_time_ns {
            return Some("before it expires");
        }
        (!sessions.is_empty() && !sessions.iter().any(is_open)).then_some("in a session")
    }

    /// The terms.
    pub fn terms(&self) -> &InstrumentTerms {
        &self.0
    }

    /// A quantity in units of the instrument.
    pub fn qty(&self, scaled: i128) -> Decimal {
        Decimal::scaled(scaled, self.0.qty_scale)
    }

    /// A price in the quote currency.
    pub fn price(&self, scaled: i128) -> Decimal {
        Decimal::scaled(scaled, self.0.price_scale)
    }

    /// What `qty` at `price` is worth, in the quote currency, without its sign. None when it does not
    /// fit into 128 bits.
    ///
    /// Formula: `|price * qty| * multiplier`, exact.
    pub fn notional(&self, price: i128, qty: i64) -> Option<Decimal> {
        let multiplier = self.0.multiplier;
        let product = price.checked_mul(qty.into())?.checked_mul(multiplier.mantissa())?;
        let scale = self.0.price_scale + self.0.qty_scale + multiplier.scale();
        Some(Decimal::scaled(product.checked_abs()?, scale))
    }
}
