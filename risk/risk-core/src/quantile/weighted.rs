//! The sample whose scenarios weigh differently.

use super::VarEs;
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::units::{Confidence, Decay};

/// Slack for the rounding of cumulated weights (risk specification, §6).
const WEIGHT_SLACK: f64 = 1e-12;

/// Age weights `w_i ∝ λ^(n-1-i)`, oldest first, which add up to 1.
///
/// Source: Boudoukh, Richardson & Whitelaw, *The best of both worlds*, Risk 11, 1998.
pub fn age_weights(n: usize, lambda: Decay) -> Vec<f64> {
    let mut weights: Vec<f64> = (0..n).rev().map(|age| lambda.get().powf(age as f64)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= total);
    weights
}

/// VaR and ES of weighted losses, weights adding up to 1.
///
/// Formula: VaR is the smallest loss whose cumulated weight, losses ascending, reaches `c - 1e-12`; ES the weighted
/// mean of the worst losses up to weight `p`, the last of them in part.
/// Units: money, loss positive. Source: Boudoukh, Richardson & Whitelaw 1998; Acerbi & Tasche 2002.
pub fn weighted_var_es(
    computation: &'static str,
    losses: &[f64],
    weights: &[f64],
    confidence: Confidence,
) -> Result<VarEs> {
    if losses.is_empty() {
        return Err(RiskError::too_few(computation, "needs", "at least 1 loss", 0));
    }
    require_len(computation, "weights", weights, losses.len(), "losses")?;
    require_finite(computation, "losses", losses)?;
    require_finite(computation, "weights", weights)?;
    if let Some(negative) = weights.iter().find(|w| **w < 0.0) {
        return Err(RiskError::invalid(computation, "weights", "must not be negative", negative));
    }
    let mut ascending: Vec<(f64, f64)> = losses.iter().copied().zip(weights.iter().copied()).collect();
    ascending.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let var = weighted_var(&ascending, confidence);
    let es = weighted_tail_mean(&ascending, confidence).max(var);
    require_finite(computation, "es", &[es])?;
    Ok(VarEs { var, es })
}

fn weighted_var(ascending: &[(f64, f64)], confidence: Confidence) -> f64 {
    let mut cumulated = 0.0;
    for (loss, weight) in ascending {
        cumulated += weight;
        if cumulated >= confidence.ratio() - WEIGHT_SLACK {
            return *loss;
        }
    }
    ascending.last().map_or(f64::NEG_INFINITY, |(loss, _)| *loss)
}

fn weighted_tail_mean(ascending: &[(f64, f64)], confidence: Confidence) -> f64 {
    let mut left = confidence.tail().get();
    let (mut sum, mut total) = (0.0, 0.0);
    for (loss, weight) in ascending.iter().rev() {
        let part = weight.min(left);
        sum += part * loss;
        total += part;
        left -= part;
        if left <= 0.0 {
            break;
        }
    }
    if total > 0.0 { sum / total } else { f64::NEG_INFINITY }
}
