//! Simulation with full revaluation: every position is priced again in every scenario.

use super::book::{RepricedBook, Sensitivities};
use super::draws::Draws;
use super::estimate::{MonteCarloLevel, Weighted, levels, weighted_level};
use super::importance::{LossForm, TwistedDraws, check_strata, target};
use super::linear::{MonteCarloRisk, loadings};
use super::loadings::apply_loadings;
use super::mixing::MixingTable;
use super::{MonteCarloSettings, Simulation};
use crate::covariance::Covariance;
use crate::delta_gamma::{DeltaGamma, QuadraticForm};
use crate::error::{Result, RiskError, require_finite};
use crate::matrix::Matrix;
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

/// How the scenarios of a book are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BookSampling {
    /// From the distribution itself; one simulation serves all levels.
    #[default]
    Plain,
    /// Where the book's delta-gamma approximation loses its own VaR; one simulation a level. Gaussian only. The closer the
    /// approximation, the more it gains; the answer is that of the book however far off it is.
    ImportanceSampling {
        /// Equally likely strata of the approximate loss, a power of two up to 256; 0 and 1 are none. Pseudo-random only.
        strata: u32,
    },
}

/// VaR and ES of a book of spots and European options, by full revaluation.
///
/// Formula: `L = -Σ qty (V₁ - V₀)`, V₁ at the shocked spot and at `max(T - years, 0)`; returns `r = B z`, Student-t
/// `r = B z √((ν-2)/W)`, as [`super::linear_monte_carlo`].
/// Units: money; `cov` of the factors' returns over the horizon; `sigma_1d` is the deviation of the simulated P&L, of its
/// delta-gamma approximation where that was sampled by importance.
/// Errors: a factor that `cov` lacks, what [`crate::pricing::bsm`] refuses, Student-t with [`Shock::Log`] or importance
/// sampling, strata with Sobol.
/// Source: Glasserman 2003 §9.1 to §9.3; McNeil, Frey & Embrechts 2015 §9.2.
pub fn full_revaluation_monte_carlo(
    book: &[BookPosition],
    cov: &Covariance<'_>,
    distribution: Distribution,
    (revaluation, sampling): (Revaluation, BookSampling),
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
    let book = RepricedBook::new(NAME, book, cov.dimension(), revaluation)?;
    match (sampling, mixing) {
        (BookSampling::Plain, mixing) => {
            let model = Model { book, loadings: loadings(NAME, cov, settings.sampler)?, mixing };
            plain(&model, settings, confidences, progress)
        }
        (BookSampling::ImportanceSampling { strata }, None) => {
            check_strata(NAME, strata, settings)?;
            let model = Proxied::new(book, cov)?;
            importance(&model, strata, settings, confidences, progress)
        }
        (BookSampling::ImportanceSampling { .. }, Some(_)) => {
            Err(RiskError::invalid(NAME, "importance_sampling", "must be unset for student_t with a book", "a value"))
        }
    }
}

fn plain(
    model: &Model,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<MonteCarloRisk> {
    let dimension = model.book.factors() + usize::from(model.mixing.is_some());
    let simulation = Simulation::new(NAME, settings, dimension)?;
    simulation.begin(progress, 1);
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

struct Model {
    book: RepricedBook,
    loadings: Matrix,
    mixing: Option<MixingTable>,
}

impl Model {
    fn fill(&self, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let returns = self.returns(draws, losses.len());
        self.book.losses(&returns, losses);
    }

    /// Factor by factor, a column of n scenarios each.
    fn returns(&self, draws: &mut Draws<'_>, n: usize) -> Vec<f64> {
        let k = self.loadings.rows();
        let mut scale = [1.0; FILL_BLOCK];
        let scale = &mut scale[..n.min(FILL_BLOCK)];
        if let Some(table) = &self.mixing {
            draws.normals(0, scale);
            table.scale_in_place(scale);
        }
        let first = usize::from(self.mixing.is_some());
        let (mut normals, mut returns) = (vec![0.0; k * n], vec![0.0; k * n]);
        for (j, normals) in normals.chunks_exact_mut(n.max(1)).enumerate() {
            draws.normals(first + j, normals);
        }
        apply_loadings(&self.loadings, n, &normals, &mut returns);
        for column in returns.chunks_exact_mut(n.max(1)) {
            column.iter_mut().zip(scale.iter()).for_each(|(r, s)| *r *= s);
        }
        returns
    }
}

/// A book with its delta-gamma approximation in independent normals.
struct Proxied {
    book: RepricedBook,
    form: QuadraticForm,
    loss: LossForm,
    /// `r = B V y`, in the order of the terms of `loss`.
    loadings: Matrix,
}

impl Proxied {
    fn new(book: RepricedBook, cov: &Covariance<'_>) -> Result<Self> {
        let Sensitivities { theta, delta, gamma } = book.sensitivities()?;
        let k = delta.len();
        let gamma = Matrix::from_fn(k, k, |i, j| if i == j { gamma.get(i).copied().unwrap_or(0.0) } else { 0.0 });
        let proxy = DeltaGamma { theta, delta: &delta, gamma: gamma.as_ref() };
        let (form, columns) = proxy.diagonalise_with_loadings(cov)?;
        let (loss, order) = LossForm::new(&form);
        let entry = |i: usize, j: usize| order.get(j).and_then(|&j| columns.get(j)?.get(i)).copied().unwrap_or(0.0);
        Ok(Self { book, form, loss, loadings: Matrix::from_fn(k, k, entry) })
    }
}

fn importance(
    model: &Proxied,
    strata: u32,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<MonteCarloRisk> {
    let dimension = model.book.factors();
    let simulation = Simulation::new(NAME, settings, dimension)?;
    simulation.begin(progress, confidences.len());
    let level = |&c: &Confidence| importance_level(model, strata, &simulation, c, progress);
    Ok(MonteCarloRisk {
        levels: confidences.iter().map(level).collect::<Result<_>>()?,
        sigma_1d: model.form.cumulants()?.k2.sqrt(),
        dimension,
        settings,
        replications: simulation.replications(),
    })
}

fn importance_level(
    model: &Proxied,
    strata: u32,
    simulation: &Simulation,
    confidence: Confidence,
    progress: &Progress,
) -> Result<MonteCarloLevel> {
    let aimed = target(&model.form, confidence.tail())?;
    let twisted = TwistedDraws::new(NAME, model.loss.clone(), aimed, strata)?;
    let scenarios = simulation.scenarios(progress, |draws, scenarios: &mut [Weighted]| {
        let (n, k) = (scenarios.len(), model.book.factors());
        let (mut y, mut q, mut losses) = (vec![0.0; k * n], vec![0.0; n], vec![0.0; n]);
        twisted.fill(draws, &mut y, &mut q);
        let mut returns = vec![0.0; k * n];
        apply_loadings(&model.loadings, n, &y, &mut returns);
        model.book.losses(&returns, &mut losses);
        for ((scenario, loss), q) in scenarios.iter_mut().zip(losses).zip(q) {
            *scenario = Weighted { loss, weight: twisted.twist.weight(q) };
        }
    })?;
    weighted_level(NAME, simulation, scenarios, twisted.strata(), confidence)
}

/// Standard deviation of the losses.
fn deviation(losses: &[f64]) -> f64 {
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}
