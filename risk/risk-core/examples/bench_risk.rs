//! Times one kernel at a time, so that another program can time its peers in turn: reads a name a line, prints what it
//! measured as numbers. `make bench-risk` drives it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// The counting allocator is the one place where unsafe code is needed.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use risk_core::covariance::Covariance;
use risk_core::delta_gamma::{DeltaGamma, QuadraticForm};
use risk_core::historical::historical_risk;
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::montecarlo::{
    BookPosition, BookSampling, DeltaGammaSampling, LinearBook, LinearForm, MonteCarloLevel, MonteCarloSettings,
    Revaluation, Sampler, Shock, apply_loadings, delta_gamma_monte_carlo, full_revaluation_monte_carlo,
    linear_monte_carlo,
};
use risk_core::parametric::{Multipliers, parametric_risk};
use risk_core::portfolio::{FactorModel, Kind, LivePortfolio};
use risk_core::pretrade_var::PortfolioVar;
use risk_core::pricing::{Bsm, BsmBatch, BsmColumns, Exercise, OptionKind, TreeOption, bsm_batch_into, leisen_reimer};
use risk_core::progress::Progress;
use risk_core::quantile::QuantileRule;
use risk_core::rng::{BlockStream, FILL_BLOCK, normals_f32_from_stream, normals_from_stream, normals_from_words};
use risk_core::stress::Holding;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};

#[path = "../tests/common/option_books.rs"]
mod option_books;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MILLION: u32 = 1_000_000;

fn c99() -> [Confidence; 1] {
    [Confidence::from_bp("bench", 9_900).unwrap()]
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

fn normals(count: usize) -> Vec<f64> {
    let mut words = vec![0; count];
    BlockStream::new(7, 7).fill(&mut words);
    let mut z = vec![0.0; count];
    normals_from_words(&words, &mut z);
    z
}

fn pseudo(n_scenarios: u32, seed: u64) -> MonteCarloSettings {
    MonteCarloSettings { n_scenarios, seed, sampler: Sampler::Pseudo }
}

/// Correlated factors, one per cent a day.
fn covariance(k: usize) -> Matrix {
    Matrix::from_fn(k, k, |i, j| 1e-4 * 0.5_f64.powi(i.abs_diff(j).min(40) as i32))
}

fn form(k: usize) -> QuadraticForm {
    let (matrix, delta) = (covariance(k), normals(k));
    let cov = Covariance::new("bench", k, matrix.as_ref()).unwrap();
    let gamma = Matrix::from_fn(k, k, |i, j| if i == j { -20.0 } else { 0.1 });
    DeltaGamma { theta: 0.0, delta: &delta, gamma: gamma.as_ref() }.diagonalise(&cov).unwrap()
}

fn student_t() -> Distribution {
    Distribution::StudentT(DegreesOfFreedom::new("bench", 5.0).unwrap())
}

fn simulate(
    form: &QuadraticForm,
    distribution: Distribution,
    sampling: DeltaGammaSampling,
    settings: MonteCarloSettings,
) -> MonteCarloLevel {
    delta_gamma_monte_carlo(form, distribution, sampling, settings, &c99(), &Progress::new()).unwrap()[0]
}

fn delta_gamma(k: usize, n: u32, distribution: Distribution, sampling: DeltaGammaSampling, threads: usize) -> f64 {
    let form = form(k);
    on_threads(threads, || seconds(|| _ = black_box(simulate(&form, distribution, sampling, pseudo(n, 1)))))
}

/// Seconds until the standard error of the VaR is a thousandth of it: the time of a run times how much larger its variance
/// is than that.
fn time_to_error(form: &QuadraticForm, sampling: DeltaGammaSampling, settings: MonteCarloSettings, runs: u64) -> f64 {
    let mut relative = 0.0;
    let mut best = f64::INFINITY;
    for seed in 0..runs {
        let mut level = None;
        let took = seconds(|| {
            level = Some(simulate(form, Distribution::Normal, sampling, MonteCarloSettings { seed, ..settings }));
        });
        best = best.min(took);
        let level = level.unwrap();
        relative += (level.var_se / level.var).powi(2) / runs as f64;
    }
    best * relative / 1e-6
}

struct MultiplyAdds<'a>(&'a mut [f64; 128]);

impl WithSimd for MultiplyAdds<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let mut lanes = *self.0;
        for _ in 0..64 {
            for lane in &mut lanes {
                *lane = lane.mul_add(0.999_999, 1e-9);
            }
        }
        *self.0 = lanes;
    }
}

/// Floating-point operations a second of one thread.
fn floor_flops() -> f64 {
    let mut lanes = [1.0; 128];
    let rounds = 20_000;
    let took = seconds(|| {
        for _ in 0..rounds {
            pulp::Arch::new().dispatch(MultiplyAdds(black_box(&mut lanes)));
        }
    });
    f64::from(rounds) * 64.0 * 128.0 * 2.0 / took
}

