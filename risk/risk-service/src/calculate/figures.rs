//! `CalculateRisk`, method by method.

use risk_core::delta_gamma::cornish_fisher;
use risk_core::filtered::{FilteredRisk, PathRows, filtered_path_risk, filtered_risk, hull_white_risk};
use risk_core::historical::{HistoricalRisk, age_weighted_risk, historical_risk, portfolio_losses};
use risk_core::matrix::MatrixRef;
use risk_core::parametric::{Multipliers, ParametricRisk, parametric_risk};
use risk_core::progress::Progress;
use risk_core::quantile::{Interval, VarEs};
use risk_core::units::{Confidence, Decay, Distribution};
use risk_core::volatility::{Garch11, VolatilityModel, fit_garch11};
use risk_core::{Result, RiskError};

use super::model::{Model, SentModel, horizon, levels, matrix, not_set, quantile_rule, require_one_day};
use super::portfolio::{Portfolio, quadratic_form};
use super::simulation::monte_carlo;
use crate::proto::calculate_risk_request::Method;
use crate::proto::filtered_method::Volatility;
use crate::proto::{
    AgeWeightedMethod, CalculateRiskRequest, CalculateRiskResponse, ConfidenceInterval, FilteredMethod,
    GarchVolatility, HistoricalMethod, ParametricMethod, ReturnModel, RiskFigures, RiskWarning,
};

/// Names times levels of a parametric answer: six parts of each are 192 MB.
const MAX_PARTS: usize = 4_000_000;

/// Answers a request, or says what is wrong with it.
pub(crate) fn calculate(request: &CalculateRiskRequest, progress: &Progress) -> Result<CalculateRiskResponse> {
    const NAME: &str = "calculate_risk";
    if request.horizon_years != 0.0 && !matches!(request.method, Some(Method::MonteCarlo(_))) {
        return Err(RiskError::invalid(NAME, "horizon_years", "must be 0 but for a book", request.horizon_years));
    }
    match &request.method {
        Some(Method::Parametric(method)) => parametric(request, method, progress),
        Some(Method::Historical(method)) => historical(request, method),
        Some(Method::AgeWeighted(method)) => age_weighted(request, method),
        Some(Method::Filtered(method)) => filtered(request, method, progress),
        Some(Method::CornishFisher(method)) => cornish_fisher_figures(request, method.model.as_ref(), progress),
        Some(Method::Fourier(method)) => fourier(request, method.model.as_ref(), progress),
        Some(Method::MonteCarlo(method)) => monte_carlo(request, method, progress),
        None => Err(not_set(NAME, "method")),
    }
}

fn parametric(
    request: &CalculateRiskRequest,
    method: &ParametricMethod,
    progress: &Progress,
) -> Result<CalculateRiskResponse> {
    const NAME: &str = "parametric_var";
    let (levels, x) = (levels(NAME, request)?, Portfolio::linear(NAME, request)?);
    let horizon = horizon(NAME, request)?;
    let parts = x.len().saturating_mul(levels.len());
    if parts > MAX_PARTS {
        let why = format!("must be at most {MAX_PARTS}");
        return Err(RiskError::invalid(NAME, "exposures times levels", why, parts));
    }
    progress.begin(1);
    let model = SentModel::read(NAME, x.len(), method.model.as_ref())?;
    let moments = model.moments(NAME, x.len(), progress)?;
    let mut response = CalculateRiskResponse { n_scenarios: count(model.n_returns()), ..Default::default() };
    for level in levels {
        let multipliers = Multipliers::of(model.distribution, level.tail());
        let risk = parametric_risk(x, model.mean, moments, multipliers, horizon, progress)?;
        response.sigma_1d = Some(risk.sigma_1d);
        response.figures.push(parametric_figures(level, risk));
    }
    progress.add(1);
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
    let (levels, x) = (levels(NAME, request)?, Portfolio::linear(NAME, request)?);
    require_one_day(NAME, request)?;
    let rule = quantile_rule(NAME, method.quantile_rule)?;
    let returns = matrix(NAME, "returns", method.returns.as_ref())?;
    let risks = historical_risk(x, returns, rule, &levels)?;
    let figures = risks.into_iter().map(historical_figures).collect();
    Ok(CalculateRiskResponse { figures, n_scenarios: count(returns.rows()), ..Default::default() })
}

