//! Simulation beside the floor of the machine, in one run: random words, normals and multiply-adds a second, then what is
//! made of them. One thread, unless a name says otherwise.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use risk_core::covariance::Covariance;
use risk_core::delta_gamma::QuadraticForm;
use risk_core::historical::historical_risk;
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::montecarlo::{
    BookPosition, BookSampling, DeltaGammaSampling, LinearBook, LinearForm, MonteCarloSettings, Revaluation, Sampler,
    Shock, delta_gamma_monte_carlo, full_revaluation_monte_carlo, linear_monte_carlo,
};
use risk_core::pretrade_var::PortfolioVar;
use risk_core::pricing::{Bsm, OptionKind};
use risk_core::progress::Progress;
use risk_core::quantile::{OrderedLosses, QuantileRule};
use risk_core::rng::{BlockStream, FILL_BLOCK, normals_from_words};
use risk_core::stress::Holding;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};

const SCENARIOS: u32 = 1_000_000;
const FACTORS: usize = 50;

fn c99() -> [Confidence; 1] {
    [Confidence::from_bp("bench", 9900).unwrap()]
}

fn student_t() -> Distribution {
    Distribution::StudentT(DegreesOfFreedom::new("bench", 5.0).unwrap())
}

fn normals(n: usize) -> Vec<f64> {
    let (mut words, mut z) = (vec![0; n], vec![0.0; n]);
    BlockStream::new(1, 1).fill(&mut words);
    normals_from_words(&words, &mut z);
    z
}

fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

/// Sixteen registers of eight lanes, 64 times.
struct MultiplyAdds<'a>(&'a mut [f64; 16 * 8]);

impl pulp::WithSimd for MultiplyAdds<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let mut lanes = *self.0;
        for _ in 0..64 {
            for v in &mut lanes {
                *v = v.mul_add(0.999_999, 1e-7);
            }
        }
        *self.0 = lanes;
    }
}

