//! The likeliest way to lose a given sum.

use crate::check::{finite, representable};
use crate::covariance::Covariance;
use crate::error::{Result, RiskError, require_finite};
use crate::special::norm_cdf;

const COMPUTATION: &str = "reverse_stress";

/// A shock, and how unlikely it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ReverseStress {
    /// Shape (K): simple returns of the factors.
    pub shock: Vec<f64>,
    /// Its Mahalanobis distance, standard deviations of the portfolio.
    pub mahalanobis: f64,
    /// Probability of losing at least so much under normal returns.
    pub one_sided_prob: f64,
}

/// The most likely normal shock of the factors that loses `loss`.
///
/// Formula: `-l cov x / (x' cov x)`, distance `|l| / s`, probability `N(-|l| / s)`, `s² = x' cov x`.
/// Units: exposures money per unit return, short negative; loss money, positive when lost; cov for one day.
/// Errors: `ShapeMismatch`; `ZeroVariance` when the portfolio cannot lose; `InvalidInput` for NaN and infinity.
/// Source: Kupiec 1998; Breuer et al., *How to find plausible, severe, and useful stress scenarios*, 2009.
pub fn reverse_stress(exposures: &[f64], cov: &Covariance<'_>, loss: f64) -> Result<ReverseStress> {
    require_finite(COMPUTATION, "exposures", exposures)?;
    cov.require_dimension(COMPUTATION, exposures.len())?;
    finite(COMPUTATION, "loss", loss)?;
    let g = cov.matrix().mul_vec(exposures);
    let variance = representable(COMPUTATION, "variance", cov.quadratic_form(exposures, &g))?;
    if variance == 0.0 {
        return Err(RiskError::zero_variance(COMPUTATION, "variance of the portfolio", "must be positive", 0));
    }
    let shock: Vec<f64> = g.iter().map(|g| -loss * (g / variance)).collect();
    require_finite(COMPUTATION, "shock", &shock)?;
    let mahalanobis = representable(COMPUTATION, "distance", loss.abs() / variance.sqrt())?;
    Ok(ReverseStress { shock, mahalanobis, one_sided_prob: norm_cdf(-mahalanobis) })
}
