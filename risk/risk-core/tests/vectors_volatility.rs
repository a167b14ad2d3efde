//! `volatility.json`: variance recursions, likelihood, forecasts and the fit.
#![allow(clippy::unwrap_used)]

mod common;

use common::prices::Prices;
use common::{all_close, cases, close, f, load, vec_f};
use risk_core::units::Decay;
use risk_core::volatility::{Garch11, VolatilityModel, fit_garch11};
use serde_json::Value;

fn check_ewma(vectors: &Value, case: &Value, returns: &[f64]) {
    let rel = f(&vectors["tol"]["variance"]["rel"]);
    let lambda = Decay::new("vectors", f(&case["lambda"])).unwrap();
    let path = VolatilityModel::Ewma(lambda).variance(returns).unwrap();
    let expected = &case["expected"];
    close("seed", path.seed_variance, f(&expected["seed_variance"]), rel, 0.0);
    all_close(&case["id"].to_string(), &path.variance, &vec_f(&expected["variance"]), rel, 0.0);
    close("next", path.next_variance, f(&expected["next_variance"]), rel, 0.0);
}

fn check_garch(vectors: &Value, case: &Value, returns: &[f64]) {
    let rel = f(&vectors["tol"]["variance"]["rel"]);
    let garch = Garch11::new(f(&case["omega"]), f(&case["alpha"]), f(&case["beta"])).unwrap();
    let path = VolatilityModel::Garch11(garch).variance(returns).unwrap();
    let expected = &case["expected"];
    all_close(&case["id"].to_string(), &path.variance, &vec_f(&expected["variance"]), rel, 0.0);
    close("next", path.next_variance, f(&expected["next_variance"]), rel, 0.0);
    let forecast = garch.forecast(path.next_variance, 10).unwrap();
    all_close("forecast", &forecast, &vec_f(&expected["forecast_10d"]), rel, 0.0);
    close("10 days", forecast.iter().sum(), f(&expected["variance_10d_total"]), rel, 0.0);
    let loglik = path.log_likelihood(returns).unwrap();
    close("loglik", loglik, f(&expected["loglik"]), f(&vectors["tol"]["loglik"]["rel"]), 0.0);
    assert_eq!(garch.long_run_variance().is_some(), expected["long_run_variance"].is_number());
    if let Some(variance) = garch.long_run_variance() {
        close("long run", variance, f(&expected["long_run_variance"]), rel, 0.0);
    }
}

fn check_fit(vectors: &Value, case: &Value) {
    let returns: Vec<f64> = Prices::read("prices_sp500_index.csv.gz").returns(0).iter().map(|r| 100.0 * r).collect();
    assert_eq!(returns.len() as u64, case["nobs"].as_u64().unwrap());
    close("sum", returns.iter().sum(), f(&case["sum_check"]["sum"]), 1e-9, 0.0);
    let fit = fit_garch11(&returns).unwrap();
    let (tol, expected) = (&vectors["tol"]["fit"], &case["expected"]);
    close("loglik", fit.log_likelihood, f(&expected["loglik"]), 0.0, f(&tol["loglik_abs"]));
    close("alpha", fit.model.alpha(), f(&expected["alpha"]), 0.0, f(&tol["alpha_abs"]));
    close("beta", fit.model.beta(), f(&expected["beta"]), 0.0, f(&tol["beta_abs"]));
    println!("fit: {fit:?}, reference {}", expected["loglik"]);
}

#[test]
fn volatility() {
    let Some(vectors) = load("volatility") else { return };
    for case in cases(&vectors) {
        let returns = || vec_f(&vectors["series"][case["series"].as_str().unwrap()]);
        match case["kind"].as_str().unwrap() {
            "ewma" => check_ewma(&vectors, case, &returns()),
            "garch11" => check_garch(&vectors, case, &returns()),
            "garch11_fit_zero_mean" => check_fit(&vectors, case),
            other => unreachable!("unknown kind {other}"),
        }
    }
    println!("volatility: {} cases", cases(&vectors).len());
}
