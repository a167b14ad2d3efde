//! `implied_vol.json`: volatility to the digits that the price carries, and the refusals.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load};
use risk_core::RiskError;
use risk_core::pricing::{OptionKind, UndiscountedOption, implied_vol};

fn name(error: &RiskError) -> &'static str {
    match error {
        RiskError::BelowIntrinsic(_) => "BelowIntrinsic",
        RiskError::AboveMaximum(_) => "AboveMaximum",
        RiskError::InvalidInput(_) => "InvalidInput",
        _ => "another error",
    }
}

#[test]
fn implied_vols() {
    let Some(vectors) = load("implied_vol") else { return };
    let mut worst = 0.0_f64;
    for case in cases(&vectors) {
        let got = implied_vol(&UndiscountedOption {
            kind: if case["type"] == "call" { OptionKind::Call } else { OptionKind::Put },
            forward: f(&case["F"]),
            strike: f(&case["K"]),
            years: f(&case["T"]),
            price: f(&case["price_undiscounted"]),
        });
        match case["expected_error"].as_str() {
            Some(expected) => assert_eq!(name(&got.unwrap_err()), expected, "{}", case["id"]),
            None => {
                let (vol, expected) = (got.unwrap(), f(&case["expected"]["vol"]));
                let (rel, abs) = (case["tol_rel"].as_f64().unwrap_or(0.0), case["tol_abs"].as_f64().unwrap_or(0.0));
                close(&case["id"].to_string(), vol, expected, rel, abs);
                if rel > 0.0 {
                    worst = worst.max((vol / expected - 1.0).abs() / rel);
                }
            }
        }
    }
    println!("implied_vol: {} cases, largest error {worst:.2} of its tolerance", cases(&vectors).len());
}
