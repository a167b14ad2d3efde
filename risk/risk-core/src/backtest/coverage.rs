//! Do exceptions come as often as they should, and independently?

use super::require_days;
use crate::check::probability;
use crate::error::{Result, RiskError};
use crate::special::{binom_cdf, chi2_sf};

/// How many exceptions in how many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceptions {
    /// Days tested, T.
    pub days: u64,
    /// Exceptions among them, x.
    pub count: u64,
}

/// Kupiec's test of the proportion of failures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kupiec {
    /// Likelihood ratio, chi-square with 1 degree of freedom; at least 0.
    pub lr_uc: f64,
    /// Probability of so large a ratio when the VaR is right.
    pub p_uc: f64,
    /// `P(X <= x)` under Binomial(T, p).
    pub cum_prob: f64,
    /// `P(X >= x)` under Binomial(T, p).
    pub p_at_least: f64,
}

/// Pairs of consecutive days by exception (1) and none (0), yesterday first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Transitions {
    /// None after none.
    pub n00: u64,
    /// An exception after none.
    pub n01: u64,
    /// None after an exception.
    pub n10: u64,
    /// An exception after an exception.
    pub n11: u64,
}

/// Christoffersen's tests of independence and of conditional coverage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Christoffersen {
    /// Likelihood ratio of independence, chi-square with 1 degree of freedom; at least 0.
    pub lr_ind: f64,
    /// Its p-value.
    pub p_ind: f64,
    /// Likelihood ratio of conditional coverage, `lr_uc + lr_ind`, chi-square with 2 degrees of freedom.
    pub lr_cc: f64,
    /// Its p-value.
    pub p_cc: f64,
}

impl Exceptions {
    /// Counts the exceptions of a series of days.
    pub fn count(hits: &[bool]) -> Self {
        Self { days: hits.len() as u64, count: hits.iter().filter(|hit| **hit).count() as u64 }
    }

    fn check(self, computation: &'static str, p: f64) -> Result<()> {
        require_days(computation, self.days)?;
        probability(computation, "p", p)?;
        if self.count <= self.days {
            return Ok(());
        }
        let why = format!("must be at most the {} days", self.days);
        Err(RiskError::invalid(computation, "exceptions", why, self.count))
    }
}

impl Transitions {
    /// Counts the pairs of a series of days, oldest first.
    pub fn count(hits: &[bool]) -> Self {
        let mut counts = Self::default();
        for pair in hits.windows(2) {
            match pair {
                [false, false] => counts.n00 += 1,
                [false, true] => counts.n01 += 1,
                [true, false] => counts.n10 += 1,
                _ => counts.n11 += 1,
            }
        }
        counts
    }
}

/// Test of unconditional coverage: is the proportion of exceptions p?
///
/// Formula: `LR = 2 [x ln(x / Tp) + (T-x) ln((T-x) / T(1-p))]`, with `0 ln 0 = 0`; chi-square, 1 degree.
/// Units: `p` is the tail probability of the VaR, 0.01 for 99 %.
/// Errors: `TooFewObservations` without days; `InvalidInput` for p outside (0, 1) or more exceptions than days.
/// Source: Kupiec, *Techniques for verifying the accuracy of risk measurement models*, 1995.
pub fn kupiec(exceptions: Exceptions, p: f64) -> Result<Kupiec> {
    exceptions.check("kupiec", p)?;
    let Exceptions { days, count } = exceptions;
    let lr_uc = ratio_uc(exceptions, p);
    Ok(Kupiec {
        lr_uc,
        p_uc: chi2_sf(lr_uc, 1.0),
        cum_prob: binom_cdf(count, days, p),
        // The upper tail as the lower tail of the days without exception: 1 - cdf would lose its digits.
        p_at_least: binom_cdf(days - count, days, 1.0 - p),
    })
}

