//! No request makes a calculation panic, and none makes it answer with NaN or infinity.

mod capital;

use proptest::prelude::*;
use risk_core::progress::Progress;

use super::scenarios::Job;
use super::{backtest, covariance, figures, options, stress};
use crate::fuzz::any_value;
use crate::proto::backtest_var_request::Source as BacktestSource;
use crate::proto::book_position::Holding;
use crate::proto::calculate_risk_request::Method;
use crate::proto::estimate_covariance_request::Estimator;
use crate::proto::filtered_method::Volatility;
use crate::proto::return_model::{Distribution, Source};
use crate::proto::rolling_forecasts::Method as RollingMethod;
use crate::proto::simulate_scenarios_request::Part;
use crate::proto::*;

/// Ordinary numbers, numbers that overflow when multiplied, and what no number may be.
pub(crate) fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![8 => -1e3..1e3f64, 1 => any::<f64>(), 1 => prop::sample::select(vec![0.0, -0.0, f64::MAX, f64::MIN_POSITIVE])]
}

prop_compose! {
    /// Mostly a covariance or a sample of `k` factors, sometimes of a shape that does not fit.
    fn any_matrix(k: usize)(
        rows in 0usize..6, fits: bool, excess in 0usize..2, values in prop::collection::vec(any_number(), 30), psd: bool
    ) -> Matrix {
        let rows = if fits { k } else { rows };
        let len = (rows * k + if fits { 0 } else { excess }).min(values.len());
        let mut values = values[..len].to_vec();
        if psd && fits {
            // The Gram matrix of a column: symmetric and of rank one.
            let column = values[..k].to_vec();
            values = column.iter().flat_map(|a| column.iter().map(move |b| a * b)).collect();
        }
        Matrix { rows: rows as u32, cols: k as u32, values }
    }
}

pub(crate) fn any_model(k: usize) -> BoxedStrategy<ReturnModel> {
    let source = prop_oneof![any_matrix(k).prop_map(Source::Covariance), any_matrix(k).prop_map(Source::Returns)];
    let distribution = prop_oneof![
        Just(Distribution::Normal(Normal {})),
        (1.9..50.0f64).prop_map(|nu| Distribution::StudentT(StudentT { nu })),
        any_number().prop_map(|nu| Distribution::StudentT(StudentT { nu })),
    ];
    let mean = prop_oneof![Just(vec![]), prop::collection::vec(any_number(), k)];
    (mean, prop::option::weighted(0.9, source), prop::option::weighted(0.9, distribution))
        .prop_map(|(mean, source, distribution)| ReturnModel { mean, source, distribution })
        .boxed()
}

fn any_volatility() -> impl Strategy<Value = Volatility> {
    prop_oneof![
        (0.0..1.1f64).prop_map(|lambda| Volatility::Ewma(EwmaVolatility { lambda })),
        (any_number(), 0.0..1.0f64, 0.0..1.0f64).prop_map(|(omega, alpha, beta)| Volatility::Garch(GarchVolatility {
            omega,
            alpha,
            beta
        })),
        Just(Volatility::Garch(GarchVolatility::default())),
    ]
}

prop_compose! {
    fn any_simulation(k: usize)(
        model in prop::option::weighted(0.95, any_model(k)),
        n_scenarios in prop_oneof![Just(1_024u32), Just(16 << 6), 990u32..2_000],
        seed: u64, sampler in 0..4i32, replications in prop_oneof![4 => Just(0u32), 1 => 0u32..40],
        strata in prop::option::of(prop_oneof![Just(0u32), Just(16u32), 0u32..300]),
        flags in (prop::bool::weighted(0.1), prop::bool::weighted(0.2)),
        spot_shock in 0..4i32, horizon_method in 0..4i32,
    ) -> MonteCarloMethod {
        MonteCarloMethod {
            model, n_scenarios, seed, sampler, replications, spot_shock, horizon_method,
            importance_sampling: strata.map(|strata| ImportanceSampling { strata }),
            single_precision_normals: flags.0,
            simulate_factors: flags.1,
        }
    }
}

/// Paths drawn from a seed, or given, or both.
fn any_paths() -> impl Strategy<Value = (u32, u64, Vec<u32>)> {
    prop_oneof![
        2 => (0u32..1_100, any::<u64>(), Just(vec![])),
        1 => (Just(0), Just(0), prop::collection::vec(0u32..6, 0..12)),
        1 => (0u32..2, any::<u64>(), prop::collection::vec(any::<u32>(), 0..4)),
    ]
}

