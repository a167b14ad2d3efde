//! The one error of the crate: `<computation>: <what> <why>, got <value>`.

use std::fmt;

/// The result of a risk computation.
pub type Result<T> = std::result::Result<T, RiskError>;

/// The words of an error: which computation refused what, by which rule, and the value it got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The computation that refused, for example `parametric_var`.
    pub computation: &'static str,
    /// The input or quantity at fault, for example `confidence_bp`.
    pub what: String,
    /// The rule, for example `must be within 5001..=9999`.
    pub why: String,
    /// The value that broke it.
    pub got: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { computation, what, why, got } = self;
        write!(f, "{computation}: {what} {why}, got {got}")
    }
}

/// Why a risk computation gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RiskError {
    /// A value out of range, NaN or infinite.
    #[error("{0}")]
    InvalidInput(Box<Fault>),
    /// Lengths or dimensions that do not fit together.
    #[error("{0}")]
    ShapeMismatch(Box<Fault>),
    /// A covariance that is not symmetric.
    #[error("{0}")]
    NotSymmetric(Box<Fault>),
    /// A covariance with a negative eigenvalue.
    #[error("{0}")]
    NotPositiveSemidefinite(Box<Fault>),
    /// A matrix without a Cholesky factor.
    #[error("{0}")]
    NotPositiveDefinite(Box<Fault>),
    /// A sample too small for the statistic.
    #[error("{0}")]
    TooFewObservations(Box<Fault>),
    /// A variance of zero where one divides by it.
    #[error("{0}")]
    ZeroVariance(Box<Fault>),
    /// An option price below its intrinsic value.
    #[error("{0}")]
    BelowIntrinsic(Box<Fault>),
    /// An option price at or above its largest possible value.
    #[error("{0}")]
    AboveMaximum(Box<Fault>),
    /// An iteration that stopped before its goal.
    #[error("{0}")]
    DidNotConverge(Box<Fault>),
    /// Nobody waited for the answer any more.
    #[error("{0}")]
    Canceled(Box<Fault>),
}

/// Makes one constructor a variant, all with the same four words, and the way back to the words.
macro_rules! constructors {
    ($($name:ident => $variant:ident, $doc:literal;)*) => {
        impl RiskError {
            $(#[doc = $doc]
            pub fn $name(
                computation: &'static str,
                what: impl Into<String>,
                why: impl Into<String>,
                got: impl fmt::Display,
            ) -> Self {
                Self::$variant(Box::new(Fault {
                    computation,
                    what: what.into(),
                    why: why.into(),
                    got: got.to_string(),
                }))
            })*

            /// The words of the error.
            pub fn fault(&self) -> &Fault {
                match self {
                    $(Self::$variant(fault))|* => fault,
                }
            }

            fn fault_mut(&mut self) -> &mut Fault {
                match self {
                    $(Self::$variant(fault))|* => fault,
                }
            }
        }
    };
}

constructors! {
    invalid => InvalidInput, "`InvalidInput`: what, by which rule, the value.";
    shape => ShapeMismatch, "`ShapeMismatch`: what, the shape it must have, the shape it has.";
    not_symmetric => NotSymmetric, "`NotSymmetric`: what, the rule, the largest difference.";
    not_psd => NotPositiveSemidefinite, "`NotPositiveSemidefinite`: what, the rule, the smallest eigenvalue.";
    not_pd => NotPositiveDefinite, "`NotPositiveDefinite`: what, the rule, pivot and row.";
    too_few => TooFewObservations, "`TooFewObservations`: `needs`, how many, the number given.";
    zero_variance => ZeroVariance, "`ZeroVariance`: what, the rule, the value and row.";
    below_intrinsic => BelowIntrinsic, "`BelowIntrinsic`: what, the bound, the price.";
    above_maximum => AboveMaximum, "`AboveMaximum`: what, the bound, the price.";
    did_not_converge => DidNotConverge, "`DidNotConverge`: what, the budget, the value or how far it came.";
    canceled => Canceled, "`Canceled`: the calculation, `was canceled`, how far it was.";
}

impl RiskError {
    /// The same error of one of many: `strike` becomes `strike of position 7`.
    pub fn of(mut self, place: impl fmt::Display) -> Self {
        let what = &mut self.fault_mut().what;
        *what = format!("{what} of {place}");
        self
    }
}

/// Refuses NaN and infinity anywhere in `values`.
pub fn require_finite(computation: &'static str, what: &str, values: &[f64]) -> Result<()> {
    // Without a way out the pass is vectorised; the search comes only on failure.
    if values.iter().fold(true, |finite, v| finite & v.is_finite()) {
        return Ok(());
    }
    match values.iter().enumerate().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((i, v)) => Err(RiskError::invalid(computation, format!("{what}[{i}]"), "must be finite", v)),
    }
}

/// Refuses a slice whose length is not `len`.
pub fn require_len(computation: &'static str, what: &str, values: &[f64], len: usize, to_match: &str) -> Result<()> {
    if values.len() == len {
        return Ok(());
    }
    let why = format!("must have {len} values to match {to_match}");
    Err(RiskError::shape(computation, what, why, values.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_one_form() {
        let error = RiskError::invalid("parametric_var", "confidence_bp", "must be within 5001..=9999", 10_000);
        assert_eq!(error.to_string(), "parametric_var: confidence_bp must be within 5001..=9999, got 10000");
        let error = RiskError::too_few("sample_covariance", "needs", "at least 2 rows", 1);
        assert_eq!(error.to_string(), "sample_covariance: needs at least 2 rows, got 1");
    }

    #[test]
    fn an_error_of_one_of_many_says_which() {
        let error = RiskError::shape("bsm", "strike", "must be finite and positive", -1).of("position 7");
        assert_eq!(error.to_string(), "bsm: strike of position 7 must be finite and positive, got -1");
        assert!(matches!(error, RiskError::ShapeMismatch(_)), "the kind stays");
    }

    #[test]
    fn the_value_that_is_not_finite_is_named() {
        let error = require_finite("historical_var", "x", &[1.0, f64::NAN]).unwrap_err();
        assert_eq!(error.to_string(), "historical_var: x[1] must be finite, got NaN");
        assert!(require_finite("historical_var", "x", &[1.0, -f64::MAX]).is_ok());
    }
}