/// Smallest and largest number of exceptions in `days` days that Kupiec's test accepts at `confidence`.
///
/// Errors: those of [`kupiec`]; `InvalidInput` for a confidence outside (0, 1).
/// Source: Kupiec 1995, table of non-rejection regions.
pub fn kupiec_acceptance(days: u64, p: f64, confidence: f64) -> Result<(u64, u64)> {
    const COMPUTATION: &str = "kupiec_acceptance";
    Exceptions { days, count: 0 }.check(COMPUTATION, p)?;
    probability(COMPUTATION, "confidence", confidence)?;
    let accepted = |count: u64| chi2_sf(ratio_uc(Exceptions { days, count }, p), 1.0) > 1.0 - confidence;
    // The ratio is convex in x with its minimum at Tp, so each end is found by bisection from the whole number there
    // that has the lower ratio, which need not be the nearer one.
    let below = ((days as f64 * p) as u64).min(days);
    let above = (below + 1).min(days);
    let ratio = |count| ratio_uc(Exceptions { days, count }, p);
    let middle = if ratio(above) < ratio(below) { above } else { below };
    let low = first_where(0, middle, &accepted);
    let high = first_where(middle, days + 1, &|count| count > days || (count > middle && !accepted(count)));
    Ok((low, high - 1))
}

/// Tests of independence and conditional coverage.
///
/// Formula: with `pi01 = n01/(n00+n01)`, `pi11 = n11/(n10+n11)`, `pi = (n01+n11)/(T-1)`,
/// `LR_ind = 2 ln[(1-pi01)^n00 pi01^n01 (1-pi11)^n10 pi11^n11 / ((1-pi)^(n00+n10) pi^(n01+n11))]`, at least 0;
/// an empty row contributes nothing. `LR_cc = LR_uc + LR_ind` with LR_uc on all T days.
/// Units: `p` is the tail probability of the VaR.
/// Errors: those of [`kupiec`]; `ShapeMismatch` when the pairs are not one fewer than the days.
/// Source: Christoffersen, *Evaluating interval forecasts*, 1998.
pub fn christoffersen(exceptions: Exceptions, transitions: Transitions, p: f64) -> Result<Christoffersen> {
    const COMPUTATION: &str = "christoffersen";
    exceptions.check(COMPUTATION, p)?;
    let Transitions { n00, n01, n10, n11 } = transitions;
    let pairs = [n00, n01, n10, n11].iter().try_fold(0_u64, |sum, n| sum.checked_add(*n));
    if pairs != Some(exceptions.days - 1) {
        let why = format!("must add up to {} pairs to match the days", exceptions.days - 1);
        return Err(RiskError::shape(COMPUTATION, "transitions", why, format!("{transitions:?}")));
    }
    let separate = log_likelihood(n00, n01) + log_likelihood(n10, n11);
    let joint = log_likelihood(n00 + n10, n01 + n11);
    let lr_ind = (2.0 * (separate - joint)).max(0.0);
    let lr_cc = ratio_uc(exceptions, p) + lr_ind;
    Ok(Christoffersen { lr_ind, p_ind: chi2_sf(lr_ind, 1.0), lr_cc, p_cc: chi2_sf(lr_cc, 2.0) })
}

/// Kupiec's likelihood ratio of counts already checked.
fn ratio_uc(exceptions: Exceptions, p: f64) -> f64 {
    let (days, count) = (exceptions.days as f64, exceptions.count as f64);
    let rest = days - count;
    (2.0 * (x_ln(count, count / (days * p)) + x_ln(rest, rest / (days * (1.0 - p))))).max(0.0)
}

/// Log-likelihood of `hits` among `hits + misses` Bernoulli draws at the rate observed.
fn log_likelihood(misses: u64, hits: u64) -> f64 {
    let (misses, hits) = (misses as f64, hits as f64);
    x_ln(misses, misses / (misses + hits)) + x_ln(hits, hits / (misses + hits))
}

/// `x ln y`, 0 at x = 0.
fn x_ln(x: f64, y: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x * y.ln() }
}

/// The first of `low..high` where `holds`, which stays true once it is; `high` when none.
fn first_where(mut low: u64, mut high: u64, holds: &dyn Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
