//! Laws of the parametric method, and that no input makes it panic or answer NaN.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::covariance::{
    Centering, Covariance, cholesky, correlation, ewma_covariance, ledoit_wolf, repair_correlation, repair_covariance,
    sample_covariance, symmetric_eigen,
};
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::parametric::{Moments, Multipliers, ParametricRisk, parametric_risk};
use risk_core::progress::Progress;
use risk_core::units::{Confidence, Decay, DegreesOfFreedom, Distribution, HorizonDays};

/// `A A'` of a K x r matrix: positive semidefinite, singular where r < K.
fn covariance(k: usize) -> impl Strategy<Value = Matrix> {
    (1..=k, prop::collection::vec(-0.03..0.03, k * k)).prop_map(move |(rank, a)| {
        Matrix::from_fn(k, k, |i, j| (0..rank).map(|r| a[i.max(j) * k + r] * a[i.min(j) * k + r]).sum())
    })
}

fn book() -> impl Strategy<Value = (Vec<f64>, Vec<f64>, Matrix)> {
    (1_usize..7).prop_flat_map(|k| {
        (prop::collection::vec(-1e6..1e6, k), prop::collection::vec(-0.001..0.001, k), covariance(k))
    })
}

fn distribution() -> impl Strategy<Value = Distribution> {
    let t = |nu| Distribution::StudentT(DegreesOfFreedom::new("t", nu).unwrap());
    prop_oneof![
        Just(Distribution::Normal),
        (2.05..40.0).prop_map(t),
        (3.0_f64..12.0).prop_map(|e| 10_f64.powf(e)).prop_map(t)
    ]
}

fn risk(x: &[f64], mean: &[f64], cov: &Matrix, distribution: Distribution, bp: u32) -> ParametricRisk {
    let cov = Covariance::new("t", x.len(), cov.as_ref()).unwrap();
    let tail = Confidence::from_bp("t", bp).unwrap().tail();
    parametric_risk(
        x,
        mean,
        &cov,
        Multipliers::of(distribution, tail),
        HorizonDays::new("t", 3).unwrap(),
        &Progress::new(),
    )
    .unwrap()
}

