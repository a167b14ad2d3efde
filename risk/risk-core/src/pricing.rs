//! Option prices, Greeks and implied volatility.
//!
//! Units, everywhere: `years` is Actual/365, `rate`, `dividend_yield` and `vol` are decimals a year
//! with continuous compounding, prices and Greeks are per contract of multiplier 1.

mod bachelier;
mod batch;
mod black76;
mod bsm;
mod implied_vol;
mod lanes;
mod spots;
mod terms;
mod tree;

use crate::check::representable;
use crate::error::Result;

pub use bachelier::{Bachelier, bachelier};
pub use batch::{BsmBatch, BsmColumns, bsm_batch, bsm_batch_into};
pub use black76::{Black76, black76};
pub use bsm::{Bsm, bsm};
pub use implied_vol::{UndiscountedOption, implied_vol};
pub(crate) use spots::{Moves, SpotPricer};
pub use tree::{Exercise, TreeOption, TreeValue, leisen_reimer};

/// The right that an option gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OptionKind {
    /// To buy at the strike.
    Call,
    /// To sell at the strike.
    Put,
}

impl OptionKind {
    /// `w` of the formulas: +1 for a call, -1 for a put.
    pub(crate) fn sign(self) -> f64 {
        match self {
            Self::Call => 1.0,
            Self::Put => -1.0,
        }
    }

    /// What exercise pays at an underlying price.
    pub(crate) fn payoff(self, underlying: f64, strike: f64) -> f64 {
        (self.sign() * (underlying - strike)).max(0.0)
    }
}

/// Sensitivities of one option.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Greeks {
    /// Change of value per 1.00 of the underlying (spot, or forward in a forward model).
    pub delta: f64,
    /// Change of delta per 1.00 of the underlying.
    pub gamma: f64,
    /// Change of value per 1.00 of volatility; 0.01 of volatility is a hundredth of it.
    pub vega: f64,
    /// Change of value per year of calendar time; a day is 1/365 of it. 0 once expired.
    pub theta: f64,
    /// Change of value per 1.00 of the rate, with spot fixed (forward fixed in a forward model).
    pub rho: f64,
    /// Change of value per 1.00 of the dividend yield, with spot fixed; 0 in a forward model.
    pub rho_q: f64,
    /// Change of delta per 1.00 of volatility.
    pub vanna: f64,
    /// Change of vega per 1.00 of volatility.
    pub volga: f64,
}

impl Greeks {
    /// The Greeks of a quantity.
    pub fn times(&self, qty: f64) -> Self {
        let Self { delta, gamma, vega, theta, rho, rho_q, vanna, volga } = *self;
        Self {
            delta: qty * delta,
            gamma: qty * gamma,
            vega: qty * vega,
            theta: qty * theta,
            rho: qty * rho,
            rho_q: qty * rho_q,
            vanna: qty * vanna,
            volga: qty * volga,
        }
    }
}

/// Value and sensitivities of one option.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Valuation {
    /// Present value.
    pub price: f64,
    /// Its derivatives.
    pub greeks: Greeks,
}

impl Valuation {
    /// Itself, or the error that names the first number outside the range of doubles.
    fn representable(self, computation: &'static str) -> Result<Self> {
        let Greeks { delta, gamma, vega, theta, rho, rho_q, vanna, volga } = self.greeks;
        representable(computation, "price", self.price)?;
        for (what, value) in [
            ("delta", delta),
            ("gamma", gamma),
            ("vega", vega),
            ("theta", theta),
            ("rho", rho),
            ("rho_q", rho_q),
            ("vanna", vanna),
            ("volga", volga),
        ] {
            representable(computation, what, value)?;
        }
        Ok(self)
    }
}
