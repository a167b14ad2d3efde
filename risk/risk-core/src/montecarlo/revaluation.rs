//! Simulation with full revaluation: every position is priced again in every scenario.

use super::draws::Draws;
use super::estimate::levels;
use super::linear::{MonteCarloRisk, loadings};
use super::mixing::MixingTable;
use super::{MonteCarloSettings, Simulation};
use crate::covariance::Covariance;
use crate::error::{Result, RiskError, require_finite};
use crate::matrix::Matrix;
use crate::pricing::{Bsm, OptionKind, bsm};
use crate::progress::Progress;
use crate::rng::FILL_BLOCK;
use crate::stress::Holding;
use crate::units::{Confidence, Distribution};

const NAME: &str = "full_revaluation_var";

/// A quantity of something on one of the factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BookPosition {
    /// The factor that moves its spot, from 0.
    pub factor: usize,
    /// Units held, short negative.
    pub qty: f64,
    /// What is held: the underlying, or a European option on it.
    pub holding: Holding,
}

/// How a return moves a spot price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shock {
    /// `S exp(r)`. Not with Student's t: the ES of a short call would be infinite.
    Log,
    /// `S max(1 + r, 0)`.
    Simple,
}

/// What happens to the book over the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Revaluation {
    /// How returns move spots.
    pub shock: Shock,
    /// Years that pass, at least 0; expiries are floored at 0. Volatility and rates stay.
    pub years: f64,
}

/// VaR and ES of a book of spots and European options, by full revaluation.
///
/// Formula: `L = -Σ qty (V₁ - V₀)`, V₁ at the shocked spot and at `max(T - years, 0)`; returns `r = B z`, Student-t
/// `r = B z √((ν-2)/W)`, as [`super::linear_monte_carlo`].
/// Units: money; `cov` of the factors' returns over the horizon; `sigma_1d` is the deviation of the simulated P&L.
/// Errors: a factor that `cov` lacks, what [`bsm`] refuses, Student-t with [`Shock::Log`].
/// Source: Glasserman 2003 §9.1; McNeil, Frey & Embrechts 2015 §9.2.
pub fn full_revaluation_monte_carlo(
    book: &[BookPosition],
    cov: &Covariance<'_>,
    distribution: Distribution,
    revaluation: Revaluation,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<MonteCarloRisk> {
    let mixing = match (distribution, revaluation.shock) {
        (Distribution::Normal, _) => None,
        (Distribution::StudentT(nu), Shock::Simple) => Some(MixingTable::new(nu)),
        (Distribution::StudentT(_), Shock::Log) => {
            return Err(RiskError::invalid(NAME, "shock", "must be simple for student_t", "log"));
        }
    };
    let positions = book.iter().map(|p| Repriced::new(p, cov.dimension(), revaluation)).collect::<Result<Vec<_>>>()?;
    let model = Model { positions, loadings: loadings(NAME, cov, settings.sampler)?, mixing, shock: revaluation.shock };
    let dimension = cov.dimension() + usize::from(model.mixing.is_some());
    let simulation = Simulation::new(NAME, settings, dimension)?;
    let losses = simulation.losses(progress, |draws, losses| model.fill(draws, losses))?;
    require_finite(NAME, "losses", &losses)?;
    let sigma_1d = deviation(&losses);
    Ok(MonteCarloRisk {
        levels: levels(NAME, &simulation, losses, confidences)?,
        sigma_1d,
        dimension,
        settings,
        replications: simulation.replications(),
    })
}

/// A position with its value now, and with the time to expiry that is left at the horizon.
struct Repriced {
    factor: usize,
    qty: f64,
    now: f64,
    then: Holding,
}

impl Repriced {
    fn new(position: &BookPosition, factors: usize, revaluation: Revaluation) -> Result<Self> {
        let BookPosition { factor, qty, holding } = *position;
        if factor >= factors {
            let why = format!("must be below {factors}, the number of factors");
            return Err(RiskError::invalid(NAME, "factor", why, factor));
        }
        require_finite(NAME, "qty", &[qty])?;
        crate::check::non_negative(NAME, "years", revaluation.years)?;
        let (now, then) = match holding {
            Holding::Spot { spot } => (crate::check::positive(NAME, "spot", spot)?, holding),
            Holding::Option(option) => {
                let years = (option.years - revaluation.years).max(0.0);
                (bsm(&option)?.price, Holding::Option(Bsm { years, ..option }))
            }
        };
        Ok(Self { factor, qty, now, then })
    }

    /// Gain where the spot is multiplied by `growth`.
    fn gain(&self, growth: f64) -> f64 {
        let then = match self.then {
            Holding::Spot { spot } => spot * growth,
            Holding::Option(option) => price(Bsm { spot: option.spot * growth, ..option }),
        };
        self.qty * (then - self.now)
    }
}

/// The price of an option whose spot may have gone to 0.
fn price(option: Bsm) -> f64 {
    match (option.spot > 0.0, option.kind) {
        (true, _) => option.price(),
        (false, OptionKind::Call) => 0.0,
        (false, OptionKind::Put) => option.strike * (-option.rate * option.years).exp(),
    }
}

struct Model {
    positions: Vec<Repriced>,
    loadings: Matrix,
    mixing: Option<MixingTable>,
    shock: Shock,
}

impl Model {
    fn fill(&self, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let n = losses.len();
        let growth = self.growth(draws, n);
        losses.fill(0.0);
        for position in &self.positions {
            let column = growth.get(position.factor * n..(position.factor + 1) * n).unwrap_or(&[]);
            losses.iter_mut().zip(column).for_each(|(loss, growth)| *loss -= position.gain(*growth));
        }
    }

    /// `S₁/S₀`, factor by factor, a column of n scenarios each.
    fn growth(&self, draws: &mut Draws<'_>, n: usize) -> Vec<f64> {
        let k = self.loadings.rows();
        let mut scale = [1.0; FILL_BLOCK];
        let scale = &mut scale[..n.min(FILL_BLOCK)];
        if let Some(table) = &self.mixing {
            draws.normals(0, scale);
            table.scale_in_place(scale);
        }
        let first = usize::from(self.mixing.is_some());
        let mut normals = vec![0.0; n];
        let mut returns = vec![0.0; k * n];
        for j in 0..k {
            draws.normals(first + j, &mut normals);
            super::add_loadings(&self.loadings, j, &normals, &mut returns);
        }
        for column in returns.chunks_exact_mut(n.max(1)) {
            for (r, s) in column.iter_mut().zip(scale.iter()) {
                *r = match self.shock {
                    Shock::Log => (*r * s).exp(),
                    Shock::Simple => (1.0 + *r * s).max(0.0),
                };
            }
        }
        returns
    }
}

/// Standard deviation of the losses.
fn deviation(losses: &[f64]) -> f64 {
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}