proptest! {
    #[test]
    fn components_sum_to_the_total((x, mean, cov) in book(), d in distribution(), bp in 5001_u32..=9999) {
        let got = risk(&x, &mean, &cov, d, bp);
        let scale = 1e-9 * (1.0 + got.standalone_var.iter().map(|v| v.abs()).sum::<f64>());
        prop_assert!((got.component_var.iter().sum::<f64>() - got.var).abs() <= scale);
        prop_assert!((got.component_es.iter().sum::<f64>() - got.es).abs() <= 10.0 * scale);
    }

    #[test]
    fn monotone_in_confidence_and_es_above_var((x, mean, cov) in book(), d in distribution(), a in 5001_u32..=9999, b in 5001_u32..=9999) {
        let (low, high) = (risk(&x, &mean, &cov, d, a.min(b)), risk(&x, &mean, &cov, d, a.max(b)));
        let slack = 1e-9 * high.var.abs();
        prop_assert!(low.var <= high.var + slack && low.es <= high.es + slack);
        prop_assert!(low.es >= low.var - slack);
    }

    #[test]
    fn homogeneous((x, mean, cov) in book(), d in distribution(), factor in 0.01_f64..100.0) {
        let scaled: Vec<f64> = x.iter().map(|v| v * factor).collect();
        let (one, many) = (risk(&x, &mean, &cov, d, 9900), risk(&scaled, &mean, &cov, d, 9900));
        prop_assert!((many.var - factor * one.var).abs() <= 1e-9 * factor * (1.0 + one.var.abs() + one.sigma_1d));
    }

    #[test]
    fn subadditive((x, _, cov) in book(), d in distribution(), seed in prop::collection::vec(-1e6..1e6, 7)) {
        let y: Vec<f64> = seed.iter().copied().take(x.len()).collect();
        let both: Vec<f64> = x.iter().zip(&y).map(|(a, b)| a + b).collect();
        let es = |x: &[f64]| risk(x, &[], &cov, d, 9750).es;
        prop_assert!(es(&both) <= (es(&x) + es(&y)) * (1.0 + 1e-9) + 1e-9);
    }

    #[test]
    fn incremental_is_the_difference((x, mean, cov) in book(), d in distribution()) {
        let all = risk(&x, &mean, &cov, d, 9900);
        for i in 0..x.len() {
            let mut without = x.clone();
            without[i] = 0.0;
            let difference = all.var - risk(&without, &mean, &cov, d, 9900).var;
            prop_assert!((all.incremental_var[i] - difference).abs() <= 1e-7 * (1.0 + all.standalone_var[i].abs()));
        }
    }

    #[test]
    fn a_singular_factor_gives_back_its_matrix((_, _, cov) in book()) {
        let k = cov.rows();
        let l = Covariance::new("t", k, cov.as_ref()).unwrap().factor();
        let largest = cov.values().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        for i in 0..k {
            for j in 0..k {
                let product: f64 = (0..k).map(|r| l.at(i, r) * l.at(j, r)).sum();
                prop_assert!((product - cov.at(i, j)).abs() <= 1e-6 * largest + 1e-300);
            }
        }
    }

    #[test]
    fn any_input_gives_an_answer_or_an_error(
        rows in 0_usize..4, cols in 0_usize..4,
        values in prop::collection::vec(any::<f64>(), 0..12),
        x in prop::collection::vec(any::<f64>(), 0..4),
        mean in prop::collection::vec(any::<f64>(), 0..4),
        k in any::<f64>(),
    ) {
        let finite = |values: &[f64]| values.iter().all(|v| v.is_finite());
        let Ok(m) = MatrixRef::new("t", "m", rows, cols, &values) else { return Ok(()) };
        prop_assert!(sample_covariance(m, &Progress::new()).map_or(true, |c| finite(c.values())));
        prop_assert!(ewma_covariance(m, Decay::DAILY, &Progress::new()).map_or(true, |c| finite(c.values())));
        prop_assert!(ledoit_wolf(m, Centering::Sample, &Progress::new()).map_or(true, |c| finite(c.covariance.values())));
        prop_assert!(cholesky(m, &Progress::new()).map_or(true, |c| finite(c.values())));
        prop_assert!(symmetric_eigen("t", "m", m).map_or(true, |e| finite(&e.values)));
        prop_assert!(repair_correlation(m, &Progress::new()).map_or(true, |c| finite(c.matrix.values())));
        prop_assert!(repair_covariance(m, &Progress::new()).map_or(true, |c| finite(c.matrix.values())));
        if rows == cols {
            prop_assert!(correlation(m).into_iter().flatten().all(f64::is_finite));
        }
        let Ok(cov) = Covariance::new("t", x.len(), m) else { return Ok(()) };
        prop_assert!(finite(cov.factor().values()));
        if let Ok(got) = parametric_risk(&x, &mean, &cov, Multipliers { var: k, es: k }, HorizonDays::ONE, &Progress::new()) {
            prop_assert!(finite(&[got.sigma_1d, got.var, got.es]) && finite(&got.marginal_var) && finite(&got.incremental_var));
        }
    }

    #[test]
    fn any_diagonal_gives_an_answer_or_an_error(
        diagonal in prop::collection::vec(any::<f64>(), 1..4), x in prop::collection::vec(any::<f64>(), 1..4),
    ) {
        let n = diagonal.len();
        let m = Matrix::from_fn(n, n, |i, j| if i == j { diagonal[i] } else { 0.0 });
        let Ok(m) = MatrixRef::new("t", "cov", n, n, m.values()) else { return Ok(()) };
        let Ok(cov) = Covariance::new("t", x.len(), m) else { return Ok(()) };
        prop_assert!(cov.factor().values().iter().all(|v| v.is_finite()));
        let multipliers = Multipliers { var: 2.0, es: 3.0 };
        if let Ok(got) = parametric_risk(&x, &[], &cov, multipliers, HorizonDays::ONE, &Progress::new()) {
            prop_assert!(got.sigma_1d.is_finite() && got.var.is_finite());
        }
    }
}

