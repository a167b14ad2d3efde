//! What importance sampling and strata gain over plain simulation, and that they answer the same question.
#![allow(clippy::unwrap_used)]

use risk_core::covariance::Covariance;
use risk_core::delta_gamma::{DeltaGamma, QuadraticForm};
use risk_core::matrix::Matrix;
use risk_core::montecarlo::{
    BookSampling, DeltaGammaSampling, MonteCarloLevel, MonteCarloSettings, Revaluation, Sampler, Shock,
    delta_gamma_monte_carlo, full_revaluation_monte_carlo,
};
use risk_core::progress::Progress;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution};

#[path = "common/option_books.rs"]
mod option_books;

use option_books::{Book, TEN_DAYS, book, books};

const REPETITIONS: u64 = 64;
const SCENARIOS: u32 = 4_096;
fn c99() -> Confidence {
    Confidence::from_bp("test", 9_900).unwrap()
}

fn settings(n_scenarios: u32, seed: u64, sampler: Sampler) -> MonteCarloSettings {
    MonteCarloSettings { n_scenarios, seed, sampler }
}

fn revalue(book: &Book, sampling: BookSampling, settings: MonteCarloSettings) -> MonteCarloLevel {
    revalue_under(Distribution::Normal, Shock::Log, book, sampling, settings)
}

fn revalue_under(
    distribution: Distribution,
    shock: Shock,
    book: &Book,
    sampling: BookSampling,
    settings: MonteCarloSettings,
) -> MonteCarloLevel {
    let k = book.covariance.rows();
    let covariance = Covariance::new("test", k, book.covariance.as_ref()).unwrap();
    let how = (Revaluation { shock, years: TEN_DAYS }, sampling);
    let (progress, levels) = (Progress::new(), [c99()]);
    full_revaluation_monte_carlo(&book.positions, &covariance, distribution, how, settings, &levels, &progress)
        .unwrap()
        .levels[0]
}

/// Mean and variance over the repetitions.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0))
}

fn repeat(run: impl Fn(u64) -> MonteCarloLevel) -> Vec<MonteCarloLevel> {
    (0..REPETITIONS).map(run).collect()
}

/// Variance of the plain estimate over that of the other, for VaR and ES; the two agree in the mean, and the standard
/// errors are those seen over the repetitions.
fn ratios(name: &str, plain: &[MonteCarloLevel], other: &[MonteCarloLevel]) -> (f64, f64) {
    let each = |get: fn(&MonteCarloLevel) -> (f64, f64), what: &str| {
        let of = |levels: &[MonteCarloLevel]| -> (Vec<f64>, Vec<f64>) { levels.iter().map(get).unzip() };
        let ((plain, _), (other, errors)) = (of(plain), of(other));
        let ((plain_mean, plain_variance), (mean, variance)) = (moments(&plain), moments(&other));
        // Order statistics of 4,096 scenarios lean by less than their error over the root of the repetitions.
        let error = ((plain_variance + variance) / REPETITIONS as f64).sqrt();
        assert!((plain_mean - mean).abs() <= 4.0 * error, "{name} {what}: {plain_mean} {mean} {error}");
        let stated = moments(&errors).0;
        let seen = variance.sqrt();
        assert!((0.5..=2.0).contains(&(stated / seen)), "{name} {what}: stated error {stated}, seen {seen}");
        plain_variance / variance
    };
    (each(|l| (l.var, l.var_se), "VaR"), each(|l| (l.es, l.es_se), "ES"))
}

#[test]
fn strata_and_a_twist_gain_thirtyfold_on_every_option_book() {
    for book in books() {
        let plain = repeat(|seed| revalue(&book, BookSampling::Plain, settings(SCENARIOS, seed, Sampler::Pseudo)));
        let stratified = BookSampling::ImportanceSampling { strata: 64 };
        let strata = repeat(|seed| revalue(&book, stratified, settings(SCENARIOS, seed, Sampler::Pseudo)));
        let (var, es) = ratios(book.name, &plain, &strata);
        println!("{}: {var:.0} on VaR, {es:.0} on ES", book.name);
        assert!(var >= 30.0 && es >= 30.0, "{}: {var} {es}", book.name);
    }
}

