//! `margin.json`: accounts in exact money, scans, floors against procyclicality.
#![allow(clippy::unwrap_used)]

mod common;

use common::{all_close, cases, close, f, load, vec_f};
use risk_core::margin::{
    Attos, Contract, ScanParameters, ScanPosition, SharePosition, account_margin, buffered_margin, scan_margin,
    stress_weighted_margin,
};
use risk_core::pricing::{Black76, OptionKind};
use serde_json::Value;

/// Money of the vectors has whole cents at most three places deep: exact in thousandths.
fn attos(value: &Value) -> Attos {
    let thousandths = f(value) * 1e3;
    assert_eq!(thousandths.fract(), 0.0, "{value}");
    thousandths as i128 * 10_i128.pow(15)
}

fn check_account(case: &Value) {
    let share = |entry: &Value| SharePosition {
        qty: entry["qty"].as_i64().unwrap(),
        price: (f(&entry["price"]) * 100.0).round() as i64,
        qty_scale: 0,
        price_scale: 2,
    };
    let positions: Vec<SharePosition> = case["positions"].as_array().unwrap().iter().map(share).collect();
    let got = account_margin(attos(&case["cash"]), &positions).unwrap();
    for (name, got) in [
        ("long_mv", got.long_mv),
        ("short_mv", got.short_mv),
        ("equity", got.equity),
        ("initial", got.initial),
        ("maintenance", got.maintenance),
        ("excess_initial", got.excess_initial),
        ("excess_maintenance", got.excess_maintenance),
        ("margin_call", got.margin_call),
    ] {
        assert_eq!(got, attos(&case["expected"][name]), "{} {name}", case["id"]);
    }
}

fn scan_position(entry: &Value) -> ScanPosition {
    let number = |name: &str| f(&entry[name]);
    let option = |kind| {
        let (forward, strike, years) = (number("F"), number("K"), number("T"));
        Contract::Option(Black76 { kind, forward, strike, years, rate: number("r"), vol: number("vol") })
    };
    let contract = match entry["kind"].as_str().unwrap() {
        "future" => Contract::Future,
        "call" => option(OptionKind::Call),
        "put" => option(OptionKind::Put),
        other => unreachable!("unknown kind {other}"),
    };
    ScanPosition { qty: number("qty"), multiplier: number("mult"), contract }
}

fn check_scan(case: &Value, rel: f64, abs: f64) {
    let book: Vec<ScanPosition> = case["book"].as_array().unwrap().iter().map(scan_position).collect();
    let got = scan_margin(
        &book,
        &ScanParameters {
            price_scan_range: f(&case["price_scan_range"]),
            vol_scan_range: f(&case["vol_scan_range"]),
            extreme_multiple: f(&case["extreme_multiple"]),
            extreme_cover: f(&case["extreme_cover"]),
            short_option_minimum: f(&case["short_option_min"]),
        },
    )
    .unwrap();
    let expected = &case["expected"];
    all_close("risk_array", &got.risk_array, &vec_f(&expected["risk_array"]), rel, abs);
    assert_eq!(u64::from(got.worst_scenario), expected["worst_scenario"].as_u64().unwrap());
    for (name, got) in [
        ("scan_risk", got.scan_risk),
        ("short_option_minimum", got.short_option_minimum),
        ("net_option_value", got.net_option_value),
        ("requirement", got.requirement),
    ] {
        close(&format!("{} {name}", case["id"]), got, f(&expected[name]), rel, abs);
    }
}

#[test]
fn margin() {
    let Some(vectors) = load("margin") else { return };
    let (rel, abs) = (f(&vectors["tol"]["money"]["rel"]), f(&vectors["tol"]["money"]["abs"]));
    for case in cases(&vectors) {
        match case["kind"].as_str().unwrap() {
            "regt" => check_account(case),
            "span16" => check_scan(case, rel, abs),
            "apc" => {
                let (current, stressed) = (f(&case["current"]), f(&case["stressed"]));
                let weighted = stress_weighted_margin(current, stressed).unwrap();
                close("stress weight", weighted, f(&case["expected"]["stress_weight_25"]), rel, abs);
                close("buffer", buffered_margin(current).unwrap(), f(&case["expected"]["buffer_25"]), rel, abs);
            }
            other => unreachable!("unknown kind {other}"),
        }
    }
    println!("margin: {} cases", cases(&vectors).len());
}
