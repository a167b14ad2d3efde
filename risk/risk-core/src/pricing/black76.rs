//! Black-76: European options on a forward or futures price.

use super::bsm::floor_at_zero;
use super::terms::{Terms, log_ratio};
use super::{Greeks, OptionKind, Valuation};
use crate::check::{finite, non_negative, positive};
use crate::error::Result;

const COMPUTATION: &str = "black76";

/// A European option on a forward price, and its market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Black76 {
    /// Call or put.
    pub kind: OptionKind,
    /// Forward price, positive.
    pub forward: f64,
    /// Strike price, positive.
    pub strike: f64,
    /// Time to expiry, years (Actual/365), at least 0.
    pub years: f64,
    /// Rate a year, continuous compounding; it only discounts.
    pub rate: f64,
    /// Volatility of the forward a year, at least 0.
    pub vol: f64,
}

impl Black76 {
    fn check(&self) -> Result<()> {
        positive(COMPUTATION, "forward", self.forward)?;
        positive(COMPUTATION, "strike", self.strike)?;
        non_negative(COMPUTATION, "years", self.years)?;
        finite(COMPUTATION, "rate", self.rate)?;
        non_negative(COMPUTATION, "volatility", self.vol)?;
        Ok(())
    }

    fn terms(&self) -> Terms {
        Terms::new(self.kind, log_ratio(self.forward, self.strike), self.vol * self.years.sqrt())
    }

    fn discount(&self) -> f64 {
        (-self.rate * self.years).exp()
    }

    /// Present value alone and unchecked, for loops over shocks; the forward may be 0.
    pub fn price(&self) -> f64 {
        if self.forward <= 0.0 {
            return self.discount() * self.kind.payoff(0.0, self.strike);
        }
        self.price_of(&self.terms())
    }

    fn price_of(&self, terms: &Terms) -> f64 {
        let value = self.forward * terms.cdf1 - self.strike * terms.cdf2;
        self.discount() * floor_at_zero(self.kind.sign() * value)
    }

    fn greeks_of(&self, terms: &Terms, price: f64) -> Greeks {
        let (discount, root) = (self.discount(), self.years.sqrt());
        let scaled_pdf = discount * self.forward * terms.pdf1;
        let decay = if self.years > 0.0 { scaled_pdf * self.vol / (2.0 * root) } else { 0.0 };
        Greeks {
            delta: self.kind.sign() * discount * terms.cdf1,
            gamma: discount * terms.pdf1_per_v / self.forward,
            vega: scaled_pdf * root,
            theta: if self.years > 0.0 { self.rate * price - decay } else { 0.0 },
            rho: -self.years * price,
            rho_q: 0.0,
            vanna: -discount * terms.pdf1_per_v * terms.d2 * root,
            volga: discount * self.forward * terms.pdf1_per_v * terms.d1 * terms.d2 * self.years,
        }
    }
}

/// Price and Greeks of a European option on a forward (Black-76).
///
/// Formula: `V = e^(-rT) w [F N(w d1) - K N(w d2)]`, `d1 = ln(F/K)/v + v/2`, `d2 = d1 - v`,
/// `v = vol sqrt(T)`. Delta and gamma are of the forward; rho keeps it fixed, so it is `-T V`.
/// At `T = 0` or `vol = 0` the discounted intrinsic value.
/// Units: those of [`Black76`] and [`Greeks`].
/// Errors: `InvalidInput` for forward or strike not positive, negative time or volatility, NaN, infinity.
/// Source: Black, *The pricing of commodity contracts*, 1976.
pub fn black76(option: &Black76) -> Result<Valuation> {
    option.check()?;
    let terms = option.terms();
    let price = option.price_of(&terms);
    Valuation { price, greeks: option.greeks_of(&terms, price) }.representable(COMPUTATION)
}
