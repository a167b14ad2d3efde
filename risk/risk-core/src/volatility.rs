//! Variance filters with zero mean: exponential weights and GARCH(1,1), their forecasts and their likelihood.

mod fit;

pub use fit::{GarchFit, fit_garch11};

use crate::check::{non_negative, positive, representable};
use crate::error::{Result, RiskError, require_finite};
use crate::units::Decay;

/// The seed looks at so many returns, with this weight of the next one whatever the filter's own is.
const SEED_RETURNS: usize = 75;
const SEED_DECAY: f64 = 0.94;

/// Conditional variances of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct VariancePath {
    /// The backcast that started the recursion.
    pub seed_variance: f64,
    /// Forecast for each return of the series, made before seeing it.
    pub variance: Vec<f64>,
    /// Forecast for the return after the last.
    pub next_variance: f64,
}

/// Conditional standard deviations of a series, all positive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct VolatilityPath {
    pub series: Vec<f64>,
    pub next: f64,
}

/// GARCH(1,1): `s_{i+1} = omega + alpha r_i^2 + beta s_i`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Garch11 {
    omega: f64,
    alpha: f64,
    beta: f64,
}

/// A filter that forecasts the variance of the next return.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VolatilityModel {
    /// RiskMetrics' exponential weights.
    Ewma(Decay),
    /// GARCH(1,1). For P&L in money omega is in money squared.
    Garch11(Garch11),
}

impl Garch11 {
    /// Parameters: omega positive, alpha and beta at least 0. `alpha + beta >= 1` is legal: there is then no
    /// long-run variance, but the recursion goes on.
    pub fn new(omega: f64, alpha: f64, beta: f64) -> Result<Self> {
        const COMPUTATION: &str = "garch11";
        Ok(Self {
            omega: positive(COMPUTATION, "omega", omega)?,
            alpha: non_negative(COMPUTATION, "alpha", alpha)?,
            beta: non_negative(COMPUTATION, "beta", beta)?,
        })
    }

    /// Constant part of the variance, in squared units of the returns.
    pub const fn omega(self) -> f64 {
        self.omega
    }

    /// Weight of the last squared return.
    pub const fn alpha(self) -> f64 {
        self.alpha
    }

    /// Weight of the last variance.
    pub const fn beta(self) -> f64 {
        self.beta
    }

    /// `omega / (1 - alpha - beta)`; absent when `alpha + beta >= 1`.
    pub fn long_run_variance(self) -> Option<f64> {
        let gap = 1.0 - self.alpha - self.beta;
        (gap > 0.0).then(|| self.omega / gap).filter(|v| v.is_finite())
    }

    /// Variance after a return of `r` on a day of variance `s`.
    pub(crate) fn update(self, s: f64, r: f64) -> f64 {
        self.omega + self.alpha * r * r + self.beta * s
    }

    /// Variance forecasts of the next `days` days; their sum is the variance of the whole horizon.
    ///
    /// Formula: `s_1 = next_variance`, `s_{k+1} = omega + (alpha + beta) s_k`.
    /// Errors: `InvalidInput` for a negative variance, or forecasts that leave the range of doubles.
    /// Source: Bollerslev 1986.
    pub fn forecast(self, next_variance: f64, days: u32) -> Result<Vec<f64>> {
        const COMPUTATION: &str = "garch11_forecast";
        let mut s = non_negative(COMPUTATION, "next_variance", next_variance)?;
        let mut path = Vec::new();
        for _ in 0..days {
            path.push(representable(COMPUTATION, "variance", s)?);
            s = self.omega + (self.alpha + self.beta) * s;
        }
        Ok(path)
    }
}

impl VolatilityModel {
    /// Filters a series of returns or P&L, oldest first.
    ///
    /// Formula: seed `b = sum 0.94^i r_i^2 / sum 0.94^i` over the first `min(75, n)`. EWMA `s_0 = b`,
    /// `s_{i+1} = lambda s_i + (1-lambda) r_i^2`; GARCH `s_0 = omega + (alpha+beta) b`,
    /// `s_{i+1} = omega + alpha r_i^2 + beta s_i`.
    /// Units: variance a period, in squared units of the series.
    /// Errors: `TooFewObservations` for an empty series; `InvalidInput` for NaN, infinity and overflow.
    /// Source: RiskMetrics 1996; Bollerslev 1986.
    pub fn variance(self, returns: &[f64]) -> Result<VariancePath> {
        const COMPUTATION: &str = "variance_filter";
        require_finite(COMPUTATION, "returns", returns)?;
        let seed_variance = seed_variance(COMPUTATION, returns)?;
        let mut s = match self {
            Self::Ewma(_) => seed_variance,
            Self::Garch11(g) => g.omega + (g.alpha + g.beta) * seed_variance,
        };
        let mut variance = Vec::with_capacity(returns.len());
        for r in returns {
            variance.push(s);
            s = self.update(s, *r);
        }
        // An overflow stays: the last value is not finite when any was not.
        representable(COMPUTATION, "variance", s)?;
        Ok(VariancePath { seed_variance, variance, next_variance: s })
    }

    fn update(self, s: f64, r: f64) -> f64 {
        match self {
            Self::Ewma(lambda) => lambda.get() * s + (1.0 - lambda.get()) * r * r,
            Self::Garch11(garch) => garch.update(s, r),
        }
    }
}

impl VariancePath {
    /// Gaussian log-likelihood of the returns that were filtered.
    ///
    /// Formula: `-1/2 sum(ln 2pi + ln s_i + r_i^2 / s_i)`.
    /// Errors: `ShapeMismatch`, and `ZeroVariance` when a forecast is 0.
    pub fn log_likelihood(&self, returns: &[f64]) -> Result<f64> {
        const COMPUTATION: &str = "log_likelihood";
        crate::error::require_len(COMPUTATION, "returns", returns, self.variance.len(), "the variance path")?;
        self.require_positive(COMPUTATION)?;
        let ln_2pi = (2.0 * std::f64::consts::PI).ln();
        let terms = returns.iter().zip(&self.variance).map(|(r, s)| ln_2pi + s.ln() + r * r / s);
        representable(COMPUTATION, "log_likelihood", -0.5 * terms.sum::<f64>())
    }

    /// The square roots, or `ZeroVariance` naming the row: one is about to divide by them.
    pub(crate) fn positive_volatility(&self, computation: &'static str) -> Result<VolatilityPath> {
        self.require_positive(computation)?;
        if self.next_variance <= 0.0 {
            return Err(RiskError::zero_variance(computation, "next variance", "must be positive", self.next_variance));
        }
        let series = self.variance.iter().map(|s| s.sqrt()).collect();
        Ok(VolatilityPath { series, next: self.next_variance.sqrt() })
    }

    fn require_positive(&self, computation: &'static str) -> Result<()> {
        match self.variance.iter().position(|s| *s <= 0.0) {
            None => Ok(()),
            Some(row) => {
                Err(RiskError::zero_variance(computation, "variance", "must be positive", format!("0 at row {row}")))
            }
        }
    }
}

/// The backcast, in squared units of the returns.
fn seed_variance(computation: &'static str, returns: &[f64]) -> Result<f64> {
    if returns.is_empty() {
        return Err(RiskError::too_few(computation, "needs", "at least 1 return", 0));
    }
    let (mut weight, mut weights, mut squares) = (1.0, 0.0, 0.0);
    for r in returns.iter().take(SEED_RETURNS) {
        squares += weight * r * r;
        weights += weight;
        weight *= SEED_DECAY;
    }
    representable(computation, "seed variance", squares / weights)
}