#[test]
fn a_twist_alone_and_with_sobol_points_gains_too() {
    let book = &books()[0];
    let plain = repeat(|seed| revalue(book, BookSampling::Plain, settings(SCENARIOS, seed, Sampler::Pseudo)));
    for (sampler, least) in [(Sampler::Pseudo, (10.0, 40.0)), (Sampler::Sobol { replications: 16 }, (50.0, 300.0))] {
        let twisted = BookSampling::ImportanceSampling { strata: 0 };
        let twisted = repeat(|seed| revalue(book, twisted, settings(SCENARIOS, seed, sampler)));
        let (var, es) = ratios(book.name, &plain, &twisted);
        println!("{} {sampler:?}: {var:.0} on VaR, {es:.0} on ES", book.name);
        assert!(var >= least.0 && es >= least.1, "{var} {es}");
    }
}

#[test]
fn a_twist_gains_on_option_books_of_student_t() {
    let distribution = Distribution::StudentT(DegreesOfFreedom::new("test", 5.0).unwrap());
    for place in [0, 2] {
        let book = &books()[place];
        let run = |sampling, sampler| {
            repeat(|seed| {
                revalue_under(distribution, Shock::Simple, book, sampling, settings(SCENARIOS, seed, sampler))
            })
        };
        let plain = run(BookSampling::Plain, Sampler::Pseudo);
        for sampler in [Sampler::Pseudo, Sampler::Sobol { replications: 16 }] {
            let twisted = run(BookSampling::ImportanceSampling { strata: 0 }, sampler);
            let (var, es) = ratios(book.name, &plain, &twisted);
            println!("Student t, {} {sampler:?}: {var:.0} on VaR, {es:.0} on ES", book.name);
            assert!(var >= 20.0 && es >= 30.0, "{}: {var} {es}", book.name);
        }
    }
}

#[test]
fn a_twist_gains_on_delta_gamma_books_gaussian_and_student_t() {
    let k = 10;
    let covariance = Matrix::from_fn(k, k, |i, j| if i == j { 4e-4 } else { 1e-4 });
    let covariance = Covariance::new("test", k, covariance.as_ref()).unwrap();
    let delta: Vec<f64> = (0..k).map(|i| 1e4 * (i as f64 - 3.0)).collect();
    let gamma = Matrix::from_fn(k, k, |i, j| if i == j { -2e6 } else { 1e5 });
    let form = DeltaGamma { theta: 100.0, delta: &delta, gamma: gamma.as_ref() }.diagonalise(&covariance).unwrap();
    let nu = DegreesOfFreedom::new("test", 5.0).unwrap();
    for (name, distribution, least) in
        [("Gaussian", Distribution::Normal, 20.0), ("Student t", Distribution::StudentT(nu), 30.0)]
    {
        let run = |sampling: DeltaGammaSampling, sampler: Sampler| {
            repeat(|seed| {
                let settings = settings(SCENARIOS, seed, sampler);
                delta_gamma_monte_carlo(&form, distribution, sampling, settings, &[c99()], &Progress::new()).unwrap()[0]
            })
        };
        let plain = run(DeltaGammaSampling::Plain, Sampler::Pseudo);
        let twisted = run(DeltaGammaSampling::ImportanceSampling { strata: 0 }, Sampler::Pseudo);
        let (var, es) = ratios(name, &plain, &twisted);
        let quasi = run(DeltaGammaSampling::ImportanceSampling { strata: 0 }, Sampler::Sobol { replications: 16 });
        let (quasi_var, quasi_es) = ratios(name, &plain, &quasi);
        println!("{name}: importance ({var:.0}, {es:.0}), with Sobol ({quasi_var:.0}, {quasi_es:.0})");
        assert!(var >= least && es >= 2.0 * least, "{name}: {var} {es}");
        assert!(quasi_var >= 50.0 && quasi_es >= 150.0, "{name}: {quasi_var} {quasi_es}");
    }
    let strata = DeltaGammaSampling::ImportanceSampling { strata: 64 };
    let settings = settings(SCENARIOS, 1, Sampler::Pseudo);
    let one =
        delta_gamma_monte_carlo(&form, Distribution::Normal, strata, settings, &[c99()], &Progress::new()).unwrap();
    let exact = form.var_es(c99().tail()).unwrap();
    assert!((one[0].var - exact.var).abs() <= 4.0 * one[0].var_se, "{:?} {exact:?}", one[0]);
}

