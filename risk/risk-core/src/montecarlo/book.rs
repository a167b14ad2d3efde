//! A book that is priced again in scenarios.

use super::{BookPosition, Revaluation, Shock};
use crate::error::{Result, RiskError, require_finite};
use crate::pricing::{Bsm, Greeks, SpotPricer, bsm};
use crate::stress::Holding;

/// A checked book with its value now, ready for scenarios.
#[derive(Debug, Clone, PartialEq)]
pub struct RepricedBook {
    positions: Vec<Repriced>,
    factors: usize,
    shock: Shock,
}

/// The book's P&L to second order in the factors' returns: `theta + delta·r + Σ gamma_f r_f²/2`.
pub(super) struct Sensitivities {
    pub theta: f64,
    pub delta: Vec<f64>,
    /// The diagonal: a position depends on one factor.
    pub gamma: Vec<f64>,
}

impl RepricedBook {
    /// Prices the book now.
    ///
    /// Errors: a factor not below `factors`, NaN and infinity, what [`bsm`] refuses.
    pub fn new(
        computation: &'static str,
        book: &[BookPosition],
        factors: usize,
        revaluation: Revaluation,
    ) -> Result<Self> {
        crate::check::non_negative(computation, "years", revaluation.years)?;
        let repriced = |p| Repriced::new(computation, p, factors, revaluation.years);
        let mut positions = book.iter().map(repriced).collect::<Result<Vec<_>>>()?;
        // Neighbours share their factor's column of returns. Stable: the sum keeps one order.
        positions.sort_by_key(|p| p.factor);
        Ok(Self { positions, factors, shock: revaluation.shock })
    }

    /// Number of factors.
    pub fn factors(&self) -> usize {
        self.factors
    }

    /// Loss where the factors return `returns`, one each; a factor without a value does not move.
    pub fn loss(&self, returns: &[f64]) -> f64 {
        let growth = |f: usize| self.shock.growth(returns.get(f).copied().unwrap_or(0.0));
        -self.positions.iter().map(|p| p.gain(growth(p.factor))).sum::<f64>()
    }

    /// Losses of n scenarios from `S₁/S₀`, a column of n for each factor.
    pub(super) fn losses(&self, growth: &[f64], losses: &mut [f64]) {
        let n = losses.len();
        losses.fill(0.0);
        for position in &self.positions {
            let column = growth.get(position.factor * n..(position.factor + 1) * n).unwrap_or(&[]);
            position.subtract_gains(column, losses);
        }
    }

    /// Sensitivities at the horizon, where the spots have not moved.
    pub(super) fn sensitivities(&self) -> Result<Sensitivities> {
        let mut sums = Sensitivities { theta: 0.0, delta: vec![0.0; self.factors], gamma: vec![0.0; self.factors] };
        for position in &self.positions {
            let (spot, greeks) = position.greeks()?;
            // d²V/dr² = γ S² + δ d²S/dr², and S exp(r) is curved itself.
            let curvature = match self.shock {
                Shock::Log => greeks.delta * spot,
                Shock::Simple => 0.0,
            };
            sums.theta += position.gain(1.0);
            sums.delta[position.factor] += position.qty * greeks.delta * spot;
            sums.gamma[position.factor] += position.qty * (greeks.gamma * spot * spot + curvature);
        }
        Ok(sums)
    }
}

impl Shock {
    /// `S₁/S₀` of a return.
    pub(super) fn growth(self, r: f64) -> f64 {
        match self {
            Self::Log => r.exp(),
            Self::Simple => (1.0 + r).max(0.0),
        }
    }
}

/// A position with its value now, ready for its value at the horizon.
#[derive(Debug, Clone, PartialEq)]
struct Repriced {
    factor: usize,
    qty: f64,
    now: f64,
    then: Then,
}

/// What is held at the horizon.
#[derive(Debug, Clone, PartialEq)]
enum Then {
    Spot {
        spot: f64,
    },
    /// With the time to expiry that is left.
    Option(SpotPricer),
}

impl Repriced {
    fn new(computation: &'static str, position: &BookPosition, factors: usize, years: f64) -> Result<Self> {
        let BookPosition { factor, qty, holding } = *position;
        if factor >= factors {
            let why = format!("must be below {factors}, the number of factors");
            return Err(RiskError::invalid(computation, "factor", why, factor));
        }
        require_finite(computation, "qty", &[qty])?;
        let (now, then) = match holding {
            Holding::Spot { spot } => (crate::check::positive(computation, "spot", spot)?, Then::Spot { spot }),
            Holding::Option(option) => {
                let years = (option.years - years).max(0.0);
                (bsm(&option)?.price, Then::Option(SpotPricer::new(Bsm { years, ..option })))
            }
        };
        Ok(Self { factor, qty, now, then })
    }

    /// Gain where the spot is multiplied by `growth`.
    fn gain(&self, growth: f64) -> f64 {
        let then = match &self.then {
            Then::Spot { spot } => spot * growth,
            Then::Option(option) => option.value(growth),
        };
        self.qty * (then - self.now)
    }

    /// Gains of many scenarios, off their losses.
    fn subtract_gains(&self, growth: &[f64], losses: &mut [f64]) {
        match &self.then {
            Then::Spot { .. } => losses.iter_mut().zip(growth).for_each(|(loss, growth)| *loss -= self.gain(*growth)),
            Then::Option(option) => option.add_gains((-self.qty, self.now), growth, losses),
        }
    }

    /// Spot, and sensitivities to it of one unit at the horizon.
    fn greeks(&self) -> Result<(f64, Greeks)> {
        match &self.then {
            Then::Spot { spot } => Ok((*spot, Greeks { delta: 1.0, ..Greeks::default() })),
            Then::Option(pricer) => Ok((pricer.option().spot, bsm(pricer.option())?.greeks)),
        }
    }
}
