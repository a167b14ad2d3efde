//! Floors that keep margin from rising fastest when it hurts most.

use crate::check::{non_negative, representable};
use crate::error::Result;

/// Margin with a quarter of its weight on stressed observations: `max(current, 0.75 current + 0.25 stressed)`.
///
/// Units: money. Errors: `InvalidInput` for a negative margin, NaN, infinity.
/// Source: EMIR RTS 153/2013, art. 28(1)(b).
pub fn stress_weighted_margin(current: f64, stressed: f64) -> Result<f64> {
    const COMPUTATION: &str = "stress_weighted_margin";
    let current = non_negative(COMPUTATION, "current", current)?;
    let stressed = non_negative(COMPUTATION, "stressed", stressed)?;
    Ok(current.max(0.75 * current + 0.25 * stressed))
}

/// Margin with a buffer of a quarter, to be used up when margin rises: `1.25 current`.
///
/// Units: money. Errors: `InvalidInput` for a negative margin, NaN, infinity.
/// Source: EMIR RTS 153/2013, art. 28(1)(a).
pub fn buffered_margin(current: f64) -> Result<f64> {
    const COMPUTATION: &str = "buffered_margin";
    representable(COMPUTATION, "margin", 1.25 * non_negative(COMPUTATION, "current", current)?)
}
