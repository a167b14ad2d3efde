//! `RiskService`: takes a request to the pool and its answer back.

pub(crate) mod figures;
mod model;

use risk_core::RiskError;
use tonic::{Request, Response, Status};

use crate::compute::{Pool, deadline};
use crate::proto::risk_service_server::RiskService;
use crate::proto::{self, CalculateRiskRequest, CalculateRiskResponse};

type Answers<T> = std::pin::Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

/// Serves `RiskService`.
pub struct Calculate {
    pool: Pool,
}

impl Calculate {
    /// Calculates on `pool`.
    pub fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

#[tonic::async_trait]
impl RiskService for Calculate {
    async fn calculate_risk(
        &self,
        request: Request<CalculateRiskRequest>,
    ) -> Result<Response<CalculateRiskResponse>, Status> {
        let deadline = deadline(request.extensions());
        let request = request.into_inner();
        let response = self.pool.run(deadline, move || figures::calculate(&request)).await?;
        response.map(Response::new).map_err(refused)
    }

    type StreamCalculationStream = Answers<proto::StreamCalculationResponse>;
    type SimulateScenariosStream = Answers<proto::SimulateScenariosResponse>;
    type StreamRiskStream = Answers<proto::StreamRiskResponse>;

    async fn stream_calculation(
        &self,
        _request: Request<proto::StreamCalculationRequest>,
    ) -> Result<Response<Answers<proto::StreamCalculationResponse>>, Status> {
        Err(Status::unimplemented("stream_calculation"))
    }

    async fn simulate_scenarios(
        &self,
        _request: Request<tonic::Streaming<proto::SimulateScenariosRequest>>,
    ) -> Result<Response<Answers<proto::SimulateScenariosResponse>>, Status> {
        Err(Status::unimplemented("simulate_scenarios"))
    }

    async fn stream_risk(
        &self,
        _request: Request<proto::StreamRiskRequest>,
    ) -> Result<Response<Answers<proto::StreamRiskResponse>>, Status> {
        Err(Status::unimplemented("stream_risk"))
    }

    async fn stress_test(
        &self,
        _request: Request<proto::StressTestRequest>,
    ) -> Result<Response<proto::StressTestResponse>, Status> {
        Err(Status::unimplemented("stress_test"))
    }

    async fn price_options(
        &self,
        _request: Request<proto::PriceOptionsRequest>,
    ) -> Result<Response<proto::PriceOptionsResponse>, Status> {
        Err(Status::unimplemented("price_options"))
    }

    async fn implied_volatility(
        &self,
        _request: Request<proto::ImpliedVolatilityRequest>,
    ) -> Result<Response<proto::ImpliedVolatilityResponse>, Status> {
        Err(Status::unimplemented("implied_volatility"))
    }

    async fn backtest_var(
        &self,
        _request: Request<proto::BacktestVarRequest>,
    ) -> Result<Response<proto::BacktestVarResponse>, Status> {
        Err(Status::unimplemented("backtest_var"))
    }

    async fn estimate_covariance(
        &self,
        _request: Request<proto::EstimateCovarianceRequest>,
    ) -> Result<Response<proto::EstimateCovarianceResponse>, Status> {
        Err(Status::unimplemented("estimate_covariance"))
    }
}

/// All that a calculation depends on is in its request, so all that is wrong is wrong with that.
fn refused(error: RiskError) -> Status {
    Status::invalid_argument(error.to_string())
}
