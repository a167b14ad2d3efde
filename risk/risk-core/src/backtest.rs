//! Backtests of VaR and ES forecasts: coverage, independence, the Basel traffic light, Acerbi-Szekely.
//!
//! An exception is a loss strictly greater than the VaR forecast the day before. Days are oldest first.

mod coverage;
mod expected_shortfall;
mod rolling;
mod traffic_light;

pub use coverage::{Christoffersen, Exceptions, Kupiec, Transitions, christoffersen, kupiec, kupiec_acceptance};
pub use expected_shortfall::{AcerbiSzekely, acerbi_szekely};
pub use rolling::{ForecastMethod, rolling_forecast};
pub use traffic_light::{TrafficLight, Zone, basel_multiplier, basel_plus_factor, traffic_light};

use crate::error::{Result, RiskError, require_finite, require_len};

/// Marks the days whose loss was strictly greater than the VaR forecast for them.
///
/// Units: `pnl` gain-positive, `var` loss-positive, both money or both ratios.
/// Errors: `ShapeMismatch` when lengths differ, `InvalidInput` for NaN and infinity.
pub fn exceptions(pnl: &[f64], var: &[f64]) -> Result<Vec<bool>> {
    const COMPUTATION: &str = "exceptions";
    require_len(COMPUTATION, "var", var, pnl.len(), "pnl")?;
    require_finite(COMPUTATION, "pnl", pnl)?;
    require_finite(COMPUTATION, "var", var)?;
    Ok(pnl.iter().zip(var).map(|(gain, var)| -gain > *var).collect())
}

/// Refuses a test without days.
fn require_days(computation: &'static str, days: u64) -> Result<()> {
    if days > 0 { Ok(()) } else { Err(RiskError::too_few(computation, "needs", "at least 1 day", days)) }
}
