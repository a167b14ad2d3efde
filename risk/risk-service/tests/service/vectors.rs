//! The reference vectors, through the RPC.

use std::path::Path;

use risk_service::proto::return_model::Distribution;
use risk_service::proto::{CalculateRiskRequest, Matrix, ReturnModel, RiskFigures, StudentT};
use serde_json::Value;

use crate::calculate::{calculate, historical, matrix, monte_carlo, normal, parametric, request};
use crate::fixture::Running;

/// The file, or none where the vectors are not there.
fn vectors(file: &str) -> Option<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/risk").join(file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(serde_json::from_str(&text).unwrap()),
        Err(_) => {
            println!("left out: the reference vectors are not there ({})", path.display());
            None
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn rows(value: &Value) -> Matrix {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    matrix(rows.len() as u32, rows[0].len() as u32, &rows.concat())
}

/// The level in basis points; none when it is finer than those.
fn confidence_bp(level: &Value) -> Option<u32> {
    let bp = number(&level["alpha"]) * 1e4;
    ((bp - bp.round()).abs() < 1e-6).then_some(bp.round() as u32)
}

fn model(inputs: &Value) -> ReturnModel {
    let covariance = if inputs["cov"].is_null() { formula_n60() } else { rows(&inputs["cov"]) };
    let mut model = normal(covariance);
    if inputs["dist"] == "student_t" {
        model.distribution = Some(Distribution::StudentT(StudentT { nu: number(&inputs["nu"]) }));
    }
    if !inputs["mu"].is_null() {
        model.mean = numbers(&inputs["mu"]);
    }
    model
}

/// `cov[i][j] = s_i s_j 0.9^|i-j|`, `s_i = 0.01 + 0.0001 i`.
fn formula_n60() -> Matrix {
    let s = |i: i32| 0.01 + 0.0001 * f64::from(i);
    let at = |i, j| s(i) * s(j) * 0.9f64.powi((i - j).abs());
    matrix(60, 60, &(0..60).flat_map(|i| (0..60).map(move |j| at(i, j))).collect::<Vec<_>>())
}

fn assert_close(id: &Value, what: &str, got: f64, expected: f64, abs: f64, rel: f64) {
    let allowed = abs + rel * expected.abs();
    assert!((got - expected).abs() <= allowed, "{id} {what}: got {got}, expected {expected} within {allowed}");
}

#[tokio::test]
async fn parametric_answers_equal_the_vectors() {
    let Some(file) = vectors("parametric.json") else { return };
    let service = Running::start("").await;
    let mut equal = 0;
    // The published textbook figures have a rounded quantile for an input, which no request has.
    for case in file["cases"].as_array().unwrap().iter().filter(|case| !case["inputs"].is_null()) {
        let (id, inputs, expected) = (&case["id"], &case["inputs"], &case["expected"]);
        let x = numbers(&inputs["x"]);
        let request = CalculateRiskRequest {
            confidence_bp: vec![confidence_bp(inputs).unwrap()],
            horizon_days: inputs["h"].as_u64().unwrap() as u32,
            ..request(&x, parametric(model(inputs)))
        };
        let response = calculate(&service.channel, request).await.unwrap();
        let abs = number(&case["tol"]["abs"]);
        assert_close(id, "sigma_1d", response.sigma_1d.unwrap(), number(&expected["sigma_1d"]), abs, 0.0);
        assert_parametric(id, &response.figures[0], expected, abs, &x);
        equal += 1;
    }
    println!("parametric.json: {equal} cases equal");
    assert_eq!(equal, 12);
}

fn assert_parametric(id: &Value, got: &RiskFigures, expected: &Value, abs: f64, x: &[f64]) {
    let largest = x.iter().fold(1.0, |largest: f64, x| largest.max(x.abs()));
    for (what, got, abs) in [
        ("var", std::slice::from_ref(&got.var), abs),
        ("es", std::slice::from_ref(&got.es), abs),
        ("marginal_var", &got.marginal_var, abs / largest),
        ("marginal_es", &got.marginal_es, abs / largest),
        ("component_var", &got.component_var, abs),
        ("component_es", &got.component_es, abs),
        ("standalone_var", &got.standalone_var, abs),
        ("incremental_var", &got.incremental_var, abs),
    ] {
        let expected = match &expected[what] {
            Value::Array(_) => numbers(&expected[what]),
            single => vec![number(single)],
        };
        assert_eq!(got.len(), expected.len(), "{id} {what}");
        for (got, expected) in got.iter().zip(expected) {
            assert_close(id, what, *got, expected, abs, 0.0);
        }
    }
}

#[tokio::test]
async fn historical_answers_equal_the_vectors() {
    let Some(file) = vectors("historical.json") else { return };
    let service = Running::start("").await;
    let mut equal = 0;
    for case in file["cases"].as_array().unwrap() {
        let returns = rows(&file["data"][case["returns_ref"].as_str().unwrap()]);
        let levels: Vec<&Value> = case["expected"]["levels"].as_array().unwrap().iter().collect();
        let confidence_bp = levels.iter().map(|level| confidence_bp(level).unwrap()).collect();
        let n_scenarios = returns.rows;
        let request = CalculateRiskRequest { confidence_bp, ..request(&numbers(&case["x"]), historical(returns)) };
        let response = calculate(&service.channel, request).await.unwrap();
        assert_eq!(response.n_scenarios, n_scenarios);
        for (got, level) in response.figures.iter().zip(&levels) {
            let expected = &level["hs"];
            assert_close(&case["id"], "var", got.var, number(&expected["var"]), 0.0, 1e-9);
            assert_close(&case["id"], "es", got.es, number(&expected["es"]), 0.0, 1e-9);
            for (got, expected) in got.component_es.iter().zip(numbers(&expected["component_es"])) {
                assert_close(&case["id"], "component_es", *got, expected, 1e-6, 1e-9);
            }
            equal += 1;
        }
    }
    println!("historical.json: {equal} levels equal");
    assert!(equal >= 8);
}

#[tokio::test]
async fn simulated_answers_agree_with_the_exact_ones() {
    const N: u32 = 1_000_000;
    let Some(file) = vectors("montecarlo.json") else { return };
    let service = Running::start("").await;
    let mut agree = 0;
    // The other kinds (given normals, full revaluation) have no request yet.
    let is_served = |case: &&Value| case["kind"] == "converged_linear";
    for case in file["cases"].as_array().unwrap().iter().filter(is_served) {
        let levels: Vec<&Value> = case["expected"]["levels"].as_array().unwrap().iter().collect();
        let confidence_bp = levels.iter().map(|level| confidence_bp(level).unwrap()).collect();
        let x = numbers(&case["inputs"]["x"]);
        let request = CalculateRiskRequest { confidence_bp, ..request(&x, monte_carlo(model(&case["inputs"]), N, 42)) };
        let response = calculate(&service.channel, request).await.unwrap();
        assert_close(&case["id"], "sigma", response.sigma_1d.unwrap(), number(&case["expected"]["sigma"]), 0.0, 1e-12);
        for (got, expected) in response.figures.iter().zip(&levels) {
            assert_simulated(&case["id"], got, expected, f64::from(N));
            agree += 1;
        }
    }
    println!("montecarlo.json: {agree} levels agree");
    assert_eq!(agree, 8);
}

/// Within four standard errors, and the standard error of VaR within its own error: `4 / sqrt(2 w)`, relative.
fn assert_simulated(id: &Value, got: &RiskFigures, expected: &Value, n: f64) {
    let tail = 1.0 - number(&expected["alpha"]);
    let (var_se, es_se) = (got.var_se.unwrap(), got.es_se.unwrap());
    assert_close(id, "var", got.var, number(&expected["var"]), 4.0 * var_se, 0.0);
    assert_close(id, "es", got.es, number(&expected["es"]), 4.0 * es_se, 0.0);
    let w = (n * tail * (1.0 - tail)).sqrt().round();
    assert_close(id, "var_se", var_se, number(&expected["var_se_times_sqrtN"]) / n.sqrt(), 0.0, 4.0 / (2.0 * w).sqrt());
    let (var_ci, es_ci) = (got.var_ci95.unwrap(), got.es_ci95.unwrap());
    assert!(var_ci.lower.unwrap() < got.var && got.var < var_ci.upper.unwrap(), "{id} var_ci95");
    assert_close(id, "es_ci95", es_ci.upper.unwrap() - es_ci.lower.unwrap(), 2.0 * 1.96 * es_se, 0.0, 1e-3);
}
