//! Scenarios drawn where the losses are: the exponential twist of a quadratic loss, with or without strata of it.
//!
//! The loss, or its delta-gamma approximation, is `Q = c + Σ β_j y_j + μ_j y_j²` in independent normals. Under the twist t
//! the normals are `N(t β_j s_j, s_j)`, `s_j = 1/(1 - 2 t μ_j)`, and a scenario weighs `exp(ψ(t) - t Q)`.
//! Source: Glasserman, Heidelberger & Shahabuddin, *Variance reduction techniques for estimating value-at-risk*,
//! Management Science 46, 2000.

use super::draws::Draws;
use super::reflection::Reflection;
use super::{MonteCarloSettings, Sampler};
use crate::delta_gamma::QuadraticForm;
use crate::error::{Result, RiskError};
use crate::rng::FILL_BLOCK;
use crate::special::norm_cdf;
use crate::units::Tail;

/// Batches of candidates after which a stratum that stays empty is an error: two are usual.
const MAX_BATCHES: usize = 1_000;
/// Most strata: a quarter of a block, so that each has some scenarios in every block.
const MAX_STRATA: u32 = 256;

/// `Q = constant + Σ (β_j y_j + μ_j y_j²)`, a loss.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LossForm {
    pub constant: f64,
    pub terms: Vec<(f64, f64)>,
}

/// What a twist does to the normals, and the weight that undoes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Twist {
    pub parameter: f64,
    /// `ln E exp(t Q)`; for Student's t `ln E exp(t Q_x)`.
    pub log_moment: f64,
    /// Mean and standard deviation of each normal.
    pub normals: Vec<(f64, f64)>,
}

impl Twist {
    /// What a scenario counts for: `exp(ψ(t) - t q)`.
    pub fn weight(&self, q: f64) -> f64 {
        (self.log_moment - self.parameter * q).exp()
    }
}

impl LossForm {
    /// The loss of a P&L, and in which order its terms now stand: those of most variance first, for they get Sobol's best
    /// dimensions.
    pub fn new(form: &QuadraticForm) -> (Self, Vec<usize>) {
        let terms: Vec<(f64, f64)> = form.b().iter().zip(form.lambda()).map(|(b, lambda)| (-b, -lambda)).collect();
        let mut order: Vec<usize> = (0..terms.len()).collect();
        let variance = |j: usize| terms.get(j).map_or(0.0, |(b, m)| b * b + 2.0 * m * m);
        order.sort_by(|&i, &j| variance(j).total_cmp(&variance(i)));
        let ordered = order.iter().filter_map(|&j| terms.get(j).copied()).collect();
        (Self { constant: -form.theta(), terms: ordered }, order)
    }

    /// The twist whose mean loss is `target`; none where the target is below the mean already.
    pub fn twist_to(&self, target: f64) -> Twist {
        self.twist(solve(self.reach(), 100, |t| self.mean(t) < target))
    }

    /// The twist whose mean loss is exceeded with the probability of the tail, nearly: any twist gives an unbiased answer.
    pub fn twist_to_tail(&self, tail: Tail) -> Twist {
        // What cannot vary needs none.
        let reach = if self.moments().1 > 0.0 { self.reach() } else { 0.0 };
        self.twist(solve(reach, 30, |t| {
            let twist = self.twist(t);
            let (mean, deviation) = self.twisted(&twist).moments();
            saddle_point_probability(t * mean - twist.log_moment, t * deviation) > tail.get()
        }))
    }

    fn twist(&self, t: f64) -> Twist {
        let normals = self.normals(t);
        let moment = |(&(b, _), &(mean, deviation)): (&(f64, f64), &(f64, f64))| 0.5 * t * b * mean + deviation.ln();
        let log_moment = t * self.constant + self.terms.iter().zip(&normals).map(moment).sum::<f64>();
        Twist { parameter: t, log_moment, normals }
    }

    /// The form under a twist, in standard normals.
    pub fn twisted(&self, twist: &Twist) -> Self {
        let mut form = Self { constant: self.constant, terms: Vec::with_capacity(self.terms.len()) };
        for (&(b, m), &(mean, deviation)) in self.terms.iter().zip(&twist.normals) {
            form.constant += (b + m * mean) * mean;
            form.terms.push(((b + 2.0 * m * mean) * deviation, m * deviation * deviation));
        }
        form
    }

