//! Filtered historical simulation over several days.

use rayon::prelude::*;

use super::{FilteredRisk, figures};
use crate::error::{Result, RiskError};
use crate::historical::portfolio_losses;
use crate::matrix::MatrixRef;
use crate::progress::Progress;
use crate::rng::{BlockStream, FILL_BLOCK};
use crate::units::Confidence;
use crate::volatility::{Garch11, VolatilityModel};

const NAME: &str = "filtered_path_var";
/// Most days of all paths together: some ten seconds of one core.
const MAX_DAYS: u64 = 1_000_000_000;

/// Paths of past days: each path names the rows whose residuals it takes, day by day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathRows<'a> {
    /// Days a path.
    days: usize,
    source: Source<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Source<'a> {
    /// Path after path.
    Given(&'a [u32]),
    Drawn {
        n_paths: usize,
        seed: u64,
    },
}

impl<'a> PathRows<'a> {
    /// `rows` holds one path of `days` row numbers after the other; at least one path.
    pub fn new(days: usize, rows: &'a [u32]) -> Result<Self> {
        if days > 0 && !rows.is_empty() && rows.len().is_multiple_of(days) {
            return Ok(Self { days, source: Source::Given(rows) });
        }
        let why = format!("must be a positive multiple of {days} days");
        Err(RiskError::shape("path_rows", "number of rows", why, rows.len()))
    }

    /// Rows drawn with replacement. The rows of a path depend on the seed and the place of the path alone.
    ///
    /// Errors: `InvalidInput` for fewer than 1,000 or more than 10,000,000 paths, and for more than 1,000,000,000 days in
    /// all.
    pub fn drawn(days: usize, n_paths: u32, seed: u64) -> Result<Self> {
        if !(1_000..=10_000_000).contains(&n_paths) {
            return Err(RiskError::invalid(NAME, "n_paths", "must be within 1000..=10000000", n_paths));
        }
        let in_all = (days as u64).saturating_mul(u64::from(n_paths));
        if !(1..=MAX_DAYS).contains(&in_all) {
            let why = format!("must be within 1..={MAX_DAYS} days of all paths");
            return Err(RiskError::invalid(NAME, "n_paths times horizon_days", why, in_all));
        }
        Ok(Self { days, source: Source::Drawn { n_paths: n_paths as usize, seed } })
    }

    /// Number of paths.
    pub fn n_paths(&self) -> usize {
        match self.source {
            Source::Given(rows) => rows.len() / self.days,
            Source::Drawn { n_paths, .. } => n_paths,
        }
    }

    fn check(&self, available: usize) -> Result<()> {
        let Source::Given(rows) = self.source else { return Ok(()) };
        let Some(row) = rows.iter().find(|row| **row as usize >= available) else { return Ok(()) };
        Err(RiskError::invalid(NAME, "path row", format!("must be below the {available} rows of returns"), row))
    }
}

/// VaR and ES over several days by filtered historical simulation with GARCH(1,1).
///
/// Formula: along a path `r = sqrt(s) z`, `s <- omega + alpha r^2 + beta s`, from the next day's forecast on, z the
/// residual of the row that the path names; loss `-sum r`.
/// Units: those of [`super::filtered_risk`]; the figures are for the horizon of the paths.
/// Errors: those of [`super::filtered_risk`]; `InvalidInput` for a row that is not there; `Canceled`.
/// Source: Barone-Adesi, Giannopoulos and Vosper 1999.
pub fn filtered_path_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    garch: Garch11,
    paths: PathRows<'_>,
    confidences: &[Confidence],
    progress: &Progress,
) -> Result<FilteredRisk> {
    let losses = portfolio_losses(NAME, exposures, returns)?;
    paths.check(losses.len())?;
    let path = VolatilityModel::Garch11(garch).variance(&losses)?;
    let sigma = path.positive_volatility(NAME)?;
    let residuals: Vec<f64> = losses.iter().zip(&sigma.series).map(|(loss, s)| -loss / s).collect();
    let walk = Walk { garch, first_variance: path.next_variance, residuals: &residuals, paths };
    let mut scenarios = vec![0.0; paths.n_paths()];
    progress.begin(scenarios.len() as u64);
    scenarios.par_chunks_mut(FILL_BLOCK).enumerate().for_each(|(block, losses)| {
        if !progress.is_canceled() {
            walk.fill(block, losses);
            progress.add(losses.len() as u64);
        }
    });
    progress.check(NAME)?;
    Ok(FilteredRisk { next_vol: sigma.next, figures: figures(NAME, scenarios, confidences)? })
}

struct Walk<'a> {
    garch: Garch11,
    first_variance: f64,
    residuals: &'a [f64],
    paths: PathRows<'a>,
}

impl Walk<'_> {
    /// Losses of one block of paths, all of them a day further at a time.
    fn fill(&self, block: usize, losses: &mut [f64]) {
        let mut variance = [self.first_variance; FILL_BLOCK];
        let mut rows = [0; FILL_BLOCK];
        let rows = &mut rows[..losses.len().min(FILL_BLOCK)];
        let mut days = DayRows::new(&self.paths, block, self.residuals.len());
        losses.fill(0.0);
        for day in 0..self.paths.days {
            days.fill(day, rows);
            for ((loss, s), row) in losses.iter_mut().zip(&mut variance).zip(&*rows) {
                // Rows are below the number of residuals: drawn so, or checked.
                let z = self.residuals.get(*row as usize).copied().unwrap_or(f64::NAN);
                let r = s.sqrt() * z;
                *loss -= r;
                *s = self.garch.update(*s, r);
            }
        }
    }
}

/// The rows of one block of paths, day by day.
// One a block, on the stack: a box would cost more than the bytes.
#[allow(clippy::large_enum_variant)]
enum DayRows<'a> {
    Given { rows: &'a [u32], days: usize },
    Drawn { stream: BlockStream, below: usize },
}

impl<'a> DayRows<'a> {
    fn new(paths: &PathRows<'a>, block: usize, below: usize) -> Self {
        match paths.source {
            Source::Given(rows) => {
                Self::Given { rows: rows.get(block * FILL_BLOCK * paths.days..).unwrap_or(&[]), days: paths.days }
            }
            Source::Drawn { seed, .. } => Self::Drawn { stream: BlockStream::new(seed, block as u64), below },
        }
    }

    fn fill(&mut self, day: usize, out: &mut [u32]) {
        match self {
            Self::Given { rows, days } => {
                out.iter_mut().zip(rows.chunks_exact(*days)).for_each(|(row, path)| *row = path[day]);
            }
            Self::Drawn { stream, below } => {
                let mut words = [0; FILL_BLOCK];
                stream.fill(&mut words);
                for (row, word) in out.iter_mut().zip(words) {
                    // The top of a product with 2^64: uniform but for a part in 2^64 / rows.
                    *row = ((u128::from(word) * *below as u128) >> 64) as u32;
                }
            }
        }
    }
}
