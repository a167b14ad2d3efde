//! VaR and ES of simulated losses, and how far they may be off.

use super::Simulation;
use crate::error::{Result, require_finite};
use crate::quantile::{Interval, OrderedLosses};
use crate::rng::FILL_BLOCK;
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

/// A loss that was drawn under a twist, and the weight that undoes it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Weighted {
    pub loss: f64,
    pub weight: f64,
}

/// Estimates of one level from weighted scenarios. With strata a block holds as many of each, one after the other.
///
/// The mean over the replications for Sobol; otherwise errors from the sample: `sd(w 1{L > VaR}) / (f √N)`, the density
/// replaced by a difference quotient, and `sd(w (L - VaR)⁺) / (p √N)`; the variance of strata is that within them.
/// Source: Glasserman 2003 §9.2.3.
pub(super) fn weighted_level(
    computation: &'static str,
    simulation: &Simulation,
    scenarios: Vec<Weighted>,
    strata: usize,
    confidence: Confidence,
) -> Result<MonteCarloLevel> {
    let sum: f64 = scenarios.iter().map(|s| s.loss * 0.0 + s.weight * 0.0).sum();
    // Zero exactly when all are finite.
    require_finite(computation, "losses", &[sum])?;
    let tails: Vec<WeightedTail> = scenarios
        .chunks_exact(simulation.replication_len())
        .map(|scenarios| WeightedTail::new(scenarios, strata))
        .collect();
    let p = confidence.tail().get();
    let var: Vec<f64> = tails.iter().map(|t| t.quantile(p)).collect();
    let es: Vec<f64> = tails.iter().map(|t| t.tail_mean(p)).collect();
    let few_tail_scenarios = tails.iter().zip(&var).any(|(t, var)| t.beyond(*var) < 10);
    let (mut var_and_error, mut es_and_error) = (mean_and_error(&var), mean_and_error(&es));
    let mut width = t_ppf(0.975, tails.len() as f64 - 1.0);
    if let [tail] = tails.as_slice() {
        width = 1.96;
        var_and_error = (var_and_error.0, tail.quantile_error(p));
        es_and_error = (es_and_error.0, tail.tail_mean_error(p));
    }
    let ((var, var_se), (es, es_se)) = (var_and_error, es_and_error);
    require_finite(computation, "estimates", &[var, var_se, es, es_se])?;
    Ok(MonteCarloLevel {
        confidence,
        var,
        var_se,
        var_ci95: around(var, width * var_se),
        es,
        es_se,
        es_ci95: around(es, width * es_se),
        few_tail_scenarios,
    })
}

/// Scenarios in their order, and `(loss, weight / N)` from the worst down.
struct WeightedTail<'a> {
    scenarios: &'a [Weighted],
    descending: Vec<(f64, f64)>,
    strata: usize,
}

impl<'a> WeightedTail<'a> {
    fn new(scenarios: &'a [Weighted], strata: usize) -> Self {
        let n = scenarios.len() as f64;
        let mut descending: Vec<_> = scenarios.iter().map(|s| (s.loss, s.weight / n)).collect();
        // Ties by weight, so that the order does not depend on the sort.
        descending.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| b.1.total_cmp(&a.1)));
        Self { scenarios, descending, strata }
    }

    /// The loss that is exceeded with probability p; each scenario stands for the middle of its weight.
    fn quantile(&self, p: f64) -> f64 {
        let mut cumulated = 0.0;
        let mut last: Option<(f64, f64)> = None;
        for &(loss, weight) in &self.descending {
            let place = cumulated + 0.5 * weight;
            if place >= p {
                return match last {
                    Some((above, before)) => loss + (above - loss) * ((place - p) / (place - before)).min(1.0),
                    None => loss,
                };
            }
            cumulated += weight;
            last = Some((loss, place));
        }
        last.map_or(f64::NAN, |(loss, _)| loss)
    }

    /// Weighted mean of the losses in the tail of probability p, the last of them in part.
    fn tail_mean(&self, p: f64) -> f64 {
        let (mut left, mut sum, mut lowest) = (p, 0.0, f64::NAN);
        for &(loss, weight) in &self.descending {
            let part = weight.min(left);
            sum += part * loss;
            left -= part;
            lowest = loss;
            if left <= 0.0 {
                break;
            }
        }
        (sum + left * lowest) / p
    }

    fn quantile_error(&self, p: f64) -> f64 {
        let var = self.quantile(p);
        let error = self.deviation(|loss| f64::from(u8::from(loss > var)));
        0.5 * (self.quantile((p - error).max(0.5 * p)) - self.quantile(p + error)).abs()
    }

    fn tail_mean_error(&self, p: f64) -> f64 {
        let var = self.quantile(p);
        self.deviation(|loss| (loss - var).max(0.0)) / p
    }

    /// Standard error of the weighted mean of f over the scenarios: of the mean of the strata's means.
    fn deviation(&self, f: impl Fn(f64) -> f64) -> f64 {
        let quota = (FILL_BLOCK / self.strata).max(1);
        let each = self.scenarios.len() as f64 / self.strata as f64;
        let (mut sums, mut squares) = (vec![0.0; self.strata], 0.0);
        for block in self.scenarios.chunks(FILL_BLOCK) {
            for (sum, scenarios) in sums.iter_mut().zip(block.chunks(quota)) {
                for value in scenarios.iter().map(|s| s.weight * f(s.loss)) {
                    *sum += value;
                    squares += value * value;
                }
            }
        }
        // Values of a stratum differ by percents, so the difference keeps ten digits.
        let within = squares - sums.iter().map(|sum| sum * sum / each).sum::<f64>();
        (within.max(0.0) / (each - 1.0) / each).sqrt() / self.strata as f64
    }

    fn beyond(&self, var: f64) -> usize {
        self.descending.partition_point(|(loss, _)| *loss > var)
    }
}

/// Mean, and standard error `sd / √R`.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let r = values.len() as f64;
    let mean = values.iter().sum::<f64>() / r;
    let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (square / (r - 1.0) / r).sqrt())
}

fn around(centre: f64, half_width: f64) -> Interval {
    // An end past the largest double is unbounded.
    let end = |value: f64| Some(value).filter(|v| v.is_finite());
    Interval { lower: end(centre - half_width), upper: end(centre + half_width) }
}
