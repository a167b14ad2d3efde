//! Cholesky factors and eigenvalues.

use faer::{MatRef, Side};

use crate::error::{Result, RiskError};
use crate::matrix::{Matrix, MatrixRef, dot};
use crate::progress::Progress;

/// A pivot below this part of its diagonal entry is rounding, not variance.
const NEGLIGIBLE_PIVOT: f64 = 1e-12;

/// Lower Cholesky factor L of a positive definite matrix, `L L' = A`; reads the lower triangle.
///
/// Errors: `NotPositiveDefinite` with the pivot and its row; `Canceled`.
/// Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, §10.1.
pub fn cholesky(a: MatrixRef<'_>, progress: &Progress) -> Result<Matrix> {
    const NAME: &str = "cholesky";
    super::check_symmetric(NAME, "matrix", a)?;
    let mut pivot_error = None;
    let factor = decompose(a, 0.0, unlimited, |i, pivot, _| {
        if pivot > 0.0 {
            return (!progress.is_canceled()).then(|| pivot.sqrt());
        }
        pivot_error = Some(format!("pivot {pivot} at row {i}"));
        None
    });
    progress.check(NAME)?;
    match pivot_error {
        None => Ok(factor),
        Some(got) => Err(RiskError::not_pd(NAME, "matrix", "must be positive definite", got)),
    }
}

/// Whether `A + shift I` has a Cholesky factor; not known, and so false, once canceled.
pub(super) fn is_positive_definite(a: MatrixRef<'_>, shift: f64, progress: &Progress) -> bool {
    let mut definite = true;
    decompose(a, shift, unlimited, |_, pivot, _| {
        definite = pivot > 0.0 && pivot.is_finite() && !progress.is_canceled();
        definite.then(|| pivot.sqrt())
    });
    definite
}

fn unlimited(entry: f64, _left: f64) -> f64 {
    entry
}

/// Cholesky factor of a semidefinite matrix: a negligible pivot makes a zero column.
///
/// A row's squares add up to its diagonal entry at most. That of a variance within rounding of 0 beside a huge one need
/// not: such an entry is cut to what is left, instead of dividing by next to nothing.
pub(super) fn pivot_skipping_cholesky(a: MatrixRef<'_>) -> Matrix {
    let root = |_, pivot, diagonal| Some(if pivot > NEGLIGIBLE_PIVOT * diagonal { f64::sqrt(pivot) } else { 0.0 });
    decompose(a, 0.0, |entry, left| entry.clamp(-left.sqrt(), left.sqrt()), root)
}

/// Row by row `L_ij = limit((A_ij - L_i·L_j) / L_jj, left)`, where `left = max(A_ii - Σ L_i², 0)` so far.
/// `root(row, pivot, diagonal)` gives `L_ii`, or `None` to stop.
fn decompose(
    a: MatrixRef<'_>,
    shift: f64,
    limit: impl Fn(f64, f64) -> f64,
    mut root: impl FnMut(usize, f64, f64) -> Option<f64>,
) -> Matrix {
    let n = a.rows();
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        let (done, rest) = l.split_at_mut(i * n);
        let row = &mut rest[..n];
        let diagonal = a.at(i, i) + shift;
        let mut left = diagonal.max(0.0);
        for j in 0..i {
            let other = &done[j * n..=j * n + j];
            let sum = a.at(i, j) - dot(&row[..j], &other[..j]);
            row[j] = if other[j] == 0.0 { 0.0 } else { limit(sum / other[j], left) };
            left = (left - row[j] * row[j]).max(0.0);
        }
        let Some(entry) = root(i, diagonal - dot(&row[..i], &row[..i]), diagonal) else { break };
        row[i] = entry;
    }
    Matrix::from_fn(n, n, |i, j| l[i * n + j])
}

/// Eigenvalues in ascending order, eigenvectors as the columns in the same order.
#[derive(Debug, Clone, PartialEq)]
pub struct Eigen {
    /// Ascending.
    pub values: Vec<f64>,
    /// Orthonormal columns.
    pub vectors: Matrix,
}

/// Eigenvalues and eigenvectors of a symmetric matrix; reads the lower triangle.
pub fn symmetric_eigen(computation: &'static str, what: &str, a: MatrixRef<'_>) -> Result<Eigen> {
    super::check_symmetric(computation, what, a)?;
    let n = a.rows();
    let Some((largest, scaled)) = scaled(a) else {
        let vectors = Matrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)));
        return Ok(Eigen { values: vec![0.0; n], vectors });
    };
    let failed = || no_eigenvalues(computation, what);
    let eigen = MatRef::from_row_major_slice(&scaled, n, n).self_adjoint_eigen(Side::Lower).map_err(|_| failed())?;
    let diagonal = eigen.S().column_vector();
    let values: Vec<f64> = (0..n).map(|i| diagonal[i] * largest).collect();
    let vectors = Matrix::from_fn(n, n, |i, j| eigen.U()[(i, j)]);
    if values.iter().chain(vectors.values()).all(|v| v.is_finite()) {
        Ok(Eigen { values, vectors })
    } else {
        Err(failed())
    }
}

/// The smallest eigenvalue of a symmetric matrix, at a fraction of the cost of all vectors; 0 of none.
pub fn smallest_eigenvalue(computation: &'static str, what: &str, a: MatrixRef<'_>) -> Result<f64> {
    super::check_symmetric(computation, what, a)?;
    let Some((largest, scaled)) = scaled(a) else { return Ok(0.0) };
    let matrix = MatRef::from_row_major_slice(&scaled, a.rows(), a.rows());
    let values = matrix.self_adjoint_eigenvalues(Side::Lower).map_err(|_| no_eigenvalues(computation, what))?;
    let smallest = values.first().map_or(0.0, |value| value * largest);
    if smallest.is_finite() { Ok(smallest) } else { Err(no_eigenvalues(computation, what)) }
}

/// The largest entry, and all of them relative to it, so that no square overflows or vanishes; nothing of a zero matrix.
fn scaled(a: MatrixRef<'_>) -> Option<(f64, Vec<f64>)> {
    let largest = a.values().iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    (largest > 0.0).then(|| (largest, a.values().iter().map(|v| v / largest).collect()))
}

fn no_eigenvalues(computation: &'static str, what: &str) -> RiskError {
    RiskError::did_not_converge(computation, what, "eigenvalues did not converge", "no answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variance_that_is_nothing_beside_another_has_a_finite_factor() {
        // Semidefinite to within rounding of the trace, so a legal covariance.
        for (small, between, large) in [(5e-324, 1e200, 1e224), (1e-310, -1e220, 1e230), (1e-300, 1e297, 1e308)] {
            let a = [small, between, between, large];
            let l = pivot_skipping_cholesky(MatrixRef::new("t", "cov", 2, 2, &a).unwrap());
            assert!(l.values().iter().all(|v| v.is_finite()), "{a:?}: {l:?}");
            let variance = l.at(1, 0).powi(2) + l.at(1, 1).powi(2);
            assert!((variance / large - 1.0).abs() < 1e-14, "{variance:e} {large:e}");
        }
    }
}
