//! Laws of the exact quadratic form: closed forms where they exist, order, homogeneity, and no answer that is none.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::covariance::Covariance;
use risk_core::delta_gamma::{DeltaGamma, QuadraticForm, cornish_fisher};
use risk_core::matrix::MatrixRef;
use risk_core::special::{chi2_sf, norm_cdf, norm_pdf, norm_ppf};
use risk_core::units::Tail;

fn tail(p: f64) -> Tail {
    Tail::new("test", p).unwrap()
}

/// Any double, the hostile ones often.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(f64::MAX), Just(1e-300), -10.0..10.0]
}

/// `P(loss > y)` of one factor from the roots of `theta + b z + lambda z² = -y`.
fn one_factor_tail(theta: f64, b: f64, lambda: f64, y: f64) -> f64 {
    let discriminant = b * b - 4.0 * lambda * (theta + y);
    if discriminant <= 0.0 {
        return if lambda > 0.0 { 0.0 } else { 1.0 };
    }
    let (middle, half) = (-b / (2.0 * lambda), discriminant.sqrt() / (2.0 * lambda.abs()));
    let inside = norm_cdf(middle + half) - norm_cdf(middle - half);
    if lambda > 0.0 { inside } else { norm_cdf(middle - half) + norm_cdf(-middle - half) }
}

proptest! {
    #[test]
    fn one_factor_has_a_closed_form(theta in -1.0..1.0, b in -3.0..3.0_f64, lambda in -2.0..2.0_f64, p in 1e-4..0.49) {
        prop_assume!(lambda.abs() > 1e-3);
        let form = QuadraticForm::new(theta, vec![b], vec![lambda]).unwrap();
        let got = form.var_es(tail(p)).unwrap();
        let check = one_factor_tail(theta, b, lambda, got.var);
        // At the bounded edge the tail is steep: a VaR of ten digits gives a probability of fewer.
        let slack = 1e-8 * (1.0 + got.var.abs());
        let around = (one_factor_tail(theta, b, lambda, got.var - slack), one_factor_tail(theta, b, lambda, got.var + slack));
        prop_assert!(around.1 <= p && p <= around.0, "p {p}, got {check}, around {around:?}");
        prop_assert!(got.es >= got.var);
    }

    #[test]
    fn a_linear_book_is_normal(b in prop::collection::vec(-5.0..5.0_f64, 1..20), p in 1e-9..0.49) {
        let sigma = b.iter().map(|b| b * b).sum::<f64>().sqrt();
        prop_assume!(sigma > 0.1);
        let form = QuadraticForm::new(1.0, b.clone(), vec![0.0; b.len()]).unwrap();
        let (got, z) = (form.var_es(tail(p)).unwrap(), -norm_ppf(p));
        prop_assert!((got.var - (sigma * z - 1.0)).abs() < 1e-10 * sigma * (1.0 + z));
        prop_assert!((got.es - (sigma * norm_pdf(z) / p - 1.0)).abs() < 1e-9 * sigma * (1.0 + z));
        let expansion = cornish_fisher(&form.cumulants().unwrap(), tail(p)).unwrap();
        prop_assert!(expansion.monotone && (expansion.figures.var - got.var).abs() < 1e-9 * sigma * (1.0 + z));
    }

    #[test]
    fn equal_gammas_are_chi_square(k in 1_usize..30, p in 1e-8..0.49, sign in prop::bool::ANY) {
        let lambda = if sign { 1.0 } else { -1.0 };
        let form = QuadraticForm::new(0.0, vec![0.0; k], vec![lambda; k]).unwrap();
        let var = form.var_es(tail(p)).unwrap().var;
        // Loss is -lambda chi-square.
        let got = if sign { 1.0 - chi2_sf(-var, k as f64) } else { chi2_sf(var, k as f64) };
        prop_assert!((got / p - 1.0).abs() < 1e-7, "p {p}, got {got}");
    }

    #[test]
    fn figures_are_ordered_and_homogeneous(terms in prop::collection::vec((-5.0..5.0_f64, -2.0..2.0_f64), 1..30),
                                           p in 1e-4..0.2, scale in 1e-3..1e6_f64) {
        let (b, lambda): (Vec<f64>, Vec<f64>) = terms.iter().copied().unzip();
        let form = QuadraticForm::new(0.5, b.clone(), lambda.clone()).unwrap();
        let times = |x: &[f64]| x.iter().map(|x| x * scale).collect::<Vec<f64>>();
        let scaled = QuadraticForm::new(0.5 * scale, times(&b), times(&lambda)).unwrap();
        let sigma = form.cumulants().unwrap().k2.sqrt();
        let (got, deeper, scaled) = (form.var_es(tail(p)).unwrap(), form.var_es(tail(0.5 * p)).unwrap(), scaled.var_es(tail(p)).unwrap());
        prop_assert!(got.es >= got.var && deeper.var >= got.var - 1e-12 * sigma && deeper.es >= got.es - 1e-9 * sigma);
        prop_assert!((scaled.var / scale - got.var).abs() < 1e-9 * sigma * (1.0 + got.var.abs() / sigma));
        prop_assert!((scaled.es / scale - got.es).abs() < 1e-8 * sigma * (1.0 + got.es.abs() / sigma));
    }

    #[test]
    fn no_coefficients_make_a_number_that_is_none(theta in hostile(), terms in prop::collection::vec((hostile(), hostile()), 0..6), p in 1e-4..0.49) {
        let (b, lambda): (Vec<f64>, Vec<f64>) = terms.iter().copied().unzip();
        if let Ok(form) = QuadraticForm::new(theta, b, lambda) {
            if let Ok(got) = form.var_es(tail(p)) { prop_assert!(got.var.is_finite() && got.es.is_finite()) }
            if let Ok(cumulants) = form.cumulants() && let Ok(got) = cornish_fisher(&cumulants, tail(p)) {
                prop_assert!(got.figures.var.is_finite() && got.figures.es.is_finite());
            }
        }
    }

    #[test]
    fn no_book_makes_a_number_that_is_none(x in prop::collection::vec(hostile(), 10), p in 1e-4..0.49) {
        let symmetric = |a: f64, b: f64, c: f64| [a, b, b, c];
        let (gamma, cov) = (symmetric(x[3], x[4], x[5]), symmetric(x[6], x[7], x[8]));
        let (Ok(gamma), Ok(cov)) = (MatrixRef::new("test", "gamma", 2, 2, &gamma), MatrixRef::new("test", "cov", 2, 2, &cov)) else {
            return Ok(());
        };
        let Ok(cov) = Covariance::new("test", 2, cov) else { return Ok(()) };
        if let Ok(form) = (DeltaGamma { theta: x[0], delta: &x[1..3], gamma }).diagonalise(&cov)
            && let Ok(got) = form.var_es(tail(p))
        {
            prop_assert!(got.var.is_finite() && got.es.is_finite());
        }
    }
}

