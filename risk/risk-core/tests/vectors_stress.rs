//! `stress.json`: scenarios, reverse stress, liquidity horizons, stressed ES, worst windows.
#![allow(clippy::unwrap_used)]

mod common;

use common::prices::Prices;
use common::{all_close, cases, close, f, load, matrix_f, vec_f};
use risk_core::covariance::Covariance;
use risk_core::matrix::MatrixRef;
use risk_core::pricing::{Bsm, OptionKind};
use risk_core::stress::{
    Holding, Position, Scenario, Shock, liquidity_horizon_es, reverse_stress, stress, stressed_es, worst_windows,
};
use serde_json::Value;

fn position(entry: &Value) -> Position {
    let number = |name: &str| f(&entry[name]);
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
    let holding = match entry["kind"].as_str().unwrap() {
        "spot" => Holding::Spot { spot: number("S") },
        "call" => option(OptionKind::Call),
        "put" => option(OptionKind::Put),
        other => unreachable!("unknown kind {other}"),
    };
    Position { underlying: entry["u"].as_str().unwrap().to_owned(), qty: number("qty"), holding }
}

fn scenario(shocks: &Value) -> Scenario {
    let shock = |entry: &Value| {
        let number = |name: &str| entry[name].as_f64().unwrap_or(0.0);
        Shock { spot: number("spot"), vol: number("vol"), rate: number("rate"), years: number("dt") }
    };
    shocks.as_object().unwrap().iter().map(|(name, entry)| (name.clone(), shock(entry))).collect()
}

fn check_scenario(case: &Value, rel: f64, abs: f64) {
    let book: Vec<Position> = case["book"].as_array().unwrap().iter().map(position).collect();
    let got = stress(&book, &scenario(&case["shocks"])).unwrap();
    let label = case["id"].to_string();
    all_close(&label, &got.by_position, &vec_f(&case["expected"]["pnl_by_position"]), rel, abs);
    close(&label, got.total, f(&case["expected"]["pnl"]), rel, abs);
}

fn check_reverse(case: &Value, rel: f64) {
    let (x, (k, _, cov)) = (vec_f(&case["x"]), matrix_f(&case["cov"]));
    let cov = Covariance::new("vectors", k, MatrixRef::new("vectors", "cov", k, k, &cov).unwrap()).unwrap();
    let got = reverse_stress(&x, &cov, f(&case["loss"])).unwrap();
    let expected = &case["expected"];
    all_close("shock", &got.shock, &vec_f(&expected["shock"]), rel, 0.0);
    close("distance", got.mahalanobis, f(&expected["mahalanobis"]), rel, 0.0);
    close("probability", got.one_sided_prob, f(&expected["one_sided_prob"]), rel, 1e-300);
}

fn check_windows(case: &Value, rel: f64) {
    let prices = Prices::read(case["data"].as_str().unwrap());
    let series: Vec<f64> = prices.rows.iter().map(|row| row[0]).collect();
    let rows = case["expected"]["rows"].as_array().unwrap();
    let got = worst_windows(&series, case["h"].as_u64().unwrap() as usize, rows.len()).unwrap();
    for (window, row) in got.iter().zip(rows) {
        assert_eq!(prices.dates[window.end], row["end"].as_str().unwrap());
        close("return", window.change, f(&row["ret"]), rel, 0.0);
    }
}

#[test]
fn stress_tests() {
    let Some(vectors) = load("stress") else { return };
    let rel = |name: &str| f(&vectors["tol"][name]["rel"]);
    for case in cases(&vectors) {
        let number = |name: &str| f(&case[name]);
        let es = || f(&case["expected"]["es"]);
        match case["kind"].as_str().unwrap() {
            "scenario" => check_scenario(case, rel("pnl"), f(&vectors["tol"]["pnl"]["abs"])),
            "reverse_stress" => check_reverse(case, rel("shock")),
            "liquidity_horizon_es" => {
                let by_horizon: [f64; 5] = vec_f(&case["es_T10_by_bucket"]).try_into().unwrap();
                close("es", liquidity_horizon_es(by_horizon).unwrap(), es(), rel("es"), 0.0);
            }
            "stressed_es" => {
                let got = stressed_es(number("es_r_s"), number("es_f_c"), number("es_r_c")).unwrap();
                close("es", got, es(), rel("es"), 0.0);
            }
            "historical_window" => check_windows(case, rel("window")),
            other => unreachable!("unknown kind {other}"),
        }
    }
    println!("stress: {} cases", cases(&vectors).len());
}
