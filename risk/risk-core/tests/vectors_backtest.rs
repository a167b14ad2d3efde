//! `backtest.json`: coverage, independence, traffic light, ES tests and their critical values.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load, vec_f};
use risk_core::backtest::{
    Exceptions, Transitions, Zone, acerbi_szekely, basel_multiplier, basel_plus_factor, christoffersen, kupiec,
    kupiec_acceptance, traffic_light,
};
use risk_core::montecarlo::{History, critical_z2};
use risk_core::progress::Progress;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution};
use serde_json::Value;

fn u(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// Compares a field with the tolerance that the file gives its kind of number.
fn check(vectors: &Value, case: &Value, name: &str, kind: &str, got: f64) {
    let tol = &vectors["tol"][kind];
    close(&format!("{} {name}", case["id"]), got, f(&case["expected"][name]), f(&tol["rel"]), f(&tol["abs"]));
}

fn check_coverage(vectors: &Value, case: &Value, exceptions: Exceptions, transitions: Transitions) {
    let p = f(&case["p"]);
    let uc = kupiec(exceptions, p).unwrap();
    let cc = christoffersen(exceptions, transitions, p).unwrap();
    let lrs = [("lr_uc", uc.lr_uc), ("lr_ind", cc.lr_ind), ("lr_cc", cc.lr_cc)];
    let ps = [("p_uc", uc.p_uc), ("p_ind", cc.p_ind), ("p_cc", cc.p_cc)];
    lrs.iter().for_each(|(name, got)| check(vectors, case, name, "lr", *got));
    ps.iter().for_each(|(name, got)| check(vectors, case, name, "p_value", *got));
    if let Some(published) = case["published"].as_object() {
        for (name, got) in lrs.iter().chain(&ps) {
            close(&format!("published {name}"), *got, f(&published[*name]), 0.0, f(&case["published_tol"]));
        }
    }
}

fn check_hits(vectors: &Value, case: &Value) {
    let hits: Vec<bool> = case["hits"].as_str().unwrap().chars().map(|c| c == '1').collect();
    let (exceptions, transitions) = (Exceptions::count(&hits), Transitions::count(&hits));
    let expected = &case["expected"];
    assert_eq!((exceptions.days, exceptions.count), (u(&expected["T"]), u(&expected["exceptions"])));
    let Transitions { n00, n01, n10, n11 } = transitions;
    assert_eq!([n00, n01, n10, n11], ["n00", "n01", "n10", "n11"].map(|n| u(&expected[n])));
    check_coverage(vectors, case, exceptions, transitions);
    let p_at_least = kupiec(exceptions, f(&case["p"])).unwrap().p_at_least;
    check(vectors, case, "binom_p_exact_ge", "p_value", p_at_least);
}

fn check_counts(vectors: &Value, case: &Value) {
    let exceptions = Exceptions { days: u(&case["T"]), count: u(&case["exceptions"]) };
    let [n00, n01, n10, n11] = ["n00", "n01", "n10", "n11"].map(|n| u(&case[n]));
    check_coverage(vectors, case, exceptions, Transitions { n00, n01, n10, n11 });
}

fn check_es(vectors: &Value, case: &Value) {
    let (pnl, var, es) = (vec_f(&case["pnl"]), vec_f(&case["var"]), vec_f(&case["es"]));
    let got = acerbi_szekely(&pnl, &var, &es, f(&case["p"])).unwrap();
    assert_eq!(got.exceptions, u(&case["expected"]["exceptions"]));
    check(vectors, case, "Z2", "Z", got.z2);
    assert_eq!(got.z1.is_some(), case["expected"]["Z1"].is_number());
    if let Some(z1) = got.z1 {
        check(vectors, case, "Z1", "Z", z1);
    }
}

fn check_basel(case: &Value) {
    for row in case["expected"]["rows"].as_array().unwrap() {
        let count = u(&row["exceptions"]);
        let light = traffic_light(Exceptions { days: u(&case["n"]), count }, f(&case["p"])).unwrap();
        let zone = match light.zone {
            Zone::Green => "green",
            Zone::Yellow => "yellow",
            Zone::Red => "red",
        };
        assert_eq!(zone, row["zone"].as_str().unwrap(), "{count} exceptions");
        close("cum_prob", light.cum_prob, f(&row["cum_prob"]), 1e-12, 0.0);
        assert_eq!(basel_multiplier(count), f(&row["multiplier_mar99"]));
        assert_eq!(basel_plus_factor(count), f(&row["plus_factor_1996"]));
    }
}

fn check_regions(case: &Value) {
    for row in case["expected"]["rows"].as_array().unwrap() {
        let got = kupiec_acceptance(u(&row["T"]), f(&row["p"]), f(&case["test_level"])).unwrap();
        assert_eq!(got, (u(&row["accept_lo"]), u(&row["accept_hi"])), "{row}");
    }
}

/// Critical values of Z2 from histories of our own, against the reference's.
fn check_critical(case: &Value) {
    let level = |bp| Confidence::from_bp("test", bp).unwrap();
    let confidence = level(10_000 - (f(&case["p"]) * 1e4).round() as u32);
    for row in case["expected"]["rows"].as_array().unwrap() {
        let name = row["distribution"].as_str().unwrap();
        let distribution = name.strip_prefix('t').map_or(Distribution::Normal, |nu| {
            Distribution::StudentT(DegreesOfFreedom::new("test", nu.parse().unwrap()).unwrap())
        });
        let history = History { days: u(&case["T"]) as u32, confidence, distribution };
        let critical = critical_z2(&history, 100_000, 1, &[level(9_500), level(9_999)], &Progress::new()).unwrap();
        for (got, below) in critical.iter().zip(["0.05", "0.0001"]) {
            let allowed = 4.0 * got.standard_error.hypot(f(&row[format!("se_{below}")]));
            let wanted = f(&row[format!("z2_crit_{below}")]);
            close(&format!("critical Z2 of {name}, {below}"), got.z2, wanted, 0.0, allowed);
        }
    }
}

#[test]
fn backtest() {
    let Some(vectors) = load("backtest") else { return };
    for case in cases(&vectors) {
        match case["kind"].as_str().unwrap() {
            "kupiec" => {
                let exceptions = Exceptions { days: u(&case["T"]), count: u(&case["exceptions"]) };
                let got = kupiec(exceptions, f(&case["p"])).unwrap();
                check(&vectors, case, "lr_uc", "lr", got.lr_uc);
                check(&vectors, case, "p_value", "p_value", got.p_uc);
                check(&vectors, case, "cum_prob", "p_value", got.cum_prob);
            }
            "christoffersen" => check_hits(&vectors, case),
            "christoffersen_counts" => check_counts(&vectors, case),
            "acerbi_szekely" => check_es(&vectors, case),
            "basel_table" => check_basel(case),
            "kupiec_regions" => check_regions(case),
            "acerbi_szekely_critical" => check_critical(case),
            other => unreachable!("unknown kind {other}"),
        }
    }
    println!("backtest: {} cases", cases(&vectors).len());
}
