//! Margin, Basel's shortfall, trades, volatility, functions and numbers: finite or refused, too.

use proptest::prelude::*;
use risk_core::progress::Progress;

use super::super::{backtest, basel, margin, reference, trades, volatility};
use super::{all_finite, any_model, any_number, any_price, any_risk_request, any_series, any_volatility, any_years};
use crate::fuzz::any_value;
use crate::proto::basel_shortfall_request::Step;
use crate::proto::calculate_margin_request::Rule;
use crate::proto::calculate_margin_response::Margin;
use crate::proto::draw_numbers_request::Generator;
use crate::proto::filtered_method::Volatility as Filter;
use crate::proto::forecast_volatility_request::Volatility;
use crate::proto::simulate_critical_values_request::Distribution;
use crate::proto::*;

fn any_decimal() -> impl Strategy<Value = Option<Decimal>> {
    let mantissa = prop_oneof![4 => -1_000_000i64..1_000_000, 1 => any::<i64>()];
    prop::option::weighted(0.95, (mantissa, 0u32..12).prop_map(|(mantissa, scale)| Decimal { mantissa, scale }))
}

prop_compose! {
    fn any_account()(
        units in prop_oneof![4 => -1_000i64..1_000, 1 => any::<i64>()], attos in prop_oneof![4 => Just(0i64), 1 => any::<i64>()],
        set in prop::bool::weighted(0.95), holdings in prop::collection::vec((any_decimal(), any_decimal()), 0..4)
    ) -> ShareAccount {
        let holdings = holdings.into_iter().map(|(qty, price)| ShareHolding { qty, price }).collect();
        ShareAccount { cash: set.then(|| Money { currency: "USD".into(), units, attos }), holdings }
    }
}

prop_compose! {
    fn any_contracts()(
        qty in any_number(), multiplier in any_price(), is_option: bool, option_type in any_value(2),
        prices in (any_price(), any_price()), years in any_years(), rate in -0.1..0.2f64, volatility in any_years()
    ) -> ScanPosition {
        let (forward, strike) = prices;
        let option = is_option.then_some(FutureOption { option_type, forward, strike, years, rate, volatility });
        ScanPosition { qty, multiplier, option }
    }
}

prop_compose! {
    fn any_scan()(
        positions in prop::collection::vec(any_contracts(), 0..4), ranges in (any_years(), any_years()),
        extreme in (any_years(), any_years()), short_option_minimum in any_years()
    ) -> ScanBook {
        ScanBook {
            positions, price_scan_range: ranges.0, volatility_scan_range: ranges.1, extreme_multiple: extreme.0,
            extreme_cover: extreme.1, short_option_minimum,
        }
    }
}

fn any_margin() -> impl Strategy<Value = CalculateMarginRequest> {
    let rule = prop_oneof![
        any_account().prop_map(Rule::Account),
        any_scan().prop_map(Rule::Scan),
        (any_number(), any_number()).prop_map(|(current, stressed)| Rule::Levels(MarginLevels { current, stressed })),
    ];
    prop::option::weighted(0.98, rule).prop_map(|rule| CalculateMarginRequest { rule })
}

fn any_basel() -> impl Strategy<Value = BaselShortfallRequest> {
    let days = prop_oneof![9 => prop::sample::select(vec![10u32, 20, 40, 60, 120]), 1 => any::<u32>()];
    let calculated =
        (any_risk_request(), prop::collection::vec(days, 1..4), any::<bool>()).prop_map(|(mut asked, days, ten)| {
            if ten {
                asked.horizon_days = 10;
            }
            asked.confidence_bp.truncate(1);
            Step::LiquidityHorizons(LiquidityHorizons {
                es_by_horizon: vec![],
                factor_horizons_days: days,
                calculation: Some(asked),
            })
        });
    let given = prop::collection::vec(0.0..1e3f64, 4..7)
        .prop_map(|es_by_horizon| Step::LiquidityHorizons(LiquidityHorizons { es_by_horizon, ..Default::default() }));
    let stressed = (any_number(), any_number(), any_number()).prop_map(|(stressed, full, reduced)| {
        Step::StressCalibration(StressCalibration {
            es_reduced_stressed: stressed,
            es_full_current: full,
            es_reduced_current: reduced,
        })
    });
    prop::option::weighted(0.98, prop_oneof![calculated, given, stressed])
        .prop_map(|step| BaselShortfallRequest { step })
}

fn any_trade() -> impl Strategy<Value = Trade> {
    (0u32..4, any_number()).prop_map(|(factor, exposure)| Trade { factor, exposure })
}

prop_compose! {
    fn any_trades()(k in 1usize..4)(
        exposures in prop::collection::vec(any_number(), k), model in prop::option::weighted(0.95, any_model(k)),
        mean in prop::bool::weighted(0.05), confidence_bp in 4_999u32..10_002, horizon_days in 0u32..12,
        open_orders in prop::collection::vec(any_trade(), 0..4),
        trades in prop::collection::vec((prop::option::weighted(0.95, any_trade()), any::<bool>()), 0..6),
    ) -> AssessTradesRequest {
        let model = model.map(|model| ReturnModel { mean: if mean { model.mean } else { vec![] }, ..model });
        let trades = trades.into_iter().map(|(trade, fills)| ProposedTrade { trade, fills }).collect();
        AssessTradesRequest { exposures, model, confidence_bp, horizon_days, open_orders, trades }
    }
}

prop_compose! {
    fn any_forecast()(
        returns in any_series(), volatility in prop::option::weighted(0.95, any_volatility()), horizon_days in 0u32..12
    ) -> ForecastVolatilityRequest {
        let volatility = volatility.map(|volatility| match volatility {
            Filter::Ewma(ewma) => Volatility::Ewma(ewma),
            Filter::Garch(garch) => Volatility::Garch(garch),
        });
        ForecastVolatilityRequest { returns, volatility, horizon_days }
    }
}

