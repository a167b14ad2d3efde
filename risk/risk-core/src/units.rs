//! Numbers with a unit or a range, checked when made.

use crate::error::{Result, RiskError};

/// Confidence of VaR and ES in whole basis points, 5001..=9999 (9900 is 99 %).
///
/// Whole basis points keep ranks exact: `⌈500 × 0.99⌉` in doubles is a hair off, in integers it is 495.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Confidence(u16);

impl Confidence {
    /// Basis points, refused outside 5001..=9999 in the name of `computation`.
    pub fn from_bp(computation: &'static str, confidence_bp: u32) -> Result<Self> {
        match u16::try_from(confidence_bp) {
            Ok(bp @ 5001..=9999) => Ok(Self(bp)),
            _ => Err(RiskError::invalid(computation, "confidence_bp", "must be within 5001..=9999", confidence_bp)),
        }
    }

    /// The basis points.
    pub const fn bp(self) -> u16 {
        self.0
    }

    /// The confidence as a ratio, the double nearest to its decimal.
    pub fn ratio(self) -> f64 {
        f64::from(self.0) / 1e4
    }

    /// The tail `p = (10000 - bp) / 10000`, the double nearest to its decimal.
    pub fn tail(self) -> Tail {
        Tail(f64::from(self.tail_bp()) / 1e4)
    }

    /// The tail in basis points.
    pub const fn tail_bp(self) -> u16 {
        10_000 - self.0
    }

    /// 1-based rank `k = ⌈n c⌉` of the VaR among n ascending losses, in exact integers.
    pub fn rank(self, n: usize) -> usize {
        // usize is at most 64 bits and bp below 2^14: the product fits 128 bits; the rank is at most n.
        ((n as u128 * u128::from(self.0)).div_ceil(10_000)) as usize
    }

    /// The tail count `m = n p` split into its whole and fractional part.
    pub fn tail_count(self, n: usize) -> TailCount {
        let scaled = n as u128 * u128::from(self.tail_bp());
        TailCount {
            whole: (scaled / 10_000) as usize,
            fraction: (scaled % 10_000) as f64 / 1e4,
            total: scaled as f64 / 1e4,
        }
    }
}

/// `m = n p`, the number of scenarios in the tail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TailCount {
    /// `⌊m⌋`.
    pub whole: usize,
    /// `m - ⌊m⌋`.
    pub fraction: f64,
    /// `m`.
    pub total: f64,
}

/// Probability of the tail, `0 < p < 0.5`: `1 - c`, stated directly and never as `1.0 - c` in doubles.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Tail(f64);

impl Tail {
    /// A tail probability, refused outside the open interval (0, 0.5).
    pub fn new(computation: &'static str, p: f64) -> Result<Self> {
        if p > 0.0 && p < 0.5 {
            Ok(Self(p))
        } else {
            Err(RiskError::invalid(computation, "tail", "must be within (0, 0.5)", p))
        }
    }

    /// The probability.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Degrees of freedom of a Student-t distribution with a variance: finite and above 2.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct DegreesOfFreedom(f64);

impl DegreesOfFreedom {
    /// `nu`, refused unless finite and above 2.
    pub fn new(computation: &'static str, nu: f64) -> Result<Self> {
        if nu > 2.0 && nu.is_finite() {
            Ok(Self(nu))
        } else {
            Err(RiskError::invalid(computation, "nu", "must be finite and above 2", nu))
        }
    }

    /// The number.
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Distribution of the factors' returns. Student's t is scaled so that `cov` is the covariance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Gaussian.
    Normal,
    /// Student's t.
    StudentT(DegreesOfFreedom),
}

/// A horizon in whole days, at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HorizonDays(u32);

impl HorizonDays {
    /// One day.
    pub const ONE: Self = Self(1);

    /// `days`, refused at 0.
    pub fn new(computation: &'static str, days: u32) -> Result<Self> {
        if days >= 1 {
            Ok(Self(days))
        } else {
            Err(RiskError::invalid(computation, "horizon_days", "must be at least 1", days))
        }
    }

    /// The number of days.
    pub fn days(self) -> f64 {
        f64::from(self.0)
    }
}

/// Weight `lambda` of yesterday in an exponential average, `0 < lambda < 1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Decay(f64);

impl Decay {
    /// RiskMetrics' value for daily data.
    pub const DAILY: Self = Self(0.94);
    /// RiskMetrics' value for monthly data.
    pub const MONTHLY: Self = Self(0.97);

    /// `lambda`, refused outside the open interval (0, 1).
    pub fn new(computation: &'static str, lambda: f64) -> Result<Self> {
        if lambda > 0.0 && lambda < 1.0 {
            Ok(Self(lambda))
        } else {
            Err(RiskError::invalid(computation, "lambda", "must be within (0, 1)", lambda))
        }
    }

    /// The weight.
    pub const fn get(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(bp: u32) -> Confidence {
        Confidence::from_bp("test", bp).unwrap()
    }

    #[test]
    fn ranks_are_exact() {
        assert_eq!(confidence(9900).rank(500), 495);
        assert_eq!(confidence(9900).rank(501), 496);
        assert_eq!(confidence(9999).rank(1), 1);
        assert_eq!(confidence(5001).rank(usize::MAX), (usize::MAX as u128 * 5001).div_ceil(10_000) as usize);
    }

    #[test]
    fn tails_split_exactly() {
        let count = confidence(9750).tail_count(250);
        assert_eq!((count.whole, count.fraction, count.total), (6, 0.25, 6.25));
    }

    #[test]
    fn ranges_are_refused_by_name() {
        let error = Confidence::from_bp("historical_var", 10_000).unwrap_err();
        assert_eq!(error.to_string(), "historical_var: confidence_bp must be within 5001..=9999, got 10000");
        assert!(Confidence::from_bp("t", 5000).is_err() && Confidence::from_bp("t", 70_000).is_err());
        assert!(Tail::new("t", f64::NAN).is_err() && Tail::new("t", 0.5).is_err());
        assert!(DegreesOfFreedom::new("t", 2.0).is_err() && DegreesOfFreedom::new("t", f64::INFINITY).is_err());
        assert!(HorizonDays::new("t", 0).is_err());
        assert!(Decay::new("t", 1.0).is_err());
    }
}
