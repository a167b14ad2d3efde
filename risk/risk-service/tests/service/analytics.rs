//! The RPCs of `RiskService` beside `CalculateRisk`, and calculations that are long.

use std::time::{Duration, Instant};

use risk_service::proto::book_position::Holding;
use risk_service::proto::calculate_risk_request::Method;
use risk_service::proto::risk_service_client::RiskServiceClient;
use risk_service::proto::simulate_scenarios_request::Part;
use risk_service::proto::stream_calculation_response::Response as Streamed;
use risk_service::proto::{
    Book, BookPosition, CalculateRiskRequest, DeltaGammaBook, EuropeanOption, FourierMethod, ImportanceSampling,
    MonteCarloMethod, OptionType, PriceOptionsRequest, PricingModel, QuantileRule, Sampler, SimulateScenariosHeader,
    SimulateScenariosRequest, SimulateScenariosResponse, SpotShock, StreamCalculationRequest,
};
use tokio_stream::StreamExt;
use tonic::{Code, Request, Status};

use crate::calculate::{calculate, matrix, monte_carlo, normal, parametric, request};
use crate::fixture::Running;

fn delta_gamma(method: Method) -> CalculateRiskRequest {
    let gamma = matrix(2, 2, &[-4e6, 1e6, 1e6, -9e6]);
    let book = DeltaGammaBook { theta: 500.0, delta: vec![1e6, -5e5], gamma: Some(gamma) };
    CalculateRiskRequest { delta_gamma_book: Some(book), ..request(&[], method) }
}

fn simulated(change: impl FnOnce(&mut MonteCarloMethod)) -> Method {
    let mut method = MonteCarloMethod {
        model: Some(normal(matrix(2, 2, &[4e-4, 1e-4, 1e-4, 9e-4]))),
        n_scenarios: 65_536,
        seed: 3,
        ..Default::default()
    };
    change(&mut method);
    Method::MonteCarlo(method)
}

#[tokio::test]
async fn every_simulation_of_a_book_agrees_with_its_exact_distribution() {
    let service = Running::start("").await;
    let model = normal(matrix(2, 2, &[4e-4, 1e-4, 1e-4, 9e-4]));
    let exact = Method::Fourier(FourierMethod { model: Some(model) });
    let exact = calculate(&service.channel, delta_gamma(exact)).await.unwrap().figures[0].clone();
    let plain = |_: &mut MonteCarloMethod| {};
    let quasi = |it: &mut MonteCarloMethod| it.sampler = Sampler::Sobol.into();
    let single = |it: &mut MonteCarloMethod| it.single_precision_normals = true;
    let twisted = |it: &mut MonteCarloMethod| it.importance_sampling = Some(ImportanceSampling { strata: 0 });
    let strata = |it: &mut MonteCarloMethod| it.importance_sampling = Some(ImportanceSampling { strata: 64 });
    for (name, method) in [
        ("plain", simulated(plain)),
        ("sobol", simulated(quasi)),
        ("single", simulated(single)),
        ("twisted", simulated(twisted)),
        ("strata", simulated(strata)),
    ] {
        let found = calculate(&service.channel, delta_gamma(method)).await.unwrap().figures[0].clone();
        let (error, es_error) = (found.var_se.unwrap(), found.es_se.unwrap());
        assert!(error > 0.0 && (found.var - exact.var).abs() <= 4.0 * error, "{name} {found:?} {exact:?}");
        assert!((found.es - exact.es).abs() <= 4.0 * es_error, "{name} {found:?} {exact:?}");
    }
}