/// Arguments of every kind: real, probabilities, whole numbers, and what none may be.
fn any_argument() -> impl Strategy<Value = f64> {
    prop_oneof![3 => any_number(), 3 => 0.0..1.0f64, 3 => (0u32..2_000).prop_map(f64::from), 1 => 0.0..1e-300f64]
}

prop_compose! {
    fn any_evaluation()(
        function in any_value(8), arguments in prop::collection::vec(any_argument(), 0..4),
        parameters in prop::collection::vec(any_argument(), 0..2), probabilities in prop::collection::vec(any_argument(), 0..2)
    ) -> EvaluateFunctionRequest {
        EvaluateFunctionRequest { function, arguments, parameters, probabilities }
    }
}

fn any_draw() -> impl Strategy<Value = DrawNumbersRequest> {
    let size = || prop_oneof![9 => 0u32..20, 1 => any::<u32>()];
    let sobol = (size(), any::<u32>(), size()).prop_map(|(dimension, first_index, n_points)| {
        Generator::Sobol(SobolPoints { dimension, first_index, n_points })
    });
    let philox = (prop::collection::vec(any::<u64>(), 1..4), prop::collection::vec(any::<u64>(), 3..6), size())
        .prop_map(|(key, counter, n_blocks)| Generator::Philox(PhiloxBlocks { key, counter, n_blocks }));
    prop::option::weighted(0.98, prop_oneof![sobol, philox]).prop_map(|generator| DrawNumbersRequest { generator })
}

fn any_critical() -> impl Strategy<Value = SimulateCriticalValuesRequest> {
    let days = prop_oneof![9 => 0u32..4, 1 => any::<u32>()];
    let count = prop_oneof![4 => 900u32..2_100, 1 => any::<u32>()];
    let levels = prop::collection::vec(5_000u32..10_001, 0..3);
    let distribution = prop::option::weighted(
        0.98,
        prop_oneof![
            Just(Distribution::Normal(Normal {})),
            any_number().prop_map(|nu| Distribution::StudentT(StudentT { nu })),
        ],
    );
    (days, count, levels, 5_000u32..10_001, distribution).prop_map(
        |(n_days, n_scenarios, test_confidence_bp, confidence_bp, distribution)| SimulateCriticalValuesRequest {
            n_days,
            confidence_bp,
            test_confidence_bp,
            n_scenarios,
            seed: 1,
            distribution,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

    #[test]
    fn every_margin_is_finite_or_refused(request in any_margin()) {
        match margin::calculate_margin(&request).map(|response| response.margin) {
            Ok(Some(Margin::Scan(m))) => {
                let others = [m.scan_risk, m.short_option_minimum, m.net_option_value, m.requirement];
                prop_assert!(all_finite(m.risk_array.iter().chain(&others)), "{request:?} {m:?}");
            }
            Ok(Some(Margin::Floors(m))) => prop_assert!(all_finite(&[m.stress_weighted, m.buffered]), "{request:?} {m:?}"),
            Ok(Some(Margin::Account(m))) => prop_assert!(m.margin_call.as_ref().is_some_and(|call| call.units >= 0), "{request:?} {m:?}"),
            Ok(None) => prop_assert!(false, "no margin and no error: {request:?}"),
            Err(_) => {}
        }
    }

    #[test]
    fn every_shortfall_is_finite_or_refused(request in any_basel()) {
        if let Ok(r) = basel::basel_shortfall(&request, &Progress::new()) {
            prop_assert!(all_finite(r.es_by_horizon.iter().chain([&r.es])), "{request:?} {r:?}");
        }
    }

    #[test]
    fn every_trade_is_assessed_or_refused(request in any_trades()) {
        if let Ok(r) = trades::assess_trades(&request, &Progress::new()) {
            let numbers = r.trades.iter().flat_map(|t| {
                [t.variance_now, t.variance_after, t.var_now, t.var_after, t.var_worst_case]
            });
            prop_assert!(numbers.into_iter().all(f64::is_finite), "{request:?} {r:?}");
        }
    }

    #[test]
    fn every_forecast_is_finite_or_refused(request in any_forecast()) {
        if let Ok(r) = volatility::forecast_volatility(&request) {
            let single = r.long_run_variance.iter().chain(&r.log_likelihood);
            prop_assert!(all_finite(r.variances.iter().chain(&r.forecasts).chain(single)), "{request:?} {r:?}");
        }
    }

    #[test]
    fn every_function_has_a_value_or_is_refused(request in any_evaluation()) {
        if let Ok(r) = reference::evaluate_function(&request, &Progress::new()) {
            prop_assert!(r.values.len() == request.arguments.len() && all_finite(&r.values), "{request:?} {r:?}");
        }
    }

    #[test]
    fn numbers_are_drawn_as_many_as_asked_for(request in any_draw()) {
        if let Ok(r) = reference::draw_numbers(&request) {
            let asked = match &request.generator {
                Some(Generator::Sobol(sobol)) => u64::from(sobol.dimension) * u64::from(sobol.n_points),
                Some(Generator::Philox(philox)) => 4 * u64::from(philox.n_blocks),
                None => 0,
            };
            prop_assert_eq!((r.points.len() + r.words.len()) as u64, asked);
        }
    }

    #[test]
    fn every_critical_value_is_finite_or_refused(request in any_critical()) {
        if let Ok(r) = backtest::simulate_critical_values(&request, &Progress::new()) {
            let numbers = r.critical_values.iter().flat_map(|c| [c.value, c.standard_error]);
            prop_assert!(numbers.into_iter().all(f64::is_finite), "{request:?} {r:?}");
        }
    }
}
