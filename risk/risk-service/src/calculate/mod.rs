//! `RiskService`: takes a request to the pool and its answer back.

pub(crate) mod backtest;
mod basel;
pub(crate) mod covariance;
pub(crate) mod figures;
#[cfg(test)]
pub(crate) mod fuzz;
mod margin;
mod model;
pub(crate) mod options;
mod portfolio;
mod reference;
mod scenarios;
mod simulation;
mod stream;
pub(crate) mod stress;
mod trades;
mod volatility;

use std::pin::Pin;
use std::sync::Arc;

use risk_core::RiskError;
use risk_core::progress::Progress;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

use crate::compute::{Pool, deadline};
use crate::proto::risk_service_server::RiskService;
use crate::proto::{
    AssessTradesRequest, AssessTradesResponse, BacktestVarRequest, BacktestVarResponse, BaselShortfallRequest,
    BaselShortfallResponse, CalculateMarginRequest, CalculateMarginResponse, CalculateRiskRequest,
    CalculateRiskResponse, DrawNumbersRequest, DrawNumbersResponse, EstimateCovarianceRequest,
    EstimateCovarianceResponse, EvaluateFunctionRequest, EvaluateFunctionResponse, ForecastVolatilityRequest,
    ForecastVolatilityResponse, ImpliedVolatilityRequest, ImpliedVolatilityResponse, PriceOptionsRequest,
    PriceOptionsResponse, SimulateCriticalValuesRequest, SimulateCriticalValuesResponse, SimulateScenariosRequest,
    SimulateScenariosResponse, StreamCalculationRequest, StreamCalculationResponse, StreamRiskRequest,
    StreamRiskResponse, StressTestRequest, StressTestResponse,
};
use crate::watch::{Boards, Watchers, stream_risk};

pub(crate) use model::{Model, confidences, not_set, require_factors};
pub(crate) use portfolio::{Factors, option_kind};
pub(crate) use stream::interval;

/// Answers that come one after the other.
pub(crate) type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves `RiskService`.
pub struct Calculate {
    pool: Arc<Pool>,
    boards: Boards,
    watchers: Watchers,
}

impl Calculate {
    /// Calculates on `pool`, and lets at most `max_watchers` watch `boards`.
    pub fn new(pool: Pool, boards: Boards, max_watchers: usize) -> Self {
        Self { pool: Arc::new(pool), boards, watchers: Watchers::new(max_watchers) }
    }

    /// One request, one answer. The calculation ends soon once nobody waits: at the deadline, or when the caller is gone.
    async fn answer<Q: Send + 'static, A: Send + 'static>(
        &self,
        request: Request<Q>,
        calculate: impl FnOnce(&Q, &Progress) -> risk_core::Result<A> + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let deadline = deadline(request.extensions());
        let request = request.into_inner();
        let (waiting, progress) = Waiting::new();
        let answer = self.pool.run(deadline, move || calculate(&request, &progress)).await;
        drop(waiting);
        answer?.map(Response::new).map_err(refused)
    }
}

#[tonic::async_trait]
impl RiskService for Calculate {
    type StreamCalculationStream = Answers<StreamCalculationResponse>;
    type SimulateScenariosStream = Answers<SimulateScenariosResponse>;
    type StreamRiskStream = Answers<StreamRiskResponse>;

    async fn calculate_risk(
        &self,
        request: Request<CalculateRiskRequest>,
    ) -> Result<Response<CalculateRiskResponse>, Status> {
        self.answer(request, figures::calculate).await
    }

    async fn stream_calculation(
        &self,
        request: Request<StreamCalculationRequest>,
    ) -> Result<Response<Self::StreamCalculationStream>, Status> {
        stream::stream_calculation(Arc::clone(&self.pool), request)
    }

    async fn simulate_scenarios(
        &self,
        request: Request<Streaming<SimulateScenariosRequest>>,
    ) -> Result<Response<Self::SimulateScenariosStream>, Status> {
        scenarios::simulate_scenarios(Arc::clone(&self.pool), request)
    }

    async fn stream_risk(
        &self,
        request: Request<StreamRiskRequest>,
    ) -> Result<Response<Self::StreamRiskStream>, Status> {
        stream_risk(Arc::clone(&self.pool), &self.boards, &self.watchers, request).await
    }

    async fn stress_test(&self, request: Request<StressTestRequest>) -> Result<Response<StressTestResponse>, Status> {
        self.answer(request, |request, _| stress::stress_test(request)).await
    }

    async fn price_options(
        &self,
        request: Request<PriceOptionsRequest>,
    ) -> Result<Response<PriceOptionsResponse>, Status> {
        self.answer(request, options::price_options).await
    }

    async fn implied_volatility(
        &self,
        request: Request<ImpliedVolatilityRequest>,
    ) -> Result<Response<ImpliedVolatilityResponse>, Status> {
        self.answer(request, options::implied_volatility).await
    }

    async fn backtest_var(
        &self,
        request: Request<BacktestVarRequest>,
    ) -> Result<Response<BacktestVarResponse>, Status> {
        self.answer(request, backtest::backtest_var).await
    }

    async fn estimate_covariance(
        &self,
        request: Request<EstimateCovarianceRequest>,
    ) -> Result<Response<EstimateCovarianceResponse>, Status> {
        self.answer(request, covariance::estimate_covariance).await
    }

    async fn forecast_volatility(
        &self,
        request: Request<ForecastVolatilityRequest>,
    ) -> Result<Response<ForecastVolatilityResponse>, Status> {
        self.answer(request, |request, _| volatility::forecast_volatility(request)).await
    }

    async fn assess_trades(
        &self,
        request: Request<AssessTradesRequest>,
    ) -> Result<Response<AssessTradesResponse>, Status> {
        self.answer(request, trades::assess_trades).await
    }

    async fn basel_shortfall(
        &self,
        request: Request<BaselShortfallRequest>,
    ) -> Result<Response<BaselShortfallResponse>, Status> {
        self.answer(request, basel::basel_shortfall).await
    }

    async fn calculate_margin(
        &self,
        request: Request<CalculateMarginRequest>,
    ) -> Result<Response<CalculateMarginResponse>, Status> {
        self.answer(request, |request, _| margin::calculate_margin(request)).await
    }

    async fn evaluate_function(
        &self,
        request: Request<EvaluateFunctionRequest>,
    ) -> Result<Response<EvaluateFunctionResponse>, Status> {
        self.answer(request, reference::evaluate_function).await
    }

    async fn draw_numbers(
        &self,
        request: Request<DrawNumbersRequest>,
    ) -> Result<Response<DrawNumbersResponse>, Status> {
        self.answer(request, |request, _| reference::draw_numbers(request)).await
    }

    async fn simulate_critical_values(
        &self,
        request: Request<SimulateCriticalValuesRequest>,
    ) -> Result<Response<SimulateCriticalValuesResponse>, Status> {
        self.answer(request, backtest::simulate_critical_values).await
    }
}

/// Cancels a calculation when it is dropped, that is, when nobody waits any more.
pub(crate) struct Waiting(Arc<Progress>);

impl Waiting {
    pub(crate) fn new() -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::new());
        (Self(Arc::clone(&progress)), progress)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// All that a calculation depends on is in its request, so all that is wrong is wrong with that.
pub(crate) fn refused(error: RiskError) -> Status {
    match error {
        RiskError::Canceled(_) => Status::cancelled(error.to_string()),
        _ => Status::invalid_argument(error.to_string()),
    }
}
