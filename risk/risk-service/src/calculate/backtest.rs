//! `BacktestVar`: forecasts held against what came; `SimulateCriticalValues`: what the verdict on ES is held against.

use risk_core::backtest::{
    Exceptions, ForecastMethod, Transitions, Zone, acerbi_szekely, basel_multiplier, christoffersen, exceptions,
    kupiec, rolling_forecast, traffic_light,
};
use risk_core::montecarlo::{CriticalZ2, History, critical_z2};
use risk_core::progress::Progress;
use risk_core::units::{Confidence, Decay, DegreesOfFreedom, Distribution};
use risk_core::volatility::{Garch11, VolatilityModel};
use risk_core::{Result, RiskError};

use super::model::{confidences, not_set, quantile_rule};
use crate::proto::backtest_var_request::Source;
use crate::proto::rolling_forecasts::Method;
use crate::proto::simulate_critical_values_request;
use crate::proto::{
    BacktestVarRequest, BacktestVarResponse, BaselZone, CriticalValue, GarchVolatility, RollingForecasts,
    SimulateCriticalValuesRequest, SimulateCriticalValuesResponse, TestStatistic, VarForecasts,
};

const NAME: &str = "backtest_var";
/// The days and the level of the supervisors' table.
const BASEL_DAYS: usize = 250;
const BASEL_LEVEL: u32 = 9_900;

/// Answers a request, or says what is wrong with it.
pub(crate) fn backtest_var(request: &BacktestVarRequest, progress: &Progress) -> Result<BacktestVarResponse> {
    let confidence = Confidence::from_bp(NAME, request.confidence_bp)?;
    match &request.source {
        Some(Source::Forecasts(forecasts)) => judge(&request.pnl, forecasts, confidence, request.confidence_bp),
        Some(Source::Rolling(rolling)) => {
            let forecasts = roll(&request.pnl, rolling, confidence, progress)?;
            let tested = &request.pnl[rolling.window as usize..];
            let verdict = judge(tested, &forecasts, confidence, request.confidence_bp)?;
            Ok(BacktestVarResponse { forecasts: Some(forecasts), ..verdict })
        }
        None => Err(not_set(NAME, "forecasts or rolling")),
    }
}

fn roll(pnl: &[f64], sent: &RollingForecasts, confidence: Confidence, progress: &Progress) -> Result<VarForecasts> {
    let method = match &sent.method {
        Some(Method::Historical(rule)) => ForecastMethod::Historical(quantile_rule(NAME, *rule)?),
        Some(Method::Normal(ewma)) => ForecastMethod::Normal(Decay::new(NAME, ewma.lambda)?),
        Some(Method::FilteredEwma(ewma)) => {
            ForecastMethod::Filtered(VolatilityModel::Ewma(Decay::new(NAME, ewma.lambda)?))
        }
        // Fitted, they would know the days that they are tested on.
        Some(Method::FilteredGarch(GarchVolatility { omega: 0.0, alpha: 0.0, beta: 0.0 })) => {
            return Err(not_set(NAME, "omega, alpha and beta of filtered_garch"));
        }
        Some(Method::FilteredGarch(g)) => {
            ForecastMethod::Filtered(VolatilityModel::Garch11(Garch11::new(g.omega, g.alpha, g.beta)?))
        }
        None => return Err(not_set(NAME, "method of rolling")),
    };
    let forecasts = rolling_forecast(pnl, sent.window as usize, confidence, method, progress)?;
    Ok(VarForecasts { var: forecasts.iter().map(|f| f.var).collect(), es: forecasts.iter().map(|f| f.es).collect() })
}

fn judge(pnl: &[f64], forecasts: &VarForecasts, confidence: Confidence, level: u32) -> Result<BacktestVarResponse> {
    let p = confidence.tail().get();
    let hits = exceptions(pnl, &forecasts.var)?;
    let count = Exceptions::count(&hits);
    let coverage = kupiec(count, p)?;
    let light = traffic_light(count, p)?;
    let mut response = BacktestVarResponse {
        n_days: u32::try_from(count.days)
            .map_err(|_| RiskError::invalid(NAME, "days", "must fit 32 bits", count.days))?,
        n_exceptions: count.count as u32,
        exception_rows: (0..).zip(&hits).filter_map(|(row, hit)| hit.then_some(row)).collect(),
        kupiec: Some(TestStatistic { value: coverage.lr_uc, p_value: coverage.p_uc }),
        zone: match light.zone {
            Zone::Green => BaselZone::Green,
            Zone::Yellow => BaselZone::Yellow,
            Zone::Red => BaselZone::Red,
        }
        .into(),
        cumulative_probability: light.cum_prob,
        basel_multiplier: (hits.len() == BASEL_DAYS && level == BASEL_LEVEL).then(|| basel_multiplier(count.count)),
        ..Default::default()
    };
    if hits.len() > 1 {
        let tests = christoffersen(count, Transitions::count(&hits), p)?;
        response.independence = Some(TestStatistic { value: tests.lr_ind, p_value: tests.p_ind });
        response.conditional_coverage = Some(TestStatistic { value: tests.lr_cc, p_value: tests.p_cc });
    }
    if !forecasts.es.is_empty() {
        let tests = acerbi_szekely(pnl, &forecasts.var, &forecasts.es, p)?;
        response.acerbi_szekely_z1 = tests.z1;
        response.acerbi_szekely_z2 = Some(tests.z2);
    }
    Ok(response)
}

/// What Z2 of right forecasts falls below as seldom as asked.
pub(crate) fn simulate_critical_values(
    request: &SimulateCriticalValuesRequest,
    progress: &Progress,
) -> Result<SimulateCriticalValuesResponse> {
    const NAME: &str = "critical_z2";
    use simulate_critical_values_request::Distribution as Sent;
    let distribution = match request.distribution.as_ref().ok_or_else(|| not_set(NAME, "distribution"))? {
        Sent::Normal(_) => Distribution::Normal,
        Sent::StudentT(student_t) => Distribution::StudentT(DegreesOfFreedom::new(NAME, student_t.nu)?),
    };
    let confidence = Confidence::from_bp(NAME, request.confidence_bp)?;
    let history = History { days: request.n_days, confidence, distribution };
    let levels = confidences(NAME, &request.test_confidence_bp)?;
    let found = critical_z2(&history, request.n_scenarios, request.seed, &levels, progress)?;
    let sent = |&CriticalZ2 { z2, standard_error }: &CriticalZ2| CriticalValue { value: z2, standard_error };
    Ok(SimulateCriticalValuesResponse { critical_values: found.iter().map(sent).collect() })
}
