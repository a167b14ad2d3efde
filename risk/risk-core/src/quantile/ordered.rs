//! The equally weighted sample.

use super::QuantileRule;
use super::largest::largest;
use crate::error::{Result, RiskError, require_finite};
use crate::special::{beta_inc, binom_cdf, binom_ppf};
use crate::units::Confidence;

/// The upper part of a sample of `n` losses in ascending order: as many of the largest as its maker asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderedLosses {
    computation: &'static str,
    n: usize,
    /// The largest losses, ascending; never empty.
    top: Vec<f64>,
}

impl OrderedLosses {
    /// Sorts the whole sample; refuses an empty one, NaN and infinity.
    pub fn sort(computation: &'static str, mut losses: Vec<f64>) -> Result<Self> {
        check_sample(computation, &losses)?;
        losses.sort_unstable_by(f64::total_cmp);
        Ok(Self { computation, n: losses.len(), top: losses })
    }

    /// Sorts only the losses from rank `lowest_rank` up: selection is linear, and a tail is short.
    pub fn select(computation: &'static str, losses: Vec<f64>, lowest_rank: usize) -> Result<Self> {
        check_sample(computation, &losses)?;
        let n = losses.len();
        Ok(Self { computation, n, top: largest(losses, n - (lowest_rank.clamp(1, n) - 1)) })
    }

    /// The lowest rank that VaR, ES, standard error and interval of `confidence` read in a sample of n.
    pub fn lowest_rank(n: usize, confidence: Confidence) -> usize {
        let window = standard_error_window(n, confidence);
        let interval = rank_interval(n, confidence).lower as usize;
        confidence.rank(n).saturating_sub(window).min(interval).max(1)
    }

    /// Size of the whole sample.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Never: an empty sample is refused.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether fewer than ten scenarios lie in the tail: `N p < 10`.
    pub fn has_few_tail_scenarios(&self, confidence: Confidence) -> bool {
        confidence.tail_count(self.n).whole < 10
    }

    /// `L₍rank₎`, 1-based; absent outside 1..=N and below what was selected.
    pub fn value(&self, rank: usize) -> Option<f64> {
        let below = self.n - self.top.len();
        self.top.get(rank.checked_sub(below)?.checked_sub(1)?).copied()
    }

    /// The largest loss.
    pub fn largest(&self) -> f64 {
        self.top.last().copied().unwrap_or(f64::NEG_INFINITY)
    }

    /// Value at risk `L₍ₖ₎`, `k = ⌈N c⌉`.
    pub fn var(&self, confidence: Confidence) -> Result<f64> {
        self.at(confidence.rank(self.n))
    }

    /// Value at risk by another rule.
    pub fn var_by(&self, rule: QuantileRule, confidence: Confidence) -> Result<f64> {
        let n = self.n as u128;
        let bp = u128::from(confidence.bp());
        match rule {
            QuantileRule::InvertedCdf => self.var(confidence),
            QuantileRule::Upper => self.at((n * bp / 10_000 + 1).min(n) as usize),
            QuantileRule::Linear7 => self.interpolate((n - 1) * bp + 10_000, 10_000),
            QuantileRule::MedianUnbiased8 => {
                self.interpolate(((3 * n + 1) * bp + 10_000).clamp(30_000, 30_000 * n), 30_000)
            }
            QuantileRule::HarrellDavis => self.harrell_davis(confidence),
        }
    }

    /// Value at risk at the 1-based place `N c + ½`, clamped to [1, N], by linear interpolation (Hazen).
    ///
    /// For stratified samples: `L₍ᵢ₎` stands for the level `(i - ½)/N` there, so that rounding up to a rank would be a
    /// bias of `1/N`, far above their standard error.
    pub fn mid_rank_var(&self, confidence: Confidence) -> Result<f64> {
        let n = self.n as u128;
        self.interpolate((2 * n * u128::from(confidence.bp()) + 10_000).clamp(20_000, 20_000 * n), 20_000)
    }

    /// Expected shortfall, the mean over the tail of exactly `m = N p` scenarios.
    ///
    /// Formula: `(sum of the ⌊m⌋ largest + (m - ⌊m⌋) · next largest) / m`; the largest loss where m < 1.
    /// Coherent and continuous in c. Source: Acerbi & Tasche 2002.
    pub fn tail_mean(&self, confidence: Confidence) -> Result<f64> {
        let var = self.var(confidence)?;
        let tail = confidence.tail_count(self.n);
        if tail.whole == 0 {
            return Ok(self.largest());
        }
        let mut descending = self.top.iter().rev();
        let whole: f64 = descending.by_ref().take(tail.whole).sum();
        let part = descending.next().map_or(0.0, |next| tail.fraction * next);
        self.finite("es", ((whole + part) / tail.total).max(var))
    }

    /// Mean of the losses at or above the VaR. Needs the whole sample.
    pub fn mean_ge_var(&self, confidence: Confidence) -> Result<f64> {
        self.require_whole()?;
        let var = self.var(confidence)?;
        let start = self.top.partition_point(|loss| *loss < var);
        self.mean_from(start).map(|mean| mean.unwrap_or(var))
    }

    /// Mean of the losses above the `Upper` VaR, absent when there is none. Needs the whole sample.
    pub fn mean_gt_upper(&self, confidence: Confidence) -> Result<Option<f64>> {
        self.require_whole()?;
        let var = self.var_by(QuantileRule::Upper, confidence)?;
        self.mean_from(self.top.partition_point(|loss| *loss <= var))
    }

