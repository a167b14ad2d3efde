//! `special_functions.json`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load};
use risk_core::special;

#[test]
fn special_functions() {
    let Some(vectors) = load("special_functions") else { return };
    let default_rel = f(&vectors["tol"]["default"]["rel"]);
    for case in cases(&vectors) {
        let name = case["fn"].as_str().unwrap();
        let got = match name {
            "norm_cdf" => special::norm_cdf(f(&case["x"])),
            "norm_pdf" => special::norm_pdf(f(&case["x"])),
            "norm_ppf" => special::norm_ppf(f(&case["p"])),
            "t_cdf" => special::t_cdf(f(&case["x"]), f(&case["nu"])),
            "t_pdf" => special::t_pdf(f(&case["x"]), f(&case["nu"])),
            "t_ppf" => special::t_ppf(f(&case["p"]), f(&case["nu"])),
            "chi2_sf" => special::chi2_sf(f(&case["x"]), f(&case["k"])),
            "binom_cdf" => special::binom_cdf(case["k"].as_u64().unwrap(), case["n"].as_u64().unwrap(), f(&case["p"])),
            other => unreachable!("unknown function {other}"),
        };
        let rel = case["tol_rel"].as_f64().unwrap_or(default_rel);
        let abs = case["tol_abs"].as_f64().unwrap_or(0.0);
        close(case["id"].as_str().unwrap(), got, f(&case["expected"]), rel, abs);
    }
    println!("special_functions: {} cases", cases(&vectors).len());
}
