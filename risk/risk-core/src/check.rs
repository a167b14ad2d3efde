//! Single numbers, checked in the name of the computation that received them.

use crate::error::{Result, RiskError};

/// Refuses NaN and infinity.
pub(crate) fn finite(computation: &'static str, what: &str, value: f64) -> Result<f64> {
    require(value.is_finite(), computation, what, "must be finite", value)
}

/// Refuses NaN, infinity, zero and negative numbers.
pub(crate) fn positive(computation: &'static str, what: &str, value: f64) -> Result<f64> {
    require(value > 0.0 && value.is_finite(), computation, what, "must be finite and positive", value)
}

/// Refuses NaN, infinity and negative numbers.
pub(crate) fn non_negative(computation: &'static str, what: &str, value: f64) -> Result<f64> {
    require(value >= 0.0 && value.is_finite(), computation, what, "must be finite and at least 0", value)
}

/// Refuses a probability outside the open interval (0, 1).
pub(crate) fn probability(computation: &'static str, what: &str, value: f64) -> Result<f64> {
    require(value > 0.0 && value < 1.0, computation, what, "must be within (0, 1)", value)
}

/// Refuses an answer that left the range of doubles, although every input was within its own.
pub(crate) fn representable(computation: &'static str, what: &str, value: f64) -> Result<f64> {
    require(value.is_finite(), computation, what, "must be representable for these inputs", value)
}

fn require(holds: bool, computation: &'static str, what: &str, why: &str, value: f64) -> Result<f64> {
    if holds { Ok(value) } else { Err(RiskError::invalid(computation, what, why, value)) }
}
