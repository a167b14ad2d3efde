//! `parametric.json`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{all_close, cases, close, f, load, matrix_f, tail, vec_f};
use risk_core::covariance::Covariance;
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::parametric::{Multipliers, ParametricRisk, parametric_risk};
use risk_core::progress::Progress;
use risk_core::units::{DegreesOfFreedom, Distribution, HorizonDays};
use serde_json::Value;

#[test]
fn parametric() {
    let Some(vectors) = load("parametric") else { return };
    for case in cases(&vectors) {
        if case["inputs"].is_null() { check_published(case) } else { check(case) }
    }
    println!("parametric: {} cases", cases(&vectors).len());
}

fn check(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let inputs = &case["inputs"];
    let x = vec_f(&inputs["x"]);
    let cov = match &inputs["cov"] {
        // The one case given by a formula.
        Value::Null => Matrix::from_fn(x.len(), x.len(), |i, j| {
            let s = |i: usize| 0.01 + 0.0001 * i as f64;
            s(i) * s(j) * 0.9_f64.powi(i.abs_diff(j) as i32)
        }),
        rows => {
            let (n, p, values) = matrix_f(rows);
            Matrix::from_fn(n, p, |i, j| values[i * p + j])
        }
    };
    let distribution = match inputs["dist"].as_str().unwrap() {
        "student_t" => Distribution::StudentT(DegreesOfFreedom::new("t", f(&inputs["nu"])).unwrap()),
        _ => Distribution::Normal,
    };
    let multipliers = Multipliers::of(distribution, tail(&inputs["alpha"]));
    let horizon = inputs["h"].as_u64().unwrap() as u32;
    let got = risk(&x, &vec_f(&inputs["mu"]), cov.as_ref(), multipliers, horizon);
    let abs = f(&case["tol"]["abs"]);
    // "Marginals: divide by max|x_i|": they are per unit of exposure.
    let largest = x.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    let marginal_abs = if largest > 0.0 { abs / largest } else { abs };
    let expected = &case["expected"];
    close(id, got.sigma_1d, f(&expected["sigma_1d"]), 0.0, abs);
    close(id, got.var, f(&expected["var"]), 0.0, abs);
    close(id, got.es, f(&expected["es"]), 0.0, abs);
    all_close(id, &got.marginal_var, &vec_f(&expected["marginal_var"]), 0.0, marginal_abs);
    all_close(id, &got.marginal_es, &vec_f(&expected["marginal_es"]), 0.0, marginal_abs);
    all_close(id, &got.component_var, &vec_f(&expected["component_var"]), 0.0, abs);
    all_close(id, &got.component_es, &vec_f(&expected["component_es"]), 0.0, abs);
    all_close(id, &got.standalone_var, &vec_f(&expected["standalone_var"]), 0.0, abs);
    all_close(id, &got.incremental_var, &vec_f(&expected["incremental_var"]), 0.0, abs);
}

/// Textbook figures with the textbook's rounded quantile.
fn check_published(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let jorion = |z: f64| risk(&[2e6, 1e6], &[], diagonal(&[0.0025, 0.0144]).as_ref(), k(z), 1);
    let hull = |x: &[f64], cov: Matrix| risk(x, &[], cov.as_ref(), k(2.33), 10).var;
    let got = match id {
        "pub_jorion_portfolio_var" => jorion(1.65).var,
        "pub_jorion_component_cad" => jorion(1.65).component_var[0],
        "pub_jorion_component_eur" => jorion(1.65).component_var[1],
        "pub_jorion_standalone_cad" => jorion(1.65).standalone_var[0],
        "pub_jorion_standalone_eur" => jorion(1.65).standalone_var[1],
        "pub_hull_msft_10d_99" => hull(&[1e7], diagonal(&[4e-4])),
        "pub_hull_att_10d_99" => hull(&[5e6], diagonal(&[1e-4])),
        // Hull rounds the portfolio's sigma too: 220,227 a day.
        "pub_hull_2asset_10d_99" => hull(&[220_227.0], diagonal(&[1.0])),
        other => unreachable!("unknown figure {other}"),
    };
    close(id, got, f(&case["expected"]["var"]), 0.0, f(&case["tol"]["abs"]));
}

fn k(z: f64) -> Multipliers {
    Multipliers { var: z, es: z }
}

fn diagonal(variances: &[f64]) -> Matrix {
    Matrix::from_fn(variances.len(), variances.len(), |i, j| if i == j { variances[i] } else { 0.0 })
}

fn risk(x: &[f64], mu: &[f64], cov: MatrixRef<'_>, multipliers: Multipliers, h: u32) -> ParametricRisk {
    let cov = Covariance::new("parametric_var", x.len(), cov).unwrap();
    parametric_risk(x, mu, &cov, multipliers, HorizonDays::new("parametric_var", h).unwrap(), &Progress::new()).unwrap()
}
