//! Simulation of a delta-gamma book in its eigenbasis, plain or by importance sampling.
//!
//! The book is `P&L = θ + Σ b_j z_j + λ_j z_j²` in independent normals: K normals and two multiplications each, no product
//! with a matrix. Under an exponential twist it is a form of the same kind, so one kernel serves both.
//! Source: Glasserman, Heidelberger & Shahabuddin, *Variance reduction techniques for estimating value-at-risk*,
//! Management Science 46, 2000; Glasserman 2003 ch. 9.

use pulp::{Simd, WithSimd};

use super::draws::Draws;
use super::estimate::{MonteCarloLevel, levels, weighted_level};
use super::mixing::MixingTable;
use super::{MonteCarloSettings, Simulation};
use crate::delta_gamma::QuadraticForm;
use crate::error::{Result, RiskError};
use crate::progress::Progress;
use crate::rng::FILL_BLOCK;
use crate::units::{Confidence, Distribution, Tail};

const NAME: &str = "delta_gamma_monte_carlo";

/// How the scenarios of a delta-gamma book are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeltaGammaSampling {
    /// From the distribution itself; one simulation serves all levels.
    #[default]
    Plain,
    /// From the distribution twisted so that the VaR is an average loss; one simulation a level. Gaussian only.
    ImportanceSampling,
}

