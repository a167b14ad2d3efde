//! Estimators of mean and covariance from returns, oldest row first. Output is symmetric to the bit.

use super::Covariance;
use crate::error::{Result, RiskError, require_finite};
use crate::matrix::{Matrix, MatrixRef, dot};
use crate::progress::Progress;
use crate::units::Decay;

/// Rows that are summed at a time, so that a block of columns stays in the cache.
const BLOCK_ROWS: usize = 256;

/// Whether Ledoit-Wolf subtracts the column means first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Centering {
    /// Subtract them.
    #[default]
    Sample,
    /// The returns have mean 0 already.
    AssumeCentered,
}

/// Column means.
pub fn mean(x: MatrixRef<'_>) -> Vec<f64> {
    let mut sums = vec![0.0; x.cols()];
    for row in x.row_iter() {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v);
    }
    sums.iter().map(|sum| sum / x.rows() as f64).collect()
}

/// Sample covariance, divisor n - 1, two-pass.
///
/// Formula: `Σ (x_i - x̄)(x_i - x̄)' / (n-1)`. Units: returns squared per row's period.
/// Errors: `TooFewObservations` below 2 rows. Source: McNeil, Frey & Embrechts 2015 §6.1.2.
pub fn sample_covariance(x: MatrixRef<'_>, progress: &Progress) -> Result<Matrix> {
    SampleCovariance::of(x, progress).map(|sample| sample.0)
}

/// A [`sample_covariance`]: semidefinite by construction, which nobody need prove again.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleCovariance(Matrix);

impl SampleCovariance {
    /// That of past returns.
    pub fn of(x: MatrixRef<'_>, progress: &Progress) -> Result<Self> {
        const NAME: &str = "sample_covariance";
        require_rows(NAME, x, 2)?;
        let divisor = (x.rows() - 1) as f64;
        let products = weighted_products(NAME, x, &mean(x), |_| 1.0 / divisor, progress)?;
        checked(NAME, products).map(Self)
    }

    /// As the input of the methods.
    pub fn covariance(&self) -> Covariance<'_> {
        Covariance(self.0.as_ref())
    }
}

/// Exponentially weighted covariance of RiskMetrics: zero mean, weights that add up to 1.
///
/// Formula: `Σ w_i x_i x_i'`, `w_i = (1-λ) λ^(n-1-i) / (1-λⁿ)`. Source: RiskMetrics 1996 §5.
pub fn ewma_covariance(x: MatrixRef<'_>, lambda: Decay, progress: &Progress) -> Result<Matrix> {
    const NAME: &str = "ewma_covariance";
    require_rows(NAME, x, 1)?;
    let n = x.rows();
    let log_lambda = lambda.get().ln();
    let scale = (1.0 - lambda.get()) / -(n as f64 * log_lambda).exp_m1();
    let zero = vec![0.0; x.cols()];
    let weight = |i| scale * ((n - 1 - i) as f64 * log_lambda).exp();
    checked(NAME, weighted_products(NAME, x, &zero, weight, progress)?)
}

/// A shrunk covariance and by how much it was shrunk.
#[derive(Debug, Clone, PartialEq)]
pub struct LedoitWolf {
    /// `(1 - ρ) S + ρ μ I`.
    pub covariance: Matrix,
    /// `ρ`, within 0..=1.
    pub shrinkage: f64,
    /// `μ = tr(S)/p`.
    pub mu: f64,
}