fn any_method(k: usize) -> BoxedStrategy<Method> {
    let model = move || prop::option::weighted(0.95, any_model(k));
    let returns = move || prop::option::weighted(0.9, any_matrix(k));
    prop_oneof![
        1 => model().prop_map(|model| Method::Parametric(ParametricMethod { model })).boxed(),
        1 => (returns(), any_value(5))
            .prop_map(|(returns, quantile_rule)| Method::Historical(HistoricalMethod { returns, quantile_rule })),
        1 => (returns(), 0.0..1.1f64)
            .prop_map(|(returns, lambda)| Method::AgeWeighted(AgeWeightedMethod { returns, lambda })),
        1 => (returns(), prop::option::weighted(0.9, any_volatility()), any::<bool>(), any_paths()).prop_map(
            |(returns, volatility, by_factor, (n_paths, seed, path_rows))| {
                Method::Filtered(FilteredMethod { returns, volatility, by_factor, n_paths, seed, path_rows })
            }
        ),
        1 => model().prop_map(|model| Method::CornishFisher(CornishFisherMethod { model })).boxed(),
        1 => model().prop_map(|model| Method::Fourier(FourierMethod { model })).boxed(),
        3 => any_simulation(k).prop_map(Method::MonteCarlo).boxed(),
    ]
    .boxed()
}

prop_compose! {
    fn any_option()(
        option_type in any_value(2), prices in (any_price(), any_price()), years in any_years(),
        rates in (-0.1..0.2f64, -0.1..0.2f64), volatility in any_years()
    ) -> EuropeanOption {
        let ((spot, strike), (rate, dividend_yield)) = (prices, rates);
        EuropeanOption { option_type, spot, strike, years, rate, dividend_yield, volatility }
    }
}

pub(crate) fn any_price() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 1.0..200.0f64, 1 => any_number()]
}

pub(crate) fn any_years() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 0.0..2.0f64, 1 => any_number()]
}

fn any_position() -> BoxedStrategy<BookPosition> {
    let holding = prop_oneof![1 => any_price().prop_map(Holding::Spot), 3 => any_option().prop_map(Holding::Option)];
    ("[abc]{0,1}", any_number(), prop::option::weighted(0.95, holding))
        .prop_map(|(underlying, qty, holding)| BookPosition { underlying, qty, holding })
        .boxed()
}

fn any_book(k: usize) -> BoxedStrategy<Book> {
    let factors = ["a", "b", "c"].map(String::from)[..k].to_vec();
    let names = prop_oneof![9 => Just(factors), 1 => prop::collection::vec("[abc]{0,1}", 0..4)];
    (prop::collection::vec(any_position(), 0..4), names)
        .prop_map(|(positions, factors)| Book { positions, factors })
        .boxed()
}

fn any_delta_gamma(k: usize) -> BoxedStrategy<DeltaGammaBook> {
    (any_number(), prop::collection::vec(any_number(), k), prop::option::weighted(0.95, any_matrix(k)))
        .prop_map(|(theta, delta, gamma)| DeltaGammaBook { theta, delta, gamma })
        .boxed()
}

prop_compose! {
    fn any_risk_request()(k in 1usize..4)(
        kind in 0..4, exposures in prop::collection::vec(any_number(), k), delta_gamma in any_delta_gamma(k), book in any_book(k),
        confidence_bp in prop_oneof![
            9 => prop::collection::vec(5_001u32..10_000, 1..4), 1 => prop::collection::vec(4_999u32..10_002, 0..4)
        ],
        horizon_days in prop_oneof![4 => Just(1), 2 => 2u32..12, 1 => any::<u32>()],
        horizon_years in prop_oneof![3 => Just(0.0), 1 => any_years()],
        method in prop::option::weighted(0.98, any_method(k)),
    ) -> CalculateRiskRequest {
        CalculateRiskRequest {
            exposures: if kind < 2 { exposures } else { vec![] },
            delta_gamma_book: (kind == 2).then_some(delta_gamma),
            book: (kind == 3).then_some(book),
            confidence_bp, horizon_days, horizon_years, method,
        }
    }
}

fn is_finite(response: &CalculateRiskResponse) -> bool {
    let of_figures = response.figures.iter().flat_map(|it| {
        let intervals = [&it.var_ci95, &it.es_ci95].into_iter().flatten().flat_map(|ci| [ci.lower, ci.upper]);
        let single = [Some(it.var), Some(it.es), it.var_se, it.es_se].into_iter().chain(intervals).flatten();
        let lists = [
            &it.marginal_var,
            &it.component_var,
            &it.standalone_var,
            &it.incremental_var,
            &it.component_es,
            &it.marginal_es,
        ];
        single.chain(lists.into_iter().flatten().copied()).collect::<Vec<f64>>()
    });
    of_figures.chain(response.sigma_1d).all(f64::is_finite)
}