/// Seconds of the three operations of each node of a binomial tree, at the speed of multiply-adds.
fn floor_tree(steps: usize) -> f64 {
    3.0 * (steps * (steps + 1) / 2) as f64 / floor_flops()
}

struct Axpy<'a>(&'a mut [f64], &'a [f64]);

impl WithSimd for Axpy<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.iter_mut().zip(self.1).for_each(|(y, x)| *y = x.mul_add(0.5, *y));
    }
}

/// Seconds of `y += a x` over so many values in the cache: what one changed position does to a gradient.
fn floor_axpy(n: usize) -> f64 {
    let (x, mut y) = (vec![1e-9; n], vec![1.0; n]);
    let rounds = 10_000;
    seconds(|| {
        for _ in 0..rounds {
            pulp::Arch::new().dispatch(Axpy(black_box(&mut y), black_box(&x)));
        }
    }) / f64::from(rounds)
}

/// Seconds of nothing but the normals of a million scenarios, block by block as a simulation draws them.
fn floor_normals(each: usize) -> f64 {
    seconds(|| {
        let mut z = vec![0.0; FILL_BLOCK];
        for block in 0..blocks() {
            let mut stream = BlockStream::new(1, block);
            (0..each).for_each(|_| normals_from_stream(&mut stream, black_box(&mut z)));
        }
    })
}

/// The same in single precision on two threads.
fn floor_normals_f32(each: usize) -> f64 {
    on_threads(2, || {
        seconds(|| {
            (0..blocks()).into_par_iter().for_each(|block| {
                let (mut stream, mut z) = (BlockStream::new(1, block), [0.0; FILL_BLOCK]);
                (0..each).for_each(|_| normals_f32_from_stream(&mut stream, black_box(&mut z)));
            });
        })
    })
}

fn blocks() -> u64 {
    u64::from(MILLION) / FILL_BLOCK as u64
}

/// Seconds of a million normals that are kept, and read once.
fn floor_kept() -> f64 {
    seconds(|| {
        let mut kept = vec![0.0; MILLION as usize];
        for (block, z) in kept.chunks_mut(FILL_BLOCK).enumerate() {
            normals_from_stream(&mut BlockStream::new(1, block as u64), z);
        }
        black_box(sums(&kept));
    })
}

/// Seconds of reading so many bytes from memory, one thread.
fn floor_read(bytes: usize) -> f64 {
    let values = vec![1.0_f64; 32 << 20];
    let took = seconds(|| _ = black_box(sums(&values)));
    took * bytes as f64 / (values.len() as f64 * 8.0)
}

fn sums(values: &[f64]) -> [f64; 8] {
    values.chunks_exact(8).fold([0.0; 8], |mut sums, chunk| {
        sums.iter_mut().zip(chunk).for_each(|(sum, v)| *sum += v);
        sums
    })
}

fn linear(n: u32) -> f64 {
    let (matrix, exposures) = (covariance(50), normals(50));
    let cov = Covariance::new("bench", 50, matrix.as_ref()).unwrap();
    let form = LinearForm::OneDimensional;
    let book = LinearBook { exposures: &exposures, mean: &[], form, horizon: HorizonDays::ONE };
    let run = || linear_monte_carlo(book, &cov, Distribution::Normal, pseudo(n, 1), &c99(), &Progress::new());
    on_threads(1, || seconds(|| drop(black_box(run().unwrap()))))
}

/// Two hundred options on twenty underlyings.
fn revaluation(n: u32, options: usize) -> f64 {
    let k = 20;
    let matrix = covariance(k);
    let cov = Covariance::new("bench", k, matrix.as_ref()).unwrap();
    let book: Vec<BookPosition> = (0..options)
        .map(|i| {
            let kind = if i % 2 == 0 { OptionKind::Call } else { OptionKind::Put };
            let strike = 80.0 + 40.0 * (i as f64 * 0.618).fract();
            let option = Bsm { kind, spot: 100.0, strike, years: 0.5, rate: 0.02, dividend_yield: 0.0, vol: 0.3 };
            BookPosition { factor: i % k, qty: 1.0 - (i % 3) as f64, holding: Holding::Option(option) }
        })
        .collect();
    let how = (Revaluation { shock: Shock::Log, years: 1.0 / 252.0 }, BookSampling::Plain);
    let (settings, progress) = (pseudo(n, 1), Progress::new());
    let run = || full_revaluation_monte_carlo(&book, &cov, Distribution::Normal, how, settings, &c99(), &progress);
    on_threads(1, || seconds(|| drop(black_box(run().unwrap()))))
}

