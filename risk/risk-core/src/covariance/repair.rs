//! Repair of a matrix that is not positive semidefinite. Only on request, and the answer says what was there before.

use super::{check_symmetric, symmetric_eigen};
use crate::error::{Result, RiskError};
use crate::matrix::{Matrix, MatrixRef};
use crate::progress::Progress;

/// A repaired matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Repaired {
    /// Positive semidefinite, symmetric to the bit.
    pub matrix: Matrix,
    /// Smallest eigenvalue of the correlation before; negative means that something was repaired.
    pub smallest_eigenvalue_before: f64,
}

/// Clips the negative eigenvalues of a correlation at 0 and rescales to a unit diagonal.
///
/// Formula: `C⁺ = V max(Λ, 0) V'`, `C⁺_ij / √(C⁺_ii C⁺_jj)`. Source: Rebonato & Jäckel 1999; Higham 2002.
pub fn repair_correlation(correlation: MatrixRef<'_>, progress: &Progress) -> Result<Repaired> {
    const NAME: &str = "repair_correlation";
    check_symmetric(NAME, "correlation", correlation)?;
    for (i, entry) in correlation.diagonal().into_iter().enumerate() {
        if (entry - 1.0).abs() > 1e-12 {
            return Err(RiskError::invalid(NAME, format!("correlation[{i}][{i}]"), "must be 1", entry));
        }
    }
    let eigen = symmetric_eigen(NAME, "correlation", correlation)?;
    progress.check(NAME)?;
    let n = correlation.rows();
    let smallest = eigen.values.first().copied().unwrap_or(0.0);
    let clipped: Vec<f64> = eigen.values.iter().map(|v| v.max(0.0)).collect();
    let entry = |i: usize, j: usize| -> f64 {
        if progress.is_canceled() {
            return 0.0;
        }
        clipped.iter().enumerate().map(|(k, v)| v * (eigen.vectors.at(i, k) * eigen.vectors.at(j, k))).sum()
    };
    // Clipping only adds to the diagonal, so it stays at 1 or above.
    let scale: Vec<f64> = (0..n).map(|i| entry(i, i).sqrt()).collect();
    let matrix =
        Matrix::from_fn(n, n, |i, j| if i == j { 1.0 } else { entry(i.max(j), i.min(j)) / (scale[i] * scale[j]) });
    progress.check(NAME)?;
    Ok(Repaired { matrix, smallest_eigenvalue_before: smallest })
}

/// Repairs the correlation of a covariance and keeps its variances. A factor of zero variance keeps none.
pub fn repair_covariance(cov: MatrixRef<'_>, progress: &Progress) -> Result<Repaired> {
    const NAME: &str = "repair_covariance";
    check_symmetric(NAME, "covariance", cov)?;
    let variances = cov.diagonal();
    if let Some((i, variance)) = variances.iter().enumerate().find(|(_, v)| **v < 0.0) {
        return Err(RiskError::invalid(NAME, format!("covariance[{i}][{i}]"), "must not be negative", variance));
    }
    let n = cov.rows();
    let sigma: Vec<f64> = variances.iter().map(|v| v.sqrt()).collect();
    let correlation = Matrix::from_fn(n, n, |i, j| {
        let (i, j) = (i.max(j), i.min(j));
        match (i == j, sigma[i] > 0.0 && sigma[j] > 0.0) {
            (true, _) => 1.0,
            (_, true) => cov.at(i, j) / sigma[i] / sigma[j],
            _ => 0.0,
        }
    });
    crate::error::require_finite(NAME, "correlation", correlation.values())?;
    let repaired = repair_correlation(correlation.as_ref(), progress)?;
    let matrix =
        Matrix::from_fn(
            n,
            n,
            |i, j| {
                if i == j { variances[i] } else { repaired.matrix.at(i, j) * (sigma[i] * sigma[j]) }
            },
        );
    Ok(Repaired { matrix, ..repaired })
}
