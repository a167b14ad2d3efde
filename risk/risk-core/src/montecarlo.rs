//! VaR and ES by simulation, with their standard errors.
//!
//! Scenarios come in fixed blocks. The numbers of a block depend on the seed and its place alone, each loss is written to
//! its own place, and everything after that is serial: the answer has the same bits for every number of threads. Work runs
//! on the rayon pool of the caller.
//! Sources: Glasserman, *Monte Carlo Methods in Financial Engineering*, 2003, ch. 5 and 9; Owen 1995.

mod book;
mod delta_gamma;
mod draws;
mod estimate;
mod importance;
mod linear;
mod mixing;
mod reflection;
mod revaluation;
mod student_twist;

pub use book::RepricedBook;
pub use delta_gamma::{DeltaGammaSampling, delta_gamma_monte_carlo};
pub use estimate::MonteCarloLevel;
pub use linear::{LinearBook, LinearForm, MonteCarloRisk, linear_monte_carlo};
pub use revaluation::{BookPosition, BookSampling, Revaluation, Shock, full_revaluation_monte_carlo};

use crate::matrix::Matrix;
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

/// Adds `B_ij z_j` to the returns of every factor i: columns of one block of scenarios, one factor after the other.
///
/// Called for each j, it makes `r = B z` for all scenarios of the block.
pub fn add_loadings(loadings: &Matrix, j: usize, normals: &[f64], returns: &mut [f64]) {
    let arch = pulp::Arch::new();
    for (i, column) in returns.chunks_exact_mut(normals.len().max(1)).enumerate().take(loadings.rows()) {
        let weight = if j < loadings.cols() { loadings.at(i, j) } else { 0.0 };
        if weight != 0.0 {
            arch.dispatch(AddScaled { weight, normals, column });
        }
    }
}

/// Adds `weight z` to a column.
struct AddScaled<'a> {
    weight: f64,
    normals: &'a [f64],
    column: &'a mut [f64],
}

impl pulp::WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.column.iter_mut().zip(self.normals).for_each(|(r, z)| *r += self.weight * z);
    }
}
