//! Bachelier: European options on a forward whose changes are normal, so that it may be negative.

use super::bsm::floor_at_zero;
use super::terms::step;
use super::{Greeks, OptionKind, Valuation};
use crate::check::{finite, non_negative};
use crate::error::Result;
use crate::special::{norm_cdf, norm_pdf};

const COMPUTATION: &str = "bachelier";

/// A European option on a forward in the normal model, and its market.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bachelier {
    /// Call or put.
    pub kind: OptionKind,
    /// Forward price, any sign.
    pub forward: f64,
    /// Strike price, any sign.
    pub strike: f64,
    /// Time to expiry, years (Actual/365), at least 0.
    pub years: f64,
    /// Rate a year, continuous compounding; it only discounts.
    pub rate: f64,
    /// Volatility in price units a square root of a year, at least 0.
    pub vol: f64,
}

impl Bachelier {
    fn check(&self) -> Result<()> {
        finite(COMPUTATION, "forward", self.forward)?;
        finite(COMPUTATION, "strike", self.strike)?;
        non_negative(COMPUTATION, "years", self.years)?;
        finite(COMPUTATION, "rate", self.rate)?;
        non_negative(COMPUTATION, "volatility", self.vol)?;
        Ok(())
    }
}

/// Price and Greeks of a European option in the normal model (Bachelier).
///
/// Formula: `V = e^(-rT) [w (F-K) N(w d) + s n(d)]`, `d = (F-K)/s`, `s = vol sqrt(T)`. Delta and
/// gamma are of the forward, rho keeps it fixed. At `T = 0` or `vol = 0` the discounted intrinsic value.
/// Units: `vol` in price units a square root of a year; the rest as in [`Greeks`].
/// Errors: `InvalidInput` for negative time or volatility, NaN, infinity.
/// Source: Bachelier 1900; Haug 2007, §1.3.
pub fn bachelier(option: &Bachelier) -> Result<Valuation> {
    option.check()?;
    let Bachelier { kind, forward, strike, years, rate, vol } = *option;
    let (w, root, discount) = (kind.sign(), years.sqrt(), (-rate * years).exp());
    let (s, intrinsic) = (vol * root, w * (forward - strike));
    // Without time value every derivative but delta is 0, and d would be 0/0.
    let (d, cdf, pdf, pdf_per_s) = if s > 0.0 {
        let d = (forward - strike) / s;
        let pdf = norm_pdf(d);
        (if pdf > 0.0 { d } else { 0.0 }, norm_cdf(w * d), pdf, pdf / s)
    } else {
        (0.0, step(intrinsic), 0.0, 0.0)
    };
    let price = discount * floor_at_zero(intrinsic * cdf + s * pdf);
    let decay = if years > 0.0 { discount * pdf * vol / (2.0 * root) } else { 0.0 };
    let greeks = Greeks {
        delta: w * discount * cdf,
        gamma: discount * pdf_per_s,
        vega: discount * pdf * root,
        theta: if years > 0.0 { rate * price - decay } else { 0.0 },
        rho: -years * price,
        rho_q: 0.0,
        vanna: -discount * pdf_per_s * d * root,
        volga: discount * pdf_per_s * d * d * years,
    };
    Valuation { price, greeks }.representable(COMPUTATION)
}
