//! Expected shortfall as Basel's market risk rules put it together.

use crate::check::{non_negative, positive, representable};
use crate::error::Result;

/// Liquidity horizons of MAR33.12, days.
pub const LIQUIDITY_HORIZONS_DAYS: [f64; 5] = [10.0, 20.0, 40.0, 60.0, 120.0];

/// Expected shortfall over the liquidity horizons.
///
/// Formula: `ES² = sum_j (ES_j sqrt((LH_j - LH_{j-1}) / 10))²`, `LH_0 = 0`, ES_j that of the factors whose
/// horizon is at least LH_j of 10, 20, 40, 60, 120 days.
/// Units: money over 10 days, losses positive.
/// Errors: `InvalidInput` for a negative ES, NaN, infinity.
/// Source: Basel Committee, MAR33.5.
pub fn liquidity_horizon_es(es_by_horizon: [f64; 5]) -> Result<f64> {
    const COMPUTATION: &str = "liquidity_horizon_es";
    let (mut sum, mut before) = (0.0, 0.0);
    for (es, horizon) in es_by_horizon.iter().zip(LIQUIDITY_HORIZONS_DAYS) {
        let es = non_negative(COMPUTATION, &format!("es of {horizon} days"), *es)?;
        sum += es * es * (horizon - before) / 10.0;
        before = horizon;
    }
    representable(COMPUTATION, "es", sum.sqrt())
}

/// Expected shortfall calibrated to a period of stress.
///
/// Formula: `ES_RS max(ES_FC / ES_RC, 1)`: the reduced set of factors in stress, scaled by what the full set shows
/// over the reduced one today.
/// Units: money, losses positive.
/// Errors: `InvalidInput` for a negative ES, an `es_reduced_current` not positive, NaN, infinity.
/// Source: Basel Committee, MAR33.6.
pub fn stressed_es(es_reduced_stressed: f64, es_full_current: f64, es_reduced_current: f64) -> Result<f64> {
    const COMPUTATION: &str = "stressed_es";
    let stressed = non_negative(COMPUTATION, "es_reduced_stressed", es_reduced_stressed)?;
    let full = non_negative(COMPUTATION, "es_full_current", es_full_current)?;
    let reduced = positive(COMPUTATION, "es_reduced_current", es_reduced_current)?;
    representable(COMPUTATION, "es", stressed * (full / reduced).max(1.0))
}
