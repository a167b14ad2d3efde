//! How low the backtest of expected shortfall falls when its forecasts are right.

use super::draws::Simulation;
use super::mixing::MixingTable;
use super::{MonteCarloSettings, Sampler};
use crate::error::{Result, RiskError};
use crate::parametric::Multipliers;
use crate::progress::Progress;
use crate::quantile::OrderedLosses;
use crate::rng::FILL_BLOCK;
use crate::units::{Confidence, Distribution};

const NAME: &str = "critical_z2";
const MAX_DAYS: u32 = 10_000;
/// Histories beyond a level, below which its standard error is worth little.
const MIN_BEYOND: usize = 10;

/// A history of days whose VaR and ES were forecast rightly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct History {
    /// Days, 1 to 10,000.
    pub days: u32,
    /// Confidence of the forecasts.
    pub confidence: Confidence,
    /// Distribution of each day's P&L; Z2 does not depend on its scale.
    pub distribution: Distribution,
}

/// The Z2 that so few right forecasts fall below, and its standard error of simulation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CriticalZ2 {
    /// Its value.
    pub z2: f64,
    /// Its standard error.
    pub standard_error: f64,
}

/// Critical values of Acerbi and Szekely's Z2 from simulated histories, one a confidence level c of the test.
///
/// Formula: the empirical quantile at `1 - c` of Z2, as the VaR at c of `-Z2`.
/// Errors: `InvalidInput` for days or histories out of range, and fewer than ten histories beyond a level; `Canceled`.
/// Source: Acerbi and Szekely, *Backtesting expected shortfall*, Risk, 2014.
pub fn critical_z2(
    history: &History,
    n_scenarios: u32,
    seed: u64,
    test_levels: &[Confidence],
    progress: &Progress,
) -> Result<Vec<CriticalZ2>> {
    if !(1..=MAX_DAYS).contains(&history.days) {
        return Err(RiskError::invalid(NAME, "n_days", format!("must be within 1..={MAX_DAYS}"), history.days));
    }
    let simulation = Simulation::new(NAME, MonteCarloSettings { n_scenarios, seed, sampler: Sampler::Pseudo }, 1)?;
    if let Some(level) = test_levels.iter().find(|c| c.tail_count(n_scenarios as usize).whole < MIN_BEYOND) {
        let why = format!("must leave {MIN_BEYOND} beyond a test level of {} bp", level.bp());
        return Err(RiskError::invalid(NAME, "n_scenarios", why, n_scenarios));
    }
    simulation.begin(progress, 1);
    let sample = OrderedLosses::sort(NAME, history.simulate(&simulation, progress)?)?;
    let critical = |&level: &Confidence| {
        Ok(CriticalZ2 { z2: -sample.var(level)?, standard_error: sample.var_standard_error(level)? })
    };
    test_levels.iter().map(critical).collect()
}

impl History {
    /// `-Z2 = Σ L/ES / (T p) - 1` over the exceptions of each history.
    fn simulate(&self, simulation: &Simulation, progress: &Progress) -> Result<Vec<f64>> {
        let tail = self.confidence.tail();
        let Multipliers { var, es } = Multipliers::of(self.distribution, tail);
        let weight = 1.0 / (es * f64::from(self.days) * tail.get());
        let mixing = match self.distribution {
            Distribution::Normal => None,
            Distribution::StudentT(nu) => Some(MixingTable::new(nu)),
        };
        simulation.losses(progress, |draws, sums| {
            let (mut days, mut scales) = ([0.0; FILL_BLOCK], [1.0; FILL_BLOCK]);
            let (days, scales) = (&mut days[..sums.len()], &mut scales[..sums.len()]);
            sums.fill(-1.0);
            for _ in 0..self.days {
                draws.normals(0, days);
                if let Some(mixing) = &mixing {
                    mixing.draw(0, draws, scales);
                }
                for ((sum, z), scale) in sums.iter_mut().zip(&*days).zip(&*scales) {
                    let loss = z * scale;
                    *sum += if loss > var { loss * weight } else { 0.0 };
                }
            }
        })
    }
}
