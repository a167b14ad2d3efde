//! Reads the reference vectors of `shared/vectors/risk` and compares with their tolerances.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

pub mod prices;

use std::path::PathBuf;

use risk_core::units::{Confidence, Tail};
use serde_json::Value;

/// Folder of the vectors, beside the repository.
pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/risk")
}

/// The vector file, or `None` (said on stdout) where the folder is absent.
pub fn load(name: &str) -> Option<Value> {
    if !folder().exists() {
        println!("{name}: left out, {} is absent", folder().display());
        return None;
    }
    let text = std::fs::read_to_string(folder().join(format!("{name}.json"))).unwrap();
    Some(serde_json::from_str(&text).unwrap())
}

/// The cases of a vector file.
pub fn cases(vectors: &Value) -> &[Value] {
    vectors["cases"].as_array().unwrap()
}

/// A number.
pub fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// A list of numbers.
pub fn vec_f(value: &Value) -> Vec<f64> {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}")).iter().map(f).collect()
}

/// A list of rows, flattened; with its shape.
pub fn matrix_f(value: &Value) -> (usize, usize, Vec<f64>) {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(vec_f).collect();
    (rows.len(), rows.first().map_or(0, Vec::len), rows.concat())
}

/// The confidence written as a decimal, in basis points.
pub fn confidence(value: &Value) -> Option<Confidence> {
    let scaled = f(value) * 1e4;
    if (scaled - scaled.round()).abs() > 1e-6 {
        return None;
    }
    Some(Confidence::from_bp("vectors", scaled.round() as u32).unwrap())
}

/// The tail of a confidence written as a decimal: from the decimal, never `1.0 - alpha` in doubles.
pub fn tail(value: &Value) -> Tail {
    let text = value.to_string();
    let digits = text.strip_prefix("0.").unwrap();
    let scale = 10_u64.pow(digits.len() as u32);
    Tail::new("vectors", (scale - digits.parse::<u64>().unwrap()) as f64 / scale as f64).unwrap()
}

/// Asserts `|got - expected| <= abs + rel * |expected|`.
pub fn close(label: &str, got: f64, expected: f64, rel: f64, abs: f64) {
    let error = (got - expected).abs();
    let bound = abs + rel * expected.abs();
    assert!(error <= bound, "{label}: got {got:e}, expected {expected:e}, error {error:e} over {bound:e}");
}

/// [`close`] for lists.
pub fn all_close(label: &str, got: &[f64], expected: &[f64], rel: f64, abs: f64) {
    assert_eq!(got.len(), expected.len(), "{label}: length");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        close(&format!("{label}[{i}]"), *g, *e, rel, abs);
    }
}
