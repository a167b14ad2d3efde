//! The numbers of a simulation, block by block.

use rayon::prelude::*;

use super::{MonteCarloSettings, Sampler};
use crate::error::{Result, RiskError};
use crate::progress::Progress;
use crate::rng::{
    BlockStream, FILL_BLOCK, Philox4x64, Sobol, normals_f32_from_stream, normals_from_points, normals_from_stream,
};

/// Least number of scenarios.
const MIN_SCENARIOS: u32 = 1_000;
/// Most scenarios: their losses alone are 80 MB.
const MAX_SCENARIOS: u32 = 10_000_000;
/// Least number of replications from which a standard error is worth its name.
const MIN_REPLICATIONS: u32 = 16;
/// Blocks that one task takes at least, so that handing them out costs nothing beside them.
const BLOCKS_A_TASK: usize = 4;

/// A checked plan of a simulation: which scenarios, from which numbers.
pub(crate) struct Simulation {
    pub settings: MonteCarloSettings,
    computation: &'static str,
    sobol: Option<Sobol>,
}

impl Simulation {
    /// Checks the settings for scenarios of `dimension` normals each.
    pub fn new(computation: &'static str, settings: MonteCarloSettings, dimension: usize) -> Result<Self> {
        let n = settings.n_scenarios;
        if !(MIN_SCENARIOS..=MAX_SCENARIOS).contains(&n) {
            let why = format!("must be within {MIN_SCENARIOS}..={MAX_SCENARIOS}");
            return Err(RiskError::invalid(computation, "n_scenarios", why, n));
        }
        let sobol = match settings.sampler {
            Sampler::Pseudo => None,
            Sampler::Sobol { replications } => {
                check_replications(computation, n, replications)?;
                Some(Sobol::new(dimension)?)
            }
        };
        Ok(Self { settings, computation, sobol })
    }

    /// Number of independent replications: 1 for pseudo-random numbers.
    pub fn replications(&self) -> u32 {
        match self.settings.sampler {
            Sampler::Pseudo => 1,
            Sampler::Sobol { replications } => replications,
        }
    }

    /// Scenarios of one replication.
    pub fn replication_len(&self) -> usize {
        (self.settings.n_scenarios / self.replications()) as usize
    }

    /// Tells how much there is to do: as many runs of all scenarios.
    pub fn begin(&self, progress: &Progress, runs: usize) {
        progress.begin(u64::from(self.settings.n_scenarios) * runs as u64);
    }

    /// One loss a scenario, in order. `fill` computes those of one block from its draws.
    ///
    /// Errors: `Canceled`.
    pub fn losses(&self, progress: &Progress, fill: impl Fn(&mut Draws<'_>, &mut [f64]) + Sync) -> Result<Vec<f64>> {
        self.scenarios(progress, fill)
    }

    /// One value a scenario, as [`Simulation::losses`].
    pub fn scenarios<T: Copy + Default + Send>(
        &self,
        progress: &Progress,
        fill: impl Fn(&mut Draws<'_>, &mut [T]) + Sync,
    ) -> Result<Vec<T>> {
        let mut values = vec![T::default(); self.settings.n_scenarios as usize];
        let block = FILL_BLOCK.min(self.replication_len());
        values.par_chunks_mut(block).enumerate().with_min_len(BLOCKS_A_TASK).for_each(|(number, values)| {
            if !progress.is_canceled() {
                fill(&mut self.draws(number, block), values);
                progress.add(values.len() as u64);
            }
        });
        progress.check(self.computation)?;
        Ok(values)
    }

    fn draws(&self, number: usize, block: usize) -> Draws<'_> {
        let seed = self.settings.seed;
        let Some(sobol) = &self.sobol else {
            return Draws(Source::Pseudo(BlockStream::new(seed, number as u64)));
        };
        let (replication, first) = (number * block / self.replication_len(), number * block % self.replication_len());
        Draws(Source::Sobol { sobol, first: first as u32, scramble: Philox4x64::new([seed, replication as u64]) })
    }
}

fn check_replications(computation: &'static str, n: u32, replications: u32) -> Result<()> {
    if replications < MIN_REPLICATIONS || replications > n {
        let why = format!("must be at least {MIN_REPLICATIONS} and at most n_scenarios");
        return Err(RiskError::invalid(computation, "replications", why, replications));
    }
    if n.is_multiple_of(replications) && (n / replications).is_power_of_two() {
        return Ok(());
    }
    let why = format!("must be a power of two times the {replications} replications");
    Err(RiskError::invalid(computation, "n_scenarios", why, n))
}

/// The draws of one block.
pub(crate) struct Draws<'a>(Source<'a>);

// One a block, on the stack: a box would cost more than the bytes.
#[allow(clippy::large_enum_variant)]
enum Source<'a> {
    Pseudo(BlockStream),
    Sobol { sobol: &'a Sobol, first: u32, scramble: Philox4x64 },
}

impl Draws<'_> {
    /// Whether dimensions differ in quality.
    pub fn is_quasi(&self) -> bool {
        matches!(self.0, Source::Sobol { .. })
    }

    /// The next standard normals in single precision. Only of pseudo-random numbers: Sobol points give none.
    pub fn normals_f32(&mut self, out: &mut [f32]) {
        match &mut self.0 {
            Source::Pseudo(stream) => normals_f32_from_stream(stream, out),
            Source::Sobol { .. } => out.fill(f32::NAN),
        }
    }

    /// Standard normals of one dimension for the scenarios of the block, at most [`FILL_BLOCK`]. Each dimension is asked
    /// for once, in ascending order.
    pub fn normals(&mut self, dimension: usize, out: &mut [f64]) {
        match &mut self.0 {
            Source::Pseudo(stream) => normals_from_stream(stream, out),
            Source::Sobol { sobol, first, scramble } => {
                let mut points = [0; FILL_BLOCK];
                let points = &mut points[..out.len().min(FILL_BLOCK)];
                sobol.fill(dimension, *first, points);
                let seed = scramble.block([dimension as u64, 0, 0, 1])[0] as u32;
                normals_from_points(points, seed, out);
            }
        }
    }
}
