//! VaR and ES in closed form, for Gaussian and Student-t returns.
//!
//! Sources: RiskMetrics Technical Document 1996; Jorion, *Value at Risk*, 2007, ch. 5-7; McNeil, Frey & Embrechts,
//! *Quantitative Risk Management*, 2015, §2.2 and §8.5.

mod moments;

pub use moments::Moments;

use moments::Spread;

use crate::error::{Result, RiskError, require_finite, require_len};
use crate::matrix::dot;
use crate::progress::Progress;
use crate::special::{norm_pdf, norm_ppf, t_pdf, t_ppf};
use crate::units::{Distribution, HorizonDays, Tail};

const NAME: &str = "parametric_var";

/// By how many standard deviations VaR and ES lie beyond the mean, for a variable of unit variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Multipliers {
    /// `k`: VaR of a standardised variable.
    pub var: f64,
    /// `e`: ES of a standardised variable.
    pub es: f64,
}

impl Multipliers {
    /// The multipliers of a distribution at a tail probability p.
    ///
    /// Formula: normal `k = -Φ⁻¹(p)`, `e = φ(k)/p`; Student-t with `q = -t⁻¹(p)`: `k = q √((ν-2)/ν)`,
    /// `e = √((ν-2)/ν) (ν+q²)/(ν-1) f(q)/p`, f its density.
    /// Source: QRM (2015) examples 2.11, 2.14, 2.15.
    pub fn of(distribution: Distribution, tail: Tail) -> Self {
        let p = tail.get();
        match distribution {
            Distribution::Normal => {
                let z = -norm_ppf(p);
                Self { var: z, es: norm_pdf(z) / p }
            }
            Distribution::StudentT(nu) => {
                let nu = nu.get();
                let scale = ((nu - 2.0) / nu).sqrt();
                let q = -t_ppf(p, nu);
                // (ν+q²)/(ν-1) f(q)/p, arranged so that q² of a heavy tail does not overflow.
                let es = scale * (nu / (nu - 1.0) + q * (q / (nu - 1.0))) * (t_pdf(q, nu) / p);
                Self { var: q * scale, es }
            }
        }
    }
}

/// VaR and ES of a portfolio and how its exposures make them up. Money, losses positive.
#[derive(Debug, Clone, PartialEq)]
pub struct ParametricRisk {
    /// Standard deviation of the one-day P&L.
    pub sigma_1d: f64,
    /// Value at risk over the horizon.
    pub var: f64,
    /// Expected shortfall over the horizon.
    pub es: f64,
    /// Change of VaR per unit of each exposure.
    pub marginal_var: Vec<f64>,
    /// `x_i` times marginal; adds up to VaR.
    pub component_var: Vec<f64>,
    /// Change of ES per unit of each exposure.
    pub marginal_es: Vec<f64>,
    /// `x_i` times marginal; adds up to ES.
    pub component_es: Vec<f64>,
    /// VaR of each exposure alone.
    pub standalone_var: Vec<f64>,
    /// VaR of the whole less VaR without the exposure.
    pub incremental_var: Vec<f64>,
}

/// VaR and ES with marginal, component, standalone and incremental parts, O(K²); of n past returns O(n K).
///
/// Formula: `VaR = -x·μ h + k s √h`, `ES = -x·μ h + e s √h`, `s² = x' Σ x`; with `g = Σ x`, marginal
/// `-μ_i h + k √h g_i / s` (`-μ_i h` where s = 0); standalone `-x_i μ_i h + k √h |x_i| σ_i`; incremental
/// `VaR(x) - VaR(x without i)` in full.
/// Units: `exposures` money per unit return, short negative; `mean` and `moments` of one-day returns, an empty `mean` is
/// zero; `multipliers` from [`Multipliers::of`].
/// Source: RiskMetrics 1996; Jorion 2007 ch. 7.
pub fn parametric_risk<'a>(
    exposures: &'a [f64],
    mean: &[f64],
    moments: impl Into<Moments<'a>>,
    multipliers: Multipliers,
    horizon: HorizonDays,
    progress: &Progress,
) -> Result<ParametricRisk> {
    check(exposures, mean, multipliers)?;
    let zeros = vec![0.0; if mean.is_empty() { exposures.len() } else { 0 }];
    let mean = if mean.is_empty() { &zeros } else { mean };
    let spread = Spread::new(exposures, moments.into())?;
    let model = Model { x: exposures, mean, spread, multipliers, horizon };
    let risk = model.risk(progress)?;
    for (what, values) in [
        ("var", std::slice::from_ref(&risk.var)),
        ("es", std::slice::from_ref(&risk.es)),
        ("marginal_var", &risk.marginal_var),
        ("component_var", &risk.component_var),
        ("marginal_es", &risk.marginal_es),
        ("component_es", &risk.component_es),
        ("standalone_var", &risk.standalone_var),
        ("incremental_var", &risk.incremental_var),
    ] {
        // Only an overflow gets here: the inputs are finite.
        require_finite(NAME, what, values)?;
    }
    Ok(risk)
}

