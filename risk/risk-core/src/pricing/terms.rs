//! What the lognormal formulas of Merton and Black share.

use super::OptionKind;
use crate::special::{norm_cdf, norm_pdf};

/// `d1`, `d2` and the normal terms at them, of `w (F N(w d1) - K N(w d2))`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    /// `N(w d1)`.
    pub cdf1: f64,
    /// `N(w d2)`.
    pub cdf2: f64,
    /// `n(d1)`.
    pub pdf1: f64,
    /// `n(d1) / v`; 0 when `v = 0`.
    pub pdf1_per_v: f64,
    /// `d1`; 0 when `v = 0`, where every term it enters vanishes.
    pub d1: f64,
    /// `d2`; 0 when `v = 0`.
    pub d2: f64,
}

impl Terms {
    /// Terms for `log_forward = ln(F/K)` and `v = vol sqrt(T)`.
    ///
    /// At `v = 0` the cumulative terms become the step at `F = K`, with 1/2 on it.
    pub fn new(kind: OptionKind, log_forward: f64, v: f64) -> Self {
        let w = kind.sign();
        if v == 0.0 {
            let step = step(w * log_forward);
            return Self { cdf1: step, cdf2: step, pdf1: 0.0, pdf1_per_v: 0.0, d1: 0.0, d2: 0.0 };
        }
        let d1 = log_forward / v + 0.5 * v;
        let d2 = d1 - v;
        let pdf1 = norm_pdf(d1);
        if pdf1 == 0.0 {
            // So far out that all derivatives vanish; d1 may even be infinite.
            return Self { cdf1: norm_cdf(w * d1), cdf2: norm_cdf(w * d2), pdf1, pdf1_per_v: 0.0, d1: 0.0, d2: 0.0 };
        }
        Self { cdf1: norm_cdf(w * d1), cdf2: norm_cdf(w * d2), pdf1, pdf1_per_v: pdf1 / v, d1, d2 }
    }
}

/// 1 above zero, 1/2 at zero, 0 below.
pub(super) fn step(x: f64) -> f64 {
    match x.partial_cmp(&0.0) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        _ => 0.0,
    }
}

/// `ln(a/b)`, to the last digits also where the two nearly agree.
pub(super) fn log_ratio(a: f64, b: f64) -> f64 {
    let relative = (a - b) / b;
    if relative.abs() < 0.5 {
        return relative.ln_1p();
    }
    let ratio = a / b;
    if ratio.is_normal() { ratio.ln() } else { a.ln() - b.ln() }
}
