//! Forecasts of VaR and ES day by day, as a desk would have made them.

use crate::error::{Result, RiskError, require_finite};
use crate::progress::Progress;
use crate::quantile::{OrderedLosses, QuantileRule, VarEs};
use crate::special::{norm_pdf, norm_ppf};
use crate::units::{Confidence, Decay};
use crate::volatility::VolatilityModel;

const COMPUTATION: &str = "rolling_forecast";

/// How the forecast of a day comes from the returns before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ForecastMethod {
    /// The window's losses as they are.
    Historical(QuantileRule),
    /// The normal quantile times the exponentially weighted volatility.
    Normal(Decay),
    /// The window's losses over their volatility forecasts, times the next forecast.
    Filtered(VolatilityModel),
}

/// One-day VaR and ES forecasts for the days `window..n` of a return series.
///
/// The forecast for day t reads the returns `t - window..t` and a variance filter up to `t - 1`: nothing of day t.
/// The filter starts at the first return of the series, not of each window.
/// Units: returns are ratios or money, oldest first; forecasts in the same unit, losses positive.
/// Errors: `TooFewObservations` when the series is no longer than the window; `ZeroVariance` when a filtered
/// method meets a variance of 0; `InvalidInput` for a window of 0, NaN and infinity.
/// Source: Hull and White 1998; Barone-Adesi et al. 1999; RiskMetrics 1996.
pub fn rolling_forecast(
    returns: &[f64],
    window: usize,
    confidence: Confidence,
    method: ForecastMethod,
    progress: &Progress,
) -> Result<Vec<VarEs>> {
    require_finite(COMPUTATION, "returns", returns)?;
    if window == 0 {
        return Err(RiskError::invalid(COMPUTATION, "window", "must be positive", window));
    }
    if returns.len() <= window {
        return Err(RiskError::too_few(COMPUTATION, "needs", format!("more than {window} returns"), returns.len()));
    }
    match method {
        ForecastMethod::Historical(rule) => {
            let losses: Vec<f64> = returns.iter().map(|r| -r).collect();
            let scale = vec![1.0; returns.len()];
            scaled(&losses, &scale, window, confidence, rule, progress)
        }
        ForecastMethod::Normal(lambda) => normal(returns, window, confidence, lambda),
        ForecastMethod::Filtered(model) => {
            let sigma = model.variance(returns)?.positive_volatility(COMPUTATION)?;
            let losses: Vec<f64> = returns.iter().zip(&sigma.series).map(|(r, s)| -r / s).collect();
            scaled(&losses, &sigma.series, window, confidence, QuantileRule::InvertedCdf, progress)
        }
    }
}

/// Quantile and tail mean of each window of `losses`, times the scale of the day after it.
fn scaled(
    losses: &[f64],
    scale: &[f64],
    window: usize,
    confidence: Confidence,
    rule: QuantileRule,
    progress: &Progress,
) -> Result<Vec<VarEs>> {
    let days = losses.windows(window).zip(scale.iter().skip(window));
    days.map(|(losses, scale)| {
        progress.check(COMPUTATION)?;
        let ordered = OrderedLosses::sort(COMPUTATION, losses.to_vec())?;
        let (var, es) = (ordered.var_by(rule, confidence)?, ordered.tail_mean(confidence)?);
        Ok(VarEs { var: scale * var, es: scale * es })
    })
    .collect()
}

fn normal(returns: &[f64], window: usize, confidence: Confidence, lambda: Decay) -> Result<Vec<VarEs>> {
    let p = confidence.tail().get();
    let z = -norm_ppf(p);
    let variance = VolatilityModel::Ewma(lambda).variance(returns)?.variance;
    let forecast = |v: &f64| VarEs { var: z * v.sqrt(), es: norm_pdf(z) / p * v.sqrt() };
    Ok(variance.iter().skip(window).map(forecast).collect())
}