/// Seconds of the product of the factor with the normals of 100 blocks, as a full revaluation has it.
fn factor_product(k: usize) -> f64 {
    let matrix = covariance(k);
    let loadings = Covariance::new("bench", k, matrix.as_ref()).unwrap().factor();
    let (z, mut returns) = (normals(k * FILL_BLOCK), vec![0.0; k * FILL_BLOCK]);
    let blocks = 100;
    seconds(|| (0..blocks).for_each(|_| apply_loadings(&loadings, FILL_BLOCK, black_box(&z), &mut returns)))
}

fn options(n: usize) -> f64 {
    let spread = |low: f64, high: f64| -> Vec<f64> {
        (1..=n).map(|i| low + (high - low) * (i as f64 * 0.618_033_988_749_894_8).fract()).collect()
    };
    let kind: Vec<OptionKind> = (0..n).map(|i| if i % 2 == 0 { OptionKind::Call } else { OptionKind::Put }).collect();
    let (spot, strike, years, vol) = (vec![100.0; n], spread(60.0, 140.0), spread(0.05, 2.0), spread(0.1, 0.6));
    let (rate, dividend_yield) = (vec![0.03; n], vec![0.01; n]);
    let columns = BsmColumns {
        kind: &kind,
        spot: &spot,
        strike: &strike,
        years: &years,
        rate: &rate,
        dividend_yield: &dividend_yield,
        vol: &vol,
    };
    let mut out = BsmBatch::default();
    bsm_batch_into(&columns, &mut out).unwrap();
    seconds(|| bsm_batch_into(black_box(&columns), &mut out).unwrap())
}

/// Seconds of one American put on a tree of 501 steps.
fn american() -> f64 {
    let (rate, dividend_yield) = (0.05, 0.02);
    let option = Bsm { kind: OptionKind::Put, spot: 100.0, strike: 105.0, years: 1.0, rate, dividend_yield, vol: 0.25 };
    let request = TreeOption { option, exercise: Exercise::American, steps: 501 };
    let rounds = 200;
    seconds(|| (0..rounds).for_each(|_| _ = black_box(leisen_reimer(black_box(&request), &Progress::new()).unwrap())))
        / f64::from(rounds)
}

fn historical(rows: usize, cols: usize) -> f64 {
    let (values, exposures) = (normals(rows * cols), normals(cols));
    let returns = MatrixRef::new("bench", "returns", rows, cols, &values).unwrap();
    let run = || historical_risk(&exposures, returns, QuantileRule::InvertedCdf, &c99()).unwrap();
    drop(black_box(run()));
    let rounds = 20;
    seconds(|| (0..rounds).for_each(|_| drop(black_box(run())))) / f64::from(rounds)
}

/// Seconds of the VaR after one of 1,000 exposures changed: kept up to date, and computed anew.
fn what_if() -> (f64, f64) {
    let k = 1_000;
    let (matrix, mut exposures) = (covariance(k), normals(k));
    let cov = Covariance::new("bench", k, matrix.as_ref()).unwrap();
    let confidence = c99()[0];
    let mut live = PortfolioVar::new(&exposures, &cov, Distribution::Normal, confidence, HorizonDays::ONE).unwrap();
    let rounds = 500;
    let incremental = seconds(|| {
        for i in 0..rounds {
            live.fill(i % k, 0.5).unwrap();
            black_box(live.variance());
        }
    }) / rounds as f64;
    let multipliers = Multipliers::of(Distribution::Normal, confidence.tail());
    let few = 20;
    let anew = seconds(|| {
        for i in 0..few {
            exposures[i] += 0.5;
            black_box(parametric_risk(&exposures, &[], &cov, multipliers, HorizonDays::ONE, &Progress::new()).unwrap());
        }
    }) / few as f64;
    (incremental, anew)
}

/// Seconds of the component VaR of 1,000 positions after one of them changed.
fn component() -> f64 {
    let k = 1_000;
    let matrix = covariance(k);
    let cov = Covariance::new("bench", k, matrix.as_ref()).unwrap();
    let model = FactorModel { mean: &[], covariance: &cov, distribution: Distribution::Normal };
    let kinds = (0..k).map(Kind::Factor).collect();
    let mut live = LivePortfolio::new(model, &c99(), kinds, Vec::new()).unwrap();
    for i in 0..k {
        live.set_spot(i, 100.0).unwrap();
        live.set_qty(i, 10.0 + i as f64).unwrap();
    }
    let rounds = 500;
    seconds(|| {
        for i in 0..rounds {
            live.set_qty(i % k, 11.0 + i as f64).unwrap();
            black_box(live.component_var());
        }
    }) / rounds as f64
}