#[test]
fn a_book_without_risk_loses_its_mean() {
    let form = QuadraticForm::new(-3.0, vec![0.0; 2], vec![0.0; 2]).unwrap();
    let got = form.var_es(tail(0.01)).unwrap();
    assert_eq!((got.var, got.es), (3.0, 3.0));
}

#[test]
fn shapes_are_named() {
    let (one, four) = ([1.0], [1.0, 0.0, 0.0, 1.0]);
    let cov = Covariance::new("test", 2, MatrixRef::new("test", "cov", 2, 2, &four).unwrap()).unwrap();
    let gamma = MatrixRef::new("test", "gamma", 1, 1, &one).unwrap();
    let error = DeltaGamma { theta: 0.0, delta: &[1.0, 1.0], gamma }.diagonalise(&cov).unwrap_err();
    assert_eq!(error.to_string(), "delta_gamma_var: gamma must be 2x2 to match delta, got 1x1");
}

/// A nearly linear factor beside strongly curved ones: the far tail is theirs, and VaR rises without a jump.
#[test]
fn a_nearly_linear_factor_does_not_disturb_the_tail() {
    let (b, lambda) = (vec![128.6, -50.4, 48.5, -40.3], vec![-50.7, -9.6, -7.9, 0.108]);
    let exactly_linear = QuadraticForm::new(0.0, b.clone(), vec![-50.7, -9.6, -7.9, 0.0]).unwrap();
    let form = QuadraticForm::new(0.0, b, lambda).unwrap();
    for i in 1..500 {
        let p = f64::from(i) / 1000.0;
        let (got, near) = (form.var_es(tail(p)).unwrap(), exactly_linear.var_es(tail(p)).unwrap());
        assert!((got.var - near.var).abs() < 0.5 && (got.es - near.es).abs() < 0.5, "{p}: {got:?} {near:?}");
    }
}
