//! A book that is priced again in scenarios.

use super::{BookPosition, Revaluation, Shock};
use crate::error::{Result, RiskError, require_finite};
use crate::pricing::{Bsm, Greeks, Moves, SpotPricer, bsm};
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

    /// Losses of n scenarios from the factors' returns, a column of n each.
    pub(super) fn losses(&self, returns: &[f64], losses: &mut [f64]) {
        let n = losses.len();
        losses.fill(0.0);
        let mut buffers = [vec![0.0; n], vec![0.0; n]];
        for neighbours in self.positions.chunk_by(|a, b| a.factor == b.factor) {
            let factor = neighbours.first().map_or(0, |p| p.factor);
            let column = returns.get(factor * n..(factor + 1) * n).unwrap_or(&[]);
            let moves = self.shock.moves(column, &mut buffers);
            neighbours.iter().for_each(|p| p.subtract_gains(moves, losses));
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
    fn growth(self, r: f64) -> f64 {
        match self {
            Self::Log => r.exp(),
            Self::Simple => (1.0 + r).max(0.0),
        }
    }

    /// The same of many returns.
    fn moves<'a>(self, returns: &'a [f64], [growth, log]: &'a mut [Vec<f64>; 2]) -> Moves<'a> {
        match self {
            Self::Log => Moves::of_log(returns, growth),
            Self::Simple => {
                growth.iter_mut().zip(returns).for_each(|(growth, r)| *growth = self.growth(*r));
                Moves::of_growth(growth, log)
            }
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
    fn subtract_gains(&self, moves: Moves<'_>, losses: &mut [f64]) {
        match &self.then {
            Then::Spot { .. } => {
                losses.iter_mut().zip(moves.growth).for_each(|(loss, &growth)| *loss -= self.gain(growth))
            }
            Then::Option(option) => option.add_gains((-self.qty, self.now), moves, losses),
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