prop_compose! {
    fn any_columns()(n in 0usize..5)(
        kinds in prop::collection::vec(any_value(2), n), numbers in prop::collection::vec(any_price(), 4 * n),
        years in prop::collection::vec(any_years(), n), one in any::<bool>(), model in any_value(4), steps in 0u32..8
    ) -> PriceOptionsRequest {
        let n = kinds.len();
        PriceOptionsRequest {
            pricing_model: model,
            option_types: kinds,
            underlying_prices: numbers[..n].to_vec(),
            strikes: numbers[n..2 * n].to_vec(),
            rates: if one { vec![0.02] } else { years.clone() },
            dividend_yields: if one { vec![] } else { years.clone() },
            volatilities: years.clone(),
            years,
            steps,
        }
    }
}

fn any_series() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(any_number(), 0..30)
}

pub(crate) fn any_shock() -> impl Strategy<Value = Shock> {
    ("[abc]{0,1}", any_years(), any_years(), any_years(), any_years())
        .prop_map(|(underlying, spot, volatility, rate, years)| Shock { underlying, spot, volatility, rate, years })
}

prop_compose! {
    fn any_stress()(k in 1usize..4)(
        on_book in any::<bool>(), positions in prop::collection::vec(any_position(), 0..4),
        scenarios in prop::collection::vec(prop::collection::vec(any_shock(), 0..3), 0..3),
        proposed in prop::option::of(any_position()), exposures in prop::collection::vec(any_number(), k),
        factor_shocks in prop::collection::vec(prop::collection::vec(any_number(), 1..4), 0..3),
        windows in prop::option::of((prop::option::weighted(0.9, any_matrix(k)), 0u32..4, 0u32..4)),
        reverse in prop::option::of((prop::option::weighted(0.9, any_matrix(k)), any_number())),
    ) -> StressTestRequest {
        let named = |(i, shocks)| StressScenario { name: format!("{i}"), shocks };
        let shocked = |(i, returns)| FactorShock { name: format!("{i}"), returns };
        let book = StressTestRequest {
            positions, proposed, scenarios: scenarios.into_iter().enumerate().map(named).collect(), ..Default::default()
        };
        let linear = StressTestRequest {
            exposures,
            factor_shocks: factor_shocks.into_iter().enumerate().map(shocked).collect(),
            historical_windows: windows.map(|(returns, days, count)| HistoricalWindows { returns, days, count }),
            reverse_stress: reverse.map(|(covariance, loss)| ReverseStress { covariance, loss }),
            ..Default::default()
        };
        if on_book { book } else { linear }
    }
}

prop_compose! {
    fn any_backtest()(
        pnl in any_series(), var in any_series(), es in any_series(), fits: bool, made: bool, window in 0u32..10,
        confidence_bp in 5_000u32..10_001, lambda in 0.0..1.1f64, rule in any_value(5), which in 0..5, garch in any_volatility()
    ) -> BacktestVarRequest {
        let n = if fits { pnl.len().min(var.len()).min(es.len()) } else { pnl.len() };
        let cut = |series: &[f64]| series[..n.min(series.len())].to_vec();
        let method = match (which, garch) {
            (0, _) => Some(RollingMethod::Historical(rule)),
            (1, _) => Some(RollingMethod::Normal(EwmaVolatility { lambda })),
            (2, _) => Some(RollingMethod::FilteredEwma(EwmaVolatility { lambda })),
            (3, Volatility::Garch(garch)) => Some(RollingMethod::FilteredGarch(garch)),
            _ => None,
        };
        let source = if made {
            BacktestSource::Forecasts(VarForecasts { var: cut(&var), es: if lambda < 0.3 { vec![] } else { cut(&es) } })
        } else {
            BacktestSource::Rolling(RollingForecasts { window, method })
        };
        BacktestVarRequest { pnl: cut(&pnl), confidence_bp, source: Some(source) }
    }
}

fn any_estimate() -> impl Strategy<Value = EstimateCovarianceRequest> {
    let estimator = prop_oneof![
        Just(Estimator::Sample(SampleCovariance {})),
        (0.0..1.1f64).prop_map(|lambda| Estimator::Ewma(EwmaVolatility { lambda })),
        any::<bool>().prop_map(|assume_centered| Estimator::LedoitWolf(LedoitWolf { assume_centered })),
        Just(Estimator::Given(GivenCovariance {})),
    ];
    let returns = (1usize..4).prop_flat_map(any_matrix);
    (prop::option::weighted(0.95, returns), prop::option::weighted(0.95, estimator), any::<bool>(), any::<bool>())
        .prop_map(|(returns, estimator, repair, factor)| EstimateCovarianceRequest {
            returns,
            estimator,
            repair,
            factor,
        })
}

