//! VaR after a trade in O(1), for the pre-trade check.
//!
//! Source: Jorion, *Value at Risk*, 2007, ch. 7; RiskMetrics 1996; Embrechts, McNeil & Straumann 2002 (subadditivity for
//! elliptical returns, which makes the worst case of open orders a sum).

use crate::covariance::Covariance;
use crate::error::{Result, RiskError, require_finite};
use crate::matrix::{Matrix, dot};
use crate::parametric::Multipliers;
use crate::units::{Confidence, Distribution, HorizonDays};

const NAME: &str = "pretrade_var";
/// Fills after which rounding is swept out by a rebuild.
const FILLS_A_REBUILD: u32 = 1_024;
/// Below this part of its peak the variance has lost four digits to cancellation.
const CANCELLED: f64 = 1e-4;

/// VaR before and after one trade. Money, losses positive; mean return zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TradeVar {
    /// Variance of the one-day P&L now.
    pub sigma_sq_now: f64,
    /// The same after the trade.
    pub sigma_sq_after: f64,
    /// VaR now, of the position alone.
    pub var_now: f64,
    /// VaR after the trade, of the position alone.
    pub var_after: f64,
    /// VaR after the trade if every other open order fills at its worst.
    pub var_worst_case: f64,
    /// The trade lowers VaR (or leaves it), and by convexity so does every part of it.
    pub reduces: bool,
}

impl TradeVar {
    /// Whether the order may go: at most the limit in the worst case, or lowering VaR.
    pub fn passes(&self, var_limit: f64) -> bool {
        self.reduces || self.var_worst_case <= var_limit
    }
}

/// A portfolio's running variance `v = x' Σ x` and `g = Σ x`, from which a check reads three numbers.
///
/// Money per unit return; covariance of one-day returns. One writer; a check takes `&self` and allocates nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct PortfolioVar {
    covariance: Matrix,
    /// `k √h`.
    multiplier: f64,
    exposures: Vec<f64>,
    gradient: Vec<f64>,
    variance: f64,
    /// Largest `v + d² Σ_ii` since the last rebuild.
    peak: f64,
    fills: u32,
    open: OpenOrders,
}

/// What open orders may add at worst.
#[derive(Debug, Clone, PartialEq)]
struct OpenOrders {
    sigma: Vec<f64>,
    /// `Σ |d|` a factor.
    gross: Vec<f64>,
    /// `Σ |d| σ` over all orders.
    worst: f64,
}

impl PortfolioVar {
    /// The state of a portfolio at one level, distribution and horizon.
    pub fn new(
        exposures: &[f64],
        cov: &Covariance<'_>,
        distribution: Distribution,
        confidence: Confidence,
        horizon: HorizonDays,
    ) -> Result<Self> {
        require_finite(NAME, "exposures", exposures)?;
        cov.require_dimension(NAME, exposures.len())?;
        let k = cov.dimension();
        let multiplier = Multipliers::of(distribution, confidence.tail()).var * horizon.days().sqrt();
        let mut portfolio = Self {
            covariance: Matrix::from_fn(k, k, |i, j| cov.matrix().at(i.max(j), i.min(j))),
            multiplier,
            exposures: exposures.to_vec(),
            gradient: vec![0.0; k],
            variance: 0.0,
            peak: 0.0,
            fills: 0,
            open: OpenOrders {
                sigma: cov.matrix().diagonal().iter().map(|v| v.max(0.0).sqrt()).collect(),
                gross: vec![0.0; k],
                worst: 0.0,
            },
        };
        portfolio.rebuild();
        require_finite(NAME, "variance", &[portfolio.variance, portfolio.multiplier])?;
        Ok(portfolio)
    }

    /// VaR if exposure `factor` changes by `d`. The order itself must not be among the open ones.
    ///
    /// Formula: `v' = v + 2 d g_i + d² Σ_ii`, `VaR' = k √h √max(v', 0)`; worst case `VaR' + Σ k √h |d_j| σ_j` over the
    /// open orders; reducing when `2 d g_i + d² Σ_ii <= 0`.
    #[inline]
    pub fn check(&self, factor: usize, d: f64) -> Result<TradeVar> {
        let (change, _) = self.change(factor, d)?;
        let after = (self.variance + change).max(0.0);
        let var_after = self.multiplier * after.sqrt();
        let trade = TradeVar {
            sigma_sq_now: self.variance,
            sigma_sq_after: after,
            var_now: self.multiplier * self.variance.sqrt(),
            var_after,
            var_worst_case: var_after + self.multiplier * self.open.worst,
            reduces: change <= 0.0,
        };
        // NaN and infinity show in the worst case, to which everything adds up.
        if trade.var_worst_case.is_finite() { Ok(trade) } else { Err(overflow(d)) }
    }

