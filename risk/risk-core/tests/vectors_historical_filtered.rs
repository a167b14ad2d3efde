//! `historical.json`: the kinds that filter volatility. The plain ones are in `vectors_historical.rs`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, confidence, f, load, matrix_f, vec_f};
use risk_core::filtered::{PathRows, filtered_path_risk, filtered_risk, hull_white_risk};
use risk_core::matrix::MatrixRef;
use risk_core::progress::Progress;
use risk_core::quantile::VarEs;
use risk_core::units::{Confidence, Decay};
use risk_core::volatility::{Garch11, VolatilityModel};
use serde_json::Value;

fn check(vectors: &Value, label: &str, expected: &Value, got: VarEs) {
    close(&format!("{label} var"), got.var, f(&expected["var"]), f(&vectors["tol"]["var"]["rel"]), 0.0);
    close(&format!("{label} es"), got.es, f(&expected["es"]), f(&vectors["tol"]["es"]["rel"]), 0.0);
}

#[test]
fn historical_filtered() {
    let Some(vectors) = load("historical") else { return };
    let mut checked = 0;
    for case in cases(&vectors) {
        let (rows, cols, values) = matrix_f(&vectors["data"][case["returns_ref"].as_str().unwrap()]);
        let returns = MatrixRef::new("vectors", "returns", rows, cols, &values).unwrap();
        let x = vec_f(&case["x"]);
        let mut garch = None;
        for level in case["expected"]["levels"].as_array().unwrap() {
            let label = format!("{} {}", case["id"], level["alpha"]);
            let levels = [confidence(&level["alpha"]).unwrap()];
            let decay = |block: &Value| Decay::new("vectors", f(&block["lambda"])).unwrap();
            let block = &level["fhs_ewma_portfolio"];
            if block.is_object() {
                let got = filtered_risk(&x, returns, VolatilityModel::Ewma(decay(block)), &levels).unwrap();
                close("next_vol", got.next_vol, f(&block["next_vol"]), 1e-9, 0.0);
                check(&vectors, &label, block, got.figures[0]);
                checked += 1;
            }
            let block = &level["hull_white_factors"];
            if block.is_object() {
                check(&vectors, &label, block, hull_white_risk(&x, returns, decay(block), &levels).unwrap()[0]);
                checked += 1;
            }
            let block = &level["fhs_garch_portfolio"];
            if block.is_object() {
                let model = Garch11::new(f(&block["omega"]), f(&block["alpha_g"]), f(&block["beta"])).unwrap();
                let got = filtered_risk(&x, returns, VolatilityModel::Garch11(model), &levels).unwrap();
                close("next_vol", got.next_vol, f(&block["next_vol"]), 1e-9, 0.0);
                check(&vectors, &label, block, got.figures[0]);
                garch = Some(model);
                checked += 1;
            }
            let block = &level["fhs_garch_multi_day"];
            if block.is_object() {
                let (paths, days, rows) = matrix_f(&vectors["data"][format!("idx_{}", case["id"].as_str().unwrap())]);
                assert_eq!((paths as f64, days as f64), (f(&block["paths"]), f(&block["h"])));
                let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
                let paths = PathRows::new(days, &rows).unwrap();
                let got = filtered_path_risk(&x, returns, garch.unwrap(), paths, &levels, &Progress::new()).unwrap();
                check(&vectors, &label, block, got.figures[0]);
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
    println!("historical, filtered kinds: {checked} blocks");
}

/// Paths drawn from a seed: the same bits for every number of threads; one day of them is filtered simulation within its
/// error; told and canceled like every simulation.
#[test]
fn drawn_paths() {
    let returns: Vec<f64> = (0..500_u32).map(|i| 0.01 * f64::from(i * 7919 % 997) / 500.0 - 0.01).collect();
    let returns = MatrixRef::new("t", "returns", 500, 1, &returns).unwrap();
    let garch = Garch11::new(200.0, 0.08, 0.9).unwrap();
    let levels = [Confidence::from_bp("t", 9900).unwrap()];
    let on = |threads: usize, days, n_paths, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let paths = PathRows::drawn(days, n_paths, seed).unwrap();
        let risk = pool.install(|| filtered_path_risk(&[1e4], returns, garch, paths, &levels, &Progress::new()));
        risk.unwrap().figures[0]
    };
    let ten = on(1, 10, 20_500, 7);
    for threads in [2, 16] {
        assert_eq!(on(threads, 10, 20_500, 7), ten);
    }
    assert_ne!(on(1, 10, 20_500, 8), ten);
    let model = VolatilityModel::Garch11(garch);
    let exact = filtered_risk(&[1e4], returns, model, &levels).unwrap().figures[0];
    let one = on(2, 1, 1_000_000, 1);
    assert!((one.es / exact.es - 1.0).abs() < 0.01 && (one.var / exact.var - 1.0).abs() < 0.01, "{one:?} {exact:?}");
    let canceled = Progress::new();
    canceled.cancel();
    let paths = PathRows::drawn(2, 1_000, 1).unwrap();
    let error = filtered_path_risk(&[1e4], returns, garch, paths, &levels, &canceled).unwrap_err().to_string();
    assert_eq!(error, "filtered_path_var: calculation was canceled, got 0 of 1000 scenarios");
    let refused = PathRows::drawn(10, 999, 1).unwrap_err().to_string();
    assert_eq!(refused, "filtered_path_var: n_paths must be within 1000..=10000000, got 999");
}