fn historical_figures(risk: HistoricalRisk) -> RiskFigures {
    RiskFigures {
        var_ci95: Some(interval(risk.var_ci95, 1.0)),
        component_es: risk.component_es,
        warnings: warnings(risk.few_tail_scenarios),
        ..figures(risk.confidence, risk.var, risk.es)
    }
}

fn age_weighted(request: &CalculateRiskRequest, method: &AgeWeightedMethod) -> Result<CalculateRiskResponse> {
    const NAME: &str = "age_weighted_var";
    let (levels, x) = (levels(NAME, request)?, Portfolio::linear(NAME, request)?);
    require_one_day(NAME, request)?;
    let returns = matrix(NAME, "returns", method.returns.as_ref())?;
    let found = age_weighted_risk(x, returns, Decay::new(NAME, method.lambda)?, &levels)?;
    Ok(sampled(&levels, found, returns))
}

fn filtered(
    request: &CalculateRiskRequest,
    method: &FilteredMethod,
    progress: &Progress,
) -> Result<CalculateRiskResponse> {
    const NAME: &str = "filtered_var";
    let (levels, x) = (levels(NAME, request)?, Portfolio::linear(NAME, request)?);
    let returns = matrix(NAME, "returns", method.returns.as_ref())?;
    let days = horizon(NAME, request)?.days() as usize;
    match (&method.volatility, method.by_factor, days) {
        (None, ..) => Err(not_set(NAME, "volatility")),
        (_, _, 1) if method.n_paths != 0 || method.seed != 0 || !method.path_rows.is_empty() => {
            Err(RiskError::invalid(NAME, "n_paths, seed and path_rows", "must be unset for one day", method.n_paths))
        }
        (Some(Volatility::Ewma(ewma)), true, 1) => {
            Ok(sampled(&levels, hull_white_risk(x, returns, Decay::new(NAME, ewma.lambda)?, &levels)?, returns))
        }
        (_, true, _) => Err(RiskError::invalid(NAME, "by_factor", "must be false but for ewma and one day", true)),
        (Some(Volatility::Ewma(ewma)), false, 1) => {
            let model = VolatilityModel::Ewma(Decay::new(NAME, ewma.lambda)?);
            Ok(scaled(&levels, filtered_risk(x, returns, model, &levels)?, returns))
        }
        (Some(Volatility::Ewma(_)), false, _) => {
            Err(RiskError::invalid(NAME, "horizon_days", "must be 1 with ewma", request.horizon_days))
        }
        (Some(Volatility::Garch(sent)), false, days) => {
            let (garch, fitted_garch) = garch(sent, x, returns)?;
            let risk = if days == 1 {
                filtered_risk(x, returns, VolatilityModel::Garch11(garch), &levels)?
            } else {
                filtered_path_risk(x, returns, garch, path_rows(method, days)?, &levels, progress)?
            };
            let seed = (days > 1 && method.path_rows.is_empty()).then_some(method.seed);
            Ok(CalculateRiskResponse { fitted_garch, seed, ..scaled(&levels, risk, returns) })
        }
    }
}

/// The paths given, or those drawn from a seed.
fn path_rows(method: &FilteredMethod, days: usize) -> Result<PathRows<'_>> {
    if method.path_rows.is_empty() {
        return PathRows::drawn(days, method.n_paths, method.seed);
    }
    if method.n_paths != 0 || method.seed != 0 {
        let why = "must be 0 beside path_rows";
        return Err(RiskError::invalid("filtered_var", "n_paths and seed", why, method.n_paths));
    }
    PathRows::new(days, &method.path_rows)
}

/// The parameters given, or those fitted to the portfolio's own past when none is.
fn garch(sent: &GarchVolatility, x: &[f64], returns: MatrixRef<'_>) -> Result<(Garch11, Option<GarchVolatility>)> {
    if sent.omega != 0.0 || sent.alpha != 0.0 || sent.beta != 0.0 {
        return Ok((Garch11::new(sent.omega, sent.alpha, sent.beta)?, None));
    }
    let losses = portfolio_losses("filtered_var", x, returns)?;
    let model = fit_garch11(&losses)?.model;
    let told = GarchVolatility { omega: model.omega(), alpha: model.alpha(), beta: model.beta() };
    Ok((model, Some(told)))
}

