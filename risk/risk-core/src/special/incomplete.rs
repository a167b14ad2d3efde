//! Incomplete beta and gamma functions, and the distributions made of them.

use std::f64::consts::PI;

/// More terms than any argument needs at which the callers here arrive; a bound, not a goal.
const MAX_TERMS: u32 = 2_000_000;
/// Relative size of a term that no longer matters.
const NEGLIGIBLE: f64 = 1e-17;

/// `ln Γ(n+1) - [(n+½) ln n - n + ½ ln 2π]`, the error of Stirling's formula, n > 0 (Loader 2000).
pub(super) fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        const HALF_LN_2PI: f64 = 0.918_938_533_204_672_8;
        return libm::lgamma(n + 1.0) - (n + 0.5) * n.ln() + n - HALF_LN_2PI;
    }
    let r = 1.0 / (n * n);
    (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - r / 1188.0) * r) * r) * r) / n
}

/// `x ln(x/m) + m - x` without cancellation where x is near m (Loader 2000).
pub(super) fn deviance(x: f64, m: f64) -> f64 {
    let difference = x - m;
    if difference.abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() - difference;
    }
    let v = difference / (x + m);
    let (mut sum, mut power) = (difference * v, 2.0 * x * v);
    for odd in (3..200).step_by(2) {
        power *= v * v;
        let next = sum + power / f64::from(odd);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

/// `x^a y^b / B(a, b)` for `y = 1 - x`.
fn beta_prefactor(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let n = a + b;
    let stirling = stirling_error(n) - stirling_error(a) - stirling_error(b);
    (stirling - deviance(a, n * x) - deviance(b, n * y)).exp() * (a * b / (n * 2.0 * PI)).sqrt()
}

/// Regularised incomplete beta function `(I_x(a, b), 1 - I_x(a, b))`, each accurate in relative terms.
///
/// `y` is `1 - x`, given apart because only the caller knows it without cancellation. `a, b > 0`, `0 <= x <= 1`.
/// Source: DLMF 8.17.22 (continued fraction, Lentz), symmetry 8.17.4.
pub fn beta_inc(a: f64, b: f64, x: f64, y: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if y <= 0.0 {
        return (1.0, 0.0);
    }
    let prefactor = beta_prefactor(a, b, x, y);
    if x <= (a + 1.0) / (a + b + 2.0) {
        let lower = prefactor * beta_fraction(a, b, x) / a;
        (lower, 1.0 - lower)
    } else {
        let upper = prefactor * beta_fraction(b, a, y) / b;
        (1.0 - upper, upper)
    }
}

/// The continued fraction of `I_x(a, b)`.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = nonzero(1.0 - (a + b) * x / (a + 1.0)).recip();
    let mut h = d;
    for m in 1..MAX_TERMS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = nonzero(1.0 + even * d).recip();
        c = nonzero(1.0 + even / c);
        h *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = nonzero(1.0 + odd * d).recip();
        c = nonzero(1.0 + odd / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// Lentz's guard against a division by zero.
fn nonzero(v: f64) -> f64 {
    if v.abs() < 1e-300 { 1e-300 } else { v }
}

/// Regularised incomplete gamma functions `(P(a, x), Q(a, x))`, `a > 0`, `x >= 0`.
///
/// Source: DLMF 8.7.1 (series), 8.9.2 (continued fraction).
pub fn gamma_inc(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x == f64::INFINITY {
        return (1.0, 0.0);
    }
    let density = gamma_log_density(a, x);
    if x < a + 1.0 {
        let lower = density / a * gamma_series(a, x);
        (lower, 1.0 - lower)
    } else {
        let upper = density * gamma_fraction(a, x);
        (1.0 - upper, upper)
    }
}

/// `x^a e^-x / Γ(a)`: density of the logarithm of a gamma variable of shape a, at `ln x`.
pub(crate) fn gamma_log_density(a: f64, x: f64) -> f64 {
    (-stirling_error(a) - deviance(a, x)).exp() * (a / (2.0 * PI)).sqrt()
}

/// `sum x^k / ((a+1)...(a+k))`.
fn gamma_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..MAX_TERMS {
        term *= x / (a + f64::from(k));
        sum += term;
        if term < NEGLIGIBLE * sum {
            break;
        }
    }
    sum
}

/// `Q(a, x) Γ(a) e^x / x^a`, by Lentz.
fn gamma_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let mut c = 1e300;
    let mut d = nonzero(b).recip();
    let mut h = d;
    for k in 1..MAX_TERMS {
        let k = f64::from(k);
        let numerator = -k * (k - a);
        b += 2.0;
        d = nonzero(numerator * d + b).recip();
        c = nonzero(b + numerator / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    h
}

/// Upper tail of chi-square with `k` degrees of freedom: `Q(k/2, x/2)`.
pub fn chi2_sf(x: f64, k: f64) -> f64 {
    gamma_inc(0.5 * k, 0.5 * x).1
}

/// `P(X <= k)` for `X ~ Binomial(n, p)`: `I_{1-p}(n-k, k+1)`.
pub fn binom_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    beta_inc((n - k) as f64, k as f64 + 1.0, 1.0 - p, p).0
}

/// Smallest k with `P(X <= k) >= probability` for `X ~ Binomial(n, p)`.
///
/// Bisection between bounds that are doubled outwards from the normal approximation.
pub fn binom_ppf(probability: f64, n: u64, p: f64) -> u64 {
    let reaches = |k: u64| binom_cdf(k, n, p) >= probability;
    let sigma = (n as f64 * p * (1.0 - p)).sqrt();
    let guess = (n as f64 * p + sigma * super::norm_ppf(probability)).clamp(0.0, n as f64) as u64;
    let mut step = 2;
    let mut high = guess;
    while high < n && !reaches(high) {
        high = high.saturating_add(step).min(n);
        step *= 2;
    }
    step = 2;
    let mut low = guess.min(high);
    while low > 0 && reaches(low) {
        low = low.saturating_sub(step);
        step *= 2;
    }
    // Now low fails (or is 0) and high holds.
    while low < high {
        let middle = low + (high - low) / 2;
        if reaches(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    high
}