fn check(x: &[f64], mean: &[f64], multipliers: Multipliers) -> Result<()> {
    require_finite(NAME, "exposures", x)?;
    if !mean.is_empty() {
        require_len(NAME, "mean", mean, x.len(), "the exposures")?;
        require_finite(NAME, "mean", mean)?;
    }
    if multipliers.var.is_finite() && multipliers.es.is_finite() {
        return Ok(());
    }
    Err(RiskError::invalid(NAME, "multipliers", "must be finite", format!("{multipliers:?}")))
}

struct Model<'a> {
    x: &'a [f64],
    mean: &'a [f64],
    spread: Spread<'a>,
    multipliers: Multipliers,
    horizon: HorizonDays,
}

impl Model<'_> {
    fn risk(&self, progress: &Progress) -> Result<ParametricRisk> {
        let Spread { gradient: g, variance, .. } = &self.spread;
        let sigma = variance.sqrt();
        let expected_loss = -dot(self.x, self.mean);
        let Multipliers { var: k, es: e } = self.multipliers;
        let var = self.loss(expected_loss, k, sigma);
        let marginal_var = self.marginal(g, sigma, k);
        let marginal_es = self.marginal(g, sigma, e);
        Ok(ParametricRisk {
            sigma_1d: sigma,
            var,
            es: self.loss(expected_loss, e, sigma),
            component_var: self.components(&marginal_var),
            component_es: self.components(&marginal_es),
            marginal_var,
            marginal_es,
            standalone_var: self.standalone(),
            incremental_var: self.incremental(expected_loss, var, progress)?,
        })
    }

    /// `expected loss · h + k s √h`.
    fn loss(&self, expected_loss: f64, k: f64, sigma: f64) -> f64 {
        let h = self.horizon.days();
        expected_loss * h + k * sigma * h.sqrt()
    }

    fn marginal(&self, g: &[f64], sigma: f64, k: f64) -> Vec<f64> {
        let slope = |g: &f64| if sigma > 0.0 { g / sigma } else { 0.0 };
        g.iter().zip(self.mean).map(|(g, mean)| self.loss(-mean, k, slope(g))).collect()
    }

    fn components(&self, marginal: &[f64]) -> Vec<f64> {
        self.x.iter().zip(marginal).map(|(x, m)| x * m).collect()
    }

    fn standalone(&self) -> Vec<f64> {
        let alone = |((x, mean), variance): ((&f64, &f64), &f64)| {
            self.loss(-x * mean, self.multipliers.var, x.abs() * variance.max(0.0).sqrt())
        };
        self.x.iter().zip(self.mean).zip(&self.spread.variances).map(alone).collect()
    }

    /// Without exposure i the variance is `v - 2 x_i g_i + x_i² Σ_ii`; rebuilt from scratch where that cancels.
    fn incremental(&self, expected_loss: f64, var: f64, progress: &Progress) -> Result<Vec<f64>> {
        let Spread { gradient, variance, variances, .. } = &self.spread;
        let mut out = Vec::with_capacity(self.x.len());
        for (i, (((x, mean), g), own)) in self.x.iter().zip(self.mean).zip(gradient).zip(variances).enumerate() {
            let without = variance - 2.0 * x * g + x * x * own;
            let variance_without = if without > 1e-3 * (variance + x * x * own) {
                without
            } else {
                progress.check(NAME)?;
                self.spread.variance_without(i)
            };
            let loss = self.loss(expected_loss + x * mean, self.multipliers.var, variance_without.sqrt());
            out.push(var - loss);
        }
        Ok(out)
    }
}
