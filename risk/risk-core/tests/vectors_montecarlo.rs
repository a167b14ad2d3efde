//! `montecarlo.json`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{all_close, cases, close, confidence, f, load, matrix_f, vec_f};
use risk_core::covariance::Covariance;
use risk_core::delta_gamma::{DeltaGamma, QuadraticForm};
use risk_core::matrix::{Matrix, MatrixRef, dot};
use risk_core::montecarlo::{
    BookPosition, BookSampling, DeltaGammaSampling, LinearBook, LinearForm, MonteCarloLevel, MonteCarloRisk,
    MonteCarloSettings, Revaluation, Sampler, Shock, apply_loadings, delta_gamma_monte_carlo,
    full_revaluation_monte_carlo, linear_monte_carlo,
};
use risk_core::pricing::{Bsm, OptionKind};
use risk_core::progress::Progress;
use risk_core::quantile::OrderedLosses;
use risk_core::stress::Holding;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};
use serde_json::Value;

const PSEUDO: MonteCarloSettings = MonteCarloSettings { n_scenarios: 400_000, seed: 2024, sampler: Sampler::Pseudo };
const SOBOL: MonteCarloSettings =
    MonteCarloSettings { n_scenarios: 32 << 13, seed: 2024, sampler: Sampler::Sobol { replications: 32 } };

#[test]
fn montecarlo() {
    let Some(vectors) = load("montecarlo") else { return };
    for case in cases(&vectors) {
        match case["kind"].as_str().unwrap() {
            "pipeline" => check_pipeline(case),
            "converged_linear" => check_linear(case),
            _ => check_full_revaluation(case),
        }
    }
    println!("montecarlo: {} cases", cases(&vectors).len());
}

/// Given normals, step by step: factor, returns, P&L, quantile.
fn check_pipeline(case: &Value) {
    let (id, inputs, expected) = (case["id"].as_str().unwrap(), &case["inputs"], &case["expected"]);
    let matrix = covariance(inputs);
    let k = matrix.rows();
    let factor = Covariance::new("t", k, matrix.as_ref()).unwrap().factor();
    all_close(id, factor.values(), &matrix_f(&expected["chol_lower"]).2, 1e-11, 1e-18);
    let (n, _, z) = matrix_f(&inputs["Z"]);
    let mut columns = vec![0.0; k * n];
    let normals: Vec<f64> = (0..k * n).map(|place| z[place % n * k + place / n]).collect();
    apply_loadings(&factor, n, &normals, &mut columns);
    let nu = inputs["nu"].as_f64();
    let scale = |i: usize| nu.map_or(1.0, |nu| ((nu - 2.0) / f(&inputs["chi2"][i])).sqrt());
    let rows: Vec<Vec<f64>> = (0..n).map(|i| (0..k).map(|j| columns[j * n + i] * scale(i)).collect()).collect();
    all_close(id, &rows[0], &vec_f(&expected["x_first_row"]), 1e-11, 1e-18);
    all_close(id, &rows[n - 1], &vec_f(&expected["x_last_row"]), 1e-11, 1e-18);
    let (delta, theta) = (vec_f(&inputs["delta"]), f(&inputs["theta"]));
    let (_, _, gamma) = matrix_f(&inputs["gamma"]);
    let linear: Vec<f64> = rows.iter().map(|r| dot(r, &delta)).collect();
    let quadratic = |r: &Vec<f64>| dot(r, &(0..k).map(|i| dot(&gamma[i * k..(i + 1) * k], r)).collect::<Vec<_>>());
    let curved: Vec<f64> = rows.iter().zip(&linear).map(|(r, l)| theta + l + 0.5 * quadratic(r)).collect();
    all_close(id, &linear, &vec_f(&expected["pnl_linear"]), 1e-11, 1e-7);
    all_close(id, &curved, &vec_f(&expected["pnl_delta_gamma"]), 1e-11, 1e-7);
    for level in expected["levels"].as_array().unwrap() {
        let c = confidence(&level["alpha"]).unwrap();
        let var = |pnl: &[f64]| OrderedLosses::sort("t", pnl.iter().map(|v| -v).collect()).unwrap().var(c).unwrap();
        close(id, var(&linear), f(&level["var_linear"]), 1e-11, 1e-7);
        close(id, var(&curved), f(&level["var_delta_gamma"]), 1e-11, 1e-7);
    }
}

fn check_full_revaluation(case: &Value) {
    let inputs = &case["inputs"];
    let matrix = covariance(inputs);
    let cov = Covariance::new("t", matrix.rows(), matrix.as_ref()).unwrap();
    let book: Vec<BookPosition> = inputs["book"].as_array().unwrap().iter().map(position).collect();
    let shock = if inputs["shock"] == "log" { Shock::Log } else { Shock::Simple };
    let revaluation = Revaluation { shock, years: f(&inputs["dt_years"]) };
    let confidences = levels(&case["expected"]);
    for settings in
        [MonteCarloSettings { n_scenarios: 50_000, ..PSEUDO }, MonteCarloSettings { n_scenarios: 32 << 10, ..SOBOL }]
    {
        let run = full_revaluation_monte_carlo;
        let got = run(
            &book,
            &cov,
            distribution(inputs),
            (revaluation, BookSampling::Plain),
            settings,
            &confidences,
            &Progress::new(),
        )
        .unwrap();
        for (level, expected) in got.levels.iter().zip(case["expected"]["levels"].as_array().unwrap()) {
            check_level(&format!("{} {settings:?}", case["id"]), level, expected);
        }
    }
}

