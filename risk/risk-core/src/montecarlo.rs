//! VaR and ES by simulation, with their standard errors.
//!
//! Scenarios come in fixed blocks. The numbers of a block depend on the seed and its place alone, each loss is written to
//! its own place, and everything after that is serial: the answer has the same bits for every number of threads. Work runs
//! on the rayon pool of the caller.
//! Sources: Glasserman, *Monte Carlo Methods in Financial Engineering*, 2003, ch. 5 and 9; Owen 1995.

mod book;
mod critical;
mod delta_gamma;
mod draws;
mod estimate;
mod importance;
mod linear;
mod loadings;
mod mixing;
mod reflection;
mod revaluation;
mod student_twist;

pub use book::RepricedBook;
pub use critical::{CriticalZ2, History, critical_z2};
pub use delta_gamma::{DeltaGammaSampling, delta_gamma_monte_carlo};
pub use estimate::MonteCarloLevel;
pub use linear::{LinearBook, LinearForm, MonteCarloRisk, linear_monte_carlo};
pub use loadings::apply_loadings;
pub use revaluation::{BookPosition, BookSampling, Revaluation, Shock, full_revaluation_monte_carlo};

use draws::Simulation;

/// Where the random numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampler {
    /// Pseudo-random.
    Pseudo,
    /// Owen-scrambled Sobol points: independent replications, at least 16, of a power of two points each.
    Sobol {
        /// R; `n_scenarios / R` must be a power of two.
        replications: u32,
    },
}

/// How much is simulated, and from which seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonteCarloSettings {
    /// Number of scenarios, 1,000 to 10,000,000 in all.
    pub n_scenarios: u32,
    /// Seed of everything random.
    pub seed: u64,
    /// Pseudo-random or Sobol.
    pub sampler: Sampler,
}
