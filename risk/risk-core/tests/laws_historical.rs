//! Laws of historical simulation, and that no input makes it panic or answer NaN.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::historical::{age_weighted_risk, historical_risk};
use risk_core::matrix::MatrixRef;
use risk_core::quantile::QuantileRule;
use risk_core::units::{Confidence, Decay};

fn book() -> impl Strategy<Value = (usize, Vec<f64>, Vec<f64>)> {
    (1_usize..80, 1_usize..6).prop_flat_map(|(n, k)| {
        let returns = prop_oneof![-0.1..0.1, (-2_i32..2).prop_map(|i| f64::from(i) * 0.01)];
        (Just(n), prop::collection::vec(-1e6..1e6, k), prop::collection::vec(returns, n * k))
    })
}

proptest! {
    #[test]
    fn components_sum_to_es_and_es_is_above_var((n, x, values) in book(), bp in 5001_u32..=9999) {
        let c = [Confidence::from_bp("t", bp).unwrap()];
        let returns = MatrixRef::new("t", "returns", n, x.len(), &values).unwrap();
        let got = &historical_risk(&x, returns, QuantileRule::InvertedCdf, &c).unwrap()[0];
        prop_assert!((got.component_es.iter().sum::<f64>() - got.es).abs() <= 1e-6);
        prop_assert!(got.es >= got.var);
        let aged = age_weighted_risk(&x, returns, Decay::DAILY, &c).unwrap()[0];
        prop_assert!(aged.es >= aged.var);
    }

    #[test]
    fn homogeneous_and_subadditive((n, x, values) in book(), seed in prop::collection::vec(-1e6..1e6, 6), scale in 0.1_f64..10.0) {
        let c = [Confidence::from_bp("t", 9000).unwrap()];
        let returns = MatrixRef::new("t", "returns", n, x.len(), &values).unwrap();
        let es = |x: &[f64]| historical_risk(x, returns, QuantileRule::InvertedCdf, &c).unwrap()[0].es;
        let y: Vec<f64> = seed.into_iter().take(x.len()).collect();
        let both: Vec<f64> = x.iter().zip(&y).map(|(a, b)| a + b).collect();
        let scaled: Vec<f64> = x.iter().map(|v| v * scale).collect();
        prop_assert!(es(&both) <= es(&x) + es(&y) + 1e-6);
        prop_assert!((es(&scaled) - scale * es(&x)).abs() <= 1e-5);
    }

    #[test]
    fn any_input_gives_an_answer_or_an_error(
        n in 0_usize..5, k in 0_usize..5,
        values in prop::collection::vec(any::<f64>(), 0..16),
        x in prop::collection::vec(any::<f64>(), 0..4),
        bp in 5001_u32..=9999,
    ) {
        let Ok(returns) = MatrixRef::new("t", "returns", n, k, &values) else { return Ok(()) };
        let c = [Confidence::from_bp("t", bp).unwrap(), Confidence::from_bp("t", 9999).unwrap()];
        if let Ok(levels) = historical_risk(&x, returns, QuantileRule::MedianUnbiased8, &c) {
            for got in levels {
                prop_assert!(got.var.is_finite() && got.es.is_finite());
                prop_assert!(got.component_es.iter().all(|v| v.is_finite()));
            }
        }
        if let Ok(levels) = age_weighted_risk(&x, returns, Decay::DAILY, &c) {
            prop_assert!(levels.iter().all(|got| got.var.is_finite() && got.es.is_finite()));
        }
    }
}

#[test]
fn refusals_name_the_input() {
    let c = [Confidence::from_bp("t", 9900).unwrap()];
    let refused = |x: &[f64], n, k, values: &[f64]| {
        let returns = MatrixRef::new("historical_var", "returns", n, k, values).unwrap();
        historical_risk(x, returns, QuantileRule::InvertedCdf, &c).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&[1.0], 1, 2, &[0.1, 0.2]),
        "historical_var: exposures must have 2 values to match the columns of returns, got 1"
    );
    assert_eq!(refused(&[f64::NAN], 1, 1, &[0.1]), "historical_var: exposures[0] must be finite, got NaN");
    assert_eq!(refused(&[1.0], 0, 1, &[]), "historical_var: needs at least 1 row and 1 column of returns, got 0");
}
