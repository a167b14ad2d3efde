//! Portfolio VaR of one scope, after a trade and with all open orders at their worst.

use super::exposure::Totals;
use super::{EventError, Model};
use crate::covariance::Covariance;
use crate::error::RiskError;
use crate::matrix::MatrixRef;
use crate::pretrade_var::{PortfolioVar, TradeVar};
use crate::units::{Confidence, DegreesOfFreedom, Distribution, HorizonDays};

/// One unit of money, in its smallest part.
const MONEY: f64 = 1e-18;
const NAME: &str = "pretrade_model";

/// The running VaR of one scope. Every exposure it is given comes from whole numbers, so that a rebuild from the same
/// numbers gives the same bits.
#[derive(Clone, Debug)]
pub(super) struct VarBook {
    /// Of the positions.
    held: PortfolioVar,
    /// Of the positions with all open orders filled.
    filled: PortfolioVar,
    sums: Vec<FactorSums>,
    /// Positions and orders that are not in the model.
    pub(super) unmodelled: i128,
}

#[derive(Clone, Copy, Debug, Default)]
struct FactorSums {
    value: i128,
    filled: i128,
    open: i128,
}

/// What an order would make of VaR.
#[derive(Clone, Copy, Debug)]
pub(super) struct VarAfter {
    /// With every other open order filled at its worst.
    pub(super) worst_case: f64,
    /// It falls, with the other open orders and without them.
    pub(super) falls: bool,
}

impl VarBook {
    /// Of an empty portfolio.
    pub(super) fn new(model: &Model) -> Result<Self, EventError> {
        let refused =
            |error: RiskError| EventError::new(NAME, "model", "must be one that VaR can be computed from", error);
        let factors = model.instrument_ids.len();
        let matrix = MatrixRef::new(NAME, "covariance", factors, factors, &model.covariance).map_err(refused)?;
        let covariance = Covariance::new(NAME, factors, matrix).map_err(refused)?;
        let distribution = match model.degrees_of_freedom {
            0.0 => Distribution::Normal,
            nu => Distribution::StudentT(DegreesOfFreedom::new(NAME, nu).map_err(refused)?),
        };
        let confidence = Confidence::from_bp(NAME, model.confidence_bp).map_err(refused)?;
        let horizon = HorizonDays::new(NAME, model.horizon_days).map_err(refused)?;
        let held =
            PortfolioVar::new(&vec![0.0; factors], &covariance, distribution, confidence, horizon).map_err(refused)?;
        Ok(Self { filled: held.clone(), held, sums: vec![FactorSums::default(); factors], unmodelled: 0 })
    }

    /// Takes a change of what is held and open of one instrument.
    pub(super) fn shift(&mut self, factor: Option<usize>, before: &Totals, after: &Totals) -> Result<(), RiskError> {
        let counts = |totals: &Totals| i128::from(totals.value != 0 || totals.open != 0);
        let Some((factor, sums)) = factor.and_then(|factor| Some((factor, self.sums.get_mut(factor)?))) else {
            self.unmodelled += counts(after) - counts(before);
            return Ok(());
        };
        sums.value += after.value - before.value;
        sums.filled += after.filled - before.filled;
        sums.open += after.open - before.open;
        let sums = *sums;
        self.held.set_exposure(factor, money(sums.value))?;
        self.filled.set_exposure(factor, money(sums.filled))?;
        self.held.set_open(factor, money(sums.open))
    }

    /// The same state from the sums alone.
    pub(super) fn rebuild(&mut self) -> Result<(), RiskError> {
        let exposures = |of: fn(&FactorSums) -> i128| self.sums.iter().map(|sums| money(of(sums))).collect::<Vec<_>>();
        let (held, filled) = (exposures(|sums| sums.value), exposures(|sums| sums.filled));
        self.held.set_exposures(&held)?;
        self.filled.set_exposures(&filled)
    }

    /// VaR if the exposure to a factor changes by this much.
    pub(super) fn after(&self, factor: usize, change: i128) -> Result<VarAfter, RiskError> {
        let held = self.held.check(factor, money(change))?;
        let filled = self.filled.check(factor, money(change))?;
        // To nine digits: an order that turns a position round leaves VaR as it was, whatever rounding says.
        let falls = |var: &TradeVar| var.sigma_sq_after <= var.sigma_sq_now * (1.0 + 1e-9);
        Ok(VarAfter { worst_case: held.var_worst_case, falls: falls(&held) && falls(&filled) })
    }

    /// VaR with every open order filled at its worst.
    pub(super) fn worst_case(&self) -> Option<f64> {
        Some(self.held.check(0, 0.0).ok()?.var_worst_case)
    }
}

fn money(attos: i128) -> f64 {
    attos as f64 * MONEY
}
