//! Is expected shortfall large enough?

use super::{exceptions, require_days};
use crate::check::{probability, representable};
use crate::error::{Result, RiskError, require_finite, require_len};

const COMPUTATION: &str = "acerbi_szekely";

/// The two statistics of Acerbi and Szekely; negative when ES is too small.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AcerbiSzekely {
    /// Number of exceptions.
    pub exceptions: u64,
    /// Severity given an exception; absent without one.
    pub z1: Option<f64>,
    /// Frequency and severity together; 5 % of right models fall below about -0.70 (T = 250, 2.5 %).
    pub z2: f64,
}

/// Backtest of expected shortfall.
///
/// Formula: with gains X and exception marks I, `Z1 = sum(X I / ES) / x + 1`, `Z2 = sum(X I / ES) / (T p) + 1`.
/// Units: `pnl` gain-positive, `var` and `es` loss-positive, all money or all ratios; `p` the tail probability.
/// Errors: `ShapeMismatch` when lengths differ; `TooFewObservations` without days; `InvalidInput` for p outside
/// (0, 1), NaN, infinity, or an ES not positive on the day of an exception.
/// Source: Acerbi and Szekely, *Backtesting expected shortfall*, Risk, 2014.
pub fn acerbi_szekely(pnl: &[f64], var: &[f64], es: &[f64], p: f64) -> Result<AcerbiSzekely> {
    require_days(COMPUTATION, pnl.len() as u64)?;
    probability(COMPUTATION, "p", p)?;
    require_len(COMPUTATION, "es", es, pnl.len(), "pnl")?;
    require_finite(COMPUTATION, "es", es)?;
    let hits = exceptions(pnl, var)?;
    let (mut sum, mut count) = (0.0, 0_u64);
    for (day, ((gain, es), _)) in pnl.iter().zip(es).zip(&hits).enumerate().filter(|(_, (_, hit))| **hit) {
        if *es <= 0.0 {
            return Err(RiskError::invalid(COMPUTATION, format!("es[{day}]"), "must be positive in an exception", es));
        }
        sum += gain / es;
        count += 1;
    }
    let z2 = representable(COMPUTATION, "z2", sum / (pnl.len() as f64 * p) + 1.0)?;
    Ok(AcerbiSzekely { exceptions: count, z1: (count > 0).then(|| sum / count as f64 + 1.0), z2 })
}
