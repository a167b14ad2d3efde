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
use super::reflection::Reflection;
use super::student_twist::StudentTwist;
use super::{MonteCarloSettings, Sampler, Simulation};
use crate::delta_gamma::QuadraticForm;
use crate::error::{Result, RiskError};
use crate::progress::Progress;
use crate::rng::FILL_BLOCK;
use crate::units::{Confidence, DegreesOfFreedom, Distribution};

const NAME: &str = "delta_gamma_monte_carlo";
/// Terms that are added to the losses at once.
const TERMS: usize = 4;

/// How the scenarios of a delta-gamma book are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeltaGammaSampling {
    /// From the distribution itself; one simulation serves all levels.
    #[default]
    Plain,
    /// As plain, the normals in single precision and the sums in double: with AVX-512 a sixth of the time. The uniforms
    /// have 32 bits, so tails end near 6.2 standard deviations: far enough for 99.99 %, the highest [`Confidence`] there is.
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
/// that `ψ'(t)` is the VaR, to the accuracy of a saddle point (with strata exactly). Student-t: the same twist of
/// `Y (L - x)`, `Y = W/(ν-2)`, which moves W too; x is the VaR. Of Sobol points the first dimension is laid along the gradient of the loss.
/// Units: money, losses positive; the horizon is that of the form: h independent normal days have `h cov`.
/// Errors: as [`super::linear_monte_carlo`]; strata of Student-t or with Sobol; single precision with Sobol.
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
    let job = Job { form, loss, simulation, progress };
    match (sampling, nu) {
        (DeltaGammaSampling::Plain, _) => job.plain(nu, confidences),
        (DeltaGammaSampling::PlainSinglePrecision, _) => job.single_precision(nu, confidences),
        (DeltaGammaSampling::ImportanceSampling { strata: 0 | 1 }, None) => {
            job.each(confidences, |level| job.twisted_level(level))
        }
        (DeltaGammaSampling::ImportanceSampling { strata }, None) => {
            check_strata(NAME, strata, settings)?;
            job.each(confidences, |level| job.stratified_level(level, strata))
        }
        (DeltaGammaSampling::ImportanceSampling { strata: 0 | 1 }, Some(nu)) => {
            let mixing = MixingTable::new(nu);
            job.each(confidences, |level| job.student_t_level(level, nu, &mixing))
        }
        (DeltaGammaSampling::ImportanceSampling { strata }, Some(_)) => {
            Err(RiskError::invalid(NAME, "strata", "must be 0 for student_t", strata))
        }
    }
}

struct Job<'a> {
    form: &'a QuadraticForm,
    loss: LossForm,
    simulation: Simulation,
    progress: &'a Progress,
}