fn any_part() -> impl Strategy<Value = Part> {
    let header =
        (0u32..4, 0u64..5, prop::collection::vec(5_000u32..10_001, 1..3), any_value(5), 0..3i32, any_years(), -1..5i32);
    let doubles = || {
        prop_oneof![
            8 => prop::collection::vec(any_number(), 0..7).prop_map(|v| v.iter().flat_map(|x| x.to_le_bytes()).collect()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
        ]
    };
    prop_oneof![
        1 => header.prop_map(|(n_factors, n_scenarios, confidence_bp, quantile_rule, spot_shock, years, shortfall_rule)| {
            let return_pnl = n_factors == 1;
            Part::Header(SimulateScenariosHeader {
                n_factors, n_scenarios, confidence_bp, quantile_rule, spot_shock, years, return_pnl, shortfall_rule
            })
        }),
        1 => doubles().prop_map(Part::Exposures),
        1 => any_book(2).prop_map(Part::Positions),
        1 => any_delta_gamma(2).prop_map(Part::DeltaGammaBook),
        2 => doubles().prop_map(Part::Rows),
    ]
}

fn all_finite<'a>(values: impl IntoIterator<Item = &'a f64>) -> bool {
    values.into_iter().all(|v| v.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::fuzz_cases()))]

    #[test]
    fn every_calculation_is_finite_or_refused(request in any_risk_request()) {
        if let Ok(response) = figures::calculate(&request, &Progress::new()) {
            prop_assert!(is_finite(&response), "{request:?} {response:?}");
        }
    }

    #[test]
    fn every_option_has_a_price_or_is_refused(request in any_columns()) {
        if let Ok(r) = options::price_options(&request, &Progress::new()) {
            let columns = [&r.prices, &r.deltas, &r.gammas, &r.vegas, &r.thetas, &r.rhos, &r.rho_qs, &r.vannas, &r.volgas];
            prop_assert!(columns.into_iter().all(all_finite), "{request:?} {r:?}");
        }
        let implied = ImpliedVolatilityRequest {
            option_types: request.option_types, prices: request.rates, forwards: request.underlying_prices,
            strikes: request.strikes, years: request.years,
        };
        if let Ok(r) = options::implied_volatility(&implied, &Progress::new()) {
            prop_assert!(all_finite(&r.volatilities), "{implied:?} {r:?}");
        }
    }

    #[test]
    fn every_scenario_has_a_loss_or_is_refused(request in any_stress()) {
        if let Ok(r) = stress::stress_test(&request) {
            let results = r.results.iter().flat_map(|it| it.pnl_by_position.iter().chain([&it.pnl]).chain(&it.pnl_with_proposed));
            let reverse = r.reverse.iter().flat_map(|it| it.shock.iter().chain([&it.distance, &it.probability]));
            let windows = r.windows.iter().map(|it| &it.pnl);
            prop_assert!(all_finite(results.chain(reverse).chain(windows)), "{request:?} {r:?}");
        }
    }

    #[test]
    fn every_backtest_has_a_verdict_or_is_refused(request in any_backtest()) {
        if let Ok(r) = backtest::backtest_var(&request, &Progress::new()) {
            let tests = [&r.kupiec, &r.independence, &r.conditional_coverage].into_iter().flatten();
            let numbers = tests.flat_map(|t| [t.value, t.p_value]).chain(r.acerbi_szekely_z1).chain(r.acerbi_szekely_z2);
            prop_assert!(numbers.chain([r.cumulative_probability]).all(f64::is_finite), "{request:?} {r:?}");
        }
    }

    #[test]
    fn every_estimate_is_finite_or_refused(request in any_estimate()) {
        if let Ok(r) = covariance::estimate_covariance(&request, &Progress::new()) {
            let matrices = [&r.covariance, &r.correlation].into_iter().flatten().flat_map(|m| &m.values);
            prop_assert!(all_finite(matrices.chain([&r.smallest_eigenvalue]).chain(&r.shrinkage)), "{request:?} {r:?}");
        }
    }

    #[test]
    fn every_job_in_parts_is_answered_or_refused(parts in prop::collection::vec(any_part(), 0..7), ordered: bool) {
        let mut parts = parts;
        if ordered {
            parts.sort_by_key(|part| match part {
                Part::Header(_) => 0,
                Part::Exposures(_) | Part::Positions(_) | Part::DeltaGammaBook(_) => 1,
                Part::Rows(_) => 2,
            });
        }
        let mut job = Box::new(Job::default());
        for part in parts {
            if job.take(Some(part)).is_err() {
                return Ok(());
            }
        }
        if let Ok((response, pnl)) = job.finish() {
            let figures = response.figures.iter().flat_map(|it| [&it.var, &it.es]);
            prop_assert!(all_finite(figures.chain(&pnl)), "{response:?}");
        }
    }
}
