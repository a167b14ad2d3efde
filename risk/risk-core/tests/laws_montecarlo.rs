//! Laws of the simulations: bits that do not depend on threads, honest refusals, no NaN and no panic from any input.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::covariance::Covariance;
use risk_core::delta_gamma::QuadraticForm;
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::montecarlo::{
    BookPosition, BookSampling, DeltaGammaSampling, LinearBook, LinearForm, MonteCarloLevel, MonteCarloSettings,
    Revaluation, Sampler, Shock, delta_gamma_monte_carlo, full_revaluation_monte_carlo, linear_monte_carlo,
};
use risk_core::pricing::{Bsm, OptionKind};
use risk_core::progress::Progress;
use risk_core::stress::Holding;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};

const PSEUDO: MonteCarloSettings = MonteCarloSettings { n_scenarios: 20_480, seed: 2024, sampler: Sampler::Pseudo };
const SOBOL: MonteCarloSettings =
    MonteCarloSettings { n_scenarios: 16 << 11, seed: 2024, sampler: Sampler::Sobol { replications: 16 } };

fn confidences() -> [Confidence; 2] {
    [9900, 9990].map(|bp| Confidence::from_bp("t", bp).unwrap())
}

fn student_t() -> Distribution {
    Distribution::StudentT(DegreesOfFreedom::new("t", 4.0).unwrap())
}

fn straddle() -> [BookPosition; 2] {
    [OptionKind::Call, OptionKind::Put].map(|kind| {
        let option = Bsm { kind, spot: 100.0, strike: 95.0, years: 0.2, rate: 0.03, dividend_yield: 0.0, vol: 0.3 };
        BookPosition { factor: 1, qty: -50.0, holding: Holding::Option(option) }
    })
}

/// Every simulation, on a pool of so many threads.
fn simulate(threads: usize, settings: MonteCarloSettings) -> Vec<MonteCarloLevel> {
    let values = [4e-4, 1e-4, 1e-4, 9e-4];
    let cov = Covariance::new("t", 2, MatrixRef::new("t", "cov", 2, 2, &values).unwrap()).unwrap();
    let form = QuadraticForm::new(3.0, vec![100.0, -50.0, 20.0], vec![-10.0, 5.0, 1.0]).unwrap();
    let (c, years) = (confidences(), 0.01);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let mut levels = Vec::new();
        for form in [LinearForm::OneDimensional, LinearForm::AllFactors] {
            let risk = linear_monte_carlo(
                LinearBook { exposures: &[1e6, -5e5], mean: &[1e-3, 0.0], form, horizon: HorizonDays::ONE },
                &cov,
                student_t(),
                settings,
                &c,
                &Progress::new(),
            );
            levels.extend(risk.unwrap().levels);
        }
        let twisted = |strata| DeltaGammaSampling::ImportanceSampling { strata };
        let mut drawn = vec![
            (Distribution::Normal, twisted(0)),
            (student_t(), twisted(0)),
            (student_t(), DeltaGammaSampling::Plain),
        ];
        let mut books = vec![
            (student_t(), Shock::Simple, BookSampling::Plain),
            (student_t(), Shock::Simple, BookSampling::ImportanceSampling { strata: 0 }),
            (Distribution::Normal, Shock::Log, BookSampling::ImportanceSampling { strata: 0 }),
        ];
        if settings == PSEUDO {
            drawn.push((Distribution::Normal, DeltaGammaSampling::PlainSinglePrecision));
            drawn.push((Distribution::Normal, twisted(16)));
            books.push((Distribution::Normal, Shock::Log, BookSampling::ImportanceSampling { strata: 16 }));
        }
        for (distribution, sampling) in drawn {
            let progress = Progress::new();
            levels.extend(delta_gamma_monte_carlo(&form, distribution, sampling, settings, &c, &progress).unwrap());
        }
        for (distribution, shock, sampling) in books {
            let how = (Revaluation { shock, years }, sampling);
            let (book, progress) = (straddle(), Progress::new());
            let risk = full_revaluation_monte_carlo(&book, &cov, distribution, how, settings, &c, &progress);
            levels.extend(risk.unwrap().levels);
        }
        levels
    })
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    for settings in [PSEUDO, SOBOL, MonteCarloSettings { n_scenarios: 1000, ..PSEUDO }] {
        let one = simulate(1, settings);
        for threads in [2, 3, 16] {
            assert_eq!(simulate(threads, settings), one, "{threads} threads");
        }
        let other = simulate(2, MonteCarloSettings { seed: 1, ..settings });
        assert!(other.iter().zip(&one).all(|(a, b)| a.var != b.var && a.es != b.es), "the seed matters");
    }
}

