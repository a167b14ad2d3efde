//! The variance of a portfolio and its slope, from a covariance or straight from past returns.

use super::NAME;
use crate::covariance::{Covariance, mean, require_rows};
use crate::error::Result;
use crate::matrix::{MatrixRef, dot};

/// Where the variance of a portfolio comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Moments<'a> {
    /// A covariance.
    Covariance(Covariance<'a>),
    /// Past returns, n x K, at least 2 rows: the figures of their sample covariance, which is never made. O(n K) in
    /// time, and no K x K memory.
    Returns(MatrixRef<'a>),
}

impl<'a> From<&Covariance<'a>> for Moments<'a> {
    fn from(covariance: &Covariance<'a>) -> Self {
        Self::Covariance(*covariance)
    }
}

/// What parametric figures need of a portfolio x.
pub(super) struct Spread<'a> {
    /// `Σ x`.
    pub gradient: Vec<f64>,
    /// `x' Σ x`.
    pub variance: f64,
    /// The diagonal of Σ.
    pub variances: Vec<f64>,
    x: &'a [f64],
    source: Source<'a>,
}

enum Source<'a> {
    Covariance(Covariance<'a>),
    /// `deviations` are those of the portfolio's past P&L from its mean.
    Returns {
        returns: MatrixRef<'a>,
        means: Vec<f64>,
        deviations: Vec<f64>,
    },
}

impl<'a> Spread<'a> {
    pub fn new(x: &'a [f64], moments: Moments<'a>) -> Result<Self> {
        match moments {
            Moments::Covariance(covariance) => {
                covariance.require_dimension(NAME, x.len())?;
                let gradient = covariance.matrix().mul_vec(x);
                let variance = covariance.quadratic_form(x, &gradient);
                let variances = covariance.matrix().diagonal();
                Ok(Self { gradient, variance, variances, x, source: Source::Covariance(covariance) })
            }
            Moments::Returns(returns) => {
                require_rows(NAME, returns, 2)?;
                crate::error::require_len(NAME, "exposures", x, returns.cols(), "the columns of returns")?;
                Ok(Self::of_returns(x, returns))
            }
        }
    }

    /// With the deviations `X` of the returns from their means, `Σ x = X' (X x) / (n-1)` and `x' Σ x = |X x|² / (n-1)`.
    fn of_returns(x: &'a [f64], returns: MatrixRef<'a>) -> Self {
        let means = mean(returns);
        let divisor = (returns.rows() - 1) as f64;
        let mut row_deviations = vec![0.0; x.len()];
        let (mut gradient, mut variances) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        let mut deviations = Vec::with_capacity(returns.rows());
        for row in returns.row_iter() {
            row_deviations.iter_mut().zip(row).zip(&means).for_each(|((d, r), m)| *d = r - m);
            let deviation = dot(&row_deviations, x);
            for ((d, g), v) in row_deviations.iter().zip(&mut gradient).zip(&mut variances) {
                *g += deviation * d;
                *v += d * d;
            }
            deviations.push(deviation);
        }
        gradient.iter_mut().chain(&mut variances).for_each(|sum| *sum /= divisor);
        let variance = dot(&deviations, &deviations) / divisor;
        Self { gradient, variance, variances, x, source: Source::Returns { returns, means, deviations } }
    }

    /// `x' Σ x` with `x_i = 0`, anew.
    pub fn variance_without(&self, i: usize) -> f64 {
        match &self.source {
            Source::Covariance(covariance) => {
                let mut rest = self.x.to_vec();
                rest[i] = 0.0;
                covariance.quadratic_form(&rest, &covariance.matrix().mul_vec(&rest))
            }
            Source::Returns { returns, means, deviations } => {
                let rest = |(t, all): (usize, &f64)| all - self.x[i] * (returns.at(t, i) - means[i]);
                let squares: f64 = deviations.iter().enumerate().map(|day| rest(day).powi(2)).sum();
                squares / (returns.rows() - 1) as f64
            }
        }
    }
}