fn cornish_fisher_figures(
    request: &CalculateRiskRequest,
    model: Option<&ReturnModel>,
    progress: &Progress,
) -> Result<CalculateRiskResponse> {
    const NAME: &str = "cornish_fisher_var";
    let levels = levels(NAME, request)?;
    let form = gaussian_form(NAME, request, model, progress)?;
    let cumulants = form.cumulants()?;
    let of_level = |&level: &Confidence| {
        let found = cornish_fisher(&cumulants, level.tail())?;
        let doubtful = (!found.monotone).then_some(RiskWarning::CornishFisherNotMonotone.into());
        let warnings = doubtful.into_iter().collect();
        Ok(RiskFigures { warnings, ..figures(level, found.figures.var, found.figures.es) })
    };
    Ok(CalculateRiskResponse {
        figures: levels.iter().map(of_level).collect::<Result<_>>()?,
        sigma_1d: Some(cumulants.k2.sqrt()),
        cumulants: vec![cumulants.k1, cumulants.k2, cumulants.k3, cumulants.k4],
        ..Default::default()
    })
}

fn fourier(
    request: &CalculateRiskRequest,
    model: Option<&ReturnModel>,
    progress: &Progress,
) -> Result<CalculateRiskResponse> {
    const NAME: &str = "delta_gamma_var";
    let levels = levels(NAME, request)?;
    let form = gaussian_form(NAME, request, model, progress)?;
    let of_level = |&level: &Confidence| {
        let VarEs { var, es } = form.var_es(level.tail())?;
        Ok(figures(level, var, es))
    };
    Ok(CalculateRiskResponse {
        figures: levels.iter().map(of_level).collect::<Result<_>>()?,
        sigma_1d: Some(form.cumulants()?.k2.sqrt()),
        ..Default::default()
    })
}

/// A delta-gamma book on normal returns of mean zero over one horizon.
fn gaussian_form(
    name: &'static str,
    request: &CalculateRiskRequest,
    model: Option<&ReturnModel>,
    progress: &Progress,
) -> Result<risk_core::delta_gamma::QuadraticForm> {
    require_one_day(name, request)?;
    let portfolio = Portfolio::of(name, request)?;
    let Portfolio::DeltaGamma(book) = portfolio else {
        let why = "must be a delta_gamma_book for this method";
        return Err(RiskError::invalid(name, "portfolio", why, portfolio.field()));
    };
    let model = Model::new(name, book.delta.len(), model, progress)?;
    model.require_no_mean(name)?;
    if model.distribution != Distribution::Normal {
        return Err(RiskError::invalid(name, "distribution", "must be normal for this method", "student_t"));
    }
    quadratic_form(name, book, &model.covariance(name, book.delta.len(), progress)?)
}

fn sampled(levels: &[Confidence], found: Vec<VarEs>, returns: MatrixRef<'_>) -> CalculateRiskResponse {
    let figures = levels.iter().zip(found).map(|(&level, VarEs { var, es })| figures(level, var, es)).collect();
    CalculateRiskResponse { figures, n_scenarios: count(returns.rows()), ..Default::default() }
}

fn scaled(levels: &[Confidence], risk: FilteredRisk, returns: MatrixRef<'_>) -> CalculateRiskResponse {
    let next_volatility = Some(risk.next_vol);
    CalculateRiskResponse { next_volatility, ..sampled(levels, risk.figures, returns) }
}

pub(super) fn figures(level: Confidence, var: f64, es: f64) -> RiskFigures {
    RiskFigures { confidence_bp: level.bp().into(), var, es, ..Default::default() }
}

pub(super) fn interval(interval: Interval, factor: f64) -> ConfidenceInterval {
    let scale = |end: Option<f64>| end.map(|value| value * factor);
    ConfidenceInterval { lower: scale(interval.lower), upper: scale(interval.upper) }
}

pub(super) fn warnings(few_tail_scenarios: bool) -> Vec<i32> {
    few_tail_scenarios.then_some(RiskWarning::FewTailScenarios.into()).into_iter().collect()
}

/// A count as it is sent; a message cannot hold more than fit.
pub(super) fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