impl Job<'_> {
    fn plain(&self, nu: Option<DegreesOfFreedom>, confidences: &[Confidence]) -> Result<Vec<MonteCarloLevel>> {
        let mixing = nu.map(MixingTable::new);
        self.simulation.begin(self.progress, 1);
        let losses = self.losses(|draws, losses| self.loss.fill(mixing.as_ref(), draws, losses))?;
        levels(NAME, &self.simulation, losses, confidences)
    }

    fn single_precision(
        &self,
        nu: Option<DegreesOfFreedom>,
        confidences: &[Confidence],
    ) -> Result<Vec<MonteCarloLevel>> {
        if self.simulation.settings.sampler != Sampler::Pseudo {
            return Err(RiskError::invalid(NAME, "single_precision_normals", "must be false with sobol", true));
        }
        let mixing = nu.map(MixingTable::new);
        self.simulation.begin(self.progress, 1);
        let losses = self.losses(|draws, losses| self.loss.fill_f32(mixing.as_ref(), draws, losses))?;
        levels(NAME, &self.simulation, losses, confidences)
    }

    /// One simulation a level.
    fn each<T>(&self, levels: &[T], simulate: impl Fn(&T) -> Result<MonteCarloLevel>) -> Result<Vec<MonteCarloLevel>> {
        self.simulation.begin(self.progress, levels.len());
        levels.iter().map(simulate).collect()
    }

    fn twisted_level(&self, &confidence: &Confidence) -> Result<MonteCarloLevel> {
        let twist = self.loss.twist_to_tail(confidence.tail());
        let twisted = self.loss.twisted(&twist);
        let scenarios = self.simulation.scenarios(self.progress, |draws, scenarios: &mut [Weighted]| {
            let mut losses = [0.0; FILL_BLOCK];
            let losses = &mut losses[..scenarios.len().min(FILL_BLOCK)];
            twisted.fill(None, draws, losses);
            let weigh = |&loss: &f64| Weighted { loss, weight: twist.weight(loss) };
            scenarios.iter_mut().zip(losses.iter().map(weigh)).for_each(|(scenario, weighed)| *scenario = weighed);
        })?;
        weighted_level(NAME, &self.simulation, scenarios, 1, confidence)
    }

    fn stratified_level(&self, &confidence: &Confidence, strata: u32) -> Result<MonteCarloLevel> {
        let target = target(self.form, confidence.tail())?;
        let twisted = TwistedDraws::new(NAME, self.loss.clone(), target, strata)?;
        let losses = self.losses(|draws, losses| {
            let mut y = vec![0.0; self.loss.terms.len() * losses.len()];
            twisted.fill(draws, &mut y, losses);
        })?;
        let weigh = |loss: f64| Weighted { loss, weight: twisted.twist.weight(loss) };
        weighted_level(NAME, &self.simulation, losses.into_iter().map(weigh).collect(), twisted.strata(), confidence)
    }

    fn student_t_level(
        &self,
        &confidence: &Confidence,
        nu: DegreesOfFreedom,
        mixing: &MixingTable,
    ) -> Result<MonteCarloLevel> {
        let sampling = StudentTwist::aimed(&self.loss, nu, confidence.tail()).sampling(mixing);
        let twisted = self.loss.twisted(&sampling.twist);
        let scenarios = self.simulation.scenarios(self.progress, |draws, scenarios: &mut [Weighted]| {
            let (mut scale, mut losses) = ([0.0; FILL_BLOCK], [0.0; FILL_BLOCK]);
            let n = scenarios.len().min(FILL_BLOCK);
            let (scale, losses) = (&mut scale[..n], &mut losses[..n]);
            sampling.draw_scale(draws, scale);
            twisted.fill_with(Some(scale), draws, losses);
            for ((scenario, &loss), &s) in scenarios.iter_mut().zip(&*losses).zip(&*scale) {
                *scenario = Weighted { loss, weight: sampling.weight(loss, s) };
            }
        })?;
        weighted_level(NAME, &self.simulation, scenarios, 1, confidence)
    }

    fn losses(&self, fill: impl Fn(&mut Draws<'_>, &mut [f64]) + Sync) -> Result<Vec<f64>> {
        self.simulation.losses(self.progress, fill)
    }
}

impl LossForm {
    /// The losses of one block.
    fn fill(&self, mixing: Option<&MixingTable>, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let mut scale = [0.0; FILL_BLOCK];
        let scale = &mut scale[..losses.len().min(FILL_BLOCK)];
        if let Some(table) = mixing {
            table.draw(0, draws, scale);
        }
        self.fill_with(mixing.map(|_| &*scale), draws, losses);
    }

    /// The losses of one block, each scenario's normals times its scale.
    fn fill_with(&self, scale: Option<&[f64]>, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let reflection = draws.is_quasi().then(|| Reflection::along(self.terms.iter().map(|(b, _)| *b))).flatten();
        if let Some(reflection) = reflection {
            return self.fill_reflected(&reflection, scale, draws, losses);
        }
        let first = usize::from(scale.is_some());
        losses.fill(self.constant);
        self.add_terms(scale, losses, |j, normals: &mut [f64]| draws.normals(first + j, normals));
    }

    /// Adds the terms to the losses of one block, the normals of one term after the other, each scenario's times its scale.
    pub fn add_terms<F: Copy + Default + Into<f64>>(
        &self,
        scale: Option<&[f64]>,
        losses: &mut [f64],
        mut draw: impl FnMut(usize, &mut [F]),
    ) {
        let n = losses.len().min(FILL_BLOCK);
        let mut normals = [F::default(); TERMS * FILL_BLOCK];
        let arch = pulp::Arch::new();
        for (number, terms) in self.terms.chunks(TERMS).enumerate() {
            let normals = &mut normals[..terms.len() * n];
            for (j, column) in normals.chunks_exact_mut(n.max(1)).enumerate() {
                draw(number * TERMS + j, column);
            }
            match terms.as_array() {
                Some(terms) => arch.dispatch(AddFourTerms { terms, normals, scale, losses }),
                None => {
                    for (&(b, m), normals) in terms.iter().zip(normals.chunks_exact(n.max(1))) {
                        arch.dispatch(AddTerm { b, m, normals, scale, losses });
                    }
                }
            }
        }
    }

