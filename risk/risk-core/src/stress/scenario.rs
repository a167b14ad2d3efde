//! Scenarios on a book of spot positions and options, and on linear exposures.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{finite, positive, representable};
use crate::error::{Result, RiskError, require_finite, require_len};
use crate::pricing::Bsm;

const COMPUTATION: &str = "stress";

/// What is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Holding {
    /// The underlying itself, at a spot price.
    Spot {
        /// Price now, positive.
        spot: f64,
    },
    /// A European option.
    Option(Bsm),
}

/// A quantity of something on an underlying.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// Name of the underlying, by which scenarios shock it.
    pub underlying: String,
    /// Units held, short negative.
    pub qty: f64,
    /// What is held.
    pub holding: Holding,
}

/// What a scenario does to one underlying; zero is no shock.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shock {
    /// Relative change of spot, -0.2 is a fall by 20 %; spot is floored at 0.
    pub spot: f64,
    /// Absolute change of volatility a year; volatility is floored at 0.
    pub vol: f64,
    /// Absolute change of the rate a year.
    pub rate: f64,
    /// Years that pass; time to expiry is floored at 0.
    pub years: f64,
}

/// A shock for each underlying that is shocked. Others stay where they are.
pub type Scenario = BTreeMap<String, Shock>;

/// P&L of a scenario, money, gain-positive.
#[derive(Debug, Clone, PartialEq)]
pub struct StressPnl {
    /// In the order of the positions.
    pub by_position: Vec<f64>,
    /// Their sum.
    pub total: f64,
}

/// P&L of a scenario before and after a proposed order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WhatIf {
    /// Of the book as it is.
    pub before: f64,
    /// Of the book with the order filled.
    pub after: f64,
}

/// P&L of a book under a scenario, every position revalued in full.
///
/// Formula: `qty (V1 - V0)`, V1 at `S max(1 + spot, 0)`, `max(vol + vol shock, 0)`, `rate + rate shock`,
/// `max(T - years, 0)`; options by Black-Scholes-Merton.
/// Units: money; shocks as in [`Shock`].
/// Errors: `InvalidInput` for an underlying that the book does not hold, for NaN and infinity, and for what
/// [`crate::pricing::bsm`] refuses.
/// Source: Basel Committee, *Stress testing principles*, 2018; Hull, *Options, Futures and Other Derivatives*, ch. 22.
pub fn stress(book: &[Position], scenario: &Scenario) -> Result<StressPnl> {
    require_known(book, scenario)?;
    let pnl = |(i, position): (usize, &Position)| {
        position.pnl(scenario).map_err(|error| error.of(format_args!("position {i}")))
    };
    let by_position: Vec<f64> = book.iter().enumerate().map(pnl).collect::<Result<_>>()?;
    let total = representable(COMPUTATION, "pnl", by_position.iter().sum())?;
    Ok(StressPnl { by_position, total })
}

/// P&L of a scenario before and after a proposed order. The order's underlying may be new to the book.
///
/// Errors: those of [`stress`].
pub fn what_if(book: &[Position], order: &Position, scenario: &Scenario) -> Result<WhatIf> {
    let held = book.iter().chain([order]);
    let mut after: Vec<Position> = Vec::with_capacity(book.len() + 1);
    after.extend(held.cloned());
    let StressPnl { by_position, total } = stress(&after, scenario)?;
    Ok(WhatIf { before: by_position.iter().take(book.len()).sum(), after: total })
}

/// P&L of linear exposures under shocks of their factors: `x_i shock_i`, and the sum. A parallel shock has one
/// value for all.
///
/// Units: exposures money per unit return, short negative; shocks simple returns; P&L gain-positive.
/// Errors: `ShapeMismatch` when lengths differ; `InvalidInput` for NaN and infinity.
pub fn factor_shock(exposures: &[f64], shocks: &[f64]) -> Result<StressPnl> {
    const NAME: &str = "factor_shock";
    require_finite(NAME, "exposures", exposures)?;
    require_len(NAME, "shocks", shocks, exposures.len(), "the exposures")?;
    require_finite(NAME, "shocks", shocks)?;
    let by_position: Vec<f64> = exposures.iter().zip(shocks).map(|(x, shock)| x * shock).collect();
    let total = representable(NAME, "pnl", by_position.iter().sum())?;
    Ok(StressPnl { by_position, total })
}

fn require_known(book: &[Position], scenario: &Scenario) -> Result<()> {
    let held: BTreeSet<&str> = book.iter().map(|position| position.underlying.as_str()).collect();
    match scenario.keys().find(|name| !held.contains(name.as_str())) {
        None => Ok(()),
        Some(name) => Err(RiskError::invalid(COMPUTATION, "scenario", "must name underlyings of the book", name)),
    }
}

impl Position {
    fn pnl(&self, scenario: &Scenario) -> Result<f64> {
        finite(COMPUTATION, "qty", self.qty)?;
        let shock = scenario.get(&self.underlying).copied().unwrap_or_default().checked()?;
        representable(COMPUTATION, "pnl", self.qty * self.holding.change(&shock)?)
    }
}

impl Holding {
    /// Refuses what cannot be held, naming field and rule.
    pub fn check(&self, computation: &'static str) -> Result<()> {
        match self {
            Self::Spot { spot } => positive(computation, "spot", *spot).map(|_| ()),
            Self::Option(option) => option.check(computation),
        }
    }

    /// By how much its value changes under a checked shock.
    pub(crate) fn change(&self, shock: &Shock) -> Result<f64> {
        self.check(COMPUTATION)?;
        match self {
            Self::Spot { spot } => Ok(shock.spot(*spot) - spot),
            Self::Option(option) => Ok(shock.option(option).price() - option.price()),
        }
    }
}

impl Shock {
    pub(crate) fn checked(self) -> Result<Self> {
        finite(COMPUTATION, "spot of a shock", self.spot)?;
        finite(COMPUTATION, "volatility of a shock", self.vol)?;
        finite(COMPUTATION, "rate of a shock", self.rate)?;
        finite(COMPUTATION, "years of a shock", self.years)?;
        Ok(self)
    }

    fn spot(&self, spot: f64) -> f64 {
        // At no shock the price is the same to the bit.
        (spot * (1.0 + self.spot)).max(0.0)
    }

    fn option(&self, option: &Bsm) -> Bsm {
        Bsm {
            spot: self.spot(option.spot),
            vol: (option.vol + self.vol).max(0.0),
            rate: option.rate + self.rate,
            years: (option.years - self.years).max(0.0),
            ..*option
        }
    }
}
