//! `ForecastVolatility`: how much a series moves from day to day.

use risk_core::units::Decay;
use risk_core::volatility::{Garch11, VolatilityModel, fit_garch11};
use risk_core::{Result, RiskError};

use super::model::not_set;
use crate::proto::forecast_volatility_request::Volatility;
use crate::proto::{ForecastVolatilityRequest, ForecastVolatilityResponse, GarchVolatility};

const NAME: &str = "forecast_volatility";
const MAX_DAYS: u32 = 10_000;

/// Variances of the series, and of the days to come.
pub(crate) fn forecast_volatility(request: &ForecastVolatilityRequest) -> Result<ForecastVolatilityResponse> {
    let (returns, days) = (&request.returns, request.horizon_days);
    if !(1..=MAX_DAYS).contains(&days) {
        let why = format!("must be within 1..={MAX_DAYS}");
        return Err(RiskError::invalid(NAME, "horizon_days", why, days));
    }
    let mut fitted = None;
    let model = match request.volatility.as_ref().ok_or_else(|| not_set(NAME, "volatility"))? {
        Volatility::Ewma(ewma) => VolatilityModel::Ewma(Decay::new(NAME, ewma.lambda)?),
        Volatility::Garch(GarchVolatility { omega: 0.0, alpha: 0.0, beta: 0.0 }) => {
            let garch = fit_garch11(returns)?.model;
            fitted = Some(GarchVolatility { omega: garch.omega(), alpha: garch.alpha(), beta: garch.beta() });
            VolatilityModel::Garch11(garch)
        }
        Volatility::Garch(sent) => VolatilityModel::Garch11(Garch11::new(sent.omega, sent.alpha, sent.beta)?),
    };
    let path = model.variance(returns)?;
    let (forecasts, long_run_variance) = match model {
        // Tomorrow's is that of every day after.
        VolatilityModel::Ewma(_) => (vec![path.next_variance; days as usize], None),
        VolatilityModel::Garch11(garch) => (garch.forecast(path.next_variance, days)?, garch.long_run_variance()),
    };
    let log_likelihood = match path.log_likelihood(returns) {
        Err(RiskError::ZeroVariance(_)) => None,
        found => Some(found?),
    };
    Ok(ForecastVolatilityResponse { variances: path.variance, forecasts, long_run_variance, log_likelihood, fitted })
}
