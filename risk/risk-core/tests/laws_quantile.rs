//! Laws of the empirical VaR and ES, and that no input makes them panic or answer NaN.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::quantile::{OrderedLosses, QuantileRule, age_weights, rank_interval, weighted_var_es};
use risk_core::units::{Confidence, Decay};

const RULES: [QuantileRule; 5] = [
    QuantileRule::InvertedCdf,
    QuantileRule::Upper,
    QuantileRule::Linear7,
    QuantileRule::MedianUnbiased8,
    QuantileRule::HarrellDavis,
];

fn confidence() -> impl Strategy<Value = Confidence> {
    (5001_u32..=9999).prop_map(|bp| Confidence::from_bp("t", bp).unwrap())
}

fn losses() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![-1e6..1e6, (-3_i32..3).prop_map(f64::from)], 1..300)
}

proptest! {
    #[test]
    fn es_is_at_least_var_and_both_rise_with_confidence(losses in losses(), a in confidence(), b in confidence()) {
        let sample = OrderedLosses::sort("t", losses).unwrap();
        let (low, high) = (a.min(b), a.max(b));
        for rule in RULES {
            // Harrell-Davis adds up N weighted terms; the other rules round once.
            let slack = 1e-9 * 1e6;
            prop_assert!(sample.var_by(rule, low).unwrap() <= sample.var_by(rule, high).unwrap() + slack);
        }
        prop_assert!(sample.tail_mean(low).unwrap() >= sample.var(low).unwrap());
        prop_assert!(sample.tail_mean(low).unwrap() <= sample.tail_mean(high).unwrap() + 1e-9);
        prop_assert!(sample.tail_mean(high).unwrap() <= sample.largest() + 1e-9);
    }

    #[test]
    fn es_is_subadditive(pairs in prop::collection::vec((-1e3..1e3, -1e3..1e3), 1..200), c in confidence()) {
        let es = |losses: Vec<f64>| OrderedLosses::sort("t", losses).unwrap().tail_mean(c).unwrap();
        let a = es(pairs.iter().map(|p| p.0).collect());
        let b = es(pairs.iter().map(|p| p.1).collect());
        let both = es(pairs.iter().map(|p| p.0 + p.1).collect());
        prop_assert!(both <= a + b + 1e-9);
    }

    #[test]
    fn equal_weights_agree_with_no_weights(losses in losses(), c in confidence()) {
        let sample = OrderedLosses::sort("t", losses.clone()).unwrap();
        let weights = vec![1.0 / losses.len() as f64; losses.len()];
        let got = weighted_var_es("t", &losses, &weights, c).unwrap();
        prop_assert_eq!(got.var, sample.var(c).unwrap());
        prop_assert!((got.es - sample.tail_mean(c).unwrap()).abs() < 1e-6);
    }

    #[test]
    fn a_selected_tail_answers_like_the_whole_sample(losses in losses(), c in confidence()) {
        let n = losses.len();
        let whole = OrderedLosses::sort("t", losses.clone()).unwrap();
        let tail = OrderedLosses::select("t", losses, OrderedLosses::lowest_rank(n, c)).unwrap();
        prop_assert_eq!(tail.var(c), whole.var(c));
        prop_assert_eq!(tail.tail_mean(c), whole.tail_mean(c));
        prop_assert_eq!(tail.var_standard_error(c), whole.var_standard_error(c));
        prop_assert_eq!(tail.es_standard_error(c), whole.es_standard_error(c));
        prop_assert_eq!(tail.var_interval(c), whole.var_interval(c));
    }

    #[test]
    fn intervals_cover_at_least_their_level(n in 1_usize..100_000, c in confidence()) {
        let ranks = rank_interval(n, c);
        prop_assert!(ranks.lower < ranks.upper && ranks.upper <= n as u64 + 1);
        prop_assert!(ranks.coverage >= 0.95 - 1e-9 && ranks.coverage <= 1.0 + 1e-12);
    }

    #[test]
    fn any_input_gives_an_answer_or_an_error(
        losses in prop::collection::vec(any::<f64>(), 0..50),
        weights in prop::collection::vec(any::<f64>(), 0..50),
        c in confidence(),
        lambda in 1e-9..0.999_999,
    ) {
        if let Ok(got) = weighted_var_es("t", &losses, &weights, c) {
            prop_assert!(got.var.is_finite() && got.es.is_finite());
        }
        let age = age_weights(losses.len(), Decay::new("t", lambda).unwrap());
        if let Ok(got) = weighted_var_es("t", &losses, &age, c) {
            prop_assert!(got.var.is_finite() && got.es.is_finite() && got.es >= got.var);
        }
        let Ok(sample) = OrderedLosses::sort("t", losses) else { return Ok(()) };
        for rule in RULES {
            prop_assert!(sample.var_by(rule, c).map_or(true, f64::is_finite));
        }
        prop_assert!(sample.tail_mean(c).map_or(true, f64::is_finite));
        prop_assert!(sample.mean_ge_var(c).map_or(true, f64::is_finite));
        prop_assert!(sample.mean_gt_upper(c).map_or(true, |m| m.is_none_or(f64::is_finite)));
        prop_assert!(sample.es_standard_error(c).map_or(true, f64::is_finite));
        prop_assert!(sample.var_standard_error(c).map_or(true, f64::is_finite));
    }
}
