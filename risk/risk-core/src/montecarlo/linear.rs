//! Simulation of a linear book.

use super::draws::Draws;
use super::estimate::{MonteCarloLevel, levels};
use super::importance::LossForm;
use super::mixing::MixingTable;
use super::{MonteCarloSettings, Sampler, Simulation};
use crate::covariance::{Covariance, symmetric_eigen};
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::matrix::{Matrix, dot};
use crate::progress::Progress;
use crate::rng::FILL_BLOCK;
use crate::units::{Confidence, Distribution, HorizonDays};

const NAME: &str = "monte_carlo_var";

/// Which normals a scenario of a linear book is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinearForm {
    /// `x·r` is one-dimensional: one normal for the whole book. Exact, and K times as fast.
    #[default]
    OneDimensional,
    /// Every factor is drawn, `r = L z`.
    AllFactors,
}

/// A book that is linear in the factors' returns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearBook<'a> {
    /// Shape (K): money per unit return, short negative.
    pub exposures: &'a [f64],
    /// Shape (K): mean one-day returns; empty is zero.
    pub mean: &'a [f64],
    /// Which normals a scenario is made of.
    pub form: LinearForm,
    /// Days of the horizon: returns of so many independent days are added.
    pub horizon: HorizonDays,
}

/// The answer of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct MonteCarloRisk {
    /// One entry a level, in the order asked.
    pub levels: Vec<MonteCarloLevel>,
    /// Standard deviation of the one-day P&L, from the covariance.
    pub sigma_1d: f64,
    /// Normals a scenario: 1 (2 for Student's t) says that the one-dimensional form was taken.
    pub dimension: usize,
    /// The settings used.
    pub settings: MonteCarloSettings,
    /// Independent replications: 1 for pseudo-random numbers.
    pub replications: u32,
}

/// VaR and ES of a linear book by simulation.
///
/// Formula: `L = -h x·μ - Σ x·r`, the sum over h independent days, `r = B z`, `B B' = cov`; Student-t
/// `r = B z √((ν-2)/W)`, `W ~ χ²_ν` by inversion, one a day. Normal days add up to one of `h cov`; those of Student's t
/// are drawn one by one, for their sum is not of that family. B is the lower Cholesky factor, for Sobol the principal
/// components, largest first.
/// Units: those of [`LinearBook`]; `cov` of one-day returns.
/// Errors: shapes, `n_scenarios` outside 1,000..=10,000,000, replications below 16 or not a power of two of points each,
/// more than 250 days of Student's t.
/// Source: Glasserman 2003 §9.1; McNeil, Frey & Embrechts 2015 §6.2.
pub fn linear_monte_carlo(
    book: LinearBook<'_>,
    cov: &Covariance<'_>,
    distribution: Distribution,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<MonteCarloRisk> {
    let LinearBook { exposures, mean, form, horizon } = book;
    require_finite(NAME, "exposures", exposures)?;
    cov.require_dimension(NAME, exposures.len())?;
    if !mean.is_empty() {
        require_len(NAME, "mean", mean, exposures.len(), "the exposures")?;
        require_finite(NAME, "mean", mean)?;
    }
    let sigma_1d = cov.quadratic_form(exposures, &cov.matrix().mul_vec(exposures)).sqrt();
    let mut weights = match form {
        LinearForm::OneDimensional => vec![sigma_1d],
        LinearForm::AllFactors => factor_weights(exposures, cov, settings.sampler)?,
    };
    let (mixing, days) = match distribution {
        // The sum of normal days is one normal day of h times the variance.
        Distribution::Normal => {
            weights.iter_mut().for_each(|w| *w *= horizon.days().sqrt());
            (None, 1)
        }
        Distribution::StudentT(nu) => (Some(MixingTable::new(nu)), simulated_days(horizon)?),
    };
    require_finite(NAME, "factor weights", &weights)?;
    let day = LossForm { constant: 0.0, terms: weights.iter().map(|w| (-w, 0.0)).collect() };
    let expected_loss = -dot(exposures, mean) * horizon.days();
    let book = Book { expected_loss, day, mixing, days };
    let simulation = Simulation::new(NAME, settings, book.dimension())?;
    simulation.begin(progress, 1);
    let losses = simulation.losses(progress, |draws, losses| book.fill(draws, losses))?;
    Ok(MonteCarloRisk {
        levels: levels(NAME, &simulation, losses, confidences)?,
        sigma_1d,
        dimension: book.dimension(),
        settings,
        replications: simulation.replications(),
    })
}

/// `B' x`: what a unit of each normal adds to the gain.
fn factor_weights(exposures: &[f64], cov: &Covariance<'_>, sampler: Sampler) -> Result<Vec<f64>> {
    let loadings = loadings(NAME, cov, sampler)?;
    Ok((0..loadings.cols()).map(|j| dot(&loadings.as_ref().column(j), exposures)).collect())
}

/// B with `B B' = cov`: lower Cholesky; for Sobol `V √Λ`, the largest eigenvalue first, so that the best dimensions of the
/// sequence carry most of the variance.
pub(super) fn loadings(computation: &'static str, cov: &Covariance<'_>, sampler: Sampler) -> Result<Matrix> {
    if sampler == Sampler::Pseudo {
        return Ok(cov.factor());
    }
    let eigen = symmetric_eigen(computation, "covariance", cov.matrix())?;
    let k = cov.dimension();
    Ok(Matrix::from_fn(k, k, |i, j| {
        let from_the_end = k - 1 - j;
        eigen.vectors.at(i, from_the_end) * eigen.values[from_the_end].max(0.0).sqrt()
    }))
}

/// Most days that are drawn one by one.
const MAX_DAYS: u32 = 250;

fn simulated_days(horizon: HorizonDays) -> Result<usize> {
    let days = horizon.days();
    if days <= f64::from(MAX_DAYS) {
        return Ok(days as usize);
    }
    Err(RiskError::invalid(NAME, "horizon_days", format!("must be at most {MAX_DAYS} for student_t"), days))
}

struct Book {
    expected_loss: f64,
    /// The losses of one day but for their mean.
    day: LossForm,
    mixing: Option<MixingTable>,
    /// Days that are drawn, each with a mixing variable of its own.
    days: usize,
}

impl Book {
    fn dimension(&self) -> usize {
        self.days * (self.day.terms.len() + usize::from(self.mixing.is_some()))
    }

    fn fill(&self, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let mut scale = [0.0; FILL_BLOCK];
        let scale = &mut scale[..losses.len().min(FILL_BLOCK)];
        losses.fill(self.expected_loss);
        let mut dimension = 0;
        for _ in 0..self.days {
            if let Some(table) = &self.mixing {
                table.draw(dimension, draws, scale);
                dimension += 1;
            }
            let scale = self.mixing.as_ref().map(|_| &*scale);
            self.day.add_terms(scale, losses, |j, normals: &mut [f64]| draws.normals(dimension + j, normals));
            dimension += self.day.terms.len();
        }
    }
}
