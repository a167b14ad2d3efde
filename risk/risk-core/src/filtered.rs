//! Historical simulation on today's volatility: filtered scenarios, Hull-White scaling, paths of several days.
//!
//! A residual divides a return by the volatility forecast *before* it; the volatility that already saw the day
//! would shrink exactly the extreme ones.

mod paths;

pub use paths::{PathRows, filtered_path_risk};

use crate::error::Result;
use crate::historical::portfolio_losses;
use crate::matrix::MatrixRef;
use crate::quantile::{OrderedLosses, VarEs};
use crate::units::{Confidence, Decay};
use crate::volatility::VolatilityModel;

/// VaR and ES from filtered scenarios. Money, losses positive.
#[derive(Debug, Clone, PartialEq)]
pub struct FilteredRisk {
    /// Volatility of the portfolio forecast for the next day, money.
    pub next_vol: f64,
    /// One entry a level, in the order asked.
    pub figures: Vec<VarEs>,
}

/// One-day VaR and ES by filtered historical simulation of the portfolio's P&L.
///
/// Formula: `z_i = pnl_i / sigma_i`, scenario `z_i sigma_next`; `sigma_i` by the filter, forecast before day i.
/// VaR `L_(k)`, `k = ceil(n c)`; ES the tail mean.
/// Units: `exposures` money per unit return, short negative; `returns` n x K arithmetic, oldest row first; omega of
/// a GARCH filter in money squared.
/// Errors: shapes, `TooFewObservations`, NaN and infinity; `ZeroVariance` for a forecast of 0.
/// Source: Barone-Adesi, Giannopoulos and Vosper 1999; Hull and White 1998.
pub fn filtered_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    model: VolatilityModel,
    confidences: &[Confidence],
) -> Result<FilteredRisk> {
    const COMPUTATION: &str = "filtered_var";
    let losses = portfolio_losses(COMPUTATION, exposures, returns)?;
    let sigma = model.variance(&losses)?.positive_volatility(COMPUTATION)?;
    let scenarios = losses.iter().zip(&sigma.series).map(|(loss, s)| loss / s * sigma.next).collect();
    Ok(FilteredRisk { next_vol: sigma.next, figures: figures(COMPUTATION, scenarios, confidences)? })
}

/// One-day VaR and ES with each factor's past returns scaled to its own next volatility.
///
/// Formula: scenario `r_ij sigma_j,next / sigma_j,i` with exponentially weighted volatilities, then as historical.
/// Units and errors: those of [`filtered_risk`].
/// Source: Hull and White, *Incorporating volatility updating into the historical simulation method*, 1998.
pub fn hull_white_risk(
    exposures: &[f64],
    returns: MatrixRef<'_>,
    lambda: Decay,
    confidences: &[Confidence],
) -> Result<Vec<VarEs>> {
    const COMPUTATION: &str = "hull_white_var";
    let mut losses = vec![0.0; portfolio_losses(COMPUTATION, exposures, returns)?.len()];
    for (j, exposure) in exposures.iter().enumerate() {
        let column = returns.column(j);
        let sigma = VolatilityModel::Ewma(lambda).variance(&column)?.positive_volatility(COMPUTATION)?;
        for ((loss, r), s) in losses.iter_mut().zip(&column).zip(&sigma.series) {
            *loss -= exposure * (r * sigma.next / s);
        }
    }
    figures(COMPUTATION, losses, confidences)
}

fn figures(computation: &'static str, losses: Vec<f64>, confidences: &[Confidence]) -> Result<Vec<VarEs>> {
    let ordered = OrderedLosses::sort(computation, losses)?;
    let at = |c: &Confidence| Ok(VarEs { var: ordered.var(*c)?, es: ordered.tail_mean(*c)? });
    confidences.iter().map(at).collect()
}
