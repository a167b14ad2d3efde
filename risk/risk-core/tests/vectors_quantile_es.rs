//! `quantile_es.json`.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, confidence, f, load, vec_f};
use risk_core::quantile::{OrderedLosses, QuantileRule, age_weights, rank_interval, weighted_var_es};
use risk_core::units::Decay;
use serde_json::Value;

#[test]
fn quantile_es() {
    let Some(vectors) = load("quantile_es") else { return };
    for case in cases(&vectors) {
        match (&case["loss_ref"], &case["lambda"]) {
            (Value::Null, _) => check_ranks(case),
            (name, Value::Null) => check_sample(case, vec_f(&vectors["losses"][name.as_str().unwrap()])),
            (name, _) => check_weighted(case, &vec_f(&vectors["losses"][name.as_str().unwrap()])),
        }
    }
    println!("quantile_es: {} cases", cases(&vectors).len());
}

fn check_sample(case: &Value, losses: Vec<f64>) {
    let id = case["id"].as_str().unwrap();
    let c = confidence(&case["alpha"]).unwrap();
    let sample = OrderedLosses::sort("historical_var", losses.clone()).unwrap();
    let expected = &case["expected"];
    let var = |rule| sample.var_by(rule, c).unwrap();
    assert_eq!(var(QuantileRule::InvertedCdf), f(&expected["var"]["inverted_cdf"]), "{id}");
    assert_eq!(var(QuantileRule::Upper), f(&expected["var"]["upper"]), "{id}");
    close(id, var(QuantileRule::Linear7), f(&expected["var"]["linear7"]), 1e-12, 1e-12);
    close(id, var(QuantileRule::MedianUnbiased8), f(&expected["var"]["median_unbiased8"]), 1e-12, 1e-12);
    close(id, var(QuantileRule::HarrellDavis), f(&expected["var"]["harrell_davis"]), 1e-9, 0.0);
    let es = sample.tail_mean(c).unwrap();
    close(id, es, f(&expected["es"]["tail_mean"]), 1e-12, 1e-12);
    close(id, sample.mean_ge_var(c).unwrap(), f(&expected["es"]["mean_ge_var"]), 1e-12, 1e-12);
    match sample.mean_gt_upper(c).unwrap() {
        Some(mean) => close(id, mean, f(&expected["es"]["mean_gt_upper"]), 1e-12, 1e-12),
        None => assert!(expected["es"]["mean_gt_upper"].is_null(), "{id}: mean_gt_upper"),
    }
    let n = losses.len();
    let tail = OrderedLosses::select("historical_var", losses, OrderedLosses::lowest_rank(n, c)).unwrap();
    assert_eq!((tail.var(c), tail.tail_mean(c)), (sample.var(c), Ok(es)), "{id}: selected tail");
    assert_eq!(tail.var_interval(c), sample.var_interval(c), "{id}: interval of the selected tail");
}

fn check_weighted(case: &Value, losses: &[f64]) {
    let id = case["id"].as_str().unwrap();
    let lambda = Decay::new("t", f(&case["lambda"])).unwrap();
    let weights = age_weights(losses.len(), lambda);
    let got = weighted_var_es("t", losses, &weights, confidence(&case["alpha"]).unwrap()).unwrap();
    assert_eq!(got.var, f(&case["expected"]["var_weighted_inverted_cdf"]), "{id}");
    close(id, got.es, f(&case["expected"]["es_weighted_tail_mean"]), 1e-12, 1e-12);
}

fn check_ranks(case: &Value) {
    let id = case["id"].as_str().unwrap();
    let ranks = rank_interval(case["N"].as_u64().unwrap() as usize, confidence(&case["alpha"]).unwrap());
    let expected = &case["expected"];
    let expected_ranks = (expected["rank_lo"].as_u64().unwrap(), expected["rank_hi"].as_u64().unwrap());
    assert_eq!((ranks.lower, ranks.upper), expected_ranks, "{id}");
    close(id, ranks.coverage, f(&expected["coverage"]), 1e-12, 0.0);
}
