//! `delta_gamma.json`: cumulants, Cornish-Fisher, exact VaR and ES.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load, matrix_f, tail, vec_f};
use risk_core::covariance::Covariance;
use risk_core::delta_gamma::{DeltaGamma, cornish_fisher};
use risk_core::matrix::MatrixRef;

#[test]
fn delta_gamma() {
    let Some(vectors) = load("delta_gamma") else { return };
    let rel = |name: &str| f(&vectors["tol"][name]["rel"]);
    let mut levels = 0;
    for case in cases(&vectors) {
        let (inputs, expected) = (&case["inputs"], &case["expected"]);
        let delta = vec_f(&inputs["delta"]);
        let (k, _, gamma) = matrix_f(&inputs["gamma"]);
        let (_, _, cov) = matrix_f(&inputs["cov"]);
        let gamma = MatrixRef::new("vectors", "gamma", k, k, &gamma).unwrap();
        let cov = Covariance::new("vectors", k, MatrixRef::new("vectors", "cov", k, k, &cov).unwrap()).unwrap();
        let form = DeltaGamma { theta: f(&inputs["theta"]), delta: &delta, gamma }.diagonalise(&cov).unwrap();
        let cumulants = form.cumulants().unwrap();
        let check =
            |name: &str, got: f64, expected, rel| close(&format!("{} {name}", case["id"]), got, expected, rel, 0.0);
        check("k1", cumulants.k1, f(&expected["k1_mean"]), rel("cumulants"));
        check("k2", cumulants.k2, f(&expected["k2_var"]), rel("cumulants"));
        check("k3", cumulants.k3, f(&expected["k3"]), rel("cumulants"));
        check("k4", cumulants.k4, f(&expected["k4"]), rel("cumulants"));
        for level in expected["levels"].as_array().unwrap() {
            let tail = tail(&level["alpha"]);
            let got = cornish_fisher(&cumulants, tail).unwrap();
            let wanted = &level["cornish_fisher"];
            check("skew", cumulants.skewness(), f(&wanted["skew"]), rel("cornish_fisher"));
            check("kurtosis", cumulants.excess_kurtosis(), f(&wanted["ex_kurt"]), rel("cornish_fisher"));
            check("z_cf", got.z_cf, f(&wanted["z_cf"]), rel("cornish_fisher"));
            check("cf var", got.figures.var, f(&wanted["var"]), rel("cornish_fisher"));
            check("cf es", got.figures.es, f(&wanted["es"]), rel("cornish_fisher"));
            assert_eq!(got.monotone, wanted["monotone"].as_bool().unwrap());
            let exact = form.var_es(tail).unwrap();
            check("exact var", exact.var, f(&level["exact_var"]), rel("exact_var"));
            check("exact es", exact.es, f(&level["exact_es"]), rel("exact_es"));
            levels += 1;
        }
    }
    println!("delta_gamma: {} cases, {levels} levels", cases(&vectors).len());
}
