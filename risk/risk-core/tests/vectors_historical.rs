//! `historical.json`: plain and age-weighted simulation.
#![allow(clippy::unwrap_used)]

mod common;

use common::{all_close, cases, close, confidence, f, load, matrix_f, vec_f};
use risk_core::historical::{age_weighted_risk, historical_risk, portfolio_losses};
use risk_core::matrix::MatrixRef;
use risk_core::quantile::QuantileRule;
use risk_core::units::Decay;

#[test]
fn historical() {
    let Some(vectors) = load("historical") else { return };
    let mut levels = 0;
    for case in cases(&vectors) {
        let id = case["id"].as_str().unwrap();
        let (n, k, values) = matrix_f(&vectors["data"][case["returns_ref"].as_str().unwrap()]);
        let returns = MatrixRef::new("t", "returns", n, k, &values).unwrap();
        let x = vec_f(&case["x"]);
        let losses = portfolio_losses("t", &x, returns).unwrap();
        close(id, -losses[0], f(&case["expected"]["pnl_first"]), 1e-9, 0.0);
        close(id, -losses[n - 1], f(&case["expected"]["pnl_last"]), 1e-9, 0.0);
        for level in case["expected"]["levels"].as_array().unwrap() {
            let c = [confidence(&level["alpha"]).unwrap()];
            let got = &historical_risk(&x, returns, QuantileRule::InvertedCdf, &c).unwrap()[0];
            close(id, got.var, f(&level["hs"]["var"]), 1e-9, 0.0);
            close(id, got.es, f(&level["hs"]["es"]), 1e-9, 0.0);
            all_close(id, &got.component_es, &vec_f(&level["hs"]["component_es"]), 1e-9, 1e-6);
            let lambda = Decay::new("t", f(&level["brw"]["lambda"])).unwrap();
            let got = age_weighted_risk(&x, returns, lambda, &c).unwrap()[0];
            close(id, got.var, f(&level["brw"]["var"]), 1e-9, 0.0);
            close(id, got.es, f(&level["brw"]["es"]), 1e-9, 0.0);
            levels += 1;
        }
    }
    println!("historical: {} cases, {levels} levels", cases(&vectors).len());
}
