//! `CalculateRisk`, method by method.

use risk_core::historical::{HistoricalRisk, historical_risk};
use risk_core::montecarlo::{LinearBook, LinearForm, MonteCarloLevel, MonteCarloSettings, Sampler, linear_monte_carlo};
use risk_core::parametric::{Multipliers, ParametricRisk, parametric_risk};
use risk_core::progress::Progress;
use risk_core::quantile::{Interval, QuantileRule};
use risk_core::units::Confidence;
use risk_core::{Result, RiskError};

use super::model::{Model, exposures, horizon, levels, matrix, not_set, require_one_day};
use crate::proto::calculate_risk_request::Method;
use crate::proto::{
    self, CalculateRiskRequest, CalculateRiskResponse, ConfidenceInterval, HistoricalMethod, MonteCarloMethod,
    ParametricMethod, RiskFigures, RiskWarning,
};

/// Answers a request, or says what is wrong with it.
pub(crate) fn calculate(request: &CalculateRiskRequest) -> Result<CalculateRiskResponse> {
    match &request.method {
        Some(Method::Parametric(method)) => parametric(request, method),
        Some(Method::Historical(method)) => historical(request, method),
        Some(Method::MonteCarlo(method)) => monte_carlo(request, method),
        Some(_) => Err(RiskError::invalid(
            "calculate_risk",
            "method",
            "must be parametric, historical or monte_carlo",
            "another",
        )),
        None => Err(not_set("calculate_risk", "method")),
    }
}

fn parametric(request: &CalculateRiskRequest, method: &ParametricMethod) -> Result<CalculateRiskResponse> {
    const NAME: &str = "parametric_var";
    let (levels, x) = (levels(NAME, request)?, exposures(NAME, request)?);
    let horizon = horizon(NAME, request)?;
    let model = Model::new(NAME, x.len(), method.model.as_ref())?;
    let covariance = model.covariance(NAME, x.len())?;
    let mut response = CalculateRiskResponse { n_scenarios: count(model.n_returns()), ..Default::default() };
    for level in levels {
        let multipliers = Multipliers::of(model.distribution, level.tail());
        let risk = parametric_risk(x, model.mean, &covariance, multipliers, horizon)?;
        response.sigma_1d = Some(risk.sigma_1d);
        response.figures.push(parametric_figures(level, risk));
    }
    Ok(response)
}

fn parametric_figures(level: Confidence, risk: ParametricRisk) -> RiskFigures {
    RiskFigures {
        marginal_var: risk.marginal_var,
        component_var: risk.component_var,
        standalone_var: risk.standalone_var,
        incremental_var: risk.incremental_var,
        component_es: risk.component_es,
        marginal_es: risk.marginal_es,
        ..figures(level, risk.var, risk.es)
    }
}

fn historical(request: &CalculateRiskRequest, method: &HistoricalMethod) -> Result<CalculateRiskResponse> {
    const NAME: &str = "historical_var";
    let (levels, x) = (levels(NAME, request)?, exposures(NAME, request)?);
    require_one_day(NAME, request)?;
    let rule = quantile_rule(NAME, method.quantile_rule)?;
    let returns = matrix(NAME, "returns", method.returns.as_ref())?;
    let risks = historical_risk(x, returns, rule, &levels)?;
    let figures = risks.into_iter().map(historical_figures).collect();
    Ok(CalculateRiskResponse { figures, n_scenarios: count(returns.rows()), ..Default::default() })
}

fn historical_figures(risk: HistoricalRisk) -> RiskFigures {
    RiskFigures {
        var_ci95: Some(interval(risk.var_ci95)),
        component_es: risk.component_es,
        warnings: warnings(risk.few_tail_scenarios),
        ..figures(risk.confidence, risk.var, risk.es)
    }
}

fn monte_carlo(request: &CalculateRiskRequest, method: &MonteCarloMethod) -> Result<CalculateRiskResponse> {
    const NAME: &str = "monte_carlo_var";
    let (levels, x) = (levels(NAME, request)?, exposures(NAME, request)?);
    require_one_day(NAME, request)?;
    let settings = MonteCarloSettings { n_scenarios: method.n_scenarios, seed: method.seed, sampler: Sampler::Pseudo };
    let model = Model::new(NAME, x.len(), method.model.as_ref())?;
    let covariance = model.covariance(NAME, x.len())?;
    let form = LinearForm::OneDimensional;
    let risk = linear_monte_carlo(
        LinearBook { exposures: x, mean: model.mean, form, horizon: HorizonDays::ONE },
        &covariance,
        model.distribution,
        settings,
        &levels,
        &Progress::new(),
    )?;
    Ok(CalculateRiskResponse {
        figures: risk.levels.into_iter().map(monte_carlo_figures).collect(),
        sigma_1d: Some(risk.sigma_1d),
        n_scenarios: risk.settings.n_scenarios,
        seed: Some(risk.settings.seed),
        one_dimensional: true,
        ..Default::default()
    })
}

fn monte_carlo_figures(risk: MonteCarloLevel) -> RiskFigures {
    RiskFigures {
        var_se: Some(risk.var_se),
        es_se: Some(risk.es_se),
        var_ci95: Some(interval(risk.var_ci95)),
        es_ci95: Some(interval(risk.es_ci95)),
        warnings: warnings(risk.few_tail_scenarios),
        ..figures(risk.confidence, risk.var, risk.es)
    }
}

fn figures(level: Confidence, var: f64, es: f64) -> RiskFigures {
    RiskFigures { confidence_bp: level.bp().into(), var, es, ..Default::default() }
}

fn interval(interval: Interval) -> ConfidenceInterval {
    ConfidenceInterval { lower: interval.lower, upper: interval.upper }
}

fn warnings(few_tail_scenarios: bool) -> Vec<i32> {
    few_tail_scenarios.then_some(RiskWarning::FewTailScenarios.into()).into_iter().collect()
}

fn quantile_rule(name: &'static str, sent: i32) -> Result<QuantileRule> {
    match proto::QuantileRule::try_from(sent) {
        Ok(proto::QuantileRule::InvertedCdf) => Ok(QuantileRule::InvertedCdf),
        Ok(proto::QuantileRule::Upper) => Ok(QuantileRule::Upper),
        Ok(proto::QuantileRule::Linear7) => Ok(QuantileRule::Linear7),
        Ok(proto::QuantileRule::MedianUnbiased8) => Ok(QuantileRule::MedianUnbiased8),
        Ok(proto::QuantileRule::HarrellDavis) => Ok(QuantileRule::HarrellDavis),
        Ok(proto::QuantileRule::Unspecified) | Err(_) => {
            Err(RiskError::invalid(name, "quantile_rule", "must be one of the rules", sent))
        }
    }
}

/// A count as it is sent; a message cannot hold more than fit.
fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
