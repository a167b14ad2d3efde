//! Simulation of a delta-gamma book in its eigenbasis, plain or by importance sampling.
//!
//! The book is `P&L = θ + Σ b_j z_j + λ_j z_j²` in independent normals: K normals and two multiplications each, no product
//! with a matrix. Under an exponential twist it is a form of the same kind, so one kernel serves both.
//! Source: Glasserman, Heidelberger & Shahabuddin, *Variance reduction techniques for estimating value-at-risk*,
//! Management Science 46, 2000; *Portfolio value-at-risk with heavy-tailed risk factors*, Mathematical Finance 12, 2002.

use pulp::{Simd, WithSimd};

use super::draws::Draws;
use super::estimate::{MonteCarloLevel, Weighted, levels, weighted_level};
use super::importance::{LossForm, TwistedDraws, check_strata, target};
use super::mixing::MixingTable;
use super::{MonteCarloSettings, Sampler, Simulation};
use crate::delta_gamma::QuadraticForm;
use crate::error::{Result, RiskError};
use crate::progress::Progress;
use crate::rng::FILL_BLOCK;
use crate::units::{Confidence, DegreesOfFreedom, Distribution};

const NAME: &str = "delta_gamma_monte_carlo";
/// Scenarios that find the loss to aim at where it has no closed form.
const PILOT_SCENARIOS: u32 = 8_192;

/// How the scenarios of a delta-gamma book are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeltaGammaSampling {
    /// From the distribution itself; one simulation serves all levels.
    #[default]
    Plain,
    /// As plain, the normals in single precision and the sums in double: half the time. The uniforms have 24 bits, so tails
    /// end near 5.4 standard deviations; a Gaussian VaR is off by less than its standard error.
    PlainSinglePrecision,
    /// From the distribution twisted so that the VaR is an average loss; one simulation a level.
    ImportanceSampling {
        /// Equally likely strata of the loss, a power of two up to 256; 0 and 1 are none. Gaussian and pseudo-random only.
        strata: u32,
    },
}