/// Nanoseconds of a pre-trade VaR check: median, 99th percentile, and allocations in all. A check takes less than the clock
/// tells, so each time is that of 64 of them.
fn pretrade() -> (f64, f64, f64) {
    let k = 1_000;
    let (matrix, exposures) = (covariance(k), normals(k));
    let cov = Covariance::new("bench", k, matrix.as_ref()).unwrap();
    let live = PortfolioVar::new(&exposures, &cov, Distribution::Normal, c99()[0], HorizonDays::ONE).unwrap();
    let mut times = vec![0.0; 20_000];
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for (round, time) in times.iter_mut().enumerate() {
        *time = seconds(|| {
            for i in 0..64 {
                black_box(live.check((round * 64 + i * 37) % k, 0.25).unwrap());
            }
        }) * 1e9
            / 64.0;
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    times.sort_by(f64::total_cmp);
    (times[times.len() / 2], times[times.len() * 99 / 100], allocations as f64)
}

/// Variance of the VaR of plain simulation over that of the best reduction, for one of the books.
fn variance_ratio(place: usize) -> f64 {
    let books = option_books::books();
    let book = &books[place];
    let cov = Covariance::new("bench", book.covariance.rows(), book.covariance.as_ref()).unwrap();
    let variance = |sampling| {
        let var = |seed| {
            let how = (Revaluation { shock: Shock::Log, years: option_books::TEN_DAYS }, sampling);
            let (settings, progress) = (pseudo(4_096, seed), Progress::new());
            let (positions, normal) = (&book.positions, Distribution::Normal);
            full_revaluation_monte_carlo(positions, &cov, normal, how, settings, &c99(), &progress).unwrap().levels[0]
                .var
        };
        let values: Vec<f64> = (0..64).map(var).collect();
        let mean = values.iter().sum::<f64>() / 64.0;
        values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 63.0
    };
    variance(BookSampling::Plain) / variance(BookSampling::ImportanceSampling { strata: 64 })
}

fn measure(name: &str) -> Vec<f64> {
    let (plain, single) = (DeltaGammaSampling::Plain, DeltaGammaSampling::PlainSinglePrecision);
    let (kernel, argument) = name.split_once(' ').unwrap_or((name, "0"));
    let argument: usize = argument.parse().expect("a whole number");
    match kernel {
        "floor_flops" => vec![floor_flops()],
        "floor_tree" => vec![floor_tree(argument)],
        "floor_axpy" => vec![floor_axpy(argument)],
        "floor_normals" => vec![floor_normals(argument)],
        "floor_normals_f32" => vec![floor_normals_f32(argument)],
        "floor_kept" => vec![floor_kept()],
        "floor_read" => vec![floor_read(argument)],
        "linear" => vec![linear(argument as u32)],
        "delta_gamma_50" => vec![delta_gamma(50, argument as u32, Distribution::Normal, plain, 1)],
        "delta_gamma_50_student_t" => vec![delta_gamma(50, argument as u32, student_t(), plain, 1)],
        "delta_gamma_256_f32_two_threads" => vec![delta_gamma(256, argument as u32, Distribution::Normal, single, 2)],
        "delta_gamma_factors" => vec![delta_gamma(argument, MILLION / 10, Distribution::Normal, plain, 1)],
        "exact_50" => {
            let form = form(50);
            let tail = c99()[0].tail();
            vec![seconds(|| (0..20).for_each(|_| _ = black_box(form.var_es(tail).unwrap()))) / 20.0]
        }
        "time_to_error" => {
            let form = form(50);
            let sobol = Sampler::Sobol { replications: 16 };
            let quasi = MonteCarloSettings { n_scenarios: 16 << 10, seed: 0, sampler: sobol };
            let twisted = DeltaGammaSampling::ImportanceSampling { strata: 0 };
            on_threads(1, || {
                vec![time_to_error(&form, plain, pseudo(MILLION, 0), 2), time_to_error(&form, twisted, quasi, 32)]
            })
        }
        "revaluation" => vec![revaluation(argument as u32, 200)],
        "revaluation_options" => vec![revaluation(10_000, argument)],
        "factor_product" => vec![factor_product(argument)],
        "options" => vec![options(argument)],
        "american" => vec![american()],
        "historical" => vec![historical(1_000, argument)],
        "what_if" => {
            let (incremental, anew) = what_if();
            vec![incremental, anew]
        }
        "component" => vec![component()],
        "pretrade" => {
            let (p50, p99, allocations) = pretrade();
            vec![p50, p99, allocations]
        }
        "variance_ratio" => vec![variance_ratio(argument)],
        other => panic!("no kernel {other:?}"),
    }
}

fn main() {
    for line in std::io::stdin().lock().lines() {
        let numbers: Vec<String> = measure(line.expect("a line").trim()).iter().map(f64::to_string).collect();
        println!("{}", numbers.join(" "));
        std::io::stdout().flush().expect("a reader");
    }
}
