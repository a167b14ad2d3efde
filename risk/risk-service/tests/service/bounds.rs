//! What one request may cost: the size of a covariance, and the time of a calculation that nobody waits for any more.

use std::time::{Duration, Instant};

use risk_service::proto::pretrade_event::Event;
use risk_service::proto::return_model::Source;
use risk_service::proto::risk_service_client::RiskServiceClient;
use risk_service::proto::rolling_forecasts::Method as Forecast;
use risk_service::proto::{
    AssessTradesRequest, BacktestVarRequest, BaselShortfallRequest, CalculateRiskRequest, CheckRequest, EwmaVolatility,
    LiquidityHorizons, Matrix, OptionType, PriceOptionsRequest, PricingModel, ReturnModel, RollingForecasts,
    StreamRiskRequest, StressScenario, backtest_var_request, basel_shortfall_request,
};
use tonic::{Code, Request, Response, Status};

use crate::calculate::{calculate, historical, matrix, monte_carlo, normal, parametric, request};
use crate::fixture::{Gate, Running, event, snapshot};

/// Far above what a look between two blocks takes, far below what the calculations here take to their end.
const SOON: Duration = Duration::from_secs(20);

fn past(rows: u32, cols: u32) -> Matrix {
    let values: Vec<f64> = (0..rows as usize * cols as usize).map(|i| ((i * 7919) % 1_009) as f64 * 1e-5).collect();
    matrix(rows, cols, &values)
}

fn sampled(rows: u32, cols: u32) -> ReturnModel {
    ReturnModel { source: Some(Source::Returns(past(rows, cols))), ..normal(matrix(0, 0, &[])) }
}

