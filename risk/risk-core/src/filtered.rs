//! Historical simulation on today's volatility: filtered scenarios, Hull-White scaling, paths of several days.
//!
//! A residual divides a return by the volatility forecast *before* it; the volatility that already saw the day
//! would shrink exactly the extreme ones.

use crate::error::{Result, RiskError};
use crate::historical::portfolio_losses;
use crate::matrix::MatrixRef;
use crate::quantile::{OrderedLosses, VarEs};
use crate::rng::{BlockStream, FILL_BLOCK};
use crate::units::{Confidence, Decay};
use crate::volatility::{Garch11, VolatilityModel};

/// VaR and ES from filtered scenarios. Money, losses positive.
#[derive(Debug, Clone, PartialEq)]
pub struct FilteredRisk {
    /// Volatility of the portfolio forecast for the next day, money.
    pub next_vol: f64,
    /// One entry a level, in the order asked.
    pub figures: Vec<VarEs>,
}

/// One-day VaR and ES by filtered historical simulation of the portfolio's P&L.
///
/// Formula: `z_i = pnl_i / sigma_i`, scenario `z_i sigma_next`; `sigma_i` by the filter, forecast before day i.
/// VaR `L_(k)`, `k = ceil(n c)`; ES the tail mean.
/// Units: `exposures` money per unit return, short negative; `returns` n x K arithmetic, oldest row first; omega of
/// a GARCH filter in money squared.
/// Errors: shapes, `TooFewObservations`, NaN and infinity; `ZeroVariance` for a forecast of 0.
/// Source: Barone-Adesi, Giannopoulos and Vosper 1999; Hull and White 1998.
pub fn filtered_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    model: VolatilityModel,
    confidences: &[Confidence],
) -> Result<FilteredRisk> {
    const COMPUTATION: &str = "filtered_var";
    let losses = portfolio_losses(COMPUTATION, exposures, returns)?;
    let sigma = model.variance(&losses)?.positive_volatility(COMPUTATION)?;
    let scenarios = losses.iter().zip(&sigma.series).map(|(loss, s)| loss / s * sigma.next).collect();
    Ok(FilteredRisk { next_vol: sigma.next, figures: figures(COMPUTATION, scenarios, confidences)? })
}

/// One-day VaR and ES with each factor's past returns scaled to its own next volatility.
///
/// Formula: scenario `r_ij sigma_j,next / sigma_j,i` with exponentially weighted volatilities, then as historical.
/// Units and errors: those of [`filtered_risk`].
/// Source: Hull and White, *Incorporating volatility updating into the historical simulation method*, 1998.
pub fn hull_white_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    lambda: Decay,
    confidences: &[Confidence],
) -> Result<Vec<VarEs>> {
    const COMPUTATION: &str = "hull_white_var";
    let mut losses = vec![0.0; portfolio_losses(COMPUTATION, exposures, returns)?.len()];
    for (j, exposure) in exposures.iter().enumerate() {
        let column = returns.column(j);
        let sigma = VolatilityModel::Ewma(lambda).variance(&column)?.positive_volatility(COMPUTATION)?;
        for ((loss, r), s) in losses.iter_mut().zip(&column).zip(&sigma.series) {
            *loss -= exposure * (r * sigma.next / s);
        }
    }
    figures(COMPUTATION, losses, confidences)
}

/// Paths of past days: each path names the rows whose residuals it takes, day by day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathRows<'a> {
    /// Days a path.
    days: usize,
    /// Path after path.
    rows: &'a [u32],
}

impl<'a> PathRows<'a> {
    /// `rows` holds one path of `days` row numbers after the other; at least one path.
    pub fn new(days: usize, rows: &'a [u32]) -> Result<Self> {
        if days > 0 && !rows.is_empty() && rows.len().is_multiple_of(days) {
            return Ok(Self { days, rows });
        }
        let why = format!("must be a positive multiple of {days} days");
        Err(RiskError::shape("path_rows", "number of rows", why, rows.len()))
    }
}

