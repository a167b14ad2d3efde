//! Laws of backtests, variance filters and filtered simulation, and no answer that is no number.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::RiskError;
use risk_core::backtest::{
    Exceptions, ForecastMethod, Transitions, acerbi_szekely, christoffersen, exceptions, kupiec, kupiec_acceptance,
    rolling_forecast, traffic_light,
};
use risk_core::filtered::{PathRows, filtered_path_risk, filtered_risk, hull_white_risk};
use risk_core::historical::historical_risk;
use risk_core::matrix::MatrixRef;
use risk_core::progress::Progress;
use risk_core::quantile::QuantileRule;
use risk_core::units::{Confidence, Decay};
use risk_core::volatility::{Garch11, VolatilityModel, fit_garch11};

fn confidence(bp: u32) -> Confidence {
    Confidence::from_bp("test", bp).unwrap()
}

fn column(values: &[f64]) -> MatrixRef<'_> {
    MatrixRef::new("test", "returns", values.len(), 1, values).unwrap()
}

/// Any double, the hostile ones often.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(f64::MAX), -1.0..1.0]
}

fn returns(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![4 => -0.05..0.05, 1 => -0.3..0.3], n)
}

#[test]
fn acceptance_starts_from_the_likelier_count() {
    // 22 days at 1.8 % expect 0.4 exceptions: 0 is nearer, 1 is likelier.
    let (low, high) = kupiec_acceptance(22, 0.018255418553901153, 0.5859659240093131).unwrap();
    assert_eq!((low, high), (1, 1));
}