#[tokio::test]
async fn a_field_that_does_not_apply_is_refused_and_not_ignored() {
    let service = Running::start("").await;
    let expect = async |request: CalculateRiskRequest, expected: &str| {
        let status = calculate(&service.channel, request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    let linear = |method| request(&[1e6, 1e6], method);
    let sampling = simulated(|it| it.importance_sampling = Some(ImportanceSampling { strata: 2 }));
    expect(linear(sampling), "monte_carlo_var: importance_sampling must be unset for linear exposures, got 2 strata")
        .await;
    let single = simulated(|it| it.single_precision_normals = true);
    let rule = "monte_carlo_var: single_precision_normals must be false but for delta-gamma, got true";
    expect(linear(single), rule).await;
    let replications = simulated(|it| it.replications = 16);
    expect(linear(replications), "monte_carlo_var: replications must be 0 without sobol, got 16").await;
    let factors = simulated(|it| it.simulate_factors = true);
    let rule = "monte_carlo_var: simulate_factors must be false but for linear exposures, got true";
    expect(delta_gamma(factors), rule).await;
    let both = CalculateRiskRequest { exposures: vec![1.0], ..delta_gamma(simulated(|_| ())) };
    let rule = "monte_carlo_var: portfolio must be exposures, delta_gamma_book or book, one of them, got exposures and delta_gamma_book";
    expect(both, rule).await;
    let model = normal(matrix(2, 2, &[4e-4, 1e-4, 1e-4, 9e-4]));
    let rule = "parametric_var: portfolio must be exposures for this method, got delta_gamma_book";
    expect(delta_gamma(parametric(model)), rule).await;
    let strata = simulated(|it| {
        it.importance_sampling = Some(ImportanceSampling { strata: 64 });
        it.n_scenarios = 5_000;
    });
    let rule = "delta_gamma_monte_carlo: n_scenarios must be a multiple of 1024 with strata, got 5000";
    expect(delta_gamma(strata), rule).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_position_is_named_with_its_place() {
    let service = Running::start("").await;
    let share = BookPosition { underlying: "AAPL".into(), qty: 1.0, holding: Some(Holding::Spot(100.0)) };
    let option =
        EuropeanOption { option_type: OptionType::Call.into(), spot: 100.0, strike: -1.0, ..Default::default() };
    let option = BookPosition { holding: Some(Holding::Option(option)), ..share.clone() };
    let book = Book { positions: vec![share, option], factors: vec!["AAPL".into()] };
    let method = simulated(|it| {
        it.model = Some(normal(matrix(1, 1, &[4e-4])));
        it.spot_shock = SpotShock::Log.into();
    });
    let request = CalculateRiskRequest { book: Some(book), ..request(&[], method) };
    let status = calculate(&service.channel, request).await.unwrap_err();
    let text = "monte_carlo_var: strike of position 1 \"AAPL\" must be finite and positive, got -1";
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text));
}

/// A calculation that takes long: every factor of many is drawn.
fn long() -> CalculateRiskRequest {
    let k = 60;
    let covariance: Vec<f64> = (0..k * k).map(|i| if i / k == i % k { 1e-4 } else { 2e-5 }).collect();
    let mut method = MonteCarloMethod {
        model: Some(normal(matrix(k as u32, k as u32, &covariance))),
        n_scenarios: 10_000_000,
        seed: 1,
        simulate_factors: true,
        ..Default::default()
    };
    method.sampler = Sampler::Pseudo.into();
    request(&vec![1e6; k], Method::MonteCarlo(method))
}

#[tokio::test]
async fn a_long_calculation_tells_of_its_progress_and_ends_when_nobody_reads() {
    let service = Running::start("AETHERION_RISK_THREADS=1\nAETHERION_RISK_MAX_QUEUE=1").await;
    let mut client = RiskServiceClient::new(service.channel.clone());
    let asked = StreamCalculationRequest { calculation: Some(long()), min_interval_ms: 10 };
    let mut parts = client.stream_calculation(asked).await.unwrap().into_inner();
    let mut done = Vec::new();
    while done.len() < 3 || done.last() == Some(&0) {
        match parts.message().await.unwrap().unwrap().response.unwrap() {
            // The first report may come before the calculation has begun.
            Streamed::Progress(progress) if progress.total == 0 => assert_eq!(progress.done, 0),
            Streamed::Progress(progress) => {
                assert_eq!(progress.total, 10_000_000);
                done.push(progress.done);
            }
            Streamed::Calculation(_) => panic!("it was to take long"),
        }
    }
    assert!(done.is_sorted(), "{done:?}");
    // One may run at a time, and it is this one.
    let small = || request(&[1.0], monte_carlo(normal(matrix(1, 1, &[1e-4])), 1_000, 1));
    assert_eq!(calculate(&service.channel, small()).await.unwrap_err().code(), Code::ResourceExhausted);
    drop(parts);
    wait_until_free(&service, small).await;
}

#[tokio::test]
async fn a_deadline_ends_a_running_calculation() {
    let service = Running::start("AETHERION_RISK_THREADS=1\nAETHERION_RISK_MAX_QUEUE=1").await;
    let mut client = RiskServiceClient::new(service.channel.clone());
    let mut asked = Request::new(long());
    asked.set_timeout(Duration::from_millis(60));
    // The client may notice first, and then names it otherwise.
    let code = client.calculate_risk(asked).await.unwrap_err().code();
    assert!(matches!(code, Code::DeadlineExceeded | Code::Cancelled), "{code:?}");
    wait_until_free(&service, || request(&[1.0], monte_carlo(normal(matrix(1, 1, &[1e-4])), 1_000, 1))).await;
}

/// The only thread takes another calculation long before the one before would have ended.
async fn wait_until_free(service: &Running, small: impl Fn() -> CalculateRiskRequest) {
    let started = Instant::now();
    while let Err(status) = calculate(&service.channel, small()).await {
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(started.elapsed() < Duration::from_secs(2), "it still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_answer_is_the_last_part() {
    let service = Running::start("").await;
    let mut client = RiskServiceClient::new(service.channel.clone());
    let asked = request(&[1e6], monte_carlo(normal(matrix(1, 1, &[1e-4])), 100_000, 9));
    let expected = calculate(&service.channel, asked.clone()).await.unwrap();
    let asked = StreamCalculationRequest { calculation: Some(asked), min_interval_ms: 0 };
    let parts = client.stream_calculation(asked).await.unwrap().into_inner();
    let parts: Vec<_> = parts.map(|part| part.unwrap().response.unwrap()).collect().await;
    assert_eq!(parts.last(), Some(&Streamed::Calculation(expected)));
    let asked = StreamCalculationRequest { calculation: None, min_interval_ms: 0 };
    let status = client.stream_calculation(asked).await.unwrap_err();
    assert_eq!(status.message(), "stream_calculation: calculation must be set, got nothing");
}

fn bytes(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}

async fn run_scenarios(service: &Running, parts: Vec<Part>) -> Result<(SimulateScenariosResponse, Vec<f64>), Status> {
    let mut client = RiskServiceClient::new(service.channel.clone());
    let requests = parts.into_iter().map(|part| SimulateScenariosRequest { part: Some(part) });
    let mut answers = client.simulate_scenarios(tokio_stream::iter(requests)).await?.into_inner();
    let (mut first, mut pnl) = (None, Vec::new());
    while let Some(answer) = answers.message().await? {
        pnl.extend(answer.pnl.as_chunks::<8>().0.iter().map(|it| f64::from_le_bytes(*it)));
        if !answer.figures.is_empty() {
            first = Some(answer);
        }
    }
    Ok((first.unwrap(), pnl))
}

fn header(n_factors: u32, n_scenarios: u64) -> Part {
    Part::Header(SimulateScenariosHeader {
        n_factors,
        n_scenarios,
        confidence_bp: vec![9900],
        quantile_rule: QuantileRule::InvertedCdf.into(),
        return_pnl: true,
        ..Default::default()
    })
}

#[tokio::test]
async fn scenarios_come_in_parts_of_any_size() {
    let service = Running::start("").await;
    let (k, n) = (50, 20_000);
    let value = |i: usize, j: usize| ((i * 7919 + j * 104_729) % 1_000) as f64 * 1e-5 - 5e-3;
    let rows = |from: usize, to: usize| Part::Rows(bytes((from..to).flat_map(|i| (0..k).map(move |j| value(i, j)))));
    let exposures: Vec<f64> = (0..k).map(|j| 1e4 * (j as f64 - 20.0)).collect();
    let mut parts = vec![header(k as u32, n as u64)];
    parts.extend(exposures.chunks(13).map(|some| Part::Exposures(bytes(some.iter().copied()))));
    parts.extend((0..n).step_by(777).map(|from| rows(from, (from + 777).min(n))));
    let (answer, pnl) = run_scenarios(&service, parts).await.unwrap();
    let gain = |i: usize| exposures.iter().enumerate().map(|(j, x)| x * value(i, j)).sum::<f64>();
    assert_eq!((answer.n_scenarios, pnl.len()), (n as u64, n));
    assert!((0..n).all(|i| (pnl[i] - gain(i)).abs() < 1e-9));
    let mut losses: Vec<f64> = pnl.iter().map(|gain| -gain).collect();
    losses.sort_by(f64::total_cmp);
    assert_eq!(answer.figures[0].var, losses[n * 99 / 100 - 1]);
}

#[tokio::test]
async fn what_is_wrong_with_a_part_is_named() {
    let service = Running::start("").await;
    let expect = async |parts: Vec<Part>, expected: &str| {
        let status = run_scenarios(&service, parts).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    let (x, r) = (|n| Part::Exposures(bytes(vec![1.0; n])), |n| Part::Rows(bytes(vec![0.01; n])));
    expect(vec![], "simulate_scenarios: header must be set, got nothing").await;
    expect(vec![x(2)], "simulate_scenarios: header must come first, got another part").await;
    expect(vec![header(2, 1), header(2, 1)], "simulate_scenarios: header must come once, got another").await;
    expect(vec![header(2, 1), r(2)], "simulate_scenarios: exposures must have 2 values, n_factors, got 0").await;
    expect(vec![header(2, 1), x(3)], "simulate_scenarios: exposures must have 2 values, n_factors, got 3").await;
    let whole = "simulate_scenarios: rows must be whole rows of 2 values, got 3 values";
    expect(vec![header(2, 3), x(2), r(3)], whole).await;
    expect(vec![header(2, 3), x(2), r(4)], "simulate_scenarios: rows must be 3 in all, n_scenarios, got 2").await;
    expect(vec![header(2, 1), x(2), r(4)], "simulate_scenarios: rows must be 1 in all, n_scenarios, got 2").await;
    let broken = Part::Rows(vec![0; 9]);
    let rule = "simulate_scenarios: rows must be whole doubles of 8 bytes, got 9 bytes";
    expect(vec![header(2, 1), x(2), broken], rule).await;
    let not_a_number = Part::Rows(bytes([0.0, f64::NAN]));
    let rule = "simulate_scenarios: row 0 must be finite, and its P&L too, got NaN";
    expect(vec![header(2, 1), x(2), not_a_number], rule).await;
}

#[tokio::test]
async fn options_are_priced_by_columns() {
    let service = Running::start("").await;
    let mut client = RiskServiceClient::new(service.channel.clone());
    let asked = |pricing_model: PricingModel| PriceOptionsRequest {
        pricing_model: pricing_model.into(),
        option_types: vec![OptionType::Call.into(), OptionType::Put.into()],
        underlying_prices: vec![100.0; 2],
        strikes: vec![100.0; 2],
        years: vec![1.0],
        rates: vec![0.05],
        volatilities: vec![0.2],
        ..Default::default()
    };
    let european = client.price_options(asked(PricingModel::BlackScholesMerton)).await.unwrap().into_inner();
    // Hull's textbook call.
    assert!((european.prices[0] - 10.450_583_572_185_565).abs() < 1e-12, "{european:?}");
    let parity = european.prices[0] - european.prices[1] - (100.0 - 100.0 * (-0.05f64).exp());
    assert!(parity.abs() < 1e-12);
    let american = client.price_options(asked(PricingModel::LeisenReimer)).await.unwrap().into_inner();
    assert!((american.prices[0] - european.prices[0]).abs() < 1e-4, "early exercise of the call is worth nothing");
    assert!(american.prices[1] > european.prices[1] + 0.1, "of the put it is");
    let mut wrong = asked(PricingModel::Black76);
    wrong.strikes[1] = -1.0;
    let status = client.price_options(wrong).await.unwrap_err();
    assert_eq!(status.message(), "black76: row 1: strike must be finite and positive, got -1");
    let mut wrong = asked(PricingModel::BlackScholesMerton);
    wrong.rates = vec![0.0; 3];
    let status = client.price_options(wrong).await.unwrap_err();
    assert_eq!(status.message(), "price_options: rates must have 2 or 1 values to match option_types, got 3");
}
