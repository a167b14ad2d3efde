//! `covariance.json`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{all_close, cases, close, f, load, matrix_f, vec_f};
use risk_core::covariance::{
    Centering, LedoitWolf, cholesky, correlation, ewma_covariance, ledoit_wolf, mean, repair_correlation,
    sample_covariance,
};
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::progress::Progress;
use risk_core::units::Decay;
use serde_json::Value;

#[test]
fn covariance() {
    let Some(vectors) = load("covariance") else { return };
    for case in cases(&vectors) {
        if case["X"].is_null() { check_repair(case) } else { check_estimators(case) }
    }
    println!("covariance: {} cases", cases(&vectors).len());
}

fn check_estimators(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let (n, p, values) = matrix_f(&case["X"]);
    let x = MatrixRef::new("t", "X", n, p, &values).unwrap();
    let expected = case["expected"].as_object().unwrap();
    let sample = sample_covariance(x, &Progress::new()).unwrap();
    for (name, value) in expected {
        match name.as_str() {
            "mean" => all_close(id, &mean(x), &vec_f(value), 1e-12, 1e-18),
            "sample" => close_matrix(id, &sample, value, 1e-12),
            "corr" => {
                let got: Vec<f64> = correlation(sample.as_ref()).into_iter().map(Option::unwrap).collect();
                all_close(id, &got, &matrix_f(value).2, 0.0, 1e-12);
            }
            "cholesky_of_sample" => {
                close_matrix(id, &cholesky(sample.as_ref(), &Progress::new()).unwrap(), value, 1e-10)
            }
            "ledoit_wolf" => {
                check_ledoit_wolf(id, &ledoit_wolf(x, Centering::Sample, &Progress::new()).unwrap(), value)
            }
            "ledoit_wolf_assume_centered" => {
                check_ledoit_wolf(id, &ledoit_wolf(x, Centering::AssumeCentered, &Progress::new()).unwrap(), value);
            }
            _ => {
                let lambda = name.strip_prefix("ewma_").unwrap().parse().unwrap();
                close_matrix(
                    id,
                    &ewma_covariance(x, Decay::new("t", lambda).unwrap(), &Progress::new()).unwrap(),
                    value,
                    1e-12,
                );
            }
        }
    }
}

fn check_ledoit_wolf(id: &str, got: &LedoitWolf, expected: &Value) {
    close(id, got.shrinkage, f(&expected["shrinkage"]), 0.0, 1e-10);
    close(id, got.mu, f(&expected["mu"]), 1e-12, 0.0);
    close_matrix(id, &got.covariance, &expected["cov"], 1e-12);
}

fn check_repair(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let (n, p, values) = matrix_f(&case["corr_in"]);
    let repaired = repair_correlation(MatrixRef::new("t", "C", n, p, &values).unwrap(), &Progress::new()).unwrap();
    close(id, repaired.smallest_eigenvalue_before, f(&case["expected"]["min_eig_in"]), 0.0, 1e-12);
    close_matrix(id, &repaired.matrix, &case["expected"]["clipped_corr"], 1e-12);
}

fn close_matrix(id: &str, got: &Matrix, expected: &Value, rel_to_max: f64) {
    let (_, _, expected) = matrix_f(expected);
    let largest = expected.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    all_close(id, got.values(), &expected, 0.0, rel_to_max * largest);
}
