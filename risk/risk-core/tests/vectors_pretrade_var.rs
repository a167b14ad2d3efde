//! `pretrade_var.json`, and the running state against a rebuild.
#![allow(clippy::unwrap_used)]

mod common;

use common::{cases, close, f, load, matrix_f, vec_f};
use proptest::prelude::*;
use risk_core::covariance::Covariance;
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::pretrade_var::PortfolioVar;
use risk_core::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};
use serde_json::Value;

#[test]
fn pretrade_var() {
    let Some(vectors) = load("pretrade_var") else { return };
    let steps: usize = cases(&vectors).iter().map(check).sum();
    println!("pretrade_var: {} cases, {steps} steps", cases(&vectors).len());
}

fn check(case: &Value) -> usize {
    let inputs = &case["inputs"];
    let (n, p, values) = matrix_f(&inputs["cov"]);
    let x = vec_f(&inputs["x"]);
    let cov = Covariance::new("t", x.len(), MatrixRef::new("t", "cov", n, p, &values).unwrap()).unwrap();
    let distribution = match inputs["nu"].as_f64() {
        Some(nu) => Distribution::StudentT(DegreesOfFreedom::new("t", nu).unwrap()),
        None => Distribution::Normal,
    };
    let int = |value: &Value| value.as_u64().unwrap() as u32;
    let confidence = Confidence::from_bp("t", int(&inputs["confidence_bp"])).unwrap();
    let horizon = HorizonDays::new("t", int(&inputs["h"])).unwrap();
    let mut portfolio = PortfolioVar::new(&x, &cov, distribution, confidence, horizon).unwrap();
    for order in inputs["open_orders"].as_array().unwrap() {
        portfolio.open_order(int(&order["factor"]) as usize, f(&order["delta_exposure"])).unwrap();
    }
    let steps = case["steps"].as_array().unwrap();
    for (i, step) in steps.iter().enumerate() {
        let label = format!("{} step {i}", case["id"]);
        let (factor, d) = (int(&step["factor"]) as usize, f(&step["delta_exposure"]));
        let (got, expected) = (portfolio.check(factor, d).unwrap(), &step["expected"]);
        let (var_abs, square_abs) = (f(&step["tol"]["var_abs"]), f(&step["tol"]["sigma_sq_abs"]));
        close(&label, got.sigma_sq_now, f(&expected["sigma_sq_now"]), 0.0, square_abs);
        close(&label, got.sigma_sq_after, f(&expected["sigma_sq_after"]), 0.0, square_abs);
        close(&label, got.var_now, f(&expected["var_now"]), 0.0, var_abs);
        close(&label, got.var_after, f(&expected["var_after"]), 0.0, var_abs);
        close(&label, got.var_worst_case, f(&expected["var_worst_case"]), 0.0, var_abs);
        if let Some(reduces) = expected["reduces"].as_bool() {
            assert_eq!(got.reduces, reduces, "{label}: reduces");
        }
        if step["fill"] == true {
            portfolio.fill(factor, d).unwrap();
        }
    }
    steps.len()
}

fn portfolio(x: &[f64], cov: &Matrix) -> PortfolioVar {
    let cov = Covariance::new("t", x.len(), cov.as_ref()).unwrap();
    let confidence = Confidence::from_bp("t", 9900).unwrap();
    PortfolioVar::new(x, &cov, Distribution::Normal, confidence, HorizonDays::ONE).unwrap()
}

fn factor_covariance(a: &[f64]) -> Matrix {
    Matrix::from_fn(4, 4, |i, j| (0..2).map(|r| a[i.max(j) * 2 + r] * a[i.min(j) * 2 + r]).sum())
}

