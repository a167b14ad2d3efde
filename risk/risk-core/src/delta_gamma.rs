//! Portfolios whose P&L is quadratic in normal returns: cumulants, Cornish-Fisher, and the exact VaR and ES.

mod contour;
mod cornish_fisher;
mod quadratic;

pub use cornish_fisher::{CornishFisher, cornish_fisher};
pub use quadratic::QuadraticForm;

use crate::check::finite;
use crate::covariance::{Covariance, check_symmetric, symmetric_eigen};
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::matrix::{Matrix, MatrixRef, dot};

const COMPUTATION: &str = "delta_gamma_var";

/// A book of `P&L = theta + delta·r + r' Gamma r / 2`, gain-positive.
#[derive(Debug, Clone, Copy)]
pub struct DeltaGamma<'a> {
    /// Money over the horizon that comes without any move.
    pub theta: f64,
    /// Shape (K): money per unit return.
    pub delta: &'a [f64],
    /// Shape (K, K), symmetric: money per unit return squared; off-diagonals are not doubled.
    pub gamma: MatrixRef<'a>,
}

/// The first four cumulants of a P&L.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cumulants {
    /// Mean, money.
    pub k1: f64,
    /// Variance, money squared.
    pub k2: f64,
    /// Third cumulant.
    pub k3: f64,
    /// Fourth cumulant.
    pub k4: f64,
}

impl Cumulants {
    /// `k3 / k2^1.5`; 0 without variance.
    pub fn skewness(&self) -> f64 {
        if self.k2 > 0.0 { self.k3 / self.k2.powf(1.5) } else { 0.0 }
    }

    /// `k4 / k2^2`; 0 without variance.
    pub fn excess_kurtosis(&self) -> f64 {
        if self.k2 > 0.0 { self.k4 / (self.k2 * self.k2) } else { 0.0 }
    }
}

impl DeltaGamma<'_> {
    /// P&L of one return of each factor, `theta + delta·r + r' Gamma r / 2`; not finite where a term overflows.
    pub fn pnl(&self, returns: &[f64]) -> f64 {
        let curvature: f64 = self.gamma.row_iter().zip(returns).map(|(row, r)| r * dot(row, returns)).sum();
        self.theta + dot(self.delta, returns) + 0.5 * curvature
    }

    /// Refuses a book of another number of factors, or one whose numbers are not finite or whose gamma is not symmetric.
    pub fn require_dimension(&self, computation: &'static str, dimension: usize) -> Result<()> {
        require_len(computation, "delta", self.delta, dimension, "the factors")?;
        self.check_own()
    }

    /// The book in independent standard normals: `P&L = theta + sum (b_j z_j + lambda_j z_j^2)`.
    ///
    /// Formula: `cov = B B'`, eigenpairs `(lambda_j, V)` of `B' Gamma B / 2`, `b = V' B' delta`. A singular
    /// covariance is legal.
    /// Errors: `ShapeMismatch`; `NotSymmetric` for gamma; `InvalidInput` for NaN, infinity and overflow.
    /// Source: Rouvinez 1997; Mina and Ulmer, *Delta-gamma four ways*, 1999.
    pub fn diagonalise(&self, cov: &Covariance<'_>) -> Result<QuadraticForm> {
        self.rotate(cov).map(|(form, ..)| form)
    }

    /// [`DeltaGamma::diagonalise`], and the columns of `B V`: returns are `r = B V z`.
    pub(crate) fn diagonalise_with_loadings(&self, cov: &Covariance<'_>) -> Result<(QuadraticForm, Vec<Vec<f64>>)> {
        let k = self.delta.len();
        let (form, root, vectors) = self.rotate(cov)?;
        let loadings = (0..k)
            .map(|j| {
                let mut column = vec![0.0; k];
                for (i, root) in root.iter().enumerate() {
                    let weight = vectors.at(i, j);
                    column.iter_mut().zip(root).for_each(|(sum, b)| *sum += weight * b);
                }
                column
            })
            .collect();
        Ok((form, loadings))
    }

    /// The form, the columns of B and V.
    fn rotate(&self, cov: &Covariance<'_>) -> Result<(QuadraticForm, Vec<Vec<f64>>, Matrix)> {
        let k = self.delta.len();
        self.check(cov)?;
        let root = root_of(cov.matrix())?;
        let rotated = half_congruence(self.gamma, &root);
        require_finite(COMPUTATION, "gamma in normal factors", rotated.values())?;
        let eigen = symmetric_eigen(COMPUTATION, "gamma in normal factors", rotated.as_ref())?;
        // b = V' B' delta, by columns of V.
        let scaled: Vec<f64> = root.iter().map(|column| dot(column, self.delta)).collect();
        let b: Vec<f64> = (0..k).map(|j| dot(&eigen.vectors.as_ref().column(j), &scaled)).collect();
        Ok((QuadraticForm::new(self.theta, b, eigen.values)?, root, eigen.vectors))
    }

    fn check(&self, cov: &Covariance<'_>) -> Result<()> {
        cov.require_dimension(COMPUTATION, self.delta.len())?;
        self.check_own()
    }

    fn check_own(&self) -> Result<()> {
        let k = self.delta.len();
        finite(COMPUTATION, "theta", self.theta)?;
        require_finite(COMPUTATION, "delta", self.delta)?;
        if self.gamma.rows() == k && self.gamma.cols() == k {
            return check_symmetric(COMPUTATION, "gamma", self.gamma);
        }
        let why = format!("must be {k}x{k} to match delta");
        Err(RiskError::shape(COMPUTATION, "gamma", why, format!("{}x{}", self.gamma.rows(), self.gamma.cols())))
    }
}

/// Columns of a B with `B B' = cov`: eigenvectors times the square roots of their eigenvalues, so that a singular
/// covariance needs no care; the negative hairs that a semidefinite one may have are 0.
fn root_of(cov: MatrixRef<'_>) -> Result<Vec<Vec<f64>>> {
    let eigen = symmetric_eigen(COMPUTATION, "covariance", cov)?;
    let scale = |(j, value): (usize, &f64)| {
        let sigma = value.max(0.0).sqrt();
        eigen.vectors.as_ref().column(j).into_iter().map(|v| v * sigma).collect()
    };
    Ok(eigen.values.iter().enumerate().map(scale).collect())
}

/// `B' Gamma B / 2`, its lower triangle computed and mirrored.
fn half_congruence(gamma: MatrixRef<'_>, root: &[Vec<f64>]) -> Matrix {
    let k = root.len();
    let mut out = Matrix::zeros(k, k);
    for (j, right) in root.iter().enumerate() {
        let image = gamma.mul_vec(right);
        for (i, left) in root.iter().enumerate().skip(j) {
            let entry = 0.5 * dot(left, &image);
            out.set(i, j, entry);
            out.set(j, i, entry);
        }
    }
    out
}
