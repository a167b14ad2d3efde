//! `AssessTrades` and `ForecastVolatility`: what a trade does to VaR, and how much moves from day to day.

use risk_core::pretrade_var::PortfolioVar;
use risk_core::units::{Confidence, Decay, HorizonDays};
use risk_core::volatility::{Garch11, VolatilityModel, fit_garch11};
use risk_core::{Result, RiskError};

use super::model::{Model, not_set};
use crate::proto::forecast_volatility_request::Volatility;
use crate::proto::{
    AssessTradesRequest, AssessTradesResponse, ForecastVolatilityRequest, ForecastVolatilityResponse, GarchVolatility,
    ProposedTrade, Trade, TradeAssessment,
};

const NAME: &str = "assess_trades";
const FORECAST: &str = "forecast_volatility";
/// Open orders and trades of a request, each; a fill costs the factors once.
const MAX_TRADES: usize = 100_000;
const MAX_FORECAST_DAYS: u32 = 10_000;

/// VaR before and after each trade.
pub(crate) fn assess_trades(request: &AssessTradesRequest) -> Result<AssessTradesResponse> {
    require_count("open_orders", request.open_orders.len())?;
    require_count("trades", request.trades.len())?;
    let k = request.exposures.len();
    let model = Model::new(NAME, k, request.model.as_ref())?;
    model.require_no_mean(NAME)?;
    let mut portfolio = PortfolioVar::new(
        &request.exposures,
        &model.covariance(NAME, k)?,
        model.distribution,
        Confidence::from_bp(NAME, request.confidence_bp)?,
        HorizonDays::new(NAME, request.horizon_days)?,
    )?;
    for Trade { factor, exposure } in &request.open_orders {
        portfolio.open_order(*factor as usize, *exposure)?;
    }
    let trades = request.trades.iter().map(|sent| assess(&mut portfolio, sent)).collect::<Result<_>>()?;
    Ok(AssessTradesResponse { trades })
}

fn assess(portfolio: &mut PortfolioVar, sent: &ProposedTrade) -> Result<TradeAssessment> {
    let Trade { factor, exposure } = sent.trade.ok_or_else(|| not_set(NAME, "trade"))?;
    let found = portfolio.check(factor as usize, exposure)?;
    if sent.fills {
        portfolio.fill(factor as usize, exposure)?;
    }
    Ok(TradeAssessment {
        variance_now: found.sigma_sq_now,
        variance_after: found.sigma_sq_after,
        var_now: found.var_now,
        var_after: found.var_after,
        var_worst_case: found.var_worst_case,
        reduces: found.reduces,
    })
}

fn require_count(what: &'static str, count: usize) -> Result<()> {
    if count <= MAX_TRADES {
        return Ok(());
    }
    Err(RiskError::invalid(NAME, what, format!("must be at most {MAX_TRADES}"), count))
}

/// Variances of the series, and of the days to come.
pub(crate) fn forecast_volatility(request: &ForecastVolatilityRequest) -> Result<ForecastVolatilityResponse> {
    let (returns, days) = (&request.returns, request.horizon_days);
    if !(1..=MAX_FORECAST_DAYS).contains(&days) {
        let why = format!("must be within 1..={MAX_FORECAST_DAYS}");
        return Err(RiskError::invalid(FORECAST, "horizon_days", why, days));
    }
    let mut fitted = None;
    let model = match request.volatility.as_ref().ok_or_else(|| not_set(FORECAST, "volatility"))? {
        Volatility::Ewma(ewma) => VolatilityModel::Ewma(Decay::new(FORECAST, ewma.lambda)?),
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
