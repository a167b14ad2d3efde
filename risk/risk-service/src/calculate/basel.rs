//! `BaselShortfall`: ES over the liquidity horizons of the factors, and its calibration to a period of stress.

use risk_core::progress::Progress;
use risk_core::stress::{LIQUIDITY_HORIZONS_DAYS, liquidity_horizon_es, stressed_es};
use risk_core::{Result, RiskError};

use super::figures::calculate;
use super::model::not_set;
use crate::proto::basel_shortfall_request::Step;
use crate::proto::calculate_risk_request::Method;
use crate::proto::{BaselShortfallRequest, BaselShortfallResponse, CalculateRiskRequest, LiquidityHorizons};

const NAME: &str = "basel_shortfall";
/// Days of the ES that everything is put together from.
const BASE_HORIZON_DAYS: u32 = 10;

/// Answers a request, or says what is wrong with it.
pub(crate) fn basel_shortfall(request: &BaselShortfallRequest, progress: &Progress) -> Result<BaselShortfallResponse> {
    match request.step.as_ref().ok_or_else(|| not_set(NAME, "step"))? {
        Step::LiquidityHorizons(sent) => {
            let es_by_horizon = by_horizon(sent, progress)?;
            let es = liquidity_horizon_es(es_by_horizon)?;
            Ok(BaselShortfallResponse { es, es_by_horizon: es_by_horizon.to_vec() })
        }
        Step::StressCalibration(sent) => {
            let es = stressed_es(sent.es_reduced_stressed, sent.es_full_current, sent.es_reduced_current)?;
            Ok(BaselShortfallResponse { es, es_by_horizon: Vec::new() })
        }
    }
}

fn by_horizon(sent: &LiquidityHorizons, progress: &Progress) -> Result<[f64; 5]> {
    match (&sent.calculation, sent.es_by_horizon.as_slice()) {
        (Some(calculation), []) => calculated(calculation, &sent.factor_horizons_days, progress),
        (None, given) if sent.factor_horizons_days.is_empty() => given
            .try_into()
            .map_err(|_| RiskError::shape(NAME, "es_by_horizon", "must have 5 values, one a horizon", given.len())),
        (None, _) => {
            let got = format!("{} values", sent.factor_horizons_days.len());
            Err(RiskError::invalid(NAME, "factor_horizons_days", "must be empty without calculation", got))
        }
        (Some(_), given) => {
            let got = format!("{} values", given.len());
            Err(RiskError::invalid(NAME, "es_by_horizon", "must be empty beside calculation", got))
        }
    }
}

/// ES of the factors that take at least so long to be sold, horizon by horizon.
fn calculated(asked: &CalculateRiskRequest, horizons: &[u32], progress: &Progress) -> Result<[f64; 5]> {
    require_base_horizon(asked)?;
    if asked.confidence_bp.len() != 1 {
        return Err(RiskError::shape(NAME, "confidence_bp", "must be one level", asked.confidence_bp.len()));
    }
    if asked.exposures.is_empty() || asked.exposures.len() != horizons.len() {
        let why = format!("must have {} values to match the exposures, at least one", asked.exposures.len());
        return Err(RiskError::shape(NAME, "factor_horizons_days", why, horizons.len()));
    }
    if let Some(days) = horizons.iter().find(|days| !LIQUIDITY_HORIZONS_DAYS.contains(&f64::from(**days))) {
        return Err(RiskError::invalid(NAME, "factor_horizons_days", "must be 10, 20, 40, 60 or 120", days));
    }
    let mut subset = asked.clone();
    let mut es = [0.0; 5];
    for (es, least) in es.iter_mut().zip(LIQUIDITY_HORIZONS_DAYS) {
        for (exposure, days) in subset.exposures.iter_mut().zip(horizons) {
            if f64::from(*days) < least {
                *exposure = 0.0;
            }
        }
        // Without any factor there is nothing to lose.
        if horizons.iter().any(|days| f64::from(*days) >= least) {
            *es = calculate(&subset, progress)?.figures.first().map_or(0.0, |figures| figures.es);
        }
    }
    Ok(es)
}

/// The base horizon is asked for, or is that of the rows where a method takes them as they are.
fn require_base_horizon(asked: &CalculateRiskRequest) -> Result<()> {
    let takes_rows = matches!(asked.method, Some(Method::Historical(_) | Method::AgeWeighted(_)));
    let days = if takes_rows { 1 } else { BASE_HORIZON_DAYS };
    if asked.horizon_days == days {
        return Ok(());
    }
    let why = format!("must be {BASE_HORIZON_DAYS}, or 1 for past returns of {BASE_HORIZON_DAYS} days as they are");
    Err(RiskError::invalid(NAME, "horizon_days", why, asked.horizon_days))
}