    /// [`LossForm::fill_with`] in reflected normals. With `d = 2 v·w` the loss is
    /// `c + Σ b w + m w² + d (d Σ m v² - 2 Σ m v w - Σ b v)`: no column is kept.
    fn fill_reflected(
        &self,
        reflection: &Reflection,
        scale: Option<&[f64]>,
        draws: &mut Draws<'_>,
        losses: &mut [f64],
    ) {
        let first = usize::from(scale.is_some());
        let n = losses.len().min(FILL_BLOCK);
        let (mut normals, mut along, mut across) = ([0.0; FILL_BLOCK], [0.0; FILL_BLOCK], [0.0; FILL_BLOCK]);
        let (mut linear, mut quadratic) = (0.0, 0.0);
        losses.fill(self.constant);
        let arch = pulp::Arch::new();
        for (j, (&(b, m), &v)) in self.terms.iter().zip(reflection.normal()).enumerate() {
            linear += b * v;
            quadratic += m * v * v;
            let normals = &mut normals[..n];
            draws.normals(first + j, normals);
            if let Some(scale) = scale {
                normals.iter_mut().zip(scale).for_each(|(z, s)| *z *= s);
            }
            arch.dispatch(AddReflectedTerm { b, m, v, normals, losses, along: &mut along, across: &mut across });
        }
        for ((loss, along), across) in losses.iter_mut().zip(&along).zip(&across) {
            let d = 2.0 * along;
            *loss += d * (d * quadratic - 2.0 * across - linear);
        }
    }

    /// [`LossForm::fill`] with normals in single precision.
    fn fill_f32(&self, mixing: Option<&MixingTable>, draws: &mut Draws<'_>, losses: &mut [f64]) {
        let n = losses.len().min(FILL_BLOCK);
        let mut scale = [1.0; FILL_BLOCK];
        let scale = &mut scale[..n];
        if let Some(table) = mixing {
            table.draw(0, draws, scale);
        }
        let scale = mixing.map(|_| &*scale);
        losses.fill(self.constant);
        self.add_terms(scale, losses, |_, normals: &mut [f32]| draws.normals_f32(normals));
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
            None => losses.iter_mut().zip(normals).for_each(|(loss, &z)| *loss = term((b, m), z.into(), *loss)),
            Some(scale) => {
                for ((loss, &z), s) in losses.iter_mut().zip(normals).zip(scale) {
                    *loss = term((b, m), z.into() * s, *loss);
                }
            }
        }
    }
}

/// [`AddTerm`] for four terms, a column of normals each: the losses are read and written once.
struct AddFourTerms<'a, F> {
    terms: &'a [(f64, f64); TERMS],
    normals: &'a [F],
    scale: Option<&'a [f64]>,
    losses: &'a mut [f64],
}

impl<F: Copy + Into<f64>> WithSimd for AddFourTerms<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { terms: &[t0, t1, t2, t3], normals, scale, losses } = self;
        let n = losses.len();
        let (low, high) = normals.split_at(2 * n);
        let ((z0, z1), (z2, z3)) = (low.split_at(n), high.split_at(n));
        let columns = z0.iter().zip(z1).zip(z2.iter().zip(z3));
        match scale {
            None => {
                for (loss, ((&z0, &z1), (&z2, &z3))) in losses.iter_mut().zip(columns) {
                    *loss = term(t3, z3.into(), term(t2, z2.into(), term(t1, z1.into(), term(t0, z0.into(), *loss))));
                }
            }
            Some(scale) => {
                for ((loss, ((&z0, &z1), (&z2, &z3))), s) in losses.iter_mut().zip(columns).zip(scale) {
                    let (x0, x1, x2, x3) = (z0.into() * s, z1.into() * s, z2.into() * s, z3.into() * s);
                    *loss = term(t3, x3, term(t2, x2, term(t1, x1, term(t0, x0, *loss))));
                }
            }
        }
    }
}

#[inline(always)]
fn term((b, m): (f64, f64), x: f64, loss: f64) -> f64 {
    m.mul_add(x, b).mul_add(x, loss)
}

/// Adds `b w + m w²` to the losses, `v w` to `along` and `m v w` to `across`.
struct AddReflectedTerm<'a> {
    b: f64,
    m: f64,
    v: f64,
    normals: &'a [f64],
    losses: &'a mut [f64],
    along: &'a mut [f64],
    across: &'a mut [f64],
}

impl WithSimd for AddReflectedTerm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { b, m, v, normals, losses, along, across } = self;
        let mv = m * v;
        for (((loss, along), across), &w) in losses.iter_mut().zip(along).zip(across).zip(normals) {
            *loss = m.mul_add(w, b).mul_add(w, *loss);
            *along = v.mul_add(w, *along);
            *across = mv.mul_add(w, *across);
        }
    }
}
