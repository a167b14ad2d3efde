//! `RiskService`: takes a request to the pool and its answer back.

pub(crate) mod figures;
mod model;

use risk_core::RiskError;
use tonic::{Request, Response, Status};

use crate::compute::{Pool, deadline};
use crate::proto::risk_service_server::RiskService;
use crate::proto::{CalculateRiskRequest, CalculateRiskResponse};

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
}

/// All that a calculation depends on is in its request, so all that is wrong is wrong with that.
fn refused(error: RiskError) -> Status {
    Status::invalid_argument(error.to_string())
}