    /// Standard error of the VaR, from the distance of neighbouring order statistics.
    ///
    /// Formula: `(L₍ₖ₊w₎ - L₍ₖ₋w₎) / 2`, `w = max(1, round(√(N p c)))`, ranks clamped to [1, N].
    /// Source: Glasserman 2003 §9.1.2 (`√(p c / N) / f(q)`, the density replaced by its difference quotient).
    pub fn var_standard_error(&self, confidence: Confidence) -> Result<f64> {
        let (k, w) = (confidence.rank(self.n), standard_error_window(self.n, confidence));
        let upper = self.at(k.saturating_add(w).min(self.n))?;
        let lower = self.at(k.saturating_sub(w).max(1))?;
        Ok(0.5 * upper - 0.5 * lower)
    }

    /// Standard error of the ES: `sd((L - VaR)⁺) / (p √N)`.
    pub fn es_standard_error(&self, confidence: Confidence) -> Result<f64> {
        let var = self.var(confidence)?;
        let n = self.n as f64;
        let excess = self.top.iter().map(|loss| (loss - var).max(0.0));
        let mean = excess.clone().sum::<f64>() / n;
        // The scenarios below the VaR all have excess 0.
        let tail_squares: f64 = excess.clone().filter(|e| *e > 0.0).map(|e| (e - mean).powi(2)).sum();
        let zeros = n - excess.filter(|e| *e > 0.0).count() as f64;
        let variance = (tail_squares + zeros * mean * mean) / (n - 1.0).max(1.0);
        self.finite("es_se", variance.sqrt() / (confidence.tail().get() * n.sqrt()))
    }

    /// 95 % interval of the VaR from order statistics; an unbounded end is absent.
    pub fn var_interval(&self, confidence: Confidence) -> Interval {
        let ranks = rank_interval(self.n, confidence);
        Interval { lower: self.value(ranks.lower as usize), upper: self.value(ranks.upper as usize) }
    }

    fn at(&self, rank: usize) -> Result<f64> {
        self.value(rank).ok_or_else(|| {
            let lowest = self.n - self.top.len() + 1;
            RiskError::invalid(self.computation, "rank", format!("must be within {lowest}..={}", self.n), rank)
        })
    }

    /// Linear interpolation at the 1-based place `scaled / unit`.
    fn interpolate(&self, scaled: u128, unit: u128) -> Result<f64> {
        let rank = (scaled / unit) as usize;
        let fraction = (scaled % unit) as f64 / unit as f64;
        let low = self.at(rank)?;
        if fraction == 0.0 {
            return Ok(low);
        }
        let high = self.at(rank + 1)?;
        self.finite("var", low + fraction * (high - low))
    }

    fn harrell_davis(&self, confidence: Confidence) -> Result<f64> {
        self.require_whole()?;
        let n = self.n as f64;
        let (a, b) = ((n + 1.0) * confidence.ratio(), (n + 1.0) * confidence.tail().get());
        let cumulated = |i: usize| beta_inc(a, b, i as f64 / n, (self.n - i) as f64 / n);
        let middle = confidence.rank(self.n);
        // Outwards from the middle until nothing is left: weights die off like a Gaussian's.
        let mut sum = 0.0;
        let mut outer = cumulated(middle).0;
        for (i, loss) in self.top.iter().enumerate().take(middle).rev() {
            let inner = cumulated(i).0;
            sum += loss * (outer - inner);
            outer = inner;
            if outer < 1e-18 {
                break;
            }
        }
        let mut outer = cumulated(middle).1;
        for (i, loss) in self.top.iter().enumerate().skip(middle) {
            let inner = cumulated(i + 1).1;
            sum += loss * (outer - inner);
            outer = inner;
            if outer < 1e-18 {
                break;
            }
        }
        self.finite("var", sum)
    }

    fn mean_from(&self, start: usize) -> Result<Option<f64>> {
        match self.top.get(start..) {
            None | Some([]) => Ok(None),
            Some(values) => self.finite("es", values.iter().sum::<f64>() / values.len() as f64).map(Some),
        }
    }

    fn require_whole(&self) -> Result<()> {
        if self.top.len() == self.n {
            return Ok(());
        }
        let why = format!("must be all {} for this rule", self.n);
        Err(RiskError::invalid(self.computation, "sorted losses", why, self.top.len()))
    }

    /// Losses near the largest double overflow when they are added.
    fn finite(&self, what: &str, value: f64) -> Result<f64> {
        require_finite(self.computation, what, &[value]).map(|()| value)
    }
}

fn check_sample(computation: &'static str, losses: &[f64]) -> Result<()> {
    if losses.is_empty() {
        return Err(RiskError::too_few(computation, "needs", "at least 1 loss", 0));
    }
    require_finite(computation, "losses", losses)
}

/// `w = max(1, round(√(N p c)))`.
fn standard_error_window(n: usize, confidence: Confidence) -> usize {
    (n as f64 * confidence.ratio() * confidence.tail().get()).sqrt().round().max(1.0) as usize
}

/// An interval; an unbounded end is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Interval {
    /// Lower end.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
}

/// 1-based ranks of a 95 % interval of the quantile. A rank below 1 or above N means an unbounded end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankInterval {
    /// `ppf(0.025)` of Binomial(N, c).
    pub lower: u64,
    /// `ppf(0.975) + 1` of Binomial(N, c).
    pub upper: u64,
    /// `P(lower <= X <= upper - 1)`.
    pub coverage: f64,
}

/// Ranks of the distribution-free 95 % interval of the c-quantile in a sample of n, and its true coverage.
pub fn rank_interval(n: usize, confidence: Confidence) -> RankInterval {
    let (n, c) = (n as u64, confidence.ratio());
    let lower = binom_ppf(0.025, n, c);
    let last = binom_ppf(0.975, n, c);
    let below = lower.checked_sub(1).map_or(0.0, |k| binom_cdf(k, n, c));
    RankInterval { lower, upper: last + 1, coverage: binom_cdf(last, n, c) - below }
}