    /// Where the moment generating function ends, nearly; without convex terms far enough out.
    pub fn reach(&self) -> f64 {
        let steepest = self.terms.iter().fold(0.0_f64, |max, (_, m)| max.max(*m));
        let (_, sigma) = self.moments();
        let end = if steepest > 0.0 { 0.5 / steepest } else { 64.0 / sigma.max(f64::MIN_POSITIVE) };
        end * (1.0 - 1e-9)
    }

    /// Mean and standard deviation with normals.
    pub fn moments(&self) -> (f64, f64) {
        let variance: f64 = self.terms.iter().map(|(b, m)| b * b + 2.0 * m * m).sum();
        (self.constant + self.terms.iter().map(|(_, m)| m).sum::<f64>(), variance.sqrt())
    }

    /// Mean and deviation of each normal under the twist t.
    pub fn normals(&self, t: f64) -> Vec<(f64, f64)> {
        let normal = |(b, m): &(f64, f64)| {
            let s = 1.0 / (1.0 - 2.0 * t * m);
            (t * b * s, s.sqrt())
        };
        self.terms.iter().map(normal).collect()
    }

    /// `ψ'(t)`, the mean loss under the twist t.
    fn mean(&self, t: f64) -> f64 {
        let term = |(&(b, m), &(mean, deviation)): (&(f64, f64), &(f64, f64))| {
            b * mean + m * (mean * mean + deviation * deviation)
        };
        self.constant + self.terms.iter().zip(&self.normals(t)).map(term).sum::<f64>()
    }

    /// The loss that is exceeded with probability p, also in the lower half.
    fn quantile(&self, p: f64) -> Result<f64> {
        const NAME: &str = "strata";
        // The middle is as good a boundary a hair off.
        let p = if (p - 0.5).abs() < 1e-9 { 0.5 - 1e-9 } else { p };
        let coefficients =
            |sign: f64| -> (Vec<f64>, Vec<f64>) { self.terms.iter().map(|(b, m)| (sign * b, sign * m)).unzip() };
        if p < 0.5 {
            let (b, lambda) = coefficients(-1.0);
            return Ok(QuadraticForm::new(-self.constant, b, lambda)?.var_es(Tail::new(NAME, p)?)?.var);
        }
        let (b, lambda) = coefficients(1.0);
        Ok(-QuadraticForm::new(self.constant, b, lambda)?.var_es(Tail::new(NAME, 1.0 - p)?)?.var)
    }
}

/// `P(L > x) = Φ(-r - ln(u/r)/r)` for x above the mean, `r = √(2 excess)`, `excess = t x - ψ(t)` and `u = t √ψ''(t)` where
/// `ψ'(t) = x`. Source: Barndorff-Nielsen 1991.
pub(super) fn saddle_point_probability(excess: f64, u: f64) -> f64 {
    let r = (2.0 * excess).max(0.0).sqrt();
    if r > 1e-6 { norm_cdf(-r - (u / r).ln() / r) } else { 0.5 }
}

/// The end of the part of `(0, high)`, from 0 on, where `below` holds.
pub(super) fn solve(high: f64, bisections: u32, below: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, high);
    for _ in 0..bisections {
        let middle = 0.5 * (low + high);
        if below(middle) { low = middle } else { high = middle }
    }
    low
}

/// The loss to aim at. Any target gives an unbiased answer; the exact VaR gives the best.
pub(super) fn target(form: &QuadraticForm, tail: Tail) -> Result<f64> {
    form.var_es(tail).map(|exact| exact.var).or_else(|_| {
        let cumulants = form.cumulants()?;
        Ok(-cumulants.k1 - crate::special::norm_ppf(tail.get()) * cumulants.k2.sqrt())
    })
}

/// Draws whole scenarios of twisted normals, a block at a time, as many of each stratum of Q.
pub(super) struct TwistedDraws {
    form: LossForm,
    pub twist: Twist,
    /// Between the strata of Q, ascending; none without strata.
    boundaries: Vec<f64>,
    /// Of Sobol points.
    reflection: Option<Reflection>,
}