proptest! {
    #[test]
    fn thousands_of_fills_stay_within_rounding_of_a_rebuild(
        a in prop::collection::vec(-0.03..0.03, 8),
        fills in prop::collection::vec((0_usize..4, -1e6..1e6), 1..3000),
    ) {
        let cov = factor_covariance(&a);
        let mut running = portfolio(&[0.0; 4], &cov);
        let mut gross = [0.0_f64; 4];
        for (factor, d) in fills {
            running.fill(factor, d).unwrap();
            gross[factor] = gross[factor].max(running.exposures()[factor].abs());
        }
        let rebuilt = portfolio(running.exposures(), &cov);
        let scale: f64 = gross.iter().enumerate().map(|(i, x)| x * cov.at(i, i).sqrt()).sum();
        let now = |p: &PortfolioVar| p.check(0, 0.0).unwrap().sigma_sq_now;
        prop_assert!((now(&running) - now(&rebuilt)).abs() <= 1e-10 * scale * scale);
    }

    #[test]
    fn every_part_of_a_reducing_order_reduces(
        a in prop::collection::vec(-0.03..0.03, 8), x in prop::collection::vec(-1e6..1e6, 4),
        factor in 0_usize..4, d in -1e6..1e6, part in 0.0..1.0,
    ) {
        let portfolio = portfolio(&x, &factor_covariance(&a));
        if portfolio.check(factor, d).unwrap().reduces {
            let partial = portfolio.check(factor, d * part).unwrap();
            prop_assert!(partial.reduces && partial.passes(0.0));
            prop_assert!(partial.var_after <= partial.var_now);
        }
    }

    #[test]
    fn the_worst_case_is_never_too_small(
        a in prop::collection::vec(-0.03..0.03, 8), x in prop::collection::vec(-1e6..1e6, 4),
        orders in prop::collection::vec((0_usize..4, -1e6..1e6, any::<bool>()), 0..6),
        factor in 0_usize..4, d in -1e6..1e6,
    ) {
        let cov = factor_covariance(&a);
        let mut open = portfolio(&x, &cov);
        let mut filled = portfolio(&x, &cov);
        for (factor, d, fills) in orders {
            open.open_order(factor, d).unwrap();
            if fills { filled.fill(factor, d).unwrap() }
        }
        let worst = open.check(factor, d).unwrap().var_worst_case;
        prop_assert!(filled.check(factor, d).unwrap().var_after <= worst * (1.0 + 1e-9) + 1e-6);
    }

    #[test]
    fn any_input_gives_an_answer_or_an_error(
        x in prop::collection::vec(any::<f64>(), 1..3), variance in any::<f64>(),
        orders in prop::collection::vec((0_usize..4, any::<f64>()), 0..20),
    ) {
        let n = x.len();
        let m = Matrix::from_fn(n, n, |i, j| if i == j { variance } else { 0.0 });
        let Ok(m) = MatrixRef::new("t", "cov", n, n, m.values()) else { return Ok(()) };
        let Ok(cov) = Covariance::new("t", n, m) else { return Ok(()) };
        let confidence = Confidence::from_bp("t", 9900).unwrap();
        let Ok(mut p) = PortfolioVar::new(&x, &cov, Distribution::Normal, confidence, HorizonDays::ONE) else { return Ok(()) };
        for (factor, d) in orders {
            if let Ok(got) = p.check(factor, d) {
                prop_assert!([got.var_now, got.var_after, got.var_worst_case, got.sigma_sq_after].iter().all(|v| v.is_finite()));
            }
            let _ = p.fill(factor, d);
            let _ = p.open_order(factor, d);
            prop_assert!(p.check(0, 0.0).is_ok());
        }
    }
}

#[test]
fn an_order_too_large_to_count_is_refused_when_it_opens() {
    let cov = Matrix::from_fn(1, 1, |_, _| 5.2402370524251554e67);
    let mut portfolio = portfolio(&[0.0], &cov);
    assert!(portfolio.open_order(0, 1.561485880821153e274).is_err());
    assert!(portfolio.check(0, 0.0).is_ok());
}

#[test]
fn orders_opened_and_closed_leave_nothing_behind() {
    let mut p = portfolio(&[0.0; 4], &factor_covariance(&[0.01, 0.02, 0.03, 0.01, 0.02, 0.02, 0.01, 0.03]));
    let before = p.check(1, 1e5).unwrap();
    p.open_order(2, 1e5).unwrap();
    assert!(p.check(1, 1e5).unwrap().var_worst_case > before.var_worst_case);
    p.close_order(2, 1e5).unwrap();
    assert_eq!(p.check(1, 1e5).unwrap(), before);
    assert!(before.passes(before.var_worst_case), "equality passes");
    assert!(!before.passes(before.var_worst_case * (1.0 - 1e-15)));
}
