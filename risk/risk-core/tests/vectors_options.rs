//! `options.json`: prices and Greeks at each case's tolerance, alone and in a batch.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load};
use risk_core::pricing::{
    Bachelier, Black76, Bsm, BsmColumns, OptionKind, Valuation, bachelier, black76, bsm, bsm_batch,
};
use serde_json::Value;

fn kind(case: &Value) -> OptionKind {
    match case["type"].as_str().unwrap() {
        "call" => OptionKind::Call,
        "put" => OptionKind::Put,
        other => unreachable!("unknown type {other}"),
    }
}

fn bsm_of(case: &Value) -> Bsm {
    Bsm {
        kind: kind(case),
        spot: f(&case["S"]),
        strike: f(&case["K"]),
        years: f(&case["T"]),
        rate: f(&case["r"]),
        dividend_yield: f(&case["q"]),
        vol: f(&case["vol"]),
    }
}

fn value(case: &Value) -> Valuation {
    let number = |name: &str| f(&case[name]);
    match case["model"].as_str().unwrap() {
        "bsm" => bsm(&bsm_of(case)),
        "black76" => black76(&Black76 {
            kind: kind(case),
            forward: number("F"),
            strike: number("K"),
            years: number("T"),
            rate: number("r"),
            vol: number("vol"),
        }),
        "bachelier" => bachelier(&Bachelier {
            kind: kind(case),
            forward: number("F"),
            strike: number("K"),
            years: number("T"),
            rate: number("r"),
            vol: number("vol"),
        }),
        other => unreachable!("unknown model {other}"),
    }
    .unwrap()
}

fn by_name(valuation: &Valuation, name: &str) -> f64 {
    let greeks = &valuation.greeks;
    match name {
        "price" => valuation.price,
        "delta" => greeks.delta,
        "gamma" => greeks.gamma,
        "vega" => greeks.vega,
        "theta" => greeks.theta,
        "rho" => greeks.rho,
        "rho_q" => greeks.rho_q,
        "vanna" => greeks.vanna,
        "volga" => greeks.volga,
        other => unreachable!("unknown Greek {other}"),
    }
}

#[test]
fn options() {
    let Some(vectors) = load("options") else { return };
    for case in cases(&vectors) {
        let got = value(case);
        for (name, expected) in case["expected"].as_object().unwrap() {
            let tol = &case["tol"][if name == "price" { "price" } else { "greeks" }];
            let (rel, abs) = (tol["rel"].as_f64().unwrap_or(0.0), tol["abs"].as_f64().unwrap_or(0.0));
            close(&format!("{} {name}", case["id"]), by_name(&got, name), f(expected), rel, abs);
        }
        if let Some(published) = case["published"].as_f64() {
            close(&format!("{} published", case["id"]), got.price, published, 0.0, f(&case["published_tol"]));
        }
    }
    println!("options: {} cases", cases(&vectors).len());
}

#[test]
fn options_in_a_batch() {
    let Some(vectors) = load("options") else { return };
    let options: Vec<Bsm> = cases(&vectors).iter().filter(|case| case["model"] == "bsm").map(bsm_of).collect();
    let column = |read: fn(&Bsm) -> f64| options.iter().map(read).collect::<Vec<f64>>();
    let (spot, strike, years) = (column(|o| o.spot), column(|o| o.strike), column(|o| o.years));
    let (rate, dividend_yield, vol) = (column(|o| o.rate), column(|o| o.dividend_yield), column(|o| o.vol));
    let kind: Vec<OptionKind> = options.iter().map(|o| o.kind).collect();
    let columns = BsmColumns {
        kind: &kind,
        spot: &spot,
        strike: &strike,
        years: &years,
        rate: &rate,
        dividend_yield: &dividend_yield,
        vol: &vol,
    };
    let batch = bsm_batch(&columns).unwrap();
    let bsm_cases: Vec<&Value> = cases(&vectors).iter().filter(|case| case["model"] == "bsm").collect();
    for (i, case) in bsm_cases.iter().enumerate() {
        let tol = &case["tol"];
        let rows = [
            ("price", batch.price[i]),
            ("delta", batch.delta[i]),
            ("gamma", batch.gamma[i]),
            ("vega", batch.vega[i]),
            ("theta", batch.theta[i]),
            ("rho", batch.rho[i]),
            ("rho_q", batch.rho_q[i]),
            ("vanna", batch.vanna[i]),
            ("volga", batch.volga[i]),
        ];
        for (name, got) in rows {
            if case["expected"].get(name).is_none() {
                continue;
            }
            let tol = &tol[if name == "price" { "price" } else { "greeks" }];
            let (rel, abs) = (tol["rel"].as_f64().unwrap_or(0.0), tol["abs"].as_f64().unwrap_or(0.0));
            close(&format!("batch {} {name}", case["id"]), got, f(&case["expected"][name]), rel, abs);
        }
    }
    println!("options in a batch: {} cases", bsm_cases.len());
}
