//! `RiskService.CalculateRisk`: what it refuses, how it is bounded, and its answers in small.

use hyper_util::client::legacy::Client as LegacyClient;
use hyper_util::rt::TokioExecutor;
use risk_service::proto::calculate_risk_request::Method;
use risk_service::proto::return_model::{Distribution, Source};
use risk_service::proto::risk_service_client::RiskServiceClient;
use risk_service::proto::{
    CalculateRiskRequest, CalculateRiskResponse, HistoricalMethod, Matrix, MonteCarloMethod, Normal, ParametricMethod,
    QuantileRule, ReturnModel, RiskWarning, StudentT,
};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::fixture::Running;

pub fn matrix(rows: u32, cols: u32, values: &[f64]) -> Matrix {
    Matrix { rows, cols, values: values.to_vec() }
}

pub fn normal(covariance: Matrix) -> ReturnModel {
    ReturnModel {
        mean: vec![],
        source: Some(Source::Covariance(covariance)),
        distribution: Some(Distribution::Normal(Normal {})),
    }
}

pub fn parametric(model: ReturnModel) -> Method {
    Method::Parametric(ParametricMethod { model: Some(model) })
}

pub fn historical(returns: Matrix) -> Method {
    Method::Historical(HistoricalMethod { returns: Some(returns), quantile_rule: QuantileRule::InvertedCdf.into() })
}

pub fn monte_carlo(model: ReturnModel, n_scenarios: u32, seed: u64) -> Method {
    Method::MonteCarlo(MonteCarloMethod { model: Some(model), n_scenarios, seed, ..Default::default() })
}

pub fn request(exposures: &[f64], method: Method) -> CalculateRiskRequest {
    CalculateRiskRequest {
        exposures: exposures.to_vec(),
        confidence_bp: vec![9900],
        horizon_days: 1,
        method: Some(method),
        ..Default::default()
    }
}

pub async fn calculate(channel: &Channel, request: CalculateRiskRequest) -> Result<CalculateRiskResponse, Status> {
    let mut client = RiskServiceClient::new(channel.clone());
    client.calculate_risk(request).await.map(tonic::Response::into_inner)
}

