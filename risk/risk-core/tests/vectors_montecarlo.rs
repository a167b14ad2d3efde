//! `montecarlo.json`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, confidence, f, load, matrix_f, vec_f};
use risk_core::covariance::Covariance;
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::montecarlo::{
    LinearForm, MonteCarloLevel, MonteCarloRisk, MonteCarloSettings, Sampler, linear_monte_carlo,
};
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution};
use serde_json::Value;

const PSEUDO: MonteCarloSettings = MonteCarloSettings { n_scenarios: 400_000, seed: 2024, sampler: Sampler::Pseudo };
const SOBOL: MonteCarloSettings =
    MonteCarloSettings { n_scenarios: 32 << 13, seed: 2024, sampler: Sampler::Sobol { replications: 32 } };

#[test]
fn montecarlo() {
    let Some(vectors) = load("montecarlo") else { return };
    let mut checked = 0;
    for case in cases(&vectors) {
        if case["kind"] == "converged_linear" {
            check_linear(case);
            checked += 1;
        }
    }
    println!("montecarlo: {checked} cases");
}

fn check_linear(case: &Value) {
    for settings in [PSEUDO, SOBOL] {
        for form in [LinearForm::OneDimensional, LinearForm::AllFactors] {
            let (confidences, got) = simulate_linear(&case["inputs"], &case["expected"], form, settings);
            let factors = if form == LinearForm::AllFactors { vec_f(&case["inputs"]["x"]).len() } else { 1 };
            let mixing = usize::from(case["inputs"]["dist"] == "student_t");
            assert_eq!(got.dimension, factors + mixing, "{}", case["id"]);
            close("sigma", got.sigma_1d, f(&case["expected"]["sigma"]), 1e-12, 0.0);
            for (level, expected) in got.levels.iter().zip(case["expected"]["levels"].as_array().unwrap()) {
                check_level(&format!("{} {settings:?} {form:?}", case["id"]), level, expected);
                if settings.sampler == Sampler::Pseudo {
                    check_errors(case, level, expected, settings.n_scenarios);
                }
            }
            assert_eq!(got.levels.iter().map(|l| l.confidence).collect::<Vec<_>>(), confidences);
        }
    }
}

/// `|estimate - expected| <= 4 √(se² + se_expected²)`.
fn check_level(label: &str, level: &MonteCarloLevel, expected: &Value) {
    let error = |name: &str| expected[name].as_f64().unwrap_or(0.0);
    close(label, level.var, f(&expected["var"]), 0.0, 4.0 * level.var_se.hypot(error("var_se")));
    close(label, level.es, f(&expected["es"]), 0.0, 4.0 * level.es_se.hypot(error("es_se")));
    let inside = |interval: risk_core::quantile::Interval, value: f64| {
        interval.lower.is_none_or(|lower| lower <= value) && interval.upper.is_none_or(|upper| value <= upper)
    };
    assert!(inside(level.var_ci95, level.var) && inside(level.es_ci95, level.es), "{label}: intervals");
}

/// The simulation's own standard errors, within `4/√(2w)` of theory.
fn check_errors(case: &Value, level: &MonteCarloLevel, expected: &Value, n: u32) {
    let n = f64::from(n);
    let (p, c) = (level.confidence.tail().get(), level.confidence.ratio());
    let window = (n * p * c).sqrt().round();
    let id = case["id"].as_str().unwrap();
    let theory = f(&expected["var_se_times_sqrtN"]) / n.sqrt();
    close(id, level.var_se, theory, 4.0 / (2.0 * window).sqrt(), 0.0);
    // The variance of a tail of m scenarios is known to a few parts in √m; t has heavy ones.
    let theory = f(&expected["es_se_times_sqrtN"]) / n.sqrt();
    close(id, level.es_se, theory, if case["inputs"]["nu"].is_null() { 0.2 } else { 0.5 }, 0.0);
}

fn distribution(inputs: &Value) -> Distribution {
    match inputs["nu"].as_f64() {
        Some(nu) => Distribution::StudentT(DegreesOfFreedom::new("t", nu).unwrap()),
        None => Distribution::Normal,
    }
}

fn levels(expected: &Value) -> Vec<Confidence> {
    expected["levels"].as_array().unwrap().iter().map(|level| confidence(&level["alpha"]).unwrap()).collect()
}

fn covariance(inputs: &Value) -> Matrix {
    let (n, p, values) = matrix_f(&inputs["cov"]);
    Matrix::from_fn(n, p, |i, j| values[i * p + j])
}

fn simulate_linear(
    inputs: &Value,
    expected: &Value,
    form: LinearForm,
    settings: MonteCarloSettings,
) -> (Vec<Confidence>, MonteCarloRisk) {
    let (x, matrix) = (vec_f(&inputs["x"]), covariance(inputs));
    let cov = Covariance::new("t", x.len(), matrix.as_ref()).unwrap();
    let confidences = levels(expected);
    let risk = linear_monte_carlo(&x, &[], &cov, distribution(inputs), form, settings, &confidences).unwrap();
    (confidences, risk)
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    let values = [4e-4, 1e-4, 1e-4, 9e-4];
    let cov = Covariance::new("t", 2, MatrixRef::new("t", "cov", 2, 2, &values).unwrap()).unwrap();
    let c = [Confidence::from_bp("t", 9900).unwrap(), Confidence::from_bp("t", 9990).unwrap()];
    let t = Distribution::StudentT(DegreesOfFreedom::new("t", 4.0).unwrap());
    for settings in [PSEUDO, SOBOL, MonteCarloSettings { n_scenarios: 1000, ..PSEUDO }] {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                linear_monte_carlo(&[1e6, -5e5], &[], &cov, t, LinearForm::AllFactors, settings, &c).unwrap()
            })
        };
        let one = run(1);
        for threads in [2, 3, 16] {
            assert_eq!(run(threads), one, "{threads} threads");
        }
        let other = MonteCarloSettings { seed: 1, ..settings };
        let other = linear_monte_carlo(&[1e6, -5e5], &[], &cov, t, LinearForm::AllFactors, other, &c).unwrap();
        assert_ne!(other.levels, one.levels, "the seed matters");
    }
}

#[test]
fn refusals_name_the_input() {
    let cov = Covariance::new("t", 1, MatrixRef::new("t", "cov", 1, 1, &[1e-4]).unwrap()).unwrap();
    let c = [Confidence::from_bp("t", 9900).unwrap()];
    let refused = |x: &[f64], settings| {
        linear_monte_carlo(x, &[], &cov, Distribution::Normal, LinearForm::OneDimensional, settings, &c)
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
        "monte_carlo_var: n_scenarios must be a power of two times the 16 replications, got 400000"
    );
    assert_eq!(refused(&[f64::INFINITY], PSEUDO), "monte_carlo_var: x[0] must be finite, got inf");
    assert!(refused(&[f64::MAX], PSEUDO).starts_with("monte_carlo_var: factor weights[0] must be finite"));
    assert_eq!(refused(&[1.0, 2.0], PSEUDO), "monte_carlo_var: cov must be 2x2 to match x, got 1x1");
}
