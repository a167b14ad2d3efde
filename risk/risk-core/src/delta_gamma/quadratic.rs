//! The quadratic form in independent normals, and its exact distribution.

use super::contour::{Contour, Tails};
use super::{COMPUTATION, Cumulants};
use crate::check::{finite, representable};
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::quantile::VarEs;
use crate::special::norm_ppf;
use crate::units::Tail;

/// Newton's method needs about six; the rest is for bisection at the edge of a bounded distribution.
const MAX_ITERATIONS: u32 = 200;

/// `P&L = theta + sum (b_j z_j + lambda_j z_j^2)`, z independent standard normals.
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticForm {
    theta: f64,
    b: Vec<f64>,
    lambda: Vec<f64>,
}

impl QuadraticForm {
    /// A form from its coefficients, money.
    ///
    /// Errors: `ShapeMismatch` when lengths differ; `InvalidInput` for NaN and infinity.
    pub fn new(theta: f64, b: Vec<f64>, lambda: Vec<f64>) -> Result<Self> {
        finite(COMPUTATION, "theta", theta)?;
        require_finite(COMPUTATION, "b", &b)?;
        require_finite(COMPUTATION, "lambda", &lambda)?;
        require_len(COMPUTATION, "lambda", &lambda, b.len(), "b")?;
        Ok(Self { theta, b, lambda })
    }

    /// P&L without any move.
    pub const fn theta(&self) -> f64 {
        self.theta
    }

    /// Linear coefficients.
    pub fn b(&self) -> &[f64] {
        &self.b
    }

    /// Quadratic coefficients.
    pub fn lambda(&self) -> &[f64] {
        &self.lambda
    }

    /// The first four cumulants of the P&L.
    ///
    /// Formula: `k1 = theta + sum lambda`, `k2 = sum b² + 2 lambda²`, `k3 = sum 6 b² lambda + 8 lambda³`,
    /// `k4 = sum 48 b² lambda² + 48 lambda⁴`; the traces of `(Gamma cov)^n` written in its eigenvalues.
    pub fn cumulants(&self) -> Result<Cumulants> {
        let sum = |term: fn(f64, f64) -> f64| self.terms().map(|(b, l)| term(b, l)).sum::<f64>();
        let cumulants = Cumulants {
            k1: self.theta + sum(|_, l| l),
            k2: sum(|b, l| b * b + 2.0 * l * l),
            k3: sum(|b, l| l * (6.0 * b * b + 8.0 * l * l)),
            k4: sum(|b, l| 48.0 * l * l * (b * b + l * l)),
        };
        let Cumulants { k1, k2, k3, k4 } = cumulants;
        require_finite(COMPUTATION, "cumulants", &[k1, k2, k3, k4])?;
        Ok(cumulants)
    }

    /// Exact VaR and ES.
    ///
    /// Method: `P(L > y)`, its density and `E(L - y)^+` are integrals of the moment generating function
    /// `exp(-s theta) prod (1+2 s lambda_j)^(-1/2) exp(s² b_j² / (2 (1+2 s lambda_j)))` times `e^(-sy)` and a
    /// power of s. They are taken along a curve through the saddle point that bends to where the integrand
    /// decays, so about a hundred nodes give twelve digits in any tail. VaR is the root of
    /// `ln P(L > y) = ln p` by Newton's method in a bracket; `ES = VaR + E(L - VaR)^+ / p`.
    /// Units: money, losses positive. Without variance both are `-k1`.
    /// Errors: `DidNotConverge`; `InvalidInput` for numbers that leave the range of doubles.
    /// Source: Gil-Pelaez 1951; Imhof 1961; Lugannani and Rice 1980 (the saddle point); Talbot 1979 (the bend).
    pub fn var_es(&self, tail: Tail) -> Result<VarEs> {
        let Cumulants { k1, k2, .. } = self.cumulants()?;
        let sigma = k2.sqrt();
        if sigma == 0.0 {
            return Ok(VarEs { var: -k1, es: -k1 });
        }
        let loss = StandardLoss::new(self, sigma)?;
        let (y, tails) = loss.quantile(tail)?;
        let es = y + tails.excess / tails.probability;
        let var = representable(COMPUTATION, "var", sigma * y - k1)?;
        Ok(VarEs { var, es: representable(COMPUTATION, "es", sigma * es - k1)? })
    }

    fn terms(&self) -> impl Iterator<Item = (f64, f64)> {
        self.b.iter().copied().zip(self.lambda.iter().copied())
    }
}

/// The loss with mean 0 and variance 1: `-sum (b_j z_j + lambda_j (z_j² - 1))`.
#[derive(Debug)]
pub(super) struct StandardLoss {
    /// `(b_j, lambda_j)`, without those of no weight at all.
    pub terms: Vec<(f64, f64)>,
}

impl StandardLoss {
    fn new(form: &QuadraticForm, sigma: f64) -> Result<Self> {
        let terms: Vec<(f64, f64)> =
            form.terms().map(|(b, l)| (b / sigma, l / sigma)).filter(|(b, l)| *b != 0.0 || *l != 0.0).collect();
        let sum: f64 = terms.iter().map(|(b, l)| b * b + 2.0 * l * l).sum();
        // A variance that underflowed cannot be standardised.
        if (sum - 1.0).abs() < 1e-6 {
            return Ok(Self { terms });
        }
        Err(RiskError::invalid(COMPUTATION, "variance", "must be an ordinary number", sigma * sigma))
    }

    /// Where the loss is bounded: below when all terms are convex losses, above when all are concave.
    fn support(&self) -> (f64, f64) {
        let extreme: f64 = self.terms.iter().map(|(b, l)| l + b * b / (4.0 * l)).sum();
        match (self.terms.iter().all(|(_, l)| *l < 0.0), self.terms.iter().all(|(_, l)| *l > 0.0)) {
            (true, _) => (extreme, f64::INFINITY),
            (_, true) => (f64::NEG_INFINITY, extreme),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// The y with `P(L > y) = p`, and the integrals there.
    fn quantile(&self, tail: Tail) -> Result<(f64, Tails)> {
        let p = tail.get();
        let (mut low, mut high) = self.support();
        let mut y = -norm_ppf(p);
        if y >= high {
            y = 0.5 * high;
        }
        if y <= low {
            y = 0.5 * low;
        }
        for _ in 0..MAX_ITERATIONS {
            let tails = Contour::through_saddle_point(self, y).integrate();
            let step = (tails.probability / p).ln() * tails.probability / tails.density;
            if step.abs() <= 1e-13 * (1.0 + y.abs()) || high - low <= 4.0 * f64::EPSILON * y.abs() {
                return Ok((y, tails));
            }
            if tails.probability > p {
                low = y
            } else {
                high = y
            }
            let next = y + step;
            y = if next > low && next < high {
                next
            } else if low.is_finite() && high.is_finite() {
                0.5 * (low + high)
            } else {
                y + (1.0 + y.abs()) * (tails.probability - p).signum()
            };
        }
        let budget = format!("within {MAX_ITERATIONS} iterations");
        Err(RiskError::did_not_converge(COMPUTATION, "did not converge", budget, format!("{y} standard deviations")))
    }
}
