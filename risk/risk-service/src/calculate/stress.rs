//! `StressTest`: scenarios on a book, and on linear exposures.

use risk_core::covariance::Covariance;
use risk_core::stress::{
    Position, Scenario, Shock, StressPnl, factor_shock, reverse_stress, stress, what_if, worst_portfolio_windows,
};
use risk_core::{Result, RiskError};

use super::model::{matrix, not_set};
use super::portfolio::{position, positions};
use crate::proto::{
    FactorShock, HistoricalWindows, ReverseStress, ReverseStressResult, StressResult, StressScenario,
    StressTestRequest, StressTestResponse, WindowResult,
};

const NAME: &str = "stress_test";
/// Scenarios times positions: their values are all in the answer.
const MAX_VALUES: usize = 5_000_000;

/// Answers a request, or says what is wrong with it.
pub(crate) fn stress_test(request: &StressTestRequest) -> Result<StressTestResponse> {
    match (request.positions.is_empty(), request.exposures.is_empty()) {
        (false, true) => on_book(request),
        (true, false) => on_exposures(request),
        (is_empty, _) => {
            let got = if is_empty { "none" } else { "both" };
            Err(RiskError::invalid(NAME, "portfolio", "must be positions or exposures, one of them", got))
        }
    }
}

fn on_book(request: &StressTestRequest) -> Result<StressTestResponse> {
    for (count, what) in [
        (request.factor_shocks.len(), "factor_shocks"),
        (request.historical_windows.iter().len(), "historical_windows"),
        (request.reverse_stress.iter().len(), "reverse_stress"),
    ] {
        require_none(what, count, "must be unset with positions")?;
    }
    if request.scenarios.is_empty() {
        return Err(not_set(NAME, "scenarios"));
    }
    require_size(request.scenarios.len(), request.positions.len())?;
    let book = positions(NAME, &request.positions)?;
    let proposed = match &request.proposed {
        None => None,
        Some(order) => Some(position(NAME, order).map_err(|error| error.of("proposed"))?),
    };
    let results = request.scenarios.iter().map(|s| run(&book, proposed.as_ref(), s)).collect::<Result<_>>()?;
    Ok(StressTestResponse { results, windows: Vec::new(), reverse: None })
}

fn run(book: &[Position], proposed: Option<&Position>, sent: &StressScenario) -> Result<StressResult> {
    let scenario = scenario(book.iter().chain(proposed), sent)?;
    let held: Scenario = scenario
        .iter()
        .filter(|(name, _)| book.iter().any(|p| p.underlying == **name))
        .map(|(name, shock)| (name.clone(), *shock))
        .collect();
    let StressPnl { by_position, total } = stress(book, &held)?;
    let pnl_with_proposed = match proposed {
        None => None,
        Some(order) => Some(what_if(book, order, &scenario)?.after),
    };
    Ok(StressResult { name: sent.name.clone(), pnl: total, pnl_by_position: by_position, pnl_with_proposed })
}

/// The shocks by underlying; the parallel one spreads to all that no other names.
fn scenario<'a>(positions: impl Iterator<Item = &'a Position>, sent: &StressScenario) -> Result<Scenario> {
    let mut shocks = Scenario::new();
    let mut parallel = None;
    for shock in &sent.shocks {
        let value = Shock { spot: shock.spot, vol: shock.volatility, rate: shock.rate, years: shock.years };
        let before = match shock.underlying.as_str() {
            "" => parallel.replace(value),
            name => shocks.insert(name.to_owned(), value),
        };
        if before.is_some() {
            let what = format!("underlying of scenario {:?}", sent.name);
            return Err(RiskError::invalid(
                NAME,
                what,
                "must be shocked once",
                format!("{:?} twice", shock.underlying),
            ));
        }
    }
    if let Some(parallel) = parallel {
        for position in positions {
            shocks.entry(position.underlying.clone()).or_insert(parallel);
        }
    }
    Ok(shocks)
}

fn on_exposures(request: &StressTestRequest) -> Result<StressTestResponse> {
    require_none("scenarios", request.scenarios.len(), "must be unset with exposures")?;
    require_none("proposed", request.proposed.iter().len(), "must be unset with exposures")?;
    if request.factor_shocks.is_empty() && request.historical_windows.is_none() && request.reverse_stress.is_none() {
        return Err(not_set(NAME, "factor_shocks, historical_windows or reverse_stress"));
    }
    require_size(request.factor_shocks.len(), request.exposures.len())?;
    let x = &request.exposures;
    Ok(StressTestResponse {
        results: request.factor_shocks.iter().map(|s| shocked(x, s)).collect::<Result<_>>()?,
        windows: request.historical_windows.as_ref().map_or(Ok(Vec::new()), |w| windows(x, w))?,
        reverse: request.reverse_stress.as_ref().map(|r| reverse(x, r)).transpose()?,
    })
}

fn shocked(x: &[f64], sent: &FactorShock) -> Result<StressResult> {
    let StressPnl { by_position, total } = match sent.returns.as_slice() {
        // One value moves all factors alike.
        [parallel] => factor_shock(x, &vec![*parallel; x.len()])?,
        returns => factor_shock(x, returns)?,
    };
    Ok(StressResult { name: sent.name.clone(), pnl: total, pnl_by_position: by_position, pnl_with_proposed: None })
}

fn windows(x: &[f64], sent: &HistoricalWindows) -> Result<Vec<WindowResult>> {
    let returns = matrix(NAME, "returns", sent.returns.as_ref())?;
    let (days, count) = (sent.days as usize, sent.count as usize);
    if count == 0 {
        return Err(RiskError::invalid(NAME, "count", "must be positive", 0));
    }
    let worst = worst_portfolio_windows(x, returns, days, count)?;
    // A window is named by its first row.
    Ok(worst.iter().map(|w| WindowResult { first_row: (w.end + 1 - days) as u32, pnl: w.change }).collect())
}

fn reverse(x: &[f64], sent: &ReverseStress) -> Result<ReverseStressResult> {
    let covariance = Covariance::new(NAME, x.len(), matrix(NAME, "covariance", sent.covariance.as_ref())?)?;
    if sent.loss <= 0.0 {
        return Err(RiskError::invalid(NAME, "loss", "must be positive", sent.loss));
    }
    let found = reverse_stress(x, &covariance, sent.loss)?;
    Ok(ReverseStressResult { shock: found.shock, distance: found.mahalanobis, probability: found.one_sided_prob })
}

/// Refuses a field that the portfolio has no use for.
fn require_none(what: &'static str, count: usize, why: &'static str) -> Result<()> {
    if count == 0 { Ok(()) } else { Err(RiskError::invalid(NAME, what, why, count)) }
}

fn require_size(scenarios: usize, positions: usize) -> Result<()> {
    if scenarios.saturating_mul(positions) <= MAX_VALUES {
        return Ok(());
    }
    let why = format!("must be at most {MAX_VALUES} in all");
    Err(RiskError::invalid(NAME, "scenarios times positions", why, format!("{scenarios} times {positions}")))
}
