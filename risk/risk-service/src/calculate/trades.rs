//! `AssessTrades`: what a trade does to VaR.

use risk_core::pretrade_var::PortfolioVar;
use risk_core::progress::Progress;
use risk_core::units::{Confidence, HorizonDays};
use risk_core::{Result, RiskError};

use super::model::{Model, not_set};
use crate::proto::{AssessTradesRequest, AssessTradesResponse, ProposedTrade, Trade, TradeAssessment};

const NAME: &str = "assess_trades";
/// Open orders and trades of a request, each; a fill costs the factors once.
const MAX_TRADES: usize = 100_000;

/// VaR before and after each trade.
pub(crate) fn assess_trades(request: &AssessTradesRequest, progress: &Progress) -> Result<AssessTradesResponse> {
    require_count("open_orders", request.open_orders.len())?;
    require_count("trades", request.trades.len())?;
    let k = request.exposures.len();
    let model = Model::new(NAME, k, request.model.as_ref(), progress)?;
    model.require_no_mean(NAME)?;
    let mut portfolio = PortfolioVar::new(
        &request.exposures,
        &model.covariance(NAME, k, progress)?,
        model.distribution,
        Confidence::from_bp(NAME, request.confidence_bp)?,
        HorizonDays::new(NAME, request.horizon_days)?,
    )?;
    for Trade { factor, exposure } in &request.open_orders {
        portfolio.open_order(*factor as usize, *exposure)?;
    }
    let mut trades = Vec::with_capacity(request.trades.len());
    for sent in &request.trades {
        progress.check(NAME)?;
        trades.push(assess(&mut portfolio, sent)?);
    }
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