impl TwistedDraws {
    /// Strata: a power of two up to 256; 0 and 1 are none.
    pub fn new(computation: &'static str, form: LossForm, target: f64, strata: u32) -> Result<Self> {
        if strata > MAX_STRATA || strata > 1 && !strata.is_power_of_two() {
            let why = format!("must be a power of two up to {MAX_STRATA}");
            return Err(RiskError::invalid(computation, "strata", why, strata));
        }
        let twist = form.twist_to(target);
        let twisted = form.twisted(&twist);
        // What cannot vary has no strata.
        let strata = if form.moments().1 > 0.0 { strata } else { 1 };
        let boundary = |i: u32| twisted.quantile(1.0 - f64::from(i) / f64::from(strata));
        let boundaries = (1..strata).map(boundary).collect::<Result<_>>()?;
        Ok(Self { boundaries, ..Self::without_strata(form, twist) })
    }

    /// Of any twist.
    pub fn without_strata(form: LossForm, twist: Twist) -> Self {
        let reflection = Reflection::along(form.twisted(&twist).terms.iter().map(|(b, _)| *b));
        Self { form, twist, boundaries: Vec::new(), reflection }
    }

    /// Number of strata, at least 1.
    pub fn strata(&self) -> usize {
        self.boundaries.len() + 1
    }

    /// Normals of n scenarios, a column of n each in `y`, and their Q. With strata scenario i is of stratum
    /// `i / (n / strata)`.
    pub fn fill(&self, draws: &mut Draws<'_>, y: &mut [f64], q: &mut [f64]) {
        if self.boundaries.is_empty() {
            return self.candidates(None, draws, y, q);
        }
        let (n, k) = (q.len(), self.form.terms.len());
        let quota = n / self.strata();
        let mut filled = vec![0; self.strata()];
        let (mut candidates, mut losses) = (vec![0.0; k * n], vec![0.0; n]);
        let mut missing = n;
        for _ in 0..MAX_BATCHES {
            self.candidates(None, draws, &mut candidates, &mut losses);
            for (i, &loss) in losses.iter().enumerate() {
                let stratum = self.boundaries.partition_point(|b| *b <= loss);
                if filled[stratum] == quota {
                    continue;
                }
                let place = stratum * quota + filled[stratum];
                filled[stratum] += 1;
                missing -= 1;
                q[place] = loss;
                for j in 0..k {
                    y[j * n + place] = candidates[j * n + i];
                }
            }
            if missing == 0 {
                return;
            }
        }
        // A stratum that nothing falls into: what is computed from this is refused.
        q.fill(f64::NAN);
    }

    /// As [`TwistedDraws::fill`] without strata, what is normal in a scenario times its scale: not the shift of its mean,
    /// which the scale of Student's t does not move.
    pub fn candidates(&self, scale: Option<&[f64]>, draws: &mut Draws<'_>, y: &mut [f64], q: &mut [f64]) {
        let n = q.len();
        let first = usize::from(scale.is_some());
        q.fill(self.form.constant);
        y.chunks_exact_mut(n.max(1)).enumerate().for_each(|(j, column)| draws.normals(first + j, column));
        if let (Some(reflection), true) = (&self.reflection, draws.is_quasi()) {
            reflection.apply(y, n);
        }
        let columns = y.chunks_exact_mut(n.max(1)).zip(self.form.terms.iter().zip(&self.twist.normals));
        for (column, (&(b, m), &(mean, deviation))) in columns {
            if let Some(scale) = scale {
                column.iter_mut().zip(scale).for_each(|(y, s)| *y *= s);
            }
            for (y, q) in column.iter_mut().zip(q.iter_mut()) {
                *y = mean + deviation * *y;
                *q = m.mul_add(*y, b).mul_add(*y, *q);
            }
        }
    }
}

/// Strata need whole blocks and pseudo-random numbers.
pub(super) fn check_strata(computation: &'static str, strata: u32, settings: MonteCarloSettings) -> Result<()> {
    if strata <= 1 {
        return Ok(());
    }
    if settings.sampler != Sampler::Pseudo {
        return Err(RiskError::invalid(computation, "strata", "must be 0 with sobol", strata));
    }
    if !(settings.n_scenarios as usize).is_multiple_of(FILL_BLOCK) {
        let why = format!("must be a multiple of {FILL_BLOCK} with strata");
        return Err(RiskError::invalid(computation, "n_scenarios", why, settings.n_scenarios));
    }
    Ok(())
}