/// Ledoit-Wolf shrinkage towards the scaled identity; S has divisor n.
///
/// Formula: `d² = ‖S - μI‖²`, `b² = min(d², Σ ‖y y' - S‖² / n²)`, `ρ = b²/d²` (0 where d² = 0). The sum is
/// `Σ ‖y‖⁴ - n ‖S‖²`, for `Σ y' S y = n ‖S‖²`.
/// Source: Ledoit & Wolf, *A well-conditioned estimator*, J. Multivariate Analysis 88, 2004.
pub fn ledoit_wolf(x: MatrixRef<'_>, centering: Centering, progress: &Progress) -> Result<LedoitWolf> {
    const NAME: &str = "ledoit_wolf";
    require_rows(NAME, x, if centering == Centering::Sample { 2 } else { 1 })?;
    let (n, p) = (x.rows() as f64, x.cols());
    let center = if centering == Centering::Sample { mean(x) } else { vec![0.0; p] };
    let s = weighted_products(NAME, x, &center, |_| 1.0 / n, progress)?;
    let mu = s.as_ref().diagonal().iter().sum::<f64>() / p as f64;
    let square = |shift: f64| -> f64 {
        let entry = |i: usize, j: usize| s.at(i, j) - if i == j { shift } else { 0.0 };
        (0..p).map(|i| (0..p).map(|j| entry(i, j).powi(2)).sum::<f64>()).sum()
    };
    let fourth: f64 =
        x.row_iter().map(|row| row.iter().zip(&center).map(|(v, m)| (v - m).powi(2)).sum::<f64>().powi(2)).sum();
    let (d2, spread) = (square(mu), (fourth - n * square(0.0)) / (n * n));
    require_finite(NAME, "fourth moments", &[d2, spread])?;
    let b2 = spread.clamp(0.0, d2);
    let shrinkage = if d2 > 0.0 { b2 / d2 } else { 0.0 };
    let covariance =
        Matrix::from_fn(p, p, |i, j| (1.0 - shrinkage) * s.at(i, j) + if i == j { shrinkage * mu } else { 0.0 });
    Ok(LedoitWolf { covariance: checked(NAME, covariance)?, shrinkage, mu })
}

/// Correlation of a covariance, row by row; absent where a variance is zero.
pub fn correlation(cov: MatrixRef<'_>) -> Vec<Option<f64>> {
    let sigma: Vec<f64> = cov.diagonal().iter().map(|v| v.max(0.0).sqrt()).collect();
    let entry = |i: usize, j: usize, (a, b): (f64, f64)| {
        let ratio = if i == j { 1.0 } else { (cov.at(i, j) / a / b).clamp(-1.0, 1.0) };
        (a > 0.0 && b > 0.0).then_some(ratio)
    };
    let mut out = Vec::with_capacity(cov.values().len());
    for (i, a) in sigma.iter().enumerate() {
        out.extend(sigma.iter().enumerate().map(|(j, b)| entry(i, j, (*a, *b))));
    }
    out
}

/// `Σ_i w(i) (x_i - m)(x_i - m)'`: blocks of rows, turned into columns, so that each product is a dense dot.
fn weighted_products(
    computation: &'static str,
    x: MatrixRef<'_>,
    center: &[f64],
    weight: impl Fn(usize) -> f64,
    progress: &Progress,
) -> Result<Matrix> {
    let p = x.cols();
    let mut out = Matrix::zeros(p, p);
    let (mut plain, mut weighted) = (vec![0.0; p * BLOCK_ROWS], vec![0.0; p * BLOCK_ROWS]);
    for start in (0..x.rows()).step_by(BLOCK_ROWS) {
        let rows = BLOCK_ROWS.min(x.rows() - start);
        for r in 0..rows {
            let w = weight(start + r);
            for (j, (v, m)) in x.row(start + r).iter().zip(center).enumerate() {
                plain[j * BLOCK_ROWS + r] = v - m;
                weighted[j * BLOCK_ROWS + r] = w * (v - m);
            }
        }
        for i in 0..p {
            progress.check(computation)?;
            for j in 0..=i {
                let (a, b) = (&weighted[i * BLOCK_ROWS..][..rows], &plain[j * BLOCK_ROWS..][..rows]);
                out.set(i, j, out.at(i, j) + dot(a, b));
            }
        }
    }
    for i in 0..p {
        for j in 0..i {
            out.set(j, i, out.at(i, j));
        }
    }
    Ok(out)
}

/// Refuses returns without columns, or of fewer rows than that.
pub(crate) fn require_rows(computation: &'static str, x: MatrixRef<'_>, least: usize) -> Result<()> {
    if x.cols() == 0 {
        return Err(RiskError::shape(computation, "returns", "must have at least 1 column", 0));
    }
    if x.rows() < least {
        let rows = if least == 1 { "row" } else { "rows" };
        return Err(RiskError::too_few(computation, "needs", format!("at least {least} {rows}"), x.rows()));
    }
    Ok(())
}

/// Only an overflow is refused here: the returns are finite.
fn checked(computation: &'static str, m: Matrix) -> Result<Matrix> {
    require_finite(computation, "covariance", m.values()).map(|()| m)
}