fn ordinary(level: &MonteCarloLevel) -> bool {
    [level.var, level.var_se, level.es, level.es_se].iter().all(|v| v.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_input_gives_an_answer_or_an_error(
        x in prop::collection::vec(any::<f64>(), 1..3), variance in any::<f64>(), nu in any::<f64>(),
        b in prop::collection::vec(any::<f64>(), 0..3), lambda in prop::collection::vec(any::<f64>(), 0..3),
        numbers in prop::array::uniform8(any::<f64>()), sobol in any::<bool>(), normal in any::<bool>(),
    ) {
        let settings = MonteCarloSettings { n_scenarios: 1024, ..if sobol { SOBOL } else { PSEUDO } };
        let strata = if sobol { 0 } else { 16 };
        let c = confidences();
        let t = DegreesOfFreedom::new("t", nu).map(Distribution::StudentT);
        let distribution = if normal { Distribution::Normal } else { t.unwrap_or(Distribution::Normal) };
        if let Ok(form) = QuadraticForm::new(numbers[0], b, lambda) {
            let importance = |strata| DeltaGammaSampling::ImportanceSampling { strata };
            let samplings = [DeltaGammaSampling::Plain, DeltaGammaSampling::PlainSinglePrecision, importance(0), importance(strata)];
            for sampling in samplings {
                if let Ok(levels) = delta_gamma_monte_carlo(&form, distribution, sampling, settings, &c, &Progress::new()) {
                    prop_assert!(levels.iter().all(ordinary));
                }
            }
        }
        let n = x.len();
        let m = Matrix::from_fn(n, n, |i, j| if i == j { variance } else { 0.0 });
        let Ok(m) = MatrixRef::new("t", "cov", n, n, m.values()) else { return Ok(()) };
        let Ok(cov) = Covariance::new("t", n, m) else { return Ok(()) };
        for form in [LinearForm::OneDimensional, LinearForm::AllFactors] {
            if let Ok(risk) = linear_monte_carlo(LinearBook { exposures: &x, mean: &[], form, horizon: HorizonDays::ONE }, &cov, distribution, settings, &c, &Progress::new()) {
                prop_assert!(risk.levels.iter().all(ordinary) && risk.sigma_1d.is_finite());
            }
        }
        let [spot, strike, years, rate, dividend_yield, vol, qty, horizon] = numbers;
        let option = Bsm { kind: OptionKind::Put, spot, strike, years, rate, dividend_yield, vol };
        let book = [BookPosition { factor: 0, qty, holding: Holding::Option(option) }];
        for (shock, sampling) in [
            (Shock::Log, BookSampling::Plain),
            (Shock::Simple, BookSampling::Plain),
            (Shock::Log, BookSampling::ImportanceSampling { strata }),
            (Shock::Simple, BookSampling::ImportanceSampling { strata }),
        ] {
            let how = (Revaluation { shock, years: horizon }, sampling);
            if let Ok(risk) = full_revaluation_monte_carlo(&book, &cov, distribution, how, settings, &c, &Progress::new()) {
                prop_assert!(risk.levels.iter().all(ordinary) && risk.sigma_1d.is_finite());
            }
        }
    }
}

#[test]
fn refusals_name_the_input() {
    let cov = Covariance::new("t", 1, MatrixRef::new("t", "cov", 1, 1, &[1e-4]).unwrap()).unwrap();
    let c = [Confidence::from_bp("t", 9900).unwrap()];
    let refused = |x: &[f64], settings| {
        linear_monte_carlo(
            LinearBook { exposures: x, mean: &[], form: LinearForm::OneDimensional, horizon: HorizonDays::ONE },
            &cov,
            Distribution::Normal,
            settings,
            &c,
            &Progress::new(),
        )
        .unwrap_err()
        .to_string()
    };
    assert_eq!(
        refused(&[1.0], MonteCarloSettings { n_scenarios: 999, ..PSEUDO }),
        "monte_carlo_var: n_scenarios must be within 1000..=10000000, got 999"
    );
    assert_eq!(
        refused(&[1.0], MonteCarloSettings { sampler: Sampler::Sobol { replications: 1 }, ..PSEUDO }),
        "monte_carlo_var: replications must be at least 16 and at most n_scenarios, got 1"
    );
    assert_eq!(
        refused(&[1.0], MonteCarloSettings { sampler: Sampler::Sobol { replications: 16 }, ..PSEUDO }),
        "monte_carlo_var: n_scenarios must be a power of two times the 16 replications, got 20480"
    );
    assert_eq!(refused(&[f64::INFINITY], PSEUDO), "monte_carlo_var: exposures[0] must be finite, got inf");
    assert!(refused(&[f64::MAX], PSEUDO).starts_with("monte_carlo_var: factor weights[0] must be finite"));
    assert_eq!(refused(&[1.0, 2.0], PSEUDO), "monte_carlo_var: covariance must be 2x2 to match the factors, got 1x1");
}

/// Ten days of normal returns are one of ten times the variance; ten days of Student's t are closer to normal than one.
#[test]
fn several_days_are_the_sum_of_single_ones() {
    let cov = Covariance::new("t", 1, MatrixRef::new("t", "cov", 1, 1, &[4e-4]).unwrap()).unwrap();
    let settings = MonteCarloSettings { n_scenarios: 400_000, ..PSEUDO };
    let var = |distribution, days| {
        let horizon = HorizonDays::new("t", days).unwrap();
        let book = LinearBook { exposures: &[1e6], mean: &[1e-4], form: LinearForm::OneDimensional, horizon };
        let c = [Confidence::from_bp("t", 9990).unwrap()];
        linear_monte_carlo(book, &cov, distribution, settings, &c, &Progress::new()).unwrap().levels[0]
    };
    let (one, ten) = (var(Distribution::Normal, 1), var(Distribution::Normal, 10));
    // The same normals, scaled; the mean grows with the days and not with their root.
    assert!(((ten.var + 1e3) - 10_f64.sqrt() * (one.var + 1e2)).abs() < 1e-6 * ten.var);
    let (t, ten_t) = (var(student_t(), 1), var(student_t(), 10));
    assert!(ten_t.var < 10_f64.sqrt() * t.var - 4.0 * ten_t.var_se, "{ten_t:?} {t:?}");
    assert!(ten_t.var > ten.var + 4.0 * ten_t.var_se, "{ten_t:?} {ten:?}");
}

/// A canceled simulation ends with its error; one that is not tells of all its scenarios.
#[test]
fn progress_is_told_and_a_cancel_is_heard() {
    let cov = Covariance::new("t", 1, MatrixRef::new("t", "cov", 1, 1, &[4e-4]).unwrap()).unwrap();
    let book = LinearBook { exposures: &[1e6], mean: &[], form: LinearForm::AllFactors, horizon: HorizonDays::ONE };
    let progress = Progress::new();
    let run = || linear_monte_carlo(book, &cov, Distribution::Normal, PSEUDO, &confidences(), &progress);
    run().unwrap();
    assert_eq!((progress.done(), progress.total()), (20_480, 20_480));
    progress.cancel();
    let error = run().unwrap_err().to_string();
    assert_eq!(error, "monte_carlo_var: calculation was canceled, got 20480 of 40960 scenarios");
}

/// Without risk every simulation answers the certain loss, with strata too.
#[test]
fn a_form_that_cannot_vary_has_a_certain_loss() {
    let form = QuadraticForm::new(-3.0, vec![0.0; 2], vec![0.0; 2]).unwrap();
    let settings = MonteCarloSettings { n_scenarios: 2048, ..PSEUDO };
    for (distribution, strata) in [(Distribution::Normal, 0), (Distribution::Normal, 16), (student_t(), 0)] {
        let sampling = DeltaGammaSampling::ImportanceSampling { strata };
        let levels = delta_gamma_monte_carlo(&form, distribution, sampling, settings, &confidences(), &Progress::new());
        for level in levels.unwrap() {
            assert_eq!((level.var, level.es, level.es_se), (3.0, 3.0, 0.0), "{distribution:?} {strata}");
        }
    }
}

#[test]
fn strata_of_student_t_are_refused() {
    let cov = Covariance::new("t", 1, MatrixRef::new("t", "cov", 1, 1, &[1e-4]).unwrap()).unwrap();
    let how = (Revaluation { shock: Shock::Simple, years: 0.01 }, BookSampling::ImportanceSampling { strata: 16 });
    let settings = MonteCarloSettings { n_scenarios: 2048, ..PSEUDO };
    let (c, progress) = (confidences(), Progress::new());
    let refused = full_revaluation_monte_carlo(&[], &cov, student_t(), how, settings, &c, &progress).unwrap_err();
    assert_eq!(refused.to_string(), "full_revaluation_var: strata must be 0 for student_t, got 16");
}

/// All levels are told of when the first begins.
#[test]
fn progress_counts_one_simulation_a_level() {
    let form = QuadraticForm::new(0.0, vec![1.0], vec![0.1]).unwrap();
    let progress = Progress::new();
    let importance = DeltaGammaSampling::ImportanceSampling { strata: 0 };
    delta_gamma_monte_carlo(&form, Distribution::Normal, importance, PSEUDO, &confidences(), &progress).unwrap();
    assert_eq!((progress.done(), progress.total()), (2 * 20_480, 2 * 20_480));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Importance sampling answers for every book and level, bounded losses and lower levels too, and agrees with the
    /// exact distribution.
    #[test]
    fn importance_sampling_agrees_with_the_exact_distribution(
        terms in prop::collection::vec((-100.0..100.0_f64, -50.0..50.0_f64), 1..6), theta in -100.0..100.0_f64,
        bp in 5001_u32..=9999, nu in 2.05..30.0_f64, seed in any::<u64>(), way in 0..3_u32,
    ) {
        let (b, lambda): (Vec<f64>, Vec<f64>) = terms.into_iter().unzip();
        let form = QuadraticForm::new(theta, b, lambda).unwrap();
        let c = [Confidence::from_bp("t", bp).unwrap()];
        let (sampler, strata) = [(Sampler::Pseudo, 0), (Sampler::Pseudo, 32), (SOBOL.sampler, 0)][way as usize];
        let settings = MonteCarloSettings { n_scenarios: 1 << 15, seed, sampler };
        let run = |distribution, strata| {
            let importance = DeltaGammaSampling::ImportanceSampling { strata };
            delta_gamma_monte_carlo(&form, distribution, importance, settings, &c, &Progress::new()).unwrap()[0]
        };
        let (level, exact) = (run(Distribution::Normal, strata), form.var_es(c[0].tail()).unwrap());
        let sigma = form.cumulants().unwrap().k2.sqrt();
        let close = |got: f64, expected: f64, error: f64| (got - expected).abs() <= 6.0 * error + 2e-3 * sigma;
        prop_assert!(close(level.var, exact.var, level.var_se), "{level:?} {exact:?}");
        prop_assert!(close(level.es, exact.es, level.es_se), "{level:?} {exact:?}");
        let t = Distribution::StudentT(DegreesOfFreedom::new("t", nu).unwrap());
        let heavy = run(t, 0);
        prop_assert!(ordinary(&heavy) && heavy.es >= heavy.var);
        prop_assert!(heavy.var_se < 0.2 * (heavy.var.abs() + sigma), "{heavy:?}");
    }
}

/// Exposures whose variance leaves the range of doubles are refused; a variance of zero is not made of them.
#[test]
fn an_overflow_is_refused_and_not_no_risk() {
    let values = [4e-4, -3e-4, -3e-4, 9e-4];
    let cov = Covariance::new("t", 2, MatrixRef::new("t", "cov", 2, 2, &values).unwrap()).unwrap();
    for x in [1e160, 1e200, 1e300] {
        let (form, horizon) = (LinearForm::OneDimensional, HorizonDays::ONE);
        let book = LinearBook { exposures: &[x, x], mean: &[], form, horizon };
        let risk = linear_monte_carlo(book, &cov, Distribution::Normal, PSEUDO, &confidences(), &Progress::new());
        assert!(risk.is_err(), "{x}: {risk:?}");
    }
}
