//! Simulation with full revaluation: every position is priced again in every scenario.

use super::book::{RepricedBook, Sensitivities};
use super::draws::Draws;
use super::estimate::{MonteCarloLevel, Weighted, levels, weighted_level};
use super::importance::{LossForm, TwistedDraws, check_strata, target};
use super::linear::{MonteCarloRisk, loadings};
use super::loadings::apply_loadings;
use super::mixing::MixingTable;
use super::student_twist::StudentTwist;
use super::{MonteCarloSettings, Simulation};
use crate::covariance::Covariance;
use crate::delta_gamma::{DeltaGamma, QuadraticForm};
use crate::error::{Result, RiskError, require_finite};
use crate::matrix::Matrix;
use crate::progress::Progress;
use crate::rng::FILL_BLOCK;
use crate::stress::Holding;
use crate::units::{Confidence, DegreesOfFreedom, Distribution};

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
    /// Where the book's delta-gamma approximation loses its own VaR; one simulation a level. The closer the approximation,
    /// the more it gains; the answer is that of the book however far off it is.
    ImportanceSampling {
        /// Equally likely strata of the approximate loss, a power of two up to 256; 0 and 1 are none. Gaussian and
        /// pseudo-random only.
        strata: u32,
    },
}

/// VaR and ES of a book of spots and European options, by full revaluation.
///
/// Formula: `L = -Σ qty (V₁ - V₀)`, V₁ at the shocked spot and at `max(T - years, 0)`; returns `r = B z`, Student-t
/// `r = B z √((ν-2)/W)`, as [`super::linear_monte_carlo`].
/// Units: money; `cov` of the factors' returns over the horizon; `sigma_1d` is the deviation of the simulated P&L, of its
/// delta-gamma approximation where that was sampled by importance (of Student-t its delta: gamma may have no variance).
/// Errors: a factor that `cov` lacks, what [`crate::pricing::bsm`] refuses, Student-t with [`Shock::Log`] or strata, strata
/// with Sobol.
/// Source: Glasserman 2003 §9.1 to §9.4; McNeil, Frey & Embrechts 2015 §9.2.
pub fn full_revaluation_monte_carlo(
    book: &[BookPosition],
    cov: &Covariance<'_>,
    distribution: Distribution,
    (revaluation, sampling): (Revaluation, BookSampling),
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<MonteCarloRisk> {
    let nu = match (distribution, revaluation.shock) {
        (Distribution::Normal, _) => None,
        (Distribution::StudentT(nu), Shock::Simple) => Some(nu),
        (Distribution::StudentT(_), Shock::Log) => {
            return Err(RiskError::invalid(NAME, "shock", "must be simple for student_t", "log"));
        }
    };
    let book = RepricedBook::new(NAME, book, cov.dimension(), revaluation)?;
    match sampling {
        BookSampling::Plain => {
            let mixing = nu.map(MixingTable::new);
            let model = Model { book, loadings: loadings(NAME, cov, settings.sampler)?, mixing };
            plain(&model, settings, confidences, progress)
        }
        BookSampling::ImportanceSampling { strata } => {
            check_strata(NAME, strata, settings)?;
            if nu.is_some() && strata > 1 {
                return Err(RiskError::invalid(NAME, "strata", "must be 0 for student_t", strata));
            }
            importance(&Proxied::new(book, cov)?, (strata, nu), settings, confidences, progress)
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
            table.draw(0, draws, scale);
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

    /// Losses of the book where the normals are y, a column for each.
    fn losses(&self, y: &[f64], n: usize) -> Vec<f64> {
        let (mut returns, mut losses) = (vec![0.0; y.len()], vec![0.0; n]);
        apply_loadings(&self.loadings, n, y, &mut returns);
        self.book.losses(&returns, &mut losses);
        losses
    }

    /// Deviation of the approximation, or of its delta alone.
    fn deviation(&self, with_gamma: bool) -> Result<f64> {
        let variance = if with_gamma { self.form.cumulants()?.k2 } else { self.form.b().iter().map(|b| b * b).sum() };
        require_finite(NAME, "variance", &[variance])?;
        Ok(variance.sqrt())
    }
}

fn importance(
    model: &Proxied,
    (strata, nu): (u32, Option<DegreesOfFreedom>),
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<MonteCarloRisk> {
    let dimension = model.book.factors() + usize::from(nu.is_some());
    let simulation = Simulation::new(NAME, settings, dimension)?;
    simulation.begin(progress, confidences.len());
    let mixing = nu.map(|nu| (nu, MixingTable::new(nu)));
    let level = |&confidence: &Confidence| match &mixing {
        None => importance_level(model, strata, &simulation, confidence, progress),
        Some((nu, mixing)) => student_t_level(model, (*nu, mixing), &simulation, confidence, progress),
    };
    Ok(MonteCarloRisk {
        levels: confidences.iter().map(level).collect::<Result<_>>()?,
        sigma_1d: model.deviation(nu.is_none())?,
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
        let (mut y, mut q) = (vec![0.0; k * n], vec![0.0; n]);
        twisted.fill(draws, &mut y, &mut q);
        for ((scenario, loss), q) in scenarios.iter_mut().zip(model.losses(&y, n)).zip(q) {
            *scenario = Weighted { loss, weight: twisted.twist.weight(q) };
        }
    })?;
    weighted_level(NAME, simulation, scenarios, twisted.strata(), confidence)
}

fn student_t_level(
    model: &Proxied,
    (nu, mixing): (DegreesOfFreedom, &MixingTable),
    simulation: &Simulation,
    confidence: Confidence,
    progress: &Progress,
) -> Result<MonteCarloLevel> {
    let sampling = StudentTwist::aimed(&model.loss, nu, confidence.tail()).sampling(mixing);
    let twisted = TwistedDraws::without_strata(model.loss.clone(), sampling.twist.clone());
    let scenarios = simulation.scenarios(progress, |draws, scenarios: &mut [Weighted]| {
        let (n, k) = (scenarios.len(), model.book.factors());
        let (mut scale, mut y, mut q) = (vec![0.0; n], vec![0.0; k * n], vec![0.0; n]);
        sampling.draw_scale(draws, &mut scale);
        twisted.candidates(Some(&scale), draws, &mut y, &mut q);
        for ((scenario, loss), (q, s)) in scenarios.iter_mut().zip(model.losses(&y, n)).zip(q.into_iter().zip(scale)) {
            *scenario = Weighted { loss, weight: sampling.weight(q, s) };
        }
    })?;
    weighted_level(NAME, simulation, scenarios, 1, confidence)
}

/// Standard deviation of the losses.
fn deviation(losses: &[f64]) -> f64 {
    let n = losses.len() as f64;
    let mean = losses.iter().sum::<f64>() / n;
    (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0)).sqrt()
}
