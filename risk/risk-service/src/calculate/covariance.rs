//! `EstimateCovariance`: estimators, and the repair that is made only when asked for.

use risk_core::covariance::{
    Centering, cholesky, correlation, ewma_covariance, ledoit_wolf, mean, repair_covariance, sample_covariance,
    smallest_eigenvalue,
};
use risk_core::matrix::{Matrix, MatrixRef};
use risk_core::progress::Progress;
use risk_core::units::Decay;
use risk_core::{Result, RiskError};

use super::model::{MAX_FACTORS, matrix, not_set};
use crate::proto;
use crate::proto::estimate_covariance_request::Estimator;
use crate::proto::{EstimateCovarianceRequest, EstimateCovarianceResponse};

const NAME: &str = "estimate_covariance";

/// Answers a request, or says what is wrong with it.
pub(crate) fn estimate_covariance(
    request: &EstimateCovarianceRequest,
    progress: &Progress,
) -> Result<EstimateCovarianceResponse> {
    let returns = matrix(NAME, "returns", request.returns.as_ref())?;
    if !(1..=MAX_FACTORS).contains(&returns.cols()) {
        let why = format!("must have 1 to {MAX_FACTORS} columns");
        return Err(RiskError::shape(NAME, "returns", why, returns.cols()));
    }
    let (mut shrinkage, mut means) = (None, Vec::new());
    let estimate = match request.estimator.as_ref().ok_or_else(|| not_set(NAME, "estimator"))? {
        Estimator::Sample(_) => {
            means = mean(returns);
            sample_covariance(returns, progress)?
        }
        Estimator::Ewma(ewma) => ewma_covariance(returns, Decay::new(NAME, ewma.lambda)?, progress)?,
        Estimator::LedoitWolf(sent) => {
            let centering = if sent.assume_centered { Centering::AssumeCentered } else { Centering::Sample };
            let shrunk = ledoit_wolf(returns, centering, progress)?;
            shrinkage = Some(shrunk.shrinkage);
            shrunk.covariance
        }
        Estimator::Given(_) => Matrix::from_fn(returns.rows(), returns.cols(), |i, j| returns.at(i, j)),
    };
    let smallest_eigenvalue = smallest_eigenvalue(NAME, "covariance", estimate.as_ref())?;
    progress.check(NAME)?;
    let repaired = request.repair && smallest_eigenvalue < 0.0;
    let covariance = if repaired { repair_covariance(estimate.as_ref(), progress)?.matrix } else { estimate };
    let factor = request.factor.then(|| cholesky(covariance.as_ref(), progress)).transpose()?;
    Ok(EstimateCovarianceResponse {
        correlation: correlations(covariance.as_ref()),
        covariance: Some(sent(&covariance)),
        shrinkage,
        smallest_eigenvalue,
        repaired,
        cholesky: factor.as_ref().map(sent),
        mean: means,
    })
}

/// Correlations, where every factor has a variance.
fn correlations(covariance: MatrixRef<'_>) -> Option<proto::Matrix> {
    let values: Vec<f64> = correlation(covariance).into_iter().collect::<Option<_>>()?;
    Some(proto::Matrix { rows: covariance.rows() as u32, cols: covariance.cols() as u32, values })
}

fn sent(matrix: &Matrix) -> proto::Matrix {
    proto::Matrix { rows: matrix.rows() as u32, cols: matrix.cols() as u32, values: matrix.values().to_vec() }
}
