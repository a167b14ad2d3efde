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
}

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
        Ok(Self(terms))
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
    pub fn price(&self, scaled: i64) -> Decimal {
        Decimal::scaled(scaled.into(), self.0.price_scale)
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