fn two_factors() -> Matrix {
    matrix(2, 2, &[4e-4, 1e-4, 1e-4, 9e-4])
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let service = Running::start("").await;
    let expect = async |change: fn(&mut CalculateRiskRequest), expected: &str| {
        let mut request = request(&[1e6, -2e6], parametric(normal(two_factors())));
        change(&mut request);
        let status = calculate(&service.channel, request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    expect(|it| it.method = None, "calculate_risk: method must be set, got nothing").await;
    expect(|it| it.confidence_bp.clear(), "parametric_var: confidence_bp must be 1 to 100 levels, got 0").await;
    expect(|it| it.confidence_bp = vec![9900; 101], "parametric_var: confidence_bp must be 1 to 100 levels, got 101")
        .await;
    let range = "parametric_var: confidence_bp must be within 5001..=9999, got ";
    expect(|it| it.confidence_bp = vec![9900, 5000], &format!("{range}5000")).await;
    expect(|it| it.confidence_bp = vec![10_000], &format!("{range}10000")).await;
    expect(|it| it.horizon_days = 0, "parametric_var: horizon_days must be at least 1, got 0").await;
    expect(|it| it.exposures.clear(), "parametric_var: exposures must have at least one value, got 0").await;
    expect(|it| it.exposures[1] = f64::NAN, "parametric_var: exposures[1] must be finite, got NaN").await;
    expect(|it| it.exposures = vec![f64::MAX; 2], "parametric_var: var[0] must be finite, got inf").await;
    expect(|it| it.exposures.push(1.0), "parametric_var: covariance must be 3x3 to match the factors, got 2x2").await;
}

#[tokio::test]
async fn what_is_wrong_with_a_model_is_named() {
    let service = Running::start("").await;
    let expect = async |change: fn(&mut ReturnModel), expected: &str| {
        let mut model = normal(two_factors());
        change(&mut model);
        let status = calculate(&service.channel, request(&[1e6, -2e6], parametric(model))).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    expect(|it| it.source = None, "parametric_var: covariance or returns must be set, got nothing").await;
    expect(|it| it.distribution = None, "parametric_var: distribution must be set, got nothing").await;
    let rule = "parametric_var: nu must be finite and above 2, got 2";
    expect(|it| it.distribution = Some(Distribution::StudentT(StudentT { nu: 2.0 })), rule).await;
    expect(|it| it.mean = vec![0.0], "parametric_var: mean must have 2 values to match the exposures, got 1").await;
    let rule = "parametric_var: covariance must have rows * cols values for shape 2x2, got 3";
    expect(|it| it.source = Some(Source::Covariance(matrix(2, 2, &[0.0; 3]))), rule).await;
    let rule = "parametric_var: covariance must be 2x2 to match the factors, got 4294967295x0";
    expect(|it| it.source = Some(Source::Covariance(matrix(u32::MAX, 0, &[]))), rule).await;
    let rule = "parametric_var: returns must have 2 columns to match the factors, got 3";
    expect(|it| it.source = Some(Source::Returns(matrix(2, 3, &[0.0; 6]))), rule).await;
    let rule = "parametric_var: needs at least 2 rows, got 1";
    expect(|it| it.source = Some(Source::Returns(matrix(1, 2, &[0.0; 2]))), rule).await;
}

#[tokio::test]
async fn an_indefinite_covariance_is_refused_by_its_eigenvalue() {
    let service = Running::start("").await;
    let covariance = matrix(2, 2, &[1.0, 2.0, 2.0, 1.0]);
    let status = calculate(&service.channel, request(&[1.0, 1.0], parametric(normal(covariance)))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let expected = "parametric_var: covariance must be positive semidefinite, got smallest eigenvalue -";
    assert!(status.message().starts_with(expected), "{}", status.message());
}

#[tokio::test]
async fn what_is_wrong_with_past_returns_is_named() {
    let service = Running::start("").await;
    let expect = async |request: CalculateRiskRequest, expected: &str| {
        let status = calculate(&service.channel, request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    let method = |returns, quantile_rule| Method::Historical(HistoricalMethod { returns, quantile_rule });
    let no_rule = request(&[1.0], method(Some(matrix(1, 1, &[0.1])), 0));
    expect(no_rule, "historical_var: quantile_rule must be one of the rules, got 0").await;
    expect(request(&[1.0], method(None, 1)), "historical_var: returns must be set, got nothing").await;
    let wide = request(&[1.0], historical(matrix(1, 2, &[0.1, 0.2])));
    expect(wide, "historical_var: exposures must have 2 values to match the columns of returns, got 1").await;
    let empty = request(&[1.0], historical(matrix(0, 1, &[])));
    expect(empty, "historical_var: needs at least 1 row and 1 column of returns, got 0").await;
    let infinite = request(&[1.0], historical(matrix(2, 1, &[0.1, f64::INFINITY])));
    expect(infinite, "historical_var: returns[1] must be finite, got inf").await;
    let long = CalculateRiskRequest { horizon_days: 10, ..request(&[1.0], historical(matrix(1, 1, &[0.1]))) };
    expect(long, "historical_var: horizon_days must be 1 for this method, got 10").await;
}

#[tokio::test]
async fn historical_figures_are_complete() {
    let service = Running::start("").await;
    let losses: Vec<f64> = (1..=100).map(|i| -f64::from(i) / 1000.0).collect();
    let request = CalculateRiskRequest {
        confidence_bp: vec![9000, 9900],
        ..request(&[1000.0], historical(matrix(100, 1, &losses)))
    };
    let response = calculate(&service.channel, request).await.unwrap();
    assert_eq!((response.n_scenarios, response.sigma_1d, response.seed), (100, None, None));
    let [at_90, at_99] = response.figures.try_into().unwrap();
    assert_eq!((at_90.confidence_bp, at_90.var, at_90.warnings.len()), (9000, 90.0, 0));
    assert!((at_90.es - 95.5).abs() < 1e-9 && (at_90.component_es[0] - at_90.es).abs() < 1e-9);
    let interval = at_90.var_ci95.unwrap();
    assert!(interval.lower.unwrap() < 90.0 && interval.upper.unwrap() > 90.0);
    assert_eq!((at_99.confidence_bp, at_99.var), (9900, 99.0));
    assert_eq!(at_99.warnings, [i32::from(RiskWarning::FewTailScenarios)]);
    assert_eq!(at_99.var_ci95.unwrap().upper, None, "no upper bound within 100 scenarios");
}

#[tokio::test]
async fn past_returns_give_their_sample_covariance() {
    let service = Running::start("").await;
    let returns = [0.01, -0.02, 0.03, 0.015, -0.01, 0.005];
    let sampled = ReturnModel { source: Some(Source::Returns(matrix(6, 1, &returns))), ..normal(two_factors()) };
    let response = calculate(&service.channel, request(&[1e6], parametric(sampled))).await.unwrap();
    assert_eq!(response.n_scenarios, 6);
    let mean = returns.iter().sum::<f64>() / 6.0;
    let sigma = 1e6 * (returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
    let got = response.sigma_1d.unwrap();
    assert!((got / sigma - 1.0).abs() < 1e-12, "{got} {sigma}");
}

#[tokio::test]
async fn what_is_wrong_with_a_simulation_is_named() {
    let service = Running::start("").await;
    let expect = async |request: CalculateRiskRequest, expected: &str| {
        let status = calculate(&service.channel, request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, expected));
    };
    let of = |n_scenarios| request(&[1e6, -2e6], monte_carlo(normal(two_factors()), n_scenarios, 1));
    let range = "monte_carlo_var: n_scenarios must be within 1000..=10000000, got ";
    expect(of(999), &format!("{range}999")).await;
    expect(of(10_000_001), &format!("{range}10000001")).await;
    let shifted = CalculateRiskRequest { horizon_years: 0.1, ..of(1000) };
    expect(shifted, "monte_carlo_var: horizon_years must be 0 but for a book, got 0.1").await;
    let no_model = Method::MonteCarlo(MonteCarloMethod { n_scenarios: 1000, seed: 1, ..Default::default() });
    expect(request(&[1.0], no_model), "monte_carlo_var: model must be set, got nothing").await;
}

#[tokio::test]
async fn a_simulation_depends_on_its_seed_and_not_on_the_threads() {
    let (one, four) =
        tokio::join!(Running::start("AETHERION_RISK_THREADS=1"), Running::start("AETHERION_RISK_THREADS=4"));
    let of = |seed| request(&[1e6, -2e6], monte_carlo(normal(two_factors()), 100_000, seed));
    let first = calculate(&one.channel, of(7)).await.unwrap();
    assert_eq!(first, calculate(&four.channel, of(7)).await.unwrap(), "the same bits");
    assert_eq!((first.n_scenarios, first.seed), (100_000, Some(7)));
    let other = calculate(&one.channel, of(8)).await.unwrap();
    assert_ne!(first.figures[0].var, other.figures[0].var);
    let few = CalculateRiskRequest { confidence_bp: vec![9900, 9999], ..of(7) };
    let figures = calculate(&one.channel, few).await.unwrap().figures;
    assert!(figures.iter().all(|it| it.warnings.is_empty()), "ten scenarios in the tail are enough");
    let sparse = CalculateRiskRequest {
        confidence_bp: vec![9999],
        ..request(&[1e6, -2e6], monte_carlo(normal(two_factors()), 99_999, 7))
    };
    let figures = calculate(&one.channel, sparse).await.unwrap().figures;
    assert_eq!(figures[0].warnings, [i32::from(RiskWarning::FewTailScenarios)]);
}

/// A small request that takes some hundred milliseconds to answer.
fn slow() -> CalculateRiskRequest {
    request(&[1e6, -2e6], monte_carlo(normal(two_factors()), 10_000_000, 1))
}

#[tokio::test(flavor = "multi_thread")]
async fn more_calculations_than_may_wait_are_refused_and_checks_go_on() {
    let service = Running::start("AETHERION_RISK_THREADS=1\nAETHERION_RISK_MAX_QUEUE=2").await;
    let calls: Vec<_> = (0..6)
        .map(|_| {
            let channel = service.channel.clone();
            tokio::spawn(async move { calculate(&channel, slow()).await })
        })
        .collect();
    let mut answered = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => answered += 1,
            Err(status) => {
                let text = "2 calculations wait or run, which is the most allowed; try again";
                assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, text));
            }
        }
    }
    assert!((2..6).contains(&answered), "{answered} of 6 were answered");
    assert!(calculate(&service.channel, slow()).await.is_ok(), "there is room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_kept_while_a_calculation_runs() {
    let service = Running::start("AETHERION_RISK_THREADS=1").await;
    // Not tonic's own transport, which would see the header and answer itself.
    let transport = LegacyClient::builder(TokioExecutor::new()).http2_only(true).build_http();
    let mut client = RiskServiceClient::with_origin(transport, service.origin.clone());
    let mut request = Request::new(slow());
    request.metadata_mut().insert("grpc-timeout", "20m".parse().unwrap());
    let status = client.calculate_risk(request).await.unwrap_err();
    // On a busy machine the deadline may pass before the request has arrived; then tonic itself answers.
    let expected = match status.code() {
        Code::Cancelled => "Timeout expired",
        _ => "the calculation did not end before the deadline",
    };
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    assert_eq!(status.message(), expected);
}
