//! The worst that has happened over so many days.

use crate::check::positive;
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::matrix::MatrixRef;

/// What happened over the days up to and with one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Index of the window's last price or return.
    pub end: usize,
    /// Simple return of a price series, or P&L of a portfolio.
    pub change: f64,
}

/// The worst overlapping returns over `days` days of a price series, worst first; of equals the earlier first.
///
/// Formula: `P_t / P_{t-h} - 1`. Units: prices positive, oldest first; ratios.
/// Errors: `TooFewObservations` without one window; `InvalidInput` for days of 0 and for prices not positive.
pub fn worst_windows(prices: &[f64], days: usize, count: usize) -> Result<Vec<Window>> {
    const COMPUTATION: &str = "worst_windows";
    require_days(COMPUTATION, days)?;
    for price in prices {
        positive(COMPUTATION, "price", *price)?;
    }
    if prices.len() <= days {
        return Err(RiskError::too_few(COMPUTATION, "needs", format!("more than {days} prices"), prices.len()));
    }
    let pairs = prices.iter().zip(prices.iter().skip(days));
    let returns: Vec<f64> = pairs.map(|(first, last)| last / first - 1.0).collect();
    require_finite(COMPUTATION, "return", &returns)?;
    Ok(worst(returns.into_iter().zip(days..), count))
}

/// The worst overlapping windows of `days` days for today's exposures, worst first.
///
/// Formula: `x·R`, `R_j = prod(1 + r_ij) - 1` over the window: each factor moves as far as it did then.
/// Units: exposures money per unit return; returns n x K arithmetic, oldest row first; P&L gain-positive.
/// Errors: `ShapeMismatch`; `TooFewObservations` without one window; `InvalidInput` for days of 0, NaN, infinity.
pub fn worst_portfolio_windows(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    days: usize,
    count: usize,
) -> Result<Vec<Window>> {
    const COMPUTATION: &str = "worst_portfolio_windows";
    require_days(COMPUTATION, days)?;
    require_finite(COMPUTATION, "exposures", exposures)?;
    require_len(COMPUTATION, "exposures", exposures, returns.cols(), "the columns of returns")?;
    if returns.rows() < days {
        return Err(RiskError::too_few(COMPUTATION, "needs", format!("at least {days} rows"), returns.rows()));
    }
    let mut pnl = vec![0.0; returns.rows() - days + 1];
    for (j, exposure) in exposures.iter().enumerate() {
        let column = returns.column(j);
        for (pnl, window) in pnl.iter_mut().zip(column.windows(days)) {
            *pnl += exposure * (window.iter().map(|r| 1.0 + r).product::<f64>() - 1.0);
        }
    }
    require_finite(COMPUTATION, "pnl", &pnl)?;
    Ok(worst(pnl.into_iter().zip(days - 1..), count))
}

fn require_days(computation: &'static str, days: usize) -> Result<()> {
    if days > 0 { Ok(()) } else { Err(RiskError::invalid(computation, "days", "must be positive", days)) }
}

fn worst(changes: impl Iterator<Item = (f64, usize)>, count: usize) -> Vec<Window> {
    let mut windows: Vec<Window> = changes.map(|(change, end)| Window { end, change }).collect();
    windows.sort_by(|a, b| a.change.total_cmp(&b.change));
    windows.truncate(count);
    windows
}