/// Returns of one common factor and of each name its own, and exposures long and short.
fn past(rows: usize, names: usize) -> (Matrix, Vec<f64>) {
    let wave = |i: usize| (i as f64 * 0.618_033_988_749_894_8).fract() - 0.5;
    let returns = Matrix::from_fn(rows, names, |t, j| {
        2e-4 + 0.01 * wave(7 * t + 1) * (1.0 + wave(j + 3)) + 0.02 * wave(t * names + j + 11 * (t * j % 13))
    });
    (returns, (0..names).map(|j| 1e5 * (0.3 + wave(5 * j + 2))).collect())
}

fn normal_risk<'a>(x: &'a [f64], moments: impl Into<Moments<'a>>) -> ParametricRisk {
    let multipliers = Multipliers::of(Distribution::Normal, Confidence::from_bp("t", 9_900).unwrap().tail());
    let mean = vec![1e-4; x.len()];
    parametric_risk(x, &mean, moments, multipliers, HorizonDays::new("t", 2).unwrap(), &Progress::new()).unwrap()
}

#[test]
fn past_returns_give_the_figures_of_their_sample_covariance() {
    for (rows, names) in [(2, 1), (40, 3), (250, 500)] {
        let (returns, mut x) = past(rows, names);
        // One that is nearly all of the variance: without it, it is computed anew.
        x[names / 2] *= 1e4;
        let cov = sample_covariance(returns.as_ref(), &Progress::new()).unwrap();
        let cov = Covariance::new("t", names, cov.as_ref()).unwrap();
        let (direct, through) = (normal_risk(&x, Moments::Returns(returns.as_ref())), normal_risk(&x, &cov));
        let near = |what: &str, got: &[f64], want: &[f64]| {
            let scale = want.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                assert!((got - want).abs() <= 1e-12 * scale, "{what}[{i}] of {rows} x {names}: {got} {want}");
            }
            assert_eq!(got.len(), want.len(), "{what}");
        };
        near("sigma", &[direct.sigma_1d, direct.var, direct.es], &[through.sigma_1d, through.var, through.es]);
        near("marginal_var", &direct.marginal_var, &through.marginal_var);
        near("component_var", &direct.component_var, &through.component_var);
        near("component_es", &direct.component_es, &through.component_es);
        near("standalone_var", &direct.standalone_var, &through.standalone_var);
        near("incremental_var", &direct.incremental_var, &through.incremental_var);
    }
}

#[test]
fn ten_thousand_names_need_no_covariance() {
    let (returns, x) = past(250, 10_000);
    let risk = normal_risk(&x, Moments::Returns(returns.as_ref()));
    let pnl = returns.as_ref().mul_vec(&x);
    let mean = pnl.iter().sum::<f64>() / pnl.len() as f64;
    let variance = pnl.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / (pnl.len() - 1) as f64;
    assert!((risk.sigma_1d / variance.sqrt() - 1.0).abs() < 1e-12, "{} {}", risk.sigma_1d, variance.sqrt());
    assert!((risk.component_var.iter().sum::<f64>() / risk.var - 1.0).abs() < 1e-12);
    assert!((risk.component_es.iter().sum::<f64>() / risk.es - 1.0).abs() < 1e-12);
}

#[test]
fn refusals_name_the_input() {
    let values = [4e-4, 1e-4, 1e-4, 9e-4];
    let m = |rows, cols, values| MatrixRef::new("parametric_var", "cov", rows, cols, values).unwrap();
    let refused = |k, m| Covariance::new("parametric_var", k, m).unwrap_err().to_string();
    assert_eq!(refused(5, m(4, 1, &values)), "parametric_var: covariance must be 5x5 to match the factors, got 4x1");
    assert_eq!(
        refused(2, m(2, 2, &[1.0, 2.0, 2.0, 1.0])),
        "parametric_var: covariance must be positive semidefinite, got smallest eigenvalue -1e0"
    );
    assert_eq!(
        refused(2, m(2, 2, &[1.0, 0.5, 0.25, 1.0])),
        "parametric_var: covariance must be symmetric, got difference 2.5e-1 at [1][0]"
    );
    assert_eq!(
        cholesky(m(2, 2, &[1.0, 1.0, 1.0, 1.0]), &Progress::new()).unwrap_err().to_string(),
        "cholesky: matrix must be positive definite, got pivot 0 at row 1"
    );
}