/// VaR and ES of a delta-gamma book by simulation, one entry a level in the order asked.
///
/// Formula: `L = -(θ + s Σ b_j z_j + s² Σ λ_j z_j²)`, `s = 1`, or `√((ν-2)/W)` for Student-t returns. Importance sampling:
/// with `β = -b`, `μ = -λ` draws `z_j ~ N(t β_j s_j, s_j)`, `s_j = 1/(1 - 2 t μ_j)`, weight `exp(ψ(t) - t Q)`, t such
/// that `ψ'(t)` is the VaR.
/// Units: money, losses positive. Errors: as [`super::linear_monte_carlo`]; importance sampling of Student-t is refused.
/// Source: Glasserman, Heidelberger & Shahabuddin 2000.
pub fn delta_gamma_monte_carlo(
    form: &QuadraticForm,
    distribution: Distribution,
    sampling: DeltaGammaSampling,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<Vec<MonteCarloLevel>> {
    let mixing = match (distribution, sampling) {
        (Distribution::Normal, _) => None,
        (Distribution::StudentT(nu), DeltaGammaSampling::Plain) => Some(MixingTable::new(nu)),
        (Distribution::StudentT(_), DeltaGammaSampling::ImportanceSampling) => {
            return Err(RiskError::invalid(NAME, "sampling", "must be plain for student_t", "importance sampling"));
        }
    };
    let simulation = Simulation::new(NAME, settings, form.b().len() + usize::from(mixing.is_some()))?;
    let loss = LossForm::new(form);
    match sampling {
        DeltaGammaSampling::Plain => {
            let losses = simulation.losses(progress, |draws, losses| loss.fill(mixing.as_ref(), draws, losses))?;
            levels(NAME, &simulation, losses, confidences)
        }
        DeltaGammaSampling::ImportanceSampling => {
            confidences.iter().map(|&c| importance_level(form, &loss, &simulation, c, progress)).collect()
        }
    }
}

fn importance_level(
    form: &QuadraticForm,
    loss: &LossForm,
    simulation: &Simulation,
    confidence: Confidence,
    progress: &Progress,
) -> Result<MonteCarloLevel> {
    let twist = loss.twist_to(target(form, confidence.tail())?);
    let losses = simulation.losses(progress, |draws, losses| twist.form.fill(None, draws, losses))?;
    let log_weight = |loss: f64| twist.log_moment - twist.parameter * loss;
    weighted_level(NAME, simulation, &losses, log_weight, confidence)
}

/// The loss to aim at. Any target gives an unbiased answer; the exact VaR gives the best.
fn target(form: &QuadraticForm, tail: Tail) -> Result<f64> {
    form.var_es(tail).map(|exact| exact.var).or_else(|_| {
        let cumulants = form.cumulants()?;
        Ok(-cumulants.k1 - crate::special::norm_ppf(tail.get()) * cumulants.k2.sqrt())
    })
}

/// `L = constant + Σ (β_j z_j + μ_j z_j²)`, the terms of most variance first.
#[derive(Debug, Clone, PartialEq)]
struct LossForm {
    constant: f64,
    terms: Vec<(f64, f64)>,
}

/// A form under the twisted measure, and the weight that undoes the twist.
struct Twist {
    form: LossForm,
    parameter: f64,
    /// `ln E exp(t L)`.
    log_moment: f64,
}

impl LossForm {
    fn new(form: &QuadraticForm) -> Self {
        let terms = form.b().iter().zip(form.lambda()).map(|(b, lambda)| (-b, -lambda)).collect();
        Self { constant: -form.theta(), terms }.ordered()
    }

    /// Sobol's first dimensions are its best: they go to the largest terms.
    fn ordered(mut self) -> Self {
        let variance = |(b, m): &(f64, f64)| b * b + 2.0 * m * m;
        self.terms.sort_by(|x, y| variance(y).total_cmp(&variance(x)));
        self
    }

    /// The losses of one block.
    fn fill(&self, mixing: Option<&MixingTable>, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let n = losses.len().min(FILL_BLOCK);
        let (mut normals, mut scale) = ([0.0; FILL_BLOCK], [1.0; FILL_BLOCK]);
        let (normals, scale) = (&mut normals[..n], &mut scale[..n]);
        if let Some(table) = mixing {
            draws.normals(0, scale);
            table.scale_in_place(scale);
        }
        losses.fill(self.constant);
        let arch = pulp::Arch::new();
        for (j, &(b, m)) in self.terms.iter().enumerate() {
            draws.normals(j + usize::from(mixing.is_some()), normals);
            arch.dispatch(AddTerm { b, m, normals, scale: mixing.map(|_| &*scale), losses });
        }
    }

    /// The twist whose mean loss is `target`; none where the target is below the mean already.
    fn twist_to(&self, target: f64) -> Twist {
        let steepest = self.terms.iter().fold(0.0_f64, |max, (_, m)| max.max(*m));
        let variance: f64 = self.terms.iter().map(|(b, m)| b * b + 2.0 * m * m).sum();
        // The moment exists below 1/(2 max μ); without convex terms the mean grows at least until enough.
        let mut high = if steepest > 0.0 { 0.5 / steepest } else { 64.0 / variance.sqrt().max(f64::MIN_POSITIVE) };
        high *= 1.0 - 1e-9;
        let mut low = 0.0;
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if self.mean(middle) < target { low = middle } else { high = middle }
        }
        self.twist(low)
    }

    /// `ψ'(t)`, the mean loss under the twist t.
    fn mean(&self, t: f64) -> f64 {
        let term = |(b, m): &(f64, f64)| {
            let s = 1.0 / (1.0 - 2.0 * t * m);
            let shift = t * b * s;
            b * shift + m * (shift * shift + s)
        };
        self.constant + self.terms.iter().map(term).sum::<f64>()
    }

    fn twist(&self, t: f64) -> Twist {
        let mut twisted = Self { constant: self.constant, terms: Vec::with_capacity(self.terms.len()) };
        let mut log_moment = t * self.constant;
        for (b, m) in &self.terms {
            let s = 1.0 / (1.0 - 2.0 * t * m);
            let shift = t * b * s;
            twisted.constant += (b + m * shift) * shift;
            twisted.terms.push(((b + 2.0 * m * shift) * s.sqrt(), m * s));
            log_moment += 0.5 * (t * b * shift + s.ln());
        }
        Twist { form: twisted.ordered(), parameter: t, log_moment }
    }
}

/// Adds `b x + m x²` to the losses, x the normals, scaled for Student-t.
struct AddTerm<'a> {
    b: f64,
    m: f64,
    normals: &'a [f64],
    scale: Option<&'a [f64]>,
    losses: &'a mut [f64],
}

impl WithSimd for AddTerm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { b, m, normals, scale, losses } = self;
        match scale {
            None => {
                for (loss, z) in losses.iter_mut().zip(normals) {
                    *loss = m.mul_add(*z, b).mul_add(*z, *loss);
                }
            }
            Some(scale) => {
                for ((loss, z), s) in losses.iter_mut().zip(normals).zip(scale) {
                    let z = z * s;
                    *loss = m.mul_add(z, b).mul_add(z, *loss);
                }
            }
        }
    }
}
