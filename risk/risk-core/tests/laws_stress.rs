//! Laws of stress tests and margin, and no answer that is no number.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use risk_core::covariance::Covariance;
use risk_core::margin::{Contract, ScanParameters, ScanPosition, SharePosition, account_margin, scan_margin};
use risk_core::matrix::MatrixRef;
use risk_core::pricing::{Black76, Bsm, OptionKind};
use risk_core::stress::{
    Holding, Position, Scenario, Shock, factor_shock, reverse_stress, stress, what_if, worst_portfolio_windows,
    worst_windows,
};

/// Any double, the hostile ones often.
fn hostile() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(f64::MAX), -2.0..200.0_f64]
}

fn call(spot: f64, strike: f64, years: f64, vol: f64) -> Position {
    let option = Bsm { kind: OptionKind::Call, spot, strike, years, rate: 0.03, dividend_yield: 0.01, vol };
    Position { underlying: "EQ".to_owned(), qty: -3.0, holding: Holding::Option(option) }
}

fn only(shock: Shock) -> Scenario {
    Scenario::from([("EQ".to_owned(), shock)])
}

proptest! {
    #[test]
    fn no_shock_no_pnl(spot in 1.0..500.0, strike in 1.0..500.0, years in 0.0..3.0, vol in 0.0..1.0) {
        let book = [call(spot, strike, years, vol), Position { underlying: "EQ".to_owned(), qty: 7.0, holding: Holding::Spot { spot } }];
        prop_assert_eq!(stress(&book, &only(Shock::default())).unwrap().by_position, vec![0.0, 0.0]);
        prop_assert_eq!(stress(&book, &Scenario::new()).unwrap().total, 0.0);
    }

    #[test]
    fn an_order_adds_its_own_pnl(spot in 50.0..150.0, strike in 50.0..150.0, fall in -1.5..0.5, vol in -0.5..0.5) {
        let (book, order) = ([call(spot, strike, 0.5, 0.3)], call(spot, 1.1 * strike, 1.0, 0.2));
        let scenario = only(Shock { spot: fall, vol, ..Shock::default() });
        let got = what_if(&book, &order, &scenario).unwrap();
        let (alone, own) = (stress(&book, &scenario).unwrap().total, stress(&[order], &scenario).unwrap().total);
        prop_assert!((got.before - alone).abs() < 1e-9 && (got.after - alone - own).abs() < 1e-9);
    }

    #[test]
    fn a_reverse_stress_loses_what_was_asked(x in prop::array::uniform2(-1e6..1e6_f64), loss in -1e6..1e6_f64, rho in -0.9..0.9_f64) {
        prop_assume!(x[0].abs() > 1.0);
        let cov = [4e-4, rho * 2e-4, rho * 2e-4, 1e-4];
        let cov = Covariance::new("test", 2, MatrixRef::new("test", "cov", 2, 2, &cov).unwrap()).unwrap();
        let got = reverse_stress(&x, &cov, loss).unwrap();
        prop_assert!((factor_shock(&x, &got.shock).unwrap().total + loss).abs() <= 1e-9 * loss.abs() + 1e-9);
        prop_assert!((0.0..=0.5).contains(&got.one_sided_prob));
    }

    #[test]
    fn windows_are_sorted_and_a_day_is_a_return(returns in prop::collection::vec(-0.2..0.2_f64, 5..80), x in -1e6..1e6_f64, days in 1_usize..5) {
        let prices: Vec<f64> = std::iter::once(100.0).chain(returns.iter().scan(100.0, |p, r| { *p *= 1.0 + r; Some(*p) })).collect();
        let got = worst_windows(&prices, days, 1_000).unwrap();
        prop_assert_eq!(got.len(), prices.len() - days);
        prop_assert!(got.windows(2).all(|pair| pair[0].change <= pair[1].change));
        let matrix = MatrixRef::new("test", "returns", returns.len(), 1, &returns).unwrap();
        let of_portfolio = worst_portfolio_windows(&[x.abs()], matrix, days, 1).unwrap()[0];
        prop_assert!((of_portfolio.change - x.abs() * got[0].change).abs() < 1e-9 * x.abs() + 1e-9);
    }

    #[test]
    fn a_scan_is_homogeneous_and_covers_its_book(qty in -20.0..20.0_f64, strike in 50.0..150.0, times in 0.1..10.0_f64) {
        let option = Black76 { kind: OptionKind::Put, forward: 100.0, strike, years: 0.3, rate: 0.02, vol: 0.25 };
        let book = |scale: f64| [
            ScanPosition { qty: scale * qty, multiplier: 10.0, contract: Contract::Option(option) },
            ScanPosition { qty: scale * 2.0, multiplier: 10.0, contract: Contract::Future },
        ];
        let parameters = ScanParameters { price_scan_range: 12.0, vol_scan_range: 0.05, extreme_multiple: 3.0, extreme_cover: 0.35, short_option_minimum: 5.0 };
        let (one, many) = (scan_margin(&book(1.0), &parameters).unwrap(), scan_margin(&book(times), &parameters).unwrap());
        prop_assert!((many.requirement - times * one.requirement).abs() <= 1e-9 * many.requirement.abs() + 1e-9);
        prop_assert!(one.requirement >= one.scan_risk && one.risk_array.iter().all(|loss| *loss <= one.scan_risk));
        prop_assert_eq!(one.risk_array[usize::from(one.worst_scenario) - 1].max(0.0), one.scan_risk);
    }

    #[test]
    fn no_input_makes_money_that_is_no_number(x in prop::collection::vec(hostile(), 12), qty in any::<i64>(), price in any::<i64>(), scales in any::<(u8, u8)>(), cash in any::<i128>(), days in 0_usize..5) {
        let option = Bsm { kind: OptionKind::Put, spot: x[0], strike: x[1], years: x[2], rate: x[3], dividend_yield: x[4], vol: x[5] };
        let book = [Position { underlying: "EQ".to_owned(), qty: x[6], holding: Holding::Option(option) },
                    Position { underlying: "EQ".to_owned(), qty: x[6], holding: Holding::Spot { spot: x[0] } }];
        let scenario = only(Shock { spot: x[7], vol: x[8], rate: x[9], years: x[10] });
        if let Ok(got) = stress(&book, &scenario) { prop_assert!(got.total.is_finite()) }
        if let Ok(got) = factor_shock(&x[..6], &x[6..]) { prop_assert!(got.total.is_finite()) }
        if let Ok(got) = worst_windows(&x, days, 3) { prop_assert!(got.iter().all(|w| w.change.is_finite())) }
        if let Ok(matrix) = MatrixRef::new("test", "returns", 12, 1, &x)
            && let Ok(got) = worst_portfolio_windows(&x[..1], matrix, days, 3)
        {
            prop_assert!(got.iter().all(|w| w.change.is_finite()));
        }
        let forward = Black76 { kind: OptionKind::Call, forward: x[0], strike: x[1], years: x[2], rate: x[3], vol: x[5] };
        let scanned = [ScanPosition { qty: x[6], multiplier: x[7], contract: Contract::Option(forward) }];
        let parameters = ScanParameters { price_scan_range: x[8], vol_scan_range: x[9], extreme_multiple: x[10], extreme_cover: x[11], short_option_minimum: x[4] };
        if let Ok(got) = scan_margin(&scanned, &parameters) { prop_assert!(got.requirement.is_finite() && got.net_option_value.is_finite()) }
        // Exact or refused; never a wrap, which a build for tests would report.
        let _ = account_margin(cash, &[SharePosition { qty, price, qty_scale: scales.0, price_scale: scales.1 }]);
    }
}

#[test]
fn refusals_say_what_and_why() {
    let unknown = Scenario::from([("FX".to_owned(), Shock::default())]);
    let error = stress(&[call(100.0, 100.0, 1.0, 0.2)], &unknown).unwrap_err();
    assert_eq!(error.to_string(), "stress: scenario must name underlyings of the book, got FX");
    let error = stress(&[call(100.0, 100.0, -1.0, 0.2)], &Scenario::new()).unwrap_err();
    assert_eq!(error.to_string(), "stress: years of position 0 must be finite and at least 0, got -1");
    let cov = Covariance::new("test", 1, MatrixRef::new("test", "cov", 1, 1, &[0.0]).unwrap()).unwrap();
    let error = reverse_stress(&[1.0], &cov, 10.0).unwrap_err();
    assert_eq!(error.to_string(), "reverse_stress: variance of the portfolio must be positive, got 0");
}
