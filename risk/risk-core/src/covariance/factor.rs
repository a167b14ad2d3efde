//! Cholesky factors and eigenvalues.

use faer::{MatRef, Side};

use crate::error::{Result, RiskError};
use crate::matrix::{Matrix, MatrixRef, dot};

/// A pivot below this part of its diagonal entry is rounding, not variance.
const NEGLIGIBLE_PIVOT: f64 = 1e-12;

/// Lower Cholesky factor L of a positive definite matrix, `L L' = A`; reads the lower triangle.
///
/// Errors: `NotPositiveDefinite` with the pivot and its row.
/// Source: Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, §10.1.
pub fn cholesky(a: MatrixRef<'_>) -> Result<Matrix> {
    const NAME: &str = "cholesky";
    super::check_symmetric(NAME, "matrix", a)?;
    let mut pivot_error = None;
    let factor = decompose(a, 0.0, |i, pivot, _| {
        if pivot > 0.0 {
            return Some(pivot.sqrt());
        }
        pivot_error = Some(format!("pivot {pivot} at row {i}"));
        None
    });
    match pivot_error {
        None => Ok(factor),
        Some(got) => Err(RiskError::not_pd(NAME, "matrix", "must be positive definite", got)),
    }
}

/// Whether `A + shift I` has a Cholesky factor.
pub(super) fn is_positive_definite(a: MatrixRef<'_>, shift: f64) -> bool {
    let mut definite = true;
    decompose(a, shift, |_, pivot, _| {
        definite = pivot > 0.0 && pivot.is_finite();
        definite.then(|| pivot.sqrt())
    });
    definite
}

/// Cholesky factor of a semidefinite matrix: a negligible pivot makes a zero column.
pub(super) fn pivot_skipping_cholesky(a: MatrixRef<'_>) -> Matrix {
    decompose(a, 0.0, |_, pivot, diagonal| Some(if pivot > NEGLIGIBLE_PIVOT * diagonal { pivot.sqrt() } else { 0.0 }))
}

/// Row by row `L_ij = (A_ij - L_i·L_j) / L_jj`. `root(row, pivot, diagonal)` gives `L_ii`, or `None` to stop.
fn decompose(a: MatrixRef<'_>, shift: f64, mut root: impl FnMut(usize, f64, f64) -> Option<f64>) -> Matrix {
    let n = a.rows();
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        let (done, rest) = l.split_at_mut(i * n);
        let row = &mut rest[..n];
        for j in 0..i {
            let other = &done[j * n..=j * n + j];
            let sum = a.at(i, j) - dot(&row[..j], &other[..j]);
            row[j] = if other[j] == 0.0 { 0.0 } else { sum / other[j] };
        }
        let diagonal = a.at(i, i) + shift;
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
    // Scaled to entries of at most 1, so that no square overflows or vanishes.
    let largest = a.values().iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    if n == 0 || largest == 0.0 {
        let vectors = Matrix::from_fn(n, n, |i, j| f64::from(u8::from(i == j)));
        return Ok(Eigen { values: vec![0.0; n], vectors });
    }
    let scaled: Vec<f64> = a.values().iter().map(|v| v / largest).collect();
    let failed = || RiskError::did_not_converge(computation, what, "eigenvalues did not converge", "no answer");
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
