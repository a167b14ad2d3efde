//! No watch, and nothing that a session shows, makes a report with NaN or infinity in it.

use proptest::prelude::*;
use risk_core::progress::Progress;

use super::board::{News, Seen};
use super::rates::Rates;
use super::stream::Watcher;
use crate::calculate::fuzz::{any_model, any_number, any_price, any_shock, any_years};
use crate::fuzz::any_value;
use crate::proto::{
    CurrencyRate, Decimal, FxRate, FxRates, OptionTerms, StreamRiskRequest, StreamRiskResponse, StressScenario,
};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(NAMES.to_vec()).prop_map(String::from), 1 => Just(String::new())]
}

fn any_currency() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["USD", "USD", "USD", "EUR", ""]).prop_map(String::from)
}

prop_compose! {
    fn any_option()(
        instrument_id in any_name(), underlying in any_name(), option_type in any_value(2), strike in any_price(),
        expire_time_ns in prop_oneof![0i64..100_000_000_000_000_000, any::<i64>()],
        rate in -0.1..0.2f64, dividend_yield in -0.1..0.2f64, volatility in any_years()
    ) -> OptionTerms {
        OptionTerms { instrument_id, underlying, option_type, strike, expire_time_ns, rate, dividend_yield, volatility }
    }
}

prop_compose! {
    fn any_watch()(k in 1usize..3)(
        model in prop::option::weighted(0.98, any_model(k)), k in Just(k),
        confidence_bp in prop::collection::vec(5_001u32..10_000, 1..3),
        options in prop::collection::vec(any_option(), 0..2), shocks in prop::collection::vec(any_shock(), 0..2),
        base_currency in any_currency(), rate in prop::option::of(any_number()),
    ) -> StreamRiskRequest {
        let currency_rates = rate.map(|rate| CurrencyRate { currency: "EUR".into(), rate }).into_iter().collect();
        StreamRiskRequest {
            confidence_bp, model, options, base_currency, currency_rates,
            factors: NAMES[..k].iter().map(|name| (*name).into()).collect(),
            scenarios: vec![StressScenario { name: "s".into(), shocks }],
            ..StreamRiskRequest::default()
        }
    }
}

prop_compose! {
    fn any_news()(
        from_scratch: bool, transact_time_ns in prop_oneof![0i64..1_000_000_000_000_000, any::<i64>()], mantissa: i64,
        seen in prop::collection::vec(
            (any_name(), any_number(), any_price(), any_currency(), prop::option::weighted(0.9, any_price())), 0..4
        ),
    ) -> News {
        let one = |(instrument_id, qty, multiplier, currency, mark)| Seen { instrument_id, qty, multiplier, currency, mark };
        let rate = Some(Decimal { mantissa, scale: 3 });
        let mut rates = Rates::default();
        rates.take(FxRates { rates: vec![FxRate { currency: "EUR".into(), quote_currency: "USD".into(), rate }] });
        News {
            version: 1, from_scratch, ended: false, is_known: true, sequence: 1, transact_time_ns,
            seen: seen.into_iter().map(one).collect(), rates,
        }
    }
}

fn is_finite(report: &StreamRiskResponse) -> bool {
    let figures = report.figures.iter().flat_map(|it| [it.var, it.es]);
    let positions =
        report.positions.iter().flat_map(|it| [it.qty, it.price, it.notional, it.exposure, it.component_var]);
    let greeks = report.positions.iter().map(|it| &it.greeks).chain([&report.greeks]).flatten();
    let greeks = greeks.flat_map(|it| [it.delta, it.gamma, it.vega, it.theta, it.rho, it.rho_q, it.vanna, it.volga]);
    let stress = report.stress.iter().flat_map(|it| it.pnl_by_position.iter().copied().chain([it.pnl]));
    let totals = [report.gross_notional, report.net_notional, report.sigma_1d];
    figures.chain(positions).chain(greeks).chain(stress).chain(totals).all(f64::is_finite)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

    #[test]
    fn every_report_is_finite_or_refused(request in any_watch(), news in prop::collection::vec(any_news(), 1..4)) {
        let Ok(mut watcher) = Watcher::new(&request, &Progress::new()) else { return Ok(()) };
        for news in &news {
            // A real watch ends at the first refusal.
            let Ok(report) = watcher.take(news) else { return Ok(()) };
            prop_assert!(is_finite(&report), "{request:?} {report:?}");
        }
    }
}
