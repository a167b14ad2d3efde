//! VaR and ES of simulated losses, and how far they may be off.

use super::Simulation;
use crate::error::{Result, require_finite};
use crate::quantile::{Interval, OrderedLosses};
use crate::special::t_ppf;
use crate::units::Confidence;

/// VaR and ES at one level. Money, losses positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MonteCarloLevel {
    /// The level.
    pub confidence: Confidence,
    /// Value at risk.
    pub var: f64,
    /// Its standard error.
    pub var_se: f64,
    /// Its 95 % interval; an unbounded end is absent.
    pub var_ci95: Interval,
    /// Expected shortfall.
    pub es: f64,
    /// Its standard error.
    pub es_se: f64,
    /// Its 95 % interval.
    pub es_ci95: Interval,
    /// Fewer than ten scenarios (of a replication) lie in the tail.
    pub few_tail_scenarios: bool,
}

/// Estimates for all levels, in the order asked.
///
/// Pseudo-random: order statistics, their interval by ranks, `es ± 1.96 es_se`. Sobol: mean over the replications of
/// the VaR at mid-ranks and the ES, standard error `sd/√R`, intervals of Student's t with R - 1 degrees of freedom.
pub(super) fn levels(
    computation: &'static str,
    simulation: &Simulation,
    losses: Vec<f64>,
    confidences: &[Confidence],
) -> Result<Vec<MonteCarloLevel>> {
    if simulation.replications() == 1 {
        let sample = select(computation, losses, confidences)?;
        return confidences.iter().map(|&c| order_statistic_level(&sample, c)).collect();
    }
    let samples: Vec<OrderedLosses> = losses
        .chunks_exact(simulation.replication_len())
        .map(|losses| select(computation, losses.to_vec(), confidences))
        .collect::<Result<_>>()?;
    confidences.iter().map(|&c| replicated_level(computation, &samples, c)).collect()
}

fn select(computation: &'static str, losses: Vec<f64>, confidences: &[Confidence]) -> Result<OrderedLosses> {
    let n = losses.len();
    let lowest = confidences.iter().map(|&c| OrderedLosses::lowest_rank(n, c)).min().unwrap_or(n);
    OrderedLosses::select(computation, losses, lowest)
}

fn order_statistic_level(sample: &OrderedLosses, confidence: Confidence) -> Result<MonteCarloLevel> {
    let (es, es_se) = (sample.tail_mean(confidence)?, sample.es_standard_error(confidence)?);
    Ok(MonteCarloLevel {
        confidence,
        var: sample.var(confidence)?,
        var_se: sample.var_standard_error(confidence)?,
        var_ci95: sample.var_interval(confidence),
        es,
        es_se,
        es_ci95: around(es, 1.96 * es_se),
        few_tail_scenarios: sample.has_few_tail_scenarios(confidence),
    })
}

fn replicated_level(
    computation: &'static str,
    samples: &[OrderedLosses],
    confidence: Confidence,
) -> Result<MonteCarloLevel> {
    let var: Vec<f64> = samples.iter().map(|s| s.mid_rank_var(confidence)).collect::<Result<_>>()?;
    let es: Vec<f64> = samples.iter().map(|s| s.tail_mean(confidence)).collect::<Result<_>>()?;
    let ((var, var_se), (es, es_se)) = (mean_and_error(&var), mean_and_error(&es));
    require_finite(computation, "estimates", &[var, var_se, es, es_se])?;
    let t = t_ppf(0.975, samples.len() as f64 - 1.0);
    Ok(MonteCarloLevel {
        confidence,
        var,
        var_se,
        var_ci95: around(var, t * var_se),
        es,
        es_se,
        es_ci95: around(es, t * es_se),
        few_tail_scenarios: samples.iter().any(|s| s.has_few_tail_scenarios(confidence)),
    })
}

/// Mean, and standard error `sd / √R`.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let r = values.len() as f64;
    let mean = values.iter().sum::<f64>() / r;
    let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (square / (r - 1.0) / r).sqrt())
}

fn around(centre: f64, half_width: f64) -> Interval {
    Interval { lower: Some(centre - half_width), upper: Some(centre + half_width) }
}