proptest! {
    #[test]
    fn likelihood_ratios_are_not_negative(hits in prop::collection::vec(any::<bool>(), 1..400), p in 0.0005..0.5) {
        let (counted, transitions) = (Exceptions::count(&hits), Transitions::count(&hits));
        let uc = kupiec(counted, p).unwrap();
        let cc = christoffersen(counted, transitions, p).unwrap();
        prop_assert!(uc.lr_uc >= 0.0 && cc.lr_ind >= 0.0 && cc.lr_cc >= uc.lr_uc);
        for probability in [uc.p_uc, uc.cum_prob, uc.p_at_least, cc.p_ind, cc.p_cc] {
            prop_assert!((0.0..=1.0).contains(&probability));
        }
        // P(X <= x) + P(X >= x) counts x twice.
        prop_assert!(uc.cum_prob + uc.p_at_least >= 1.0 - 1e-12);
    }

    #[test]
    fn acceptance_is_where_the_test_accepts(days in 1_u64..600, p in 0.005..0.3, level in 0.5..0.999) {
        let (low, high) = kupiec_acceptance(days, p, level).unwrap();
        let accepts = |count| kupiec(Exceptions { days, count }, p).unwrap().p_uc > 1.0 - level;
        for count in low..=high { prop_assert!(low == high || accepts(count)) }
        prop_assert!(low == 0 || !accepts(low - 1));
        prop_assert!(high == days || !accepts(high + 1));
    }

    #[test]
    fn zones_worsen_with_exceptions(days in 50_u64..1_000, count in 0_u64..50) {
        let at = |count| traffic_light(Exceptions { days, count }, 0.01).unwrap();
        prop_assert!(at(count + 1).cum_prob >= at(count).cum_prob);
        prop_assert!(at(count + 1).zone as u8 >= at(count).zone as u8);
    }

    #[test]
    fn a_forecast_knows_nothing_of_its_day(returns in returns(120..160), day in 100_usize..119, shock in -0.5..0.5,
                                           which in 0_usize..4) {
        let garch = Garch11::new(1e-6, 0.1, 0.85).unwrap();
        let method = [
            ForecastMethod::Historical(QuantileRule::InvertedCdf),
            ForecastMethod::Normal(Decay::DAILY),
            ForecastMethod::Filtered(VolatilityModel::Ewma(Decay::DAILY)),
            ForecastMethod::Filtered(VolatilityModel::Garch11(garch)),
        ][which];
        let before = rolling_forecast(&returns, 100, confidence(9_900), method, &Progress::new()).unwrap();
        let mut changed = returns.clone();
        changed[day] = shock;
        let after = rolling_forecast(&changed, 100, confidence(9_900), method, &Progress::new()).unwrap();
        prop_assert_eq!(&before[..=day - 100], &after[..=day - 100]);
    }

    #[test]
    fn filtered_scenarios_are_homogeneous(returns in returns(30..200), scale in 0.1..1e6_f64) {
        prop_assume!(returns.iter().any(|r| *r != 0.0));
        let levels = [confidence(9_500), confidence(9_900)];
        let model = VolatilityModel::Ewma(Decay::DAILY);
        let one = filtered_risk(&[1.0], column(&returns), model, &levels).unwrap();
        let many = filtered_risk(&[scale], column(&returns), model, &levels).unwrap();
        for (one, many) in one.figures.iter().zip(&many.figures) {
            prop_assert!((many.var - scale * one.var).abs() <= 1e-12 * scale);
            prop_assert!(many.es >= many.var);
        }
        prop_assert!(one.figures[1].var >= one.figures[0].var && one.figures[1].es >= one.figures[0].es);
    }

    #[test]
    fn one_factor_is_scaled_as_its_portfolio_is_filtered(returns in returns(30..200), x in -1e6..1e6_f64) {
        prop_assume!(x.abs() > 1.0 && returns.iter().any(|r| *r != 0.0));
        let levels = [confidence(9_900)];
        let scaled = hull_white_risk(&[x], column(&returns), Decay::DAILY, &levels).unwrap()[0];
        let model = VolatilityModel::Ewma(Decay::DAILY);
        let filtered = filtered_risk(&[x], column(&returns), model, &levels).unwrap().figures[0];
        prop_assert!((scaled.var - filtered.var).abs() <= 1e-9 * x.abs());
        prop_assert!((scaled.es - filtered.es).abs() <= 1e-9 * x.abs());
    }

    #[test]
    fn paths_of_one_day_are_the_filtered_scenarios(returns in returns(30..100), x in 1.0..1e6_f64) {
        let garch = Garch11::new(1e-5 * x * x, 0.08, 0.9).unwrap();
        let rows: Vec<u32> = (0..returns.len() as u32).collect();
        let (paths, levels) = (PathRows::new(1, &rows).unwrap(), [confidence(9_500)]);
        let path = filtered_path_risk(&[x], column(&returns), garch, paths, &levels, &Progress::new()).unwrap();
        let day = filtered_risk(&[x], column(&returns), VolatilityModel::Garch11(garch), &levels).unwrap();
        prop_assert!((path.figures[0].var - day.figures[0].var).abs() <= 1e-9 * x);
    }

    #[test]
    fn a_fit_does_not_depend_on_the_unit(seed in any::<u64>(), scale in 1e-3..1e3_f64) {
        let returns = garch_path(seed, 600);
        let scaled: Vec<f64> = returns.iter().map(|r| r * scale).collect();
        let (one, other) = (fit_garch11(&returns), fit_garch11(&scaled));
        if let (Ok(one), Ok(other)) = (one, other) {
            prop_assert!(one.model.alpha() + one.model.beta() < 1.0);
            let shift = returns.len() as f64 * scale.ln();
            prop_assert!((one.log_likelihood - other.log_likelihood - shift).abs() < 1e-3);
        }
    }

    #[test]
    fn no_series_makes_a_number_that_is_none(series in prop::collection::vec(hostile(), 0..60), p in hostile(),
                                             window in 0_usize..20, omega in hostile(), alpha in hostile(), beta in hostile()) {
        if let Ok(got) = acerbi_szekely(&series, &series, &series, p) {
            prop_assert!(got.z2.is_finite() && got.z1.is_none_or(f64::is_finite));
        }
        let _ = exceptions(&series, &series);
        let mut models = vec![VolatilityModel::Ewma(Decay::DAILY)];
        models.extend(Garch11::new(omega, alpha, beta).ok().map(VolatilityModel::Garch11));
        for model in models {
            if let Ok(path) = model.variance(&series) {
                prop_assert!(path.variance.iter().chain([&path.next_variance]).all(|s| s.is_finite() && *s >= 0.0));
                if let Ok(value) = path.log_likelihood(&series) { prop_assert!(value.is_finite()) }
            }
            if let Ok(forecasts) = rolling_forecast(&series, window, confidence(9_900), ForecastMethod::Filtered(model), &Progress::new()) {
                prop_assert!(forecasts.iter().all(|forecast| forecast.var.is_finite() && forecast.es.is_finite()));
            }
            if let Ok(matrix) = MatrixRef::new("test", "returns", series.len(), 1, &series)
                && let Ok(risk) = filtered_risk(&[p], matrix, model, &[confidence(9_900)])
            {
                prop_assert!(risk.figures[0].var.is_finite() && risk.figures[0].es.is_finite());
            }
        }
        if let Ok(fit) = fit_garch11(&series) { prop_assert!(fit.log_likelihood.is_finite()) }
    }
}

