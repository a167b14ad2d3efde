//! Covariance: the checked input of every parametric and simulated method, its estimators, factors and repair.

mod estimators;
mod factor;
mod repair;

pub(crate) use estimators::require_rows;
pub use estimators::{
    Centering, LedoitWolf, SampleCovariance, correlation, ewma_covariance, ledoit_wolf, mean, sample_covariance,
};
pub use factor::{Eigen, cholesky, smallest_eigenvalue, symmetric_eigen};
pub use repair::{Repaired, repair_correlation, repair_covariance};

use crate::error::{Result, RiskError};
use crate::matrix::{Matrix, MatrixRef, dot};
use crate::progress::Progress;

/// How far two mirrored entries may differ, relative to the largest entry.
const SYMMETRY: f64 = 1e-12;
/// How negative an eigenvalue may be, relative to the trace.
const SEMIDEFINITE: f64 = 1e-10;

/// A covariance of one-day returns: K x K, finite, symmetric, positive semidefinite. Singular is legal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Covariance<'a>(MatrixRef<'a>);

impl<'a> Covariance<'a> {
    /// Checks `matrix` as the covariance of `dimension` factors: shape, symmetry to 1e-12 of its largest entry, no
    /// negative variance, smallest eigenvalue at least `-1e-10 trace`.
    pub fn new(computation: &'static str, dimension: usize, matrix: MatrixRef<'a>) -> Result<Self> {
        Self::checked(computation, dimension, matrix, &Progress::new())
    }

    /// [`Covariance::new`] of a matrix so large that whoever waits may give up.
    pub fn checked(
        computation: &'static str,
        dimension: usize,
        matrix: MatrixRef<'a>,
        progress: &Progress,
    ) -> Result<Self> {
        let covariance = Self(matrix);
        covariance.require_dimension(computation, dimension)?;
        check_symmetric(computation, "covariance", matrix)?;
        covariance.check_semidefinite(computation, progress)?;
        Ok(covariance)
    }

    /// Refuses a portfolio of another number of factors.
    pub fn require_dimension(&self, computation: &'static str, dimension: usize) -> Result<()> {
        let (rows, cols) = (self.0.rows(), self.0.cols());
        if rows == dimension && cols == dimension {
            return Ok(());
        }
        let why = format!("must be {dimension}x{dimension} to match the factors");
        Err(RiskError::shape(computation, "covariance", why, format!("{rows}x{cols}")))
    }

    /// The matrix.
    pub const fn matrix(&self) -> MatrixRef<'a> {
        self.0
    }

    /// Number of factors.
    pub const fn dimension(&self) -> usize {
        self.0.rows()
    }

    /// `x·g` for `g = cov x`: the variance of the portfolio; a square that rounding made negative is 0. What overflowed
    /// stays NaN or infinite, for the caller to refuse.
    pub fn quadratic_form(&self, x: &[f64], g: &[f64]) -> f64 {
        let square = dot(x, g);
        if square < 0.0 && square.is_finite() { 0.0 } else { square }
    }

    /// Lower Cholesky factor L, `L L' = cov`; a factor without variance of its own gets a zero column.
    ///
    /// Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, §10.3.
    pub fn factor(&self) -> Matrix {
        factor::pivot_skipping_cholesky(self.0)
    }

    fn check_semidefinite(&self, computation: &'static str, progress: &Progress) -> Result<()> {
        let diagonal = self.0.diagonal();
        let trace: f64 = diagonal.iter().sum();
        let slack = SEMIDEFINITE * trace.abs();
        if let Some((i, variance)) = diagonal.iter().enumerate().find(|(_, v)| **v < -slack) {
            return Err(RiskError::invalid(
                computation,
                format!("covariance[{i}][{i}]"),
                "must not be negative",
                variance,
            ));
        }
        // A Cholesky factor of cov + slack I proves it at a tenth of the cost of eigenvalues.
        if factor::is_positive_definite(self.0, slack, progress) {
            return Ok(());
        }
        progress.check(computation)?;
        let smallest = smallest_eigenvalue(computation, "covariance", self.0)?;
        if smallest >= -slack {
            return Ok(());
        }
        Err(RiskError::not_psd(computation, "covariance", "must be positive semidefinite", {
            format!("smallest eigenvalue {smallest:e}")
        }))
    }
}

/// Refuses a matrix that is not square, or whose mirrored entries differ by more than 1e-12 of the largest.
pub(crate) fn check_symmetric(computation: &'static str, what: &str, m: MatrixRef<'_>) -> Result<()> {
    if m.rows() != m.cols() {
        return Err(RiskError::shape(computation, what, "must be square", format!("{}x{}", m.rows(), m.cols())));
    }
    let largest = m.values().iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    for i in 0..m.rows() {
        for j in 0..i {
            let difference = (m.at(i, j) - m.at(j, i)).abs();
            if difference > SYMMETRY * largest {
                let got = format!("difference {difference:e} at [{i}][{j}]");
                return Err(RiskError::not_symmetric(computation, what, "must be symmetric", got));
            }
        }
    }
    Ok(())
}