/// VaR and ES of a delta-gamma book by simulation, one entry a level in the order asked.
///
/// Formula: `L = -(θ + s Σ b_j z_j + s² Σ λ_j z_j²)`, `s = 1`, or `√((ν-2)/W)` for Student-t returns. Importance sampling:
/// with `β = -b`, `μ = -λ` draws `z_j ~ N(t β_j s_j, s_j)`, `s_j = 1/(1 - 2 t μ_j)`, weight `exp(ψ(t) - t L)`, t such
/// that `ψ'(t)` is the VaR. Student-t: the same twist of `Y (L - x)`, `Y = W/(ν-2)`, which moves W too; x is the VaR of
/// a small plain simulation.
/// Units: money, losses positive. Errors: as [`super::linear_monte_carlo`]; strata of Student-t or with Sobol.
/// Source: Glasserman, Heidelberger & Shahabuddin 2000 and 2002.
pub fn delta_gamma_monte_carlo(
    form: &QuadraticForm,
    distribution: Distribution,
    sampling: DeltaGammaSampling,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<Vec<MonteCarloLevel>> {
    let nu = match distribution {
        Distribution::Normal => None,
        Distribution::StudentT(nu) => Some(nu),
    };
    let simulation = Simulation::new(NAME, settings, form.b().len() + usize::from(nu.is_some()))?;
    let (loss, _) = LossForm::new(form);
    let mixing = nu.map(MixingTable::new);
    let each = |level: &dyn Fn(Confidence) -> Result<MonteCarloLevel>| confidences.iter().map(|&c| level(c)).collect();
    match (sampling, nu) {
        (DeltaGammaSampling::Plain, _) => {
            let losses = simulation.losses(progress, |draws, losses| loss.fill(mixing.as_ref(), 1.0, draws, losses))?;
            levels(NAME, &simulation, losses, confidences)
        }
        (DeltaGammaSampling::PlainSinglePrecision, _) => {
            if settings.sampler != Sampler::Pseudo {
                return Err(RiskError::invalid(NAME, "single_precision_normals", "must be false with sobol", true));
            }
            let losses = simulation.losses(progress, |draws, losses| loss.fill_f32(mixing.as_ref(), draws, losses))?;
            levels(NAME, &simulation, losses, confidences)
        }
        (DeltaGammaSampling::ImportanceSampling { strata: 0 | 1 }, None) => {
            each(&|c| twisted_level(form, &loss, &simulation, c, progress))
        }
        (DeltaGammaSampling::ImportanceSampling { strata }, None) => {
            check_strata(NAME, strata, settings.n_scenarios, settings.sampler == Sampler::Pseudo)?;
            each(&|c| stratified_level(form, &loss, strata, &simulation, c, progress))
        }
        (DeltaGammaSampling::ImportanceSampling { strata: 0 | 1 }, Some(nu)) => {
            let pilot = pilot(form, distribution, settings, confidences)?;
            let aimed = confidences.iter().zip(pilot);
            aimed.map(|(&c, x)| student_t_level(&loss, nu, x, &simulation, c, progress)).collect()
        }
        (DeltaGammaSampling::ImportanceSampling { strata }, Some(_)) => {
            Err(RiskError::invalid(NAME, "strata", "must be 0 for student_t", strata))
        }
    }
}

fn twisted_level(
    form: &QuadraticForm,
    loss: &LossForm,
    simulation: &Simulation,
    confidence: Confidence,
    progress: &Progress,
) -> Result<MonteCarloLevel> {
    let twist = loss.twist_to(target(form, confidence.tail())?);
    let twisted = loss.twisted(&twist);
    let losses = simulation.losses(progress, |draws, losses| twisted.fill(None, 1.0, draws, losses))?;
    let weigh = |loss: f64| Weighted { loss, weight: (twist.log_moment - twist.parameter * loss).exp() };
    weighted_level(NAME, simulation, losses.into_iter().map(weigh).collect(), 1, confidence)
}

fn stratified_level(
    form: &QuadraticForm,
    loss: &LossForm,
    strata: u32,
    simulation: &Simulation,
    confidence: Confidence,
    progress: &Progress,
) -> Result<MonteCarloLevel> {
    let draws = TwistedDraws::new(NAME, loss.clone(), target(form, confidence.tail())?, strata)?;
    let Twist { parameter, log_moment } =
        Twist { parameter: draws.twist.parameter, log_moment: draws.twist.log_moment };
    let losses = simulation.losses(progress, |block, losses| {
        let mut y = vec![0.0; loss.terms.len() * losses.len()];
        draws.fill(block, &mut y, losses);
    })?;
    let weigh = |loss: f64| Weighted { loss, weight: (log_moment - parameter * loss).exp() };
    weighted_level(NAME, simulation, losses.into_iter().map(weigh).collect(), draws.strata(), confidence)
}

/// What undoes a twist.
struct Twist {
    parameter: f64,
    log_moment: f64,
}

/// The VaR of every level, roughly, from a seed of its own.
fn pilot(
    form: &QuadraticForm,
    distribution: Distribution,
    settings: MonteCarloSettings,
    confidences: &[Confidence],
) -> Result<Vec<f64>> {
    let few = MonteCarloSettings { n_scenarios: PILOT_SCENARIOS, seed: !settings.seed, sampler: Sampler::Pseudo };
    let plain = DeltaGammaSampling::Plain;
    let found = delta_gamma_monte_carlo(form, distribution, plain, few, confidences, &Progress::new())?;
    Ok(found.into_iter().map(|level| level.var).collect())
}

fn student_t_level(
    loss: &LossForm,
    nu: DegreesOfFreedom,
    x: f64,
    simulation: &Simulation,
    confidence: Confidence,
    progress: &Progress,
) -> Result<MonteCarloLevel> {
    let (twist, mixing_factor) = loss.student_t_twist_to(x, nu);
    let twisted = loss.twisted(&twist);
    let table = MixingTable::new(nu);
    // W is multiplied, so the scale √((ν-2)/W) is divided by the root.
    let shrink = mixing_factor.sqrt().recip();
    let scenarios = simulation.scenarios(progress, |draws, scenarios: &mut [Weighted]| {
        let (mut scale, mut losses) = ([1.0; FILL_BLOCK], [0.0; FILL_BLOCK]);
        let n = scenarios.len().min(FILL_BLOCK);
        let (scale, losses) = (&mut scale[..n], &mut losses[..n]);
        twisted.fill_with_scale(&table, shrink, draws, scale, losses);
        for ((scenario, &loss), s) in scenarios.iter_mut().zip(&*losses).zip(&*scale) {
            let log_weight = twist.log_moment - twist.parameter * (loss - x) / (s * s);
            *scenario = Weighted { loss, weight: log_weight.exp() };
        }
    })?;
    weighted_level(NAME, simulation, scenarios, 1, confidence)
}

impl LossForm {
    /// The losses of one block.
    fn fill(&self, mixing: Option<&MixingTable>, shrink: f64, draws: &mut Draws<'_>, losses: &mut [f64]) {
        if let Some(table) = mixing {
            let mut scale = [1.0; FILL_BLOCK];
            let n = losses.len().min(FILL_BLOCK);
            return self.fill_with_scale(table, shrink, draws, &mut scale[..n], losses);
        }
        let mut normals = [0.0; FILL_BLOCK];
        let normals = &mut normals[..losses.len().min(FILL_BLOCK)];
        losses.fill(self.constant);
        let arch = pulp::Arch::new();
        for (j, &(b, m)) in self.terms.iter().enumerate() {
            draws.normals(j, normals);
            arch.dispatch(AddTerm { b, m, normals, scale: None, losses });
        }
    }

    /// The losses of one block of Student-t returns, and the scale of each scenario.
    fn fill_with_scale(
        &self,
        table: &MixingTable,
        shrink: f64,
        draws: &mut Draws<'_>,
        scale: &mut [f64],
        losses: &mut [f64],
    ) {
        // The mixing variable moves all factors at once: the first dimension is its due.
        draws.normals(0, scale);
        table.scale_in_place(scale);
        scale.iter_mut().for_each(|s| *s *= shrink);
        let mut normals = [0.0; FILL_BLOCK];
        let normals = &mut normals[..losses.len().min(FILL_BLOCK)];
        losses.fill(self.constant);
        let arch = pulp::Arch::new();
        for (j, &(b, m)) in self.terms.iter().enumerate() {
            draws.normals(j + 1, normals);
            arch.dispatch(AddTerm { b, m, normals, scale: Some(scale), losses });
        }
    }

    /// [`LossForm::fill`] with normals in single precision.
    fn fill_f32(&self, mixing: Option<&MixingTable>, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let n = losses.len().min(FILL_BLOCK);
        let mut scale = [1.0; FILL_BLOCK];
        let scale = &mut scale[..n];
        if let Some(table) = mixing {
            draws.normals(0, scale);
            table.scale_in_place(scale);
        }
        let mut normals = [0.0_f32; FILL_BLOCK];
        let normals = &mut normals[..n];
        losses.fill(self.constant);
        let arch = pulp::Arch::new();
        for &(b, m) in &self.terms {
            draws.normals_f32(normals);
            arch.dispatch(AddTerm { b, m, normals, scale: mixing.map(|_| &*scale), losses });
        }
    }
}

/// Adds `b x + m x²` to the losses, x the normals, scaled for Student-t.
struct AddTerm<'a, F> {
    b: f64,
    m: f64,
    normals: &'a [F],
    scale: Option<&'a [f64]>,
    losses: &'a mut [f64],
}

impl<F: Copy + Into<f64>> WithSimd for AddTerm<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { b, m, normals, scale, losses } = self;
        match scale {
            None => {
                for (loss, &z) in losses.iter_mut().zip(normals) {
                    let z: f64 = z.into();
                    *loss = m.mul_add(z, b).mul_add(z, *loss);
                }
            }
            Some(scale) => {
                for ((loss, &z), s) in losses.iter_mut().zip(normals).zip(scale) {
                    let z = z.into() * s;
                    *loss = m.mul_add(z, b).mul_add(z, *loss);
                }
            }
        }
    }
}