/// What nothing here can beat.
fn floor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("floor");
    group.throughput(Throughput::Elements(FILL_BLOCK as u64));
    let mut stream = BlockStream::new(1, 0);
    let mut words = vec![0; FILL_BLOCK];
    group.bench_function("words", |b| b.iter(|| stream.fill(black_box(&mut words))));
    let mut z = vec![0.0; FILL_BLOCK];
    group.bench_function("normals_of_words", |b| b.iter(|| normals_from_words(black_box(&words), &mut z)));
    group.throughput(Throughput::Elements(16 * 8 * 64));
    let mut lanes = [1.0; 16 * 8];
    group.bench_function("multiply_adds", |b| {
        b.iter(|| pulp::Arch::new().dispatch(MultiplyAdds(black_box(&mut lanes))));
    });
    let sample = normals(SCENARIOS as usize);
    group.throughput(Throughput::Elements(u64::from(SCENARIOS)));
    group.sample_size(20);
    group.bench_function("select_tail", |b| {
        let lowest = OrderedLosses::lowest_rank(sample.len(), c99()[0]);
        b.iter_batched(
            || sample.clone(),
            |losses| OrderedLosses::select("bench", losses, lowest).unwrap(),
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn simulations(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulation");
    group.sample_size(10);
    let settings = MonteCarloSettings { n_scenarios: SCENARIOS, seed: 1, sampler: Sampler::Pseudo };
    let form = |factors: usize| {
        let z = normals(2 * factors);
        QuadraticForm::new(0.0, z[..factors].to_vec(), z[factors..].iter().map(|v| 0.2 * v).collect()).unwrap()
    };
    let (double, single) = (DeltaGammaSampling::Plain, DeltaGammaSampling::PlainSinglePrecision);
    for (name, factors, distribution, sampling, threads) in [
        ("delta_gamma_50", FACTORS, Distribution::Normal, double, 1),
        ("delta_gamma_50_student_t", FACTORS, student_t(), double, 1),
        ("delta_gamma_50_two_threads", FACTORS, Distribution::Normal, double, 2),
        ("delta_gamma_50_single_precision", FACTORS, Distribution::Normal, single, 1),
        ("delta_gamma_256_single_precision_two_threads", 256, Distribution::Normal, single, 2),
    ] {
        let form = form(factors);
        group.throughput(Throughput::Elements(u64::from(SCENARIOS) * factors as u64));
        let run =
            || delta_gamma_monte_carlo(&form, distribution, sampling, settings, &c99(), &Progress::new()).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        group.bench_function(name, |b| b.iter(|| pool.install(run)));
    }
    let form = form(FACTORS);
    let sobol = MonteCarloSettings { n_scenarios: 16 << 10, sampler: Sampler::Sobol { replications: 16 }, ..settings };
    group.throughput(Throughput::Elements(u64::from(sobol.n_scenarios) * FACTORS as u64));
    group.bench_function("delta_gamma_50_importance_sobol_16k", |b| {
        let importance = DeltaGammaSampling::ImportanceSampling { strata: 0 };
        b.iter(|| {
            on_threads(1, || {
                delta_gamma_monte_carlo(&form, Distribution::Normal, importance, sobol, &c99(), &Progress::new())
                    .unwrap()
            })
        });
    });
    on_threads(1, || report_efficiency(&form));
    group.bench_function("delta_gamma_50_exact", |b| b.iter(|| form.var_es(c99()[0].tail()).unwrap()));
    group.throughput(Throughput::Elements(u64::from(SCENARIOS)));
    let cov = Matrix::from_fn(FACTORS, FACTORS, |i, j| 1e-4 * 0.5_f64.powi(i.abs_diff(j) as i32));
    let cov = Covariance::new("bench", FACTORS, cov.as_ref()).unwrap();
    let x = normals(FACTORS);
    group.bench_function("linear_one_dimensional", |b| {
        let one = LinearForm::OneDimensional;
        b.iter(|| {
            on_threads(1, || {
                linear_monte_carlo(
                    LinearBook { exposures: &x, mean: &[], form: one, horizon: HorizonDays::ONE },
                    &cov,
                    Distribution::Normal,
                    settings,
                    &c99(),
                    &Progress::new(),
                )
                .unwrap()
            })
        });
    });
    group.finish();
}

/// Mean variance of the VaR times the scenarios, and seconds a scenario, on one thread.
fn cost(
    form: &QuadraticForm,
    distribution: Distribution,
    sampling: DeltaGammaSampling,
    settings: MonteCarloSettings,
) -> (f64, f64) {
    const SEEDS: u64 = 16;
    let (mut variance, mut fastest) = (0.0, f64::INFINITY);
    for seed in 0..SEEDS {
        let settings = MonteCarloSettings { seed, ..settings };
        let start = Instant::now();
        let level =
            delta_gamma_monte_carlo(form, distribution, sampling, settings, &c99(), &Progress::new()).unwrap()[0];
        fastest = start.elapsed().as_secs_f64().min(fastest);
        variance += (level.var_se / level.var).powi(2) / SEEDS as f64;
    }
    let n = f64::from(settings.n_scenarios);
    (variance * n, fastest / n)
}

/// Time to a standard error of 0.1 % of the VaR, plain and by the methods that reduce the variance.
fn report_efficiency(form: &QuadraticForm) {
    let pseudo = |n_scenarios| MonteCarloSettings { n_scenarios, seed: 1, sampler: Sampler::Pseudo };
    let sobol = |points: u32| MonteCarloSettings {
        n_scenarios: 16 * points,
        seed: 1,
        sampler: Sampler::Sobol { replications: 16 },
    };
    let importance = DeltaGammaSampling::ImportanceSampling { strata: 0 };
    for (name, distribution) in [("normal", Distribution::Normal), ("student_t", student_t())] {
        let (plain_variance, plain_seconds) = cost(form, distribution, DeltaGammaSampling::Plain, pseudo(1 << 18));
        let to_error = |variance: f64, seconds: f64| 1e3 * seconds * variance / 1e-3_f64.powi(2);
        println!("{name}: plain {:.1} ms to 0.1 %", to_error(plain_variance, plain_seconds));
        for (method, settings) in [
            ("importance", pseudo(1 << 15)),
            ("importance and sobol", sobol(1 << 11)),
            ("importance and more sobol", sobol(1 << 12)),
        ] {
            let (variance, seconds) = cost(form, distribution, importance, settings);
            println!(
                "{name}: {method} {:.2} ms, {:.0} times faster: variance ratio {:.0}, cost ratio {:.2}",
                to_error(variance, seconds),
                to_error(plain_variance, plain_seconds) / to_error(variance, seconds),
                plain_variance / variance,
                seconds / plain_seconds,
            );
        }
    }
}

/// 100,000 scenarios of a book of options on 20 underlyings, on one thread.
fn revaluations(criterion: &mut Criterion) {
    const UNDERLYINGS: usize = 20;
    let mut group = criterion.benchmark_group("full_revaluation");
    group.sample_size(10);
    let cov = Matrix::from_fn(UNDERLYINGS, UNDERLYINGS, |i, j| if i == j { 4e-4 } else { 1e-4 });
    let cov = Covariance::new("bench", UNDERLYINGS, cov.as_ref()).unwrap();
    let settings = MonteCarloSettings { n_scenarios: 100_000, seed: 1, sampler: Sampler::Pseudo };
    let how = (Revaluation { shock: Shock::Log, years: 1.0 / 252.0 }, BookSampling::Plain);
    for options in [200, 2_000] {
        let position = |i: usize| {
            let kind = if i.is_multiple_of(2) { OptionKind::Call } else { OptionKind::Put };
            let (strike, years) = (80.0 + (i % 41) as f64, 0.1 + 0.01 * (i % 97) as f64);
            let option = Bsm { kind, spot: 100.0, strike, years, rate: 0.03, dividend_yield: 0.01, vol: 0.3 };
            BookPosition { factor: i % UNDERLYINGS, qty: -1.0, holding: Holding::Option(option) }
        };
        let book: Vec<BookPosition> = (0..options).map(position).collect();
        group.throughput(Throughput::Elements(u64::from(settings.n_scenarios) * options as u64));
        let (levels, progress) = (c99(), Progress::new());
        let run = || {
            full_revaluation_monte_carlo(&book, &cov, Distribution::Normal, how, settings, &levels, &progress).unwrap()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        group.bench_function(format!("{options}_options"), |b| b.iter(|| pool.install(run)));
    }
    group.finish();
}

fn small(criterion: &mut Criterion) {
    let (n, k) = (500, 50);
    let returns: Vec<f64> = normals(n * k).iter().map(|z| 0.01 * z).collect();
    let returns = MatrixRef::new("bench", "returns", n, k, &returns).unwrap();
    let x = normals(k);
    criterion.bench_function("historical_500x50_with_components", |b| {
        b.iter(|| historical_risk(black_box(&x), returns, QuantileRule::InvertedCdf, &c99()).unwrap());
    });
    let cov = Matrix::from_fn(k, k, |i, j| 1e-4 * 0.5_f64.powi(i.abs_diff(j) as i32));
    let cov = Covariance::new("bench", k, cov.as_ref()).unwrap();
    let portfolio = PortfolioVar::new(&x, &cov, Distribution::Normal, c99()[0], HorizonDays::ONE).unwrap();
    criterion
        .bench_function("pretrade_var_check", |b| b.iter(|| portfolio.check(black_box(7), black_box(0.5)).unwrap()));
}

criterion_group!(benches, floor, simulations, revaluations, small);
criterion_main!(benches);
