//! Black-Scholes-Merton: European options on a spot with a continuous dividend yield.

use super::terms::{Terms, log_ratio};
use super::{Greeks, OptionKind, Valuation};
use crate::check::{finite, non_negative, positive};
use crate::error::Result;

const COMPUTATION: &str = "bsm";

/// A European option on a spot price, and its market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bsm {
    /// Call or put.
    pub kind: OptionKind,
    /// Spot price, positive.
    pub spot: f64,
    /// Strike price, positive.
    pub strike: f64,
    /// Time to expiry, years (Actual/365), at least 0.
    pub years: f64,
    /// Rate a year, continuous compounding.
    pub rate: f64,
    /// Dividend yield a year, continuous compounding.
    pub dividend_yield: f64,
    /// Volatility a year, at least 0.
    pub vol: f64,
}

impl Bsm {
    /// Refuses what no option can be, naming field and rule.
    pub(crate) fn check(&self, computation: &'static str) -> Result<()> {
        positive(computation, "spot", self.spot)?;
        positive(computation, "strike", self.strike)?;
        non_negative(computation, "years", self.years)?;
        finite(computation, "rate", self.rate)?;
        finite(computation, "dividend_yield", self.dividend_yield)?;
        non_negative(computation, "volatility", self.vol)?;
        Ok(())
    }

    /// Present value alone and unchecked: for loops over shocks of an option that [`bsm`] accepted. Not finite
    /// where numbers within range lead out of the doubles.
    pub fn price(&self) -> f64 {
        self.price_of(&self.terms())
    }

    fn terms(&self) -> Terms {
        Terms::new(self.kind, self.log_forward(), self.vol * self.years.sqrt())
    }

    /// `ln(F/K)`.
    pub(super) fn log_forward(&self) -> f64 {
        log_ratio(self.spot, self.strike) + (self.rate - self.dividend_yield) * self.years
    }

    /// `S e^(-qT)`.
    pub(super) fn discounted_spot(&self) -> f64 {
        self.spot * (-self.dividend_yield * self.years).exp()
    }

    /// `K e^(-rT)`.
    pub(super) fn discounted_strike(&self) -> f64 {
        self.strike * (-self.rate * self.years).exp()
    }

    fn price_of(&self, terms: &Terms) -> f64 {
        let value = self.discounted_spot() * terms.cdf1 - self.discounted_strike() * terms.cdf2;
        floor_at_zero(self.kind.sign() * value)
    }

    fn greeks_of(&self, terms: &Terms) -> Greeks {
        let w = self.kind.sign();
        let yield_discount = (-self.dividend_yield * self.years).exp();
        let spot_leg = self.discounted_spot() * terms.cdf1;
        let strike_leg = self.discounted_strike() * terms.cdf2;
        let root = self.years.sqrt();
        let vega = self.discounted_spot() * terms.pdf1 * root;
        // vega * vol / 2T, written so that T = 0 needs no case of its own.
        let decay = if self.years > 0.0 { self.discounted_spot() * terms.pdf1 * self.vol / (2.0 * root) } else { 0.0 };
        let carry = w * (self.dividend_yield * spot_leg - self.rate * strike_leg);
        Greeks {
            delta: w * yield_discount * terms.cdf1,
            gamma: yield_discount * terms.pdf1_per_v / self.spot,
            vega,
            theta: if self.years > 0.0 { carry - decay } else { 0.0 },
            rho: w * self.years * strike_leg,
            rho_q: -w * self.years * spot_leg,
            vanna: -yield_discount * terms.pdf1_per_v * terms.d2 * root,
            volga: self.discounted_spot() * terms.pdf1_per_v * terms.d1 * terms.d2 * self.years,
        }
    }
}

/// Price and Greeks of a European option (Black-Scholes-Merton).
///
/// Formula: `V = w [S e^(-qT) N(w d1) - K e^(-rT) N(w d2)]`, `d1 = ln(F/K)/v + v/2`, `d2 = d1 - v`,
/// `v = vol sqrt(T)`, `F = S e^((r-q)T)`, w = 1 for a call and -1 for a put. At `T = 0` or `vol = 0`
/// the discounted intrinsic value of the forward; delta is then the step with 1/2 at `F = K`.
/// Units: those of [`Bsm`] and [`Greeks`].
/// Errors: `InvalidInput` for spot or strike not positive, negative time or volatility, NaN, infinity.
/// Source: Merton 1973; Haug, *The Complete Guide to Option Pricing Formulas*, 2007, ch. 1-2.
pub fn bsm(option: &Bsm) -> Result<Valuation> {
    option.check(COMPUTATION)?;
    let terms = option.terms();
    Valuation { price: option.price_of(&terms), greeks: option.greeks_of(&terms) }.representable(COMPUTATION)
}

/// A difference of two rounded terms may end a hair below zero; a price never does. NaN stays.
pub(super) fn floor_at_zero(price: f64) -> f64 {
    if price < 0.0 { 0.0 } else { price }
}