fn position(value: &Value) -> BookPosition {
    let number = |name: &str| f(&value[name]);
    let option = |kind| {
        Holding::Option(Bsm {
            kind,
            spot: number("S"),
            strike: number("K"),
            years: number("T"),
            rate: number("r"),
            dividend_yield: number("q"),
            vol: number("vol"),
        })
    };
    let holding = match value["kind"].as_str().unwrap() {
        "spot" => Holding::Spot { spot: number("S") },
        "call" => option(OptionKind::Call),
        _ => option(OptionKind::Put),
    };
    BookPosition { factor: value["u"].as_u64().unwrap() as usize, qty: number("qty"), holding }
}

#[test]
fn delta_gamma() {
    let Some(vectors) = load("delta_gamma") else { return };
    for case in cases(&vectors) {
        let inputs = &case["inputs"];
        let (matrix, delta) = (covariance(inputs), vec_f(&inputs["delta"]));
        let cov = Covariance::new("t", delta.len(), matrix.as_ref()).unwrap();
        let (n, p, gamma) = matrix_f(&inputs["gamma"]);
        let gamma = MatrixRef::new("t", "gamma", n, p, &gamma).unwrap();
        let book = DeltaGamma { theta: f(&inputs["theta"]), delta: &delta, gamma };
        let form = book.diagonalise(&cov).unwrap();
        let confidences = levels(&case["expected"]);
        for settings in [PSEUDO, SOBOL] {
            for sampling in [DeltaGammaSampling::Plain, DeltaGammaSampling::ImportanceSampling { strata: 0 }] {
                let got = delta_gamma_monte_carlo(
                    &form,
                    Distribution::Normal,
                    sampling,
                    settings,
                    &confidences,
                    &Progress::new(),
                );
                for (level, expected) in got.unwrap().iter().zip(case["expected"]["levels"].as_array().unwrap()) {
                    let label = format!("{} {sampling:?} {settings:?}", case["id"]);
                    close(&label, level.var, f(&expected["exact_var"]), 0.0, 4.0 * level.var_se);
                    close(&label, level.es, f(&expected["exact_es"]), 0.0, 4.0 * level.es_se);
                    assert!(level.var_se < 0.01 * level.var.abs(), "{label}: {}", level.var_se);
                }
            }
        }
    }
    println!("delta_gamma by simulation: {} cases", cases(&vectors).len());
}

/// Mean squared error over repetitions: importance sampling must be worth many times its scenarios, and its own
/// standard error must be honest.
#[test]
fn importance_sampling_reduces_the_variance_it_reports() {
    let b: Vec<f64> = (0..10).map(|j| 100.0 / (1.0 + f64::from(j))).collect();
    let lambda: Vec<f64> = (0..10).map(|j| -20.0 / (1.0 + f64::from(j))).collect();
    let form = QuadraticForm::new(0.0, b, lambda).unwrap();
    let c = Confidence::from_bp("t", 9900).unwrap();
    let exact = form.var_es(c.tail()).unwrap();
    let runs = |sampling, sampler| {
        let n = 64;
        let one = |seed| {
            let settings = MonteCarloSettings { n_scenarios: 16 << 10, seed, sampler };
            delta_gamma_monte_carlo(&form, Distribution::Normal, sampling, settings, &[c], &Progress::new()).unwrap()[0]
        };
        let levels: Vec<MonteCarloLevel> = (0..n).map(one).collect();
        let mean = |f: &dyn Fn(&MonteCarloLevel) -> f64| levels.iter().map(f).sum::<f64>() / n as f64;
        (
            mean(&|l| (l.var - exact.var).powi(2)),
            mean(&|l| (l.es - exact.es).powi(2)),
            mean(&|l| l.var_se.powi(2)),
            mean(&|l| l.es_se.powi(2)),
        )
    };
    let sobol = Sampler::Sobol { replications: 16 };
    let plain = runs(DeltaGammaSampling::Plain, Sampler::Pseudo);
    for (sampler, least) in [(Sampler::Pseudo, (15.0, 40.0)), (sobol, (30.0, 100.0))] {
        let got = runs(DeltaGammaSampling::ImportanceSampling { strata: 0 }, sampler);
        let ratio = (plain.0 / got.0, plain.1 / got.1);
        println!("importance sampling, {sampler:?}: variance ratio VaR {:.0}, ES {:.0}", ratio.0, ratio.1);
        assert!(ratio.0 > least.0 && ratio.1 > least.1, "{sampler:?}: {ratio:?}");
        assert!((0.5..2.0).contains(&(got.2 / got.0)) && (0.5..2.0).contains(&(got.3 / got.1)), "{sampler:?}: {got:?}");
    }
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
    let risk = linear_monte_carlo(
        LinearBook { exposures: &x, mean: &[], form, horizon: HorizonDays::ONE },
        &cov,
        distribution(inputs),
        settings,
        &confidences,
        &Progress::new(),
    )
    .unwrap();
    (confidences, risk)
}
