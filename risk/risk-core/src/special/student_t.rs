//! Student's t distribution with real degrees of freedom.

use std::f64::consts::PI;

use super::incomplete::{beta_inc, deviance, stirling_error};
use super::{norm_cdf, norm_ppf};

/// Above this the continued fraction is slow and a normal with its first correction is as good.
const NEARLY_NORMAL: f64 = 1e8;

/// `(nu/(nu+x²), x²/(nu+x²))`, finite for every x.
fn split(x: f64, nu: f64) -> (f64, f64) {
    let ratio = (x / nu.sqrt()).powi(2);
    if ratio > 1e300 {
        return (nu / x / x, 1.0);
    }
    (1.0 / (1.0 + ratio), ratio / (1.0 + ratio))
}

/// `P(X > x)` for `x >= 0`.
fn upper_tail(x: f64, nu: f64) -> f64 {
    if nu > NEARLY_NORMAL {
        return norm_cdf(-x * (1.0 - (x * x + 1.0) / (4.0 * nu)).max(0.0));
    }
    let (near, far) = split(x, nu);
    0.5 * beta_inc(0.5 * nu, 0.5, near, far).0
}

/// `P(0 < X < x)` for `x >= 0`, without the cancellation of `cdf - ½`.
fn central(x: f64, nu: f64) -> f64 {
    if nu > NEARLY_NORMAL {
        return 0.5 - upper_tail(x, nu);
    }
    let (near, far) = split(x, nu);
    0.5 * beta_inc(0.5, 0.5 * nu, far, near).0
}

/// Distribution function, `nu > 0`.
///
/// Formula: `½ I_{nu/(nu+x²)}(nu/2, ½)` for x below 0. Source: DLMF 8.17.
pub fn t_cdf(x: f64, nu: f64) -> f64 {
    if x > 0.0 { 1.0 - upper_tail(x, nu) } else { upper_tail(-x, nu) }
}

/// Density, `nu > 0`.
///
/// Formula: `Γ((nu+1)/2) / (√(nu π) Γ(nu/2)) (1 + x²/nu)^(-(nu+1)/2)`, the gamma ratio by Loader's expansion, which
/// keeps its digits at large nu.
pub fn t_pdf(x: f64, nu: f64) -> f64 {
    let gammas = -deviance(0.5 * nu, 0.5 * (nu + 1.0)) + stirling_error(0.5 * (nu + 1.0)) - stirling_error(0.5 * nu);
    let ratio = (x / nu.sqrt()).powi(2);
    let log_kernel = if ratio > 1e300 { 2.0 * x.abs().ln() - nu.ln() } else { ratio.ln_1p() };
    let correction = 0.5 * (nu + 1.0) * log_kernel;
    // Loader's form has sqrt(1/2π) where the textbook has Γ(nu/2 + 1) shifted by one.
    (gammas - correction).exp() / (2.0 * PI).sqrt()
}

/// Quantile, `nu > 0`; `p` at or below 0 gives -∞, at or above 1 gives +∞.
///
/// Newton's method. In the tail on `ln P(X > e^s)` as a function of s, which is concave, and around the median on
/// the central probability, which is concave too: both converge from every start.
pub fn t_ppf(p: f64, nu: f64) -> f64 {
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p >= 1.0 {
        return f64::INFINITY;
    }
    // 1 - p is exact for p in [0.5, 1].
    let tail = if p <= 0.5 { p } else { 1.0 - p };
    let x = if tail > 0.25 { central_quantile(0.5 - tail, nu) } else { tail_quantile(tail, nu) };
    if p <= 0.5 { -x } else { x }
}

/// x with `P(0 < X < x) = probability`.
fn central_quantile(probability: f64, nu: f64) -> f64 {
    let mut x = probability / t_pdf(0.0, nu);
    for _ in 0..50 {
        let step = (probability - central(x, nu)) / t_pdf(x, nu);
        x += step;
        if step.abs() <= 1e-16 * x {
            break;
        }
    }
    x
}

/// x with `P(X > x) = tail`.
fn tail_quantile(tail: f64, nu: f64) -> f64 {
    let z = -norm_ppf(tail);
    let mut x = z * (1.0 + (z * z + 1.0) / (4.0 * nu));
    for _ in 0..200 {
        let reached = upper_tail(x, nu);
        let slope = x * t_pdf(x, nu) / reached;
        let step = (reached.ln() - tail.ln()) / slope;
        if !step.is_finite() {
            break;
        }
        x *= step.exp();
        if step.abs() <= 1e-16 {
            break;
        }
    }
    x
}