#[test]
fn single_precision_agrees_with_double_within_its_error() {
    let k = 6;
    let covariance = Matrix::from_fn(k, k, |i, j| if i == j { 4e-4 } else { 1e-4 });
    let covariance = Covariance::new("test", k, covariance.as_ref()).unwrap();
    let gamma = Matrix::from_fn(k, k, |i, j| if i == j { -1e6 } else { 0.0 });
    let form = DeltaGamma { theta: 0.0, delta: &[1e4; 6], gamma: gamma.as_ref() }.diagonalise(&covariance).unwrap();
    let settings = settings(1_000_000, 3, Sampler::Pseudo);
    let single = DeltaGammaSampling::PlainSinglePrecision;
    let nu = DegreesOfFreedom::new("test", 5.0).unwrap();
    for distribution in [Distribution::Normal, Distribution::StudentT(nu)] {
        let run = |sampling| {
            delta_gamma_monte_carlo(&form, distribution, sampling, settings, &[c99()], &Progress::new()).unwrap()[0]
        };
        let (a, b) = (run(single), run(DeltaGammaSampling::Plain));
        let error = (a.var_se * a.var_se + b.var_se * b.var_se).sqrt();
        assert!((a.var - b.var).abs() <= 4.0 * error, "{a:?} {b:?}");
    }
}

/// Twisted where the tail is thin: two degrees of freedom and a bit, 99.99 %, a book that may only lose by its gamma.
#[test]
fn far_levels_of_heavy_tails_agree_with_plain_simulation() {
    for (nu, b, lambda) in [(2.5, 100.0, -30.0), (4.0, 0.0, -30.0), (8.0, 100.0, 30.0)] {
        let form = QuadraticForm::new(10.0, vec![b; 5], vec![lambda; 5]).unwrap();
        let distribution = Distribution::StudentT(DegreesOfFreedom::new("test", nu).unwrap());
        let levels = [9_500, 9_999].map(|bp| Confidence::from_bp("test", bp).unwrap());
        let run = |sampling, n| {
            let settings = settings(n, 5, Sampler::Pseudo);
            delta_gamma_monte_carlo(&form, distribution, sampling, settings, &levels, &Progress::new()).unwrap()
        };
        let twisted = run(DeltaGammaSampling::ImportanceSampling { strata: 0 }, 1 << 16);
        for (a, b) in twisted.iter().zip(run(DeltaGammaSampling::Plain, 2_000_000)) {
            assert!((a.var - b.var).abs() <= 4.0 * a.var_se.hypot(b.var_se), "{nu}: {a:?} {b:?}");
            assert!(a.var_se < b.var_se * 3.0, "{nu}: {a:?} {b:?}");
        }
    }
}

/// A straddle that expires at the horizon has no useful delta-gamma approximation; the answer is the book's all the same.
#[test]
fn a_poor_approximation_costs_accuracy_and_not_the_answer() {
    for (name, years) in
        [("expires at the horizon", TEN_DAYS), ("expires before", 0.5 * TEN_DAYS), ("just after", 1.01 * TEN_DAYS)]
    {
        let poor = book(name, 3, years, |_, _| -1.0);
        let plain = revalue(&poor, BookSampling::Plain, settings(1_000_000, 1, Sampler::Pseudo));
        for sampler in [Sampler::Pseudo, Sampler::Sobol { replications: 16 }] {
            let level = revalue(&poor, BookSampling::ImportanceSampling { strata: 0 }, settings(1 << 16, 2, sampler));
            let error = level.var_se.hypot(plain.var_se);
            assert!((level.var - plain.var).abs() <= 4.0 * error, "{name}: {level:?} {plain:?}");
        }
    }
}