    /// A fill: exposure `factor` changes by `d`. O(K), and O(K²) where a rebuild is due.
    pub fn fill(&mut self, factor: usize, d: f64) -> Result<()> {
        let (change, own) = self.change(factor, d)?;
        let after = self.variance + change;
        let position = self.exposures.get(factor).map_or(0.0, |x| x + d);
        // The covariance is symmetric to the bit: its row is its column.
        let row = self.covariance.as_ref().row(factor);
        // All of them, without a way out at the first: a loop without branches is one of vectors.
        let gradient_stays_finite =
            self.gradient.iter().zip(row).fold(true, |finite, (g, c)| finite & (g + d * c).is_finite());
        if !(gradient_stays_finite && [after, position, self.variance + own].iter().all(|v| v.is_finite())) {
            return Err(overflow(d));
        }
        self.peak = self.peak.max(self.variance + own);
        self.variance = after.max(0.0);
        self.fills += 1;
        if let Some(x) = self.exposures.get_mut(factor) {
            *x = position;
        }
        self.gradient.iter_mut().zip(row).for_each(|(g, c)| *g += d * c);
        if self.fills >= FILLS_A_REBUILD || self.variance < CANCELLED * self.peak {
            self.rebuild();
        }
        Ok(())
    }

    /// New exposures, after marks have moved.
    pub fn set_exposures(&mut self, exposures: &[f64]) -> Result<()> {
        require_finite(NAME, "exposures", exposures)?;
        crate::error::require_len(NAME, "exposures", exposures, self.exposures.len(), "the factors")?;
        let before = std::mem::replace(&mut self.exposures, exposures.to_vec());
        self.rebuild();
        if self.variance.is_finite() && self.gradient.iter().all(|g| g.is_finite()) {
            return Ok(());
        }
        self.exposures = before;
        self.rebuild();
        Err(RiskError::invalid(NAME, "exposures", "must leave the variance finite", "an overflow"))
    }

    /// A new exposure of one factor, as a fill of the difference. O(K).
    pub fn set_exposure(&mut self, factor: usize, x: f64) -> Result<()> {
        let before = self.exposures.get(factor).copied().unwrap_or(0.0);
        if x == before { Ok(()) } else { self.fill(factor, x - before) }
    }

    /// What all open orders of one factor may change its exposure by, `Σ |d|`. O(K).
    pub fn set_open(&mut self, factor: usize, gross: f64) -> Result<()> {
        self.change(factor, gross)?;
        if let Some(open) = self.open.gross.get_mut(factor)
            && *open != gross
        {
            *open = gross;
            self.open.worst = dot(&self.open.gross, &self.open.sigma);
        }
        Ok(())
    }

    /// An order that may change exposure `factor` by `d` is open from now on.
    pub fn open_order(&mut self, factor: usize, d: f64) -> Result<()> {
        self.change(factor, d)?;
        let gross = self.open.gross.get(factor).map_or(0.0, |gross| gross + d.abs());
        let sigma = self.open.sigma.get(factor).copied().unwrap_or(0.0);
        // As `check` adds it up, so that no order that is taken makes every later check overflow.
        let worst_case = self.multiplier * self.variance.sqrt() + self.multiplier * (self.open.worst + sigma * gross);
        if !(gross.is_finite() && worst_case.is_finite()) {
            return Err(overflow(d));
        }
        self.open.add(factor, d.abs());
        Ok(())
    }

    /// An order, or a filled part of one, is no longer open.
    pub fn close_order(&mut self, factor: usize, d: f64) -> Result<()> {
        self.change(factor, d)?;
        self.open.add(factor, -d.abs());
        Ok(())
    }

    /// Variance of the one-day P&L, `v = x' Σ x`.
    pub fn variance(&self) -> f64 {
        self.variance
    }

    /// Shape (K): `g = Σ x`.
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// The exposures.
    pub fn exposures(&self) -> &[f64] {
        &self.exposures
    }

    /// `(2 d g_i + d² Σ_ii, d² Σ_ii)`.
    #[inline]
    fn change(&self, factor: usize, d: f64) -> Result<(f64, f64)> {
        let Some(gradient) = self.gradient.get(factor) else {
            let why = format!("must be below {}, the number of factors", self.gradient.len());
            return Err(RiskError::invalid(NAME, "factor", why, factor));
        };
        if !d.is_finite() {
            return Err(RiskError::invalid(NAME, "delta_exposure", "must be finite", d));
        }
        let own = d * d * self.covariance.at(factor, factor);
        Ok((2.0 * d * gradient + own, own))
    }

    fn rebuild(&mut self) {
        self.gradient = self.covariance.as_ref().mul_vec(&self.exposures);
        self.variance = dot(&self.exposures, &self.gradient).max(0.0);
        self.peak = self.variance;
        self.fills = 0;
        self.open.worst = dot(&self.open.gross, &self.open.sigma);
    }
}

impl OpenOrders {
    fn add(&mut self, factor: usize, amount: f64) {
        if let Some(gross) = self.gross.get_mut(factor) {
            *gross = (*gross + amount).max(0.0);
        }
        // Summed afresh, so that a thousand orders opened and closed leave nothing behind.
        self.worst = dot(&self.gross, &self.sigma);
    }
}

#[cold]
fn overflow(d: f64) -> RiskError {
    RiskError::invalid(NAME, "delta_exposure", "must leave the variance finite", d)
}