/// Rows drawn with replacement, each path from numbers that depend on the seed and its place alone: `n_paths` paths of
/// `days` rows below `rows`, one after the other.
///
/// Errors: `InvalidInput` for fewer than 1,000 or more than 10,000,000 paths, and for more than 100,000,000 days in all.
pub fn draw_path_rows(rows: usize, days: usize, n_paths: u32, seed: u64) -> Result<Vec<u32>> {
    const COMPUTATION: &str = "path_rows";
    if !(1_000..=10_000_000).contains(&n_paths) {
        return Err(RiskError::invalid(COMPUTATION, "n_paths", "must be within 1000..=10000000", n_paths));
    }
    let count = days.saturating_mul(n_paths as usize);
    if !(1..=100_000_000).contains(&count) {
        let got = format!("{days} days of {n_paths} paths");
        return Err(RiskError::invalid(COMPUTATION, "n_paths times horizon_days", "must be within 1..=100000000", got));
    }
    let mut drawn = vec![0; count];
    let mut words = [0; FILL_BLOCK];
    for (block, out) in drawn.chunks_mut(FILL_BLOCK).enumerate() {
        BlockStream::new(seed, block as u64).fill(&mut words);
        for (row, word) in out.iter_mut().zip(words) {
            // The top of a product with 2^64: uniform but for a part in 2^64 / rows.
            *row = ((u128::from(word) * rows as u128) >> 64) as u32;
        }
    }
    Ok(drawn)
}

/// VaR and ES over several days by filtered historical simulation with GARCH(1,1).
///
/// Formula: along a path `r = sqrt(s) z`, `s <- omega + alpha r^2 + beta s`, from the next day's forecast on, z the
/// residual of the row that the path names; loss `-sum r`.
/// Units: those of [`filtered_risk`]; the figures are for the horizon of the paths.
/// Errors: those of [`filtered_risk`]; `InvalidInput` for a row that is not there.
/// Source: Barone-Adesi, Giannopoulos and Vosper 1999.
pub fn filtered_path_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    garch: Garch11,
    paths: PathRows<'_>,
    confidences: &[Confidence],
) -> Result<FilteredRisk> {
    const COMPUTATION: &str = "filtered_path_var";
    let losses = portfolio_losses(COMPUTATION, exposures, returns)?;
    let path = VolatilityModel::Garch11(garch).variance(&losses)?;
    let sigma = path.positive_volatility(COMPUTATION)?;
    let residuals: Vec<f64> = losses.iter().zip(&sigma.series).map(|(loss, s)| -loss / s).collect();
    let walk = |rows: &[u32]| walk(COMPUTATION, garch, path.next_variance, &residuals, rows);
    let scenarios: Vec<f64> = paths.rows.chunks_exact(paths.days).map(walk).collect::<Result<_>>()?;
    Ok(FilteredRisk { next_vol: sigma.next, figures: figures(COMPUTATION, scenarios, confidences)? })
}

/// Loss along one path.
fn walk(computation: &'static str, garch: Garch11, mut s: f64, residuals: &[f64], rows: &[u32]) -> Result<f64> {
    let mut gain = 0.0;
    for row in rows {
        let Some(z) = residuals.get(*row as usize) else {
            let why = format!("must be below the {} rows of returns", residuals.len());
            return Err(RiskError::invalid(computation, "path row", why, row));
        };
        let r = s.sqrt() * z;
        gain += r;
        s = garch.update(s, r);
    }
    Ok(-gain)
}

fn figures(computation: &'static str, losses: Vec<f64>, confidences: &[Confidence]) -> Result<Vec<VarEs>> {
    let ordered = OrderedLosses::sort(computation, losses)?;
    let at = |c: &Confidence| Ok(VarEs { var: ordered.var(*c)?, es: ordered.tail_mean(*c)? });
    confidences.iter().map(at).collect()
}
