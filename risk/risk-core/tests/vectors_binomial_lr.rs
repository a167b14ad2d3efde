//! `binomial_lr.json`: the Leisen-Reimer tree.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load};
use risk_core::pricing::{Bsm, Exercise, OptionKind, TreeOption, leisen_reimer};
use risk_core::progress::Progress;

#[test]
fn binomial_lr() {
    let Some(vectors) = load("binomial_lr") else { return };
    for case in cases(&vectors) {
        let option = Bsm {
            kind: if case["type"] == "call" { OptionKind::Call } else { OptionKind::Put },
            spot: f(&case["S"]),
            strike: f(&case["K"]),
            years: f(&case["T"]),
            rate: f(&case["r"]),
            dividend_yield: f(&case["q"]),
            vol: f(&case["vol"]),
        };
        let exercise = if case["exercise"] == "american" { Exercise::American } else { Exercise::European };
        let steps = u32::try_from(case["steps"].as_u64().unwrap()).unwrap();
        let got = leisen_reimer(&TreeOption { option, exercise, steps }, &Progress::new()).unwrap();
        for (name, got) in [("price", got.price), ("delta_lattice", got.delta_lattice)] {
            let tol = &vectors["tol"][name];
            let label = format!("{} {name}", case["id"]);
            close(&label, got, f(&case["expected"][name]), f(&tol["rel"]), f(&tol["abs"]));
        }
    }
    println!("binomial_lr: {} cases", cases(&vectors).len());
}
