//! VaR and ES by the Cornish-Fisher expansion.

use super::Cumulants;
use crate::check::representable;
use crate::error::Result;
use crate::quantile::VarEs;
use crate::special::{norm_pdf, norm_ppf};
use crate::units::Tail;

const COMPUTATION: &str = "cornish_fisher_var";

/// VaR and ES of the expansion, and whether to believe them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CornishFisher {
    /// The quantile `w` of the standardised P&L.
    pub z_cf: f64,
    /// VaR and ES, money, losses positive.
    pub figures: VarEs,
    /// True when the expansion rises everywhere. When not, the answer stands with a warning: its quantiles
    /// may fall as confidence rises, and ES may be below VaR.
    pub monotone: bool,
}

/// VaR and ES from four cumulants.
///
/// Formula: with `z = ppf(p)`, skewness S, excess kurtosis K,
/// `w = z + (z²-1)S/6 + (z³-3z)K/24 - (2z³-5z)S²/36`, `VaR = -(k1 + sqrt(k2) w)`,
/// `ES = -k1 + sqrt(k2) n(z)/p (1 + zS/6 + (z²-1)K/24 - (2z²-1)S²/36)`. Without variance both are `-k1`.
/// Units: money, losses positive.
/// Source: Cornish and Fisher 1937; Jaschke 2002; Maillard 2012 (the domain).
pub fn cornish_fisher(cumulants: &Cumulants, tail: Tail) -> Result<CornishFisher> {
    let (p, z) = (tail.get(), norm_ppf(tail.get()));
    let (mean, sigma) = (cumulants.k1, cumulants.k2.max(0.0).sqrt());
    let (s, k) = (cumulants.skewness(), cumulants.excess_kurtosis());
    let z2 = z * z;
    let w = z + (z2 - 1.0) * s / 6.0 + z * (z2 - 3.0) * k / 24.0 - z * (2.0 * z2 - 5.0) * s * s / 36.0;
    let severity = 1.0 + z * s / 6.0 + (z2 - 1.0) * k / 24.0 - (2.0 * z2 - 1.0) * s * s / 36.0;
    let var = representable(COMPUTATION, "var", -(mean + sigma * w))?;
    let es = representable(COMPUTATION, "es", -mean + sigma * norm_pdf(z) / p * severity)?;
    let figures = if sigma == 0.0 { VarEs { var: -mean, es: -mean } } else { VarEs { var, es } };
    Ok(CornishFisher { z_cf: w, figures, monotone: is_monotone(s, k) })
}

/// True iff `dw/dz = a z² + b z + c > 0` for every z.
fn is_monotone(s: f64, k: f64) -> bool {
    let a = k / 8.0 - s * s / 6.0;
    let b = s / 3.0;
    let c = 1.0 - k / 8.0 + 5.0 * s * s / 36.0;
    (a > 0.0 && b * b < 4.0 * a * c) || (a == 0.0 && b == 0.0 && c > 0.0)
}
