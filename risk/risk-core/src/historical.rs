//! Historical simulation: past returns as equally likely, or age-weighted, scenarios.
//!
//! Sources: McNeil, Frey & Embrechts, *Quantitative Risk Management*, 2015, §9.2.3; Tasche 1999 (components);
//! Boudoukh, Richardson & Whitelaw 1998 (age weights).

use crate::error::{Result, RiskError, require_finite, require_len};
use crate::matrix::{MatrixRef, dot};
use crate::quantile::{Interval, OrderedLosses, QuantileRule, VarEs, age_weights, weighted_var_es};
use crate::units::{Confidence, Decay, TailCount};

/// VaR and ES of a portfolio over its past. Money, losses positive.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoricalRisk {
    /// The level.
    pub confidence: Confidence,
    /// Value at risk, by the rule asked for.
    pub var: f64,
    /// Expected shortfall, the mean of exactly `n p` scenarios.
    pub es: f64,
    /// Parts of the ES, one an exposure; add up to it.
    pub component_es: Vec<f64>,
    /// 95 % interval of the VaR from order statistics.
    pub var_ci95: Interval,
    /// Fewer than ten scenarios lie in the tail.
    pub few_tail_scenarios: bool,
}

/// VaR, ES and component ES by historical simulation, one entry a level in the order asked.
///
/// Formula: losses `-x·r_i`; VaR by `rule`, ES their tail mean; `component_es_j` is the same tail mean of
/// `-x_j r_ij`, the last scenario in part. Equal losses enter the tail in the order of their rows.
/// Units: `exposures` money per unit return, short negative; `returns` n x K arithmetic, oldest row first.
/// Source: QRM (2015) §9.2.3; Tasche 1999.
pub fn historical_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    rule: QuantileRule,
    confidences: &[Confidence],
) -> Result<Vec<HistoricalRisk>> {
    const NAME: &str = "historical_var";
    let losses = portfolio_losses(NAME, exposures, returns)?;
    let worst = worst_rows(&losses, confidences);
    let sample = OrderedLosses::sort(NAME, losses)?;
    confidences
        .iter()
        .map(|&confidence| {
            let component_es = tail_components(exposures, returns, &worst, confidence.tail_count(sample.len()));
            require_finite(NAME, "component_es", &component_es)?;
            Ok(HistoricalRisk {
                confidence,
                var: sample.var_by(rule, confidence)?,
                es: sample.tail_mean(confidence)?,
                component_es,
                var_ci95: sample.var_interval(confidence),
                few_tail_scenarios: sample.has_few_tail_scenarios(confidence),
            })
        })
        .collect()
}

/// VaR and ES with age-weighted scenarios, one entry a level in the order asked.
///
/// Formula: weights `w_i ∝ λ^(n-1-i)`; VaR is the smallest loss whose cumulated weight reaches c, ES the weighted mean
/// of the tail of weight p. Units: as [`historical_risk`].
/// Source: Boudoukh, Richardson & Whitelaw, *The best of both worlds*, Risk 11, 1998.
pub fn age_weighted_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    lambda: Decay,
    confidences: &[Confidence],
) -> Result<Vec<VarEs>> {
    const NAME: &str = "age_weighted_var";
    let losses = portfolio_losses(NAME, exposures, returns)?;
    let weights = age_weights(losses.len(), lambda);
    confidences.iter().map(|&confidence| weighted_var_es(NAME, &losses, &weights, confidence)).collect()
}

/// `-x·r_i`, one loss a row of returns; refuses shapes that do not fit, an empty sample, NaN and infinity.
pub fn portfolio_losses(computation: &'static str, exposures: &[f64], returns: MatrixRef<'_>) -> Result<Vec<f64>> {
    require_len(computation, "exposures", exposures, returns.cols(), "the columns of returns")?;
    require_finite(computation, "exposures", exposures)?;
    if returns.rows() == 0 || returns.cols() == 0 {
        return Err(RiskError::too_few(computation, "needs", "at least 1 row and 1 column of returns", returns.rows()));
    }
    let losses: Vec<f64> = returns.row_iter().map(|row| -dot(exposures, row)).collect();
    // Only an overflow is refused here.
    require_finite(computation, "losses", &losses)?;
    Ok(losses)
}

/// Rows of the losses that any of the tails reads, worst first; ties go to the earlier row.
fn worst_rows(losses: &[f64], confidences: &[Confidence]) -> Vec<usize> {
    let deepest = confidences.iter().map(|c| c.tail_count(losses.len()).whole + 1).max().unwrap_or(0);
    let mut rows: Vec<(f64, usize)> = losses.iter().copied().zip(0..).collect();
    // Adding 0 makes -0 equal to 0.
    let worse = |a: &(f64, usize), b: &(f64, usize)| (b.0 + 0.0).total_cmp(&(a.0 + 0.0)).then(a.1.cmp(&b.1));
    if deepest < rows.len() {
        rows.select_nth_unstable_by(deepest, worse);
        rows.truncate(deepest);
    }
    rows.sort_unstable_by(worse);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// Tail mean of `-x_j r_ij` over the worst rows.
fn tail_components(exposures: &[f64], returns: MatrixRef<'_>, worst: &[usize], tail: TailCount) -> Vec<f64> {
    // Below one scenario the tail is the worst loss alone.
    let (whole, fraction, total) =
        if tail.whole == 0 { (1, 0.0, 1.0) } else { (tail.whole, tail.fraction, tail.total) };
    let mut sums = vec![0.0; exposures.len()];
    for (place, &row) in worst.iter().take(whole + 1).enumerate() {
        let weight = if place < whole { 1.0 } else { fraction };
        sums.iter_mut().zip(returns.row(row)).for_each(|(sum, r)| *sum += weight * r);
    }
    sums.iter().zip(exposures).map(|(sum, x)| -x * (sum / total)).collect()
}