fn refusal<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Code, String) {
    let status = answer.unwrap_err();
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn a_covariance_of_too_many_factors_is_refused_before_it_is_made() {
    let service = Running::start("").await;
    let mut client = RiskServiceClient::new(service.channel.clone());
    let expect = |got, name| {
        let text = format!("{name}: factors must be 1 to 4000, got 1000000");
        assert_eq!(got, (Code::InvalidArgument, text));
    };
    let k = 1_000_000;
    let of = |method| request(&vec![1.0; k as usize], method);
    expect(refusal(client.calculate_risk(of(monte_carlo(sampled(2, k), 1_000, 1))).await), "monte_carlo_var");
    let ten_days = CalculateRiskRequest { horizon_days: 10, ..of(monte_carlo(sampled(2, k), 1_000, 1)) };
    let step = LiquidityHorizons {
        calculation: Some(ten_days),
        factor_horizons_days: vec![10; k as usize],
        es_by_horizon: vec![],
    };
    let basel = BaselShortfallRequest { step: Some(basel_shortfall_request::Step::LiquidityHorizons(step)) };
    expect(refusal(client.basel_shortfall(basel).await), "monte_carlo_var");
    let trades = AssessTradesRequest {
        exposures: vec![1.0; k as usize],
        model: Some(sampled(2, k)),
        confidence_bp: 9_900,
        horizon_days: 1,
        ..Default::default()
    };
    expect(refusal(client.assess_trades(trades).await), "assess_trades");
}

#[tokio::test]
async fn parametric_parts_of_too_many_names_at_too_many_levels_are_refused() {
    let service = Running::start("").await;
    let asked = request(&vec![1.0; 1_000_000], parametric(sampled(2, 1_000_000)));
    let asked = CalculateRiskRequest { confidence_bp: vec![9_900; 5], ..asked };
    let got = refusal(RiskServiceClient::new(service.channel.clone()).calculate_risk(asked).await);
    let text = "parametric_var: exposures times levels must be at most 4000000, got 5000000";
    assert_eq!(got, (Code::InvalidArgument, text.to_owned()));
}

#[tokio::test]
async fn a_watch_of_too_many_factors_or_stress_values_is_refused() {
    let service = Running::start("").await;
    let gate = Gate::open(&service.channel).await;
    let events = vec![event(1, Event::Snapshot(snapshot(1_000_000)))];
    gate.send_all(CheckRequest { epoch: 1, events, session_id: "live".into() }).await;
    let mut client = RiskServiceClient::new(service.channel.clone());
    let watch = |factors: u32, scenarios: usize| StreamRiskRequest {
        session_id: "live".into(),
        confidence_bp: vec![9_900],
        factors: (0..factors).map(|i| format!("f{i}")).collect(),
        model: Some(sampled(2, factors)),
        scenarios: vec![StressScenario::default(); scenarios],
        ..Default::default()
    };
    let got = refusal(client.stream_risk(watch(4_001, 0)).await);
    assert_eq!(got, (Code::InvalidArgument, "stream_risk: factors must be 1 to 4000, got 4001".into()));
    let got = refusal(client.stream_risk(watch(1_000, 1_001)).await);
    let text = "stream_risk: scenarios times factors and options must be at most 1000000 in all, got 1001 times 1000";
    assert_eq!(got, (Code::InvalidArgument, text.into()));
}

#[tokio::test]
async fn a_thousand_days_of_ten_thousand_names_are_within_a_message() {
    let service = Running::start("").await;
    let found = calculate(&service.channel, request(&[1.0; 10_000], historical(past(1_000, 10_000)))).await.unwrap();
    assert_eq!((found.n_scenarios, found.figures.len()), (1_000, 1));
}

/// Gives a call half a second on a service that runs one at a time. The next is let in when the first has ended.
async fn ends_at_its_deadline<Q, A: std::fmt::Debug>(
    message: Q,
    call: impl AsyncFnOnce(Request<Q>, RiskServiceClient<tonic::transport::Channel>) -> Result<Response<A>, Status>,
) {
    let service = Running::start("AETHERION_RISK_THREADS=1\nAETHERION_RISK_MAX_QUEUE=1").await;
    let mut late = Request::new(message);
    late.metadata_mut().insert("grpc-timeout", "500m".parse().unwrap());
    let (code, text) = refusal(call(late, RiskServiceClient::new(service.channel.clone())).await);
    // On a busy machine the deadline may pass at the client first.
    assert!(matches!(code, Code::DeadlineExceeded | Code::Cancelled), "{code:?} {text}");
    let since = Instant::now();
    let small = request(&[1.0], historical(matrix(2, 1, &[0.1, -0.1])));
    while let Err(status) = calculate(&service.channel, small.clone()).await {
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        assert!(since.elapsed() < SOON, "it still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_of_many_sampled_factors_ends_at_its_deadline() {
    let large = request(&[1.0; 4_000], monte_carlo(sampled(1_000, 4_000), 10_000_000, 1));
    ends_at_its_deadline(large, async |request, mut client| client.calculate_risk(request).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deep_trees_end_at_their_deadline() {
    let n = 200;
    let large = PriceOptionsRequest {
        pricing_model: PricingModel::LeisenReimer.into(),
        option_types: vec![OptionType::Put.into(); n],
        underlying_prices: vec![100.0; n],
        strikes: vec![100.0; n],
        years: vec![1.0],
        rates: vec![0.05],
        volatilities: vec![0.2],
        steps: 20_001,
        ..Default::default()
    };
    ends_at_its_deadline(large, async |request, mut client| client.price_options(request).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_forecasts_of_a_long_window_end_at_their_deadline() {
    let pnl: Vec<f64> = (0..200_000).map(|i| f64::from((i * 7919) % 1_009 - 500)).collect();
    let method = Some(Forecast::FilteredEwma(EwmaVolatility { lambda: 0.94 }));
    let rolling = RollingForecasts { window: 50_000, method };
    let source = Some(backtest_var_request::Source::Rolling(rolling));
    let large = BacktestVarRequest { pnl, confidence_bp: 9_900, source };
    ends_at_its_deadline(large, async |request, mut client| client.backtest_var(request).await).await;
}
