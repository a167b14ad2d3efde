//! `historical.json`: the kinds that filter volatility. The plain ones are in `vectors_historical.rs`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, confidence, f, load, matrix_f, vec_f};
use risk_core::filtered::{PathRows, filtered_path_risk, filtered_risk, hull_white_risk};
use risk_core::matrix::MatrixRef;
use risk_core::quantile::VarEs;
use risk_core::units::Decay;
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
                let got = filtered_path_risk(&x, returns, garch.unwrap(), paths, &levels).unwrap();
                check(&vectors, &label, block, got.figures[0]);
                checked += 1;
            }
        }
    }
    assert!(checked > 0);
    println!("historical, filtered kinds: {checked} blocks");
}