/// A GARCH(1,1) path of uniform innovations with variance 1.
fn garch_path(seed: u64, n: usize) -> Vec<f64> {
    let (mut state, mut s) = (seed | 1, 1e-4_f64);
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * 12.0_f64.sqrt()
    };
    (0..n)
        .map(|_| {
            let r = s.sqrt() * draw();
            s = 2e-6 + 0.08 * r * r + 0.9 * s;
            r
        })
        .collect()
}

#[test]
fn the_fit_is_a_maximum() {
    let returns = garch_path(20_200_303, 4_000);
    let fit = fit_garch11(&returns).unwrap();
    let (omega, alpha, beta) = (fit.model.omega(), fit.model.alpha(), fit.model.beta());
    for (a, b, c) in
        [(1.02, 1.0, 1.0), (0.98, 1.0, 1.0), (1.0, 1.02, 1.0), (1.0, 0.98, 1.0), (1.0, 1.0, 1.004), (1.0, 1.0, 0.996)]
    {
        let near = VolatilityModel::Garch11(Garch11::new(omega * a, alpha * b, beta * c).unwrap());
        let value = near.variance(&returns).unwrap().log_likelihood(&returns).unwrap();
        assert!(value < fit.log_likelihood, "{a} {b} {c}: {value} against {}", fit.log_likelihood);
    }
    assert!((alpha - 0.08).abs() < 0.03 && (beta - 0.9).abs() < 0.05, "{fit:?}");
}

#[test]
fn a_variance_of_zero_is_named_with_its_row() {
    let mut returns = vec![0.0; 200];
    returns[150] = 0.01;
    let model = VolatilityModel::Ewma(Decay::DAILY);
    let error = filtered_risk(&[1.0], column(&returns), model, &[confidence(9_900)]).unwrap_err();
    assert!(matches!(error, RiskError::ZeroVariance(_)));
    assert_eq!(error.to_string(), "filtered_var: variance must be positive, got 0 at row 0");
    assert!(historical_risk(&[1.0], column(&returns), QuantileRule::InvertedCdf, &[confidence(9_900)]).is_ok());
}

#[test]
fn refusals_say_what_and_why() {
    let none = Exceptions { days: 0, count: 0 };
    assert_eq!(kupiec(none, 0.01).unwrap_err().to_string(), "kupiec: needs at least 1 day, got 0");
    let over = Exceptions { days: 5, count: 6 };
    let error = kupiec(over, 0.01).unwrap_err();
    assert_eq!(error.to_string(), "kupiec: exceptions must be at most the 5 days, got 6");
    let error = acerbi_szekely(&[-2.0], &[1.0], &[0.0], 0.025).unwrap_err();
    assert_eq!(error.to_string(), "acerbi_szekely: es[0] must be positive in an exception, got 0");
    let error = fit_garch11(&[0.01; 5]).unwrap_err();
    assert_eq!(error.to_string(), "garch_fit: needs at least 20 returns, got 5");
}
